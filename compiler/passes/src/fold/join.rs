//! Products of one value with several weights of one owner are one product.
//!
//! %3 = matmul %0, %1          %3 = concat %1, %2 {axis: 1} : server
//! %4 = matmul %0, %2    =>    %4 = matmul %0, %3
//!                             %5 = slice %4 .. ; %6 = slice %4 ..
//!
//! The value is opened once instead of once a weight: Q, K and V cost what Q alone did, up to the packed answer. Biases
//! that all of the products have are joined too.

use std::collections::BTreeMap;

use ptc_ir::Graph;
use ptc_ir::graph::{NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use super::{is_row, secret, static_product, stays};
use crate::order;

pub fn run(graph: &Graph) -> Graph {
    let users = graph.users();
    let mut groups: BTreeMap<(NodeId, Visibility), Vec<NodeId>> = BTreeMap::new();
    for id in graph.ids() {
        if let Some((x, weight)) = static_product(graph, graph.node(id)) {
            let owner = graph.node(weight).visibility;
            // A product with a public weight is free as it is.
            if owner != Visibility::Public {
                groups.entry((x, owner)).or_default().push(id);
            }
        }
    }
    let mut out = graph.clone();
    let mut replaced: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for ((x, owner), members) in groups {
        if members.len() > 1 {
            join(&mut out, &users, x, owner, &members, &mut replaced);
        }
    }
    for node in &mut out.nodes {
        for input in &mut node.inputs {
            *input = *replaced.get(input).unwrap_or(input);
        }
    }
    for output in &mut out.outputs {
        output.node = *replaced.get(&output.node).unwrap_or(&output.node);
    }
    order::sorted(&out)
}

fn join(
    out: &mut Graph,
    users: &[Vec<NodeId>],
    x: NodeId,
    owner: Visibility,
    members: &[NodeId],
    replaced: &mut BTreeMap<NodeId, NodeId>,
) {
    let weights: Vec<NodeId> = members.iter().map(|&member| out.node(member).inputs[1]).collect();
    let weight = out.derive(Operator::Concat { axis: 1 }, &weights, weights[0], "joined");
    let mut whole = out.derive(Operator::MatMul { transpose_b: false }, &[x, weight], members[0], "joined");
    let biases: Option<Vec<(NodeId, NodeId)>> = members.iter().map(|&member| bias(out, users, owner, member)).collect();
    let parts: Vec<NodeId> = match biases {
        Some(biases) => {
            let row = |out: &mut Graph, bias: NodeId| {
                let shape = vec![out.node(bias).shape.iter().product()];
                out.derive(Operator::Reshape { shape }, &[bias], bias, "row")
            };
            let rows: Vec<NodeId> = biases.iter().map(|&(_, bias)| row(out, bias)).collect();
            let joined = out.derive(Operator::Concat { axis: 0 }, &rows, biases[0].1, "joined");
            whole = out.derive(Operator::Add, &[whole, joined], biases[0].0, "joined");
            biases.iter().map(|&(sum, _)| sum).collect()
        }
        None => members.to_vec(),
    };
    let axis = out.node(whole).shape.len() - 1;
    let mut start = 0;
    for part in parts {
        let length = out.node(part).shape[axis];
        let slice = out.derive(Operator::Slice { axis, start, length }, &[whole], part, "");
        replaced.insert(part, slice);
        start += length;
    }
}

/// The sum that is the only user of `product`, and the row that it adds, if the owner sees the row.
fn bias(graph: &Graph, users: &[Vec<NodeId>], owner: Visibility, product: NodeId) -> Option<(NodeId, NodeId)> {
    let &[sum] = &users[product.0 as usize][..] else { return None };
    let node = graph.node(sum);
    let (Op::Apply(Operator::Add), &[a, b]) = (&node.op, &node.inputs[..]) else { return None };
    let row = if a == product { b } else { a };
    let shape = &graph.node(product).shape;
    let width = *shape.last()?;
    let fits = is_row(&graph.node(row).shape, shape.len(), width) && node.fixed.is_none() && node.shape == *shape;
    let seen = !secret(graph, row) && stays(owner, graph.node(row).visibility);
    let output = graph.outputs.iter().any(|output| output.node == product);
    (fits && seen && !output).then_some((sum, row))
}
