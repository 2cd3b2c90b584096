//! Bit transposition: ring elements to planes of bits and back.
//!
//! Plane `i` holds bit `i` of each of the `n` elements in `ceil(n / 64)` words; planes follow each other.

use crate::transpose::flip;

/// Blocks of 64 elements that are transposed side by side, so that every step is a vector operation.
const LANES: usize = 8;

/// Row `r`, lane `b`: element `r` of block `b`, or word `b` of plane `r`.
type Blocks = [[u64; LANES]; 64];

/// `bits` planes of `data`.
pub fn to_planes(data: &[u64], bits: usize) -> Vec<u64> {
    assert!(bits <= 64, "{bits} planes of 64-bit elements");
    let words = data.len().div_ceil(64);
    let mut planes = vec![0; bits * words];
    let mut blocks: Blocks = [[0; LANES]; 64];
    for (group, elements) in data.chunks(64 * LANES).enumerate() {
        if let Ok(whole) = elements.try_into() {
            interleave(whole, &mut blocks);
        } else {
            let mut padded = [0; 64 * LANES];
            padded[..elements.len()].copy_from_slice(elements);
            interleave(&padded, &mut blocks);
        }
        transpose(&mut blocks);
        let width = elements.len().div_ceil(64);
        for (plane, row) in blocks[..bits].iter().enumerate() {
            planes[plane * words + group * LANES..][..width].copy_from_slice(&row[..width]);
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
    let mut blocks: Blocks = [[0; LANES]; 64];
    for (group, elements) in data.chunks_mut(64 * LANES).enumerate() {
        let width = elements.len().div_ceil(64);
        for (plane, row) in blocks[..bits].iter_mut().enumerate() {
            row[..width].copy_from_slice(&planes[plane * words + group * LANES..][..width]);
        }
        blocks[bits..].fill([0; LANES]);
        transpose(&mut blocks);
        if let Ok(whole) = elements.try_into() {
            separate(&blocks, whole);
        } else {
            let mut padded = [0; 64 * LANES];
            separate(&blocks, &mut padded);
            let count = elements.len();
            elements.copy_from_slice(&padded[..count]);
        }
    }
    data
}

fn interleave(elements: &[u64; 64 * LANES], blocks: &mut Blocks) {
    for (at, rows) in blocks.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let first = |lane: usize| lane * 64 + at * LANES;
        *rows = std::array::from_fn(|lane| *elements[first(lane)..].first_chunk().expect("eight elements"));
        flip(rows);
    }
}

fn separate(blocks: &Blocks, elements: &mut [u64; 64 * LANES]) {
    for (at, rows) in blocks.as_chunks::<LANES>().0.iter().enumerate() {
        let mut rows = *rows;
        flip(&mut rows);
        for (lane, row) in rows.iter().enumerate() {
            elements[lane * 64 + at * LANES..][..LANES].copy_from_slice(row);
        }
    }
}

/// In every lane, bit `c` of row `r` changes place with bit `r` of row `c` (Warren, Hacker's Delight, section 7-3).
fn transpose(blocks: &mut Blocks) {
    swap_stage::<32>(blocks, 0x0000_0000_ffff_ffff);
    swap_stage::<16>(blocks, 0x0000_ffff_0000_ffff);
    swap_stage::<8>(blocks, 0x00ff_00ff_00ff_00ff);
    blocks.as_chunks_mut::<8>().0.iter_mut().for_each(swap_small);
}

/// The last three stages, in registers. Without a loop over pairs of rows: the compiler would make one vector of many
/// pairs and gather its parts.
#[inline(never)]
fn swap_small([a, b, c, d, e, f, g, h]: &mut [[u64; LANES]; 8]) {
    for (upper, lower) in [(&mut *a, &mut *e), (&mut *b, &mut *f), (&mut *c, &mut *g), (&mut *d, &mut *h)] {
        swap_words::<4>(upper, lower, 0x0f0f_0f0f_0f0f_0f0f);
    }
    for (upper, lower) in [(&mut *a, &mut *c), (&mut *b, &mut *d), (&mut *e, &mut *g), (&mut *f, &mut *h)] {
        swap_words::<2>(upper, lower, 0x3333_3333_3333_3333);
    }
    for (upper, lower) in [(a, b), (c, d), (e, f), (g, h)] {
        swap_words::<1>(upper, lower, 0x5555_5555_5555_5555);
    }
}

/// Within each square of `2 · SIDE` rows and columns, the two off-diagonal quarters change places.
#[inline(always)]
fn swap_stage<const SIDE: usize>(rows: &mut [[u64; LANES]], low: u64) {
    for square in rows.as_flattened_mut().chunks_exact_mut(2 * SIDE * LANES) {
        let (upper, lower) = square.split_at_mut(SIDE * LANES);
        swap_words::<SIDE>(upper, lower, low);
    }
}

#[inline(always)]
fn swap_words<const SIDE: usize>(upper: &mut [u64], lower: &mut [u64], low: u64) {
    for (upper, lower) in upper.iter_mut().zip(lower) {
        let moved = (*upper >> SIDE ^ *lower) & low;
        *upper ^= moved << SIDE;
        *lower ^= moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn planes_hold_the_bits(data in proptest::collection::vec(any::<u64>(), 0..1500), bits in 0usize..=64) {
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
