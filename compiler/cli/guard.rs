//! The guard of a simulation: every value against its bound and its ring, every approximation against its certificate, every
//! result against the bound of its error.
//!
//! A value is read twice: as the parties' shares add up, and as floating point computes it. Both must lie within the bound
//! that its ring was chosen for. A ring that its users read modulo a power of two holds less than the value on purpose; there
//! only floating point is held against the bound.

use std::collections::{BTreeMap, HashMap};

use ptc_exec::simulate::Seen;
use ptc_ir::graph::{Bound, Grade, Graph, NodeId, Op, Visibility, signed_bits};
use ptc_plan::Plan;
use ptc_plan::file::Note;
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::{Fixed, Form, StepOp, ValueId};

/// A value may leave its bound by what roundings before it add: so many units, or this part of its size, where no bound of
/// its error says more.
const UNITS: f64 = 8.0;
const PART: f64 = 0.01;
/// A certificate is of exact numbers; what is looked at is rounded at both ends.
const CERTIFIED_UNITS: f64 = 2.0;

/// The floating-point value of each plan value that stands for a node, by its number.
pub type References = HashMap<u32, (String, FloatTensor)>;

pub struct Guard {
    /// Values some of whose elements may hold anything.
    loose: Vec<bool>,
    /// By value, so that each is named once; in the order of the plan.
    violations: BTreeMap<u32, String>,
    certified: Vec<Certified>,
    /// Values that certified functions read, as the shares add up.
    read: HashMap<u32, FloatTensor>,
}

/// A function that was approximated, with its certificate and what it was seen to err by.
struct Certified {
    op: Operator,
    note: Note,
    from: u32,
    to: u32,
    /// Units of operand and result, in which both are rounded.
    units: [f64; 2],
    /// Largest error seen, and what the certificate and the roundings allow there.
    worst: Option<(f64, f64)>,
}

impl Guard {
    /// `exact` is the graph before approximation; `nodes` are the plan's values of the final graph's nodes.
    pub fn new(plan: &Plan, graph: &Graph, exact: &Graph, nodes: &[(NodeId, ValueId)]) -> Guard {
        let values: HashMap<&str, u32> =
            nodes.iter().map(|(node, value)| (graph.node(*node).name.as_str(), value.0)).collect();
        let mut certified = vec![];
        for note in &graph.notes {
            let Some(node) = exact.nodes.iter().rev().find(|node| node.name == note.value) else { continue };
            let Op::Apply(op) = &node.op else { continue };
            let [input] = node.inputs[..] else { continue };
            if node.visibility != Visibility::Secret {
                continue;
            }
            let from = values.get(exact.node(input).name.as_str());
            let (Some(&from), Some(&to)) = (from, values.get(node.name.as_str())) else { continue };
            let unit = |value: u32| match plan.values[value as usize].form {
                Form::Share(Fixed { frac, .. }) => (-f64::from(frac)).exp2(),
                _ => 0.0,
            };
            let units = [unit(from), unit(to)];
            certified.push(Certified { op: op.clone(), note: note.clone(), from, to, units, worst: None });
        }
        Guard { loose: loose(graph, plan, nodes), violations: BTreeMap::new(), certified, read: HashMap::new() }
    }

    pub fn is_loose(&self, value: ValueId) -> bool {
        self.loose[value.0 as usize]
    }

    pub fn look(&mut self, plan: &Plan, references: &References, seen: &Seen) {
        let step = &plan.steps[seen.step];
        for input in &step.inputs {
            if let Some(violation) = overflow(plan, &step.op, *input, references).filter(|_| !self.is_loose(*input)) {
                let place = place(plan, step.origin);
                self.violations.entry(input.0).or_insert(format!("{violation}{place}"));
            }
        }
        if self.is_loose(seen.value) {
            return;
        }
        if let Some(violation) = beyond(plan, seen, references) {
            let place = place(plan, step.origin);
            let value = &plan.values[seen.value.0 as usize];
            let fix = fix(value.bound.map_or(Grade::Assumed, |bound| bound.grade));
            self.violations
                .entry(seen.value.0)
                .or_insert(format!("`{}`{place} {violation}\n  hint: {fix}", value.name));
        }
        self.certify(seen);
    }

    /// Holds an approximated function against its meaning, on the operand that it really had.
    fn certify(&mut self, seen: &Seen) {
        let value = seen.value.0;
        for function in self.certified.iter_mut().filter(|function| function.to == value) {
            let Some(x) = self.read.get(&function.from) else { continue };
            let exact = function.op.evaluate(&[x]);
            // What a unit of the operand makes of the result.
            let shifted = x.data.iter().map(|x| x + function.units[0] as f32).collect();
            let beside = function.op.evaluate(&[&FloatTensor::new(x.shape.clone(), shifted)]);
            for ((&found, &exact), &beside) in seen.tensor.data.iter().zip(&exact.data).zip(&beside.data) {
                let (found, exact, beside) = (f64::from(found), f64::from(exact), f64::from(beside));
                let size = if function.note.relative { exact.abs() } else { 1.0 };
                let moved = if (beside - exact).is_finite() { (beside - exact).abs() } else { 0.0 };
                let allowed = function.note.bound * size + CERTIFIED_UNITS * function.units[1] + 2.0 * moved;
                let error = (found - exact).abs();
                let before = function.worst.map_or(0.0, |(error, allowed)| error / allowed);
                if function.worst.is_none() || error / allowed > before {
                    function.worst = Some((error, allowed));
                }
            }
        }
        if self.certified.iter().any(|function| function.from == value) {
            self.read.insert(value, seen.tensor.clone());
        }
    }

    /// Violations, in the order of the plan.
    pub fn violations(&self) -> impl Iterator<Item = &String> {
        self.violations.values()
    }

    pub fn add(&mut self, output: ValueId, violation: String) {
        self.violations.entry(output.0).or_insert(violation);
    }

    /// One line for each kind of recipe: how far it was seen to err.
    pub fn certificates(&self) -> Vec<String> {
        let mut kinds: BTreeMap<&str, (usize, f64, f64)> = BTreeMap::new();
        for function in &self.certified {
            let Some((error, allowed)) = function.worst else { continue };
            let kind = kinds.entry(function.op.name()).or_default();
            kind.0 += 1;
            if kind.2 == 0.0 || error / allowed > kind.1 / kind.2 {
                (kind.1, kind.2) = (error, allowed);
            }
        }
        let line = |(name, (count, error, allowed)): (&str, (usize, f64, f64))| {
            format!("{count} of `{name}`: the largest error is {error:.1e} where {allowed:.1e} is certified")
        };
        kinds.into_iter().map(line).collect()
    }

    /// Certificates that were exceeded.
    pub fn broken(&self) -> Vec<String> {
        let broken = self.certified.iter().filter_map(|function| {
            let (error, allowed) = function.worst.filter(|(error, allowed)| error > allowed)?;
            Some(format!("`{}` errs by {error:.2e}, and {allowed:.2e} is certified", function.note.value))
        });
        broken.collect()
    }
}

/// Values some of whose elements may hold anything, because a gate drops those later.
fn loose(graph: &Graph, plan: &Plan, nodes: &[(NodeId, ValueId)]) -> Vec<bool> {
    let mut loose = vec![false; plan.values.len()];
    for (node, value) in nodes {
        loose[value.0 as usize] = graph.node(*node).bound.is_some_and(|bound| bound.grade == Grade::Gated);
    }
    for step in plan.steps.iter().filter(|step| step.op != StepOp::Gate) {
        if step.inputs.iter().any(|id| loose[id.0 as usize]) {
            step.outputs.iter().for_each(|id| loose[id.0 as usize] = true);
        }
    }
    loose
}

/// A value that a step reads with its sign, and that floating point says its ring does not hold.
fn overflow(plan: &Plan, op: &StepOp, input: ValueId, references: &References) -> Option<String> {
    let value = &plan.values[input.0 as usize];
    let Form::Share(fixed) = value.form else { return None };
    let (_, exact) = references.get(&input.0)?;
    let unit = (-f64::from(fixed.frac)).exp2();
    let threshold = match op {
        StepOp::Compare { threshold } => *threshold as f64 * unit,
        StepOp::Max | StepOp::Rescale | StepOp::Reveal { .. } => 0.0,
        _ => return None,
    };
    let limit = unit * f64::from(fixed.bits - 1).exp2();
    let found = exact.data.iter().map(|&x| f64::from(x)).find(|x| (x - threshold).abs() >= limit)?;
    let fix = fix(value.bound.map_or(Grade::Assumed, |bound| bound.grade));
    Some(format!(
        "`{}` is {found:.6} in floating point, and its ring of {} bits with {} behind the point ends at {limit:.6} ({})\n  \
         hint: {fix}",
        value.name,
        fixed.bits,
        fixed.frac,
        op.name()
    ))
}

/// A value outside its bound, in one reading or the other.
fn beyond(plan: &Plan, seen: &Seen, references: &References) -> Option<String> {
    let value = &plan.values[seen.value.0 as usize];
    let (Form::Share(fixed), Some(bound)) = (value.form, value.bound) else { return None };
    let unit = (-f64::from(fixed.frac)).exp2();
    let slack = value.error.unwrap_or(0.0).max(PART * bound.max_abs()) + UNITS * unit;
    let outside = |tensor: &FloatTensor| {
        let all = tensor.data.iter().map(|&x| f64::from(x));
        { all }.find(|x| !(bound.low - slack..=bound.high + slack).contains(x))
    };
    let held = signed_bits(bound.max_abs(), fixed.frac) <= fixed.bits;
    let found = held.then(|| outside(seen.tensor)).flatten().map(|x| (x, "as shares add up"));
    let exact =
        || references.get(&seen.value.0).and_then(|(_, exact)| outside(exact)).map(|x| (x, "in floating point"));
    let (x, reading) = found.or_else(exact)?;
    let Bound { low, high, grade } = bound;
    Some(format!("is {x:.6} {reading}, beyond its bound {low:.6} to {high:.6} ({})", ground(grade)))
}

fn ground(grade: Grade) -> &'static str {
    match grade {
        Grade::Proved => "proved",
        Grade::Calibrated => "calibrated",
        Grade::Assumed => "assumed",
        Grade::Gated => "where it counts",
    }
}

fn fix(grade: Grade) -> &'static str {
    match grade {
        Grade::Calibrated => "calibrate again with more samples like this one, or with a larger `--margin`",
        Grade::Assumed => "nothing was measured here: run `ptc calibrate`",
        Grade::Proved | Grade::Gated => {
            "an input or an approximation errs by more than expected: a smaller `--tolerance`"
        }
    }
}

fn place(plan: &Plan, origin: u32) -> String {
    plan.origins.get(origin as usize).map_or(String::new(), |o| format!(" ({}:{} `{}`)", o.file, o.line, o.text))
}
