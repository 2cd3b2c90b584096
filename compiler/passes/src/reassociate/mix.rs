//! Values mixed by private weights and then multiplied are multiplied first.
//!
//! %3 = matmul %0, %1          (W_V, the server's)     %4 = matmul %1, %2 : server
//! %5 = matmul %w, %3          (the weights)     =>    %5 = matmul %0, %4
//! %6 = matmul %5, %2          (W_O, the server's)     %6 = matmul %w, %5
//!
//! Where attention has one head (or its heads were merged), nothing stands between the values' weight and the output's:
//! one weight for both spares the opening and the truncation of what is mixed. With several heads each would need its own
//! product as wide as all of them together.

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op};
use ptc_plan::operator::Operator;

use super::chain::{self, Chain, Single, stand_for};
use super::price::Prices;
use super::rewrite;
use crate::fold::secret;

pub fn run(graph: &Graph, prices: &mut Prices) -> Graph {
    rewrite(graph, |out, single, node| multiplied_first(out, single, prices, node))
}

fn multiplied_first(out: &mut Graph, single: &mut Single, prices: &mut Prices, node: &Node) -> Option<NodeId> {
    let (mixed, weight) = chain::product(out, node)?;
    let (_, mix) = bare(out, single, mixed)?;
    let mix = out.node(mix).clone();
    let (Op::Apply(op @ Operator::MatMul { transpose_b: false }), &[weights, values]) = (&mix.op, &mix.inputs[..])
    else {
        return None;
    };
    let (flat, bare_values) = bare(out, single, values)?;
    let [count, width] = flat[..] else { return None };
    let whole = *mix.shape.last()? == width && mix.shape.iter().product::<usize>() / width == rows(&node.shape);
    if !secret(out, weights) || mix.fixed.is_some() || !whole || *out.node(mixed).shape.last()? != width {
        return None;
    }
    let before = Chain::ending(out, single, bare_values)?;
    let columns = *node.shape.last()?;
    let now = before.cheapest(out, prices).price
        + Chain::of(out, mixed, weight).price_of_all(out, prices)
        + prices.truncation(rows(&node.shape) * width)
        + prices.opening(count * width);
    let after = before.then(out, weight);
    if after.cheapest(out, prices).price + prices.opening(count * columns) >= now {
        return None;
    }
    let product = Operator::MatMul { transpose_b: weight.turned };
    let values = out.derive(product, &[bare_values, weight.node], bare_values, "projected");
    let mut shape = out.node(mix.inputs[1]).shape.clone();
    *shape.last_mut()? = columns;
    let values = out.derive(Operator::Reshape { shape }, &[values], values, "");
    let mixed = out.derive(op.clone(), &[weights, values], values, "");
    stand_for(out, mixed, &mix);
    Some(out.derive(Operator::Reshape { shape: node.shape.clone() }, &[mixed], mixed, ""))
}

fn rows(shape: &[usize]) -> usize {
    shape.iter().rev().skip(1).product()
}

/// What `x` is a layout of, if only axes of size 1 come, go or move on the way and nobody else reads what is passed; and
/// its sizes without those axes.
fn bare(graph: &Graph, single: &Single, x: NodeId) -> Option<(Vec<usize>, NodeId)> {
    let sizes = |id: NodeId| graph.node(id).shape.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
    let mut at = x;
    loop {
        if single.get(&at) != Some(&true) {
            return None;
        }
        let node = graph.node(at);
        let kept = match &node.op {
            Op::Apply(Operator::Reshape { .. }) => true,
            Op::Apply(Operator::Permute { axes }) => {
                let moved: Vec<usize> =
                    axes.iter().copied().filter(|&axis| node_size(graph, node, axis) != 1).collect();
                moved.is_sorted()
            }
            _ => return Some((sizes(at), at)),
        };
        if !kept || sizes(node.inputs[0]) != sizes(at) || node.fixed.is_some() {
            return Some((sizes(at), at));
        }
        at = node.inputs[0];
    }
}

fn node_size(graph: &Graph, node: &Node, axis: usize) -> usize {
    graph.node(node.inputs[0]).shape[axis]
}
