//! Messages of a round: what is put in one order at one party is taken in the same order at the other.

use ptc_ring::pack::{pack, packed_len, unpack};
use ptc_ring::tensor::{Share, mask};

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

    pub fn ring(&mut self, bits: u32, count: usize) -> Vec<u64> {
        let bytes = self.take(ring_len(count, bits));
        unpack(bytes, bits, count).expect("exactly these bytes were taken")
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

/// `x - mask` in the mask's ring: what may be opened once.
pub fn hide(x: &Share, hidden_by: &Share) -> Vec<u64> {
    assert_eq!(x.len(), hidden_by.len(), "one mask for each element");
    assert!(x.bits >= hidden_by.bits, "{} bits cannot be read in a ring of {}", x.bits, hidden_by.bits);
    let low = mask(hidden_by.bits);
    x.data.iter().zip(&hidden_by.data).map(|(x, a)| x.wrapping_sub(*a) & low).collect()
}

/// The same for bits.
pub fn hide_bits(x: &[u64], hidden_by: &[u64]) -> Vec<u64> {
    assert_eq!(x.len(), hidden_by.len(), "one mask for each word");
    x.iter().zip(hidden_by).map(|(x, a)| x ^ a).collect()
}

/// `own ^ other`, in place.
pub fn xor_assign(own: &mut [u64], other: &[u64]) {
    assert_eq!(own.len(), other.len(), "words of both parties");
    own.iter_mut().zip(other).for_each(|(own, other)| *own ^= other);
}
