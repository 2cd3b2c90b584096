//! Sums of products in vectors of eight slots, with 52-bit multipliers.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::LONGEST;
use crate::ntt::ifma::{Constants, load, store, works};
use crate::prime::Prime;

/// `low[i] + 2^52·high[i] += a[i]·b[i]`.
pub fn add_product(low: &mut [u64], high: &mut [u64], a: &[u64], b: &[u64]) {
    assert!(works() && low.len().is_multiple_of(8), "a machine with 52-bit multipliers, whole vectors");
    assert!(low.len() == high.len() && low.len() == a.len() && a.len() == b.len(), "as many slots as sums");
    // SAFETY: the machine has what the function needs, as asserted.
    unsafe { add(low, high, a, b) }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn add(low: &mut [u64], high: &mut [u64], a: &[u64], b: &[u64]) {
    let sums = low.as_chunks_mut::<8>().0.iter_mut().zip(high.as_chunks_mut::<8>().0);
    for ((low, high), (a, b)) in sums.zip(a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0)) {
        // SAFETY: all are eight words.
        unsafe {
            let (a, b) = (load(a.as_ptr()), load(b.as_ptr()));
            store(low.as_mut_ptr(), _mm512_madd52lo_epu64(load(low.as_ptr()), a, b));
            store(high.as_mut_ptr(), _mm512_madd52hi_epu64(load(high.as_ptr()), a, b));
        }
    }
}

/// `out[i] = low[i] + 2^52·high[i]`, reduced.
pub fn reduce(prime: &Prime, low: &[u64], high: &[u64], out: &mut [u64]) {
    assert!(works() && low.len().is_multiple_of(8), "a machine with 52-bit multipliers, whole vectors");
    assert!(low.len() == high.len() && low.len() == out.len(), "as many slots as sums");
    // SAFETY: the machine has what the function needs, as asserted.
    unsafe { reduce_all(prime, low, high, out) }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn reduce_all(prime: &Prime, low: &[u64], high: &[u64], out: &mut [u64]) {
    let constants = Constants::new(prime);
    let sums = low.as_chunks::<8>().0.iter().zip(high.as_chunks::<8>().0);
    for ((low, high), out) in sums.zip(out.as_chunks_mut::<8>().0) {
        // SAFETY: all are eight words.
        unsafe { store(out.as_mut_ptr(), constants.reduce_sum(load(low.as_ptr()), load(high.as_ptr()))) }
    }
}

/// The product of matrices whose entries are runs of slots: [`super::dot`].
pub fn dot(prime: &Prime, inner: usize, a: &[&[u64]], b: &[&[u64]], out: &mut [&mut [u64]]) {
    let run = out.first().map_or(0, |out| out.len());
    assert!(works() && run.is_multiple_of(8), "a machine with 52-bit multipliers, whole vectors");
    assert!(
        a.iter().chain(b).all(|entry| entry.len() == run) && out.iter().all(|out| out.len() == run),
        "runs of slots"
    );
    let (rows, columns) = (a.len() / inner, b.len() / inner);
    assert!((a.len(), b.len(), out.len()) == (rows * inner, inner * columns, rows * columns), "whole matrices");
    // SAFETY: the machine has what the function needs; tiles lie inside the matrices and all entries have `run` words.
    unsafe {
        let mut row = 0;
        while row < rows {
            let height = [4, 2, 1].into_iter().find(|height| row + height <= rows).unwrap_or(1);
            let mut column = 0;
            while column < columns {
                let width = if column + 2 <= columns { 2 } else { 1 };
                let tile = Tile { prime, inner, columns, row, column, run };
                match (height, width) {
                    (4, 2) => tile.multiply::<4, 2>(a, b, out),
                    (4, _) => tile.multiply::<4, 1>(a, b, out),
                    (2, 2) => tile.multiply::<2, 2>(a, b, out),
                    (2, _) => tile.multiply::<2, 1>(a, b, out),
                    (_, 2) => tile.multiply::<1, 2>(a, b, out),
                    _ => tile.multiply::<1, 1>(a, b, out),
                }
                column += width;
            }
            row += height;
        }
    }
}

/// Rows of the left and columns of the right factor that are multiplied together, sums in registers.
struct Tile<'a> {
    prime: &'a Prime,
    inner: usize,
    columns: usize,
    row: usize,
    column: usize,
    run: usize,
}

impl Tile<'_> {
    /// # Safety
    /// The tile lies inside matrices whose entries all have `run` words, a multiple of eight.
    #[target_feature(enable = "avx512f,avx512ifma")]
    unsafe fn multiply<const ROWS: usize, const COLUMNS: usize>(
        &self,
        a: &[&[u64]],
        b: &[&[u64]],
        out: &mut [&mut [u64]],
    ) {
        let constants = Constants::new(self.prime);
        let zero = _mm512_setzero_si512();
        for at in (0..self.run).step_by(8) {
            let (mut low, mut high) = ([[zero; COLUMNS]; ROWS], [[zero; COLUMNS]; ROWS]);
            for first in (0..self.inner).step_by(LONGEST) {
                if first > 0 {
                    for (low, high) in low.as_flattened_mut().iter_mut().zip(high.as_flattened_mut()) {
                        (*low, *high) = (constants.reduce_sum(*low, *high), zero);
                    }
                }
                for k in first..self.inner.min(first + LONGEST) {
                    // SAFETY: as the caller promises; eight words are left at `at`.
                    unsafe {
                        let mut right = [zero; COLUMNS];
                        for (column, right) in right.iter_mut().enumerate() {
                            let entry = b.get_unchecked(k * self.columns + self.column + column);
                            *right = load(entry.as_ptr().add(at));
                        }
                        for row in 0..ROWS {
                            let entry = a.get_unchecked((self.row + row) * self.inner + k);
                            let left = load(entry.as_ptr().add(at));
                            for column in 0..COLUMNS {
                                low[row][column] = _mm512_madd52lo_epu64(low[row][column], left, right[column]);
                                high[row][column] = _mm512_madd52hi_epu64(high[row][column], left, right[column]);
                            }
                        }
                    }
                }
            }
            for row in 0..ROWS {
                for column in 0..COLUMNS {
                    let sum = constants.reduce_sum(low[row][column], high[row][column]);
                    let out = &mut out[(self.row + row) * self.columns + self.column + column][at..at + 8];
                    // SAFETY: eight words, as just cut out.
                    unsafe { store(out.as_mut_ptr(), sum) }
                }
            }
        }
    }
}
