//! The simplest form of a graph.
//!
//! %1 = scale %0 {by: 2}           %1 = scale %0 {by: 6}
//! %2 = scale %1 {by: 3}     =>    %2 = square %1
//! %3 = scale %1 {by: 3}
//! %4 = multiply %2, %3
//!
//! After: no two equal nodes, no dead ones; small constants are folded; chains of scales, offsets, reshapes, permutations
//! and slices are one node, and those that do nothing are gone; names are unique. Saves a protocol step for each merged
//! or dropped node.

use std::collections::HashMap;
use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;

use crate::order;
use crate::rebuild::rebuild;

mod names;
mod simplify;

/// Constants of more elements are left to the run: a plan carries its constants.
const MOST_FOLDED: usize = 4096;

pub fn run(graph: &Graph) -> Graph {
    let mut known = Known::new();
    let Ok(out) = rebuild::<Infallible>(graph, |out, _, node| Ok(place(out, &mut known, node)));
    names::unique(order::sorted(&out))
}

/// The node that stands for each key.
type Known = HashMap<Key, NodeId>;

/// The node that has the value of `node`, whose inputs are in simplest form: an old one or a new one.
fn place(graph: &mut Graph, known: &mut Known, node: Node) -> NodeId {
    let node = match simplify::simplify(graph, known, node) {
        Form::Old(id) => return id,
        Form::New(node) => fold_constant(graph, node),
    };
    *known.entry(Key::of(&node)).or_insert_with(|| graph.push(node))
}

/// What a node simplifies to: one that is there already, or a node to append.
enum Form {
    Old(NodeId),
    New(Node),
}

fn fold_constant(graph: &Graph, mut node: Node) -> Node {
    let Op::Apply(op) = &node.op else { return node };
    let operands: Option<Vec<&FloatTensor>> = node.inputs.iter().map(|&input| constant(graph, input)).collect();
    let size: usize = node.shape.iter().product();
    if let Some(operands) = operands
        && node.visibility == Visibility::Public
        && size <= MOST_FOLDED
    {
        node.op = Op::Constant(op.evaluate(&operands));
        node.inputs.clear();
    }
    node
}

fn constant(graph: &Graph, id: NodeId) -> Option<&FloatTensor> {
    match &graph.node(id).op {
        Op::Constant(value) => Some(value),
        _ => None,
    }
}

/// Nodes of equal keys have equal values for the same people. Origin, bound and the reason of a reveal do not count.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    op: String,
    bits: Vec<u32>,
    inputs: Vec<NodeId>,
    shape: Vec<usize>,
    visibility: Visibility,
    tolerance: Option<u64>,
    ring: Option<(u32, u32)>,
}

impl Key {
    fn of(node: &Node) -> Key {
        let mut bits = vec![];
        let mut inputs = node.inputs.clone();
        let op = match &node.op {
            Op::Input { name, .. } => format!("input {name}"),
            Op::Parameter { path } => format!("parameter {path}"),
            Op::Constant(value) => {
                bits.extend(value.data.iter().map(|x| x.to_bits()));
                "constant".to_string()
            }
            Op::Apply(op) => {
                use Operator::*;
                if matches!(op, Add | Multiply | And | Or | Xor) {
                    inputs.sort();
                }
                // Debug text of numbers reads back exactly, so it tells different operators apart.
                format!("{op:?}")
            }
            Op::Reveal { to, .. } => format!("reveal {to:?}"),
        };
        Key {
            op,
            bits,
            inputs,
            shape: node.shape.clone(),
            visibility: node.visibility,
            tolerance: node.tolerance.map(f64::to_bits),
            ring: node.fixed.map(|fixed| (fixed.bits, fixed.frac)),
        }
    }
}
