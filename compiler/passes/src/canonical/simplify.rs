//! The rules for one node whose inputs are in simplest form already.

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op};
use ptc_plan::operator::Operator::{self, *};

use super::{Form, Known, constant, place};

/// Applies rules until none fits.
pub fn simplify(graph: &mut Graph, known: &mut Known, mut node: Node) -> Form {
    loop {
        match step(graph, known, &node) {
            Some(Step::Is(id)) => return Form::Old(id),
            Some(Step::Becomes(op, inputs)) => {
                node.op = Op::Apply(op);
                node.inputs = inputs;
            }
            None => return Form::New(node),
        }
    }
}

enum Step {
    /// The node's value is that of `id`.
    Is(NodeId),
    Becomes(Operator, Vec<NodeId>),
}

fn step(graph: &mut Graph, known: &mut Known, node: &Node) -> Option<Step> {
    let Op::Apply(op) = &node.op else { return None };
    // A ring that has been chosen is not for this pass to change.
    if node.fixed.is_some() {
        return None;
    }
    let step = match node.inputs[..] {
        [x] => of_one(graph, op, x),
        [a, b] => of_two(graph, known, node, op, [a, b]),
        _ => None,
    };
    step.or_else(|| of_parts(graph, node, op))
}

/// The operator of `id` and its first input, unless its ring has been chosen.
fn applied(graph: &Graph, id: NodeId) -> Option<(&Operator, NodeId)> {
    let node = graph.node(id);
    match &node.op {
        Op::Apply(op) if node.fixed.is_none() => Some((op, *node.inputs.first()?)),
        _ => None,
    }
}

fn becomes(op: Operator, input: NodeId) -> Option<Step> {
    Some(Step::Becomes(op, vec![input]))
}

fn of_one(graph: &Graph, op: &Operator, x: NodeId) -> Option<Step> {
    let shape = &graph.node(x).shape;
    match op {
        Scale { by: 1.0 } => return Some(Step::Is(x)),
        Scale { by: -1.0 } => return becomes(Negate, x),
        Offset { by: 0.0 } => return Some(Step::Is(x)),
        Reshape { shape: to } | Broadcast { shape: to } if to == shape => return Some(Step::Is(x)),
        Permute { axes } if axes.iter().enumerate().all(|(at, &axis)| at == axis) => return Some(Step::Is(x)),
        Slice { axis, length, .. } if *length == shape[*axis] => return Some(Step::Is(x)),
        Sum { axis } | Max { axis } if shape[*axis] == 1 => return Some(Step::Is(x)),
        _ => {}
    }
    let (inner, y) = applied(graph, x)?;
    match (op, inner) {
        (Scale { by }, Scale { by: first }) => becomes(Scale { by: first * by }, y),
        (Scale { by }, Negate) | (Negate, Scale { by }) => becomes(Scale { by: -by }, y),
        (Negate, Negate) | (Not, Not) => Some(Step::Is(y)),
        (Offset { by }, Offset { by: first }) => becomes(Offset { by: first + by }, y),
        (Reshape { .. }, Reshape { .. }) | (Broadcast { .. }, Broadcast { .. }) => becomes(op.clone(), y),
        (Permute { axes }, Permute { axes: first }) => {
            becomes(Permute { axes: axes.iter().map(|&axis| first[axis]).collect() }, y)
        }
        (Slice { axis, start, length }, Slice { axis: same, start: first, .. }) if axis == same => {
            becomes(Slice { axis: *axis, start: first + start, length: *length }, y)
        }
        _ => None,
    }
}

fn of_two(graph: &mut Graph, known: &mut Known, node: &Node, op: &Operator, [a, b]: [NodeId; 2]) -> Option<Step> {
    if a == b && matches!(op, Multiply) {
        return becomes(Square, a);
    }
    // With a number that is the same everywhere, and that the other operand's shape already covers.
    let number = |x: NodeId, other: NodeId| match graph.node(other).shape == node.shape {
        true => uniform(graph, x).map(f64::from).filter(|number| number.is_finite()),
        false => None,
    };
    if let Some(number) = number(b, a) {
        match op {
            Multiply => return becomes(Scale { by: number }, a),
            Divide if number != 0.0 => return becomes(Scale { by: 1.0 / number }, a),
            Add => return becomes(Offset { by: number }, a),
            Subtract => return becomes(Offset { by: -number }, a),
            _ => {}
        }
    }
    if let Some(number) = number(a, b) {
        match op {
            Multiply => return becomes(Scale { by: number }, b),
            Add => return becomes(Offset { by: number }, b),
            Subtract => {
                let negated = negate(graph, known, b, node);
                return becomes(Offset { by: number }, negated);
            }
            _ => {}
        }
    }
    None
}

/// `-x`, in simplest form.
fn negate(graph: &mut Graph, known: &mut Known, x: NodeId, like: &Node) -> NodeId {
    let negated = Node {
        op: Op::Apply(Negate),
        inputs: vec![x],
        shape: graph.node(x).shape.clone(),
        visibility: graph.node(x).visibility,
        name: format!("{}.negated", like.name),
        bound: None,
        fixed: None,
        error: None,
        ..like.clone()
    };
    place(graph, known, negated)
}

fn of_parts(graph: &Graph, node: &Node, op: &Operator) -> Option<Step> {
    match op {
        Concat { .. } if node.inputs.len() == 1 => Some(Step::Is(node.inputs[0])),
        Slice { axis, start, length } => {
            let whole = graph.node(node.inputs[0]);
            let (Op::Apply(Concat { axis: joined }), None) = (&whole.op, whole.fixed) else { return None };
            if joined != axis {
                return None;
            }
            // The one part that holds the slice, if one does.
            let mut first = 0;
            for &part in &whole.inputs {
                let size = graph.node(part).shape[*axis];
                if *start >= first && start + length <= first + size {
                    return becomes(Slice { axis: *axis, start: start - first, length: *length }, part);
                }
                first += size;
            }
            None
        }
        _ => None,
    }
}

/// The number that every element of a constant is, also through structure.
fn uniform(graph: &Graph, id: NodeId) -> Option<f32> {
    if let Some(value) = constant(graph, id) {
        let (&first, rest) = value.data.split_first()?;
        return rest.iter().all(|x| x.to_bits() == first.to_bits()).then_some(first);
    }
    match applied(graph, id)? {
        (Reshape { .. } | Permute { .. } | Slice { .. } | Broadcast { .. }, x) => uniform(graph, x),
        _ => None,
    }
}
