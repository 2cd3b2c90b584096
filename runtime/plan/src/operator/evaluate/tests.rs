use crate::float::FloatTensor;
use crate::operator::Operator::{self, *};

fn tensor(shape: &[usize], data: &[f32]) -> FloatTensor {
    FloatTensor::new(shape.to_vec(), data.to_vec())
}

fn ramp(shape: &[usize]) -> FloatTensor {
    let count: usize = shape.iter().product();
    FloatTensor::new(shape.to_vec(), (0..count).map(|i| i as f32).collect())
}

fn check(op: Operator, inputs: &[&FloatTensor], shape: &[usize], expected: &[f32]) {
    let result = op.evaluate(inputs);
    assert_eq!(result.shape, shape, "{op:?}");
    for (at, (got, want)) in result.data.iter().zip(expected).enumerate() {
        assert!((got - want).abs() <= 1e-6 * want.abs().max(1.0), "{op:?} at {at}: {got}, expected {want}");
    }
}

#[test]
fn elementwise() {
    let x = tensor(&[4], &[-2.0, -0.5, 0.0, 3.0]);
    check(Negate, &[&x], &[4], &[2.0, 0.5, 0.0, -3.0]);
    check(Scale { by: 0.5 }, &[&x], &[4], &[-1.0, -0.25, 0.0, 1.5]);
    check(Offset { by: 1.0 }, &[&x], &[4], &[-1.0, 0.5, 1.0, 4.0]);
    check(Square, &[&x], &[4], &[4.0, 0.25, 0.0, 9.0]);
    check(Relu, &[&x], &[4], &[0.0, 0.0, 0.0, 3.0]);
    check(Gelu, &[&x], &[4], &[-0.045500264, -0.15426877, 0.0, 2.9959502]);
    check(GeluTanh, &[&x], &[4], &[-0.045402306, -0.154286, 0.0, 2.9963627]);
    check(Silu, &[&x], &[4], &[-0.23840584, -0.18877033, 0.0, 2.8577224]);
    check(Compare { threshold: 0.0 }, &[&x], &[4], &[1.0, 1.0, 0.0, 0.0]);
    check(Exp2 { octaves: 8, rounds: 3 }, &[&x], &[4], &[0.25, std::f32::consts::FRAC_1_SQRT_2, 1.0, 8.0]);
    let positive = tensor(&[2], &[4.0, 0.25]);
    check(Sqrt, &[&positive], &[2], &[2.0, 0.5]);
    check(Rsqrt, &[&positive], &[2], &[0.5, 2.0]);
    check(Reciprocal, &[&positive], &[2], &[0.25, 4.0]);
}

#[test]
fn operands_broadcast() {
    let column = tensor(&[2, 1], &[10.0, 20.0]);
    let row = tensor(&[3], &[1.0, 2.0, 3.0]);
    check(Add, &[&column, &row], &[2, 3], &[11.0, 12.0, 13.0, 21.0, 22.0, 23.0]);
    check(Subtract, &[&row, &column], &[2, 3], &[-9.0, -8.0, -7.0, -19.0, -18.0, -17.0]);
    check(Broadcast { shape: vec![2, 2, 1] }, &[&column], &[2, 2, 1], &[10.0, 20.0, 10.0, 20.0]);
    check(
        Select,
        &[&tensor(&[2, 1], &[1.0, 0.0]), &row, &FloatTensor::scalar(7.0)],
        &[2, 3],
        &[1.0, 2.0, 3.0, 7.0, 7.0, 7.0],
    );
    check(Gate, &[&tensor(&[2, 1], &[1.0, 0.0]), &row], &[2, 3], &[1.0, 2.0, 3.0, 0.0, 0.0, 0.0]);
}

#[test]
fn truth_values() {
    let a = tensor(&[4], &[0.0, 0.0, 1.0, 1.0]);
    let b = tensor(&[4], &[0.0, 1.0, 0.0, 1.0]);
    check(And, &[&a, &b], &[4], &[0.0, 0.0, 0.0, 1.0]);
    check(Or, &[&a, &b], &[4], &[0.0, 1.0, 1.0, 1.0]);
    check(Xor, &[&a, &b], &[4], &[0.0, 1.0, 1.0, 0.0]);
    check(Not, &[&a], &[4], &[1.0, 1.0, 0.0, 0.0]);
    check(Less, &[&a, &b], &[4], &[0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn structure() {
    let x = ramp(&[2, 3]);
    check(Permute { axes: vec![1, 0] }, &[&x], &[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    check(Permute { axes: vec![2, 0, 1] }, &[&ramp(&[2, 2, 2])], &[2, 2, 2], &[0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]);
    check(Slice { axis: 1, start: 1, length: 2 }, &[&x], &[2, 2], &[1.0, 2.0, 4.0, 5.0]);
    check(Concat { axis: 1 }, &[&x, &tensor(&[2, 1], &[8.0, 9.0])], &[2, 4], &[0.0, 1.0, 2.0, 8.0, 3.0, 4.0, 5.0, 9.0]);
    check(Gather, &[&x, &tensor(&[3], &[1.0, 0.0, 1.0])], &[3, 3], &[3.0, 4.0, 5.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    check(Sum { axis: 0 }, &[&x], &[1, 3], &[3.0, 5.0, 7.0]);
    check(Max { axis: 1 }, &[&x], &[2, 1], &[2.0, 5.0]);
}

#[test]
fn gather_outside_the_table_is_no_number() {
    let ids = tensor(&[4], &[2.0, -1.0, 0.5, f32::NAN]);
    assert!(Gather.evaluate(&[&ramp(&[2, 1]), &ids]).data.iter().all(|x| x.is_nan()));
}

#[test]
fn functions_of_the_last_axis() {
    let x = tensor(&[2, 2], &[0.0, 2.0f32.ln(), 1000.0, 1000.0]);
    check(Softmax, &[&x], &[2, 2], &[1.0 / 3.0, 2.0 / 3.0, 0.5, 0.5]);
    check(Softmax, &[&x, &tensor(&[2, 1], &[1.0, 0.0])], &[2, 2], &[1.0 / 3.0, 2.0 / 3.0, 0.0, 0.0]);
    check(Softmax, &[&x, &tensor(&[2], &[1.0, 0.0])], &[2, 2], &[1.0, 0.0, 1.0, 0.0]);
    check(Softmax2, &[&tensor(&[2], &[0.0, 1.0])], &[2], &[1.0 / 3.0, 2.0 / 3.0]);
    check(Normalize { eps: 0.0 }, &[&tensor(&[1, 2], &[1.0, 5.0])], &[1, 2], &[-1.0, 1.0]);
    check(RmsNormalize { eps: 0.0 }, &[&tensor(&[2], &[3.0, 3.0])], &[2], &[1.0, 1.0]);
    check(L2Normalize { eps: 1e-12 }, &[&tensor(&[2, 2], &[3.0, 4.0, 0.0, 0.0])], &[2, 2], &[0.6, 0.8, 0.0, 0.0]);
}

#[test]
fn a_table_reads_the_cell_that_holds_x() {
    let table = Table { low: -1.0, step_bits: 1, values: vec![vec![0.0, 1.0, 2.0, 3.0], vec![9.0; 4]] };
    let x = tensor(&[4], &[-1.0, -0.51, 0.0, 0.99]);
    check(table, &[&x], &[2, 4], &[0.0, 0.0, 2.0, 3.0, 9.0, 9.0, 9.0, 9.0]);
    let bits = BitTable { low: -1.0, step_bits: 1, values: vec![vec![true, false, false, true]] };
    check(bits, &[&x], &[1, 4], &[1.0, 1.0, 0.0, 1.0]);
    check(Rest { step_bits: 1 }, &[&tensor(&[4], &[-1.0, -0.75, 0.25, 1.75])], &[4], &[0.0, 0.25, 0.25, 0.25]);
}

/// Sizes around the tiles, against the definition in `f64`.
#[test]
fn matmul_agrees_with_its_definition() {
    let value = |i: usize, seed: usize| ((i * 7919 + seed * 104729) % 1000) as f32 / 500.0 - 1.0;
    for (n, m, l) in [(1, 1, 1), (4, 32, 8), (5, 33, 9), (3, 100, 7), (9, 64, 17)] {
        let a = FloatTensor::new(vec![n, m], (0..n * m).map(|i| value(i, 1)).collect());
        let b = FloatTensor::new(vec![m, l], (0..m * l).map(|i| value(i, 2)).collect());
        let term = |i: usize, j: usize, k: usize| f64::from(a.data[i * m + k]) * f64::from(b.data[k * l + j]);
        let entry = |i: usize| (0..m).map(|k| term(i / l, i % l, k)).sum::<f64>() as f32;
        let expected: Vec<f32> = (0..n * l).map(entry).collect();
        check(MatMul { transpose_b: false }, &[&a, &b], &[n, l], &expected);
        let turned = Permute { axes: vec![1, 0] }.evaluate(&[&b]);
        check(MatMul { transpose_b: true }, &[&a, &turned], &[n, l], &expected);
    }
}

#[test]
fn matmul_broadcasts_leading_sizes() {
    let a = ramp(&[2, 1, 1, 2]);
    let b = ramp(&[3, 2, 1]);
    check(MatMul { transpose_b: false }, &[&a, &b], &[2, 3, 1, 1], &[1.0, 3.0, 5.0, 3.0, 13.0, 23.0]);
}
