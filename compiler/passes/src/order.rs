//! Live nodes, each after its inputs: a pass may rewire an arena freely and then call this.

use ptc_ir::Graph;
use ptc_ir::graph::{NodeId, Op};

/// Drops what no output needs (the entry's inputs stay) and orders the rest, as near to its order as edges allow.
pub fn sorted(graph: &Graph) -> Graph {
    let live = live(graph);
    let mut out = Graph { nodes: Vec::with_capacity(graph.nodes.len()), ..shell(graph) };
    let mut placed: Vec<Option<NodeId>> = vec![None; graph.nodes.len()];
    let mut waiting = vec![];
    for id in graph.ids().filter(|id| live[id.0 as usize]) {
        waiting.push(id);
        while let Some(&next) = waiting.last() {
            let node = graph.node(next);
            if placed[next.0 as usize].is_some() {
                waiting.pop();
                continue;
            }
            let before = waiting.len();
            waiting.extend(node.inputs.iter().rev().filter(|input| placed[input.0 as usize].is_none()));
            if waiting.len() == before {
                waiting.pop();
                let mut node = node.clone();
                for input in &mut node.inputs {
                    *input = placed[input.0 as usize].expect("inputs are placed first");
                }
                placed[next.0 as usize] = Some(out.push(node));
            }
        }
    }
    for output in &mut out.outputs {
        output.node = placed[output.node.0 as usize].expect("outputs are live");
    }
    out
}

/// Everything but the nodes.
pub fn shell(graph: &Graph) -> Graph {
    Graph {
        model: graph.model.clone(),
        entry: graph.entry.clone(),
        dims: graph.dims.clone(),
        nodes: vec![],
        outputs: graph.outputs.clone(),
        origins: graph.origins.clone(),
        notes: graph.notes.clone(),
    }
}

fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    let mut waiting: Vec<NodeId> = graph.outputs.iter().map(|output| output.node).collect();
    waiting.extend(graph.ids().filter(|&id| matches!(graph.node(id).op, Op::Input { .. })));
    while let Some(id) = waiting.pop() {
        if !std::mem::replace(&mut live[id.0 as usize], true) {
            waiting.extend(&graph.node(id).inputs);
        }
    }
    live
}
