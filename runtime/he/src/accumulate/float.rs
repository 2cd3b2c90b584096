//! Sums of products in doubles: see [`crate::ntt::float`] for why they are exact.

#![allow(unsafe_code)]

use crate::ntt::float::{Constants, start, works, works_wide};
use crate::prime::Prime;

/// Slots whose sums stay in registers.
const WIDTH: usize = 16;

/// Products between two reductions of a sum: each is below `p`, like what a reduction leaves.
const TERMS: usize = 6;

/// The product of matrices whose entries are runs of whole vectors of slots: [`super::dot`].
pub fn dot(prime: &Prime, inner: usize, a: &[&[u64]], b: &[&[u64]], out: &mut [&mut [u64]]) {
    assert!(works(), "a machine with fused multiply-add");
    if works_wide() {
        // SAFETY: the machine has what the function needs, as just found.
        return unsafe { dot_wide(prime, inner, a, b, out) };
    }
    // SAFETY: the machine has what the function needs, as asserted.
    unsafe { dot_narrow(prime, inner, a, b, out) }
}

#[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
fn dot_wide(prime: &Prime, inner: usize, a: &[&[u64]], b: &[&[u64]], out: &mut [&mut [u64]]) {
    dot_body(prime, inner, a, b, out);
}

#[target_feature(enable = "avx2,fma")]
fn dot_narrow(prime: &Prime, inner: usize, a: &[&[u64]], b: &[&[u64]], out: &mut [&mut [u64]]) {
    dot_body(prime, inner, a, b, out);
}

#[inline(always)]
fn dot_body(prime: &Prime, inner: usize, a: &[&[u64]], b: &[&[u64]], out: &mut [&mut [u64]]) {
    let (constants, columns) = (Constants::new(prime), b.len() / inner);
    for (at, out) in out.iter_mut().enumerate() {
        let (row, column) = (at / columns, at % columns);
        for (chunk, out) in out.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
            let mut sums = [0.0; WIDTH];
            for k in 0..inner {
                let left: &[u64; WIDTH] = &a[row * inner + k].as_chunks().0[chunk];
                let right: &[u64; WIDTH] = &b[k * columns + column].as_chunks().0[chunk];
                for lane in 0..WIDTH {
                    // Residues need not be reduced before, but must be to be multiplied.
                    let (x, y) = (constants.reduce(start(left[lane])), constants.reduce(start(right[lane])));
                    sums[lane] += constants.product(x, y);
                }
                if k % TERMS == TERMS - 1 {
                    sums = sums.map(|sum| constants.reduce(sum));
                }
            }
            *out = sums.map(|sum| constants.finish(sum));
        }
    }
}

/// Whether runs of so many slots are whole chunks.
pub fn fits(slots: usize) -> bool {
    slots.is_multiple_of(WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prime::{RADIX_MASK, choose};

    #[test]
    fn narrow_vectors_do_as_wide_ones() {
        if !works() {
            return;
        }
        let prime = choose(128, &[50])[0];
        let runs: Vec<Vec<u64>> = (0..40u64)
            .map(|run| (0..64).map(|at| (run << 6 | at).wrapping_mul(0x9e37_79b9_7f4a_7c15) & RADIX_MASK).collect())
            .collect();
        let runs: Vec<&[u64]> = runs.iter().map(|run| &run[..]).collect();
        let [mut wide, mut narrow] = [vec![0; 64], vec![1; 64]];
        dot(&prime, 20, &runs[..20], &runs[20..], &mut [&mut wide[..]]);
        // SAFETY: the machine has what the function needs, as asked above.
        unsafe { dot_narrow(&prime, 20, &runs[..20], &runs[20..], &mut [&mut narrow[..]]) };
        assert!(wide == narrow);
    }
}
