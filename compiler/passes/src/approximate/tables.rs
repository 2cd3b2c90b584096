//! `1/x` and `1/sqrt x` of positive values, a row at a time, by tables of several resolutions looked up side by side.
//!
//! %1 = rsqrt %0         %1 = table %0 [h, s, c]       %4 = multiply %s, %2       %7 = gate %3, %sum
//!                  =>   %2 = rest %0                  %5 = multiply %c, %square  ... of each table
//!                       %3 = bit_table %0 [upper]     %6 = square %2
//!
//! A cell's polynomial `h + s·r + c·r²` in what `x` exceeds the cell by is good to a part of the function where the cell is
//! a small part of `x`: from the [`Tables::first`]-th cell on. Below it the table of the next finer cells takes over; a bit
//! of the coarser one tells. So there are two or three rounds, whatever the range: look-ups beside the square, products
//! beside the bits that choose, and gates where there is a choice.
//!
//! `x` is first scaled by a power of two so that its least value is near one.

use ptc_ir::graph::{Bound, Grade, NodeId};
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

use super::{Builder, Fitted};
use crate::fit::cells::{Cells, Shape, fit};
use crate::fit::function::Function;
use crate::fit::interval::Interval;
use crate::options::PassError;

/// Where no tolerance is set: the relative error.
const STANDARD: f64 = 6e-4;
/// Bits that the smallest result keeps, where the tolerance asks for no more.
const RESULT_BITS: i32 = 12;
const MOST_RESULT_BITS: i32 = 20;
const INDEX_BITS: std::ops::RangeInclusive<u32> = 6..=8;
const MOST_TABLES: usize = 4;
/// Cells wider than that have more whole bits than rings have room for.
const LEAST_STEP_BITS: i32 = -10;
/// Octaves beyond which the ring of a result would burst.
const MOST_OCTAVES: i32 = 30;

/// From the finest to the coarsest; each cell of one is `2^apart` of the next finer.
#[derive(Clone, Debug)]
pub struct Tables {
    pub index_bits: u32,
    /// The first cell that serves.
    pub first: usize,
    pub tables: Vec<Cells>,
    /// Bits of what an element exceeds its cell by.
    pub rest_bits: i32,
    /// Fraction bits of each table's result.
    pub result_fracs: Vec<i32>,
    /// Largest relative error, all roundings included.
    pub error: f64,
}

/// An error where no tables reach over the range within the tolerance.
pub fn normalised(b: &mut Builder, f: Function, tolerance: Option<f64>) -> Result<NodeId, PassError> {
    let x = b.input();
    let bound = b.bound(x);
    if bound.high <= 0.0 || !bound.high.is_finite() {
        return Err(b.error(
            format!("{} of a value in {:.3e} to {:.3e}", f.name(), bound.low, bound.high),
            "it must be positive: add an epsilon, or calibrate the model",
        ));
    }
    let low = bound.low.max(bound.high * f64::from(-MOST_OCTAVES).exp2()).max(1e-12);
    // An even power, so that a square root of it is one too.
    let up = -(low.log2() / 2.0).floor() as i32 * 2;
    let scale = f64::from(up).exp2();
    let (least, most) = (low * scale, bound.high * scale);
    // Rows are few: coarser tables than the standard spare nothing.
    let tolerance = tolerance.map_or(STANDARD, |tolerance| tolerance.min(STANDARD));
    let found = FITTED.get(f, &[least, most, tolerance], || search(f, least, most, tolerance)).map_err(|least| {
        let what = f.name();
        let best =
            if least.is_finite() { format!("the best errs by {least:.1e} of it") } else { "none has".to_string() };
        b.error(
            format!(
                "no tables of the {what} from {:.3e} to {:.3e} have an error of {tolerance:.1e} of it: {best}",
                bound.low, bound.high
            ),
            "raise `#[tolerance]` or `--tolerance`, or narrow the range by calibration",
        )
    })?;
    let x = b.node(Operator::Scale { by: scale }, &[x], "scaled", least, most);
    Ok(build(b, f, x, least, up, &found))
}

static FITTED: Fitted<Tables> = Fitted::new();

/// For `least <= x <= most`, `1 <= least < 4`. The fewest rounds, then the smallest tables. `Err` is the least error.
fn search(f: Function, least: f64, most: f64, tolerance: f64) -> Result<Tables, f64> {
    let mut best = f64::INFINITY;
    // A unit of the smallest result is a quarter of the error at most.
    let result_bits = (2 - tolerance.log2().floor() as i32).clamp(RESULT_BITS, MOST_RESULT_BITS);
    for count in 1..=MOST_TABLES {
        for index_bits in INDEX_BITS {
            let Some(spread) = spread(least, most, index_bits, count) else { continue };
            // Far off anyway: a cell is too large a part of `x`.
            if spread.first < 4 {
                continue;
            }
            let tables = tables(f, &spread, least, most, result_bits);
            if tables.error <= tolerance {
                return Ok(tables);
            }
            best = best.min(tables.error);
        }
    }
    Err(best)
}

/// How tables share the range.
struct Spread {
    index_bits: u32,
    first: usize,
    /// Cells of the finest, as bits.
    step_bits: i32,
    apart: i32,
    count: usize,
}

/// The finest cells with which `count` tables reach `most`, and then the latest first cell.
fn spread(least: f64, most: f64, index_bits: u32, count: usize) -> Option<Spread> {
    // The last cell stands for the index below the first; one is left for rounding.
    let cells = f64::from(1u32 << index_bits) - 2.0;
    let spreads = |apart: i32| {
        // `most` lies in the coarsest table.
        let step_bits = (cells.log2() - most.log2()).floor() as i32 + apart * (count as i32 - 1);
        let width = f64::from(-step_bits).exp2();
        // Every table but the finest takes over from its first cell on, where the next finer one still reaches.
        let within = (cells / f64::from(apart).exp2()).floor() - 1.0;
        let from_least = (least / width).floor() - 1.0;
        let first = if count == 1 { from_least } else { within.min(from_least) };
        let coarsest = step_bits - apart * (count as i32 - 1);
        let spread = Spread { index_bits, first: first as usize, step_bits, apart, count };
        (first >= 1.0 && coarsest >= LEAST_STEP_BITS).then_some(spread)
    };
    let apart = if count == 1 { 0..=0 } else { 1..=index_bits as i32 - 2 };
    apart.filter_map(spreads).max_by_key(|spread| spread.first)
}

fn tables(f: Function, spread: &Spread, least: f64, most: f64, result_bits: i32) -> Tables {
    let rest_bits = result_bits - 1;
    let Spread { index_bits, first, step_bits, apart, count } = *spread;
    let cells = (1usize << index_bits) - 1;
    let (mut tables, mut result_fracs, mut worst) = (vec![], vec![], 0f64);
    for at in 0..count as i32 {
        let step_bits = step_bits - at * apart;
        let width = f64::from(-step_bits).exp2();
        let from = if at == 0 { least - width / 4.0 } else { first as f64 * width };
        // A cell beyond the last is served too, by rounding.
        let to = (most + width).min((cells + 1) as f64 * width);
        let to =
            if at as usize + 1 == count { to } else { ((first + 2) as f64 * f64::from(apart).exp2() * width).min(to) };
        let result_frac = result_bits - f.value(to).log2().floor() as i32;
        let slope_frac = result_frac - step_bits;
        let height_frac = result_frac + rest_bits;
        let square_frac = square_frac(step_bits, rest_bits);
        let fracs = vec![height_frac, slope_frac, height_frac - square_frac];
        let shape = Shape { low: 0.0, step_bits, index_bits, fracs };
        let fitted = fit(f, &shape, Interval::new(from, to));
        // `x` and the square are rounded to a unit, so is the result.
        let unit = |bits: i32| f64::from(-bits).exp2();
        for cell in (0..=cells).filter(|&cell| fitted.errors[cell] > 0.0) {
            let reach = shape.reach(cell);
            let (low, high) = (reach.low.max(from), reach.high.min(to));
            let error = fitted.errors[cell]
                + f.steepest(Interval::new(low, high)) * unit(step_bits + rest_bits)
                + fitted.coefficients[2][cell].abs() * unit(square_frac)
                + unit(result_frac);
            worst = worst.max(error / f.value(high));
        }
        tables.push(fitted);
        result_fracs.push(result_frac);
    }
    Tables { index_bits, first, tables, rest_bits, result_fracs, error: worst }
}

/// Fraction bits of the square of what an element exceeds its cell by.
fn square_frac(step_bits: i32, rest_bits: i32) -> i32 {
    (2 * step_bits + rest_bits - 1).max(0)
}

fn build(b: &mut Builder, f: Function, x: NodeId, least: f64, up: i32, found: &Tables) -> NodeId {
    let count = found.tables.len();
    let rest_frac = |cells: &Cells| (cells.shape.step_bits + found.rest_bits).max(0) as u32;
    let fine: Vec<NodeId> = found.tables.iter().map(|cells| b.rescale(x, rest_frac(cells), "fine")).collect();
    let chosen = chosen(b, &fine, found);
    let mut sum: Option<NodeId> = None;
    let highest = f.value(least) * 1.01;
    for (at, cells) in found.tables.iter().enumerate() {
        let frac = found.result_fracs[at] as u32;
        let value = value(b, fine[at], cells, square_frac(cells.shape.step_bits, found.rest_bits), highest, count > 1);
        let value = b.rescale(value, frac, "value.short");
        let value = match chosen[at] {
            Some(bit) => b.node(Operator::Gate, &[bit, value], "kept", 0.0, highest),
            None => value,
        };
        sum = Some(match sum {
            None => value,
            Some(before) => b.node(Operator::Add, &[before, value], "sum", 0.0, highest),
        });
    }
    let sum = sum.expect("at least one table");
    let frac = found.result_fracs.iter().copied().max().unwrap_or(0);
    b.out.node_mut(sum).fixed = Some(Fixed { bits: 0, frac: frac as u32 });
    let back = match f {
        Function::Reciprocal => up,
        _ => up / 2,
    };
    let by = f64::from(back).exp2();
    let recipe = format!("{}: {count} tables of {} parabolas", f.name(), 1 << found.index_bits);
    let result = b.node(Operator::Scale { by }, &[sum], "", 0.0, highest * by);
    let known = b.bound(b.input());
    let id = b.finish(result, recipe, found.error, true);
    let grade = if known.grade == Grade::Gated { Grade::Calibrated } else { known.grade };
    b.out.node_mut(id).bound = Some(Bound { low: 0.0, high: highest * by, grade });
    id
}

/// For each table the bit that says that its value counts; none where there is but one.
fn chosen(b: &mut Builder, fine: &[NodeId], found: &Tables) -> Vec<Option<NodeId>> {
    let mut bits = vec![None; found.tables.len()];
    // Whether no coarser table has been chosen.
    let mut open: Option<NodeId> = None;
    for at in (1..found.tables.len()).rev() {
        let Shape { step_bits, index_bits, .. } = found.tables[at].shape;
        // The last cell is that below the first.
        let last = (1usize << index_bits) - 1;
        let upper = (0..=last).map(|cell| cell >= found.first && cell < last).collect();
        let table = Operator::BitTable { low: 0.0, step_bits, values: vec![upper] };
        let table = b.node(table, &[fine[at]], "upper", 0.0, 1.0);
        let upper = b.output_of(table, 0, "upper", 1.0);
        (bits[at], open) = match open {
            None => (Some(upper), Some(b.node(Operator::Not, &[upper], "lower", 0.0, 1.0))),
            Some(open) => {
                let taken = b.node(Operator::And, &[open, upper], "taken", 0.0, 1.0);
                (Some(taken), Some(b.node(Operator::Xor, &[open, taken], "lower", 0.0, 1.0)))
            }
        };
    }
    bits[0] = open;
    bits
}

/// `h + s·r + c·r²`.
fn value(b: &mut Builder, fine: NodeId, cells: &Cells, square_frac: i32, highest: f64, gated: bool) -> NodeId {
    let Shape { step_bits, ref fracs, .. } = cells.shape;
    // Slopes and bends stand in the table with the heights' fraction bits.
    let down = |power: usize| f64::from(fracs[power] - fracs[0]).exp2();
    let row = |power: usize| cells.coefficients[power].iter().map(|c| (c * down(power)) as f32).collect::<Vec<f32>>();
    let values = (0..3).map(row).collect();
    let most = (0..3).map(|power| cells.most(power) * down(power)).fold(0.0, f64::max);
    let table = b.node(Operator::Table { low: 0.0, step_bits, values }, &[fine], "parabola", -most, most);
    b.out.node_mut(table).fixed = Some(Fixed { bits: 0, frac: fracs[0] as u32 });
    let height = b.output_of(table, 0, "height", most);
    let coefficient = |b: &mut Builder, power: usize, part: &str| {
        let small = b.output_of(table, power, &format!("{part}.small"), most);
        let by = 1.0 / down(power);
        b.node(Operator::Scale { by }, &[small], part, -cells.most(power), cells.most(power))
    };
    let (slope, bend) = (coefficient(b, 1, "slope"), coefficient(b, 2, "bend"));
    let width = 2.0 * cells.shape.width();
    let rest = b.node(Operator::Rest { step_bits }, &[fine], "rest", 0.0, width);
    let square = b.node(Operator::Square, &[rest], "square", 0.0, width * width);
    let square = b.rescale(square, square_frac as u32, "square.short");
    let part = |b: &mut Builder, op: Operator, inputs: &[NodeId], name: &str, low: f64, high: f64| match gated {
        true => b.gated(op, inputs, name, low, high),
        false => b.node(op, inputs, name, low, high),
    };
    let (steep, bent) = (cells.most(1) * width, cells.most(2) * width * width);
    let rise = part(b, Operator::Multiply, &[slope, rest], "rise", -steep, steep);
    let curve = part(b, Operator::Multiply, &[bend, square], "curve", -bent, bent);
    let line = part(b, Operator::Add, &[height, rise], "line", -highest - steep, highest + steep);
    part(b, Operator::Add, &[line, curve], "value", 0.0, highest)
}
