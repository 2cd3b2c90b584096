//! Functions become comparisons, polynomials and small tables, within the tolerance.
//!
//! %1 = gelu %0          %1 = compare %0 {3.8}          %4 = square %0 ...
//!                  =>   %2 = compare %0 {-3.8}         %8 = gate %3, %7
//!                       %3 = xor %1, %2                %9 = add %8, ...
//!
//! After: every secret node is one protocol step or local. Each recipe used is noted with the bound on its error.

mod activation;
mod normalised;

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, NodeId, Op, Visibility};
use ptc_plan::file::Note;
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

use crate::decompose::derive;
use crate::options::{Options, PassError};
use crate::ranges;
use crate::rebuild::rebuild;

pub fn run(graph: &Graph, options: &Options) -> Result<Graph, Vec<PassError>> {
    let mut errors = vec![];
    let out = rebuild::<std::convert::Infallible>(graph, |out, _, node| {
        let op = match &node.op {
            Op::Apply(op) if node.visibility == Visibility::Secret => op.clone(),
            _ => return Ok(out.push(node)),
        };
        let mut builder = Builder { out, like: node, options };
        match builder.expand(&op) {
            Ok(id) => Ok(id),
            Err(error) => {
                errors.push(error);
                let node = builder.like;
                Ok(out.push(node))
            }
        }
    });
    let Ok(out) = out;
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// Appends the nodes of one recipe, named after the node it replaces.
struct Builder<'a> {
    out: &'a mut Graph,
    like: Node,
    options: &'a Options,
}

impl Builder<'_> {
    fn expand(&mut self, op: &Operator) -> Result<NodeId, PassError> {
        let tolerance = self.like.tolerance.or(self.options.tolerance);
        match op {
            Operator::Relu => Ok(activation::relu(self)),
            Operator::Gelu => activation::smooth_ramp(self, activation::GELU, tolerance),
            Operator::Silu => activation::smooth_ramp(self, activation::SILU, tolerance),
            Operator::Exp => activation::exp(self),
            Operator::Rsqrt => normalised::rsqrt(self),
            Operator::Reciprocal => normalised::reciprocal(self),
            Operator::Tanh | Operator::Sigmoid => Err(self.error(
                format!("`{}` of a secret value has no protocol", op.name()),
                "use `gelu`, `silu` or `relu`, or compute it on a value that one party may see",
            )),
            Operator::Gather => Err(self.error(
                "a table that one party hides is indexed by what the other hides".to_string(),
                "declare the table `@public` (the look-up is then the client's own), or multiply by a one-hot vector",
            )),
            _ => Ok(self.out.push(self.like.clone())),
        }
    }

    /// The name of the function that is replaced.
    fn function(&self) -> &'static str {
        match &self.like.op {
            Op::Apply(op) => op.name(),
            _ => "value",
        }
    }

    fn error(&self, message: String, hint: &str) -> PassError {
        PassError { origin: self.like.origin, message, hint: hint.to_string() }
    }

    fn input(&self) -> NodeId {
        self.like.inputs[0]
    }

    fn bound(&self, id: NodeId) -> Bound {
        self.out.node(id).bound.expect("bounds are found before approximation")
    }

    /// A node of the recipe, whose values matter only within `low..high`; as sure as the bound of what the recipe is of.
    fn node(&mut self, op: Operator, inputs: &[NodeId], part: &str, low: f64, high: f64) -> NodeId {
        let grade = match ranges::is_of_itself(&op) {
            true => Grade::Proved,
            false => self.bound(self.input()).grade,
        };
        let id = derive(self.out, op, inputs, &self.like, part);
        self.out.node_mut(id).bound = Some(Bound { low, high, grade });
        id
    }

    /// As [`Builder::node`], where a later gate keeps only the elements that the bound holds for.
    fn gated(&mut self, op: Operator, inputs: &[NodeId], part: &str, low: f64, high: f64) -> NodeId {
        let id = self.node(op, inputs, part, low, high);
        self.out.node_mut(id).bound = Some(Bound { low, high, grade: Grade::Gated });
        id
    }

    /// `x` with `frac` fraction bits; what an outer pass knows of its bound stays.
    fn rescale(&mut self, x: NodeId, frac: u32, part: &str) -> NodeId {
        let bound = self.bound(x);
        let id = derive(self.out, Operator::Rescale, &[x], &self.like, part);
        let node = self.out.node_mut(id);
        node.bound = Some(bound);
        node.fixed = Some(Fixed { bits: 0, frac });
        id
    }

    /// The result keeps the name and bound of the node it replaces.
    fn finish(&mut self, id: NodeId) -> NodeId {
        let (name, bound) = (self.like.name.clone(), self.like.bound);
        let node = self.out.node_mut(id);
        node.name = name;
        node.bound = bound;
        id
    }

    fn note(&mut self, recipe: String, bound: f64, relative: bool) {
        self.out.notes.push(Note { value: self.like.name.clone(), recipe, bound, relative });
    }
}
