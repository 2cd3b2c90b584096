//! Products with several weights: multiplied together by their owner, or one after the other, whichever costs less.
//!
//! %3 = matmul %0, %1 : secret          %3 = matmul %1, %2 : server
//! %4 = matmul %3, %2 : secret    =>    %4 = matmul %0, %3 : secret          (%1, %2 the server's, wide)
//!
//! %3 = matmul %1, %2 : server          %3 = matmul %0, %1 : secret
//! %4 = matmul %0, %3 : secret    =>    %4 = matmul %3, %2 : secret          (%1 [4096, 4], %2 [4, 4096])
//!
//! %3 = matmul %1, %2 : server          %4 = matmul %0, %w : secret          (%w public: local)
//! %4 = add %w, %3 : server       =>    %5 = matmul %0, %3 : secret
//! %5 = matmul %0, %4 : secret          %6 = add %4, %5
//!
//! After: of every chain `x · A · B ..` the cheapest grouping; sums of products of one value with weights of one owner
//! are one product; a public weight stands apart from a private product that is added to it, where that is cheaper.
//! Weights of different owners are never multiplied together: nobody learns anything.
//!
//! Saved: a merged pair spares the opening of the value in between, its truncation, and their rounds; a thin pair spares
//! most of the encrypted answers and of the work for them. Low-rank additions (LoRA, Hu et al. 2021) to public weights
//! stay thin products beside a local one; additions to private weights vanish in them.

use std::collections::HashMap;
use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use crate::canonical;
use crate::fold::{secret, use_counts};
use crate::order;
use crate::rebuild::rebuild;

mod chain;
mod divide;
mod mix;
mod price;

use chain::{Chain, Factor, Single, stand_for};
use price::Prices;

pub fn run(graph: &Graph) -> Graph {
    let mut prices = Prices::default();
    let steps = [distribute, add, mix::run, divide::run, group];
    steps.iter().fold(canonical::run(graph), |graph, step| canonical::run(&step(&graph, &mut prices)))
}

/// `x · (w + p)` with a public `w` becomes `x · w + x · p`, if that is cheaper.
fn distribute(graph: &Graph, prices: &mut Prices) -> Graph {
    rewrite(graph, |out, single, node| {
        let (x, weight) = chain::product(out, node)?;
        let (public, private) = parts(out, weight)?;
        let apart = Chain::of(out, x, private);
        if apart.cheapest(out, prices).price >= Chain::of(out, x, weight).price_of_all(out, prices) {
            return None;
        }
        let [open, hidden] = [public, private].map(|factor| {
            let op = Operator::MatMul { transpose_b: factor.turned };
            let product = out.derive(op, &[x, factor.node], factor.node, "product");
            single.insert(product, true);
            product
        });
        Some(out.derive(Operator::Add, &[open, hidden], open, ""))
    })
}

/// The public and the private operand of a weight that is a sum.
fn parts(graph: &Graph, weight: Factor) -> Option<(Factor, Factor)> {
    let weight = weight.unturned(graph);
    let node = graph.node(weight.node);
    let (Op::Apply(Operator::Add), &[a, b]) = (&node.op, &node.inputs[..]) else { return None };
    let public = |id: NodeId| graph.node(id).visibility == Visibility::Public;
    if [a, b].iter().any(|&id| graph.node(id).shape != node.shape) || public(a) == public(b) {
        return None;
    }
    let factor = |node: NodeId| Factor { node, turned: weight.turned };
    Some(if public(a) { (factor(a), factor(b)) } else { (factor(b), factor(a)) })
}

/// Two products of one value with weights of one owner, added, are one with the sum of the weights.
fn add(graph: &Graph, prices: &mut Prices) -> Graph {
    rewrite(graph, |out, single, node| {
        let (Op::Apply(Operator::Add), &[a, b]) = (&node.op, &node.inputs[..]) else { return None };
        let alone = |id: NodeId| secret(out, id) && single.get(&id) == Some(&true) && out.node(id).shape == node.shape;
        if a == b || !alone(a) || !alone(b) {
            return None;
        }
        let (first, second) = (Chain::ending(out, single, a)?, Chain::ending(out, single, b)?);
        let owner = first.owner(out);
        if first.root != second.root || owner != second.owner(out) || owner == Visibility::Secret {
            return None;
        }
        let apart = first.cheapest(out, prices).price + second.cheapest(out, prices).price;
        if first.price_of_all(out, prices) > apart {
            return None;
        }
        let (weight, row) = first.merged(out);
        let (other, other_row) = second.merged(out);
        let weight = out.derive(Operator::Add, &[weight, other], weight, "sum");
        let row = match (row, other_row) {
            (Some(row), Some(other)) => Some(out.derive(Operator::Add, &[row, other], row, "sum")),
            (row, other) => row.or(other),
        };
        Some(chain::apply(out, single, first.root, weight, row, node))
    })
}

/// Every chain in its cheapest grouping.
fn group(graph: &Graph, prices: &mut Prices) -> Graph {
    rewrite(graph, |out, single, node| {
        let end = chain::product(out, node).is_some() || chain::offset(out, single, node).is_some();
        if !end {
            return None;
        }
        // It is needed in the graph to be looked at; nobody reads it if it is replaced.
        let id = out.push(node.clone());
        let chain = Chain::ending(out, single, id).filter(Chain::can_be_grouped)?;
        let cheapest = chain.cheapest(out, prices);
        match chain.is_grouped_as(&cheapest) {
            true => None,
            false => Some(chain.regrouped(out, single, &cheapest, node)),
        }
    })
}

/// Replaces each secret node for which `replace` has another; `Single` says of new nodes whether one node reads them.
fn rewrite(graph: &Graph, mut replace: impl FnMut(&mut Graph, &mut Single, &Node) -> Option<NodeId>) -> Graph {
    let counts = use_counts(graph);
    let mut single: Single = HashMap::new();
    let Ok(out) = rebuild::<Infallible>(graph, |out, id, node| {
        let open = node.visibility == Visibility::Secret && node.fixed.is_none();
        let new = match open.then(|| replace(out, &mut single, &node)).flatten() {
            Some(new) => {
                stand_for(out, new, &node);
                new
            }
            None => out.push(node),
        };
        single.insert(new, counts[id.0 as usize] == 1);
        Ok(new)
    });
    order::sorted(&out)
}
