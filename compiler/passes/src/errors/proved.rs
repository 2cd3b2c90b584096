//! The worst case: what every element may be off by, for all inputs within their bounds.
//!
//! Forward through the exact graph: an operator's result is off by what its operands' errors make of it and by its own error.

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, Op};
use ptc_plan::operator::Operator;

use super::SINGLE;
use super::local::Locals;
use crate::options::Options;

/// For each node; infinite where nothing can be said.
pub fn worst(exact: &Graph, locals: &Locals, options: &Options) -> Vec<f64> {
    let mut worst: Vec<f64> = Vec::with_capacity(exact.nodes.len());
    for (node, local) in exact.nodes.iter().zip(&locals.of) {
        let bound = node.bound.unwrap_or(Bound { low: f64::NEG_INFINITY, high: f64::INFINITY, grade: Grade::Assumed });
        let carried = match &node.op {
            Op::Apply(op) => carried(op, exact, node, &worst, options),
            Op::Reveal { .. } => worst[node.inputs[0].0 as usize],
            _ => 0.0,
        };
        let single = if matches!(node.op, Op::Apply(_)) { SINGLE } else { 0.0 };
        let own = local.worst + zero_times(local.relative_worst + single, bound.max_abs() + carried);
        let error = carried + own;
        worst.push(if error.is_nan() { f64::INFINITY } else { error });
    }
    worst
}

fn zero_times(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

fn carried(op: &Operator, exact: &Graph, node: &Node, worst: &[f64], options: &Options) -> f64 {
    use Operator::*;
    let error = |at: usize| worst[node.inputs[at].0 as usize];
    let operand = |at: usize| exact.node(node.inputs[at]);
    let bound = |at: usize| operand(at).bound.unwrap_or(Bound { low: 0.0, high: f64::INFINITY, grade: Grade::Assumed });
    let size = |at: usize| bound(at).max_abs();
    let errors = || (0..node.inputs.len()).map(error);
    let most = errors().fold(0.0, f64::max);
    if most == 0.0 {
        return 0.0;
    }
    let e = error(0);
    let product = |count: f64, columns: f64| {
        let (by_x, by_y) = (zero_times(columns, e), zero_times(count * size(0), error(1)));
        by_x + by_y + zero_times(count * e, error(1))
    };
    match op {
        Add | Subtract => e + error(1),
        Multiply => product(1.0, size(1)),
        MatMul { transpose_b } => {
            let count = operand(0).shape.last().copied().unwrap_or(1) as f64;
            let norms = options.calibration.norms.get(&operand(1).name);
            let columns = norms.map(|norms| if *transpose_b { norms.row_sum } else { norms.column_sum });
            product(count, (count * size(1)).min(columns.unwrap_or(f64::INFINITY)))
        }
        Divide => {
            let least = least_size(bound(1)) - error(1);
            if least <= 0.0 { f64::INFINITY } else { (e + size(0) / least_size(bound(1)) * error(1)) / least }
        }
        Negate | Offset { .. } | Relu | Tanh | Max { .. } | Rescale | BitToReal => e,
        Reshape { .. } | Permute { .. } | Slice { .. } | Broadcast { .. } | Concat { .. } => most,
        Scale { by } => by.abs() * e,
        Square => 2.0 * size(0) * e + e * e,
        Sum { axis } => operand(0).shape[*axis] as f64 * e,
        // The steepest slopes of these.
        Gelu | GeluTanh => 1.13 * e,
        Silu => 1.1 * e,
        Sigmoid => 0.25 * e,
        Exp => bound(0).high.exp() * e.exp_m1(),
        Exp2 { .. } => bound(0).high.exp2() * (e.exp2() - 1.0),
        Sqrt => steepest(bound(0), e, |low| 0.5 / low.sqrt()),
        Rsqrt => steepest(bound(0), e, |low| 0.5 / (low * low.sqrt())),
        Reciprocal => steepest(bound(0), e, |low| 1.0 / (low * low)),
        // Every power, and their sum the other way, may be off by this factor.
        Softmax => (2.0 * e).exp_m1(),
        Softmax2 => (2.0 * e).exp2() - 1.0,
        Less | Not | And | Or | Xor | Compare { .. } | BitTable { .. } => 1.0,
        Gate if error(0) == 0.0 => error(1),
        Select if error(0) == 0.0 => error(1).max(error(2)),
        Rest { step_bits } => e + f64::from(-step_bits).exp2(),
        Levels { step, .. } => e + step,
        Gather => most,
        _ => f64::INFINITY,
    }
}

/// How near to zero a value may come.
fn least_size(bound: Bound) -> f64 {
    if bound.low > 0.0 { bound.low } else { (-bound.high).max(0.0) }
}

/// Of a function of a positive number that is steepest where it is least.
fn steepest(bound: Bound, error: f64, slope: impl Fn(f64) -> f64) -> f64 {
    let low = bound.low - error;
    if low > 0.0 { slope(low) * error } else { f64::INFINITY }
}
