//! What one party drops is lowered out of sight instead of chosen.
//!
//! %2 = relu %0 : secret                      %2 = offset %1 {by: -1} : client
//! %3 = select %1, %2, 0 : secret       =>    %3 = scale %2 {by: 9}   : client      (%0 below 9)
//!                                            %4 = add %0, %3         : secret
//!                                            %5 = relu %4            : secret
//!
//! with `%1` a bit that its owner sees. After: no `select` between a secret `relu` and zero by a clear bit. What is
//! dropped is below zero whatever it was, so its `relu` is zero exactly. Saves a product with a value of the other party,
//! two truncations and their rounds; the comparison is wider by a bit or two.

use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use crate::fold::{secret, use_counts};
use crate::order;
use crate::rebuild::rebuild;

/// Of a value whose bound samples are still to tell.
const UNKNOWN: Bound = Bound { low: -1e3, high: 1e3, grade: Grade::Assumed };

pub fn run(graph: &Graph) -> Graph {
    let counts = use_counts(graph);
    let Ok(out) = rebuild::<Infallible>(graph, |out, id, node| {
        let ramp = graph.node(id).inputs.get(1).is_some_and(|ramp| counts[ramp.0 as usize] == 1);
        let lowered = if ramp { lowered(out, &node) } else { None };
        Ok(lowered.unwrap_or_else(|| out.push(node)))
    });
    order::sorted(&out)
}

fn lowered(out: &mut Graph, node: &Node) -> Option<NodeId> {
    let (Op::Apply(Operator::Select), &[keep, ramp, zero]) = (&node.op, &node.inputs[..]) else { return None };
    let (Op::Apply(Operator::Relu), &[x]) = (&out.node(ramp).op, &out.node(ramp).inputs[..]) else { return None };
    let open = node.visibility == Visibility::Secret && node.fixed.is_none();
    if !open || secret(out, keep) || !secret(out, x) || !is_zero(out, zero) || out.node(x).shape != node.shape {
        return None;
    }
    let bound = out.node(x).bound.unwrap_or(UNKNOWN);
    // Above the bound by one: a fixed point may lie above it by its error.
    let floor = bound.high.max(0.0) + 1.0;
    let dropped = out.derive(Operator::Offset { by: -1.0 }, &[keep], ramp, "dropped");
    let bias = out.derive(Operator::Scale { by: floor }, &[dropped], ramp, "bias");
    let masked = out.derive(Operator::Add, &[x, bias], ramp, "masked");
    for (id, low, high) in [(dropped, -1.0, 0.0), (bias, -floor, 0.0), (masked, bound.low - floor, bound.high)] {
        out.node_mut(id).bound = Some(Bound { low, high, grade: bound.grade });
    }
    let ramp = Node { inputs: vec![masked], ..out.node(ramp).clone() };
    Some(out.push(Node { name: node.name.clone(), origin: node.origin, bound: node.bound, ..ramp }))
}

/// Whether every element is the constant 0.
fn is_zero(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    match &node.op {
        Op::Constant(value) => value.data.iter().all(|&x| x == 0.0),
        Op::Apply(Operator::Reshape { .. } | Operator::Broadcast { .. }) => is_zero(graph, node.inputs[0]),
        _ => false,
    }
}
