//! Arithmetic moves into the weights, where their owner does it in the clear.
//!
//! %4 = matmul %0, %1          %4 = concat %1, %2, %3 {axis: 1}
//! %5 = matmul %0, %2    =>    %5 = matmul %0, %4
//! %6 = matmul %0, %3          %6 = slice %5 .. , %7 = slice %5 .. , %8 = slice %5 ..
//! %7 = scale %6 {by: 0.3}     (with %3 scaled by 0.3 beforehand)
//!
//! After: static products read their weight as `[inner, outer]`; products of one value with weights of one owner are one
//! product; scales and factors that can be part of a weight and its bias are; a factor for each column (the gamma of a
//! LayerNorm) whose every user is a static product is part of these products' weights. Saves the opening of a value for
//! each joined product, an elementwise product or a truncation for each folded factor.
//!
//! Weights become expressions of clear nodes: no owner learns anything, and nothing new is opened.

use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use crate::canonical;
use crate::order;
use crate::rebuild::rebuild;
use crate::regroup::regroup;

mod affine;
mod factor;
mod join;
mod pool;
mod transpose;

/// Rounds of folding after which a graph is taken as it is.
const MOST_ROUNDS: usize = 8;

/// Until nothing moves: what simplifies a weight may free another factor.
pub fn run(graph: &Graph) -> Graph {
    let mut graph = canonical::run(graph);
    for _ in 0..MOST_ROUNDS {
        let folded = once(&graph);
        if folded == graph {
            break;
        }
        graph = folded;
    }
    graph
}

/// In this order: what an earlier step does to the graph is what the later ones look for.
fn once(graph: &Graph) -> Graph {
    let steps = [transpose::run, pool::run, factor::into_producers, affine::run, regroup_all, join::run];
    // What a step has replaced must not look like a user to the next.
    let folded = steps.iter().fold(graph.clone(), |graph, step| order::sorted(&step(&graph)));
    // Only joined products show that a factor has no other users.
    canonical::run(&factor::into_consumers(&canonical::run(&folded)))
}

/// Additions of clear values one after the other are one.
fn regroup_all(graph: &Graph) -> Graph {
    let Ok(out) = rebuild::<Infallible>(graph, |out, _, node| Ok(regroup(out, node)));
    out
}

pub(crate) fn secret(graph: &Graph, id: NodeId) -> bool {
    graph.node(id).visibility == Visibility::Secret
}

/// `x · weight` with a secret result and a `weight[inner, outer]` that somebody sees.
fn static_product(graph: &Graph, node: &Node) -> Option<(NodeId, NodeId)> {
    let (Op::Apply(Operator::MatMul { transpose_b: false }), &[x, weight]) = (&node.op, &node.inputs[..]) else {
        return None;
    };
    let fits = node.visibility == Visibility::Secret && node.fixed.is_none();
    let clear = !secret(graph, weight) && graph.node(weight).shape.len() == 2;
    (fits && clear).then_some((x, weight))
}

/// Whether a value has one element for each step of the last axis of a tensor of `rank` axes with `width` columns, and is
/// the same along the others.
pub(crate) fn is_row(shape: &[usize], rank: usize, width: usize) -> bool {
    match shape {
        [ones @ .., last] => shape.len() <= rank && *last == width && ones.iter().all(|&size| size == 1),
        [] => false,
    }
}

/// Whether `owner` can compute with what `other` sees: nobody else's values are among it.
fn stays(owner: Visibility, other: Visibility) -> bool {
    owner.join(other) == owner
}

/// How many nodes and outputs read each node.
pub(crate) fn use_counts(graph: &Graph) -> Vec<usize> {
    let mut counts: Vec<usize> = graph.users().iter().map(Vec::len).collect();
    for output in &graph.outputs {
        counts[output.node.0 as usize] += 1;
    }
    counts
}
