//! Sums of products of slots, reduced once at the end.
//!
//! A product of residues is below `2^104`; its low and high 52 bits are summed apart, in words that hold thousands.

#[cfg(target_arch = "x86_64")]
mod float;
#[cfg(target_arch = "x86_64")]
mod ifma;

use crate::aligned::Aligned;
use crate::ntt::{Backend, Transform};
use crate::prime::{Prime, RADIX_BITS, RADIX_MASK};

/// Products that a sum holds: each half is below `2^52`.
pub const LONGEST: usize = 1 << 11;

/// One prime's sums, reduced when they are taken out.
pub struct Accumulator {
    low: Aligned,
    high: Aligned,
    terms: usize,
}

impl Accumulator {
    pub fn zeros(slots: usize) -> Accumulator {
        Accumulator { low: Aligned::zeros(slots), high: Aligned::zeros(slots), terms: 0 }
    }

    /// Adds `a[i]·b[i]`, residues of `transform`'s prime that are below `2^52` but need not be reduced.
    pub fn add_product(&mut self, transform: &Transform, a: &[u64], b: &[u64]) {
        assert!(a.len() == self.low.words().len() && a.len() == b.len(), "as many slots as sums");
        if self.terms == LONGEST {
            let mut reduced = Aligned::zeros(a.len());
            self.reduce(transform, reduced.words_mut());
            self.low = reduced;
            self.high.words_mut().fill(0);
            self.terms = 1;
        }
        self.terms += 1;
        #[cfg(target_arch = "x86_64")]
        if vectors(transform, a.len()) {
            return ifma::add_product(self.low.words_mut(), self.high.words_mut(), a, b);
        }
        let sums = self.low.words_mut().iter_mut().zip(self.high.words_mut());
        for ((low, high), (a, b)) in sums.zip(a.iter().zip(b)) {
            let product = *a as u128 * *b as u128;
            *low += product as u64 & RADIX_MASK;
            *high += (product >> RADIX_BITS) as u64;
        }
    }

    /// The sums, as residues.
    pub fn reduce(&self, transform: &Transform, out: &mut [u64]) {
        assert_eq!(out.len(), self.low.words().len(), "as many slots as sums");
        #[cfg(target_arch = "x86_64")]
        if vectors(transform, out.len()) {
            return ifma::reduce(transform.prime(), self.low.words(), self.high.words(), out);
        }
        for ((out, low), high) in out.iter_mut().zip(self.low.words()).zip(self.high.words()) {
            *out = reduce(transform.prime(), *low, *high);
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn vectors(transform: &Transform, slots: usize) -> bool {
    transform.backend() == Backend::Ifma && slots.is_multiple_of(8)
}

fn reduce(prime: &Prime, low: u64, high: u64) -> u64 {
    prime.reduce_wide(((high as u128) << RADIX_BITS) + low as u128)
}

/// `out[r·columns + c] = sum over k of a[r·inner + k] · b[k·columns + c]`, slot by slot: a product of matrices whose entries
/// are runs of slots, all of one length, residues of `transform`'s prime that are below `2^52` but need not be reduced.
pub fn dot(transform: &Transform, inner: usize, a: &[&[u64]], b: &[&[u64]], out: &mut [&mut [u64]]) {
    assert!(inner > 0 && a.len().is_multiple_of(inner) && b.len().is_multiple_of(inner), "whole matrices");
    let columns = b.len() / inner;
    assert_eq!(out.len(), a.len() / inner * columns, "entries of the product");
    #[cfg(target_arch = "x86_64")]
    if vectors(transform, out.first().map_or(0, |out| out.len())) {
        return ifma::dot(transform.prime(), inner, a, b, out);
    }
    #[cfg(target_arch = "x86_64")]
    if transform.backend() == Backend::Float && float::fits(out.first().map_or(0, |out| out.len())) {
        return float::dot(transform.prime(), inner, a, b, out);
    }
    for (at, out) in out.iter_mut().enumerate() {
        let (row, column) = (at / columns, at % columns);
        let mut sum = Accumulator::zeros(out.len());
        for k in 0..inner {
            sum.add_product(transform, a[row * inner + k], b[k * columns + column]);
        }
        sum.reduce(transform, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prime::choose;
    use proptest::prelude::*;
    use ptc_ring::Seed;

    fn runs(matrix: &[Vec<u64>]) -> Vec<&[u64]> {
        matrix.iter().map(|entry| &entry[..]).collect()
    }

    fn check(backend: Backend, bits: u32, seed: [u8; 32], [rows, inner, columns, run]: [usize; 4], largest: bool) {
        let prime = choose(128, &[bits])[0];
        let transform = Transform::with_backend(prime, 128, backend);
        let mut stream = Seed::from_bytes(seed).stream(0, 0);
        let mut matrix = |entries: usize| -> Vec<Vec<u64>> {
            let words =
                |_| stream.words(run).iter().map(|word| if largest { RADIX_MASK } else { word & RADIX_MASK }).collect();
            (0..entries).map(words).collect()
        };
        let (a, b) = (matrix(rows * inner), matrix(inner * columns));
        let mut out = vec![vec![1; run]; rows * columns];
        let mut sums: Vec<&mut [u64]> = out.iter_mut().map(|entry| &mut entry[..]).collect();
        dot(&transform, inner, &runs(&a), &runs(&b), &mut sums);
        for row in 0..rows {
            for column in 0..columns {
                let mut sum = Accumulator::zeros(run);
                let mut expected = vec![0; run];
                for k in 0..inner {
                    let (a, b) = (&a[row * inner + k], &b[k * columns + column]);
                    sum.add_product(&transform, a, b);
                    for (expected, (a, b)) in expected.iter_mut().zip(a.iter().zip(b)) {
                        *expected = prime.add(*expected, prime.mul(prime.reduce(*a), prime.reduce(*b)));
                    }
                }
                let mut found = vec![0; run];
                sum.reduce(&transform, &mut found);
                assert!(found == expected, "{backend:?}, one after the other, {inner} terms");
                assert!(out[row * columns + column] == expected, "{backend:?}, {rows}x{inner}x{columns}");
            }
        }
    }

    #[test]
    fn long_sums_of_the_largest_words_are_exact() {
        for backend in Backend::ALL.iter().copied().filter(|backend| backend.works()) {
            for inner in [LONGEST - 1, LONGEST, LONGEST + 1, 2 * LONGEST + 1] {
                check(backend, 50, [0; 32], [1, inner, 1, 16], true);
                check(backend, 36, [0; 32], [1, inner, 1, 16], true);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn products_of_matrices_are_exact(
            seed in any::<[u8; 32]>(), bits in 30u32..=50, shape in [1usize..8, 1usize..6, 1usize..6, 0usize..40],
        ) {
            for backend in Backend::ALL.iter().copied().filter(|backend| backend.works()) {
                check(backend, bits, seed, shape, false);
                let [rows, inner, columns, run] = shape;
                check(backend, bits, seed, [rows, inner, columns, 16 * run.div_ceil(16)], false);
            }
        }
    }
}
