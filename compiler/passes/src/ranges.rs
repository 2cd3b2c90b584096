//! Bounds of every value.
//!
//! %1 = square %0                    %1 = square %0 : bound(0, 16, proved)
//!
//! After: every real node has a bound: the meet of the operator's interval rule and of what calibration saw, with its
//! margin. A bound that an earlier pass has set stands. Ring widths follow from bounds.

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, Op};
use ptc_plan::file::InputKind;
use ptc_plan::operator::Operator;

use crate::options::Options;

pub fn run(graph: &Graph, options: &Options) -> Graph {
    let mut out = graph.clone();
    if options.sampling {
        return out;
    }
    for id in graph.ids() {
        let node = out.node(id);
        if node.bound.is_some() {
            continue;
        }
        let bound = infer(&out, node, options);
        out.node_mut(id).bound = Some(bound);
    }
    out
}

fn infer(graph: &Graph, node: &Node, options: &Options) -> Bound {
    let ruled = rule(graph, node, options);
    let Some((low, high)) = options.calibration.bound(&node.name) else { return ruled };
    if let Op::Parameter { .. } = node.op {
        return Bound { low, high, grade: Grade::Calibrated };
    }
    // Proved ends that are tighter than calibrated ones stay.
    let met = Bound { low: low.max(ruled.low), high: high.min(ruled.high), grade: Grade::Calibrated };
    if met.low > met.high || (met.low <= ruled.low && met.high >= ruled.high) { ruled } else { met }
}

fn rule(graph: &Graph, node: &Node, options: &Options) -> Bound {
    let symmetric = |limit: f64, grade| Bound { low: -limit, high: limit, grade };
    let op = match &node.op {
        Op::Input { kind: InputKind::Real, limit, .. } => return symmetric(*limit as f64, Grade::Proved),
        Op::Input { limit, .. } => return Bound { low: 0.0, high: *limit as f64, grade: Grade::Proved },
        Op::Parameter { .. } => return symmetric(options.weight_limit, Grade::Assumed),
        Op::Constant(value) => {
            let ends = value.data.iter().fold((0f64, 0f64), |(l, h), &x| (l.min(x as f64), h.max(x as f64)));
            return Bound { low: ends.0, high: ends.1, grade: Grade::Proved };
        }
        Op::Reveal { .. } => return bound_of(graph, node, 0),
        Op::Apply(op) => op,
    };
    let x = if node.inputs.is_empty() { symmetric(0.0, Grade::Proved) } else { bound_of(graph, node, 0) };
    let y = if node.inputs.len() > 1 { bound_of(graph, node, 1) } else { x };
    let grade = node.inputs.iter().enumerate().map(|(i, _)| bound_of(graph, node, i).grade).max();
    let grade = grade.unwrap_or(Grade::Proved);
    let (low, high) = interval(op, x, y, graph, node);
    Bound { low, high, grade }
}

fn bound_of(graph: &Graph, node: &Node, input: usize) -> Bound {
    graph.node(node.inputs[input]).bound.expect("bounds are found in order")
}

/// The interval rule of each operator.
fn interval(op: &Operator, x: Bound, y: Bound, graph: &Graph, node: &Node) -> (f64, f64) {
    use Operator::*;
    let shape = |i: usize| &graph.node(node.inputs[i]).shape;
    let last = || shape(0).last().copied().unwrap_or(1) as f64;
    match op {
        Add => (x.low + y.low, x.high + y.high),
        Subtract => (x.low - y.high, x.high - y.low),
        Multiply => product(x, y),
        MatMul { .. } => {
            let (low, high) = product(x, y);
            (low * last(), high * last())
        }
        Divide => quotient(x, y),
        Negate => (-x.high, -x.low),
        Scale { by } => ordered(x.low * by, x.high * by),
        Offset { by } => (x.low + by, x.high + by),
        Square => {
            let most = x.max_abs() * x.max_abs();
            (if x.low > 0.0 { x.low * x.low } else { 0.0 }, most)
        }
        Reshape { .. } | Permute { .. } | Slice { .. } | Broadcast { .. } | Gather | Max { .. } | Rescale => {
            (x.low, x.high)
        }
        Concat { .. } => {
            let ends = (0..node.inputs.len()).map(|i| bound_of(graph, node, i));
            ends.fold((f64::MAX, f64::MIN), |(l, h), b| (l.min(b.low), h.max(b.high)))
        }
        Sum { axis } => {
            let count = shape(0)[*axis] as f64;
            (x.low * count, x.high * count)
        }
        Relu => (x.low.max(0.0), x.high.max(0.0)),
        Gelu => (if x.low < 0.0 { -0.18 } else { 0.0 }, x.high.max(0.0)),
        Silu => (if x.low < 0.0 { -0.29 } else { 0.0 }, x.high.max(0.0)),
        Tanh => (-1.0, 1.0),
        Sigmoid | Softmax | Softmax2 => (0.0, 1.0),
        Exp => (x.low.exp(), x.high.exp()),
        Exp2 { .. } => (0.0, x.high.exp2()),
        Levels { step, count, .. } => (0.0, step * f64::from(*count)),
        Sqrt => (x.low.max(0.0).sqrt(), x.high.max(0.0).sqrt()),
        Rsqrt => (1.0 / x.high.sqrt(), 1.0 / x.low.max(1e-30).sqrt()),
        Reciprocal => quotient(Bound { low: 1.0, high: 1.0, grade: x.grade }, x),
        Normalize { .. } | RmsNormalize { .. } => (-last().sqrt(), last().sqrt()),
        L2Normalize { .. } => (-1.0, 1.0),
        Less | Not | And | Or | Xor | Compare { .. } | BitTable { .. } | BitToReal => (0.0, 1.0),
        Rest { step_bits } => (0.0, 2.0 * f64::from(-step_bits).exp2()),
        Select => {
            let z = bound_of(graph, node, 2);
            (y.low.min(z.low), y.high.max(z.high))
        }
        Gate => (y.low.min(0.0), y.high.max(0.0)),
        Table { values, .. } => {
            let all = values.iter().flatten().map(|&v| v as f64);
            all.fold((0.0, 0.0), |(l, h): (f64, f64), v| (l.min(v), h.max(v)))
        }
    }
}

fn ordered(a: f64, b: f64) -> (f64, f64) {
    (a.min(b), a.max(b))
}

fn product(x: Bound, y: Bound) -> (f64, f64) {
    let ends = [x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high];
    (ends.iter().copied().fold(f64::MAX, f64::min), ends.iter().copied().fold(f64::MIN, f64::max))
}

fn quotient(x: Bound, y: Bound) -> (f64, f64) {
    if y.low <= 0.0 && y.high >= 0.0 {
        return (f64::MIN, f64::MAX);
    }
    product(x, Bound { low: 1.0 / y.high, high: 1.0 / y.low, grade: y.grade })
}
