//! Fixed points: how many fraction bits and which ring every secret value has, and where values are truncated.
//!
//! %2 = matmul %0, %1         %2 = matmul %0, %1 : ring(37, 24)
//! %3 = square %2        =>   %4 = rescale %2    : ring(31, 12)
//!                            %3 = square %4     : ring(31, 24)
//!
//! After: every secret real node has a ring, wide enough for its users; a `rescale` stands only before products whose
//! operand has too many fraction bits, once for each value and scale. Products keep their double scale through additions,
//! so a truncation is as late as possible; with the bound known, each costs two bits.

mod few;

use std::collections::{BTreeSet, HashMap, HashSet};

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;
use ptc_plan::step::{Exp2, Fixed};

use crate::chain;
use crate::decompose::derive;
use crate::options::{Options, PassError, Rounds};
use crate::rebuild::rebuild;

/// Fraction bits of a clear factor that is not a weight.
const FACTOR_FRAC: u32 = 16;
/// Significant bits of a public scale.
const SCALE_BITS: i32 = 14;
/// Fraction bits with which a result is opened.
const RESULT_FRAC: u32 = 16;
/// Fraction bits that `exp2` reads.
const EXPONENT_FRAC: u32 = 13;
/// A ring is widened by up to this much to make a truncation local.
const SLACK: u32 = 3;
pub const MOST_BITS: u32 = 64;
/// Values too wide for any ring that are named: one makes the next.
const MOST_ERRORS: usize = 3;

pub fn run(graph: &Graph, options: &Options) -> Result<Graph, Vec<PassError>> {
    let scaled = scales(graph, options);
    match options.recipes.rounds {
        Rounds::Narrow => rings(scaled, options.least_ring, &BTreeSet::new()),
        Rounds::Few => few::assign(scaled, options.least_ring),
    }
}

/// An integer factor and its fraction bits: `by = factor / 2^frac`.
pub fn quantise(by: f64) -> (i64, i32) {
    let exponent = by.abs().log2();
    if exponent.fract() == 0.0 {
        return (by.signum() as i64, -exponent as i32);
    }
    if by.fract() == 0.0 && by.abs() < (1u64 << 20) as f64 {
        return (by as i64, 0);
    }
    let mut frac = SCALE_BITS - exponent.floor() as i32;
    let mut factor = (by * (frac as f64).exp2()).round() as i64;
    while factor % 2 == 0 && frac > 0 {
        (factor, frac) = (factor / 2, frac - 1);
    }
    (factor, frac)
}

/// Fraction bits of every secret node; inserts the rescales.
fn scales(graph: &Graph, options: &Options) -> Graph {
    let mut shortened = Shortened::of(graph);
    // Values whose scale a recipe has chosen: they enter products as they are.
    let mut chosen: HashSet<NodeId> = HashSet::new();
    let Ok(out) = rebuild::<std::convert::Infallible>(graph, |out, _, mut node| {
        let op = match &node.op {
            Op::Apply(op) if node.visibility == Visibility::Secret => op.clone(),
            Op::Reveal { .. } if secret(out, node.inputs[0]) => {
                node.inputs[0] = shortened.shorten(out, node.inputs[0], RESULT_FRAC);
                return Ok(out.push(node));
            }
            _ => return Ok(out.push(node)),
        };
        if is_bit(&op) || (is_structure(&op) && secret_bit(out, node.inputs[0])) {
            return Ok(out.push(node));
        }
        let wanted = match op {
            Operator::MatMul { .. } | Operator::Multiply | Operator::Square => Some(options.activation_frac),
            Operator::Exp2 { .. } => Some(EXPONENT_FRAC),
            _ => None,
        };
        if let Some(frac) = wanted {
            for input in &mut node.inputs {
                if secret(out, *input) && !chosen.contains(input) {
                    *input = shortened.shorten(out, *input, frac);
                }
            }
        }
        let frac = result_frac(out, &node, &op, options);
        let power_of_two = matches!(op, Operator::Scale { by } if quantise(by).0.abs() == 1);
        let keeps = is_structure(&op) || power_of_two || matches!(op, Operator::Offset { .. } | Operator::Rest { .. });
        let stays = node.fixed.is_some() || (keeps && chosen.contains(&node.inputs[0]));
        let id = out.push(node);
        if stays {
            chosen.insert(id);
        }
        out.node_mut(id).fixed = Some(Fixed { bits: 0, frac });
        Ok(id)
    });
    out
}

fn secret(graph: &Graph, id: NodeId) -> bool {
    graph.node(id).visibility == Visibility::Secret
}

fn frac(graph: &Graph, id: NodeId) -> u32 {
    graph.node(id).fixed.map_or(0, |fixed| fixed.frac)
}

fn is_bit(op: &Operator) -> bool {
    use Operator::*;
    matches!(op, Less | Not | And | Or | Xor | Compare { .. } | BitTable { .. })
}

fn secret_bit(graph: &Graph, id: NodeId) -> bool {
    match &graph.node(id).op {
        Op::Apply(op) if is_structure(op) => secret_bit(graph, graph.node(id).inputs[0]),
        Op::Apply(op) => is_bit(op),
        _ => false,
    }
}

fn is_structure(op: &Operator) -> bool {
    use Operator::*;
    matches!(op, Reshape { .. } | Permute { .. } | Slice { .. } | Concat { .. } | Broadcast { .. })
}

/// Truncations that are there already.
struct Shortened {
    by_scale: HashMap<(NodeId, u32), NodeId>,
    /// Names before this pass. Errors are attributed by name, so none may come to stand for something else.
    taken: HashSet<String>,
}

impl Shortened {
    fn of(graph: &Graph) -> Shortened {
        Shortened { by_scale: HashMap::new(), taken: graph.nodes.iter().map(|node| node.name.clone()).collect() }
    }

    fn shorten(&mut self, out: &mut Graph, id: NodeId, to: u32) -> NodeId {
        if frac(out, id) <= to {
            return id;
        }
        if let Some(&short) = self.by_scale.get(&(id, to)) {
            return short;
        }
        let like = out.node(id).clone();
        let part = if self.taken.contains(&format!("{}.short", like.name)) { "cut" } else { "short" };
        let short = derive(out, Operator::Rescale, &[id], &like, part);
        let node = out.node_mut(short);
        node.fixed = Some(Fixed { bits: 0, frac: to });
        node.bound = like.bound;
        self.by_scale.insert((id, to), short);
        short
    }
}

fn result_frac(out: &Graph, node: &Node, op: &Operator, options: &Options) -> u32 {
    let of = |i: usize| frac(out, node.inputs[i]);
    let operands = || (0..node.inputs.len()).filter(|&i| secret(out, node.inputs[i]));
    match op {
        Operator::Rescale => {
            let wanted = node.fixed.map_or(options.activation_frac, |fixed| fixed.frac);
            wanted.min(of(0))
        }
        Operator::Levels { .. } => 0,
        Operator::Table { .. } => node.fixed.map_or(options.activation_frac, |fixed| fixed.frac),
        Operator::Add | Operator::Subtract | Operator::Concat { .. } => {
            let clear_only = options.activation_frac;
            operands().map(of).max().unwrap_or(clear_only)
        }
        Operator::Multiply | Operator::MatMul { .. } => {
            let both_clear = operands().next().is_none();
            let factor = |i: usize| match out.node(node.inputs[i]).visibility {
                Visibility::Secret => of(i),
                Visibility::Server => options.weight_frac,
                // The client's own operand of a product with the server's is shared like an activation.
                _ if both_clear => options.activation_frac,
                _ => FACTOR_FRAC,
            };
            factor(0) + factor(1)
        }
        Operator::Square => 2 * of(0),
        Operator::Scale { by } => {
            let (factor, bits) = quantise(*by);
            match factor.abs() {
                // A power of two above one takes fraction bits; where there are none left it multiplies.
                1 => (of(0) as i32 + bits).max(0) as u32,
                _ => (of(0) as i32 + bits.max(0)) as u32,
            }
        }
        Operator::BitToReal => 0,
        Operator::Gate => of(1),
        Operator::Exp2 { .. } => node.fixed.map_or(options.activation_frac + 1, |fixed| fixed.frac),
        _ => of(0),
    }
}

/// From the users back: the ring that every user of a value asks for. Truncations in `local` ask for one that makes them
/// local.
fn rings(mut graph: Graph, least: u32, local: &BTreeSet<NodeId>) -> Result<Graph, Vec<PassError>> {
    let mut need = vec![least; graph.nodes.len()];
    let mut errors = vec![];
    for id in graph.ids().collect::<Vec<_>>().into_iter().rev() {
        if secret(&graph, id) {
            let own = own_ring(&graph, id, need[id.0 as usize]);
            need[id.0 as usize] = own;
            if own > MOST_BITS {
                errors.push(chain::too_wide(&graph, id, own));
            }
            if let Some(fixed) = &mut graph.node_mut(id).fixed {
                fixed.bits = own;
            }
        }
        let node = graph.node(id);
        for (at, &input) in node.inputs.iter().enumerate() {
            if secret(&graph, input) && graph.node(input).fixed.is_some() {
                let asked = asked_of(&graph, id, at, local);
                let slot = &mut need[input.0 as usize];
                *slot = (*slot).max(asked);
            }
        }
    }
    // What a value is made from comes before what is made from it.
    errors.reverse();
    errors.dedup_by_key(|e| e.origin);
    errors.truncate(MOST_ERRORS);
    if errors.is_empty() { Ok(graph) } else { Err(errors) }
}

/// Some results have a least ring of their own.
fn own_ring(graph: &Graph, id: NodeId, asked: u32) -> u32 {
    let node = graph.node(id);
    match &node.op {
        Op::Apply(Operator::Exp2 { octaves, rounds }) => {
            asked.max(Exp2::for_range(*octaves, frac(graph, id), *rounds).ring)
        }
        Op::Apply(Operator::Levels { step, .. }) => asked.max(step.log2() as u32 + 1),
        Op::Apply(Operator::Max { .. }) => {
            // A tournament subtracts: the ring holds every difference.
            let bound = graph.node(node.inputs[0]).bound.expect("bounds are found");
            asked.max(ptc_ir::graph::signed_bits(bound.high - bound.low, frac(graph, id)))
        }
        _ => asked,
    }
}

/// The ring that `user` asks of its operand `at`.
fn asked_of(graph: &Graph, user: NodeId, at: usize, local: &BTreeSet<NodeId>) -> u32 {
    let node = graph.node(user);
    let x = node.inputs[at];
    let x_frac = frac(graph, x);
    let ring = node.fixed.map_or(0, |fixed| fixed.bits);
    let op = match &node.op {
        Op::Apply(op) => op,
        // Opened whole: sign and value.
        _ => return graph.node(x).signed_bits(0.0),
    };
    match op {
        Operator::Add | Operator::Subtract | Operator::Concat { .. } => {
            ring.saturating_sub(frac(graph, user) - x_frac).max(1)
        }
        Operator::Rescale => {
            let shift = x_frac - frac(graph, user);
            let least = graph.node(x).signed_bits(0.0).saturating_add(1);
            let wide = ring.saturating_add(shift);
            if wide <= least.saturating_add(SLACK) || local.contains(&user) { wide.max(1) } else { least }
        }
        Operator::Compare { threshold } => graph.node(x).compared_bits(*threshold),
        Operator::Exp2 { octaves, rounds } => Exp2::for_range(*octaves, frac(graph, user), *rounds).input_bits(x_frac),
        Operator::Levels { low, step, count } => {
            let scale = graph.node(x).level_scale(*low, *step, *count);
            scale.index_bits + scale.shift
        }
        Operator::Table { step_bits, values, .. } => {
            let index_bits = values[0].len().ilog2();
            (index_bits as i32 + x_frac as i32 - step_bits).max(index_bits as i32) as u32
        }
        Operator::BitTable { step_bits, values, .. } => {
            let index_bits = values[0].len().ilog2();
            (index_bits as i32 + x_frac as i32 - step_bits).max(index_bits as i32) as u32
        }
        // One more, so that every rest has a bit above it to drop.
        Operator::Rest { step_bits } => (x_frac as i32 - step_bits).max(0) as u32 + 1,
        _ => ring,
    }
}
