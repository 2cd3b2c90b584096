//! Truncations without a round: where the ring before one is wider by what it drops, it is local.
//!
//! %2 = matmul %0, %1 : ring(33, 26)         %2 = matmul %0, %1 : ring(49, 26)
//! %3 = rescale %2 : ring(35, 12)       =>   %3 = rescale %2 : ring(35, 12)       local
//!
//! After: a truncation that lies on a longest path is local where the wider ring costs fewer bits than a round is worth. A
//! wrap bit grows a ring for nothing, so that of two truncations in a row the second is local; weights are opened once, so
//! that a product by one costs its left operand alone; a number for each row is cheap.

use std::collections::BTreeSet;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::bill::rescale_growth;
use ptc_plan::operator::Operator;
use ptc_plan::price::{carry_digits, carry_levels, max_levels};
use ptc_plan::step::Fixed;

use super::{frac, is_structure, rings, secret};
use crate::options::PassError;

/// Bits that a round is worth: a tenth of a millisecond and more on every link that is common.
const ROUND_BITS: u64 = 500_000;
/// The widest ring that is asked for.
const WIDEST: u32 = 58;
/// Encrypted products of elements have no parameters beyond; a few elements need none.
const WIDEST_PRODUCT: u32 = 39;
const FEW_ELEMENTS: usize = 4096;
/// Nodes between a truncation and what computes its operand.
const DEPTH: u32 = 40;
const ATTEMPTS: usize = 8;

/// Rings of every secret value, with local truncations where they are worth it.
pub fn assign(scaled: Graph, least: u32) -> Result<Graph, Vec<PassError>> {
    let mut local = BTreeSet::new();
    let mut best = rings(scaled.clone(), least, &local)?;
    for _ in 0..ATTEMPTS {
        let before = local.len();
        local.extend(worthwhile(&best));
        if local.len() == before {
            break;
        }
        match rings(scaled.clone(), least, &local) {
            Ok(next) => best = next,
            Err(_) => break,
        }
    }
    Ok(best)
}

/// Truncations on a longest path that a wider ring makes local, and those before them that have to stay local in it.
fn worthwhile(graph: &Graph) -> Vec<NodeId> {
    let (mut found, mut kept) = (vec![], BTreeSet::new());
    for id in critical(graph) {
        let node = graph.node(id);
        // What another one counts on to grow its ring keeps its round.
        if !matches!(node.op, Op::Apply(Operator::Rescale)) || rounds(graph, node) == 0 || kept.contains(&id) {
            continue;
        }
        let x = node.inputs[0];
        let wide = fixed(node).bits.saturating_add(frac(graph, x)) - fixed(node).frac;
        let mut met = Met { local: vec![id], growing: vec![] };
        let bits = cost(graph, x, wide, DEPTH, &mut met);
        let free = met.growing.iter().all(|grown| !found.contains(grown));
        if free && bits.is_some_and(|bits| bits <= ROUND_BITS + 2 * len(graph, x)) {
            found.extend(met.local);
            kept.extend(met.growing);
        }
    }
    found
}

/// Truncations before one that becomes local.
struct Met {
    /// They have to stay local.
    local: Vec<NodeId>,
    /// They grow the ring.
    growing: Vec<NodeId>,
}

/// Nodes that no round can be taken off beside: those on the longest paths.
fn critical(graph: &Graph) -> Vec<NodeId> {
    let own: Vec<u32> = graph.ids().map(|id| rounds(graph, graph.node(id))).collect();
    let mut end = vec![0; graph.nodes.len()];
    for id in graph.ids() {
        let start = graph.node(id).inputs.iter().map(|input| end[input.0 as usize]).max().unwrap_or(0);
        end[id.0 as usize] = start + own[id.0 as usize];
    }
    let total = end.iter().copied().max().unwrap_or(0);
    // Rounds behind a node.
    let mut behind = vec![0; graph.nodes.len()];
    for id in graph.ids().collect::<Vec<_>>().into_iter().rev() {
        let after = behind[id.0 as usize] + own[id.0 as usize];
        for input in &graph.node(id).inputs {
            let slot: &mut u32 = &mut behind[input.0 as usize];
            *slot = (*slot).max(after);
        }
    }
    graph.ids().filter(|id| end[id.0 as usize] + behind[id.0 as usize] == total).collect()
}

/// As the steps will have them.
fn rounds(graph: &Graph, node: &Node) -> u32 {
    use Operator::*;
    let op = match &node.op {
        Op::Apply(op) if node.visibility == Visibility::Secret => op,
        Op::Reveal { .. } => return 1,
        _ => return 0,
    };
    let compared = |bits: u32| 1 + carry_levels(carry_digits(bits)).len() as u32;
    match op {
        Rescale => u32::from(rescale_growth(fixed(graph.node(node.inputs[0])), fixed(node)) > 0),
        Multiply | MatMul { .. } => {
            let public = |id: &NodeId| graph.node(*id).visibility == Visibility::Public;
            u32::from(!node.inputs.iter().any(public))
        }
        Square | And | Gate | BitToReal | Table { .. } | BitTable { .. } => 1,
        Compare { threshold } => compared(graph.node(node.inputs[0]).compared_bits(*threshold)),
        Exp2 { rounds, .. } => *rounds,
        Levels { .. } => 2,
        Max { axis } => {
            let x = graph.node(node.inputs[0]);
            max_levels(x.shape[*axis]).len() as u32 * (compared(fixed(x).bits) + 1)
        }
        _ => 0,
    }
}

fn fixed(node: &Node) -> Fixed {
    node.fixed.unwrap_or(Fixed { bits: 1, frac: 0 })
}

fn len(graph: &Graph, id: NodeId) -> u64 {
    graph.node(id).shape.iter().product::<usize>() as u64
}

/// Bits that are sent more, both ways, when `id` has a ring of `to` bits; none where it cannot. Truncations on the way are
/// put into `met`.
fn cost(graph: &Graph, id: NodeId, to: u32, depth: u32, met: &mut Met) -> Option<u64> {
    use Operator::*;
    let node = graph.node(id);
    if !secret(graph, id) || fixed(node).bits >= to {
        return Some(0);
    }
    if to > WIDEST || depth == 0 {
        return None;
    }
    let more = u64::from(to - fixed(node).bits);
    let Op::Apply(op) = &node.op else { return None };
    let mut operands = |to: u32| -> Option<u64> {
        let asked = |input: NodeId| match op {
            Add | Subtract | Concat { .. } => to.saturating_sub(frac(graph, id) - frac(graph, input)),
            _ => to,
        };
        node.inputs.iter().map(|&input| cost(graph, input, asked(input), depth - 1, met)).sum()
    };
    let shared = |at: usize| if secret(graph, node.inputs[at]) { len(graph, node.inputs[at]) } else { 0 };
    let narrow = |most: u64| to <= WIDEST_PRODUCT || most <= FEW_ELEMENTS as u64;
    match op {
        Rescale if rounds(graph, node) > 0 => {
            met.growing.push(id);
            Some(0)
        }
        Rescale => {
            let wide = to + frac(graph, node.inputs[0]) - fixed(node).frac;
            met.local.push(id);
            cost(graph, node.inputs[0], wide, depth - 1, met)
        }
        Table { .. } | BitToReal | Levels { .. } => Some(0),
        Add | Subtract | Concat { .. } | Negate | Scale { .. } | Offset { .. } | Sum { .. } => operands(to),
        op if is_structure(op) => operands(to),
        Square if narrow(shared(0)) => Some(operands(to)? + 2 * more * shared(0)),
        Gate => Some(cost(graph, node.inputs[1], to, depth - 1, met)? + 2 * more * len(graph, id)),
        Multiply | MatMul { .. } => {
            let both = shared(0) > 0 && shared(1) > 0;
            let fits = matches!(op, MatMul { .. }) || !both || narrow(shared(0).max(shared(1)));
            let ways = if both { 2 } else { 1 };
            // The other's own operand is opened too where each party knows one.
            let opened = (shared(0) + shared(1)).max(if both { 0 } else { len(graph, node.inputs[0]) });
            if fits { Some(operands(to)? + ways * more * opened) } else { None }
        }
        _ => None,
    }
}
