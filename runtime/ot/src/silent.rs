//! Correlated transfers from few: silent extension.
//!
//! Input: `RESERVE` correlated transfers under one `delta`, once; each batch puts back what it took. Output of a batch:
//! `BATCH` correlated transfers with random choices: the sender has `q`, the receiver `c` and `t = q ^ c·delta`; the lowest
//! bit of `q` is zero, so that of `t` is `c`, as `delta`'s is one. Security: semi-honest, if learning parity with noise is
//! hard for the parameters and the code of this room, and of the punctured trees. Reveals: nothing; the one message is
//! theirs, under masks of the transfers that are consumed. Price: `ANSWER_BYTES` from sender to receiver a batch, nothing
//! from the receiver.
//!
//! The transfers of the reserve are a vector `s` that the receiver holds with `delta` at its random bits, the sender
//! without. The leaves of punctured trees are a vector of noise: one error, `delta`, in each block, at the receiver's random
//! place. Then `s` times a public matrix plus the noise is a vector of correlated transfers whose choices are samples of
//! that problem (Yang, Weng, Lan, Zhang, Wang, "Ferret", CCS 2020). As the places of the errors are choices
//! of consumed transfers, the receiver has nothing to send.

mod code;
pub mod parameters;

use ptc_net::PeerError;
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::block::{Block, Blocks};
use crate::puncture::{self, LANES};
use parameters::{ANSWER_BYTES, BATCH, DEPTH, LEAVES, RESERVE, RESERVE_SAMPLES, SECRET};

/// Samples whose noise comes from trees that grow side by side.
const GROUP: usize = LANES * LEAVES;
/// Transfers that those trees take, and the bytes about them.
const GROUP_COTS: usize = LANES * DEPTH;
const GROUP_BYTES: usize = parameters::tree_bytes(LANES);

pub struct Sender {
    delta: Block,
    reserve: Reserve,
}

impl Sender {
    /// From `RESERVE` correlated transfers under an odd `delta`.
    pub fn new(delta: Block, q: &[Block]) -> Sender {
        assert!(delta & 1 == 1, "the lowest bit of delta tells the choices apart");
        Sender { delta, reserve: Reserve::new(q) }
    }

    pub fn delta(&self) -> Block {
        self.delta
    }

    /// Writes the next batch to `q`. The message makes it at the receiver.
    pub fn answer(&mut self, q: &mut [Block]) -> Vec<u8> {
        let mut message = vec![0; ANSWER_BYTES];
        let delta = self.delta;
        let (secret, groups) = self.reserve.spend(q);
        groups.zip(message.par_chunks_mut(GROUP_BYTES)).for_each(|(group, message)| {
            in_whole_group(group.samples, |leaves| {
                message.copy_from_slice(&puncture::plant(DEPTH as u32, group.cots, delta, leaves));
                leaves.iter_mut().for_each(|leaf| *leaf &= !1);
            });
            code::encode(group.samples, group.first, secret);
        });
        self.reserve.turn();
        message
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

pub struct Receiver {
    reserve: Reserve,
}

impl Receiver {
    /// From `RESERVE` correlated transfers; their lowest bits are the choices.
    pub fn new(t: &[Block]) -> Receiver {
        Receiver { reserve: Reserve::new(t) }
    }

    /// Writes the next batch to `t`. The lowest bits are the choices.
    pub fn complete(&mut self, answer: &[u8], t: &mut [Block]) -> Result<(), PeerError> {
        if answer.len() != ANSWER_BYTES {
            return Err(PeerError::WrongLength { expected: ANSWER_BYTES, found: answer.len() });
        }
        let (secret, groups) = self.reserve.spend(t);
        groups.zip(answer.par_chunks(GROUP_BYTES)).try_for_each(|(group, answer)| {
            in_whole_group(group.samples, |leaves| {
                let choices = Zeroizing::new([choice_word(group.cots)]);
                let places = puncture::grow(DEPTH as u32, group.cots, &*choices, answer, leaves)?;
                mark(leaves, &places);
                Ok::<_, PeerError>(())
            })?;
            code::encode(group.samples, group.first, secret);
            Ok::<_, PeerError>(())
        })?;
        self.reserve.turn();
        Ok(())
    }
}

/// The transfers that the next batch consumes, and room for those that it leaves.
struct Reserve {
    held: Blocks,
    next: Blocks,
}

/// The samples whose noise comes from a group of trees.
struct Group<'a> {
    samples: &'a mut [Block],
    /// The number of the first.
    first: usize,
    /// The transfers of the trees.
    cots: &'a [Block],
}

impl Reserve {
    fn new(cots: &[Block]) -> Reserve {
        assert_eq!(cots.len(), RESERVE, "transfers to start from");
        let mut held = Blocks::zeros(RESERVE_SAMPLES);
        held[..RESERVE].copy_from_slice(cots);
        Reserve { held, next: Blocks::zeros(RESERVE_SAMPLES) }
    }

    /// The secret of the code, and what to fill: the samples of the next reserve, then those of `batch`.
    fn spend<'a>(
        &'a mut self,
        batch: &'a mut [Block],
    ) -> (&'a [Block; SECRET], impl IndexedParallelIterator<Item = Group<'a>>) {
        assert_eq!(batch.len(), BATCH, "transfers of a batch");
        let (secret, cots) = self.held[..RESERVE].split_first_chunk().expect("a reserve is longer than the secret");
        let samples = self.next.par_chunks_mut(GROUP).chain(batch.par_chunks_mut(GROUP));
        let groups = samples.zip(cots.par_chunks(GROUP_COTS)).enumerate();
        (secret, groups.map(|(at, (samples, cots))| Group { samples, first: at * GROUP, cots }))
    }

    /// What was left is held; what was held is free.
    fn turn(&mut self) {
        std::mem::swap(&mut self.held, &mut self.next);
    }
}

/// Fills the samples of a group. The last group has fewer trees than grow side by side.
fn in_whole_group<T>(samples: &mut [Block], fill: impl FnOnce(&mut [Block]) -> T) -> T {
    let trees = samples.len() / LEAVES;
    if trees == LANES {
        return fill(samples);
    }
    let mut leaves = Blocks::zeros(GROUP);
    let result = fill(&mut leaves);
    for (samples, leaves) in samples.chunks_mut(trees).zip(leaves.as_chunks::<LANES>().0) {
        samples.copy_from_slice(&leaves[..trees]);
    }
    result
}

/// The choices of a group's transfers.
fn choice_word(t: &[Block]) -> u64 {
    const { assert!(GROUP_COTS <= 64) };
    t.iter().rev().fold(0, |word, t| word << 1 | (*t as u64 & 1))
}

/// The lowest bit of a leaf is one at its tree's place, else zero. The places are secrets: every leaf is written alike.
fn mark(leaves: &mut [Block], places: &[u32]) {
    let places: [u64; LANES] = std::array::from_fn(|lane| places.get(lane).map_or(0, |place| u64::from(*place)));
    for (number, leaves) in (0..).zip(leaves.as_chunks_mut::<LANES>().0) {
        for (leaf, place) in leaves.iter_mut().zip(places) {
            let there = (place ^ number).wrapping_sub(1) >> 63;
            *leaf = *leaf & !1 | Block::from(there);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_ring::Seed;

    use crate::block::{bit, spread};

    const DELTA: Block = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3211;

    /// Both parties at the start, as base transfers leave them.
    fn parties(seed: u8) -> (Sender, Receiver) {
        let seed = Seed::from_bytes([seed; 32]);
        let q: Vec<Block> = draw(&seed, RESERVE).iter().map(|q| q & !1).collect();
        let choices = seed.stream(1, 0).words(RESERVE.div_ceil(64));
        let t: Vec<Block> = q.iter().enumerate().map(|(at, q)| q ^ spread(bit(&choices, at)) & DELTA).collect();
        (Sender::new(DELTA, &q), Receiver::new(&t))
    }

    fn answer(sender: &mut Sender) -> (Vec<u8>, Vec<Block>) {
        let mut q = vec![0; BATCH];
        (sender.answer(&mut q), q)
    }

    fn complete(receiver: &mut Receiver, answer: &[u8]) -> Result<Vec<Block>, PeerError> {
        let mut t = vec![0; BATCH];
        receiver.complete(answer, &mut t).map(|()| t)
    }

    fn draw(seed: &Seed, count: usize) -> Blocks {
        let words = seed.stream(0, 0).words(2 * count);
        let pairs = words.as_chunks::<2>().0.iter();
        Blocks::new(pairs.map(|[low, high]| Block::from(*low) | Block::from(*high) << 64).collect())
    }

    fn check_correlation(q: &[Block], t: &[Block]) {
        assert_eq!((q.len(), t.len()), (BATCH, BATCH));
        for (q, t) in q.iter().zip(t) {
            assert!(q & 1 == 0 && *t == q ^ spread(*t as u64) & DELTA);
        }
    }

    /// Over a million transfers, in batches that live on each other.
    #[test]
    fn transfers_are_correlated() {
        let (mut sender, mut receiver) = parties(1);
        let mut seen = vec![];
        for _ in 0..3 {
            let (message, q) = answer(&mut sender);
            assert_eq!(message.len(), ANSWER_BYTES);
            let t = complete(&mut receiver, &message).unwrap();
            check_correlation(&q, &t);
            seen.extend_from_slice(&q);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 3 * BATCH, "transfers repeat");
    }

    #[test]
    fn choices_look_random() {
        let (mut sender, mut receiver) = parties(2);
        let t = complete(&mut receiver, &answer(&mut sender).0).unwrap();
        let bits: Vec<u64> = t.iter().map(|t| *t as u64 & 1).collect();
        // Ones, and changes at distances of a bit, a tree of four, a word and a block of noise.
        let deviations = |ones: usize, of: usize| (ones as f64 - of as f64 / 2.0).abs() / (of as f64 / 4.0).sqrt();
        assert!(deviations(bits.iter().sum::<u64>() as usize, BATCH) < 5.0);
        for distance in [1, 4, 64, 1024, 4096] {
            let changes = bits.iter().zip(&bits[distance..]).filter(|(a, b)| a != b).count();
            assert!(deviations(changes, BATCH - distance) < 5.0, "{changes} changes at {distance}");
        }
        // Each bit of the blocks themselves.
        for bit in 1..128 {
            let ones = t.iter().filter(|t| **t >> bit & 1 == 1).count();
            assert!(deviations(ones, BATCH) < 5.0, "{ones} ones in bit {bit}");
        }
    }

    /// Every session starts from transfers of its own; nothing of one comes again in another.
    #[test]
    fn sessions_differ() {
        let ((mut one, _), (mut other, _)) = (parties(3), parties(6));
        let ((one_answer, one_q), (other_answer, other_q)) = (answer(&mut one), answer(&mut other));
        let blocks = |bytes: &[u8]| bytes.as_chunks::<16>().0.to_vec();
        assert!(blocks(&one_answer).iter().zip(blocks(&other_answer)).all(|(one, other)| *one != other));
        assert!(one_q.iter().zip(&*other_q).all(|(one, other)| one != other));
    }

    #[test]
    fn answers_of_wrong_length_are_refused() {
        let (mut sender, mut receiver) = parties(4);
        let (mut message, q) = answer(&mut sender);
        for length in [0, 1, ANSWER_BYTES - 1] {
            let result = complete(&mut receiver, &message[..length]);
            assert!(matches!(result, Err(PeerError::WrongLength { expected: ANSWER_BYTES, found }) if found == length));
        }
        message.push(0);
        assert!(matches!(complete(&mut receiver, &message), Err(PeerError::WrongLength { .. })));
        // A refused answer costs nothing: the true one still fits.
        check_correlation(&q, &complete(&mut receiver, &message[..ANSWER_BYTES]).unwrap());
    }

    /// Any content is taken: what the sender makes wrong is wrong for itself.
    #[test]
    fn answers_of_any_content_are_taken() {
        let (_, mut receiver) = parties(5);
        for byte in [0, 0xff] {
            assert_eq!(complete(&mut receiver, &[byte; ANSWER_BYTES]).unwrap().len(), BATCH);
        }
    }
}
