//! The transform in doubles, for vectors with fused multiply-add but without 52-bit multipliers.
//!
//! A double holds integers up to `2^53`. The product of `y` and a factor `w`, both exact, is the rounded product `h` and what
//! a fused multiply-add finds to be missing, `l`; with `q` the rounded `y·(w/p)`, `h - q·p` is an integer below `2^53` again,
//! and so exact, like its sum with `l`. Factors are centred: `|w| <= p/2`. For `|y| <= B·p` and `p < 2^50`, `q` is off by at
//! most `1/2 + B/8`, and so the product below `(1/2 + B/8)·p`.
//!
//! The loops are plain; a compiler that may use vectors makes them such.

#![allow(unsafe_code)]

use super::{BLOCK, Roots, Transform, tail_words};
use crate::prime::{Factor, Prime};

/// Layers after which words are reduced: starting from `p`, they stay below `1.63·p`, `2.34·p`, `3.13·p`, `4.02·p`, and `8·p`
/// is what sums may reach.
const LAYERS: u32 = 4;

/// Adding it shifts an integer from 0 to `2^52 - 1` into the low bits of a double.
const MAGIC: f64 = (1u64 << 52) as f64;

type Row = [f64; 8];

pub fn works() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

pub fn works_wide() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && works()
}

/// A factor as the bits of two doubles: itself, centred, and its ratio to the prime.
pub fn factor(prime: &Prime, value: u64) -> Factor {
    let centred = if value > prime.value() / 2 { value as f64 - prime.value() as f64 } else { value as f64 };
    Factor { value: centred.to_bits(), quotient: (centred / prime.value() as f64).to_bits() }
}

/// The widest vectors that this machine has for a loop.
macro_rules! dispatch {
    ($($name:ident, $wide:ident, $narrow:ident => $body:ident($($argument:ident: $type:ty),*);)*) => {$(
        pub fn $name($($argument: $type),*) {
            assert!(works(), "a machine with fused multiply-add");
            if works_wide() {
                // SAFETY: the machine has what the function needs, as just found.
                return unsafe { $wide($($argument),*) };
            }
            // SAFETY: the machine has what the function needs, as asserted.
            unsafe { $narrow($($argument),*) }
        }

        #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
        fn $wide($($argument: $type),*) {
            $body($($argument),*)
        }

        #[target_feature(enable = "avx2,fma")]
        fn $narrow($($argument: $type),*) {
            $body($($argument),*)
        }
    )*};
}

dispatch! {
    forward, forward_wide, forward_narrow => forward_body(transform: &Transform, words: &mut [u64], first: usize, size: usize);
    inverse, inverse_wide, inverse_narrow => inverse_body(transform: &Transform, words: &mut [u64]);
}

#[derive(Clone, Copy)]
pub(crate) struct Constants {
    prime: f64,
    inverse: f64,
}

#[derive(Clone, Copy)]
struct Double {
    value: f64,
    ratio: f64,
}

impl Constants {
    #[inline(always)]
    pub fn new(prime: &Prime) -> Constants {
        Constants { prime: prime.value() as f64, inverse: 1.0 / prime.value() as f64 }
    }

    #[inline(always)]
    fn multiply(self, y: f64, factor: Double) -> f64 {
        let high = y * factor.value;
        let low = y.mul_add(factor.value, -high);
        let quotient = (y * factor.ratio).round_ties_even();
        quotient.mul_add(-self.prime, high) + low
    }

    /// Of reduced `x` and `y`, below `p`.
    #[inline(always)]
    pub fn product(self, x: f64, y: f64) -> f64 {
        let high = x * y;
        let low = x.mul_add(y, -high);
        let quotient = (high * self.inverse).round_ties_even();
        quotient.mul_add(-self.prime, high) + low
    }

    /// Within half a prime, and a little.
    #[inline(always)]
    pub fn reduce(self, x: f64) -> f64 {
        (x * self.inverse).round_ties_even().mul_add(-self.prime, x)
    }

    /// The residue's word.
    #[inline(always)]
    pub fn finish(self, x: f64) -> u64 {
        // Zero has one sign here, so that only what is below it has the sign bit.
        let x = self.reduce(x) + 0.0;
        let negative = (x.to_bits() as i64 >> 63) as u64;
        let x = x + f64::from_bits(self.prime.to_bits() & negative);
        (x + MAGIC).to_bits() ^ MAGIC.to_bits()
    }

    #[inline(always)]
    fn split(self, x: f64, y: f64, factor: Double) -> (f64, f64) {
        let product = self.multiply(y, factor);
        (x + product, x - product)
    }
}

/// A word below `2^52`.
#[inline(always)]
pub(crate) fn start(word: u64) -> f64 {
    f64::from_bits(word | MAGIC.to_bits()) - MAGIC
}

#[inline(always)]
fn at(roots: &Roots, place: usize) -> Double {
    double(roots.at(place))
}

#[inline(always)]
fn double(factor: Factor) -> Double {
    Double { value: f64::from_bits(factor.value), ratio: f64::from_bits(factor.quotient) }
}

/// The layers of blocks of `size` and less, on words from place `first` on, which come out reduced. Between the layers the
/// words are the bits of doubles.
#[inline(always)]
fn forward_body(transform: &Transform, words: &mut [u64], first: usize, size: usize) {
    let constants = Constants::new(&transform.prime);
    words.iter_mut().for_each(|word| *word = start(*word).to_bits());
    let (mut size, mut layer) = (size, 0);
    while size > BLOCK {
        let place = (transform.degree + first) / size;
        for (block, words) in words.chunks_exact_mut(size).enumerate() {
            let factor = at(&transform.forward, place + block);
            let (upper, lower) = words.split_at_mut(size / 2);
            match layer == LAYERS {
                true => {
                    split_all(upper, lower, |x, y| constants.split(constants.reduce(x), constants.reduce(y), factor))
                }
                false => split_all(upper, lower, |x, y| constants.split(x, y, factor)),
            }
        }
        layer = if layer == LAYERS { 1 } else { layer + 1 };
        size /= 2;
    }
    let place = (transform.degree + first) / BLOCK;
    for (block, words) in words.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        forward_tail(transform, constants, words, place + block);
    }
}

#[inline(always)]
fn split_all(upper: &mut [u64], lower: &mut [u64], butterfly: impl Fn(f64, f64) -> (f64, f64)) {
    for (x, y) in upper.iter_mut().zip(lower) {
        let (sum, difference) = butterfly(f64::from_bits(*x), f64::from_bits(*y));
        (*x, *y) = (sum.to_bits(), difference.to_bits());
    }
}

#[inline(always)]
fn forward_tail(transform: &Transform, constants: Constants, words: &mut [u64; BLOCK], place: usize) {
    let mut rows = [[0.0; 8]; 8];
    for (row, words) in rows.iter_mut().zip(words.as_chunks::<8>().0) {
        *row = words.map(|word| constants.reduce(f64::from_bits(word)));
    }
    for log in 0..3 {
        let half = 4 >> log;
        for block in 0..1 << log {
            let factor = at(&transform.forward, (place << log) + block);
            for row in 2 * half * block..2 * half * block + half {
                let (mut x, mut y) = (rows[row], rows[row + half]);
                for lane in 0..8 {
                    (x[lane], y[lane]) = constants.split(x[lane], y[lane], factor);
                }
                (rows[row], rows[row + half]) = (x, y);
            }
        }
    }
    let mut columns = transpose(&rows).map(|row| row.map(|x| constants.reduce(x)));
    let tail = tail_words(&transform.forward, transform.degree, place);
    for log in 0..3 {
        let half = 4 >> log;
        for block in 0..1 << log {
            let (values, ratios) = lanes(tail, (1 << log) + block);
            for column in 2 * half * block..2 * half * block + half {
                let (mut x, mut y) = (columns[column], columns[column + half]);
                for lane in 0..8 {
                    let factor = Double { value: values[lane], ratio: ratios[lane] };
                    (x[lane], y[lane]) = constants.split(x[lane], y[lane], factor);
                }
                (columns[column], columns[column + half]) = (x, y);
            }
        }
    }
    for (words, column) in words.as_chunks_mut::<8>().0.iter_mut().zip(&columns) {
        *words = column.map(|x| constants.finish(x));
    }
}

/// Rows become columns.
#[inline(always)]
fn transpose(rows: &[Row; 8]) -> [Row; 8] {
    std::array::from_fn(|row| std::array::from_fn(|column| rows[column][row]))
}

/// The factors of eight lanes.
#[inline(always)]
fn lanes(tail: &[u64], at: usize) -> (Row, Row) {
    let row = |words: &[u64]| std::array::from_fn(|lane| f64::from_bits(words[lane]));
    (row(&tail[16 * at - 16..][..8]), row(&tail[16 * at - 8..][..8]))
}

/// Sums double a bound that products keep small: they are reduced in every other layer, so that no word passes `4·p`.
#[inline(always)]
fn inverse_body(transform: &Transform, words: &mut [u64]) {
    let constants = Constants::new(&transform.prime);
    let place = transform.degree / BLOCK;
    for (block, words) in words.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        inverse_tail(transform, constants, words, place + block);
    }
    let (mut size, mut reduced) = (2 * BLOCK, true);
    while size < transform.degree {
        let place = transform.degree / size;
        for (block, words) in words.chunks_exact_mut(size).enumerate() {
            let factor = at(&transform.inverse, place + block);
            let (upper, lower) = words.split_at_mut(size / 2);
            match reduced {
                true => split_all(upper, lower, |x, y| (x + y, constants.multiply(x - y, factor))),
                false => split_all(upper, lower, |x, y| (constants.reduce(x + y), constants.multiply(x - y, factor))),
            }
        }
        reduced = !reduced;
        size *= 2;
    }
    let scale = transform.scale.map(|scale| double(factor(&transform.prime, scale.value)));
    let (upper, lower) = words.split_at_mut(size / 2);
    for (x, y) in upper.iter_mut().zip(lower) {
        let (upper, lower) = (f64::from_bits(*x), f64::from_bits(*y));
        *x = constants.finish(constants.multiply(upper + lower, scale[0]));
        *y = constants.finish(constants.multiply(upper - lower, scale[1]));
    }
}

#[inline(always)]
fn inverse_tail(transform: &Transform, constants: Constants, words: &mut [u64; BLOCK], place: usize) {
    let mut columns = [[0.0; 8]; 8];
    for (column, words) in columns.iter_mut().zip(words.as_chunks::<8>().0) {
        *column = words.map(start);
    }
    let tail = tail_words(&transform.inverse, transform.degree, place);
    for log in (0..3).rev() {
        let half = 4 >> log;
        for block in 0..1 << log {
            let (values, ratios) = lanes(tail, (1 << log) + block);
            for column in 2 * half * block..2 * half * block + half {
                let (mut x, mut y) = (columns[column], columns[column + half]);
                for lane in 0..8 {
                    let factor = Double { value: values[lane], ratio: ratios[lane] };
                    let (sum, difference) = (x[lane] + y[lane], x[lane] - y[lane]);
                    x[lane] = constants.reduce(sum);
                    y[lane] = constants.multiply(difference, factor);
                }
                (columns[column], columns[column + half]) = (x, y);
            }
        }
    }
    let mut rows = transpose(&columns);
    for log in (0..3).rev() {
        let half = 4 >> log;
        for block in 0..1 << log {
            let factor = at(&transform.inverse, (place << log) + block);
            for row in 2 * half * block..2 * half * block + half {
                let (mut x, mut y) = (rows[row], rows[row + half]);
                for lane in 0..8 {
                    let (sum, difference) = (x[lane] + y[lane], x[lane] - y[lane]);
                    x[lane] = constants.reduce(sum);
                    y[lane] = constants.multiply(difference, factor);
                }
                (rows[row], rows[row + half]) = (x, y);
            }
        }
    }
    for (words, row) in words.as_chunks_mut::<8>().0.iter_mut().zip(&rows) {
        *words = row.map(f64::to_bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntt::Backend;
    use crate::prime::choose;

    #[test]
    fn narrow_vectors_do_as_wide_ones() {
        if !works() {
            return;
        }
        for (degree, bits) in [(128, 30), (4096, 36), (8192, 50)] {
            let prime = choose(degree, &[bits])[0];
            let transform = Transform::with_backend(prime, degree, Backend::Float);
            let words: Vec<u64> =
                (0..degree as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % prime.value()).collect();
            let (mut wide, mut narrow) = (words.clone(), words.clone());
            transform.forward(&mut wide);
            // SAFETY: the machine has what the function needs, as asked above.
            unsafe { forward_narrow(&transform, &mut narrow, 0, degree) };
            assert!(wide == narrow, "forward, {bits} bits, degree {degree}");
            // SAFETY: as before.
            unsafe { inverse_narrow(&transform, &mut narrow) };
            assert!(words == narrow, "inverse, {bits} bits, degree {degree}");
        }
    }
}
