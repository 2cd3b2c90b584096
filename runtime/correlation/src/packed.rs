//! Random ring elements and bit planes as they are kept between dealing and use: in their wire form, so that a pool costs
//! the memory of what was sent for it.

use ptc_ring::pack::{pack, packed_len, unpack, unpack_from};
use ptc_ring::tensor::{Share, mask};

/// `count` elements of `bits` bits, packed.
pub struct Packed {
    bits: u32,
    count: usize,
    bytes: Vec<u8>,
}

/// `planes` planes of `count` bits: `ceil(count / 64)` words each. Bits beyond `count` are arbitrary.
pub struct Planes {
    words: Vec<u64>,
    stride: usize,
}

impl Packed {
    /// Bits that fill up the last byte are ignored. Panics when `bytes` has not the length of its contents.
    pub fn from_bytes(bits: u32, count: usize, bytes: Vec<u8>) -> Packed {
        assert_eq!(bytes.len() as u64, packed_len(count, bits), "bytes of {count} elements of {bits} bits");
        Packed { bits, count, bytes }
    }

    pub fn from_data(bits: u32, data: &[u64]) -> Packed {
        let mut bytes = vec![];
        pack(data, bits, &mut bytes);
        Packed { bits, count: data.len(), bytes }
    }

    /// Neighbours become one. Each but the last has a multiple of 8 elements; all are of one ring.
    pub fn join(parts: Vec<Packed>) -> Packed {
        let count = parts.iter().map(Packed::len).sum();
        let bits = parts.first().map_or(1, Packed::bits);
        let mut joined = Packed { bits, count, bytes: Vec::with_capacity(packed_len(count, bits) as usize) };
        for part in parts {
            let at = joined.bytes.len() as u64 * 8;
            assert!(part.bits == bits && at.is_multiple_of(u64::from(bits)), "parts join at whole bytes");
            joined.bytes.extend_from_slice(&part.bytes);
        }
        joined
    }

    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The wire form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The elements from `first` on, which is a multiple of 8. Panics when there are less than `out` takes.
    pub fn read(&self, first: usize, out: &mut [u64]) {
        unpack_from(&self.bytes, self.bits, first, out);
    }

    /// All elements, once.
    pub fn unpack(self) -> Share {
        let data = unpack(&self.bytes, self.bits, self.count).expect("the length was checked when it came");
        Share { bits: self.bits, data }
    }

    /// One element of each group of `group`, from group `first` on: element `at[i]`, which is public, of group `first + i`.
    pub fn pick(&self, group: usize, first: usize, at: &[u64], out: &mut [u64]) {
        assert_eq!(at.len(), out.len(), "one position for each element");
        for (i, (at, out)) in at.iter().zip(out).enumerate() {
            debug_assert!((*at as usize) < group);
            *out = self.element((first + i) * group + *at as usize);
        }
    }

    #[inline]
    fn element(&self, at: usize) -> u64 {
        let bit = at * self.bits as usize;
        let bytes = &self.bytes[bit / 8..];
        let low = mask(self.bits);
        match bytes.first_chunk::<16>() {
            Some(word) => (u128::from_le_bytes(*word) >> (bit % 8)) as u64 & low,
            None => {
                let mut word = [0; 16];
                word[..bytes.len()].copy_from_slice(bytes);
                (u128::from_le_bytes(word) >> (bit % 8)) as u64 & low
            }
        }
    }
}

impl Planes {
    /// Panics when `words` does not hold `planes` planes of `count` bits.
    pub fn from_words(count: usize, planes: usize, words: Vec<u64>) -> Planes {
        let stride = count.div_ceil(64);
        assert_eq!(words.len(), stride * planes, "words of {planes} planes of {count} bits");
        Planes { words, stride }
    }

    /// Plane by plane, neighbours become one. Each but the last has a multiple of 64 bits a plane; all have as many planes.
    pub fn join(parts: Vec<Planes>) -> Planes {
        let stride = parts.iter().map(|part| part.stride).sum();
        let planes = parts.first().map_or(0, |part| part.words.len() / part.stride.max(1));
        let mut joined = Planes { words: Vec::with_capacity(stride * planes), stride };
        for plane in 0..planes {
            parts.iter().for_each(|part| joined.words.extend_from_slice(part.plane(plane)));
        }
        assert_eq!(joined.words.len(), parts.iter().map(|part| part.words.len()).sum::<usize>(), "planes of each part");
        joined
    }

    pub fn words(&self) -> &[u64] {
        &self.words
    }

    pub fn plane(&self, at: usize) -> &[u64] {
        &self.words[at * self.stride..][..self.stride]
    }

    /// Splits off the planes from `at` on.
    pub fn split_off(&mut self, at: usize) -> Planes {
        Planes { words: self.words.split_off(at * self.stride), stride: self.stride }
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        // `zeroize` stores one byte at a time, too slowly for pools of this size; the barrier keeps the plain fill.
        self.bytes.fill(0);
        std::hint::black_box(self.bytes.as_mut_ptr());
    }
}

impl Drop for Planes {
    fn drop(&mut self) {
        self.words.fill(0);
        std::hint::black_box(self.words.as_mut_ptr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_ring::Seed;

    #[test]
    fn parts_join() {
        for bits in [1, 7, 37, 64] {
            let data = Seed::from_bytes([2; 32]).stream(0, bits as u64).ring(bits, 205);
            let parts = [&data[..64], &data[64..192], &data[192..]].map(|part| Packed::from_data(bits, part));
            assert!(Packed::join(parts.into()).unpack().data == data, "{bits} bits");
        }
        // Three planes of 64, 128 and 13 bits.
        let words: Vec<u64> = (0..12).collect();
        let cut =
            |count: usize, words: &[usize]| Planes::from_words(count, 3, words.iter().map(|i| *i as u64).collect());
        let parts = vec![cut(64, &[0, 4, 8]), cut(128, &[1, 2, 5, 6, 9, 10]), cut(13, &[3, 7, 11])];
        assert!(Planes::join(parts).words() == words);
    }

    #[test]
    fn picked_elements_are_those_unpacked() {
        for bits in 1..=64 {
            let data = Seed::from_bytes([1; 32]).stream(0, bits as u64).ring(bits, 8 * 21);
            let at: Vec<u64> = (0..21).map(|i| i * 5 % 8).collect();
            let expected: Vec<u64> = at.iter().enumerate().map(|(i, &at)| data[8 * i + at as usize]).collect();
            let (packed, mut found) = (Packed::from_data(bits, &data), [0; 18]);
            packed.pick(8, 3, &at[3..], &mut found);
            assert!(found == expected[3..], "{bits} bits");
            assert!(Packed::from_data(bits, &data).unpack().data == data, "{bits} bits");
        }
    }
}
