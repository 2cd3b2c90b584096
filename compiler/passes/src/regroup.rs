//! `(x · a) · b` becomes `x · (a · b)`, and `(x + a) + b` becomes `x + (a + b)`, where one party sees `a` and `b`: one
//! product between the parties instead of two, one addition instead of two.

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

/// Appends `node`, regrouped where it can be.
pub fn regroup(out: &mut Graph, node: Node) -> NodeId {
    regrouped(out, &node).unwrap_or_else(|| out.push(node))
}

fn regrouped(out: &mut Graph, node: &Node) -> Option<NodeId> {
    let op = match &node.op {
        Op::Apply(op @ (Operator::Add | Operator::Multiply)) => op.clone(),
        _ => return None,
    };
    let (inner, b) = secret_and_clear(out, node, &op)?;
    let (x, a) = secret_and_clear(out, out.node(inner), &op)?;
    let one_owner = out.node(a).visibility.join(out.node(b).visibility) != Visibility::Secret;
    // The two together must not be larger than the larger one: it may have to be opened.
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let together = op.shape(&[&out.node(a).shape, &out.node(b).shape]).ok()?;
    let most = size(&out.node(a).shape).max(size(&out.node(b).shape));
    if !one_owner || size(&together) > most {
        return None;
    }
    let part = if op == Operator::Add { "offset" } else { "factor" };
    let clear = out.derive(op, &[a, b], inner, part);
    Some(out.push(Node { inputs: vec![x, clear], ..node.clone() }))
}

/// The secret and the clear operand of a secret `node` that applies `op` and has no ring yet.
fn secret_and_clear(graph: &Graph, node: &Node, op: &Operator) -> Option<(NodeId, NodeId)> {
    if !matches!(&node.op, Op::Apply(own) if own == op) || node.fixed.is_some() {
        return None;
    }
    let &[a, b] = &node.inputs[..] else { return None };
    let secret = |id: NodeId| graph.node(id).visibility == Visibility::Secret;
    match (secret(a), secret(b)) {
        (true, false) => Some((a, b)),
        (false, true) => Some((b, a)),
        _ => None,
    }
}
