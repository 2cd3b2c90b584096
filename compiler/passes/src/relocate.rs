//! Who computes what: all that one party can compute alone, it does, in the clear.
//!
//! %2 = add %0, %1 : secret                    %2 = add %0, %1 : client        (%0, %1 the client's)
//! %4 = multiply %2, %3 : secret               %4 = multiply %2, %3 : secret   (%3 the server's)
//! %5 = offset %4 {by: 1} : secret      =>     %5 = reveal %4 {to: client}
//! %6 = reveal %5 {to: client}                 %6 = offset %5 {by: 1} : client
//!
//! After: every value is labelled with those who can know it, so that only a value that depends on both parties' values
//! is secret; nothing is revealed to a party that sees it anyway, and what follows from revealed values is computed by
//! their receiver.
//!
//! The labels are a minimum cut: of all ways to compute one result for each party in which a party sees in the clear
//! only what it could derive from its own values and its result, this one has the least cost, whatever secret operators
//! and revealed elements cost. Two facts make the cut easy. A clear value enters a sharing for free (its owner's share is
//! the value), so computing alone for as long as possible is never dearer than sharing early. And a reveal never costs
//! more in front of an operator that its receiver can undo, as operands are no larger than results there. A test searches
//! all ways exhaustively. Of several results for one party, an earlier one is revealed whole even where a later one would
//! make a smaller part of it do.
//!
//! A reveal moves in front of an operator only if the operator can be undone by whoever gets the result: `reshape`,
//! `permute` and `broadcast` move or repeat elements; `negate`, `offset`, sums and differences with what the receiver
//! sees anyway, and `scale` by a power of two or by at least one in size keep every bit of the operand. The receiver
//! could compute the operand from the declared result, so it learns nothing more. (A scale below one rounds: the operand
//! would say more than the result.) Saved: what these operators cost between the parties, and repeated elements.
//!
//! Products and sums of several values that one party sees are computed by it first; see [`crate::regroup`].

use std::collections::BTreeMap;
use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;
use ptc_plan::step::Party;

use crate::order;
use crate::rebuild::rebuild;
use crate::regroup::regroup;

pub fn run(graph: &Graph) -> Graph {
    // What becomes clear by one walk may be grouped by the next. Each leaves no more secret than it found.
    let mut graph = once(graph);
    loop {
        let next = once(&graph);
        if next == graph {
            return graph;
        }
        graph = next;
    }
}

fn once(graph: &Graph) -> Graph {
    let labelled = label(graph);
    let mut told = Told::new();
    let Ok(out) = rebuild::<Infallible>(&labelled, |out, _, node| {
        let Op::Reveal { to, reason } = &node.op else { return Ok(regroup(out, node)) };
        Ok(reveal(out, &mut told, &node, *to, reason))
    });
    order::sorted(&label(&follow(out, &told)))
}

/// Values that a party gets to know, and where it has them.
type Told = BTreeMap<(NodeId, usize), NodeId>;

/// What follows from revealed values is computed in the clear: a value whose operands a party all knows is that party's.
fn follow(mut graph: Graph, told: &Told) -> Graph {
    // A reveal may stand behind what follows from it, so that one walk may not be enough.
    loop {
        let mut moved = false;
        for id in graph.ids() {
            for party in [Party::Client, Party::Server] {
                let node = graph.node(id);
                if node.visibility != Visibility::Secret || !matches!(node.op, Op::Apply(_)) {
                    break;
                }
                let known = |input: &NodeId| match graph.node(*input).visibility.seen_by(party) {
                    true => Some(*input),
                    false => told.get(&(*input, party.index())).copied(),
                };
                let Some(inputs) = node.inputs.iter().map(known).collect::<Option<Vec<NodeId>>>() else { continue };
                let node = graph.node_mut(id);
                (node.inputs, node.visibility) = (inputs, Visibility::of(party));
                moved = true;
            }
        }
        if !moved {
            return order::sorted(&graph);
        }
    }
}

/// Every label from the inputs' labels; reveals that tell nothing new are dropped.
fn label(graph: &Graph) -> Graph {
    let Ok(out) = rebuild::<Infallible>(graph, |out, _, mut node| {
        match &node.op {
            Op::Reveal { to, .. } if out.node(node.inputs[0]).visibility.seen_by(*to) => return Ok(node.inputs[0]),
            Op::Reveal { to, .. } => node.visibility = Visibility::of(*to),
            Op::Apply(_) => node.visibility = known_to(out, &node.inputs),
            Op::Input { .. } | Op::Parameter { .. } | Op::Constant(_) => {}
        }
        Ok(out.push(node))
    });
    out
}

fn known_to(graph: &Graph, inputs: &[NodeId]) -> Visibility {
    inputs.iter().map(|&input| graph.node(input).visibility).fold(Visibility::Public, Visibility::join)
}

/// `x` made known to `to`, as early as that tells no more.
fn reveal(out: &mut Graph, told: &mut Told, like: &Node, to: Party, reason: &str) -> NodeId {
    let x = like.inputs[0];
    if let Some(&known) = told.get(&(x, to.index())) {
        return known;
    }
    let node = out.node(x).clone();
    let knows = |told: &Told, id: NodeId| match out.node(id).visibility.seen_by(to) {
        true => Some(id),
        false => told.get(&(id, to.index())).copied(),
    };
    let known = match undone_by_receiver(&node, |id| knows(told, id).is_some()) {
        None => {
            let reveal = Op::Reveal { to, reason: reason.to_string() };
            out.push(Node { op: reveal, visibility: Visibility::of(to), ..like.clone() })
        }
        Some(at) => {
            let inner = Node {
                inputs: vec![node.inputs[at]],
                shape: out.node(node.inputs[at]).shape.clone(),
                bound: None,
                fixed: None,
                error: None,
                ..like.clone()
            };
            let mut inputs: Vec<NodeId> = node.inputs.iter().map(|&id| knows(told, id).unwrap_or(id)).collect();
            if knows(told, node.inputs[at]).is_none() {
                inputs[at] = reveal(out, told, &inner, to, reason);
            }
            let visibility = known_to(out, &inputs);
            out.push(Node { inputs, visibility, ..node })
        }
    };
    told.insert((x, to.index()), known);
    known
}

/// The operand of `node` that its receiver could compute from the node's value and what it knows.
fn undone_by_receiver(node: &Node, knows: impl Fn(NodeId) -> bool) -> Option<usize> {
    use Operator::*;
    let Op::Apply(op) = &node.op else { return None };
    match op {
        Reshape { .. } | Permute { .. } | Broadcast { .. } | Negate => Some(0),
        Offset { by } if by.is_finite() => Some(0),
        Scale { by } if by.is_finite() && (by.abs() >= 1.0 || is_power_of_two(by.abs())) => Some(0),
        Add | Subtract => {
            let known = |at: usize| knows(node.inputs[at]);
            let hidden = [(0, 1), (1, 0)].into_iter().find(|&(hidden, other)| !known(hidden) && known(other));
            hidden.map(|(hidden, _)| hidden)
        }
        _ => None,
    }
}

fn is_power_of_two(by: f64) -> bool {
    by > 0.0 && by.log2().fract() == 0.0
}
