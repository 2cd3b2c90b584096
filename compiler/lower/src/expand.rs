//! One body in the graph: its steps become nodes, its calls their callee's nodes.

use std::collections::HashMap;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op};
use ptc_plan::file::Origin;
use ptc_syntax::source::Sources;
use ptc_syntax::span::Span;
use ptc_typeck::checked::{BodyId, Call, Checked, Step, StepKind};

use crate::visibility;

pub struct Expander<'a> {
    checked: &'a Checked,
    sources: &'a Sources,
    pub graph: Graph,
    origins: HashMap<(u32, usize), u32>,
    /// A checkpoint tensor is one node, however often it is used.
    parameters: HashMap<String, NodeId>,
}

impl<'a> Expander<'a> {
    pub fn new(checked: &'a Checked, sources: &'a Sources, graph: Graph) -> Expander<'a> {
        Expander { checked, sources, graph, origins: HashMap::new(), parameters: HashMap::new() }
    }

    /// The nodes of a body; `path` and `name` stand before those of its parameters and values.
    pub fn expand(
        &mut self,
        body: BodyId,
        arguments: &[NodeId],
        path: &str,
        name: &str,
        tolerance: Option<f64>,
    ) -> NodeId {
        let body = self.checked.body(body);
        let tolerance = body.tolerance.or(tolerance);
        let mut slots: Vec<NodeId> = Vec::with_capacity(body.steps.len());
        for step in &body.steps {
            let id = match &step.kind {
                StepKind::Argument => arguments[slots.len()],
                StepKind::Parameter { path: below } => self.parameter(step, join(path, below), name),
                StepKind::Constant(value) => self.node(Op::Constant(value.clone()), vec![], step, name, None),
                StepKind::Apply { operator, operands } => {
                    let operands = operands.iter().map(|slot| slots[slot.0]).collect();
                    self.node(Op::Apply(operator.clone()), operands, step, name, tolerance)
                }
                StepKind::Reveal { to, reason, value } => {
                    let op = Op::Reveal { to: *to, reason: reason.clone() };
                    self.node(op, vec![slots[value.0]], step, name, None)
                }
                StepKind::Call(Call { body, arguments, path: below, name: inner }) => {
                    let arguments: Vec<NodeId> = arguments.iter().map(|slot| slots[slot.0]).collect();
                    self.expand(*body, &arguments, &join(path, below), &join(name, inner), tolerance)
                }
            };
            slots.push(id);
        }
        slots[body.result.0]
    }

    fn parameter(&mut self, step: &Step, path: String, name: &str) -> NodeId {
        if let Some(&known) = self.parameters.get(&path) {
            return known;
        }
        let id = self.node(Op::Parameter { path: path.clone() }, vec![], step, name, None);
        self.parameters.insert(path, id);
        id
    }

    fn node(&mut self, op: Op, inputs: Vec<NodeId>, step: &Step, name: &str, tolerance: Option<f64>) -> NodeId {
        let origin = self.origin(step.span);
        self.graph.push(Node {
            op,
            inputs,
            shape: step.ty.shape.clone(),
            visibility: visibility(step.ty.visibility),
            name: join(name, &step.name),
            origin,
            tolerance,
            bound: None,
            fixed: step.fixed,
        })
    }

    /// The source line, once however many nodes come from it.
    pub fn origin(&mut self, span: Span) -> u32 {
        let (line, _) = self.sources.line_and_column(span);
        if let Some(&known) = self.origins.get(&(span.file.0, line)) {
            return known;
        }
        let text = self.sources.text(span.file).lines().nth(line - 1).unwrap_or("").trim().to_string();
        let file = self.sources.name(span.file).to_string();
        self.graph.origins.push(Origin { file, line: line as u32, text });
        let id = self.graph.origins.len() as u32 - 1;
        self.origins.insert((span.file.0, line), id);
        id
    }
}

fn join(path: &str, below: &str) -> String {
    match (path, below) {
        ("", below) => below.to_string(),
        (path, "") => path.to_string(),
        (path, below) => format!("{path}.{below}"),
    }
}
