//! Messages of a round: what is put in one order at one party is taken in the same order at the other.

use ptc_correlation::Packed;
use ptc_ring::blocks::{map_blocks, pack_blocks};
use ptc_ring::pack::{pack, packed_len, unpack_from};
use ptc_ring::tensor::Share;

/// A message being written.
#[derive(Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
}

impl Outgoing {
    /// Ring elements, `bits` each.
    pub fn ring(mut self, bits: u32, data: &[u64]) -> Outgoing {
        pack(data, bits, &mut self.bytes);
        self
    }

    /// `x - a` in the ring of `a`: what may be opened once.
    pub fn masked(mut self, x: &Share, a: &Packed) -> Outgoing {
        assert_eq!(x.len(), a.len(), "one mask for each element");
        assert!(x.bits >= a.bits(), "{} bits cannot be read in a ring of {}", x.bits, a.bits());
        pack_blocks::<0>(a.bits(), x.len(), &mut self.bytes, |first, block, _| {
            a.read(first, block);
            // Packing drops the high bits.
            block.iter_mut().zip(&x.data[first..]).for_each(|(a, x)| *a = x.wrapping_sub(*a));
        });
        self
    }

    /// Elements that `fill(first, block)` yields from `first` on.
    pub fn filled(mut self, bits: u32, count: usize, fill: impl Fn(usize, &mut [u64]) + Sync) -> Outgoing {
        pack_blocks::<0>(bits, count, &mut self.bytes, |first, block, _| fill(first, block));
        self
    }

    /// Whole words: bit planes.
    pub fn words(mut self, words: &[u64]) -> Outgoing {
        self.bytes.reserve(8 * words.len());
        self.bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Bytes of a message of ring elements, `bits` each.
pub fn ring_len(count: usize, bits: u32) -> usize {
    packed_len(count, bits) as usize
}

/// A message being read. Its length was checked when it came, so what was asked for is there.
pub struct Incoming<'a> {
    rest: &'a [u8],
}

impl<'a> Incoming<'a> {
    pub fn new(bytes: &'a [u8]) -> Incoming<'a> {
        Incoming { rest: bytes }
    }

    pub fn ring(&mut self, bits: u32, count: usize) -> Received<'a> {
        Received { bytes: self.take(ring_len(count, bits)), bits, count }
    }

    pub fn words(&mut self, count: usize) -> Vec<u64> {
        self.take(8 * count).as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

/// Ring elements in a message.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    bytes: &'a [u8],
    bits: u32,
    count: usize,
}

impl Received<'_> {
    /// The elements from `first` on, which is a multiple of 8.
    pub fn read(&self, first: usize, out: &mut [u64]) {
        unpack_from(self.bytes, self.bits, first, out);
    }

    pub fn unpack(&self) -> Vec<u64> {
        map_blocks::<0>(self.count, |first, block, _| self.read(first, block))
    }

    /// `x` opened behind the mask `a`: what came, and `x - a` of this party. Not reduced. `a` is read on the way.
    pub fn opened(&self, x: &Share, a: &Packed, first: usize, opened: &mut [u64], mask: &mut [u64]) {
        self.read(first, opened);
        a.read(first, mask);
        for ((opened, a), x) in opened.iter_mut().zip(mask).zip(&x.data[first..]) {
            *opened = opened.wrapping_add(*x).wrapping_sub(*a);
        }
    }
}

/// `x ^ mask`: what may be opened once.
pub fn hide_bits(x: &[u64], hidden_by: &[u64]) -> Vec<u64> {
    assert_eq!(x.len(), hidden_by.len(), "one mask for each word");
    x.iter().zip(hidden_by).map(|(x, a)| x ^ a).collect()
}

/// `own ^ other`, in place.
pub fn xor_assign(own: &mut [u64], other: &[u64]) {
    assert_eq!(own.len(), other.len(), "words of both parties");
    own.iter_mut().zip(other).for_each(|(own, other)| *own ^= other);
}
