//! Functions become comparisons, polynomials and small tables, within the tolerance.
//!
//! %1 = gelu %0          %1 = compare %0 {3.8}          %4 = square %0 ...
//!                  =>   %2 = compare %0 {-3.8}         %8 = gate %3, %7
//!                       %3 = xor %1, %2                %9 = add %8, ...
//!
//! After: every secret node is one protocol step or local. Each recipe used is noted with the bound on its error.

mod activation;
mod lines;
mod normalised;
mod tables;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, NodeId, Op, Visibility};
use ptc_plan::file::Note;
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

use crate::decompose::derive;
use crate::fit::function::Function;
use crate::options::{Fault, Normal, Options, PassError, Ramp};
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

/// What this process has fitted: layers, and builds that a search compares, ask for the same again and again.
struct Fitted<T>(Mutex<BTreeMap<Terms, Result<T, f64>>>);

/// What a fit depends on, numbers by their bits.
type Terms = (Function, Vec<u64>);

impl<T: Clone> Fitted<T> {
    const fn new() -> Fitted<T> {
        Fitted(Mutex::new(BTreeMap::new()))
    }

    /// By everything that `fit` depends on; `Err` is the least error that there is.
    fn get(&self, f: Function, terms: &[f64], fit: impl FnOnce() -> Result<T, f64>) -> Result<T, f64> {
        let key = (f, terms.iter().map(|term| term.to_bits()).collect::<Vec<u64>>());
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        let found = fit();
        lock().insert(key, found.clone());
        found
    }
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
        let tolerance = tolerance.map(|tolerance| tolerance * (-f64::from(self.options.finer)).exp2());
        let by_lines = self.options.recipes.ramp == Ramp::Lines;
        match op {
            Operator::Relu => Ok(activation::relu(self)),
            Operator::Gelu if by_lines => lines::ramp(self, Function::Gelu, tolerance),
            Operator::GeluTanh if by_lines => lines::ramp(self, Function::GeluTanh, tolerance),
            Operator::Silu if by_lines => lines::ramp(self, Function::Silu, tolerance),
            Operator::Tanh => lines::ramp(self, Function::Tanh, tolerance),
            Operator::Sigmoid => lines::ramp(self, Function::Sigmoid, tolerance),
            Operator::Gelu => activation::smooth_ramp(self, activation::GELU, tolerance),
            Operator::GeluTanh => activation::smooth_ramp(self, activation::GELU_TANH, tolerance),
            Operator::Silu => activation::smooth_ramp(self, activation::SILU, tolerance),
            Operator::Exp => activation::exp(self),
            Operator::Rsqrt => self.of_rows(Function::Rsqrt, tolerance),
            Operator::Reciprocal => self.of_rows(Function::Reciprocal, tolerance),
            Operator::Gather => Err(self.error(
                "a table that one party hides is indexed by what the other hides".to_string(),
                "declare the table `@public` (the look-up is then the client's own), or multiply by a one-hot vector",
            )),
            _ => Ok(self.out.push(self.like.clone())),
        }
    }

    /// Tables where they are asked for, or octaves err by too much; a range that is too wide for tables is left to octaves.
    fn of_rows(&mut self, f: Function, tolerance: Option<f64>) -> Result<NodeId, PassError> {
        let tight = tolerance.is_some_and(|tolerance| tolerance < normalised::error(f));
        if tight || self.options.recipes.normal == Normal::Tables {
            match tables::normalised(self, f, tolerance) {
                Ok(value) => return Ok(value),
                Err(error) if tight => return Err(error),
                Err(_) => {}
            }
        }
        match f {
            Function::Rsqrt => normalised::rsqrt(self),
            _ => normalised::reciprocal(self),
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
        let (origin, hint) = (self.like.origin, hint.to_string());
        PassError { origin, message, hint, fault: Fault::Unsupported, labels: vec![] }
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

    /// One output of a table.
    fn output_of(&mut self, table: NodeId, output: usize, part: &str, most: f64) -> NodeId {
        let slice = Operator::Slice { axis: 0, start: output, length: 1 };
        let slice = self.node(slice, &[table], part, -most, most);
        let shape = self.out.node(table).shape[1..].to_vec();
        self.node(Operator::Reshape { shape }, &[slice], part, -most, most)
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

    /// The result keeps the name of the node it replaces, and its bound but for the recipe's error, which is noted.
    fn finish(&mut self, id: NodeId, recipe: String, error: f64, relative: bool) -> NodeId {
        let (name, bound) = (self.like.name.clone(), self.like.bound);
        let unit = (-f64::from(self.options.activation_frac)).exp2();
        let beyond = |end: f64| unit + if relative { error * end.abs() } else { error };
        let wider = |bound: Bound| Bound {
            low: bound.low - beyond(bound.low),
            high: bound.high + beyond(bound.high),
            grade: bound.grade,
        };
        self.out.notes.push(Note { value: name.clone(), recipe, bound: error, relative });
        let node = self.out.node_mut(id);
        node.name = name;
        node.bound = bound.map(wider);
        id
    }
}
