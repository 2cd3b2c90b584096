//! The interval rule of each operator, and of operands that are the same value or one derived from the other.

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, NodeId, Op};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;

/// Where GELU, its form with `tanh`, and SiLU are least.
const GELU_TURN: f64 = -0.751_79;
const GELU_TANH_TURN: f64 = -0.752_46;
const SILU_TURN: f64 = -1.278_46;
/// What single precision may hide at an end.
const SLACK: f64 = 1e-6;

/// The ends of the operator's result on operands within `bounds`.
pub fn interval(op: &Operator, bounds: &[Bound], graph: &Graph, node: &Node) -> (f64, f64) {
    use Operator::*;
    let nothing = Bound { low: 0.0, high: 0.0, grade: Grade::Proved };
    let x = bounds.first().copied().unwrap_or(nothing);
    let y = bounds.get(1).copied().unwrap_or(x);
    let shape = |i: usize| &graph.node(node.inputs[i]).shape;
    let last = || shape(0).last().copied().unwrap_or(1) as f64;
    let same = node.inputs.len() == 2 && node.inputs[0] == node.inputs[1];
    match op {
        Add => (x.low + y.low, x.high + y.high),
        Subtract if same => (0.0, 0.0),
        Subtract if is_maximum(graph, node.inputs[1], node.inputs[0]) => (x.low - y.high, 0.0),
        Subtract => (x.low - y.high, x.high - y.low),
        Multiply if same => square(x),
        Multiply => product(x, y),
        MatMul { .. } => {
            let (low, high) = product(x, y);
            (low * last(), high * last())
        }
        Divide if is_part(graph, node) && x.low >= 0.0 => (0.0, 1.0),
        Divide => quotient(x, y),
        Negate => (-x.high, -x.low),
        Scale { by } => ordered(x.low * by, x.high * by),
        Offset { by } => (x.low + by, x.high + by),
        Square => square(x),
        Reshape { .. } | Permute { .. } | Slice { .. } | Broadcast { .. } | Gather | Max { .. } | Rescale => {
            (x.low, x.high)
        }
        Concat { .. } => bounds.iter().fold((f64::MAX, f64::MIN), |(l, h), b| (l.min(b.low), h.max(b.high))),
        Sum { axis } => {
            let count = shape(0)[*axis] as f64;
            (x.low * count, x.high * count)
        }
        Relu => (x.low.max(0.0), x.high.max(0.0)),
        Gelu => bent(op, x, GELU_TURN),
        GeluTanh => bent(op, x, GELU_TANH_TURN),
        Silu => bent(op, x, SILU_TURN),
        Tanh => clamped(rising(op, x), -1.0, 1.0),
        Sigmoid => clamped(rising(op, x), 0.0, 1.0),
        Softmax | Softmax2 => (0.0, 1.0),
        Exp => (x.low.exp(), x.high.exp()),
        Exp2 { .. } => (0.0, x.high.exp2()),
        Sqrt => (x.low.max(0.0).sqrt(), x.high.max(0.0).sqrt()),
        Rsqrt => (1.0 / x.high.sqrt(), 1.0 / x.low.max(1e-30).sqrt()),
        Reciprocal => quotient(Bound { low: 1.0, high: 1.0, grade: x.grade }, x),
        Normalize { .. } | RmsNormalize { .. } => (-last().sqrt(), last().sqrt()),
        L2Normalize { .. } => (-1.0, 1.0),
        Less | Not | And | Or | Xor | Compare { .. } | BitTable { .. } | BitToReal => (0.0, 1.0),
        Levels { step, count, .. } => (0.0, step * f64::from(*count)),
        Rest { step_bits } => (0.0, 2.0 * f64::from(-step_bits).exp2()),
        Select => {
            let z = bounds[2];
            (y.low.min(z.low), y.high.max(z.high))
        }
        Gate => (y.low.min(0.0), y.high.max(0.0)),
        Table { values, .. } => {
            let all = values.iter().flatten().map(|&v| v as f64);
            all.fold((0.0, 0.0), |(l, h): (f64, f64), v| (l.min(v), h.max(v)))
        }
    }
}

/// Whether the result lies within its ends whatever the operands are.
pub fn is_of_itself(op: &Operator) -> bool {
    use Operator::*;
    matches!(
        op,
        Softmax
            | Softmax2
            | Normalize { .. }
            | RmsNormalize { .. }
            | L2Normalize { .. }
            | Less
            | Not
            | And
            | Or
            | Xor
            | Compare { .. }
            | BitTable { .. }
            | BitToReal
            | Table { .. }
            | Levels { .. }
            | Rest { .. }
    )
}

/// Whether `top` is the maximum of `of`, which is then nowhere above it. A maximum of a coarser copy is not.
fn is_maximum(graph: &Graph, top: NodeId, of: NodeId) -> bool {
    let node = graph.node(top);
    matches!(node.op, Op::Apply(Operator::Max { .. })) && node.inputs[0] == of
}

/// `x / sum(x)`.
fn is_part(graph: &Graph, node: &Node) -> bool {
    let whole = graph.node(node.inputs[1]);
    matches!(whole.op, Op::Apply(Operator::Sum { .. })) && whole.inputs[0] == node.inputs[0]
}

fn ordered(a: f64, b: f64) -> (f64, f64) {
    (a.min(b), a.max(b))
}

fn clamped((low, high): (f64, f64), least: f64, most: f64) -> (f64, f64) {
    (low.max(least), high.min(most))
}

fn square(x: Bound) -> (f64, f64) {
    let ends = ordered(x.low * x.low, x.high * x.high);
    if x.low <= 0.0 && x.high >= 0.0 { (0.0, ends.1) } else { ends }
}

/// Nothing times anything is nothing, also where a bound is infinite.
fn times(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

fn product(x: Bound, y: Bound) -> (f64, f64) {
    let ends = [times(x.low, y.low), times(x.low, y.high), times(x.high, y.low), times(x.high, y.high)];
    (ends.iter().copied().fold(f64::INFINITY, f64::min), ends.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

fn quotient(x: Bound, y: Bound) -> (f64, f64) {
    if y.low <= 0.0 && y.high >= 0.0 {
        return (f64::MIN, f64::MAX);
    }
    product(x, Bound { low: 1.0 / y.high, high: 1.0 / y.low, grade: y.grade })
}

/// The operator's own meaning at a number.
fn at(op: &Operator, x: f64) -> f64 {
    op.evaluate(&[&FloatTensor::scalar(x as f32)]).data[0].into()
}

fn rising(op: &Operator, x: Bound) -> (f64, f64) {
    (at(op, x.low) - SLACK, at(op, x.high) + SLACK)
}

/// Falls to its least at `turn` and rises from there; far left it comes back to 0.
fn bent(op: &Operator, x: Bound, turn: f64) -> (f64, f64) {
    let ends = [at(op, x.low), at(op, x.high)];
    let slack = SLACK * x.max_abs().max(1.0);
    let low = if x.low <= turn && x.high >= turn { at(op, turn) } else { ends[0].min(ends[1]) };
    (low - slack, ends[0].max(ends[1]) + slack)
}
