//! Ideal functionalities: what each protocol computes, on values in the ring, without a second party.
//!
//! Where a protocol is right to one unit, this is the floor: [`rescale`] may come out one unit above, the index of
//! [`table`] and [`levels`] one below, and [`rest`] then by a cell more.

use ptc_kernels::batched::Shape;
use ptc_plan::step::{Exp2, Fixed, Levels};
use ptc_ring::fixed::to_signed;
use ptc_ring::tensor::mask;

/// `y` has one element for each of `x`, or one for each row.
pub fn mul(x: &[u64], y: &[u64], bits: u32) -> Vec<u64> {
    let each = x.len() / y.len().max(1);
    x.iter().enumerate().map(|(i, x)| x.wrapping_mul(y[i / each.max(1)]) & mask(bits)).collect()
}

/// `w` repeats along `x`.
pub fn static_mul(x: &[u64], w: &[u64], bits: u32) -> Vec<u64> {
    x.iter().zip(w.iter().cycle()).map(|(x, w)| x.wrapping_mul(*w) & mask(bits)).collect()
}

pub fn matmul(x: &[u64], y: &[u64], shape: Shape, bits: u32) -> Vec<u64> {
    let Shape { batch, m, k, n, transpose_b } = shape;
    let mut product = vec![0u64; batch * m * n];
    for (at, out) in product.iter_mut().enumerate() {
        let (b, i, j) = (at / (m * n), at / n % m, at % n);
        for l in 0..k {
            let y = if transpose_b { y[(b * n + j) * k + l] } else { y[(b * k + l) * n + j] };
            *out = out.wrapping_add(x[(b * m + i) * k + l].wrapping_mul(y));
        }
        *out &= mask(bits);
    }
    product
}

pub fn square(x: &[u64], bits: u32) -> Vec<u64> {
    mul(x, x, bits)
}

/// The floor.
pub fn rescale(x: &[u64], from: Fixed, to: Fixed) -> Vec<u64> {
    x.iter().map(|&x| (to_signed(x, from.bits) >> (from.frac - to.frac)) as u64 & mask(to.bits)).collect()
}

pub fn compare(x: &[u64], threshold: i64, bits: u32) -> Vec<u64> {
    let y = |x: u64| x.wrapping_sub(threshold as u64) & mask(bits);
    x.iter().map(|&x| y(x) >> (bits - 1)).collect()
}

pub fn and(x: &[u64], y: &[u64]) -> Vec<u64> {
    x.iter().zip(y).map(|(x, y)| x & y).collect()
}

pub fn bit_to_share(b: &[u64], to: Fixed) -> Vec<u64> {
    b.iter().map(|b| b << to.frac & mask(to.bits)).collect()
}

pub fn gate(b: &[u64], x: &[u64], bits: u32) -> Vec<u64> {
    b.iter().zip(x).map(|(b, x)| (b * x) & mask(bits)).collect()
}

/// One row of outputs for each table.
pub fn table(x: &[u64], index_bits: u32, shift: u32, values: &[Vec<u64>]) -> Vec<Vec<u64>> {
    let index = |x: &u64| (x >> shift & mask(index_bits)) as usize;
    values.iter().map(|table| x.iter().map(|x| table[index(x)]).collect()).collect()
}

pub fn rest(x: &[u64], shift: u32, bits: u32) -> Vec<u64> {
    x.iter().map(|x| x & mask(shift) & mask(bits)).collect()
}

/// In units of the result, not rounded.
pub fn exp2(x: &[u64], frac: u32, exp: Exp2) -> Vec<f64> {
    // Up to one; what reads as more stands for less by the whole range.
    let read = exp.input_bits(frac);
    let over = |x: u64| if x > 1 << frac { f64::from(read).exp2() } else { 0.0 };
    let real = |x: &u64| ((x & mask(read)) as f64 - over(x & mask(read))) / f64::from(frac).exp2();
    x.iter().map(|x| (real(x) + f64::from(exp.result_frac)).exp2()).collect()
}

/// The most levels that an element of a row reaches, not shifted.
pub fn levels(x: &[u64], width: usize, scale: Levels) -> Vec<u64> {
    let low = mask(scale.index_bits);
    let reached = |x: &u64| match (x >> scale.shift).wrapping_sub(u64::from(scale.first)) & low {
        place if place < u64::from(scale.count) => place + 1,
        _ => 0,
    };
    x.chunks(width).map(|row| row.iter().map(reached).max().expect("a row")).collect()
}

pub fn max(x: &[u64], width: usize, bits: u32) -> Vec<u64> {
    let largest = |row: &[u64]| row.iter().map(|&x| to_signed(x, bits)).max().expect("a row") as u64 & mask(bits);
    x.chunks(width).map(largest).collect()
}
