//! Why a value needs so wide a ring: the line, the values that it grew from, and what would mend it.

use ptc_ir::Graph;
use ptc_ir::graph::{Grade, Node, NodeId, Op};

use crate::options::{Fault, PassError};
use crate::truncate::MOST_BITS;

/// Lines of a chain that are shown.
const SHOWN: usize = 4;

pub fn too_wide(graph: &Graph, id: NodeId, bits: u32) -> PassError {
    let node = graph.node(id);
    let chain = producers(graph, id);
    let mut labels: Vec<(u32, String)> = vec![];
    for &at in &chain {
        let node = graph.node(at);
        if labels.len() < SHOWN && labels.iter().all(|(origin, _)| *origin != node.origin) {
            labels.push((node.origin, described(node)));
        }
    }
    PassError {
        origin: node.origin,
        message: format!(
            "`{}` needs a ring of {bits} bits, and the widest has {MOST_BITS}: {}",
            node.name,
            chain.iter().take(SHOWN).map(|&at| graph.node(at).name.as_str()).collect::<Vec<_>>().join(" <- ")
        ),
        hint: fix(graph, id, bits, &chain),
        fault: Fault::TooWide,
        labels,
    }
}

/// From a value back, each time to the operand of the widest range, as far as ranges say where it comes from. What is only
/// another form of the same value is passed over.
fn producers(graph: &Graph, id: NodeId) -> Vec<NodeId> {
    let size = |id: NodeId| graph.node(id).bound.map_or(0.0, |bound| bound.max_abs());
    let mut chain = vec![id];
    let mut at = id;
    while let Some(next) = graph.node(at).inputs.iter().copied().max_by(|a, b| size(*a).total_cmp(&size(*b))) {
        let (node, last) = (graph.node(next), graph.node(chain[chain.len() - 1]));
        let part = |node: &Node| node.name.strip_suffix(".short").unwrap_or(&node.name).to_string();
        if part(node) != part(last) && node.bound != last.bound {
            chain.push(next);
        }
        at = next;
    }
    chain
}

fn described(node: &Node) -> String {
    let Some(bound) = node.bound else { return format!("`{}`", node.name) };
    let ground = match bound.grade {
        Grade::Proved => "proved",
        Grade::Calibrated => "calibrated",
        Grade::Assumed => "assumed",
        Grade::Gated => "where it counts",
    };
    format!("`{}` lies between {:.3e} and {:.3e}, {ground}", node.name, bound.low, bound.high)
}

/// The cheapest thing that helps: a measured range where one is only assumed, else a smaller one.
fn fix(graph: &Graph, id: NodeId, bits: u32, chain: &[NodeId]) -> String {
    let grade = |id: NodeId| graph.node(id).bound.map(|bound| bound.grade);
    let most = graph.node(id).bound.map_or(0.0, |bound| bound.max_abs());
    let wanted = most * (f64::from(MOST_BITS) - f64::from(bits)).exp2();
    let assumed = chain.iter().rev().copied().find(|&at| grade(at) == Some(Grade::Assumed));
    match (assumed, chain.last().map(|&at| &graph.node(at).op)) {
        (Some(at), _) => format!(
            "nothing was measured of `{}`: run `ptc calibrate` on samples and pass `--ranges`; `{}` fits from {wanted:.1e} \
             down",
            graph.node(at).name,
            graph.node(id).name
        ),
        (None, Some(Op::Input { name, limit, .. })) => format!(
            "write `#[bound({name} = ..)]` below {limit} before the entry, or calibrate: `{}` fits from {wanted:.1e} down",
            graph.node(id).name
        ),
        _ => format!(
            "`{}` fits from {wanted:.1e} down: calibrate it with a smaller `--margin`, or scale it in the source",
            graph.node(id).name
        ),
    }
}
