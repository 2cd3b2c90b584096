//! Copies by strides: broadcasts and permutations.

use std::borrow::Cow;

use crate::float::FloatTensor;

/// Distance between neighbours along each axis.
pub fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Strides that read a tensor of shape `from` as one of shape `to`: axes that repeat have stride 0.
pub fn repeating(from: &[usize], to: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; to.len() - from.len()];
    strides.extend(row_major(from).into_iter().zip(from).map(|(stride, &size)| if size == 1 { 0 } else { stride }));
    strides
}

/// The elements of `x` broadcast to `shape`.
pub fn expand<'a>(x: &'a FloatTensor, shape: &[usize]) -> Cow<'a, [f32]> {
    if x.data.len() == shape.iter().product::<usize>() {
        return Cow::Borrowed(&x.data);
    }
    Cow::Owned(strided(&x.data, 0, shape, &repeating(&x.shape, shape)))
}

/// A tensor of shape `shape` read from `data` at `start` and on by `strides`.
pub fn strided(data: &[f32], start: usize, shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut result = Vec::with_capacity(shape.iter().product());
    copy(data, start, shape, strides, &mut result);
    result
}

fn copy(data: &[f32], start: usize, shape: &[usize], strides: &[usize], result: &mut Vec<f32>) {
    match (shape, strides) {
        (&[], _) => result.push(data[start]),
        (&[size], &[0]) => result.extend(std::iter::repeat_n(data[start], size)),
        (&[size], &[1]) => result.extend_from_slice(&data[start..start + size]),
        (&[size], &[stride]) => result.extend((0..size).map(|i| data[start + i * stride])),
        (&[size, ref shape @ ..], &[stride, ref strides @ ..]) => {
            for i in 0..size {
                copy(data, start + i * stride, shape, strides, result);
            }
        }
        _ => unreachable!("a stride for every axis"),
    }
}
