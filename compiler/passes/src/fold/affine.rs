//! The scale and offset by column of a normalisation join the weights of the products that read it.
//!
//! %1 = normalize %0                      %5 = reshape %2 {shape: [384, 1]} : server
//! %3 = multiply %1, %2 (gamma)           %6 = multiply %4, %5              : server
//! %5 = add %3, %4 (beta)         =>      %7 = matmul %1, %6
//! %7 = matmul %5, %6                     %8 = matmul (reshape %4), %6'     : server
//!                                        %9 = add %7, %8
//!
//! Only where *every* user of the affine value is a static product whose owner sees gamma and beta: a residual sum that
//! reads it too (post-LN) needs the value itself, and then nothing would be saved.

use std::collections::HashMap;
use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use super::{is_row, secret, static_product, stays};
use crate::rebuild::rebuild;

/// `value = x · gamma + beta`, ids of the old graph.
#[derive(Clone, Copy)]
struct Affine {
    x: NodeId,
    gamma: NodeId,
    beta: Option<NodeId>,
}

pub fn run(graph: &Graph) -> Graph {
    let users = graph.users();
    let mut folds: HashMap<NodeId, Affine> = HashMap::new();
    for id in graph.ids() {
        if let Some(affine) = affine(graph, id, &users)
            && graph.outputs.iter().all(|output| output.node != id)
            && !users[id.0 as usize].is_empty()
            && users[id.0 as usize].iter().all(|&user| serves(graph, id, graph.node(user), affine))
        {
            folds.insert(id, affine);
        }
    }
    let mut renamed: Vec<NodeId> = vec![];
    let Ok(out) = rebuild::<Infallible>(graph, |out, id, node| {
        let affine = graph.node(id).inputs.first().and_then(|x| folds.get(x));
        let new = match affine {
            Some(&Affine { x, gamma, beta }) => {
                let new = |id: NodeId| renamed[id.0 as usize];
                product(out, &node, Affine { x: new(x), gamma: new(gamma), beta: beta.map(new) })
            }
            None => out.push(node),
        };
        renamed.push(new);
        Ok(new)
    });
    out
}

fn affine(graph: &Graph, id: NodeId, users: &[Vec<NodeId>]) -> Option<Affine> {
    if let Some((x, gamma)) = with_row(graph, id, &Operator::Multiply) {
        return Some(Affine { x, gamma, beta: None });
    }
    let (scaled, beta) = with_row(graph, id, &Operator::Add)?;
    let (x, gamma) = with_row(graph, scaled, &Operator::Multiply)?;
    (users[scaled.0 as usize] == [id]).then_some(Affine { x, gamma, beta: Some(beta) })
}

/// The operands of a secret `op` of a secret value with a clear row.
fn with_row(graph: &Graph, id: NodeId, op: &Operator) -> Option<(NodeId, NodeId)> {
    let node = graph.node(id);
    let (Op::Apply(own), &[a, b]) = (&node.op, &node.inputs[..]) else { return None };
    let width = *node.shape.last()?;
    let fits = |x: NodeId, row: NodeId| {
        let (x, row) = (graph.node(x), graph.node(row));
        let seen = x.visibility == Visibility::Secret && row.visibility != Visibility::Secret;
        seen && x.shape == node.shape && is_row(&row.shape, node.shape.len(), width)
    };
    match own == op && node.fixed.is_none() {
        true if fits(a, b) => Some((a, b)),
        true if fits(b, a) => Some((b, a)),
        _ => None,
    }
}

/// Whether `user` is a static product of `value` whose weight's owner sees gamma and beta.
fn serves(graph: &Graph, value: NodeId, user: &Node, affine: Affine) -> bool {
    let Some((x, weight)) = static_product(graph, user) else { return false };
    let owner = graph.node(weight).visibility;
    let sees = |row: NodeId| stays(owner, graph.node(row).visibility);
    x == value && weight != value && sees(affine.gamma) && affine.beta.is_none_or(sees)
}

/// `node` reads `affine.x` itself, with the affine part in its weight.
fn product(out: &mut Graph, node: &Node, Affine { x, gamma, beta }: Affine) -> NodeId {
    let weight = node.inputs[1];
    let [inner, outer] = out.node(weight).shape[..] else { unreachable!("a static weight is a matrix") };
    let column = out.derive(Operator::Reshape { shape: vec![inner, 1] }, &[gamma], gamma, "column");
    let scaled = out.derive(Operator::Multiply, &[weight, column], weight, "scaled");
    debug_assert!(secret(out, x));
    let product = out.push(Node { inputs: vec![x, scaled], ..node.clone() });
    let Some(beta) = beta else { return product };
    let row = out.derive(Operator::Reshape { shape: vec![1, inner] }, &[beta], beta, "row");
    let bias = out.derive(Operator::MatMul { transpose_b: false }, &[row, weight], beta, "through");
    let bias = out.derive(Operator::Reshape { shape: vec![outer] }, &[bias], bias, "");
    out.derive(Operator::Add, &[product, bias], product, "offset")
}
