//! How far results may lie from what the model computes exactly.
//!
//! %9 = reveal %8          %9 = reveal %8 : error(0.0004)
//!                    =>   note "embed" "end to end, calibrated: ..." 0.0004 absolute
//!
//! After: every output has the bound of its error, where one can be given, and a note that says what it rests on; values on
//! the way have theirs where it says more than their range does. An output whose bound exceeds its tolerance is an error.
//!
//! Two bounds, and the smaller one counts:
//!
//! - *Proved*: [`proved`] carries the worst case of every rounding and the certificate of every approximation through the
//!   operators, with the bounds of values. It holds for all inputs within their bounds. It grows with every product and
//!   says nothing behind a few layers.
//! - *Calibrated*: to first order, the error of an output element is the sum, over the values `v` and their elements, of the
//!   derivative by the element times the error made there ([`local`]). Calibration measures on samples the root mean square
//!   of those derivatives ([`ptc_ir::sensitivity`]). The model is this. A truncation is off by less than a unit, up or down
//!   with chances that make its mean zero, by shares that are random: independent from element to element, a standard
//!   deviation of half a unit at most. The error of an approximation is at most its certificate `c`: a common part of all
//!   elements of at most `c`, and a rest that differs from element to element like noise of deviation `c`. Then
//!
//!   `error <= sum of drift_v · gain_v + CONFIDENCE · sqrt(sum of (noise_v · gain_v)²)`
//!
//!   where common parts add up with their worst signs and independent ones by squares. `CONFIDENCE` covers the largest of
//!   many elements (six deviations of a normal error: one in 10^9) and that derivatives differ from sample to sample. What
//!   the model leaves out: second order, comparisons of the source that flip, inputs unlike the samples.

use ptc_ir::Graph;
use ptc_ir::graph::NodeId;
use ptc_plan::file::Note;

use crate::options::{Fault, Options, PassError};

mod local;
mod proved;

use local::{Local, Locals};

const CONFIDENCE: f64 = 6.0;
/// What single precision hides of a number, in parts of it: what is clear is computed in it, and so is what a result is held
/// against.
const SINGLE: f64 = 1.2e-7;
/// Largest contributors that are named.
const NAMED: usize = 3;

/// What is known of an output's error.
pub struct OutputError {
    pub bound: f64,
    /// From samples; else proved.
    pub calibrated: bool,
    /// Values whose errors count most, with their parts of the bound.
    pub contributors: Vec<(String, u32, f64)>,
}

/// `exact` is the graph before anything is approximated; the names of its nodes are found again in `graph`.
pub fn run(exact: &Graph, graph: &Graph, options: &Options) -> Result<Graph, Vec<PassError>> {
    let mut out = graph.clone();
    if options.sampling {
        return Ok(out);
    }
    let locals = local::collect(exact, graph);
    let worst = proved::worst(exact, &locals, options);
    let place = local::places(exact);
    for id in graph.ids() {
        let node = graph.node(id);
        let Some(&at) = place.get(node.name.as_str()) else { continue };
        let width = node.bound.map_or(0.0, |bound| bound.high - bound.low);
        if worst[at] < width && locals.result[at] == Some(id) {
            out.node_mut(id).error = Some(worst[at]);
        }
    }
    let mut errors = vec![];
    for (at, output) in graph.outputs.iter().enumerate() {
        let before = exact.outputs[at].node;
        let found = of_output(exact, &output.name, &locals, worst[before.0 as usize], options);
        let node = out.node_mut(output.node);
        node.error = found.bound.is_finite().then_some(found.bound);
        let tolerance = node.tolerance.or(options.tolerance);
        if let Some(tolerance) = tolerance.filter(|tolerance| found.bound > *tolerance && found.calibrated) {
            errors.push(exceeded(node.origin, &output.name, &found, tolerance));
        }
        out.notes.push(note(&output.name, &found, options));
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

fn of_output(exact: &Graph, name: &str, locals: &Locals, worst: f64, options: &Options) -> OutputError {
    let proved = OutputError { bound: worst, calibrated: false, contributors: vec![] };
    let Some(gains) = options.calibration.gains.get(name) else { return proved };
    let (mut drift, mut squares) = (0.0, 0.0);
    let mut parts = vec![];
    for (at, local) in locals.of.iter().enumerate() {
        let node = exact.node(NodeId(at as u32));
        let Some(gain) = gains.get(&node.name) else {
            // A value that calibration has not met may count for anything.
            if *local == Local::default() { continue } else { return proved }
        };
        let common = local.drift * gain.drift + local.relative_drift * gain.relative_drift;
        let noise = (local.noise * gain.noise).hypot((local.relative_noise + SINGLE) * gain.relative_noise);
        drift += common;
        squares += noise * noise;
        parts.push((node.name.clone(), node.origin, common, noise));
    }
    let spread = squares.sqrt();
    let bound = drift + CONFIDENCE * spread;
    if proved.bound <= bound {
        return proved;
    }
    // Of independent errors each takes the part of the bound that its square has in the sum of squares.
    let part = |noise: f64| if squares > 0.0 { CONFIDENCE * spread * noise * noise / squares } else { 0.0 };
    let mut contributors: Vec<(String, u32, f64)> =
        parts.into_iter().map(|(name, origin, common, noise)| (name, origin, common + part(noise))).collect();
    contributors.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    OutputError { bound, calibrated: true, contributors }
}

fn largest(found: &OutputError) -> String {
    let percent = |part: f64| (100.0 * part / found.bound).round();
    let one = |(name, _, part): &(String, u32, f64)| format!("`{name}` {}%", percent(*part));
    found.contributors.iter().take(NAMED).map(one).collect::<Vec<_>>().join(", ")
}

/// How the note of an output's error begins.
pub const END_TO_END: &str = "end to end";

fn note(output: &str, found: &OutputError, options: &Options) -> Note {
    let mut recipe = match found.calibrated {
        true => format!("{END_TO_END}, calibrated: most from {}", largest(found)),
        false => format!("{END_TO_END}, proved: the worst case of every rounding and approximation"),
    };
    if options.finer > 0 {
        recipe += &format!(", {} bits finer for its tolerance", options.finer);
    }
    Note { value: output.to_string(), recipe, bound: found.bound, relative: false }
}

fn exceeded(origin: u32, output: &str, found: &OutputError, tolerance: f64) -> PassError {
    let named = found.contributors.iter().take(NAMED);
    let label = |(name, origin, part): &(String, u32, f64)| (*origin, format!("`{name}` adds {part:.1e} of it"));
    PassError {
        origin,
        message: format!("`{output}` may err by {:.1e}, and its tolerance is {tolerance:.1e}", found.bound),
        hint: "raise `#[tolerance]` of the entry or `--tolerance`, or lower that of the functions that add most"
            .to_string(),
        fault: Fault::TooInexact,
        labels: named.map(label).collect(),
    }
}
