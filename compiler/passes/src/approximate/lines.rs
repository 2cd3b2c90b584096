//! Activations by a table of lines: `f` is `h + s·r` in a middle piece, `r` being what `x` exceeds its cell by, and what
//! it nears on either side outside.
//!
//! %1 = gelu %0          %1 = table %0 [heights, slopes]     %4 = multiply %slope, %3
//!                  =>   %3 = rest %0                        %5 = add %height, %4
//!                       %2 = compare ...                    %6 = gate %middle, %5 ...
//!
//! Both parties have `r` as it is, a few bits, so that the one product runs in a narrow ring, beside the comparisons that
//! say on which piece `x` lies; a wide-meshed table says so at once where its index is short. Either decides within
//! [`Lines::overlap`] of a threshold as the shares have it; the table goes so far.

use ptc_ir::graph::{Bound, NodeId};
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

use super::{Builder, Fitted};
use crate::fit::cells::{Cells, Shape, fit};
use crate::fit::function::{Function, Tail};
use crate::fit::interval::Interval;
use crate::options::{PassError, Rounds};

/// Where no tolerance is set.
fn standard(f: Function) -> f64 {
    match f {
        // Its middle piece is twice as wide.
        Function::Silu => 0.0045,
        _ => 0.0018,
    }
}

/// Index bits of a table of lines; more cost more beforehand than they are worth.
const INDEX_BITS: std::ops::RangeInclusive<u32> = 3..=8;
/// Index bits up to which a table of bits is worth the rounds of comparisons.
fn most_coarse_bits(rounds: Rounds) -> u32 {
    match rounds {
        Rounds::Narrow => 6,
        Rounds::Few => 8,
    }
}

/// Thresholds are multiples of it.
const THRESHOLD_STEP: f64 = 0.25;
const MOST_THRESHOLD: f64 = 16.0;

/// The tolerance, fraction bits of the result, and index bits that a table of bits may have.
type Asked = (f64, u32, u32);

/// A middle piece and its cells.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Beyond `-threshold` and `threshold` the tails hold; absent on a side that no element reaches.
    pub threshold: f64,
    pub left: bool,
    pub right: bool,
    /// Within it below, or above, a threshold either piece may be taken.
    pub overlap: f64,
    /// Index bits of the table of bits that tells the pieces; none: comparisons.
    pub coarse_bits: Option<u32>,
    pub cells: Cells,
    /// Fraction bits of `r`.
    pub rest_frac: u32,
    /// Largest error over the whole bound, all roundings included.
    pub error: f64,
}

/// The function by lines; the fewest cells and bits within the tolerance.
pub fn ramp(b: &mut Builder, f: Function, tolerance: Option<f64>) -> Result<NodeId, PassError> {
    let tolerance = tolerance.unwrap_or(standard(f));
    let (x, frac) = (b.input(), b.options.activation_frac);
    let bound = b.bound(x);
    let most_coarse = most_coarse_bits(b.options.recipes.rounds);
    let terms = [bound.low, bound.high, tolerance, f64::from(frac), f64::from(most_coarse)];
    let lines = FITTED.get(f, &terms, || search(f, bound, (tolerance, frac, most_coarse))).map_err(|least| {
        let message = format!(
            "no table of lines for `{}` errs by less than {least:.1e}; the tolerance is {tolerance:.1e}",
            f.name()
        );
        b.error(message, "raise `#[tolerance]` or `--tolerance`")
    })?;
    Ok(build(b, f, x, &lines))
}

static FITTED: Fitted<Lines> = Fitted::new();

/// `Err` is the least error that there is.
fn search(f: Function, bound: Bound, (tolerance, frac, most_coarse): Asked) -> Result<Lines, f64> {
    // Of a range on one side of zero too, the pieces meet around it.
    let bound = Bound { low: bound.low.min(0.0), high: bound.high.max(0.0), ..bound };
    let result_unit = f64::from(-(frac as i32)).exp2();
    let steps = (2.0 / THRESHOLD_STEP) as u32..=(MOST_THRESHOLD / THRESHOLD_STEP) as u32;
    let threshold = steps
        .map(|step| f64::from(step) * THRESHOLD_STEP)
        .find(|&threshold| f.tail_error(threshold) + result_unit <= tolerance)
        .ok_or_else(|| f.tail_error(MOST_THRESHOLD) + result_unit)?;
    let mut least = f64::INFINITY;
    for index_bits in INDEX_BITS {
        let mut best: Option<Lines> = None;
        // The least overlap first: it leaves the narrowest cells. A wider one may make the pieces' table short enough.
        for overlap in [0.25, 0.5, 1.0, 2.0] {
            let Some(place) = place(bound, (threshold, overlap), index_bits, most_coarse) else { continue };
            match narrowest(f, &place, tolerance, frac) {
                Ok(lines) if best.as_ref().is_none_or(|b| lines.coarse_bits.is_some() && b.coarse_bits.is_none()) => {
                    best = Some(lines);
                }
                Ok(_) => {}
                Err(error) => least = least.min(error),
            }
        }
        if let Some(lines) = best {
            return Ok(lines);
        }
    }
    Err(least)
}

/// Where pieces and cells lie.
struct Place {
    threshold: f64,
    left: bool,
    right: bool,
    overlap: f64,
    coarse_bits: Option<u32>,
    low: f64,
    step_bits: i32,
    index_bits: u32,
    /// What the cells must follow.
    domain: Interval,
}

/// The narrowest cells, a power of two wide, that `2^index_bits` of reach over the middle piece; one is left below it, for
/// the index that is one too low.
fn place(bound: Bound, (threshold, overlap): (f64, f64), index_bits: u32, most_coarse: u32) -> Option<Place> {
    let (left, right) = (bound.low < -threshold - overlap, bound.high > threshold + overlap);
    // What is looked up is rounded first.
    const ROUNDED: f64 = 1.0 / 64.0;
    let low = if left { -threshold - overlap } else { bound.low } - ROUNDED;
    let high = if right { threshold + overlap } else { bound.high } + ROUNDED;
    let count = f64::from(1u32 << index_bits);
    let first = |width: f64| ((low / width).floor() - 1.0) * width;
    let step_bits = (-6..=10).rev().find(|&bits| {
        let width = f64::from(-bits).exp2();
        first(width) + count * width >= high
    })?;
    let low_cell = first(f64::from(-step_bits).exp2());
    // Of the pieces' table, which begins a cell below the bound at least, and two at the most.
    let coarse_cells = (bound.high - bound.low) / overlap + 3.0;
    let coarse_bits = Some(coarse_cells.log2().ceil() as u32).filter(|&bits| bits <= most_coarse);
    // Thresholds lie on the mesh of what tells the pieces: a table's begins at one of them.
    let steps = threshold / overlap * if coarse_bits.is_some() { 2.0 } else { 1.0 };
    if steps.fract() != 0.0 && (left || right) {
        return None;
    }
    let domain = Interval::new(low, high);
    Some(Place { threshold, left, right, overlap, coarse_bits, low: low_cell, step_bits, index_bits, domain })
}

/// The fewest fraction bits of slopes and of what they multiply.
fn narrowest(f: Function, place: &Place, tolerance: f64, frac: u32) -> Result<Lines, f64> {
    let unit = |bits: i32| f64::from(-bits).exp2();
    let shape = |slope_frac: i32, rest_frac: i32| Shape {
        low: place.low,
        step_bits: place.step_bits,
        index_bits: place.index_bits,
        fracs: vec![slope_frac + rest_frac, slope_frac],
    };
    let largest = |cells: &Cells| cells.errors.iter().copied().fold(0.0, f64::max);
    let steepest = f.steepest(place.domain);
    // What is looked up is rounded to a unit, so is the result.
    let rounding = |rest_frac: i32| steepest * unit(rest_frac) + unit(frac as i32);
    const FINE: i32 = 16;
    let bare = largest(&fit(f, &shape(FINE, FINE), place.domain));
    if bare + rounding(FINE) > tolerance {
        return Err(bare + rounding(FINE));
    }
    // A slope's rounding counts over half of two cells.
    let estimate = |slope: i32, rest: i32| bare + unit(slope + 1 + place.step_bits) + rounding(rest);
    let floor = (place.step_bits + 1).max(6);
    let mut pairs: Vec<(i32, i32)> = (2..=FINE).flat_map(|s| (floor..=FINE).map(move |r| (s, r))).collect();
    pairs.retain(|&(slope, rest)| estimate(slope, rest) <= tolerance);
    pairs.sort_by_key(|&(slope, rest)| (slope + rest, slope));
    let mut error = f64::INFINITY;
    for (slope, rest) in pairs {
        let cells = fit(f, &shape(slope, rest), place.domain);
        error = largest(&cells) + rounding(rest);
        if error <= tolerance {
            let Place { threshold, left, right, overlap, coarse_bits, .. } = *place;
            let tails = if left || right { f.tail_error(threshold) + unit(frac as i32) } else { 0.0 };
            let error = error.max(tails);
            return Ok(Lines { threshold, left, right, overlap, coarse_bits, cells, rest_frac: rest as u32, error });
        }
    }
    Err(error)
}

fn build(b: &mut Builder, f: Function, x: NodeId, lines: &Lines) -> NodeId {
    let (bound, frac) = (b.bound(x), b.options.activation_frac);
    let (left_tail, right_tail) = f.tails().expect("a function that is followed by lines has tails");
    let Tail::Constant(base) = left_tail else { panic!("the left tail of a ramp is a constant") };
    // What is gated nears zero on the left.
    let base = if lines.left { base } else { 0.0 };
    let ends = range(f, lines);
    let (low, high) = (ends.0 - base, ends.1 - base);
    let gated = lines.left || lines.right;
    let count = 1 << lines.cells.shape.index_bits;
    let recipe = match gated {
        true => format!("{}: {count} lines on |x| < {}, its tails", f.name(), lines.threshold),
        false => format!("{}: {count} lines", f.name()),
    };

    let pieces = gated.then(|| pieces(b, x, bound, lines));
    let value = line(b, x, lines, base, (low, high), gated);
    let value = b.rescale(value, frac, "at.short");
    let Some((middle, above)) = pieces else {
        return b.finish(value, recipe, lines.error, false);
    };
    let inside = b.node(Operator::Gate, &[middle, value], "inside", low.min(0.0), high.max(0.0));
    let inside = b.rescale(inside, frac, "inside.wide");
    let mut out = inside;
    let (mut least, mut most) = (low.min(0.0), high.max(0.0));
    if let Some(above) = above {
        let outside = match right_tail {
            Tail::Argument => {
                most = most.max(bound.high);
                let short = b.rescale(x, frac, "short");
                let outside = b.node(Operator::Gate, &[above, short], "outside", 0.0, bound.high);
                b.rescale(outside, frac, "outside.wide")
            }
            Tail::Constant(right) => {
                let by = right - base;
                most = most.max(by);
                let one = b.node(Operator::BitToReal, &[above], "above.one", 0.0, 1.0);
                b.node(Operator::Scale { by }, &[one], "outside", 0.0, by)
            }
        };
        out = b.node(Operator::Add, &[inside, outside], "both", least, most);
    }
    if base != 0.0 {
        (least, most) = (least + base, most + base);
        out = b.node(Operator::Offset { by: base }, &[out], "", least, most);
    }
    b.finish(out, recipe, lines.error, false)
}

/// Between which the function lies where the lines serve.
fn range(f: Function, lines: &Lines) -> (f64, f64) {
    let reach = lines.threshold + lines.overlap;
    let Cells { shape, .. } = &lines.cells;
    let last = shape.reach((1 << shape.index_bits) - 1).high;
    let (low, high) = (shape.low.max(-reach), last.min(reach));
    const POINTS: u32 = 256;
    let values = (0..=POINTS).map(|i| f.value(low + (high - low) * f64::from(i) / f64::from(POINTS)));
    // Between points, and by the error, it differs by less.
    values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v - 0.02), h.max(v + 0.02)))
}

/// `h + s·r`, less `base`.
fn line(b: &mut Builder, x: NodeId, lines: &Lines, base: f64, (low, high): (f64, f64), gated: bool) -> NodeId {
    let Shape { low: first, step_bits, fracs, .. } = lines.cells.shape.clone();
    let fine = b.rescale(x, lines.rest_frac, "fine");
    let (height_frac, slope_frac) = (fracs[0], fracs[1]);
    // Slopes stand in the table with the heights' fraction bits.
    let down = f64::from(slope_frac - height_frac).exp2();
    let row = |power: usize, by: f64, less: f64| {
        lines.cells.coefficients[power].iter().map(|c| ((c - less) * by) as f32).collect::<Vec<f32>>()
    };
    let values = vec![row(0, 1.0, base), row(1, down, 0.0)];
    let most = lines.cells.most(0) + base.abs();
    let table = b.node(Operator::Table { low: first, step_bits, values }, &[fine], "line", -most, most);
    b.out.node_mut(table).fixed = Some(Fixed { bits: 0, frac: height_frac as u32 });
    let height = b.output_of(table, 0, "height", most);
    let slope = b.output_of(table, 1, "slope.small", most);
    let steep = lines.cells.most(1);
    let slope = b.node(Operator::Scale { by: 1.0 / down }, &[slope], "slope", -steep, steep);
    let width = 2.0 * lines.cells.shape.width();
    let rest = b.node(Operator::Rest { step_bits }, &[fine], "rest", 0.0, width);
    let part = |b: &mut Builder, op: Operator, inputs: &[NodeId], name: &str, low: f64, high: f64| match gated {
        true => b.gated(op, inputs, name, low, high),
        false => b.node(op, inputs, name, low, high),
    };
    let rise = part(b, Operator::Multiply, &[slope, rest], "rise", -steep * width, steep * width);
    part(b, Operator::Add, &[height, rise], "at", low, high)
}

/// The bits of the middle piece, and of the one above it.
fn pieces(b: &mut Builder, x: NodeId, bound: Bound, lines: &Lines) -> (NodeId, Option<NodeId>) {
    let (threshold, overlap) = (lines.threshold, lines.overlap);
    match lines.coarse_bits {
        Some(index_bits) => {
            // The cell that begins at `threshold`; the first one is wholly below the bound.
            let above = ((threshold - bound.low) / overlap).ceil() as usize + 1;
            let low = threshold - overlap * above as f64;
            // The middle piece begins with the cell of `-threshold - overlap`.
            let below = above.saturating_sub((2.0 * threshold / overlap) as usize + 1);
            let cells = 0..1usize << index_bits;
            let is_above = |cell: usize| lines.right && cell >= above;
            let is_below = |cell: usize| lines.left && cell < below;
            let inside = cells.clone().map(|cell| !(is_below(cell) || is_above(cell))).collect();
            let values = match lines.right {
                true => vec![inside, cells.map(is_above).collect()],
                false => vec![inside],
            };
            let step_bits = -overlap.log2() as i32;
            let table = b.node(Operator::BitTable { low, step_bits, values }, &[x], "pieces", 0.0, 1.0);
            let middle = b.output_of(table, 0, "middle", 1.0);
            (middle, lines.right.then(|| b.output_of(table, 1, "above", 1.0)))
        }
        None => {
            let coarse = b.rescale(x, -overlap.log2().min(0.0) as u32, "coarse");
            let mut compare =
                |threshold: f64, part: &str| b.node(Operator::Compare { threshold }, &[coarse], part, 0.0, 1.0);
            let below = lines.left.then(|| compare(-threshold, "below"));
            let not_above = lines.right.then(|| compare(threshold + overlap, "not_above"));
            let above = not_above.map(|bit| b.node(Operator::Not, &[bit], "above", 0.0, 1.0));
            let middle = match (below, not_above) {
                (Some(below), Some(not_above)) => b.node(Operator::Xor, &[below, not_above], "middle", 0.0, 1.0),
                (Some(below), None) => b.node(Operator::Not, &[below], "middle", 0.0, 1.0),
                (None, Some(not_above)) => not_above,
                (None, None) => unreachable!("pieces of a function that is followed everywhere"),
            };
            (middle, above)
        }
    }
}
