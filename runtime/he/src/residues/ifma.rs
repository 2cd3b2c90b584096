//! Vectors of eight words, with 52-bit multipliers.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use crate::ntt::ifma::{Constants, broadcast, load, store, works};
use crate::prime::{Factor, Prime};

/// Whether loops over so many words can be run here.
pub fn fits(len: usize) -> bool {
    len.is_multiple_of(8) && works()
}

/// `a[i] = operation(a[i], b[i], c[i])`, eight words at a time.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn each(a: &mut [u64], b: &[u64], c: &[u64], operation: impl Fn(__m512i, __m512i, __m512i) -> __m512i) {
    let others = b.as_chunks::<8>().0.iter().zip(c.as_chunks::<8>().0);
    for (a, (b, c)) in a.as_chunks_mut::<8>().0.iter_mut().zip(others) {
        // SAFETY: all are eight words.
        unsafe {
            let result = operation(load(a.as_ptr()), load(b.as_ptr()), load(c.as_ptr()));
            store(a.as_mut_ptr(), result);
        }
    }
}

/// A loop as a safe function: `$name(prime, ...)` asserts what `$vector` needs.
macro_rules! dispatch {
    ($($name:ident => $vector:ident($prime:ident $(, $argument:ident: $type:ty)*), $len:expr;)*) => {$(
        pub fn $name($prime: &Prime $(, $argument: $type)*) {
            assert!(fits($len), "whole vectors, a machine with 52-bit multipliers");
            // SAFETY: the machine has what the function needs, as asserted.
            unsafe { $vector($prime $(, $argument)*) }
        }
    )*};
}

dispatch! {
    add => add_vectors(prime, a: &mut [u64], b: &[u64]), a.len();
    sub => sub_vectors(prime, a: &mut [u64], b: &[u64]), a.len();
    mul => mul_vectors(prime, a: &mut [u64], b: &[u64]), a.len();
    add_product => add_product_vectors(prime, sum: &mut [u64], a: &[u64], b: &[u64]), sum.len();
    scale => scale_vectors(prime, a: &mut [u64], factor: Factor), a.len();
    sub_scale => sub_scale_vectors(prime, a: &mut [u64], b: &[u64], factor: Factor), a.len();
    lift => lift_vectors(from, residues: &[u64], to: &Prime, out: &mut [u64]), out.len();
    of_signed => of_signed_vectors(prime, values: &[i64], out: &mut [u64]), out.len();
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn add_vectors(prime: &Prime, a: &mut [u64], b: &[u64]) {
    let constants = Constants::new(prime);
    each(a, b, b, |a, b, _| constants.add(a, b));
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn sub_vectors(prime: &Prime, a: &mut [u64], b: &[u64]) {
    let constants = Constants::new(prime);
    each(a, b, b, |a, b, _| constants.sub(a, b));
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_vectors(prime: &Prime, a: &mut [u64], b: &[u64]) {
    let (constants, zero) = (Constants::new(prime), _mm512_setzero_si512());
    each(a, b, b, |a, b, _| {
        let (low, high) = (_mm512_madd52lo_epu64(zero, a, b), _mm512_madd52hi_epu64(zero, a, b));
        constants.reduce_sum(low, high)
    });
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn add_product_vectors(prime: &Prime, sum: &mut [u64], a: &[u64], b: &[u64]) {
    let (constants, zero) = (Constants::new(prime), _mm512_setzero_si512());
    each(sum, a, b, |sum, a, b| {
        constants.reduce_sum(_mm512_madd52lo_epu64(sum, a, b), _mm512_madd52hi_epu64(zero, a, b))
    });
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn scale_vectors(prime: &Prime, a: &mut [u64], factor: Factor) {
    let (constants, factor) = (Constants::new(prime), broadcast(factor));
    for a in a.as_chunks_mut::<8>().0 {
        // SAFETY: eight words.
        unsafe { store(a.as_mut_ptr(), constants.multiply_whole(load(a.as_ptr()), factor)) }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn sub_scale_vectors(prime: &Prime, a: &mut [u64], b: &[u64], factor: Factor) {
    let (constants, factor) = (Constants::new(prime), broadcast(factor));
    each(a, b, b, |a, b, _| constants.multiply_whole(constants.sub(a, b), factor));
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn lift_vectors(from: &Prime, residues: &[u64], to: &Prime, out: &mut [u64]) {
    let (source, constants) = (Constants::new(from), Constants::new(to));
    let half = _mm512_set1_epi64((from.value() / 2) as i64);
    let shift = _mm512_set1_epi64(to.reduce(from.value() / 2) as i64);
    each(out, residues, residues, |_, x, _| {
        let raised = source.add(x, half);
        constants.sub(constants.reduce(raised), shift)
    });
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn of_signed_vectors(prime: &Prime, values: &[i64], out: &mut [u64]) {
    let (constants, zero) = (Constants::new(prime), _mm512_setzero_si512());
    for (out, values) in out.as_chunks_mut::<8>().0.iter_mut().zip(values.as_chunks::<8>().0) {
        // SAFETY: both are eight words.
        unsafe {
            let values = load(values.as_ptr().cast());
            let size = constants.reduce_sum(_mm512_abs_epi64(values), zero);
            let negative = _mm512_movepi64_mask(values);
            store(out.as_mut_ptr(), _mm512_mask_mov_epi64(size, negative, constants.sub(zero, size)));
        }
    }
}
