//! `1/x` and `1/sqrt x` of positive values, a row at a time: bring `x` into `[1/2, 1)`, look up a line, scale back.
//!
//! Comparisons of few bits with powers of two name the octave `2^j <= x < 2^(j+1)` by one bit of many; gates pick
//! `x · 2^-(j+1)` from its public multiples. On `[1/4, 5/4)` a table of lines `a + b·x` follows the function; a cell's
//! line serves the next cell too, because the index found may be one too low.

use ptc_ir::graph::NodeId;
use ptc_plan::operator::Operator;

use super::Builder;
use crate::fit::function::Function;
use crate::options::PassError;

/// Octaves beyond which the ring of a normalised value would burst.
const MOST_OCTAVES: i32 = 30;
/// Fraction bits that the smallest expected value keeps.
const RELATIVE_BITS: i32 = 13;
/// Fraction bits with which the smallest expected value is compared: what is brought beside `[1/2, 1)` lies within
/// `2^-OCTAVE_BITS` of it, in parts of itself.
const OCTAVE_BITS: i32 = 4;
/// Where the table begins; it covers one unit.
const TABLE_LOW: f64 = 0.25;
/// Of the table of lines.
const INDEX_BITS: u32 = 7;
const LINE_FRAC: u32 = 14;
const RESULT_BITS: i32 = 12;
/// Fraction bits of the power that scales back, at the most.
const FACTOR_FRAC: u32 = 20;

pub fn rsqrt(b: &mut Builder) -> Result<NodeId, PassError> {
    normalised(b, "reciprocal square root", INDEX_BITS, |x| 1.0 / x.sqrt(), |e| (-e / 2.0).exp2())
}

pub fn reciprocal(b: &mut Builder) -> Result<NodeId, PassError> {
    normalised(b, "reciprocal", INDEX_BITS, |x| 1.0 / x, |e| (-e).exp2())
}

/// The relative error of either.
pub fn error(f: Function) -> f64 {
    lines(INDEX_BITS, &|x| f.value(x)).1 + rounding()
}

/// Beside a value of at least 1: the factor of a slope of at most 2, the slope, the height and their sum are rounded.
fn rounding() -> f64 {
    4.0 * (-f64::from(LINE_FRAC)).exp2() + f64::from(-RESULT_BITS).exp2()
}

/// `f(x) = f(x·2^-e) · back(e)`; the table has `2^index_bits` lines.
fn normalised(
    b: &mut Builder,
    what: &str,
    index_bits: u32,
    f: impl Fn(f64) -> f64,
    back: impl Fn(f64) -> f64,
) -> Result<NodeId, PassError> {
    let x = b.input();
    let bound = b.bound(x);
    let low = bound.low.max(bound.high * (-MOST_OCTAVES as f64).exp2()).max(1e-12);
    if bound.high <= 0.0 || !bound.high.is_finite() {
        return Err(b.error(
            format!("{what} of a value in {:.3e} to {:.3e}", bound.low, bound.high),
            "it must be positive: add an epsilon, or calibrate the model",
        ));
    }
    let first = low.log2().floor() as i32;
    let last = (bound.high.log2().ceil() as i32).max(first + 1);

    let x = b.rescale(x, (RELATIVE_BITS - first).clamp(1, 40) as u32, "precise");
    let rough = b.rescale(x, (OCTAVE_BITS - first).clamp(0, 40) as u32, "rough");
    let octaves = octave_bits(b, rough, first, last);

    let mut unit: Option<NodeId> = None;
    let mut factor: Option<NodeId> = None;
    for (&bit, exponent) in octaves.iter().zip(first + 1..) {
        let (picked, one) = match bit {
            Some(bit) => (
                b.node(Operator::Gate, &[bit, x], "picked", 0.0, bound.high),
                Some(b.node(Operator::BitToReal, &[bit], "octave", 0.0, 1.0)),
            ),
            None => (x, None),
        };
        let scaled = b.node(Operator::Scale { by: (-exponent as f64).exp2() }, &[picked], "unit.term", 0.0, 1.05);
        unit = Some(match unit {
            None => scaled,
            Some(before) => b.node(Operator::Add, &[before, scaled], "unit", 0.0, 1.05),
        });
        if let Some(one) = one {
            let by = back(exponent as f64);
            let term = b.node(Operator::Scale { by }, &[one], "factor.term", 0.0, by);
            factor = Some(match factor {
                None => term,
                Some(before) => b.node(Operator::Add, &[before, term], "factor", 0.0, back(first as f64 + 1.0)),
            });
        }
    }
    let unit = unit.expect("at least one octave");

    let (lines, error) = lines(index_bits, &f);
    let most = lines.iter().flatten().fold(0f32, |m, v| m.max(v.abs())) as f64;
    let step_bits = index_bits as i32;
    let table = Operator::Table { low: TABLE_LOW, step_bits, values: lines };
    let table = b.node(table, &[unit], "line", -most, most);
    let frac = ptc_plan::step::Fixed { bits: 0, frac: LINE_FRAC };
    b.out.node_mut(table).fixed = Some(frac);
    let part = |b: &mut Builder, index: usize, name: &str| {
        let slice = b.node(Operator::Slice { axis: 0, start: index, length: 1 }, &[table], name, -most, most);
        let shape = b.out.node(unit).shape.clone();
        b.node(Operator::Reshape { shape }, &[slice], name, -most, most)
    };
    let (height, slope) = (part(b, 0, "height"), part(b, 1, "slope"));
    let unit = b.rescale(unit, LINE_FRAC, "unit.short");
    let rise = b.node(Operator::Multiply, &[slope, unit], "rise", -most, most);
    let value = b.node(Operator::Add, &[height, rise], "at_unit", 0.0, 2.1);

    let ends = (back(last as f64), 2.1 * back(first as f64 + 1.0));
    let result = match factor {
        Some(factor) => {
            let value = b.rescale(value, LINE_FRAC, "at_unit.short");
            let factor = b.rescale(factor, FACTOR_FRAC, "factor.short");
            b.node(Operator::Multiply, &[value, factor], "wide", 0.0, ends.1)
        }
        None => b.node(Operator::Scale { by: back(first as f64 + 1.0) }, &[value], "wide", 0.0, ends.1),
    };
    // The smallest result keeps `RESULT_BITS` bits.
    let frac = (RESULT_BITS - ends.0.log2().floor() as i32).clamp(8, 30) as u32;
    let result = b.rescale(result, frac, "");
    let recipe = format!("{what}: octave of {}, table of {} lines", last - first, 1 << index_bits);
    let known = b.bound(b.input());
    let id = b.finish(result, recipe, error + rounding(), true);
    let node = b.out.node_mut(id);
    node.bound = Some(ptc_ir::graph::Bound { low: 0.0, high: ends.1, grade: known.grade });
    Ok(id)
}

/// One bit for each octave from `2^first` to `2^last`: set in exactly one. The first also takes what lies below, the last
/// what lies above. `None`: there is but one.
fn octave_bits(b: &mut Builder, x: NodeId, first: i32, last: i32) -> Vec<Option<NodeId>> {
    if last - first == 1 {
        return vec![None];
    }
    let below: Vec<NodeId> = (first + 1..last)
        .map(|j| b.node(Operator::Compare { threshold: (j as f64).exp2() }, &[x], "below", 0.0, 1.0))
        .collect();
    let mut bits = vec![Some(below[0])];
    for pair in below.windows(2) {
        bits.push(Some(b.node(Operator::Xor, &[pair[0], pair[1]], "octave.bit", 0.0, 1.0)));
    }
    bits.push(Some(b.node(Operator::Not, &[below[below.len() - 1]], "octave.bit", 0.0, 1.0)));
    bits
}

/// Heights and slopes of the lines that serve `[low + i·step, low + (i + 2)·step)`, and their largest relative error on
/// `[1/2 - 2^-OCTAVE_BITS, 1]`.
fn lines(index_bits: u32, f: &impl Fn(f64) -> f64) -> (Vec<Vec<f32>>, f64) {
    let count = 1usize << index_bits;
    let step = 1.0 / count as f64;
    let mut heights = vec![];
    let mut slopes = vec![];
    let mut worst = 0f64;
    for i in 0..count {
        let (from, to) = (TABLE_LOW + i as f64 * step, TABLE_LOW + (i + 2) as f64 * step);
        let slope = (f(to) - f(from)) / (to - from);
        // For a convex function the best line of a chord's slope lies midway between chord and tangent.
        let gap = (0..=64)
            .map(|k| from + (to - from) * k as f64 / 64.0)
            .map(|x| f(from) + slope * (x - from) - f(x))
            .fold(0.0, f64::max);
        let height = f(from) - slope * from - gap / 2.0;
        if from >= 0.5 - f64::from(-OCTAVE_BITS).exp2() - step && to <= 1.0 + 2.0 * step {
            worst = worst.max(gap / 2.0 / f(to));
        }
        heights.push(height as f32);
        slopes.push(slope as f32);
    }
    (vec![heights, slopes], worst)
}
