//! The transform in words of 64 bits: what every other backend must agree with.
//!
//! Words stay below `4·p` between the layers of the forward transform and below `2·p` in the inverse (Harvey, Journal of
//! Symbolic Computation, 2014).

use super::{BLOCK, Transform, transposed};
use crate::prime::Factor;

pub fn forward(transform: &Transform, words: &mut [u64]) {
    layers(transform, words, 0, words.len());
    finish(transform, words);
}

pub fn forward_short(transform: &Transform, coefficients: &[u64], first: usize, slots: &mut [u64]) {
    for block in slots.chunks_exact_mut(coefficients.len()) {
        block.copy_from_slice(coefficients);
    }
    layers(transform, slots, first, coefficients.len());
    transpose(slots);
}

/// The layers of blocks of `size` and less, on `words` from place `first` on.
fn layers(transform: &Transform, words: &mut [u64], first: usize, mut size: usize) {
    let prime = transform.prime;
    let twice = 2 * prime.value();
    while size > 1 {
        let place = (transform.degree + first) / size;
        for (at, block) in words.chunks_exact_mut(size).enumerate() {
            let root = transform.forward.at(place + at);
            let (upper, lower) = block.split_at_mut(size / 2);
            for (x, y) in upper.iter_mut().zip(lower) {
                let kept = (*x).min(x.wrapping_sub(twice));
                let product = prime.mul_factor_lazy(*y, root);
                *x = kept + product;
                *y = kept + twice - product;
            }
        }
        size /= 2;
    }
}

/// Reduces words below `4·p` and transposes the squares.
fn finish(transform: &Transform, words: &mut [u64]) {
    let prime = transform.prime;
    let twice = 2 * prime.value();
    words.iter_mut().for_each(|x| *x = prime.once((*x).min(x.wrapping_sub(twice))));
    transpose(words);
}

fn transpose(words: &mut [u64]) {
    for square in words.chunks_exact_mut(BLOCK) {
        for place in 0..BLOCK {
            let other = transposed(place);
            if place < other {
                square.swap(place, other);
            }
        }
    }
}

pub fn inverse(transform: &Transform, words: &mut [u64]) {
    let prime = transform.prime;
    let twice = 2 * prime.value();
    transpose(words);
    let butterflies = |block: &mut [u64], root: Factor| {
        let (upper, lower) = block.split_at_mut(block.len() / 2);
        for (x, y) in upper.iter_mut().zip(lower) {
            let sum = *x + *y;
            *y = prime.mul_factor_lazy(*x + twice - *y, root);
            *x = sum.min(sum.wrapping_sub(twice));
        }
    };
    let mut size = 2;
    while size < words.len() {
        let place = words.len() / size;
        for (at, block) in words.chunks_exact_mut(size).enumerate() {
            butterflies(block, transform.inverse.at(place + at));
        }
        size *= 2;
    }
    let (upper, lower) = words.split_at_mut(words.len() / 2);
    for (x, y) in upper.iter_mut().zip(lower) {
        let (sum, difference) = (*x + *y, *x + twice - *y);
        *x = prime.mul_factor(sum, transform.scale[0]);
        *y = prime.mul_factor(difference, transform.scale[1]);
    }
}
