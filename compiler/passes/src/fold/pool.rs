//! A weighted sum with weights that somebody sees is a product.
//!
//! %2 = multiply %0, %1  : secret [32, 384]          %2 = permute %0 {axes: [1, 0]}
//! %3 = sum %2 {axis: 0} : secret [1, 384]     =>    %3 = matmul %2, %1 : secret [384, 1]
//!                                                   %4 = permute %3 {axes: [1, 0]}
//!
//! with `%1[32, 1]` the client's, as in mean pooling. Saves the weight of every column and a truncation of every product.

use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use super::{secret, transpose::turned, use_counts};
use crate::rebuild::rebuild;

pub fn run(graph: &Graph) -> Graph {
    let counts = use_counts(graph);
    let Ok(out) = rebuild::<Infallible>(graph, |out, id, node| {
        let single = graph.node(id).inputs.iter().all(|input| counts[input.0 as usize] == 1);
        let sum = if single { weighted_sum(out, &node) } else { None };
        Ok(sum.unwrap_or_else(|| out.push(node)))
    });
    out
}

fn weighted_sum(out: &mut Graph, node: &Node) -> Option<NodeId> {
    let Op::Apply(Operator::Sum { axis }) = node.op else { return None };
    let product = out.node(node.inputs[0]);
    let (Op::Apply(Operator::Multiply), &[a, b]) = (&product.op, &product.inputs[..]) else { return None };
    let (x, weight) = match (secret(out, a), secret(out, b)) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        _ => return None,
    };
    let rank = node.shape.len();
    let size = product.shape[axis];
    let fits = product.fixed.is_none() && node.fixed.is_none() && node.visibility == Visibility::Secret;
    let whole = out.node(x).shape == product.shape;
    let weight = column(out, weight, rank - axis, size)?;
    if !fits || !whole || rank < 2 || axis + 2 < rank {
        return None;
    }
    let weight = out.derive(Operator::Reshape { shape: vec![size, 1] }, &[weight], weight, "column");
    let rows = if axis + 1 == rank { x } else { turned(out, x) };
    let mut sum = out.derive(Operator::MatMul { transpose_b: false }, &[rows, weight], x, "");
    if axis + 1 != rank {
        sum = turned(out, sum);
    }
    let summed = out.node_mut(sum);
    (summed.name, summed.origin, summed.tolerance) = (node.name.clone(), node.origin, node.tolerance);
    Some(sum)
}

/// `weight`, before it was repeated, if it has `size` elements along the axis that is `from_last` from the end (1 for the
/// last) and one along every other.
fn column(graph: &Graph, weight: NodeId, from_last: usize, size: usize) -> Option<NodeId> {
    let node = graph.node(weight);
    let shape = &node.shape;
    let along = |(at, &length): (usize, &usize)| match shape.len() - at == from_last {
        true => length == size,
        false => length == 1,
    };
    if shape.len() >= from_last && shape.iter().enumerate().all(along) {
        return Some(weight);
    }
    match node.op {
        Op::Apply(Operator::Broadcast { .. }) => column(graph, node.inputs[0], from_last, size),
        _ => None,
    }
}
