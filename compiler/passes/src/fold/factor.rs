//! Factors move into weights and biases, up to the products that made a value or down to those that read it.
//!
//! %2 = matmul %0, %1               %2 = scale %1 {by: 0.3} : server
//! %4 = add %2, %3                  %4 = matmul %0, %2
//! %5 = scale %4 {by: 0.3}    =>    %5 = scale %3 {by: 0.3} : server
//!                                  %6 = add %4, %5
//!
//! A factor is a number, a clear single element, or a clear row with one element a column. It moves only along values
//! that nobody else reads, so nothing is computed twice, and only into operands that its owner may multiply with. Of a
//! number, the power of two stays where it is: there it only moves the point, while a smaller weight would lose bits. In
//! the picture, 0.3 moves as 1.2 and leaves `scale {by: 0.25}`.

use std::collections::HashMap;
use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use super::{is_row, secret, static_product, stays, use_counts};
use crate::rebuild::rebuild;

#[derive(Clone, Copy, PartialEq)]
enum Factor {
    Number(f64),
    Single(NodeId),
    Row(NodeId),
}

/// Up: into the weights that made the value.
pub fn into_producers(graph: &Graph) -> Graph {
    let counts = use_counts(graph);
    // Uses of the new graph's nodes; nodes that only a moved factor made have one.
    let mut uses: HashMap<NodeId, usize> = HashMap::new();
    let Ok(out) = rebuild::<Infallible>(graph, |out, id, node| {
        let moved = factor_of(out, &node).and_then(|(x, factor)| match factor {
            Factor::Number(by) => push_number(out, x, by, &uses),
            _ => push_up(out, x, factor, &uses),
        });
        let new = match moved {
            Some(new) => {
                out.node_mut(new).name = node.name.clone();
                new
            }
            None => out.push(node),
        };
        *uses.entry(new).or_default() += counts[id.0 as usize];
        Ok(new)
    });
    out
}

/// The secret operand and the factor of a node that multiplies by one.
fn factor_of(out: &mut Graph, node: &Node) -> Option<(NodeId, Factor)> {
    use Operator::*;
    let Op::Apply(op) = &node.op else { return None };
    if node.visibility != Visibility::Secret || node.fixed.is_some() {
        return None;
    }
    match (op, &node.inputs[..]) {
        (Scale { by }, &[x]) if split(*by).0 != 1.0 => Some((x, Factor::Number(*by))),
        (Negate, &[x]) => Some((x, Factor::Number(-1.0))),
        (Multiply, &[a, b]) => {
            let factor = clear_factor(out, node, a, b).map(|factor| (a, factor));
            factor.or_else(|| clear_factor(out, node, b, a).map(|factor| (b, factor)))
        }
        (Divide, &[a, b]) => Some(match clear_factor(out, node, a, b)? {
            Factor::Single(b) => (a, Factor::Single(out.derive(Reciprocal, &[b], b, "inverse"))),
            Factor::Row(b) => (a, Factor::Row(out.derive(Reciprocal, &[b], b, "inverse"))),
            Factor::Number(_) => return None,
        }),
        _ => None,
    }
}

/// A clear `factor` of a secret `x` as a single element without axes, or as a row with one axis.
fn clear_factor(out: &mut Graph, node: &Node, x: NodeId, factor: NodeId) -> Option<Factor> {
    let shape = out.node(factor).shape.clone();
    let width = *node.shape.last()?;
    if !secret(out, x) || secret(out, factor) || out.node(x).shape != node.shape {
        return None;
    }
    let single = shape.iter().product::<usize>() == 1;
    if !single && !is_row(&shape, node.shape.len(), width) {
        return None;
    }
    let flat = if single { vec![] } else { vec![width] };
    let factor = match shape == flat {
        true => factor,
        false => out.derive(Operator::Reshape { shape: flat }, &[factor], factor, "flat"),
    };
    Some(if single { Factor::Single(factor) } else { Factor::Row(factor) })
}

/// `by` as a number around one, with the sign, times a power of two.
fn split(by: f64) -> (f64, f64) {
    let power = by.abs().log2().round().exp2();
    match power.is_normal() {
        true => (by / power, power),
        false => (by, 1.0),
    }
}

/// `x · by`, its power of two outside.
fn push_number(out: &mut Graph, x: NodeId, by: f64, uses: &HashMap<NodeId, usize>) -> Option<NodeId> {
    let (near_one, power) = split(by);
    let inner = match near_one == 1.0 {
        true => x,
        false => push_up(out, x, Factor::Number(near_one), uses)?,
    };
    Some(match power == 1.0 {
        true => inner,
        false => out.derive(Operator::Scale { by: power }, &[inner], x, "shifted"),
    })
}

/// A node that is `factor` times `x`, made without a new step between the parties, if there is one.
fn push_up(out: &mut Graph, x: NodeId, factor: Factor, uses: &HashMap<NodeId, usize>) -> Option<NodeId> {
    use Operator::*;
    if !secret(out, x) {
        return times(out, x, factor);
    }
    let node = out.node(x).clone();
    let Op::Apply(op) = &node.op else { return None };
    if uses.get(&x).is_some_and(|&count| count > 1) || node.fixed.is_some() {
        return None;
    }
    let row = matches!(factor, Factor::Row(_));
    if let Factor::Number(by) = factor {
        match *op {
            Scale { by: own } => return push_number(out, node.inputs[0], own * by, uses),
            Negate => return push_number(out, node.inputs[0], -by, uses),
            Offset { by: own } => {
                let inner = push_up(out, node.inputs[0], factor, uses)?;
                return Some(out.derive(Offset { by: own * by }, &[inner], x, ""));
            }
            _ => {}
        }
    }
    let inputs = match (op, &node.inputs[..]) {
        (MatMul { transpose_b }, &[a, b]) => {
            // A weight before a shared value; of two shared values the left one: a query, not the keys it meets.
            let [first, second] = if secret(out, b) { [0, 1] } else { [1, 0] };
            let takes = |at: usize| !row || (at == 1 && !transpose_b);
            let mut inputs = vec![a, b];
            let mut into = |out: &mut Graph, at: usize| match takes(at) {
                true => push_up(out, inputs[at], factor, uses).map(|moved| inputs[at] = moved),
                false => None,
            };
            if into(out, first).is_none() {
                into(out, second)?;
            }
            inputs
        }
        (Multiply, &[a, b]) => {
            // An operand that is repeated along the columns would grow by a row.
            let takes = |x: NodeId| !row || out.node(x).shape.last() == node.shape.last();
            let (a_takes, b_takes) = (takes(a), takes(b));
            let into_b = if b_takes { push_up(out, b, factor, uses) } else { None };
            match into_b {
                Some(b) => vec![a, b],
                None if a_takes => vec![push_up(out, a, factor, uses)?, b],
                None => return None,
            }
        }
        (Add | Subtract, &[a, b]) => {
            let (into_a, into_b) = (push_up(out, a, factor, uses), push_up(out, b, factor, uses));
            match (into_a, into_b, factor) {
                (Some(a), Some(b), _) => vec![a, b],
                // One side is multiplied for itself: no more elements than the sum has, and beside the other side's steps.
                (Some(into_a), None, Factor::Row(by)) if out.node(b).shape == node.shape => {
                    vec![into_a, out.derive(Multiply, &[b, by], b, "scaled")]
                }
                (None, Some(into_b), Factor::Row(by)) if out.node(a).shape == node.shape => {
                    vec![out.derive(Multiply, &[a, by], a, "scaled"), into_b]
                }
                _ => return None,
            }
        }
        (
            Reshape { .. } | Permute { .. } | Slice { .. } | Broadcast { .. } | Sum { .. } | Scale { .. } | Negate,
            &[x],
        ) if !row => {
            vec![push_up(out, x, factor, uses)?]
        }
        (Concat { .. }, parts) if !row => {
            let parts: Option<Vec<NodeId>> = parts.iter().map(|&part| push_up(out, part, factor, uses)).collect();
            parts?
        }
        (Relu | Max { .. }, &[x]) if matches!(factor, Factor::Number(by) if by > 0.0) => {
            vec![push_up(out, x, factor, uses)?]
        }
        _ => return None,
    };
    Some(out.derive(op.clone(), &inputs, x, ""))
}

/// `factor` times a clear `x`, if one party can compute it.
fn times(out: &mut Graph, x: NodeId, factor: Factor) -> Option<NodeId> {
    let by = match factor {
        Factor::Number(by) => return Some(out.derive(Operator::Scale { by }, &[x], x, "scaled")),
        Factor::Single(by) | Factor::Row(by) => by,
    };
    let (owner, other) = (out.node(x).visibility, out.node(by).visibility);
    // A public operand must stay public: a product with it is free.
    match stays(owner, other) {
        true => Some(out.derive(Operator::Multiply, &[x, by], x, "scaled")),
        false => None,
    }
}

/// Down: into the weight of the one static product that reads the value.
pub fn into_consumers(graph: &Graph) -> Graph {
    let counts = use_counts(graph);
    let mut single = HashMap::new();
    let Ok(out) = rebuild::<Infallible>(graph, |out, id, mut node| {
        if let Some((x, weight)) = static_product(out, &node)
            && let Some((x, by)) = strip(out, x, &single)
        {
            let (near_one, power) = split(by);
            let scaled = out.derive(Operator::Scale { by: near_one }, &[weight], weight, "scaled");
            node.inputs = vec![x, scaled];
            if power != 1.0 {
                let name = node.name.clone();
                node.name = format!("{name}.unshifted");
                let product = out.push(node);
                let shifted = out.derive(Operator::Scale { by: power }, &[product], product, "");
                out.node_mut(shifted).name = name;
                return Ok(shifted);
            }
        }
        let new = out.push(node);
        single.insert(new, counts[id.0 as usize] == 1);
        Ok(new)
    });
    out
}

/// `x` without the number that it was multiplied by, looked for through structure that nobody else reads.
fn strip(out: &mut Graph, x: NodeId, single: &HashMap<NodeId, bool>) -> Option<(NodeId, f64)> {
    use Operator::*;
    let node = out.node(x).clone();
    let Op::Apply(op) = &node.op else { return None };
    if !secret(out, x) || node.fixed.is_some() || single.get(&x) != Some(&true) {
        return None;
    }
    match op {
        Scale { by } if split(*by).0 != 1.0 => Some((node.inputs[0], *by)),
        Negate => Some((node.inputs[0], -1.0)),
        Reshape { .. } | Permute { .. } | Slice { .. } | Broadcast { .. } => {
            let (inner, by) = strip(out, node.inputs[0], single)?;
            Some((out.derive(op.clone(), &[inner], x, ""), by))
        }
        _ => None,
    }
}
