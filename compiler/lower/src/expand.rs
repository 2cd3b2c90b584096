//! One body in the graph: its steps become nodes, its calls their callee's nodes.

use std::collections::HashMap;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op};
use ptc_plan::file::Origin;
use ptc_syntax::codes;
use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::source::Sources;
use ptc_syntax::span::Span;
use ptc_typeck::checked::{BodyId, Call, Checked, Step, StepKind};

use crate::visibility;

pub struct Expander<'a> {
    checked: &'a Checked,
    sources: &'a Sources,
    pub graph: Graph,
    pub diagnostics: Vec<Diagnostic>,
    origins: HashMap<(u32, usize), u32>,
    /// How often a name was asked for.
    names: HashMap<String, usize>,
    /// A checkpoint tensor is one node, however often it is used.
    parameters: HashMap<String, (NodeId, Span)>,
}

/// Where a body stands in the model.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// In the checkpoint.
    pub path: String,
    /// Before the names of its values.
    pub name: String,
    /// The name of its result, unless the body has a better one.
    pub result: String,
}

impl<'a> Expander<'a> {
    pub fn new(checked: &'a Checked, sources: &'a Sources, graph: Graph) -> Expander<'a> {
        Expander {
            checked,
            sources,
            graph,
            diagnostics: vec![],
            origins: HashMap::new(),
            names: HashMap::new(),
            parameters: HashMap::new(),
        }
    }

    /// The nodes of a body, and its result.
    pub fn expand(&mut self, body: BodyId, arguments: &[NodeId], place: &Place, tolerance: Option<f64>) -> NodeId {
        let body = self.checked.body(body);
        let tolerance = body.tolerance.or(tolerance);
        let mut slots: Vec<NodeId> = Vec::with_capacity(body.steps.len());
        for step in &body.steps {
            let name = if step.name.is_empty() { place.result.clone() } else { join(&place.name, &step.name) };
            let id = match &step.kind {
                StepKind::Argument => arguments[slots.len()],
                StepKind::Parameter { path } => self.parameter(step, join(&place.path, path), name),
                StepKind::Constant(value) => self.node(Op::Constant(value.clone()), vec![], step, name, None),
                StepKind::Apply { operator, operands } => {
                    let operands = operands.iter().map(|slot| slots[slot.0]).collect();
                    self.node(Op::Apply(operator.clone()), operands, step, name, tolerance)
                }
                StepKind::Reveal { to, reason, value } => {
                    let op = Op::Reveal { to: *to, reason: reason.clone() };
                    self.node(op, vec![slots[value.0]], step, name, None)
                }
                StepKind::Call(Call { body, arguments, path, name: below }) => {
                    let arguments: Vec<NodeId> = arguments.iter().map(|slot| slots[slot.0]).collect();
                    let inner = Place { path: join(&place.path, path), name: join(&place.name, below), result: name };
                    let id = self.expand(*body, &arguments, &inner, tolerance);
                    if step.fixed.is_some() {
                        self.graph.node_mut(id).fixed = step.fixed;
                    }
                    id
                }
            };
            slots.push(id);
        }
        slots[body.result.0]
    }

    fn parameter(&mut self, step: &Step, path: String, name: String) -> NodeId {
        if let Some(&(known, before)) = self.parameters.get(&path) {
            let node = self.graph.node(known);
            if node.shape != step.ty.shape || node.visibility != visibility(step.ty.visibility) {
                let message = format!("the checkpoint's `{path}` is used with two shapes or two owners");
                let diagnostic = Diagnostic::new(codes::E0505, step.span, message).label(before, "used before here");
                self.diagnostics.push(diagnostic.hint("give the fields different paths with `at`, or equal types"));
            }
            return known;
        }
        let id = self.node(Op::Parameter { path: path.clone() }, vec![], step, name, None);
        self.parameters.insert(path, (id, step.span));
        id
    }

    fn node(&mut self, op: Op, inputs: Vec<NodeId>, step: &Step, name: String, tolerance: Option<f64>) -> NodeId {
        let origin = self.origin(step.span);
        let name = self.unique(name);
        self.graph.push(Node {
            op,
            inputs,
            shape: step.ty.shape.clone(),
            visibility: visibility(step.ty.visibility),
            name,
            origin,
            tolerance,
            bound: None,
            fixed: step.fixed,
            error: None,
        })
    }

    /// The name itself the first time, then with a number.
    pub fn unique(&mut self, name: String) -> String {
        let count = self.names.entry(name.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => name,
            again => {
                let numbered = format!("{name}.{again}");
                self.unique(numbered)
            }
        }
    }

    /// The source line, once however many nodes come from it.
    pub fn origin(&mut self, span: Span) -> u32 {
        let (line, _) = self.sources.line_and_column(span);
        if let Some(&known) = self.origins.get(&(span.file.0, line)) {
            return known;
        }
        let text = self.sources.text(span.file).lines().nth(line.saturating_sub(1)).unwrap_or("").trim().to_string();
        let file = self.sources.name(span.file).to_string();
        self.graph.origins.push(Origin { file, line: u32::try_from(line).unwrap_or(u32::MAX), text });
        let id = self.graph.origins.len() as u32 - 1;
        self.origins.insert((span.file.0, line), id);
        id
    }
}

fn join(above: &str, below: &str) -> String {
    match (above.is_empty(), below.is_empty()) {
        (true, _) => below.to_string(),
        (_, true) => above.to_string(),
        _ => format!("{above}.{below}"),
    }
}
