//! Transposition by byte shuffles and the bit matrix instruction of GFNI, 512 columns at a time.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::SIDE;
use crate::block::Block;

/// Blocks of a row in a register.
const LANES: usize = 4;

/// The first blocks of each row, in fours; how many of them are done.
pub fn transpose(rows: &[Block], columns: &mut [Block]) -> usize {
    if !is_x86_feature_detected!("gfni") || !is_x86_feature_detected!("avx512bw") {
        return 0;
    }
    let width = rows.len() / SIDE;
    for at in 0..width / LANES {
        let columns = columns[at * LANES * SIDE..][..LANES * SIDE].as_mut_array().expect("512 blocks");
        // SAFETY: the processor has the instructions.
        unsafe { stripe(&rows[at * LANES..], width, columns) };
    }
    width / LANES * LANES
}

/// The 512 columns at the start of `rows`, which are `width` blocks apart.
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn stripe(rows: &[Block], width: usize, columns: &mut [Block; LANES * SIDE]) {
    assert!(rows.len() >= (SIDE - 1) * width + LANES, "rows of a stripe");
    // For eight rows, `bytes[m]` holds in lane `l`, half `h`, byte `i` their bits of column `128·l + 16·m + 8·h + i`.
    let mut bytes = [[_mm512_setzero_si512(); 8]; SIDE / 8];
    for (group, bytes) in bytes.iter_mut().enumerate() {
        // The instruction numbers the rows of its matrix from the last byte down.
        let rows = std::array::from_fn(|row| {
            // SAFETY: inside `rows` by the assertion; the load asks for no alignment.
            unsafe { _mm512_loadu_si512(rows.as_ptr().add((8 * group + 7 - row) * width).cast()) }
        });
        let unit = _mm512_set1_epi64(0x8040_2010_0804_0201_u64 as i64);
        *bytes = gather(rows).map(|rows| _mm512_gf2p8affine_epi64_epi8::<0>(unit, rows));
    }
    for m in 0..8 {
        let blocks = transpose_bytes(std::array::from_fn(|group| bytes[group][m]));
        for (quarter, blocks) in blocks.as_chunks::<4>().0.iter().enumerate() {
            for (lane, blocks) in transpose_lanes(*blocks).into_iter().enumerate() {
                let at = SIDE * lane + 16 * m + 4 * quarter;
                // SAFETY: four blocks from `at <= 128·3 + 16·7 + 12 = 508` on; the store asks for no alignment.
                unsafe { _mm512_storeu_si512(columns.as_mut_ptr().add(at).cast(), blocks) };
            }
        }
    }
}

/// Bytes of eight rows side by side: in each lane, word `h` of result `m` has byte `2·m + h` of every row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn gather([a, b, c, d, e, f, g, h]: [__m512i; 8]) -> [__m512i; 8] {
    let pairs = |x, y| (_mm512_unpacklo_epi8(x, y), _mm512_unpackhi_epi8(x, y));
    let ((ab0, ab1), (cd0, cd1), (ef0, ef1), (gh0, gh1)) = (pairs(a, b), pairs(c, d), pairs(e, f), pairs(g, h));
    let fours = |x, y| [_mm512_unpacklo_epi16(x, y), _mm512_unpackhi_epi16(x, y)];
    let [p, q, r, s] = [fours(ab0, cd0), fours(ef0, gh0), fours(ab1, cd1), fours(ef1, gh1)];
    let eights = |x, y| [_mm512_unpacklo_epi32(x, y), _mm512_unpackhi_epi32(x, y)];
    let [[t, u], [v, w], [x, y], [z, last]] =
        [eights(p[0], q[0]), eights(p[1], q[1]), eights(r[0], s[0]), eights(r[1], s[1])];
    [t, u, v, w, x, y, z, last]
}

/// In each lane, byte `i` of register `r` and byte `r` of register `i` change places.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose_bytes(mut rows: [__m512i; 16]) -> [__m512i; 16] {
    // Interleaving the halves of the list rotates the place of a byte, 4 bits of register and 4 of byte, by one bit.
    for _ in 0..4 {
        rows = std::array::from_fn(|at| {
            let (x, y) = (rows[at / 2], rows[at / 2 + 8]);
            if at % 2 == 0 { _mm512_unpacklo_epi8(x, y) } else { _mm512_unpackhi_epi8(x, y) }
        });
    }
    rows
}

/// Lane `l` of register `r` and lane `r` of register `l` change places.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_lanes([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let low = |x, y| _mm512_shuffle_i32x4::<0b01_00_01_00>(x, y);
    let high = |x, y| _mm512_shuffle_i32x4::<0b11_10_11_10>(x, y);
    let (ab, cd, ab_high, cd_high) = (low(a, b), low(c, d), high(a, b), high(c, d));
    let even = |x, y| _mm512_shuffle_i32x4::<0b10_00_10_00>(x, y);
    let odd = |x, y| _mm512_shuffle_i32x4::<0b11_01_11_01>(x, y);
    [even(ab, cd), odd(ab, cd), even(ab_high, cd_high), odd(ab_high, cd_high)]
}
