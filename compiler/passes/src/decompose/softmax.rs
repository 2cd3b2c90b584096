//! Softmax: weights are powers of two of scores less what keeps them below one.
//!
//! %1 = softmax2 %0      %1 = rescale %0            coarse: the maximum needs few bits
//!                       %2 = max %1                or %1 = levels %0: the level that the row reaches
//!                  =>   %3 = subtract %0, %2       or %3 = offset %0: less a bound of all rows
//!                       %4 = exp2 %3
//!                       %5 = sum %4
//!                       %6 = reciprocal %5         and the product by rows is put off
//!
//! After: a weight is at most 2, and the largest of a row at least `2^-lost`. What is lost there the weights have in more
//! fraction bits. Levels cost two rounds instead of five for each level of a tournament; a bound costs nothing, where it
//! leaves few octaves. A table that covers all exponents saves the comparison of those that are too low, and a gate.

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, NodeId};
use ptc_plan::file::Note;
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

use super::{Deferred, derive, short};
use crate::options::{Maximum, Options, Power, Rounds};

/// Octaves below the largest kept score at which a masked weight vanishes.
const VANISHED: f64 = 26.0;
/// Octaves that are worth a table of their own; beyond, what lies below the resolution is found by comparison.
const WIDE_RANGE: f64 = 64.0;
/// Octaves below the maximum that count, and the range of `2^x` that holds them.
const CLIPPED: f64 = 20.0;
const CLIPPED_RANGE: f64 = 32.0;
/// Octaves beyond which no table covers all.
const WIDEST_RANGE: f64 = 1000.0;

/// Steps of a scale of levels, the cheapest result first, and how many of them the scores may span.
const LEVEL_STEPS: [(f64, f64); 2] = [(2.0, 126.0), (4.0, 1022.0)];
/// Octaves between a bound of all rows and the least maximum of a row.
const MOST_LOST: f64 = 4.0;

/// Scores with those that a mask drops moved so far below that their weights vanish.
#[derive(Clone, Copy)]
struct Scores {
    /// Of kept and dropped ones.
    masked: NodeId,
    low: f64,
    high: f64,
    /// The least that the largest of a row is expected to be.
    least: f64,
    grade: Grade,
}

/// Scores less their row's reference, at most 1.
struct Shifted {
    node: NodeId,
    /// Their lower end.
    low: f64,
    /// The largest of a row is `-lost` at least.
    lost: f64,
    /// Scores and references of few bits.
    coarse: Option<[NodeId; 2]>,
}

pub fn softmax(out: &mut Graph, node: &Node, options: &Options) -> Deferred {
    let axis = node.shape.len() - 1;
    let count = node.shape[axis] as f64;
    let scores = masked(out, node, options);
    let shifted = match (options.sampling, options.recipes.maximum) {
        (false, Maximum::Bound) if scores.high - scores.least <= MOST_LOST => below_bound(out, node, &scores),
        (false, Maximum::Bound | Maximum::Levels) => match scale(&scores) {
            Some((step, count)) => below_level(out, node, &scores, step, count),
            None => {
                note(out, node, "no scale of levels spans the scores: a tournament".to_string());
                below_maximum(out, node, &scores, options)
            }
        },
        _ => below_maximum(out, node, &scores, options),
    };
    // As precise beside the largest weight of a row as if it lay between a half and 2: on the average.
    let frac = options.activation_frac + 1 + ((shifted.lost + 1.0) / 2.0).log2().ceil() as u32;
    let kept = powers(out, node, &shifted, frac, &scores, options);
    let weights = short(out, kept, frac, node, "weights");
    bounded(out, weights, 0.0, 2.0, scores.grade);
    // A sum of few bits; the truncation that grows the weights' ring for a product goes on beside the reciprocal.
    let summed = match options.recipes.rounds {
        Rounds::Few => kept,
        Rounds::Narrow => weights,
    };
    let total = derive(out, Operator::Sum { axis }, &[summed], node, "total");
    let ends = ((-shifted.lost).exp2(), 2.0 * count);
    bounded(out, total, ends.0, ends.1, Grade::Proved);
    let by_row = derive(out, Operator::Reciprocal, &[total], node, "reciprocal");
    if shifted.lost > 1.0 {
        // Samples show it for weights below the maximum.
        bounded(out, by_row, 1.0 / ends.1, 1.0 / ends.0, Grade::Proved);
    }
    Deferred { scaled: weights, by_row, factor: 1.0, frac }
}

fn bounded(out: &mut Graph, id: NodeId, low: f64, high: f64, grade: Grade) {
    out.node_mut(id).bound = Some(Bound { low, high, grade });
}

/// How the row's reference is found: exact beside roundings, whatever it is.
fn note(out: &mut Graph, node: &Node, recipe: String) {
    out.notes.push(Note { value: node.name.clone(), recipe, bound: 0.0, relative: false });
}

fn masked(out: &mut Graph, node: &Node, options: &Options) -> Scores {
    let scores = node.inputs[0];
    let seen = out.node(scores).bound.unwrap_or(Bound { low: -1e3, high: 1e3, grade: Grade::Assumed });
    let (mut low, high, grade) = (seen.low, seen.high, seen.grade);
    let least = options.calibration.bound(&format!("{}.max", node.name));
    let least = least.map_or(low, |(least, _)| least.clamp(low, high));
    let mut masked = scores;
    if let Some(&keep) = node.inputs.get(1) {
        // Where `keep` is 0 the score falls so far below every row's largest one that its weight vanishes.
        let floor = high - least + VANISHED;
        let dropped = derive(out, Operator::Offset { by: -1.0 }, &[keep], node, "dropped");
        let bias = derive(out, Operator::Scale { by: floor }, &[dropped], node, "bias");
        masked = derive(out, Operator::Add, &[scores, bias], node, "masked");
        low -= floor;
    }
    bounded(out, masked, low, high, grade);
    Scores { masked, low, high, least, grade }
}

/// The largest of the row, on few bits.
fn below_maximum(out: &mut Graph, node: &Node, scores: &Scores, options: &Options) -> Shifted {
    let (axis, Scores { masked, low, high, least, grade }) = (node.shape.len() - 1, *scores);
    let coarse = derive(out, Operator::Rescale, &[masked], node, "coarse");
    out.node_mut(coarse).fixed = Some(Fixed { bits: 0, frac: 0 });
    bounded(out, coarse, low - 1.0, high + 1.0, grade);
    let most = derive(out, Operator::Max { axis }, &[coarse], node, "max");
    if !options.sampling {
        bounded(out, most, least - 1.0, high + 1.0, grade);
    }
    let shifted = derive(out, Operator::Subtract, &[masked, most], node, "shifted");
    let low = low - high - 2.0;
    bounded(out, shifted, low, 1.0, grade);
    Shifted { node: shifted, low, lost: 1.0, coarse: Some([coarse, most]) }
}

/// The least step whose scale covers the scores, and how many levels there are from the least maximum up.
fn scale(scores: &Scores) -> Option<(f64, u32)> {
    let (step, _) = LEVEL_STEPS.into_iter().find(|(step, most)| (scores.high - scores.low) / step <= *most)?;
    let levels = (scores.high / step).floor() - (scores.least / step).floor() + 1.0;
    Some((step, levels as u32))
}

/// The highest level that the row reaches, or the one below it: the largest element is less than two steps above. A step is
/// taken off beyond it, but for the octave that weights may exceed one by.
fn below_level(out: &mut Graph, node: &Node, scores: &Scores, step: f64, count: u32) -> Shifted {
    let Scores { masked, low, least, grade, .. } = *scores;
    let lowest = (least / step).floor() * step;
    let reached = derive(out, Operator::Levels { low: lowest, step, count }, &[masked], node, "max");
    bounded(out, reached, 0.0, step * f64::from(count), grade);
    let by = lowest + step - 1.0;
    let reference = derive(out, Operator::Offset { by }, &[reached], node, "reference");
    note(out, node, format!("less the highest of {count} levels, {step} octaves apart, that the row reaches"));
    let top = by + step * f64::from(count);
    bounded(out, reference, by, top, grade);
    let shifted = derive(out, Operator::Subtract, &[masked, reference], node, "shifted");
    let low = low - top;
    bounded(out, shifted, low, 1.0, grade);
    Shifted { node: shifted, low, lost: 2.0 * step - 1.0, coarse: None }
}

/// What no score exceeds by more than 1, whatever the row.
fn below_bound(out: &mut Graph, node: &Node, scores: &Scores) -> Shifted {
    let by = 1.0 - scores.high.ceil();
    let shifted = derive(out, Operator::Offset { by }, &[scores.masked], node, "shifted");
    note(out, node, format!("less {}, which no row's maximum exceeds by more than 1", -by));
    let low = scores.low + by;
    bounded(out, shifted, low, 1.0, scores.grade);
    Shifted { node: shifted, low, lost: (-by - scores.least).max(1.0), coarse: None }
}

fn powers(out: &mut Graph, node: &Node, shifted: &Shifted, frac: u32, scores: &Scores, options: &Options) -> NodeId {
    let range = -shifted.low;
    let wide = options.recipes.power == Power::Wide && range <= WIDEST_RANGE;
    let clip = range > WIDE_RANGE && !wide;
    let octaves = if clip { CLIPPED_RANGE } else { range.ceil() } as u32;
    let rounds = match options.recipes.rounds {
        Rounds::Few => 2,
        Rounds::Narrow => 3,
    };
    let power = derive(out, Operator::Exp2 { octaves, rounds }, &[shifted.node], node, "exp2");
    bounded(out, power, 0.0, 2.0, if clip { Grade::Gated } else { scores.grade });
    out.node_mut(power).fixed = Some(Fixed { bits: 0, frac });
    if !clip {
        return power;
    }
    // Beyond its range the power wraps to anything; a comparison on few bits removes it.
    let (distance, rounded) = match shifted.coarse {
        Some(coarse) => (derive(out, Operator::Subtract, &coarse, node, "distance"), 0.0),
        None => (short(out, shifted.node, 0, node, "distance"), 1.0),
    };
    bounded(out, distance, shifted.low - rounded, 1.0 + rounded, scores.grade);
    let far = derive(out, Operator::Compare { threshold: -CLIPPED }, &[distance], node, "far");
    let near = derive(out, Operator::Not, &[far], node, "near");
    let kept = derive(out, Operator::Gate, &[near, power], node, "kept");
    bounded(out, kept, 0.0, 2.0, scores.grade);
    kept
}
