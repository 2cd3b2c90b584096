//! What the elements of a value are: reals, token ids or bits.
//!
//! A node does not say; it follows from the inputs' declarations and the operators. Constants and parameters are reals,
//! also where they hold zeros and ones.

use ptc_plan::file::InputKind;
use ptc_plan::operator::Operator;

use crate::graph::{Graph, Op};

/// For each node, its kind.
pub fn kinds(graph: &Graph) -> Vec<InputKind> {
    let mut kinds: Vec<InputKind> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let input = |at: usize| node.inputs.get(at).map_or(InputKind::Real, |input| kinds[input.0 as usize]);
        let kind = match &node.op {
            Op::Input { kind, .. } => *kind,
            Op::Parameter { .. } | Op::Constant(_) => InputKind::Real,
            Op::Reveal { .. } => input(0),
            Op::Apply(op) => of_operator(op, input),
        };
        kinds.push(kind);
    }
    kinds
}

fn of_operator(op: &Operator, input: impl Fn(usize) -> InputKind) -> InputKind {
    use Operator::*;
    match op {
        Less | Not | And | Or | Xor | Compare { .. } | BitTable { .. } => InputKind::Bit,
        Reshape { .. } | Permute { .. } | Slice { .. } | Concat { .. } | Broadcast { .. } | Gather => input(0),
        Select => input(1),
        _ => InputKind::Real,
    }
}
