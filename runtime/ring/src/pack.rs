//! The wire form of ring data: `bits` bits an element, little endian, no gaps.

use crate::groups::{SPILL, WINDOW, load, store};

/// The bytes that came do not hold what they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} bytes for {count} elements of {bits} bits, found {found}")]
pub struct LengthError {
    pub expected: u64,
    pub found: usize,
    pub count: usize,
    pub bits: u32,
}

/// Bytes of `count` elements of `bits` bits.
pub fn packed_len(count: usize, bits: u32) -> u64 {
    (count as u64 * bits as u64).div_ceil(8)
}

/// Appends `data`, reduced to `bits` bits each.
pub fn pack(data: &[u64], bits: u32, out: &mut Vec<u8>) {
    assert!((1..=64).contains(&bits), "a ring of {bits} bits");
    let start = out.len();
    let length = packed_len(data.len(), bits) as usize;
    // Groups are stored whole, so the last ones need room behind the end.
    out.resize(start + length + 8 * 8 + SPILL, 0);
    let target = &mut out[start..];
    let (groups, rest) = data.as_chunks::<8>();
    store(bits, groups, target);
    if !rest.is_empty() {
        let mut group = [0; 8];
        group[..rest.len()].copy_from_slice(rest);
        store(bits, &[group], &mut target[groups.len() * bits as usize..]);
    }
    out.truncate(start + length);
}

/// The `count` elements in `bytes`, which must have exactly their length.
pub fn unpack(bytes: &[u8], bits: u32, count: usize) -> Result<Vec<u64>, LengthError> {
    assert!((1..=64).contains(&bits), "a ring of {bits} bits");
    let expected = packed_len(count, bits);
    if expected != bytes.len() as u64 {
        return Err(LengthError { expected, found: bytes.len(), count, bits });
    }
    let mut data = vec![0; count];
    unpack_from(bytes, bits, 0, &mut data);
    Ok(data)
}

/// The elements of `bytes` from element `first` on, which is a multiple of 8. Panics when there are less than `out` takes.
pub fn unpack_from(bytes: &[u8], bits: u32, first: usize, out: &mut [u64]) {
    assert!((1..=64).contains(&bits) && first.is_multiple_of(8), "element {first} in a ring of {bits} bits");
    let bytes = &bytes[first / 8 * bits as usize..];
    assert!(packed_len(out.len(), bits) <= bytes.len() as u64, "bytes of {} elements of {bits} bits", out.len());
    let (groups, rest) = out.as_chunks_mut::<8>();
    // Groups whose window lies wholly inside `bytes` are read in place, the last few from a padded copy.
    let inside = match bytes.len().checked_sub(WINDOW) {
        Some(room) => groups.len().min(room / bits as usize + 1),
        None => 0,
    };
    let (whole, last) = groups.split_at_mut(inside);
    load(bits, bytes, whole);
    let mut tail = [0; 3 * WINDOW];
    let left = &bytes[inside * bits as usize..];
    let left = &left[..left.len().min(2 * WINDOW)];
    tail[..left.len()].copy_from_slice(left);
    load(bits, &tail, last);
    if !rest.is_empty() {
        let mut group = [[0; 8]];
        load(bits, &tail[last.len() * bits as usize..], &mut group);
        rest.copy_from_slice(&group[0][..rest.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::mask;
    use proptest::prelude::*;

    fn bit_of(bytes: &[u8], bit: usize) -> u64 {
        (bytes[bit / 8] >> (bit % 8) & 1) as u64
    }

    proptest! {
        #[test]
        fn every_width_comes_back(data in proptest::collection::vec(any::<u64>(), 0..200), before in 0usize..3) {
            for bits in 1..=64 {
                let mut out = vec![7; before];
                pack(&data, bits, &mut out);
                prop_assert_eq!(out.len() as u64, before as u64 + packed_len(data.len(), bits));
                let reduced: Vec<u64> = data.iter().map(|x| x & mask(bits)).collect();
                prop_assert_eq!(&unpack(&out[before..], bits, data.len()).unwrap(), &reduced, "{} bits", bits);
                prop_assert_eq!(&out[..before], &vec![7; before]);
                let first = data.len() / 2 / 8 * 8;
                let mut later = vec![0; (data.len() - first) / 2];
                unpack_from(&out[before..], bits, first, &mut later);
                prop_assert_eq!(&later, &reduced[first..][..later.len()]);
            }
        }

        #[test]
        fn bits_lie_in_order(data in proptest::collection::vec(any::<u64>(), 1..20), bits in 1u32..=64) {
            let mut out = vec![];
            pack(&data, bits, &mut out);
            for (at, value) in data.iter().enumerate() {
                for bit in 0..bits as usize {
                    prop_assert_eq!(bit_of(&out, at * bits as usize + bit), value >> bit & 1);
                }
            }
            for bit in data.len() * bits as usize..out.len() * 8 {
                prop_assert_eq!(bit_of(&out, bit), 0);
            }
        }
    }

    #[test]
    fn wrong_lengths_are_named() {
        let error = unpack(&[0; 11], 33, 3).unwrap_err();
        assert_eq!(error.to_string(), "expected 13 bytes for 3 elements of 33 bits, found 11");
        assert!(unpack(&[0; 14], 33, 3).is_err());
        assert!(unpack(&[0; 1], 33, 0).is_err());
        assert!(unpack(&[], 33, 0).unwrap().is_empty());
        assert!(unpack(&[0; 8], 64, usize::MAX / 8).is_err());
    }
}
