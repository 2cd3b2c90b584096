//! Activations: a ramp bent smoothly around zero is linear outside a middle piece and a polynomial inside it.
//!
//! GELU and SiLU are `x/2 + E(x)` with an even, smooth `E`. On `|x| < t` a polynomial in `x²` follows `E`, above it the
//! function is `x`, below it 0: two comparisons of the same value decide, and the sign of `x` is never needed. The
//! polynomial is a sum of `u = (x/2^s)²`, `v = u²` and `q = (v + bend·u)²`, so it costs three squares, half the price of
//! products; comparisons of `u` on few bits choose between two or three such sums of the same squares.
//!
//! What is compared is rounded to few bits, up or down, so a comparison decides either way within a unit below its
//! threshold; the pieces overlap there.

use ptc_ir::graph::NodeId;
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

use super::Builder;
use crate::options::PassError;

/// How `E` is followed on `|x| < threshold + COARSE`, fitted for the least largest error.
#[derive(Clone, Copy)]
pub struct Ramp {
    threshold: f64,
    scale_bits: i32,
    bend: f64,
    /// Where the next sum begins, in `u`, multiples of `2^-split_frac`.
    splits: &'static [f64],
    split_frac: u32,
    /// Factors of 1, `u`, `v`, `q` in each piece; multiples of `2^-14`, `2^-8`, `2^-5`, `2^-5`.
    sums: &'static [[f64; 4]],
    /// Fraction bits of what is squared behind `u`.
    frac: u32,
    /// Largest error over all `x`, the linear pieces and all roundings included.
    bound: f64,
}

/// Cheapest first.
pub const GELU: &[Ramp] = &[
    Ramp {
        threshold: 3.0,
        scale_bits: 2,
        bend: -1.0,
        splits: &[],
        split_frac: 0,
        sums: &[[0.00408935546875, 6.0390625, -4.53125, -7.75]],
        frac: 12,
        bound: 0.0065,
    },
    Ramp {
        threshold: 3.5,
        scale_bits: 2,
        bend: -1.375,
        splits: &[0.21875],
        split_frac: 5,
        sums: &[[0.00042724609375, 6.3046875, 0.34375, -8.09375], [0.114990234375, 4.671875, -2.5, -2.1875]],
        frac: 12,
        bound: 0.0026,
    },
    Ramp {
        threshold: 3.75,
        scale_bits: 2,
        bend: -1.0,
        splits: &[0.171875, 0.5625],
        split_frac: 6,
        sums: &[
            [6.103515625e-05, 6.34765625, -2.4375, -13.34375],
            [0.04833984375, 5.46875, -4.0, -6.0],
            [0.58551025390625, 1.8203125, -0.40625, 0.25],
        ],
        frac: 15,
        bound: 0.0009,
    },
];

/// What follows GELU follows its form with `tanh` nearly as well.
pub const GELU_TANH: &[Ramp] =
    &[Ramp { bound: 0.0065, ..GELU[0] }, Ramp { bound: 0.0028, ..GELU[1] }, Ramp { bound: 0.0013, ..GELU[2] }];

pub const SILU: &[Ramp] = &[
    Ramp {
        threshold: 5.75,
        scale_bits: 3,
        bend: -0.75,
        splits: &[],
        split_frac: 0,
        sums: &[[0.01495361328125, 14.015625, -13.90625, -46.25]],
        frac: 13,
        bound: 0.019,
    },
    Ramp {
        threshold: 7.5,
        scale_bits: 3,
        bend: -1.5,
        splits: &[0.1875],
        split_frac: 5,
        sums: &[[0.00384521484375, 15.171875, 33.1875, -39.375], [0.39410400390625, 8.22265625, -3.90625, -2.875]],
        frac: 14,
        bound: 0.0065,
    },
    Ramp {
        threshold: 8.75,
        scale_bits: 3,
        bend: -0.875,
        splits: &[0.125, 0.546875],
        split_frac: 6,
        sums: &[
            [0.001220703125, 15.6171875, 15.375, -106.5],
            [0.17864990234375, 11.00390625, -8.9375, -18.09375],
            [1.18096923828125, 3.6875, -0.875, 0.21875],
        ],
        frac: 16,
        bound: 0.0024,
    },
];

/// Fraction bits of what is compared with the threshold.
const COARSE_FRAC: u32 = 2;
const COARSE: f64 = 0.25;
/// Fraction bits of the sums, two more than the result's, so that their roundings hardly count.
const SUM_FRAC: u32 = 14;
/// Fraction bits beyond those of what is squared: fewer of `x` itself, more of what is multiplied by factors.
const FINE: u32 = 2;
const U_TERM: u32 = 3;
const V_TERM: u32 = 4;
const Q_TERM: u32 = 6;

/// Fraction bits of a power of two, at the most.
const MOST_POWER_FRAC: u32 = 26;

/// The recipe where no tolerance is set.
const STANDARD: usize = 1;

/// `gate(x >= 0, x)`.
pub fn relu(b: &mut Builder) -> NodeId {
    let x = b.input();
    let bound = b.bound(x);
    let frac = b.options.activation_frac;
    let short = b.rescale(x, frac, "short");
    let below = b.node(Operator::Compare { threshold: 0.0 }, &[short], "negative", 0.0, 1.0);
    let above = b.node(Operator::Not, &[below], "positive", 0.0, 1.0);
    let kept = b.node(Operator::Gate, &[above, short], "kept", bound.low.min(0.0), bound.high.max(0.0));
    let out = b.rescale(kept, frac, "");
    b.finish(out, "one comparison, exact".to_string(), 0.0, false)
}

/// `e^x` as a power of two, shifted below one by the proved or calibrated largest exponent.
pub fn exp(b: &mut Builder) -> Result<NodeId, PassError> {
    let x = b.input();
    let bound = b.bound(x);
    let to_base2 = std::f64::consts::LOG2_E;
    let (low, top) = (bound.low * to_base2, (bound.high * to_base2).ceil());
    if top > 24.0 {
        return Err(b.error(
            format!("`exp` of a value of up to {:.3} does not fit fixed point", bound.high),
            "subtract a bound first, as `softmax` does, or calibrate the model",
        ));
    }
    let scaled = b.node(Operator::Scale { by: to_base2 }, &[x], "base2", low, top);
    let shifted = b.node(Operator::Offset { by: -top }, &[scaled], "shifted", low - top, 0.0);
    let octaves = (top - low + 2.0).ceil().max(1.0) as u32;
    let power = b.node(Operator::Exp2 { octaves, rounds: 3 }, &[shifted], "exp2", 0.0, 1.0);
    // What is left behind the scaling; a power of more bits has no ring.
    let frac = (b.options.activation_frac + 1 + top.max(0.0) as u32).min(MOST_POWER_FRAC);
    b.out.node_mut(power).fixed = Some(Fixed { bits: 0, frac });
    let power = b.rescale(power, frac, "power");
    let out = b.node(Operator::Scale { by: top.exp2() }, &[power], "", 0.0, top.exp2());
    Ok(b.finish(out, "product of two private 2^fraction, shifted by the whole part".to_string(), 1.1e-3, true))
}

/// The cheapest recipe within the tolerance; the one before the finest where none is set.
pub fn smooth_ramp(b: &mut Builder, ramps: &[Ramp], tolerance: Option<f64>) -> Result<NodeId, PassError> {
    let name = b.function();
    let finest = ramps.last().expect("every function has a recipe");
    let tolerance = tolerance.unwrap_or(ramps[STANDARD].bound);
    let ramp = ramps.iter().find(|ramp| ramp.bound <= tolerance).ok_or_else(|| {
        let message =
            format!("no recipe for `{name}` errs by less than {:.1e}; the tolerance is {tolerance:.1e}", finest.bound);
        b.error(message, "raise `#[tolerance]` or `--tolerance`")
    })?;
    let x = b.input();
    let bound = b.bound(x);
    let frac = b.options.activation_frac;
    let (t, end) = (ramp.threshold, ramp.threshold + COARSE);

    let coarse = b.rescale(x, COARSE_FRAC, "coarse");
    let below_low = b.node(Operator::Compare { threshold: -t }, &[coarse], "below", 0.0, 1.0);
    let below_high = b.node(Operator::Compare { threshold: end }, &[coarse], "not_above", 0.0, 1.0);
    let middle = b.node(Operator::Xor, &[below_low, below_high], "middle", 0.0, 1.0);
    let above = b.node(Operator::Not, &[below_high], "above", 0.0, 1.0);

    let even = even(b, x, ramp);
    let short = b.rescale(x, frac, "short");
    let half = b.gated(Operator::Scale { by: 0.5 }, &[short], "half", -end / 2.0, end / 2.0);
    let bent = b.gated(Operator::Add, &[even, half], "bent", -0.5, end + 0.1);
    let bent = b.rescale(bent, frac, "bent.short");

    // The gates run in rings of their own, the middle's much narrower.
    let inside = b.node(Operator::Gate, &[middle, bent], "inside", -0.5, end + 0.1);
    let inside = b.rescale(inside, frac, "inside.wide");
    let outside = b.node(Operator::Gate, &[above, short], "outside", 0.0, bound.high.max(end));
    let outside = b.rescale(outside, frac, "outside.wide");
    let out = b.node(Operator::Add, &[inside, outside], "", -0.5, bound.high.max(end + 0.1));
    let pieces = ramp.sums.len();
    let recipe = format!("{name}: 0, x/2 + {pieces} even polynomials of degree 8 on |x| < {t}, x");
    Ok(b.finish(out, recipe, ramp.bound, false))
}

/// Sums of 1, `u`, `v`, `q`, chosen by comparisons of `u`: the outermost one, and gated differences of neighbours.
fn even(b: &mut Builder, x: NodeId, ramp: &Ramp) -> NodeId {
    let frac = ramp.frac;
    let scale = (-ramp.scale_bits as f64).exp2();
    let reach = (ramp.threshold + COARSE) * scale;
    let fine = b.rescale(x, frac - FINE, "fine");
    let scaled = b.gated(Operator::Scale { by: scale }, &[fine], "scaled", -reach, reach);
    let u = Centred::square(b, scaled, 0.0, reach * reach, "u");
    let u_short = u.short(b, frac);
    let v = Centred::square(b, u_short, 0.0, u.top * u.top, "v");
    let u_term = b.rescale(u.node, frac + U_TERM, "u.term");

    // q = (v + bend·u)²; v + bend·u is least, or most, at an end or where its slope vanishes.
    let along = |u: f64| u * u + ramp.bend * u;
    let turn = (-ramp.bend / 2.0).clamp(0.0, u.top);
    let ends = [0.0, along(u.top), along(turn)];
    let (low, high) =
        (ends.iter().copied().fold(0.0, f64::min) - 0.01, ends.iter().copied().fold(0.0, f64::max) + 0.01);
    let bent = combine(b, &[(v.node, 1.0), (u_term, ramp.bend)], v.centre + ramp.bend * u.centre, (low, high), "w");
    let bent = b.rescale(bent, frac, "w.short");
    let most = low.abs().max(high);
    let q = Centred::square(b, bent, 0.0, most * most, "q");
    let (v_term, q_term) = (b.rescale(v.node, frac + V_TERM, "v.term"), b.rescale(q.node, frac + Q_TERM, "q.term"));

    let sum = |b: &mut Builder, [one, by_u, by_v, by_q]: [f64; 4], part: &str| {
        let constant = one + by_u * u.centre + by_v * v.centre + by_q * q.centre;
        let terms = [(u_term, by_u), (v_term, by_v), (q_term, by_q)];
        let sum = combine(b, &terms, constant, (-2.0, 4.0), part);
        b.rescale(sum, SUM_FRAC, &format!("{part}.short"))
    };
    let outermost = ramp.sums.last().expect("at least one sum");
    let mut even = sum(b, *outermost, "even");
    for (pair, split) in ramp.sums.windows(2).zip(ramp.splits) {
        let rough = b.rescale(u.node, ramp.split_frac, "u.rough");
        let within = b.gated(Operator::Compare { threshold: split - u.centre }, &[rough], "within", 0.0, 1.0);
        let difference = sum(b, std::array::from_fn(|i| pair[0][i] - pair[1][i]), "difference");
        let step = b.gated(Operator::Gate, &[within, difference], "step", -2.0, 4.0);
        even = b.gated(Operator::Add, &[even, step], "even", -2.0, 4.0);
    }
    even
}

/// A square less `centre`: what lies around zero takes a bit less than what is never negative.
struct Centred {
    node: NodeId,
    centre: f64,
    /// Largest value of the square.
    top: f64,
    part: &'static str,
}

impl Centred {
    fn square(b: &mut Builder, x: NodeId, low: f64, top: f64, part: &'static str) -> Centred {
        // Of few bits, so that every fixed point holds it.
        let centre = (top * 16.0).round() / 32.0;
        let square = b.gated(Operator::Square, &[x], part, low, top);
        let node =
            b.gated(Operator::Offset { by: -centre }, &[square], &format!("{part}.centred"), -centre, top - centre);
        Centred { node, centre, top, part }
    }

    /// The square itself with `frac` fraction bits.
    fn short(&self, b: &mut Builder, frac: u32) -> NodeId {
        let short = b.rescale(self.node, frac, &format!("{}.short", self.part));
        b.gated(Operator::Offset { by: self.centre }, &[short], &format!("{}.whole", self.part), 0.0, self.top)
    }
}

/// `sum of factor · term + constant`, within `range` where it matters.
fn combine(b: &mut Builder, terms: &[(NodeId, f64)], constant: f64, (low, high): (f64, f64), part: &str) -> NodeId {
    const WIDE: f64 = 64.0;
    let mut sum: Option<NodeId> = None;
    for &(term, factor) in terms.iter().filter(|(_, factor)| *factor != 0.0) {
        let scaled = match factor == 1.0 {
            true => term,
            false => b.gated(Operator::Scale { by: factor }, &[term], &format!("{part}.part"), -WIDE, WIDE),
        };
        sum = Some(match sum {
            None => scaled,
            Some(before) => b.gated(Operator::Add, &[before, scaled], &format!("{part}.sum"), -WIDE, WIDE),
        });
    }
    let sum = sum.expect("at least one term");
    b.gated(Operator::Offset { by: constant }, &[sum], part, low, high)
}

#[cfg(test)]
mod tests;
