//! Products of many values are trees.
//!
//! %4 = multiply %0, %1              %4 = multiply %0, %1
//! %5 = multiply %4, %2       =>     %5 = multiply %2, %3
//! %6 = multiply %5, %3              %6 = multiply %4, %5
//!
//! After: a chain of secret products, or of `and`s or `or`s, of one shape pairs first what is there first. Saves rounds: `n`
//! factors that come together take `log2 n` products one behind the other instead of `n - 1`, and a factor that comes late
//! meets the product of all others. The number of products stays.

use std::collections::HashSet;
use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use crate::decompose::derive;
use crate::order;
use crate::rebuild::rebuild;

/// What a function that takes a recipe weighs against one product, in steps one behind the other.
const FUNCTION: u32 = 8;

pub fn run(graph: &Graph) -> Graph {
    let users = graph.users();
    let results: HashSet<NodeId> = graph.outputs.iter().map(|output| output.node).collect();
    let mut chains = Chains { heights: vec![], inner: HashSet::new() };
    let Ok(out) = rebuild::<Infallible>(graph, |out, id, node| {
        let inner = !results.contains(&id) && is_inner(graph, id, &users[id.0 as usize]);
        let placed = chains.place(out, node);
        if inner {
            chains.inner.insert(placed);
        }
        Ok(placed)
    });
    order::sorted(&out)
}

/// Whether the node's one user is the next link of its chain.
fn is_inner(graph: &Graph, id: NodeId, users: &[NodeId]) -> bool {
    let (node, &[user]) = (graph.node(id), users) else { return false };
    let user = graph.node(user);
    let once = user.inputs.iter().filter(|&&input| input == id).count() == 1;
    let alike = node.op == user.op && node.shape == user.shape && node.tolerance == user.tolerance;
    once && alike && is_link(node) && is_link(user)
}

fn is_link(node: &Node) -> bool {
    let associative = matches!(node.op, Op::Apply(Operator::Multiply | Operator::And | Operator::Or));
    associative && node.visibility == Visibility::Secret && node.fixed.is_none()
}

struct Chains {
    /// For each new node, the steps one behind the other that it waits for.
    heights: Vec<u32>,
    /// Links whose only user is a link.
    inner: HashSet<NodeId>,
}

impl Chains {
    /// Appends `node`, the last link of a chain as a tree where that is lower.
    fn place(&mut self, out: &mut Graph, node: Node) -> NodeId {
        let mut leaves = vec![];
        if is_link(&node) {
            self.leaves(out, &node, &mut leaves);
        }
        let whole = leaves.iter().all(|&leaf| out.node(leaf).shape == node.shape);
        if leaves.len() > 2 && whole && self.tree_height(&leaves) < self.height(out, &node) {
            return self.tree(out, leaves, node);
        }
        self.push(out, node)
    }

    /// The operands of the chain that ends in `node`, from left to right.
    fn leaves(&self, out: &Graph, node: &Node, leaves: &mut Vec<NodeId>) {
        for &input in &node.inputs {
            match self.inner.contains(&input) {
                true => self.leaves(out, out.node(input), leaves),
                false => leaves.push(input),
            }
        }
    }

    fn tree_height(&self, leaves: &[NodeId]) -> u32 {
        let mut heights: Vec<u32> = leaves.iter().map(|&leaf| self.heights[leaf.0 as usize]).collect();
        while heights.len() > 1 {
            let [a, b] = lowest(&heights);
            let pair = heights[a].max(heights[b]) + 1;
            heights.remove(b);
            heights[a] = pair;
        }
        heights[0]
    }

    fn tree(&mut self, out: &mut Graph, mut leaves: Vec<NodeId>, node: Node) -> NodeId {
        let Op::Apply(op) = &node.op else { unreachable!("a link is an operator") };
        for at in 0.. {
            let heights: Vec<u32> = leaves.iter().map(|&leaf| self.heights[leaf.0 as usize]).collect();
            let [a, b] = lowest(&heights);
            let inputs = vec![leaves[a], leaves[b]];
            if leaves.len() == 2 {
                return self.push(out, Node { inputs, ..node });
            }
            let pair = derive(out, op.clone(), &inputs, &node, &format!("pair{at}"));
            self.heights.push(self.height(out, out.node(pair)));
            leaves.remove(b);
            leaves[a] = pair;
        }
        unreachable!("each pass through the loop leaves one operand less")
    }

    fn push(&mut self, out: &mut Graph, node: Node) -> NodeId {
        self.heights.push(self.height(out, &node));
        out.push(node)
    }

    fn height(&self, out: &Graph, node: &Node) -> u32 {
        let below = node.inputs.iter().map(|input| self.heights[input.0 as usize]).max().unwrap_or(0);
        let secret = node.inputs.iter().any(|&input| out.node(input).visibility == Visibility::Secret);
        use Operator::*;
        let own = match &node.op {
            _ if !secret && node.visibility != Visibility::Secret => 0,
            Op::Apply(
                Add
                | Subtract
                | Negate
                | Scale { .. }
                | Offset { .. }
                | Reshape { .. }
                | Permute { .. }
                | Slice { .. }
                | Concat { .. }
                | Broadcast { .. }
                | Sum { .. }
                | Not
                | Xor,
            ) => 0,
            Op::Apply(Multiply | MatMul { .. } | Square | And | Or | Gate | Select) | Op::Reveal { .. } => 1,
            Op::Apply(_) => FUNCTION,
            _ => 0,
        };
        below + own
    }
}

/// The places of the two lowest, in order; of equal ones the first.
fn lowest(heights: &[u32]) -> [usize; 2] {
    let mut places: Vec<usize> = (0..heights.len()).collect();
    places.sort_by_key(|&at| heights[at]);
    let (a, b) = (places[0], places[1]);
    [a.min(b), a.max(b)]
}
