//! How large a token may be: it stays below the number of rows of every table that it indexes.

use ptc_ir::Graph;
use ptc_ir::graph::{NodeId, Op};
use ptc_plan::operator::Operator;

/// Tokens that index no table are still whole numbers that a float holds.
pub const MOST_TOKENS: f32 = (1 << 24) as f32;

pub fn bound(graph: &mut Graph) {
    for id in graph.ids() {
        let node = graph.node(id);
        if let (Op::Apply(Operator::Gather), [table, ids]) = (&node.op, &node.inputs[..]) {
            let rows = graph.node(*table).shape.first().map_or(0.0, |rows| *rows as f32);
            for input in sources(graph, *ids) {
                if let Op::Input { limit, .. } = &mut graph.node_mut(input).op {
                    *limit = limit.min(rows);
                }
            }
        }
    }
}

/// The inputs whose elements reach `ids` unchanged.
fn sources(graph: &Graph, ids: NodeId) -> Vec<NodeId> {
    let mut waiting = vec![ids];
    let mut seen = vec![];
    while let Some(id) = waiting.pop() {
        if seen.contains(&id) {
            continue;
        }
        seen.push(id);
        let node = graph.node(id);
        use Operator::*;
        match &node.op {
            Op::Apply(Reshape { .. } | Permute { .. } | Slice { .. } | Concat { .. } | Broadcast { .. }) => {
                waiting.extend(&node.inputs);
            }
            // Not the bit.
            Op::Apply(Select) => waiting.extend(node.inputs.iter().skip(1)),
            // Not the ids that select among ids.
            Op::Apply(Gather) => waiting.extend(node.inputs.first()),
            _ => {}
        }
    }
    seen
}
