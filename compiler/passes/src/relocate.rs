//! Who computes what: all that one party can compute alone, it does, in the clear.
//!
//! %2 = add %0, %1 : secret                    %2 = add %0, %1 : client        (%0, %1 the client's)
//! %4 = multiply %2, %3 : secret               %4 = multiply %2, %3 : secret   (%3 the server's)
//! %5 = offset %4 {by: 1} : secret      =>     %5 = reveal %4 {to: client}
//! %6 = reveal %5 {to: client}                 %6 = offset %5 {by: 1} : client
//!
//! After: every value is labelled with those who can know it, so that only a value that depends on both parties' values
//! is secret; nothing is revealed to a party that sees it anyway. A clear value enters a sharing for free (its owner's
//! share is the value), so computing alone for as long as possible is never dearer than sharing early.
//!
//! A reveal moves in front of an operator only if the operator can be undone by whoever gets the result: `reshape`,
//! `permute` and `broadcast` move or repeat elements; `negate`, `offset`, sums and differences with what the receiver
//! sees anyway, and `scale` by a power of two or by at least one in size keep every bit of the operand. The receiver
//! could compute the operand from the declared result, so it learns nothing more. (A scale below one rounds: the operand
//! would say more than the result.) Saved: what these operators cost between the parties, and repeated elements.
//!
//! Products and sums of several values that one party sees are computed by it first; see [`crate::regroup`].

use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;
use ptc_plan::step::Party;

use crate::order;
use crate::rebuild::rebuild;
use crate::regroup::regroup;

pub fn run(graph: &Graph) -> Graph {
    let labelled = label(graph);
    let Ok(out) = rebuild::<Infallible>(&labelled, |out, _, node| {
        let Op::Reveal { to, reason } = &node.op else { return Ok(regroup(out, node)) };
        Ok(reveal(out, &node, *to, reason))
    });
    order::sorted(&label(&out))
}

/// Every label from the inputs' labels; reveals that tell nothing new are dropped.
fn label(graph: &Graph) -> Graph {
    let Ok(out) = rebuild::<Infallible>(graph, |out, _, mut node| {
        match &node.op {
            Op::Reveal { to, .. } if out.node(node.inputs[0]).visibility.seen_by(*to) => return Ok(node.inputs[0]),
            Op::Reveal { to, .. } => node.visibility = Visibility::of(*to),
            Op::Apply(_) => node.visibility = known(out, &node.inputs),
            Op::Input { .. } | Op::Parameter { .. } | Op::Constant(_) => {}
        }
        Ok(out.push(node))
    });
    out
}

fn known(graph: &Graph, inputs: &[NodeId]) -> Visibility {
    inputs.iter().map(|&input| graph.node(input).visibility).fold(Visibility::Public, Visibility::join)
}

/// `x` made known to `to`, as early as that tells no more.
fn reveal(out: &mut Graph, like: &Node, to: Party, reason: &str) -> NodeId {
    let x = like.inputs[0];
    let node = out.node(x).clone();
    let Some(at) = undone_by_receiver(out, &node, to) else {
        let reveal = Op::Reveal { to, reason: reason.to_string() };
        return out.push(Node { op: reveal, visibility: Visibility::of(to), ..like.clone() });
    };
    let inner = Node {
        inputs: vec![node.inputs[at]],
        shape: out.node(node.inputs[at]).shape.clone(),
        bound: None,
        fixed: None,
        error: None,
        ..like.clone()
    };
    let inner = match out.node(node.inputs[at]).visibility.seen_by(to) {
        true => node.inputs[at],
        false => reveal(out, &inner, to, reason),
    };
    let mut inputs = node.inputs.clone();
    inputs[at] = inner;
    let visibility = known(out, &inputs);
    out.push(Node { inputs, visibility, ..node })
}

/// The operand of `node` that `to` could compute from the node's value and what it knows.
fn undone_by_receiver(graph: &Graph, node: &Node, to: Party) -> Option<usize> {
    use Operator::*;
    let Op::Apply(op) = &node.op else { return None };
    match op {
        Reshape { .. } | Permute { .. } | Broadcast { .. } | Negate => Some(0),
        Offset { by } if by.is_finite() => Some(0),
        Scale { by } if by.is_finite() && (by.abs() >= 1.0 || is_power_of_two(by.abs())) => Some(0),
        Add | Subtract => {
            let sees = |at: usize| graph.node(node.inputs[at]).visibility.seen_by(to);
            let hidden = [(0, 1), (1, 0)].into_iter().find(|&(hidden, seen)| !sees(hidden) && sees(seen));
            hidden.map(|(hidden, _)| hidden)
        }
        _ => None,
    }
}

fn is_power_of_two(by: f64) -> bool {
    by > 0.0 && by.log2().fract() == 0.0
}
