//! The floating-point meaning of a graph: the reference that `ptc sim` compares with and that `ptc calibrate` samples.
//!
//! Graphs evaluated here have passed [`crate::verify`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use ptc_plan::float::FloatTensor;

use crate::graph::{Graph, NodeId, Op};

/// Tensors by the name of an input or the path of a parameter.
pub type Tensors = BTreeMap<String, FloatTensor>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    #[error("no value for input `{0}`")]
    MissingInput(String),
    #[error("no value for parameter `{0}`")]
    MissingParameter(String),
    #[error("`{name}` has shape {found:?}, but {expected:?} is expected")]
    Shape { name: String, expected: Vec<usize>, found: Vec<usize> },
}

/// The graph's outputs, in their order. Values are dropped after their last use.
pub fn outputs(graph: &Graph, inputs: &Tensors, parameters: &Tensors) -> Result<Vec<FloatTensor>, EvaluateError> {
    let mut results = vec![None; graph.outputs.len()];
    for_each_value(graph, inputs, parameters, |id, value| {
        for (output, result) in graph.outputs.iter().zip(&mut results) {
            if output.node == id {
                *result = Some(value.clone());
            }
        }
    })?;
    Ok(results.into_iter().map(|result| result.expect("outputs are nodes of the graph")).collect())
}

/// The value of every node.
pub fn all(graph: &Graph, inputs: &Tensors, parameters: &Tensors) -> Result<Vec<FloatTensor>, EvaluateError> {
    let mut values = Vec::with_capacity(graph.nodes.len());
    for_each_value(graph, inputs, parameters, |_, value| values.push(value.clone()))?;
    Ok(values)
}

/// Calls `see` with the value of every node, in order. Values are dropped after their last use.
pub fn for_each_value(
    graph: &Graph,
    inputs: &Tensors,
    parameters: &Tensors,
    mut see: impl FnMut(NodeId, &FloatTensor),
) -> Result<(), EvaluateError> {
    let last_use = last_use(graph);
    let mut values: Vec<Option<Cow<FloatTensor>>> = vec![None; graph.nodes.len()];
    for id in graph.ids() {
        let node = graph.node(id);
        let value = match &node.op {
            Op::Input { name, .. } => {
                Cow::Borrowed(inputs.get(name).ok_or_else(|| EvaluateError::MissingInput(name.clone()))?)
            }
            Op::Parameter { path } => {
                Cow::Borrowed(parameters.get(path).ok_or_else(|| EvaluateError::MissingParameter(path.clone()))?)
            }
            Op::Constant(value) => Cow::Borrowed(value),
            Op::Reveal { .. } => values[node.inputs[0].0 as usize].clone().expect("computed before its use"),
            Op::Apply(op) => {
                let operand = |input: &NodeId| values[input.0 as usize].as_deref().expect("computed before its use");
                let operands: Vec<&FloatTensor> = node.inputs.iter().map(operand).collect();
                Cow::Owned(op.evaluate(&operands))
            }
        };
        if value.shape != node.shape {
            return Err(EvaluateError::Shape {
                name: node.name.clone(),
                expected: node.shape.clone(),
                found: value.shape.clone(),
            });
        }
        see(id, &value);
        values[id.0 as usize] = Some(value);
        for input in node.inputs.iter().chain([&id]) {
            if last_use[input.0 as usize] <= id {
                values[input.0 as usize] = None;
            }
        }
    }
    Ok(())
}

/// For each node the last node that reads it, or itself.
fn last_use(graph: &Graph) -> Vec<NodeId> {
    let mut last: Vec<NodeId> = graph.ids().collect();
    for id in graph.ids() {
        for input in &graph.node(id).inputs {
            last[input.0 as usize] = id;
        }
    }
    last
}
