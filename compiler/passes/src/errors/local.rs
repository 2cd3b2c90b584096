//! The error that each value adds of its own: roundings and the certificates of approximations.
//!
//! Errors are attributed to the values of the exact graph, whose names the passes keep: a `rescale` of `x` to `x` itself, an
//! encoding to what is encoded, everything within a recipe to the certificate of the function that it replaces.

use std::collections::HashMap;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_ir::kind::kinds;
use ptc_plan::file::{InputKind, Note};
use ptc_plan::operator::Operator;
use ptc_plan::step::Exp2;

/// Fraction bits with which a party's own value is opened to the other.
const REVEALED_FRAC: u32 = 20;

/// What a value's elements may be off by, beside what their operands were.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Local {
    /// Standard deviation of what differs from element to element without a mean.
    pub noise: f64,
    /// Largest size of what all elements have in common.
    pub drift: f64,
    /// The same, in parts of the elements.
    pub relative_noise: f64,
    pub relative_drift: f64,
    /// Largest size of all of it.
    pub worst: f64,
    pub relative_worst: f64,
}

impl Local {
    /// A truncation by shares that are random: off by less than a unit, to where the mean is right.
    fn truncation(unit: f64) -> Local {
        Local { noise: 0.5 * unit, worst: unit, ..Local::default() }
    }

    /// To the nearest multiple of `unit`.
    fn nearest(unit: f64) -> Local {
        Local { noise: unit / f64::sqrt(12.0), worst: 0.5 * unit, ..Local::default() }
    }

    /// Always the same.
    fn fixed(by: f64) -> Local {
        Local { drift: by, worst: by, ..Local::default() }
    }

    fn fixed_part(part: f64) -> Local {
        Local { relative_drift: part, relative_worst: part, ..Local::default() }
    }

    fn certified(note: &Note) -> Local {
        let c = note.bound;
        match note.relative {
            true => Local { relative_noise: c, relative_drift: c, relative_worst: c, ..Local::default() },
            false => Local { noise: c, drift: c, worst: c, ..Local::default() },
        }
    }

    fn exp2(exp: &Exp2) -> Local {
        let (unit, part) = (unit(exp.result_frac), unit(exp.factor_frac));
        Local {
            noise: unit,
            drift: unit,
            relative_noise: part,
            relative_drift: 0.0,
            worst: 2.0 * unit,
            relative_worst: 1.1 * part,
        }
    }

    fn add(&mut self, other: Local) {
        self.noise = self.noise.hypot(other.noise);
        self.drift += other.drift;
        self.relative_noise = self.relative_noise.hypot(other.relative_noise);
        self.relative_drift += other.relative_drift;
        self.worst += other.worst;
        self.relative_worst += other.relative_worst;
    }
}

fn unit(frac: u32) -> f64 {
    (-f64::from(frac)).exp2()
}

pub struct Locals {
    /// By the nodes of the exact graph.
    pub of: Vec<Local>,
    /// Where each of them is computed in the final graph.
    pub result: Vec<Option<NodeId>>,
}

/// The node of each name; of several the last.
pub fn places(exact: &Graph) -> HashMap<&str, usize> {
    exact.nodes.iter().enumerate().map(|(at, node)| (node.name.as_str(), at)).collect()
}

pub fn collect(exact: &Graph, graph: &Graph) -> Locals {
    let places = places(exact);
    let mut result = vec![None; exact.nodes.len()];
    for id in graph.ids() {
        if let Some(&at) = places.get(graph.node(id).name.as_str()) {
            result[at] = Some(id);
        }
    }
    let (of, recipe) = (vec![Local::default(); exact.nodes.len()], vec![false; exact.nodes.len()]);
    let mut found = Collection { graph, places, result, of, recipe };
    for note in &graph.notes {
        if let Some(&at) = found.places.get(note.value.as_str()) {
            // What is computed exactly but for truncations leaves those to be counted.
            found.recipe[at] |= note.bound > 0.0;
            found.of[at].add(Local::certified(note));
        }
    }
    let live = live(graph);
    let kinds = kinds(graph);
    for id in graph.ids().filter(|id| live[id.0 as usize]) {
        found.rounding(id);
        for at in 0..graph.node(id).inputs.len() {
            found.encoding(graph.node(id), at, &kinds);
        }
    }
    Locals { of: found.of, result: found.result }
}

struct Collection<'a> {
    graph: &'a Graph,
    places: HashMap<&'a str, usize>,
    result: Vec<Option<NodeId>>,
    of: Vec<Local>,
    /// Whether a certificate stands for everything within.
    recipe: Vec<bool>,
}

impl Collection<'_> {
    /// The value of the exact graph that a node belongs to; none for the inside of a recipe.
    fn owner(&self, id: NodeId) -> Option<usize> {
        let mut name = self.graph.node(id).name.as_str();
        loop {
            if let Some(&at) = self.places.get(name) {
                let inside = self.recipe[at] && self.result[at].is_some_and(|result| id < result);
                return (!inside).then_some(at);
            }
            name = &name[..name.rfind('.')?];
        }
    }

    fn frac(&self, id: NodeId) -> Option<u32> {
        self.graph.node(id).fixed.map(|fixed| fixed.frac)
    }

    fn rounding(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        let (Op::Apply(op), Some(fixed)) = (&node.op, node.fixed) else { return };
        let Some(owner) = self.owner(id) else { return };
        let before = node.inputs.first().and_then(|&input| self.frac(input));
        let local = match (op, before) {
            (Operator::Rescale, Some(before)) if before > fixed.frac => Local::truncation(unit(fixed.frac)),
            (Operator::Scale { by }, Some(before)) => {
                let exact = by * (f64::from(fixed.frac) - f64::from(before)).exp2();
                if exact == 0.0 { Local::default() } else { Local::fixed_part((exact.round() / exact - 1.0).abs()) }
            }
            (Operator::Offset { by }, _) => {
                let scale = f64::from(fixed.frac).exp2();
                Local::fixed(((by * scale).round() / scale - by).abs())
            }
            (Operator::Exp2 { octaves, rounds }, _) => Local::exp2(&Exp2::for_range(*octaves, fixed.frac, *rounds)),
            (Operator::Levels { step, .. }, _) => {
                Local { worst: *step, noise: *step, drift: *step, ..Local::default() }
            }
            _ => return,
        };
        self.of[owner].add(local);
    }

    /// The operand `at`, where a party's own value enters a private computation: it is brought to fixed point.
    fn encoding(&mut self, node: &Node, at: usize, kinds: &[InputKind]) {
        let (graph, input) = (self.graph, node.inputs[at]);
        let known = |id: NodeId| graph.node(id).visibility != Visibility::Secret;
        if !known(input) || kinds[input.0 as usize] != InputKind::Real {
            return;
        }
        let frac = match (&node.op, node.fixed) {
            (Op::Reveal { to, .. }, _) if !graph.node(input).visibility.seen_by(*to) => REVEALED_FRAC,
            (Op::Apply(Operator::Multiply | Operator::MatMul { .. }), Some(fixed)) => {
                let other = node.inputs[1 - at];
                match self.frac(other) {
                    Some(of_other) => fixed.frac.saturating_sub(of_other),
                    // Each party knows one: they share the product's fraction bits.
                    None => fixed.frac / 2,
                }
            }
            (Op::Apply(_), Some(fixed)) if node.visibility == Visibility::Secret => fixed.frac,
            _ => return,
        };
        if whole(graph.node(input), frac) {
            return;
        }
        if let Some(&owner) = self.places.get(graph.node(input).name.as_str()) {
            self.of[owner].add(Local::nearest(unit(frac)));
        }
    }
}

/// A constant that has no more bits than it is given.
fn whole(node: &Node, frac: u32) -> bool {
    let Op::Constant(value) = &node.op else { return false };
    value.data.iter().all(|&x| (f64::from(x) * f64::from(frac).exp2()).fract() == 0.0)
}

/// What the outputs need.
fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|output| live[output.node.0 as usize] = true);
    for id in (0..graph.nodes.len()).rev() {
        if live[id] {
            graph.nodes[id].inputs.iter().for_each(|input| live[input.0 as usize] = true);
        }
    }
    live
}
