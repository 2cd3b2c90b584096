//! Word by word.

use crate::prime::{Factor, Prime};

pub fn add(prime: &Prime, a: &mut [u64], b: &[u64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a = prime.add(*a, *b));
}

pub fn sub(prime: &Prime, a: &mut [u64], b: &[u64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a = prime.sub(*a, *b));
}

pub fn mul(prime: &Prime, a: &mut [u64], b: &[u64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a = prime.mul(*a, *b));
}

pub fn add_product(prime: &Prime, sum: &mut [u64], a: &[u64], b: &[u64]) {
    let factors = a.iter().zip(b);
    sum.iter_mut().zip(factors).for_each(|(sum, (a, b))| *sum = prime.add(*sum, prime.mul(*a, *b)));
}

pub fn scale(prime: &Prime, a: &mut [u64], factor: Factor) {
    a.iter_mut().for_each(|a| *a = prime.mul_factor(*a, factor));
}

pub fn sub_scale(prime: &Prime, a: &mut [u64], b: &[u64], factor: Factor) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a = prime.mul_factor(prime.sub(*a, *b), factor));
}

pub fn lift(from: &Prime, residues: &[u64], to: &Prime, out: &mut [u64]) {
    // Raised by a half while they are reduced, so that they are never negative.
    let half = from.value() / 2;
    let shift = to.reduce(half);
    for (out, x) in out.iter_mut().zip(residues) {
        *out = to.sub(to.reduce(from.once(x + half)), shift);
    }
}

pub fn of_signed(prime: &Prime, values: &[i64], out: &mut [u64]) {
    out.iter_mut().zip(values).for_each(|(out, value)| *out = prime.reduce_signed(*value));
}
