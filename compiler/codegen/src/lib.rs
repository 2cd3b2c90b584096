//! Graph to plan: one protocol step a node, local arithmetic fused into kernels, steps placed in rounds.
//!
//! This room is the only bridge between the two operator tables. It expects a graph that has been through every pass:
//! each secret node is a step or local, and has a ring.

mod emit;
mod fuse;
pub mod inline;
mod schedule;

use ptc_ir::Graph;
use ptc_ir::graph::NodeId;
use ptc_plan::file::{Plan, Trust};
use ptc_plan::step::ValueId;

/// A node that has no protocol: where, why, and what would mend it.
#[derive(Clone, Debug, PartialEq)]
pub struct CodegenError {
    /// Index into the graph's origins.
    pub origin: u32,
    pub message: String,
    pub hint: String,
}

/// A plan, and for each graph node that stands alone in it the value that holds it.
pub struct Generated {
    pub plan: Plan,
    pub nodes: Vec<(NodeId, ValueId)>,
}

pub fn generate(graph: &Graph, trust: Trust) -> Result<Generated, Vec<CodegenError>> {
    let mut generated = emit::emit(graph, trust)?;
    schedule::schedule(&mut generated.plan);
    Ok(generated)
}
