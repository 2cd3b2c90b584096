//! Weights stand on the right of a product and are read as `[inner, outer]`; turning them is clear work.
//!
//! %2 = matmul %0, %1 {transpose_b}          %2 = permute %1 {axes: [1, 0]} : server
//!                                     =>    %3 = matmul %0, %2
//!
//! A turned secret on the right is read as it lies: `matmul %0, (permute %1)` becomes `matmul %0, %1 {transpose_b}` where
//! the permutation takes the last axis out of its place, so that rows stay whole.

use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use super::secret;
use crate::rebuild::rebuild;

pub fn run(graph: &Graph) -> Graph {
    let Ok(out) = rebuild::<Infallible>(graph, |out, _, node| {
        Ok(match node.op {
            Op::Apply(Operator::MatMul { transpose_b })
                if node.visibility == Visibility::Secret && node.fixed.is_none() =>
            {
                product(out, node, transpose_b)
            }
            _ => out.push(node),
        })
    });
    out
}

fn product(out: &mut Graph, mut node: Node, transpose_b: bool) -> NodeId {
    let [a, b] = node.inputs[..] else { unreachable!("a product has two operands") };
    let flat = out.node(a).shape.len() == 2 && out.node(b).shape.len() == 2;
    if !secret(out, a) && secret(out, b) && flat {
        // (a · b) = (bᵀ · aᵀ)ᵀ
        let left = if transpose_b { b } else { turned(out, b) };
        let right = turned(out, a);
        let product = out.derive(Operator::MatMul { transpose_b: false }, &[left, right], b, "");
        out.node_mut(product).name = format!("{}.turned", node.name);
        node.op = Op::Apply(Operator::Permute { axes: vec![1, 0] });
        node.inputs = vec![product];
    } else if transpose_b && !secret(out, b) {
        node.op = Op::Apply(Operator::MatMul { transpose_b: false });
        node.inputs[1] = turned(out, b);
    } else if secret(out, b)
        && let Some(inner) = rows_whole(out, b)
    {
        node.op = Op::Apply(Operator::MatMul { transpose_b: !transpose_b });
        node.inputs[1] = inner;
    }
    out.push(node)
}

/// The last two axes of `x` swapped.
pub fn turned(out: &mut Graph, x: NodeId) -> NodeId {
    match undo_turn(out, x) {
        Some(inner) => inner,
        None => {
            let axes = swapped(out.node(x).shape.len());
            out.derive(Operator::Permute { axes }, &[x], x, "turned")
        }
    }
}

/// The transpose of a permuted `x`, if that has the last axis in its place.
fn rows_whole(out: &mut Graph, x: NodeId) -> Option<NodeId> {
    let node = out.node(x);
    let Op::Apply(Operator::Permute { axes }) = &node.op else { return None };
    let rank = axes.len();
    if axes[rank - 2] != rank - 1 || node.fixed.is_some() {
        return None;
    }
    let (mut axes, inner) = (axes.clone(), node.inputs[0]);
    axes.swap(rank - 2, rank - 1);
    let sorted = axes.iter().enumerate().all(|(at, &axis)| at == axis);
    Some(if sorted { inner } else { out.derive(Operator::Permute { axes }, &[inner], inner, "rows") })
}

/// What `x` is the transpose of, if it is one.
fn undo_turn(graph: &Graph, x: NodeId) -> Option<NodeId> {
    let node = graph.node(x);
    match &node.op {
        Op::Apply(Operator::Permute { axes }) if *axes == swapped(axes.len()) => Some(node.inputs[0]),
        _ => None,
    }
}

fn swapped(rank: usize) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.swap(rank - 2, rank - 1);
    axes
}
