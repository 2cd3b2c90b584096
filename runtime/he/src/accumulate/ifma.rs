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
                match (height, width, run.is_multiple_of(16)) {
                    (4, 2, _) => tile.multiply::<4, 2, 1>(a, b, out),
                    (4, _, true) => tile.multiply::<4, 1, 2>(a, b, out),
                    (4, _, false) => tile.multiply::<4, 1, 1>(a, b, out),
                    (2, 2, true) => tile.multiply::<2, 2, 2>(a, b, out),
                    (2, 2, false) => tile.multiply::<2, 2, 1>(a, b, out),
                    (2, _, true) => tile.multiply::<2, 1, 2>(a, b, out),
                    (2, _, false) => tile.multiply::<2, 1, 1>(a, b, out),
                    (_, 2, true) => tile.multiply::<1, 2, 2>(a, b, out),
                    (_, 2, false) => tile.multiply::<1, 2, 1>(a, b, out),
                    (_, _, true) => tile.multiply::<1, 1, 2>(a, b, out),
                    (_, _, false) => tile.multiply::<1, 1, 1>(a, b, out),
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
    /// `VECTORS` vectors of slots at a time.
    ///
    /// # Safety
    /// The tile lies inside matrices whose entries all have `run` words, a multiple of `8·VECTORS`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    unsafe fn multiply<const ROWS: usize, const COLUMNS: usize, const VECTORS: usize>(
        &self,
        a: &[&[u64]],
        b: &[&[u64]],
        out: &mut [&mut [u64]],
    ) {
        let constants = Constants::new(self.prime);
        let zero = _mm512_setzero_si512();
        for at in (0..self.run).step_by(8 * VECTORS) {
            let mut low = [[[zero; VECTORS]; COLUMNS]; ROWS];
            let mut high = [[[zero; VECTORS]; COLUMNS]; ROWS];
            for first in (0..self.inner).step_by(LONGEST) {
                if first > 0 {
                    let sums = low.as_flattened_mut().as_flattened_mut().iter_mut();
                    for (low, high) in sums.zip(high.as_flattened_mut().as_flattened_mut()) {
                        (*low, *high) = (constants.reduce_sum(*low, *high), zero);
                    }
                }
                for k in first..self.inner.min(first + LONGEST) {
                    // SAFETY: as the caller promises; so many words are left at `at`.
                    unsafe {
                        let mut right = [[zero; VECTORS]; COLUMNS];
                        for (column, right) in right.iter_mut().enumerate() {
                            let entry = b.get_unchecked(k * self.columns + self.column + column).as_ptr().add(at);
                            for (vector, right) in right.iter_mut().enumerate() {
                                *right = load(entry.add(8 * vector));
                            }
                        }
                        for row in 0..ROWS {
                            let entry = a.get_unchecked((self.row + row) * self.inner + k).as_ptr().add(at);
                            for vector in 0..VECTORS {
                                let left = load(entry.add(8 * vector));
                                for column in 0..COLUMNS {
                                    let right = right[column][vector];
                                    let (low, high) = (&mut low[row][column][vector], &mut high[row][column][vector]);
                                    *low = _mm512_madd52lo_epu64(*low, left, right);
                                    *high = _mm512_madd52hi_epu64(*high, left, right);
                                }
                            }
                        }
                    }
                }
            }
            for row in 0..ROWS {
                for column in 0..COLUMNS {
                    let out = &mut out[(self.row + row) * self.columns + self.column + column];
                    for (vector, out) in out[at..at + 8 * VECTORS].as_chunks_mut::<8>().0.iter_mut().enumerate() {
                        let sum = constants.reduce_sum(low[row][column][vector], high[row][column][vector]);
                        // SAFETY: eight words.
                        unsafe { store(out.as_mut_ptr(), sum) }
                    }
                }
            }
        }
    }
}
