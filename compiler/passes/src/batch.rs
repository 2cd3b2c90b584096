//! Several queries at once: every value that a query decides has an axis of queries in front.
//!
//! %0 = input "x" : client real[32, 384]             %0 = input "x" : client real[8, 32, 384]
//! %2 = matmul %0, %1 : secret real[32, 64]     =>   %2 = matmul %0, %1 : secret real[8, 32, 64]
//! %4 = sum %3 {axis: 0} : secret real[1, 64]        %4 = sum %3 {axis: 1} : secret real[8, 1, 64]
//!
//! After: inputs and results are stacked by queries; parameters, constants and what is computed from them alone stay
//! single. The rounds are those of one query. A product by a weight is one product over the rows of all queries, so that
//! its preparation fills whole ciphertexts, and the weight is transformed once.
//!
//! It comes last: names, bounds, rings and recipes are those of one query, so ranges measured on single queries hold, and
//! results are computed as a single query computes them. An operator that cannot take the axis, or a factor that only one
//! party knows and that differs from query to query, is computed query by query, in the same rounds.

use std::collections::HashMap;
use std::convert::Infallible;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;

use crate::decompose::derive;
use crate::options::Options;
use crate::rebuild::rebuild;

pub fn run(graph: &Graph, options: &Options) -> Graph {
    let Some(queries) = options.batch.map(|queries| queries as usize).filter(|&queries| queries > 1) else {
        return graph.clone();
    };
    let mut stacks = Stacks { queries, axes: HashMap::new(), raised: HashMap::new() };
    let Ok(mut out) = rebuild::<Infallible>(graph, |out, _, node| Ok(stacks.node(out, node)));
    for at in 0..out.outputs.len() {
        // What no query decides is each query's result.
        let node = out.outputs[at].node;
        let node = stacks.first(&mut out, node);
        out.outputs[at].node = stacks.stack(&mut out, node);
    }
    out
}

/// Which nodes of the new graph hold one value for each query.
struct Stacks {
    queries: usize,
    /// The axis of queries: 0, but 1 behind the outputs of a table.
    axes: HashMap<NodeId, usize>,
    /// A stack with axes of size 1 behind that of queries, by the rank of one value.
    raised: HashMap<(NodeId, usize), NodeId>,
}

impl Stacks {
    fn node(&mut self, out: &mut Graph, mut node: Node) -> NodeId {
        if !matches!(node.op, Op::Input { .. }) && !node.inputs.iter().any(|input| self.axes.contains_key(input)) {
            return out.push(node);
        }
        let (at, axis) = match node.op.clone() {
            Op::Apply(Operator::Table { .. } | Operator::BitTable { .. }) => {
                node.inputs[0] = self.first(out, node.inputs[0]);
                node.shape.insert(1, self.queries);
                (out.push(node), 1)
            }
            Op::Apply(Operator::Slice { axis: 0, .. }) if self.axes[&node.inputs[0]] == 1 => {
                let mut shape = node.shape.clone();
                shape.insert(1, self.queries);
                let slice = out.push(Node { shape, name: format!("{}.output", node.name), ..node.clone() });
                (self.turn(out, slice, &node), 0)
            }
            Op::Apply(op) => {
                node.inputs = node.inputs.iter().map(|&input| self.first(out, input)).collect();
                (self.apply(out, op, node), 0)
            }
            _ => {
                node.inputs = node.inputs.iter().map(|&input| self.first(out, input)).collect();
                node.shape.insert(0, self.queries);
                (out.push(node), 0)
            }
        };
        self.axes.insert(at, axis);
        at
    }

    fn stacked(&self, id: NodeId) -> bool {
        self.axes.contains_key(&id)
    }

    /// The shape of the value of one query.
    fn one(&self, graph: &Graph, id: NodeId) -> Vec<usize> {
        let mut shape = graph.node(id).shape.clone();
        if let Some(&axis) = self.axes.get(&id) {
            shape.remove(axis);
        }
        shape
    }

    /// The value with its axis of queries in front.
    fn first(&mut self, out: &mut Graph, id: NodeId) -> NodeId {
        if self.axes.get(&id) != Some(&1) {
            return id;
        }
        let like = out.node(id).clone();
        let turned = self.turn(out, id, &like);
        self.axes.insert(turned, 0);
        turned
    }

    /// Queries before the outputs of a table.
    fn turn(&self, out: &mut Graph, id: NodeId, like: &Node) -> NodeId {
        let shape = &out.node(id).shape;
        let op = match shape[0] {
            1 => Operator::Reshape { shape: [&[shape[1], 1], &shape[2..]].concat() },
            _ => Operator::Permute { axes: [1, 0].into_iter().chain(2..shape.len()).collect() },
        };
        as_of(out, op, &[id], like, "")
    }

    /// `op` on stacks, at least one.
    fn apply(&mut self, out: &mut Graph, op: Operator, node: Node) -> NodeId {
        use Operator::*;
        let ranks: Vec<usize> = node.inputs.iter().map(|&input| self.one(out, input).len()).collect();
        let most = ranks.iter().copied().max().unwrap_or(0);
        let queries = self.queries;
        let front = |shape: &[usize]| [&[queries], shape].concat();
        match op {
            Reshape { shape } => as_of(out, Reshape { shape: front(&shape) }, &node.inputs, &node, ""),
            Permute { axes } => {
                let axes = [0].into_iter().chain(axes.iter().map(|axis| axis + 1)).collect();
                as_of(out, Permute { axes }, &node.inputs, &node, "")
            }
            Slice { axis, start, length } => {
                as_of(out, Slice { axis: axis + 1, start, length }, &node.inputs, &node, "")
            }
            Sum { axis } => as_of(out, Sum { axis: axis + 1 }, &node.inputs, &node, ""),
            Max { axis } => as_of(out, Max { axis: axis + 1 }, &node.inputs, &node, ""),
            Broadcast { shape } => {
                let x = self.raise(out, node.inputs[0], shape.len());
                as_of(out, Broadcast { shape: front(&shape) }, &[x], &node, "")
            }
            Concat { axis } => {
                let parts: Vec<NodeId> = node.inputs.iter().map(|&input| self.stack(out, input)).collect();
                as_of(out, Concat { axis: axis + 1 }, &parts, &node, "")
            }
            // The table is the same for all.
            Gather if !self.stacked(node.inputs[0]) => as_of(out, Gather, &node.inputs, &node, ""),
            Gather => self.one_by_one(out, Gather, &node),
            MatMul { .. } if self.differs(out, &node) => self.one_by_one(out, op, &node),
            // Rows of all queries meet one matrix.
            MatMul { .. } if !self.stacked(node.inputs[1]) && ranks[1] == 2 => as_of(out, op, &node.inputs, &node, ""),
            op => {
                let inputs: Vec<NodeId> = node.inputs.iter().map(|&input| self.raise(out, input, most)).collect();
                let shapes: Vec<&[usize]> = inputs.iter().map(|&input| out.node(input).shape.as_slice()).collect();
                match op.shape(&shapes) {
                    Ok(shape) if shape == front(&node.shape) => as_of(out, op, &inputs, &node, ""),
                    _ => self.one_by_one(out, op, &node),
                }
            }
        }
    }

    /// Whether a product's factor that one party knows is another one for each query.
    fn differs(&self, graph: &Graph, node: &Node) -> bool {
        let sees = |at: usize| graph.node(node.inputs[at]).visibility;
        let factor = match (sees(0), sees(1)) {
            (Visibility::Secret, Visibility::Secret) => return false,
            (Visibility::Secret, _) => 1,
            (_, Visibility::Secret) | (Visibility::Server, _) => 0,
            _ => 1,
        };
        node.visibility == Visibility::Secret && self.stacked(node.inputs[factor])
    }

    /// The stack as one of values of `rank` axes, as broadcasting aligns them; what is no stack stays.
    fn raise(&mut self, out: &mut Graph, id: NodeId, rank: usize) -> NodeId {
        let one = self.one(out, id);
        if !self.stacked(id) || one.len() == rank {
            return id;
        }
        if let Some(&raised) = self.raised.get(&(id, rank)) {
            return raised;
        }
        let ones = vec![1; rank - one.len()];
        let shape = [&[self.queries], &ones[..], &one].concat();
        let like = out.node(id).clone();
        let raised = as_of(out, Operator::Reshape { shape }, &[id], &like, "raised");
        self.raised.insert((id, rank), raised);
        raised
    }

    /// One value for all queries, repeated.
    fn stack(&mut self, out: &mut Graph, id: NodeId) -> NodeId {
        if self.stacked(id) {
            return id;
        }
        let like = out.node(id).clone();
        let shape = [&[self.queries], &like.shape[..]].concat();
        as_of(out, Operator::Broadcast { shape }, &[id], &like, "repeated")
    }

    /// `op` on the values of each query alone.
    fn one_by_one(&mut self, out: &mut Graph, op: Operator, node: &Node) -> NodeId {
        let results: Vec<NodeId> = (0..self.queries)
            .map(|query| {
                let part = format!("query{query}");
                let inputs: Vec<NodeId> = node.inputs.iter().map(|&input| self.pick(out, input, query)).collect();
                let result = as_of(out, op.clone(), &inputs, node, &part);
                let shape = [&[1], &node.shape[..]].concat();
                as_of(out, Operator::Reshape { shape }, &[result], node, &part)
            })
            .collect();
        as_of(out, Operator::Concat { axis: 0 }, &results, node, "")
    }

    /// The value of one query.
    fn pick(&self, out: &mut Graph, id: NodeId, query: usize) -> NodeId {
        if !self.stacked(id) {
            return id;
        }
        let like = out.node(id).clone();
        let part = format!("query{query}");
        let slice = as_of(out, Operator::Slice { axis: 0, start: query, length: 1 }, &[id], &like, &part);
        as_of(out, Operator::Reshape { shape: self.one(out, id) }, &[slice], &like, &part)
    }
}

/// `op` on `inputs`, whose values have the label, bound, ring and error of those of `like`.
fn as_of(out: &mut Graph, op: Operator, inputs: &[NodeId], like: &Node, part: &str) -> NodeId {
    let id = derive(out, op, inputs, like, part);
    let node = out.node_mut(id);
    (node.visibility, node.bound, node.fixed, node.error) = (like.visibility, like.bound, like.fixed, like.error);
    id
}
