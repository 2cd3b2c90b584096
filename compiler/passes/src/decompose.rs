//! Composite functions become primitives, exactly.
//!
//! %1 = softmax2 %0      %1 = rescale %0          coarse: the maximum needs few bits
//!                       %2 = max %1
//!                  =>   %3 = subtract %0, %2
//!                       %4 = exp2 %3
//!                       %5 = sum %4
//!                       %6 = reciprocal %5
//!                       %7 = multiply %4, %6
//!
//! After: every secret non-linear node is elementwise, a `max`, or a product. What is normalised by rows and then enters
//! a product is normalised after it; LayerNorm's scale joins the centred value before the division, beside the square
//! root instead of behind it. Variances and sums become nodes that calibration can see.

mod normalise;
mod softmax;

use std::collections::HashMap;
use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

use crate::options::Options;
use crate::rebuild::rebuild;
use normalise::Centre;

/// A value `scaled · by_row` whose product is put off until its one user is known.
struct Deferred {
    scaled: NodeId,
    by_row: NodeId,
    /// Public factor that the product still lacks.
    factor: f64,
    /// Fraction bits that `scaled` keeps in a product.
    frac: u32,
}

pub fn run(graph: &Graph, options: &Options) -> Graph {
    let users = graph.users();
    let mut deferred: HashMap<NodeId, Deferred> = HashMap::new();
    let Ok(out) = rebuild::<Infallible>(graph, |out, id, node| {
        let op = match &node.op {
            Op::Apply(op) if node.visibility == Visibility::Secret => op.clone(),
            _ => return Ok(out.push(node)),
        };
        let only_user = match users[id.0 as usize].as_slice() {
            [user] if graph.outputs.iter().all(|o| o.node != id) => Some(*user),
            _ => None,
        };
        if let Some(product) = put_off(out, &node, &op, &deferred) {
            return Ok(product);
        }
        let part = match op {
            Operator::Softmax2 => softmax::softmax(out, &node, options),
            Operator::Normalize { eps } => normalise::normalise(out, &node, eps, Centre::Mean, options),
            Operator::RmsNormalize { eps } => normalise::normalise(out, &node, eps, Centre::Zero, options),
            Operator::L2Normalize { eps } => normalise::by_length(out, &node, eps, options),
            other => return Ok(simple(out, node, other)),
        };
        let waits = only_user.is_some_and(|user| takes_deferred(graph, id, user));
        let value = finish(out, &node, &part);
        if waits {
            deferred.insert(value, part);
        }
        Ok(value)
    });
    out
}

/// Whether `user` multiplies the rows of `id` by something that commutes with a factor for each row.
fn takes_deferred(graph: &Graph, id: NodeId, user: NodeId) -> bool {
    let user = graph.node(user);
    match &user.op {
        Op::Apply(Operator::MatMul { .. }) => user.inputs[0] == id && user.inputs[1] != id,
        Op::Apply(Operator::Multiply) => {
            let other = if user.inputs[0] == id { user.inputs[1] } else { user.inputs[0] };
            let known = graph.node(other).visibility != Visibility::Secret;
            known && other != id && graph.node(other).shape.len() == 1
        }
        _ => false,
    }
}

/// The user of a put-off product: the product by rows comes last.
fn put_off(out: &mut Graph, node: &Node, op: &Operator, deferred: &HashMap<NodeId, Deferred>) -> Option<NodeId> {
    let at = node.inputs.iter().position(|input| deferred.contains_key(input))?;
    let part = &deferred[&node.inputs[at]];
    let inner = match op {
        Operator::MatMul { .. } if at == 0 && part.factor == 1.0 => {
            let inputs = [part.scaled, node.inputs[1]];
            derive(out, op.clone(), &inputs, node, "unnormalised")
        }
        Operator::Multiply => {
            let other = node.inputs[1 - at];
            let weight = match part.factor == 1.0 {
                true => other,
                false => derive(out, Operator::Scale { by: part.factor }, &[other], node, "scaled_weight"),
            };
            let product = derive(out, Operator::Multiply, &[part.scaled, weight], node, "unnormalised");
            short(out, product, part.frac, node, "unnormalised.short")
        }
        _ => return None,
    };
    let product = derive(out, Operator::Multiply, &[inner, part.by_row], node, "");
    Some(product)
}

fn finish(out: &mut Graph, node: &Node, part: &Deferred) -> NodeId {
    let row = match part.factor == 1.0 {
        true => part.by_row,
        false => derive(out, Operator::Scale { by: part.factor }, &[part.by_row], node, "row"),
    };
    derive(out, Operator::Multiply, &[part.scaled, row], node, "")
}

/// `x` truncated to `frac` fraction bits.
fn short(out: &mut Graph, x: NodeId, frac: u32, node: &Node, part: &str) -> NodeId {
    let id = derive(out, Operator::Rescale, &[x], node, part);
    out.node_mut(id).fixed = Some(Fixed { bits: 0, frac });
    id
}

/// Operators that are one or two others.
fn simple(out: &mut Graph, node: Node, op: Operator) -> NodeId {
    let secret = |out: &Graph, id: NodeId| out.node(id).visibility == Visibility::Secret;
    match op {
        Operator::Less => {
            let difference = derive(out, Operator::Subtract, &node.inputs, &node, "difference");
            derive(out, Operator::Compare { threshold: 0.0 }, &[difference], &node, "")
        }
        Operator::Select => {
            let [bit, a, b] = node.inputs[..] else { unreachable!("select has three operands") };
            let difference = derive(out, Operator::Subtract, &[a, b], &node, "difference");
            let by = if secret(out, bit) { Operator::Gate } else { Operator::Multiply };
            let chosen = derive(out, by, &[bit, difference], &node, "chosen");
            derive(out, Operator::Add, &[b, chosen], &node, "")
        }
        Operator::Or => {
            let both = derive(out, Operator::And, &node.inputs, &node, "both");
            let either = derive(out, Operator::Xor, &node.inputs, &node, "either");
            derive(out, Operator::Xor, &[either, both], &node, "")
        }
        Operator::Divide => {
            let [a, b] = node.inputs[..] else { unreachable!("division has two operands") };
            let inverse = derive(out, Operator::Reciprocal, &[b], &node, "reciprocal");
            derive(out, Operator::Multiply, &[a, inverse], &node, "")
        }
        Operator::Sqrt => {
            let inverse = derive(out, Operator::Rsqrt, &node.inputs, &node, "rsqrt");
            derive(out, Operator::Multiply, &[node.inputs[0], inverse], &node, "")
        }
        _ => out.push(node),
    }
}

/// As [`Graph::derive`], for a node that is not yet in the graph. Without a `part` it takes the node's place, and is bounded
/// as that is.
pub fn derive(out: &mut Graph, op: Operator, inputs: &[NodeId], like: &Node, part: &str) -> NodeId {
    let id = out.derive(op, inputs, inputs[0], "");
    let node = out.node_mut(id);
    node.name = if part.is_empty() { like.name.clone() } else { format!("{}.{part}", like.name) };
    node.origin = like.origin;
    node.tolerance = like.tolerance;
    if part.is_empty() {
        node.bound = like.bound;
    }
    id
}
