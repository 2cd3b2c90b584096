//! Correlated transfers from few: silent extension.
//!
//! Input: `RESERVE` correlated transfers under one `delta`, once; each batch puts back what it took. Output of a batch:
//! `BATCH` correlated transfers with random choices: the sender has `q`, the receiver `c` and `t = q ^ c·delta`; the lowest
//! bit of `q` is zero, so that of `t` is `c`, as `delta`'s is one. Security: semi-honest, if learning parity with noise is
//! hard for the parameters and the code of this room and the fixed-key cipher is an ideal one. Reveals: nothing; the one
//! message is masked by the transfers that are consumed. Price: `ANSWER_BYTES` from sender to receiver a batch, no answer.
//!
//! With the transfers of the reserve as a vector `s` (the receiver holds it with its bits inside, the sender without) and
//! trees that share a vector of noise with one error in each block, `s` times the public matrix plus the noise is a
//! vector of correlated transfers whose choices are samples of that problem (Yang, Weng, Lan, Zhang, Wang, "Ferret",
//! CCS 2020, figures 7 and 8). The places of the errors are the receiver's random choices of consumed transfers, which is
//! why it sends nothing.

mod code;
pub mod parameters;
mod trees;

use ptc_net::PeerError;
use ptc_ring::Seed;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::block::{BLOCK_BYTES, Block, Blocks};
use parameters::{ANSWER_BYTES, BATCH, DEPTH, NOISY, RESERVE, SECRET, TREES};
use trees::{GROUP, Row, SIDE, Sums};

/// Blocks of the message about four trees.
const GROUP_KEYS: usize = SIDE * DEPTH;

/// Streams of the sender's seed.
const ROOTS: u64 = 0;
const TWEAKS: u64 = 1;

pub struct Sender {
    delta: Block,
    reserve: Blocks,
    seed: Seed,
    batches: u64,
}

impl Sender {
    /// From `RESERVE` correlated transfers under an odd `delta`.
    pub fn new(delta: Block, mut q: Blocks) -> Result<Sender, PeerError> {
        assert!(delta & 1 == 1, "the lowest bit of delta tells the choices apart");
        assert_eq!(q.len(), RESERVE, "transfers to start from");
        q.iter_mut().for_each(|q| *q &= !1);
        Ok(Sender { delta, reserve: q, seed: Seed::fresh().map_err(PeerError::Io)?, batches: 0 })
    }

    /// The message that makes the next batch at the receiver, and the batch.
    pub fn answer(&mut self) -> (Vec<u8>, Blocks) {
        let roots = draw(&self.seed, ROOTS, self.batches, TREES.next_multiple_of(SIDE));
        let tweak = draw(&self.seed, TWEAKS, self.batches, 1)[0];
        self.batches += 1;
        let (secret, choices) = split(&self.reserve);
        let mut samples = Blocks::zeros(NOISY);
        let mut message = vec![0; ANSWER_BYTES];
        let (head, keys) = message.split_at_mut(BLOCK_BYTES);
        head.copy_from_slice(&tweak.to_le_bytes());
        let (roots, _) = roots.as_chunks::<SIDE>();
        samples
            .par_chunks_mut(GROUP)
            .zip(keys.par_chunks_mut(GROUP_KEYS * BLOCK_BYTES))
            .zip(choices.par_chunks(GROUP_KEYS))
            .zip(roots)
            .enumerate()
            .for_each(|(group, (((samples, keys), masks), roots))| {
                let grow = |leaves: &mut [Block; GROUP]| Zeroizing::new(trees::grow(*roots, self.delta, tweak, leaves));
                let sums = in_group(samples, grow);
                hide(&sums, masks, keys);
                code::encode(samples, group * GROUP, secret);
            });
        (message, take_reserve(samples, &mut self.reserve))
    }
}

pub struct Receiver {
    reserve: Blocks,
}

impl Receiver {
    /// From `RESERVE` correlated transfers and their choices, packed.
    pub fn new(mut t: Blocks, choices: &[u64]) -> Receiver {
        assert_eq!(t.len(), RESERVE, "transfers to start from");
        assert_eq!(choices.len(), RESERVE.div_ceil(64), "words of choices");
        for (at, t) in t.iter_mut().enumerate() {
            *t = *t & !1 | Block::from(crate::block::bit(choices, at));
        }
        Receiver { reserve: t }
    }

    /// The next batch. The lowest bits are the choices.
    pub fn complete(&mut self, answer: &[u8]) -> Result<Blocks, PeerError> {
        if answer.len() != ANSWER_BYTES {
            return Err(PeerError::WrongLength { expected: ANSWER_BYTES, found: answer.len() });
        }
        let (tweak, keys) = answer.split_at(BLOCK_BYTES);
        let tweak = block(tweak);
        let (secret, choices) = split(&self.reserve);
        let mut samples = Blocks::zeros(NOISY);
        samples
            .par_chunks_mut(GROUP)
            .zip(keys.par_chunks(GROUP_KEYS * BLOCK_BYTES))
            .zip(choices.par_chunks(GROUP_KEYS))
            .enumerate()
            .for_each(|(group, ((samples, keys), masks))| {
                let (sums, choices) = reveal(keys, masks);
                in_group(samples, |leaves| trees::regrow(&sums, *choices, tweak, leaves));
                code::encode(samples, group * GROUP, secret);
            });
        Ok(take_reserve(samples, &mut self.reserve))
    }
}

/// The choices of a batch, packed.
pub fn choices(t: &[Block]) -> Vec<u64> {
    t.chunks(64).map(|t| t.iter().rev().fold(0, |word, t| word << 1 | (*t as u64 & 1))).collect()
}

fn draw(seed: &Seed, domain: u64, index: u64, count: usize) -> Blocks {
    let words = Zeroizing::new(seed.stream(domain, index).words(2 * count));
    Blocks::new(words.as_chunks::<2>().0.iter().map(|[low, high]| Block::from(*low) | Block::from(*high) << 64).collect())
}

/// The secret of the code, and the transfers of the trees.
fn split(reserve: &[Block]) -> (&[Block; SECRET], &[Block]) {
    reserve.split_first_chunk().expect("a reserve is longer than the secret")
}

/// Keeps the end of the samples for the next batch. The rest is the batch.
fn take_reserve(mut samples: Blocks, reserve: &mut Blocks) -> Blocks {
    reserve.copy_from_slice(&samples[BATCH..]);
    samples.truncate(BATCH);
    samples
}

/// Fills the samples of four trees, or of the trees that are left, in the order of their leaves.
fn in_group<T>(samples: &mut [Block], fill: impl FnOnce(&mut [Block; GROUP]) -> T) -> T {
    if let Ok(whole) = samples.try_into() {
        return fill(whole);
    }
    let mut whole = Blocks::zeros(GROUP);
    let result = fill(whole.first_chunk_mut().expect("the blocks of a group"));
    let trees = samples.len() * SIDE / GROUP;
    for (samples, row) in samples.chunks_mut(trees).zip(whole.as_chunks::<SIDE>().0) {
        samples.copy_from_slice(&row[..trees]);
    }
    result
}

/// The message about some trees: tree by tree, level by level, under the masks that the receiver can take off one side.
fn hide(sums: &Sums, masks: &[Block], keys: &mut [u8]) {
    for (at, (mask, key)) in masks.iter().zip(keys.chunks_mut(BLOCK_BYTES)).enumerate() {
        key.copy_from_slice(&(sums[at % DEPTH][at / DEPTH] ^ mask).to_le_bytes());
    }
}

/// The sums on the sides that were chosen, and the choices, from the lowest level up.
fn reveal(keys: &[u8], masks: &[Block]) -> (Zeroizing<Sums>, Zeroizing<[u64; SIDE]>) {
    let mut sums = Zeroizing::new([Row::default(); DEPTH]);
    let mut choices = Zeroizing::new([0; SIDE]);
    for (at, (mask, key)) in masks.iter().zip(keys.chunks(BLOCK_BYTES)).enumerate() {
        let (tree, level) = (at / DEPTH, at % DEPTH);
        sums[level][tree] = block(key) ^ mask;
        choices[tree] |= (*mask as u64 & 1) << level;
    }
    (sums, choices)
}

fn block(bytes: &[u8]) -> Block {
    Block::from_le_bytes(bytes.try_into().expect("16 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELTA: Block = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3211;

    /// Both parties at the start, as base transfers leave them.
    fn parties(seed: u8) -> (Sender, Receiver) {
        let seed = Seed::from_bytes([seed; 32]);
        let q = draw(&seed, 0, 0, RESERVE);
        let choices = seed.stream(1, 0).words(RESERVE.div_ceil(64));
        let t = q.iter().enumerate().map(|(at, q)| q ^ crate::block::spread(crate::block::bit(&choices, at)) & DELTA);
        let t = Blocks::new(t.collect());
        (Sender::new(DELTA, q).unwrap(), Receiver::new(t, &choices))
    }

    fn check_correlation(q: &[Block], t: &[Block]) {
        assert_eq!((q.len(), t.len()), (BATCH, BATCH));
        for (q, t) in q.iter().zip(t) {
            assert!(q & 1 == 0 && *t == q ^ crate::block::spread(*t as u64) & DELTA);
        }
    }

    /// Over a million transfers, in batches that live on each other.
    #[test]
    fn transfers_are_correlated() {
        let (mut sender, mut receiver) = parties(1);
        let mut seen = vec![];
        for _ in 0..3 {
            let (answer, q) = sender.answer();
            assert_eq!(answer.len(), ANSWER_BYTES);
            let t = receiver.complete(&answer).unwrap();
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
        let t = receiver.complete(&sender.answer().0).unwrap();
        let choices = choices(&t);
        assert_eq!(choices.len(), BATCH.div_ceil(64));
        let bits: Vec<u64> = (0..BATCH).map(|at| crate::block::bit(&choices, at)).collect();
        assert!(bits.iter().zip(&*t).all(|(bit, t)| *bit == *t as u64 & 1));
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

    /// Two senders that start from the same transfers have different seeds.
    #[test]
    fn sessions_differ() {
        let ((mut one, _), (mut other, _)) = (parties(3), parties(3));
        let ((one_answer, one_q), (other_answer, other_q)) = (one.answer(), other.answer());
        assert!(one_answer != other_answer);
        assert!(one_q.iter().zip(&*other_q).all(|(one, other)| one != other));
    }

    #[test]
    fn answers_of_wrong_length_are_refused() {
        let (mut sender, mut receiver) = parties(4);
        let (mut answer, q) = sender.answer();
        for length in [0, 1, ANSWER_BYTES - 1] {
            let result = receiver.complete(&answer[..length]);
            assert!(matches!(result, Err(PeerError::WrongLength { expected: ANSWER_BYTES, found }) if found == length));
        }
        answer.push(0);
        assert!(matches!(receiver.complete(&answer), Err(PeerError::WrongLength { .. })));
        // A refused answer costs nothing: the true one still fits.
        check_correlation(&q, &receiver.complete(&answer[..ANSWER_BYTES]).unwrap());
    }

    /// Any content is taken: what the sender makes wrong is wrong for itself.
    #[test]
    fn answers_of_any_content_are_taken() {
        let (_, mut receiver) = parties(5);
        for byte in [0, 0xff] {
            assert_eq!(receiver.complete(&[byte; ANSWER_BYTES]).unwrap().len(), BATCH);
        }
    }
}
