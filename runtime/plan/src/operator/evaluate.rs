//! Floating-point meaning of the operators.
//!
//! Data are `f32`; functions and sums are computed in `f64` and rounded once.

use std::borrow::Cow;

use super::Operator;
use super::shape::shape;
use crate::float::FloatTensor;

mod matmul;
mod special;
mod strided;

use strided::{expand, strided};

pub(super) fn evaluate(op: &Operator, inputs: &[&FloatTensor]) -> FloatTensor {
    let shapes: Vec<&[usize]> = inputs.iter().map(|x| x.shape.as_slice()).collect();
    let shape = shape(op, &shapes).expect("the caller has checked the shapes");
    let data = data(op, inputs, &shape);
    FloatTensor::new(shape, data)
}

/// The elements of the result of shape `shape`.
fn data(op: &Operator, inputs: &[&FloatTensor], shape: &[usize]) -> Vec<f32> {
    use Operator::*;
    let x = inputs[0];
    match op {
        Add => zip(inputs, shape, |a, b| a + b),
        Subtract => zip(inputs, shape, |a, b| a - b),
        Multiply | Gate => zip(inputs, shape, |a, b| a * b),
        Divide => zip(inputs, shape, |a, b| a / b),
        Negate => map(x, |x| -x),
        Scale { by } => map(x, |x| x * by),
        Offset { by } => map(x, |x| x + by),
        Square => map(x, |x| x * x),
        MatMul { transpose_b } => matmul::matmul(x, inputs[1], *transpose_b, shape),
        Reshape { .. } | Rescale | BitToReal => x.data.clone(),
        Permute { axes } => permute(x, axes, shape),
        Slice { axis, start, length } => slice(x, *axis, *start, *length),
        Concat { axis } => concat(inputs, *axis),
        Broadcast { .. } => expand(x, shape).into_owned(),
        Gather => gather(x, inputs[1]),
        Sum { axis } => reduce(x, *axis, 0.0, |sum, x| sum + x),
        Max { axis } => reduce(x, *axis, f64::NEG_INFINITY, max),
        Relu => map(x, |x| max(x, 0.0)),
        Gelu => map(x, special::gelu),
        GeluTanh => map(x, special::gelu_tanh),
        Silu => map(x, |x| x * special::sigmoid(x)),
        Tanh => map(x, f64::tanh),
        Sigmoid => map(x, special::sigmoid),
        Exp => map(x, f64::exp),
        Sqrt => map(x, f64::sqrt),
        Rsqrt => map(x, |x| 1.0 / x.sqrt()),
        Reciprocal => map(x, |x| 1.0 / x),
        Softmax => softmax(x, inputs.get(1).copied(), f64::exp),
        Softmax2 => softmax(x, inputs.get(1).copied(), f64::exp2),
        Normalize { eps } => rows(x, |row| normalize(row, *eps)),
        RmsNormalize { eps } => rows(x, |row| {
            let scale = 1.0 / (mean(row, |x| x * x) + eps).sqrt();
            row.iter_mut().for_each(|x| *x *= scale);
        }),
        L2Normalize { eps } => rows(x, |row| {
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter_mut().for_each(|x| *x /= max(norm, *eps));
        }),
        Less => zip(inputs, shape, |a, b| bit(a < b)),
        Not => map(x, |x| 1.0 - x),
        And => zip(inputs, shape, |a, b| a * b),
        Or => zip(inputs, shape, |a, b| a + b - a * b),
        Xor => zip(inputs, shape, |a, b| a + b - 2.0 * a * b),
        Select => select(inputs, shape),
        Compare { threshold } => map(x, |x| bit(x < *threshold)),
        Exp2 { .. } => map(x, f64::exp2),
        Levels { low, step, count } => {
            let reached = |x: f64| (((x - low) / step).floor() + 1.0).clamp(0.0, f64::from(*count)) * step;
            let largest = reduce(x, x.shape.len() - 1, f64::NEG_INFINITY, max);
            largest.into_iter().map(|x| reached(f64::from(x)) as f32).collect()
        }
        Table { low, step_bits, values } => table(x, *low, *step_bits, values, |&value| value),
        BitTable { low, step_bits, values } => table(x, *low, *step_bits, values, |&truth| bit(truth) as f32),
        Rest { step_bits } => map(x, |x| x.rem_euclid(f64::from(-step_bits).exp2())),
    }
}

fn bit(truth: bool) -> f64 {
    if truth { 1.0 } else { 0.0 }
}

/// The larger one; unlike `f64::max`, a NaN is never lost.
fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

fn map(x: &FloatTensor, function: impl Fn(f64) -> f64) -> Vec<f32> {
    x.data.iter().map(|&x| function(f64::from(x)) as f32).collect()
}

fn zip(inputs: &[&FloatTensor], shape: &[usize], function: impl Fn(f64, f64) -> f64) -> Vec<f32> {
    let (a, b) = (expand(inputs[0], shape), expand(inputs[1], shape));
    let function = |(&a, &b): (&f32, &f32)| function(f64::from(a), f64::from(b)) as f32;
    a.iter().zip(b.iter()).map(function).collect()
}

fn select(inputs: &[&FloatTensor], shape: &[usize]) -> Vec<f32> {
    let (bit, a, b) = (expand(inputs[0], shape), expand(inputs[1], shape), expand(inputs[2], shape));
    bit.iter().zip(a.iter().zip(b.iter())).map(|(&bit, (&a, &b))| if bit != 0.0 { a } else { b }).collect()
}

fn permute(x: &FloatTensor, axes: &[usize], shape: &[usize]) -> Vec<f32> {
    let from = strided::row_major(&x.shape);
    let strides: Vec<usize> = axes.iter().map(|&axis| from[axis]).collect();
    strided(&x.data, 0, shape, &strides)
}

/// Elements after `axis` and including it, per step of the axes before it: `(blocks, size of the axis, inner)`.
fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

fn slice(x: &FloatTensor, axis: usize, start: usize, length: usize) -> Vec<f32> {
    let (blocks, size, inner) = around(&x.shape, axis);
    let mut result = Vec::with_capacity(blocks * length * inner);
    for block in 0..blocks {
        let from = (block * size + start) * inner;
        result.extend_from_slice(&x.data[from..from + length * inner]);
    }
    result
}

fn concat(inputs: &[&FloatTensor], axis: usize) -> Vec<f32> {
    let blocks: usize = inputs[0].shape[..axis].iter().product();
    let mut result = Vec::with_capacity(inputs.iter().map(|x| x.data.len()).sum());
    for block in 0..blocks {
        for x in inputs {
            let run = x.data.len() / blocks;
            result.extend_from_slice(&x.data[block * run..(block + 1) * run]);
        }
    }
    result
}

/// An id outside the table has no row: its result is NaN, so that it cannot pass for a number.
fn gather(table: &FloatTensor, ids: &FloatTensor) -> Vec<f32> {
    let (rows, width) = (table.shape[0], table.shape[1..].iter().product::<usize>());
    let mut result = Vec::with_capacity(ids.data.len() * width);
    for &id in &ids.data {
        if id >= 0.0 && id < rows as f32 && id.fract() == 0.0 {
            let from = id as usize * width;
            result.extend_from_slice(&table.data[from..from + width]);
        } else {
            result.extend(std::iter::repeat_n(f32::NAN, width));
        }
    }
    result
}

fn reduce(x: &FloatTensor, axis: usize, start: f64, join: impl Fn(f64, f64) -> f64) -> Vec<f32> {
    let (blocks, size, inner) = around(&x.shape, axis);
    let mut result = Vec::with_capacity(blocks * inner);
    let mut line = vec![start; inner];
    for block in 0..blocks {
        line.fill(start);
        for at in 0..size {
            let from = (block * size + at) * inner;
            for (sum, &x) in line.iter_mut().zip(&x.data[from..from + inner]) {
                *sum = join(*sum, f64::from(x));
            }
        }
        result.extend(line.iter().map(|&x| x as f32));
    }
    result
}

/// Applies `function` to every row of the last axis.
fn rows(x: &FloatTensor, function: impl Fn(&mut [f64])) -> Vec<f32> {
    let width = *x.shape.last().expect("at least one axis");
    let mut result = Vec::with_capacity(x.data.len());
    let mut row = vec![0.0; width];
    for from in x.data.chunks_exact(width.max(1)) {
        row.iter_mut().zip(from).for_each(|(to, &x)| *to = f64::from(x));
        function(&mut row);
        result.extend(row.iter().map(|&x| x as f32));
    }
    result
}

fn mean(row: &[f64], function: impl Fn(f64) -> f64) -> f64 {
    row.iter().map(|&x| function(x)).sum::<f64>() / row.len() as f64
}

fn normalize(row: &mut [f64], eps: f64) {
    let centre = mean(row, |x| x);
    let scale = 1.0 / (mean(row, |x| (x - centre) * (x - centre)) + eps).sqrt();
    row.iter_mut().for_each(|x| *x = (*x - centre) * scale);
}

/// A row of which nothing is kept has weight 0 everywhere.
fn softmax(x: &FloatTensor, keep: Option<&FloatTensor>, power: fn(f64) -> f64) -> Vec<f32> {
    let keep = match keep {
        Some(keep) => expand(keep, &x.shape),
        None => Cow::Owned(vec![1.0; x.data.len()]),
    };
    let width = x.shape.last().copied().unwrap_or(1).max(1);
    let mut result = Vec::with_capacity(x.data.len());
    for (row, keep) in x.data.chunks_exact(width).zip(keep.chunks_exact(width)) {
        let kept = row.iter().zip(keep).filter(|&(_, &keep)| keep != 0.0).map(|(&x, _)| f64::from(x));
        let top = kept.fold(f64::NEG_INFINITY, max);
        let weight = |(&x, &keep): (&f32, &f32)| if keep != 0.0 { power(f64::from(x) - top) } else { 0.0 };
        let sum: f64 = row.iter().zip(keep).map(weight).sum();
        let share = |weight: f64| if weight == 0.0 { 0.0 } else { weight / sum };
        result.extend(row.iter().zip(keep).map(|pair| share(weight(pair)) as f32));
    }
    result
}

/// Outside its cells a table repeats, as the protocol's index does.
fn table<T>(x: &FloatTensor, low: f64, step_bits: i32, values: &[Vec<T>], real: fn(&T) -> f32) -> Vec<f32> {
    let mut result = Vec::with_capacity(values.len() * x.data.len());
    for row in values {
        result.extend(x.data.iter().map(|&x| {
            let cell = ((f64::from(x) - low) * f64::from(step_bits).exp2()).floor();
            if cell.is_finite() { real(&row[cell.rem_euclid(row.len() as f64) as usize]) } else { f32::NAN }
        }));
    }
    result
}

#[cfg(test)]
mod tests;
