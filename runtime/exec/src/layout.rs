//! Reshape, permute, slice, concatenate and broadcast on words: every element goes to its place, none is computed.

use ptc_plan::operator::Operator;

/// Data of shape `shape`, made of `inputs` with their shapes. The plan's check has made sure that they fit.
pub fn layout(op: &Operator, inputs: &[(&[usize], &[u64])], shape: &[usize]) -> Vec<u64> {
    let &(from, data) = inputs.first().expect("a layout has an input");
    let strides = row_major(from);
    match op {
        Operator::Reshape { .. } => data.to_vec(),
        Operator::Permute { axes } => {
            let strides: Vec<usize> = axes.iter().map(|&axis| strides[axis]).collect();
            gather(data, shape, &strides)
        }
        Operator::Slice { axis, start, .. } => gather(&data[start * strides[*axis]..], shape, &strides),
        Operator::Broadcast { .. } => {
            let lead = shape.len() - from.len();
            let repeat = |axis: usize| match axis.checked_sub(lead) {
                Some(own) if from[own] == shape[axis] => strides[own],
                _ => 0,
            };
            let strides: Vec<usize> = (0..shape.len()).map(repeat).collect();
            gather(data, shape, &strides)
        }
        Operator::Concat { axis } => concat(inputs, *axis, shape),
        other => panic!("a checked plan has no layout `{}`", other.name()),
    }
}

fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Element `i` of the result is `data[sum of i · strides]`.
fn gather(data: &[u64], shape: &[usize], strides: &[usize]) -> Vec<u64> {
    let mut out = Vec::with_capacity(shape.iter().product());
    let (Some((&width, outer)), Some((&step, strides))) = (shape.split_last(), strides.split_last()) else {
        return data[..1].to_vec();
    };
    let mut at = vec![0; outer.len()];
    let mut start = 0;
    loop {
        match step {
            0 => out.extend(std::iter::repeat_n(data[start], width)),
            1 => out.extend_from_slice(&data[start..start + width]),
            _ => out.extend(data[start..].iter().step_by(step).take(width)),
        }
        // The next row: the last axis that has one more step.
        let Some(axis) = (0..outer.len()).rev().find(|&axis| at[axis] + 1 < outer[axis]) else { return out };
        for later in axis + 1..outer.len() {
            start -= at[later] * strides[later];
            at[later] = 0;
        }
        at[axis] += 1;
        start += strides[axis];
    }
}

fn concat(inputs: &[(&[usize], &[u64])], axis: usize, shape: &[usize]) -> Vec<u64> {
    let blocks: usize = shape[..axis].iter().product();
    let mut out = Vec::with_capacity(shape.iter().product());
    for block in 0..blocks {
        for (_, data) in inputs {
            let run = data.len() / blocks;
            out.extend_from_slice(&data[block * run..(block + 1) * run]);
        }
    }
    out
}

/// Sums over `axis` in the ring of `low`'s bits.
pub fn sum_axis(data: &[u64], shape: &[usize], axis: usize, low: u64) -> Vec<u64> {
    let (size, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let mut out = Vec::with_capacity(data.len() / size);
    for block in data.chunks_exact(size * inner) {
        let mut sum = vec![0u64; inner];
        for row in block.chunks_exact(inner) {
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum = sum.wrapping_add(*x));
        }
        out.extend(sum.into_iter().map(|x| x & low));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_plan::float::FloatTensor;

    /// The words of a layout go where the float operator puts its numbers.
    fn check(op: Operator, shapes: &[&[usize]]) {
        let mut next = 0;
        let tensors: Vec<FloatTensor> = shapes
            .iter()
            .map(|shape| {
                let count: usize = shape.iter().product();
                let data = (next..next + count).map(|x| x as f32).collect();
                next += count;
                FloatTensor::new(shape.to_vec(), data)
            })
            .collect();
        let expected = op.evaluate(&tensors.iter().collect::<Vec<_>>());
        let words: Vec<Vec<u64>> = tensors.iter().map(|t| t.data.iter().map(|&x| x as u64).collect()).collect();
        let inputs: Vec<_> = tensors.iter().zip(&words).map(|(t, w)| (t.shape.as_slice(), w.as_slice())).collect();
        let found: Vec<f32> = layout(&op, &inputs, &expected.shape).into_iter().map(|x| x as f32).collect();
        assert_eq!(found, expected.data, "{op:?} of {shapes:?}");
    }

    #[test]
    fn every_element_finds_its_place() {
        check(Operator::Reshape { shape: vec![3, 4] }, &[&[2, 6]]);
        check(Operator::Permute { axes: vec![1, 0] }, &[&[3, 5]]);
        check(Operator::Permute { axes: vec![1, 0, 2] }, &[&[4, 3, 5]]);
        check(Operator::Permute { axes: vec![2, 0, 3, 1] }, &[&[2, 3, 4, 5]]);
        check(Operator::Permute { axes: vec![] }, &[&[]]);
        check(Operator::Slice { axis: 0, start: 1, length: 2 }, &[&[4, 3]]);
        check(Operator::Slice { axis: 1, start: 2, length: 3 }, &[&[2, 6, 2]]);
        check(Operator::Slice { axis: 2, start: 1, length: 1 }, &[&[2, 3, 4]]);
        check(Operator::Broadcast { shape: vec![2, 3, 4] }, &[&[3, 1]]);
        check(Operator::Broadcast { shape: vec![2, 3] }, &[&[]]);
        check(Operator::Broadcast { shape: vec![2, 3] }, &[&[1, 3]]);
        check(Operator::Concat { axis: 0 }, &[&[1, 4], &[3, 4]]);
        check(Operator::Concat { axis: 1 }, &[&[2, 1, 3], &[2, 4, 3], &[2, 2, 3]]);
    }

    #[test]
    fn sums_stay_in_the_ring() {
        let data: Vec<u64> = (0..24).collect();
        for axis in 0..3 {
            let op = Operator::Sum { axis };
            let floats = FloatTensor::new(vec![2, 3, 4], data.iter().map(|&x| x as f32).collect());
            let expected: Vec<u64> = op.evaluate(&[&floats]).data.iter().map(|&x| x as u64 & 15).collect();
            assert_eq!(sum_axis(&data, &[2, 3, 4], axis, 15), expected, "axis {axis}");
        }
    }
}
