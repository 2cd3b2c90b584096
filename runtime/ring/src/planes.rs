//! Bit transposition: ring elements to planes of bits and back.
//!
//! Plane `i` holds bit `i` of each of the `n` elements in `ceil(n / 64)` words; planes follow each other.

/// `bits` planes of `data`.
pub fn to_planes(data: &[u64], bits: usize) -> Vec<u64> {
    assert!(bits <= 64, "{bits} planes of 64-bit elements");
    let words = data.len().div_ceil(64);
    let mut planes = vec![0; bits * words];
    let mut block = [0u64; 64];
    for (word, chunk) in data.chunks(64).enumerate() {
        block[..chunk.len()].copy_from_slice(chunk);
        block[chunk.len()..].fill(0);
        transpose(&mut block);
        for (plane, &value) in block[..bits].iter().enumerate() {
            planes[plane * words + word] = value;
        }
    }
    planes
}

/// The `count` elements whose bits are `planes`; bits above the last plane are zero.
pub fn from_planes(planes: &[u64], bits: usize, count: usize) -> Vec<u64> {
    assert!(bits <= 64, "{bits} planes of 64-bit elements");
    let words = count.div_ceil(64);
    assert_eq!(planes.len(), bits * words, "words of {bits} planes of {count} bits");
    let mut data = vec![0; count];
    let mut block = [0u64; 64];
    for (word, chunk) in data.chunks_mut(64).enumerate() {
        for (plane, value) in block[..bits].iter_mut().enumerate() {
            *value = planes[plane * words + word];
        }
        block[bits..].fill(0);
        transpose(&mut block);
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
    data
}

/// Bit `c` of word `r` changes place with bit `r` of word `c` (Warren, Hacker's Delight, section 7-3).
pub fn transpose(block: &mut [u64; 64]) {
    swap_stage::<32>(block, 0x0000_0000_ffff_ffff);
    swap_stage::<16>(block, 0x0000_ffff_0000_ffff);
    swap_stage::<8>(block, 0x00ff_00ff_00ff_00ff);
    swap_stage::<4>(block, 0x0f0f_0f0f_0f0f_0f0f);
    swap_stage::<2>(block, 0x3333_3333_3333_3333);
    swap_stage::<1>(block, 0x5555_5555_5555_5555);
}

/// Within each square of `2 · SIDE` rows and columns, the two off-diagonal quarters change places.
#[inline(always)]
fn swap_stage<const SIDE: usize>(block: &mut [u64; 64], low: u64) {
    for square in 0..32 / SIDE {
        for row in 0..SIDE {
            let (upper, lower) = (square * 2 * SIDE + row, square * 2 * SIDE + row + SIDE);
            let moved = (block[upper] >> SIDE ^ block[lower]) & low;
            block[upper] ^= moved << SIDE;
            block[lower] ^= moved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn planes_hold_the_bits(data in proptest::collection::vec(any::<u64>(), 0..300), bits in 0usize..=64) {
            let planes = to_planes(&data, bits);
            let words = data.len().div_ceil(64);
            prop_assert_eq!(planes.len(), bits * words);
            for bit in 0..bits {
                for at in 0..words * 64 {
                    let expected = data.get(at).map_or(0, |x| x >> bit & 1);
                    prop_assert_eq!(planes[bit * words + at / 64] >> (at % 64) & 1, expected);
                }
            }
            let low = crate::tensor::mask(bits as u32);
            let reduced: Vec<u64> = data.iter().map(|x| x & low).collect();
            prop_assert_eq!(from_planes(&planes, bits, data.len()), reduced);
        }
    }
}
