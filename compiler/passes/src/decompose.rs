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

use std::collections::HashMap;
use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

use crate::options::Options;
use crate::rebuild::rebuild;

/// Octaves below the largest kept score at which a masked weight vanishes.
const VANISHED: f64 = 26.0;

/// Octaves that are worth a table of their own; beyond, what lies below the resolution is found by comparison.
const WIDE_RANGE: f64 = 64.0;
/// Octaves below the maximum that count, and the range of `2^x` that holds them.
const CLIPPED: f64 = 20.0;
const CLIPPED_RANGE: f64 = 32.0;
/// Fraction bits of a centred value before its mean square is known.
const CENTRED_FRAC: u32 = 16;
/// Bits that a centred value of the least expected deviation keeps when it is squared.
const SQUARE_BITS: i32 = 6;

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
            Operator::Softmax2 => softmax(out, &node, options),
            Operator::Normalize { eps } => normalize(out, &node, eps, true, options),
            Operator::RmsNormalize { eps } => normalize(out, &node, eps, false, options),
            Operator::L2Normalize { eps } => l2_normalize(out, &node, eps, options),
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

fn softmax(out: &mut Graph, node: &Node, options: &Options) -> Deferred {
    let scores = node.inputs[0];
    let axis = node.shape.len() - 1;
    let count = node.shape[axis] as f64;
    let seen = out.node(scores).bound.unwrap_or(Bound { low: -1e3, high: 1e3, grade: Grade::Assumed });
    let (masked, low) = match node.inputs.get(1) {
        None => (scores, seen.low),
        Some(&keep) => {
            // Where `keep` is 0 the score falls so far below every kept one that its weight vanishes.
            let floor = seen.high - seen.low + VANISHED;
            let dropped = derive(out, Operator::Offset { by: -1.0 }, &[keep], node, "dropped");
            let bias = derive(out, Operator::Scale { by: floor }, &[dropped], node, "bias");
            let masked = derive(out, Operator::Add, &[scores, bias], node, "masked");
            (masked, seen.low - floor)
        }
    };
    let bounded = |out: &mut Graph, id: NodeId, low: f64, high: f64| {
        out.node_mut(id).bound = Some(Bound { low, high, grade: seen.grade });
        id
    };
    bounded(out, masked, low, seen.high);
    let coarse = derive(out, Operator::Rescale, &[masked], node, "coarse");
    out.node_mut(coarse).fixed = Some(Fixed { bits: 0, frac: 0 });
    bounded(out, coarse, low - 1.0, seen.high + 1.0);
    let most = derive(out, Operator::Max { axis }, &[coarse], node, "max");
    bounded(out, most, low - 1.0, seen.high + 1.0);
    let shifted = derive(out, Operator::Subtract, &[masked, most], node, "shifted");
    let range = seen.high - low + 2.0;
    bounded(out, shifted, -range, 1.0);
    let clip = range > WIDE_RANGE;
    let octaves = if clip { CLIPPED_RANGE } else { range.ceil() } as u32;
    let power = derive(out, Operator::Exp2 { octaves, rounds: 3 }, &[shifted], node, "exp2");
    bounded(out, power, 0.0, 2.0);
    let frac = options.activation_frac + 1;
    out.node_mut(power).fixed = Some(Fixed { bits: 0, frac });
    let mut kept = power;
    if clip {
        out.node_mut(power).bound = Some(Bound { low: 0.0, high: 2.0, grade: Grade::Gated });
        // Beyond its range the power wraps to anything; a comparison on few bits removes it.
        let distance = derive(out, Operator::Subtract, &[coarse, most], node, "distance");
        bounded(out, distance, -range, 1.0);
        let far = derive(out, Operator::Compare { threshold: -CLIPPED }, &[distance], node, "far");
        let near = derive(out, Operator::Not, &[far], node, "near");
        kept = derive(out, Operator::Gate, &[near, power], node, "kept");
        bounded(out, kept, 0.0, 2.0);
    }
    let weights = short(out, kept, frac, node, "weights");
    bounded(out, weights, 0.0, 2.0);
    let total = derive(out, Operator::Sum { axis }, &[weights], node, "total");
    out.node_mut(total).bound = Some(Bound { low: 0.5, high: 2.0 * count, grade: Grade::Proved });
    let by_row = derive(out, Operator::Reciprocal, &[total], node, "reciprocal");
    Deferred { scaled: weights, by_row, factor: 1.0, frac }
}

/// With `2^l >= d`: `centred = (d·x - sum x) / 2^l` is exact, and `rho = d / 2^l` leaves through the factor.
fn normalize(out: &mut Graph, node: &Node, eps: f64, centre: bool, options: &Options) -> Deferred {
    let x = node.inputs[0];
    let axis = node.shape.len() - 1;
    let size = node.shape[axis] as f64;
    let span = size.log2().ceil().exp2();
    let rho = size / span;
    let (value, eps) = if centre {
        let x = short(out, x, CENTRED_FRAC, node, "trimmed");
        let total = derive(out, Operator::Sum { axis }, &[x], node, "sum");
        let wide = derive(out, Operator::Scale { by: size }, &[x], node, "wide");
        let difference = derive(out, Operator::Subtract, &[wide, total], node, "difference");
        let centred = derive(out, Operator::Scale { by: 1.0 / span }, &[difference], node, "centred");
        (centred, eps * rho * rho * rho)
    } else {
        (x, eps * rho)
    };
    let least = options.calibration.bound(&format!("{}.variance", node.name)).map_or(0.06, |(low, _)| low.max(1e-6));
    // A unit of the centred value is stretched by the division; it keeps that many more bits. The square needs few: its
    // roundings average out over the row.
    let stretch = (-0.5 * least.log2()).ceil().clamp(-2.0, 8.0) as i32;
    let frac = (options.activation_frac as i32 + stretch.max(0)) as u32;
    let scaled = short(out, value, frac, node, "short");
    let rough = short(out, value, (SQUARE_BITS + stretch) as u32, node, "rough");
    let square = derive(out, Operator::Square, &[rough], node, "square");
    let energy = derive(out, Operator::Sum { axis }, &[square], node, "energy");
    let mean = derive(out, Operator::Scale { by: 1.0 / span }, &[energy], node, "mean_square");
    let variance = derive(out, Operator::Offset { by: eps }, &[mean], node, "variance");
    let by_row = derive(out, Operator::Rsqrt, &[variance], node, "rsqrt");
    Deferred { scaled, by_row, factor: rho.sqrt(), frac }
}

/// `x` truncated to `frac` fraction bits.
fn short(out: &mut Graph, x: NodeId, frac: u32, node: &Node, part: &str) -> NodeId {
    let id = derive(out, Operator::Rescale, &[x], node, part);
    out.node_mut(id).fixed = Some(Fixed { bits: 0, frac });
    id
}

fn l2_normalize(out: &mut Graph, node: &Node, eps: f64, options: &Options) -> Deferred {
    let x = node.inputs[0];
    let axis = node.shape.len() - 1;
    let frac = options.activation_frac;
    let scaled = short(out, x, frac, node, "short");
    let square = derive(out, Operator::Square, &[scaled], node, "square");
    let energy = derive(out, Operator::Sum { axis }, &[square], node, "energy");
    let bounded = derive(out, Operator::Offset { by: eps * eps }, &[energy], node, "variance");
    let by_row = derive(out, Operator::Rsqrt, &[bounded], node, "rsqrt");
    Deferred { scaled, by_row, factor: 1.0, frac }
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
