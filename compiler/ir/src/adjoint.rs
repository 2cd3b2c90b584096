//! Derivatives of the operators, backwards: what a small change of each operand does to a weighted sum of the result.
//!
//! `ptc calibrate` walks a graph from an output back with these, to learn how much an error of a value counts there. Where
//! a function has a corner the derivative is that of one side; truth values and indices have none.

use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;

/// For each operand, the gradient of `sum(gradient · result)`; `None` where a small change changes nothing, or never
/// happens.
pub fn adjoint(
    op: &Operator,
    inputs: &[&FloatTensor],
    result: &FloatTensor,
    gradient: &FloatTensor,
) -> Vec<Option<FloatTensor>> {
    use Operator::*;
    let g = gradient;
    let x = inputs[0];
    let one = |gradient: FloatTensor| vec![Some(gradient)];
    let apply = |op: Operator, x: &FloatTensor| op.evaluate(&[x]);
    match op {
        Add => vec![Some(folded(g, &x.shape)), Some(folded(g, &inputs[1].shape))],
        Subtract => vec![Some(folded(g, &x.shape)), Some(folded(&apply(Negate, g), &inputs[1].shape))],
        Multiply => [1, 0].map(|other| Some(product(g, inputs[other], &inputs[1 - other].shape))).to_vec(),
        Divide => {
            let inverse = apply(Reciprocal, inputs[1]);
            let by_x = product(g, &inverse, &x.shape);
            let bent = Multiply.evaluate(&[&apply(Negate, result), &inverse]);
            vec![Some(by_x), Some(product(g, &bent, &inputs[1].shape))]
        }
        MatMul { transpose_b } => matmul(x, inputs[1], *transpose_b, g),
        Negate => one(apply(Negate, g)),
        Scale { by } => one(apply(Scale { by: *by }, g)),
        Offset { .. } | Rescale | Rest { .. } => one(g.clone()),
        Reshape { .. } => one(FloatTensor::new(x.shape.clone(), g.data.clone())),
        Permute { axes } => {
            let mut inverse = vec![0; axes.len()];
            axes.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
            one(apply(Permute { axes: inverse }, g))
        }
        Slice { axis, start, .. } => one(embedded(g, &x.shape, *axis, *start)),
        Concat { axis } => {
            let mut start = 0;
            let part = |input: &&FloatTensor| {
                let length = input.shape[*axis];
                start += length;
                Some(apply(Slice { axis: *axis, start: start - length, length }, g))
            };
            inputs.iter().map(part).collect()
        }
        Broadcast { .. } => one(folded(g, &x.shape)),
        Sum { .. } => one(apply(Broadcast { shape: x.shape.clone() }, g)),
        Max { axis } => one(largest(x, result, g, *axis)),
        Gate => vec![None, Some(product(g, x, &inputs[1].shape))],
        Select => {
            let kept = apply(Not, x);
            vec![None, Some(product(g, x, &inputs[1].shape)), Some(product(g, &kept, &inputs[2].shape))]
        }
        Softmax => softmax(inputs, result, g, 1.0),
        Softmax2 => softmax(inputs, result, g, std::f64::consts::LN_2),
        Normalize { eps } => one(by_rows(x, result, g, |x, y, g| normalized(x, y, g, *eps, true))),
        RmsNormalize { eps } => one(by_rows(x, result, g, |x, y, g| normalized(x, y, g, *eps, false))),
        L2Normalize { eps } => one(by_rows(x, result, g, |x, y, g| {
            let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
            let along = if norm > *eps { dot(y, g) } else { 0.0 };
            g.iter().zip(y).map(|(g, y)| (g - y * along) / norm.max(*eps)).collect()
        })),
        Gather | Less | Not | And | Or | Xor | Compare { .. } | BitToReal => vec![None; inputs.len()],
        Levels { .. } | Table { .. } | BitTable { .. } => vec![None; inputs.len()],
        _ => one(elementwise(op, x, result, g)),
    }
}

/// Functions of one number, by their slopes.
fn elementwise(op: &Operator, x: &FloatTensor, result: &FloatTensor, g: &FloatTensor) -> FloatTensor {
    use Operator::*;
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let slope = |x: f64, y: f64| match op {
        Square => 2.0 * x,
        Relu => f64::from(x > 0.0),
        // Φ(x) + x · φ(x), with Φ from the result.
        Gelu => {
            let below = if x.abs() > 1e-6 { y / x } else { 0.5 };
            below + x * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
        }
        // `x · s(w)` with `w = 2√(2/π) · (x + c x³)`.
        GeluTanh => {
            let (a, c) = (2.0 * (2.0 / std::f64::consts::PI).sqrt(), 0.044715);
            let s = sigmoid(a * (x + c * x * x * x));
            s + x * s * (1.0 - s) * a * (1.0 + 3.0 * c * x * x)
        }
        Silu => sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))),
        Tanh => 1.0 - y * y,
        Sigmoid => y * (1.0 - y),
        Exp => y,
        Exp2 { .. } => std::f64::consts::LN_2 * y,
        Sqrt => 0.5 / y,
        Rsqrt => -0.5 * y * y * y,
        Reciprocal => -y * y,
        _ => 0.0,
    };
    let all = x.data.iter().zip(&result.data).zip(&g.data);
    let data = all.map(|((&x, &y), &g)| (slope(x.into(), y.into()) * f64::from(g)) as f32).collect();
    FloatTensor::new(x.shape.clone(), data)
}

/// `g · by`, summed to the shape of the operand that was broadcast.
fn product(g: &FloatTensor, by: &FloatTensor, shape: &[usize]) -> FloatTensor {
    folded(&Operator::Multiply.evaluate(&[g, by]), shape)
}

/// The sum over the axes along which a value of this shape was broadcast.
fn folded(g: &FloatTensor, shape: &[usize]) -> FloatTensor {
    if g.shape == shape {
        return g.clone();
    }
    let lead = g.shape.len() - shape.len();
    let mut sum = g.clone();
    for axis in 0..g.shape.len() {
        if axis < lead || shape[axis - lead] == 1 && g.shape[axis] != 1 {
            sum = Operator::Sum { axis }.evaluate(&[&sum]);
        }
    }
    FloatTensor::new(shape.to_vec(), sum.data)
}

fn turned(x: &FloatTensor) -> FloatTensor {
    let mut axes: Vec<usize> = (0..x.shape.len()).collect();
    let last = axes.len() - 1;
    axes.swap(last - 1, last);
    Operator::Permute { axes }.evaluate(&[x])
}

/// As one matrix of all rows.
fn flat(x: &FloatTensor) -> FloatTensor {
    let columns = x.shape.last().copied().unwrap_or(1);
    FloatTensor::new(vec![x.data.len() / columns.max(1), columns], x.data.clone())
}

fn matmul(x: &FloatTensor, y: &FloatTensor, transpose_b: bool, g: &FloatTensor) -> Vec<Option<FloatTensor>> {
    let times = |a: &FloatTensor, b: &FloatTensor| Operator::MatMul { transpose_b: false }.evaluate(&[a, b]);
    let by_x = Operator::MatMul { transpose_b: !transpose_b }.evaluate(&[g, y]);
    let (x_rows, g_rows) = match y.shape.len() {
        2 => (flat(x), flat(g)),
        _ => (x.clone(), g.clone()),
    };
    let by_y = match transpose_b {
        true => times(&turned(&g_rows), &x_rows),
        false => times(&turned(&x_rows), &g_rows),
    };
    vec![Some(folded(&by_x, &x.shape)), Some(folded(&by_y, &y.shape))]
}

/// Zeros but for `g` from `start` on along the axis.
fn embedded(g: &FloatTensor, shape: &[usize], axis: usize, start: usize) -> FloatTensor {
    let mut data = vec![0.0; shape.iter().product()];
    let inner: usize = shape[axis + 1..].iter().product();
    let (run, step) = (g.shape[axis] * inner, shape[axis] * inner);
    if run > 0 {
        for (block, part) in g.data.chunks_exact(run).enumerate() {
            data[block * step + start * inner..][..run].copy_from_slice(part);
        }
    }
    FloatTensor::new(shape.to_vec(), data)
}

/// To the first of the largest elements.
fn largest(x: &FloatTensor, result: &FloatTensor, g: &FloatTensor, axis: usize) -> FloatTensor {
    let mut data = vec![0.0; x.data.len()];
    let inner: usize = x.shape[axis + 1..].iter().product();
    for (at, (&most, &g)) in result.data.iter().zip(&g.data).enumerate() {
        let (block, column) = (at / inner, at % inner);
        let places = (0..x.shape[axis]).map(|i| (block * x.shape[axis] + i) * inner + column);
        if let Some(place) = { places }.find(|&place| x.data[place] == most) {
            data[place] = g;
        }
    }
    FloatTensor::new(x.shape.clone(), data)
}

/// `rate · y · (g - sum of y · g)` in each row; kept or not is no number that errs.
fn softmax(inputs: &[&FloatTensor], y: &FloatTensor, g: &FloatTensor, rate: f64) -> Vec<Option<FloatTensor>> {
    let by_x = by_rows(inputs[0], y, g, |_, y, g| {
        let mean = dot(y, g);
        g.iter().zip(y).map(|(g, y)| rate * y * (g - mean)).collect()
    });
    let mut all = vec![Some(by_x)];
    all.resize(inputs.len(), None);
    all
}

/// Of `y = (x - mean) · s` or `y = x · s`, `s = 1 / sqrt(mean square + eps)`.
fn normalized(x: &[f64], y: &[f64], g: &[f64], eps: f64, centre: bool) -> Vec<f64> {
    let size = x.len() as f64;
    let middle = if centre { x.iter().sum::<f64>() / size } else { 0.0 };
    let scale = 1.0 / (x.iter().map(|x| (x - middle) * (x - middle)).sum::<f64>() / size + eps).sqrt();
    let mean = if centre { g.iter().sum::<f64>() / size } else { 0.0 };
    let along = dot(y, g) / size;
    g.iter().zip(y).map(|(g, y)| scale * (g - mean - y * along)).collect()
}

fn by_rows(
    x: &FloatTensor,
    y: &FloatTensor,
    g: &FloatTensor,
    row: impl Fn(&[f64], &[f64], &[f64]) -> Vec<f64>,
) -> FloatTensor {
    let width = x.shape.last().copied().unwrap_or(1).max(1);
    let wide = |row: &[f32]| row.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let rows = x.data.chunks_exact(width).zip(y.data.chunks_exact(width)).zip(g.data.chunks_exact(width));
    let data = rows.flat_map(|((x, y), g)| row(&wide(x), &wide(y), &wide(g))).map(|x| x as f32).collect();
    FloatTensor::new(x.shape.clone(), data)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every operand is moved along a random direction: the weighted result moves as the gradients say.
    fn check(op: Operator, shapes: &[&[usize]], low: f32, high: f32) {
        let mut state = 7u64;
        let mut random = |count: usize, low: f32, high: f32| -> Vec<f32> {
            let mut next = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 40) as f32 / (1u64 << 24) as f32
            };
            (0..count).map(|_| low + (high - low) * next()).collect()
        };
        let tensor = |shape: &[usize], data| FloatTensor::new(shape.to_vec(), data);
        let size = |shape: &[usize]| shape.iter().product::<usize>();
        let inputs: Vec<FloatTensor> =
            shapes.iter().map(|shape| tensor(shape, random(size(shape), low, high))).collect();
        let inputs: Vec<&FloatTensor> = inputs.iter().collect();
        let result = op.evaluate(&inputs);
        let weights = tensor(&result.shape, random(result.data.len(), -1.0, 1.0));
        let weighted = |inputs: &[&FloatTensor]| {
            let all = op.evaluate(inputs);
            all.data.iter().zip(&weights.data).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum::<f64>()
        };
        for (at, gradient) in adjoint(&op, &inputs, &result, &weights).into_iter().enumerate() {
            let Some(gradient) = gradient else { continue };
            assert_eq!(gradient.shape, inputs[at].shape, "{}", op.name());
            let step = 1e-2f32;
            let way = random(inputs[at].data.len(), -1.0, 1.0);
            let moved = |sign: f32| {
                let data = inputs[at].data.iter().zip(&way).map(|(x, w)| x + sign * step * w).collect();
                let moved = tensor(&inputs[at].shape, data);
                let mut inputs = inputs.clone();
                inputs[at] = &moved;
                weighted(&inputs)
            };
            let found = (moved(1.0) - moved(-1.0)) / (2.0 * f64::from(step));
            let said = gradient.data.iter().zip(&way).map(|(&g, &w)| f64::from(g) * f64::from(w)).sum::<f64>();
            let size = gradient.data.iter().map(|g| f64::from(g.abs())).sum::<f64>().max(0.1);
            assert!((found - said).abs() < 5e-3 * size, "{} operand {at}: {found}, not {said}", op.name());
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        use Operator::*;
        let two: &[&[usize]] = &[&[3, 4], &[4]];
        for op in [Add, Subtract, Multiply, Divide] {
            check(op, two, 0.5, 2.0);
        }
        check(Multiply, &[&[3, 1], &[3, 4]], -1.0, 1.0);
        check(MatMul { transpose_b: false }, &[&[2, 3, 4], &[4, 5]], -1.0, 1.0);
        check(MatMul { transpose_b: true }, &[&[2, 3, 4], &[5, 4]], -1.0, 1.0);
        check(MatMul { transpose_b: true }, &[&[2, 3, 4], &[2, 5, 4]], -1.0, 1.0);
        check(MatMul { transpose_b: false }, &[&[2, 3, 4], &[2, 4, 5]], -1.0, 1.0);
        let rows: &[&[usize]] = &[&[3, 6]];
        let smooth =
            [Negate, Scale { by: -3.0 }, Offset { by: 2.0 }, Square, Rescale, Gelu, GeluTanh, Silu, Tanh, Sigmoid, Exp];
        for op in smooth.into_iter().chain([Exp2 { octaves: 8, rounds: 3 }, Softmax, Softmax2]) {
            check(op, rows, -2.0, 2.0);
        }
        for op in [Relu, Sqrt, Rsqrt, Reciprocal] {
            check(op, rows, 0.5, 2.0);
        }
        for op in [Normalize { eps: 0.1 }, RmsNormalize { eps: 0.1 }, L2Normalize { eps: 0.1 }] {
            check(op, rows, -1.0, 1.0);
        }
        check(Reshape { shape: vec![2, 9] }, rows, -1.0, 1.0);
        check(Permute { axes: vec![2, 0, 1] }, &[&[2, 3, 4]], -1.0, 1.0);
        check(Slice { axis: 1, start: 2, length: 3 }, rows, -1.0, 1.0);
        check(Concat { axis: 1 }, &[&[3, 2], &[3, 4]], -1.0, 1.0);
        check(Broadcast { shape: vec![2, 3, 4] }, &[&[3, 1]], -1.0, 1.0);
        check(Sum { axis: 0 }, rows, -1.0, 1.0);
        check(Max { axis: 1 }, rows, -1.0, 1.0);
        check(Gate, &[&[3, 6], &[3, 6]], 0.0, 1.0);
    }
}
