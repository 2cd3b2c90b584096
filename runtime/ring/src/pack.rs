//! The wire form of ring data: `bits` bits an element, little endian, no gaps.

use crate::tensor::mask;

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
    // Words are stored whole where they start, so the last ones need room behind the end.
    out.resize(start + length + SLACK, 0);
    let target = &mut out[start..];
    match bits {
        64 => store_whole::<8>(data, target),
        32 => store_whole::<4>(data, target),
        16 => store_whole::<2>(data, target),
        8 => store_whole::<1>(data, target),
        _ if bits.is_multiple_of(8) => store_bytes(data, bits, target),
        ..58 => store_narrow(data, bits, target),
        _ => store_wide(data, bits, target),
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
    let mut data = Vec::with_capacity(count);
    match bits {
        64 => load_whole::<8>(bytes, &mut data),
        32 => load_whole::<4>(bytes, &mut data),
        16 => load_whole::<2>(bytes, &mut data),
        8 => load_whole::<1>(bytes, &mut data),
        _ => load_any(bytes, bits, count, &mut data),
    }
    Ok(data)
}

const SLACK: usize = 16;

fn store_whole<const BYTES: usize>(data: &[u64], out: &mut [u8]) {
    for (target, value) in out.as_chunks_mut::<BYTES>().0.iter_mut().zip(data) {
        target.copy_from_slice(&value.to_le_bytes()[..BYTES]);
    }
}

fn store_bytes(data: &[u64], bits: u32, out: &mut [u8]) {
    let (low, step) = (mask(bits), bits as usize / 8);
    for (at, value) in data.iter().enumerate() {
        out[at * step..][..8].copy_from_slice(&(value & low).to_le_bytes());
    }
}

/// Up to 57 bits, an element and the up to seven bits before it in its first byte fit one word.
fn store_narrow(data: &[u64], bits: u32, out: &mut [u8]) {
    let low = mask(bits);
    let (mut at, mut filled, mut word) = (0usize, 0u32, 0u64);
    for value in data {
        word |= (value & low) << filled;
        out[at..][..8].copy_from_slice(&word.to_le_bytes());
        filled += bits;
        at += (filled / 8) as usize;
        // `filled / 8` is below 8: at most 7 + 57 bits, and 64 of them only when the word is used up.
        word = word.checked_shr(filled & !7).unwrap_or(0);
        filled %= 8;
    }
}

fn store_wide(data: &[u64], bits: u32, out: &mut [u8]) {
    let low = mask(bits);
    let (mut at, mut filled, mut word) = (0usize, 0u32, 0u128);
    for value in data {
        word |= ((value & low) as u128) << filled;
        out[at..][..16].copy_from_slice(&word.to_le_bytes());
        filled += bits;
        at += (filled / 8) as usize;
        word >>= filled & !7;
        filled %= 8;
    }
}

fn load_whole<const BYTES: usize>(bytes: &[u8], data: &mut Vec<u64>) {
    data.extend(bytes.as_chunks::<BYTES>().0.iter().map(|chunk| {
        let mut word = [0; 8];
        word[..BYTES].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    }));
}

/// Elements whose words lie wholly inside `bytes` are read in place, the last few from a padded copy.
fn load_any(bytes: &[u8], bits: u32, count: usize, data: &mut Vec<u64>) {
    let inside = match bytes.len().checked_sub(SLACK) {
        Some(room) => count.min(room * 8 / bits as usize),
        None => 0,
    };
    load_range(bytes, bits, 0, inside, data);
    let tail_start = inside * bits as usize / 8;
    let mut tail = bytes[tail_start..].to_vec();
    tail.resize(tail.len() + SLACK, 0);
    load_range(&tail, bits, inside * bits as usize % 8, count - inside, data);
}

fn load_range(bytes: &[u8], bits: u32, first_bit: usize, count: usize, data: &mut Vec<u64>) {
    let (low, step) = (mask(bits), bits as usize);
    if bits <= 57 {
        data.extend((0..count).map(|at| {
            let bit = first_bit + at * step;
            let word: [u8; 8] = bytes[bit / 8..][..8].try_into().expect("eight bytes");
            u64::from_le_bytes(word) >> (bit % 8) & low
        }));
    } else {
        data.extend((0..count).map(|at| {
            let bit = first_bit + at * step;
            let word: [u8; 16] = bytes[bit / 8..][..16].try_into().expect("sixteen bytes");
            (u128::from_le_bytes(word) >> (bit % 8)) as u64 & low
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
                prop_assert_eq!(unpack(&out[before..], bits, data.len()).unwrap(), reduced, "{} bits", bits);
                prop_assert_eq!(&out[..before], &vec![7; before]);
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
