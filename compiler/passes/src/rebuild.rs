//! Walking a graph forward into a new one.

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId};

/// Builds a new graph: `visit(out, id, node)` is called for each old node in order, with `node.inputs` already those of
/// the new graph, and returns the new node that stands for it. Outputs follow.
pub fn rebuild<E>(
    graph: &Graph,
    mut visit: impl FnMut(&mut Graph, NodeId, Node) -> Result<NodeId, E>,
) -> Result<Graph, E> {
    let mut out = Graph {
        model: graph.model.clone(),
        entry: graph.entry.clone(),
        dims: graph.dims.clone(),
        nodes: Vec::with_capacity(graph.nodes.len()),
        outputs: graph.outputs.clone(),
        origins: graph.origins.clone(),
        notes: graph.notes.clone(),
    };
    let mut renamed: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let mut node = graph.node(id).clone();
        for input in &mut node.inputs {
            *input = renamed[input.0 as usize];
        }
        renamed.push(visit(&mut out, id, node)?);
    }
    for output in &mut out.outputs {
        output.node = renamed[output.node.0 as usize];
    }
    Ok(out)
}
