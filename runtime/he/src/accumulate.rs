//! Sums of products of slots, reduced once at the end.
//!
//! A product of residues is below `2^104`; its low and high 52 bits are summed apart, in words that hold thousands.

use crate::aligned::Aligned;
use crate::ntt::Transform;
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

    /// Adds `a[i]·b[i]`; both are residues of `transform`'s prime.
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
        for ((out, low), high) in out.iter_mut().zip(self.low.words()).zip(self.high.words()) {
            *out = reduce(transform.prime(), *low, *high);
        }
    }
}

fn reduce(prime: &Prime, low: u64, high: u64) -> u64 {
    prime.reduce_wide(((high as u128) << RADIX_BITS) + low as u128)
}

/// `out[r·columns + c] = sum over k of a[r·inner + k] · b[k·columns + c]`, slot by slot: a product of matrices whose entries
/// are runs of slots, all of one length, residues of `transform`'s prime.
pub fn dot(transform: &Transform, inner: usize, a: &[&[u64]], b: &[&[u64]], out: &mut [&mut [u64]]) {
    assert!(inner > 0 && a.len().is_multiple_of(inner) && b.len().is_multiple_of(inner), "whole matrices");
    let columns = b.len() / inner;
    assert_eq!(out.len(), a.len() / inner * columns, "entries of the product");
    for (at, out) in out.iter_mut().enumerate() {
        let (row, column) = (at / columns, at % columns);
        let mut sum = Accumulator::zeros(out.len());
        for k in 0..inner {
            sum.add_product(transform, a[row * inner + k], b[k * columns + column]);
        }
        sum.reduce(transform, out);
    }
}
