//! Correlated transfers from base transfers: IKNP and its form over a larger field.
//!
//! Input: one stream for each of `2^bits` keys in each of `128 / bits` groups; the receiver has all, the sender in group `j`
//! all but the one whose number is digit `j` of its `delta`. Output: for each transfer `q` at the sender and
//! `t = q ^ c·delta` at the receiver, whose random choice `c` is the lowest bit of `t`; that of `q` is zero, that of `delta`
//! one. Security: semi-honest, for AES as a pseudorandom generator. Reveals: nothing; the corrections are sums of the
//! streams that the sender lacks, one in each group. Price: `128 / bits - 1` bits a transfer from the receiver.
//!
//! With `r[x]` the streams of a group and `x` as a field element, `u = sum r[x]` and `v = sum x·r[x]` are the receiver's;
//! the sender has `w = sum (x ^ delta_j)·r[x] = delta_j·u ^ v`, because the stream that it lacks counts zero (Roy,
//! "SoftSpokenOT", CRYPTO 2022, section 3; only the semi-honest part is needed here). The choices are the first group's
//! `u`; for the others the receiver sends by which bits theirs differs. With `bits = 1` this is the extension of Ishai,
//! Kilian, Nissim, Petrank (CRYPTO 2003) with random choices (Asharov, Lindell, Schneider, Zohner, CCS 2013). Each bit
//! more makes the message shorter and the streams more: `2^bits / bits` for each of a transfer's 128 bits.

use ptc_net::PeerError;
use rayon::prelude::*;

use crate::block::{BLOCK_BYTES, Block, Blocks, spread, wipe};
use crate::streams::{CHUNK, Part, Streams};
use crate::transpose::{SIDE, transpose};

/// Transfers of a chunk.
const TRANSFERS: usize = CHUNK * SIDE;

/// Bytes of a request for `count` transfers.
pub fn request_bytes(bits: u32, count: usize) -> usize {
    count.div_ceil(SIDE) * row_blocks(bits) * BLOCK_BYTES
}

/// Corrections of a block of each row: all groups but the first.
fn row_blocks(bits: u32) -> usize {
    SIDE / bits as usize - 1
}

pub struct Sender {
    bits: u32,
    delta: Block,
    streams: Streams,
    /// Blocks of each stream that have been used.
    used: u64,
}

impl Sender {
    /// From the keys of all groups. In group `j` key `y` is that of number `y ^ delta_j`; key 0 is of no use.
    pub(crate) fn new(bits: u32, delta: Block, keys: &[Block]) -> Sender {
        check_keys(bits, keys);
        assert!(delta & 1 == 1, "the lowest bit of delta tells the choices apart");
        Sender { bits, delta, streams: Streams::new(keys), used: 0 }
    }

    pub fn delta(&self) -> Block {
        self.delta
    }

    /// The sender's side of the `count` transfers that `request` asks for.
    pub fn answer(&mut self, count: usize, request: &[u8]) -> Result<Blocks, PeerError> {
        let expected = request_bytes(self.bits, count);
        if request.len() != expected {
            return Err(PeerError::WrongLength { expected, found: request.len() });
        }
        let first = self.used;
        self.used += count.div_ceil(SIDE) as u64;
        let mut q = Blocks::zeros(count);
        let requests = request.par_chunks((CHUNK * row_blocks(self.bits) * BLOCK_BYTES).max(1));
        q.par_chunks_mut(TRANSFERS).zip(requests).enumerate().for_each(|(at, (q, request))| {
            self.chunk(first + (at * CHUNK) as u64, request, q);
        });
        Ok(q)
    }

    fn chunk(&self, counter: u64, request: &[u8], q: &mut [Block]) {
        let bits = self.bits as usize;
        let mut rows = [[0; CHUNK]; SIDE];
        let mut all = [0; CHUNK];
        for (group, rows) in rows.chunks_mut(bits).enumerate() {
            self.streams.sums(group, 1, counter, rows, &mut all);
        }
        let width = q.len().div_ceil(SIDE);
        let (corrections, _) = request.as_chunks::<BLOCK_BYTES>();
        for (group, correction) in corrections.chunks(width).enumerate() {
            for bit in bits * (group + 1)..bits * (group + 2) {
                let choice = spread((self.delta >> bit) as u64);
                rows[bit].iter_mut().zip(correction).for_each(|(row, c)| *row ^= Block::from_le_bytes(*c) & choice);
            }
        }
        rows[0] = [0; CHUNK];
        columns(&rows, q);
        wipe(rows.as_flattened_mut());
        wipe(&mut all);
    }
}

pub struct Receiver {
    bits: u32,
    streams: Streams,
    used: u64,
}

impl Receiver {
    /// From the keys of all groups.
    pub(crate) fn new(bits: u32, keys: &[Block]) -> Receiver {
        check_keys(bits, keys);
        Receiver { bits, streams: Streams::new(keys), used: 0 }
    }

    /// A request for `count` transfers, and the receiver's side of them.
    pub fn request(&mut self, count: usize) -> (Vec<u8>, Blocks) {
        let first = self.used;
        self.used += count.div_ceil(SIDE) as u64;
        let mut t = Blocks::zeros(count);
        let mut request = vec![0; request_bytes(self.bits, count)];
        let requests = request.par_chunks_mut((CHUNK * row_blocks(self.bits) * BLOCK_BYTES).max(1));
        t.par_chunks_mut(TRANSFERS).zip(requests).enumerate().for_each(|(at, (t, request))| {
            self.chunk(first + (at * CHUNK) as u64, request, t);
        });
        (request, t)
    }

    fn chunk(&self, counter: u64, request: &mut [u8], t: &mut [Block]) {
        let bits = self.bits as usize;
        let mut rows = [[0; CHUNK]; SIDE];
        let [mut choices, mut sum] = [[0; CHUNK]; 2];
        let width = t.len().div_ceil(SIDE);
        self.streams.sums(0, 0, counter, &mut rows[..bits], &mut choices);
        let corrections = request.as_chunks_mut::<BLOCK_BYTES>().0.chunks_mut(width);
        for ((group, rows), correction) in rows.chunks_mut(bits).enumerate().skip(1).zip(corrections) {
            self.streams.sums(group, 0, counter, rows, &mut sum);
            let differences = sum.iter().zip(&choices).map(|(sum, choice)| sum ^ choice);
            correction.iter_mut().zip(differences).for_each(|(out, difference)| *out = difference.to_le_bytes());
        }
        rows[0] = choices;
        columns(&rows, t);
        wipe(rows.as_flattened_mut());
        wipe(&mut choices);
        wipe(&mut sum);
    }
}

/// Transposes rows to as many transfers as `out` holds.
fn columns(rows: &[Part; SIDE], out: &mut [Block]) {
    if out.len() == TRANSFERS {
        return transpose(rows.as_flattened(), out);
    }
    let mut whole = Blocks::zeros(TRANSFERS);
    transpose(rows.as_flattened(), &mut whole);
    out.copy_from_slice(&whole[..out.len()]);
}

fn check_keys(bits: u32, keys: &[Block]) {
    assert!(matches!(bits, 1 | 2 | 4 | 8), "a field of 2^{bits}");
    assert_eq!(keys.len(), (SIDE / bits as usize) << bits, "keys for a field of 2^{bits}");
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ptc_ring::Seed;

    /// Both ends, from keys as the set-up would leave them.
    pub(crate) fn pair(bits: u32, seed: u8) -> (Sender, Receiver) {
        let count = (SIDE / bits as usize) << bits;
        let words = Seed::from_bytes([seed; 32]).stream(bits.into(), 0).words(2 * count + 2);
        let mut keys: Vec<Block> =
            words.as_chunks::<2>().0.iter().map(|[a, b]| Block::from(*a) << 64 | Block::from(*b)).collect();
        let delta = keys.pop().unwrap() | 1;
        let receiver = Receiver::new(bits, &keys);
        let mut shifted = vec![0; count];
        for (at, key) in shifted.iter_mut().enumerate() {
            let (group, y) = (at >> bits, at & ((1 << bits) - 1));
            let digit = (delta >> (group as u32 * bits)) as usize & ((1 << bits) - 1);
            // The one that it lacks is anything.
            *key = if y == 0 { 5 } else { keys[group << bits | y ^ digit] };
        }
        (Sender::new(bits, delta, &shifted), receiver)
    }

    fn check(bits: u32, counts: &[usize]) {
        let (mut sender, mut receiver) = pair(bits, 3);
        let mut seen = std::collections::HashSet::new();
        let (mut ones, mut total) = (0, 0);
        for &count in counts {
            let (request, t) = receiver.request(count);
            assert_eq!(request.len(), request_bytes(bits, count));
            let q = sender.answer(count, &request).unwrap();
            assert_eq!((q.len(), t.len()), (count, count));
            for (q, t) in q.iter().zip(t.iter()) {
                assert!(
                    q & 1 == 0 && *t == q ^ spread(*t as u64) & sender.delta,
                    "field of 2^{bits}, {count} transfers"
                );
            }
            ones += t.iter().filter(|t| *t & 1 == 1).count();
            total += count;
            seen.extend(q.iter().copied());
        }
        assert_eq!(seen.len(), total, "no transfer comes twice");
        // Seven standard deviations of a fair coin.
        assert!(((2 * ones).abs_diff(total) as f64) < 7.0 * (total as f64).sqrt(), "{ones} ones of {total}");
    }

    #[test]
    fn transfers_are_correlated() {
        for bits in [1, 2, 4, 8] {
            check(bits, &[1, 127, 128, 129, TRANSFERS - 1, TRANSFERS, TRANSFERS + 1, 5 * TRANSFERS + 300, 0, 7]);
        }
        check(1, &[1 << 20]);
        check(4, &[1 << 20]);
    }

    #[test]
    fn requests_have_these_bytes() {
        let each = [(1, 127 * 16), (2, 63 * 16), (4, 31 * 16), (8, 15 * 16)];
        for (bits, bytes) in each {
            assert_eq!(request_bytes(bits, 1), bytes);
            assert_eq!(request_bytes(bits, 128), bytes);
            assert_eq!(request_bytes(bits, 1 << 20), bytes << 13);
        }
    }

    #[test]
    fn a_request_of_another_length_is_refused() {
        let (mut sender, mut receiver) = pair(4, 1);
        let (mut request, _) = receiver.request(300);
        for len in [0, 1, request.len() - 1, request.len() + BLOCK_BYTES] {
            request.resize(len, 0);
            assert!(matches!(sender.answer(300, &request), Err(PeerError::WrongLength { .. })));
        }
    }
}
