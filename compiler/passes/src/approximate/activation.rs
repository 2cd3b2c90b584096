//! Activations: a ramp bent smoothly around zero is linear outside a middle piece and a polynomial inside it.
//!
//! GELU and SiLU are `x/2 + E(x)` with an even, smooth `E`; on `|x| < t` a polynomial in `x²` follows `E`, above it the
//! function is `x`, below it 0. Two comparisons of the same value decide, and the sign of `x` is never needed.

use ptc_ir::graph::NodeId;
use ptc_plan::operator::Operator;

use super::Builder;
use crate::options::PassError;

/// `E(x)` on `|x| < threshold` as a polynomial in `u = (x/2^scale_bits)²`, fitted for the least largest error.
pub struct Piece {
    threshold: f64,
    scale_bits: i32,
    /// Ascending in `u`; degree 4 or 6. The leading one is a power of two, which costs no fraction bits.
    coefficients: &'static [f64],
    /// Largest error over all `x`, the linear pieces included.
    bound: f64,
}

/// Cheapest first.
pub const GELU: &[Piece] = &[
    Piece {
        threshold: 3.05,
        scale_bits: 2,
        coefficients: &[0.00366976327, 6.06414933, -12.4686067, 15.8990346, -8.0],
        bound: 0.0038,
    },
    Piece {
        threshold: 3.7,
        scale_bits: 2,
        coefficients: &[0.000419187852, 6.32961603, -15.8970591, 31.6804768, -39.6376388, 27.4988173, -8.0],
        bound: 0.00043,
    },
];

pub const SILU: &[Piece] = &[
    Piece {
        threshold: 5.8,
        scale_bits: 3,
        coefficients: &[0.00183581443, 14.5859742, -45.3684584, 86.8946596, -64.0],
        bound: 0.018,
    },
    Piece {
        threshold: 7.0,
        scale_bits: 3,
        coefficients: &[0.00633337759, 14.9332419, -54.4091421, 149.60863, -237.863869, 195.507301, -64.0],
        bound: 0.0066,
    },
];

/// Fraction bits within the polynomial: coefficients of up to about 50 leave errors near `2^-11`.
const POLYNOMIAL_FRAC: u32 = 17;
/// Fraction bits of what is compared.
const COMPARE_FRAC: u32 = 9;

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
    b.note("one comparison, exact".to_string(), 0.0, false);
    b.finish(out)
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
    let range_bits = (top - low + 2.0).log2().ceil().max(1.0) as u32;
    let power = b.node(Operator::Exp2 { range_bits }, &[shifted], "exp2", 0.0, 1.0);
    let out = b.node(Operator::Scale { by: top.exp2() }, &[power], "", 0.0, top.exp2());
    b.note("2^whole by table times two private 2^fraction".to_string(), 1e-4, true);
    Ok(b.finish(out))
}

pub fn smooth_ramp(b: &mut Builder, pieces: &[Piece], tolerance: Option<f64>) -> Result<NodeId, PassError> {
    let name = b.function();
    let finest = pieces.last().expect("every function has a recipe");
    let piece = match tolerance {
        None => finest,
        Some(tolerance) => pieces.iter().find(|piece| piece.bound <= tolerance).ok_or_else(|| {
            let message = format!(
                "no recipe for `{name}` errs by less than {:.1e}; the tolerance is {tolerance:.1e}",
                finest.bound
            );
            b.error(message, "raise `#[tolerance]` or `--tolerance`")
        })?,
    };
    let x = b.input();
    let bound = b.bound(x);
    let frac = b.options.activation_frac;
    let t = piece.threshold;

    let coarse = b.rescale(x, COMPARE_FRAC, "coarse");
    let below_low = b.node(Operator::Compare { threshold: -t }, &[coarse], "below", 0.0, 1.0);
    let below_high = b.node(Operator::Compare { threshold: t }, &[coarse], "not_above", 0.0, 1.0);
    let middle = b.node(Operator::Xor, &[below_low, below_high], "middle", 0.0, 1.0);
    let above = b.node(Operator::Not, &[below_high], "above", 0.0, 1.0);

    let short = b.rescale(x, frac, "short");
    let scaled = b.gated(Operator::Scale { by: (-piece.scale_bits as f64).exp2() }, &[short], "scaled", -1.0, 1.0);
    let square = b.gated(Operator::Square, &[scaled], "u", 0.0, 1.0);
    let u = b.rescale(square, POLYNOMIAL_FRAC, "u.short");
    let even = polynomial(b, u, piece.coefficients);
    let half = b.gated(Operator::Scale { by: 0.5 }, &[short], "half", -t / 2.0, t / 2.0);
    let bent = b.gated(Operator::Add, &[even, half], "bent", -1.0, t + 1.0);
    let bent = b.rescale(bent, frac, "bent.short");

    let high = bound.high.max(t + 1.0);
    let inside = b.node(Operator::Gate, &[middle, bent], "inside", -1.0, t + 1.0);
    let outside = b.node(Operator::Gate, &[above, short], "outside", 0.0, high);
    let sum = b.node(Operator::Add, &[inside, outside], "sum", -1.0, high);
    // The gates run in a narrow ring; one bit an element grows the sum into its consumer's.
    let out = b.rescale(sum, frac, "");
    let degree = 2 * (piece.coefficients.len() - 1);
    b.note(format!("{name}: 0, x/2 + even polynomial of degree {degree} on |x| < {t}, x"), piece.bound, false);
    Ok(b.finish(out))
}

/// Degree 4: `a(u² + bu + c)² + du + e`. Degree 6: `a(u³ + bu² + cu + d)² + eu² + fu + g`. Squares are half the price of
/// products.
fn polynomial(b: &mut Builder, u: NodeId, c: &[f64]) -> NodeId {
    let square = b.gated(Operator::Square, &[u], "v", 0.0, 1.0);
    if let &[p0, p1, p2, p3, p4] = c {
        let linear = p3 / (2.0 * p4);
        let constant = (p2 / p4 - linear * linear) / 2.0;
        let q = combine(b, &[(square, 1.0), (u, linear)], constant, "q");
        let q = b.rescale(q, POLYNOMIAL_FRAC, "q.short");
        let q2 = b.gated(Operator::Square, &[q], "q2", 0.0, 4.0);
        return combine(b, &[(q2, p4), (u, p1 - 2.0 * p4 * linear * constant)], p0 - p4 * constant * constant, "even");
    }
    let &[p0, p1, p2, p3, p4, p5, p6] = c else { unreachable!("pieces have degree 4 or 6") };
    let v = b.rescale(square, POLYNOMIAL_FRAC, "v.short");
    let cube = b.gated(Operator::Multiply, &[u, v], "cube", 0.0, 1.0);
    let c2 = p5 / (2.0 * p6);
    let c1 = (p4 / p6 - c2 * c2) / 2.0;
    let c0 = (p3 / p6 - 2.0 * c2 * c1) / 2.0;
    let q = combine(b, &[(cube, 1.0), (v, c2), (u, c1)], c0, "q");
    let q = b.rescale(q, POLYNOMIAL_FRAC, "q.short");
    let q2 = b.gated(Operator::Square, &[q], "q2", 0.0, 4.0);
    let rest = [(q2, p6), (v, p2 - p6 * (2.0 * c2 * c0 + c1 * c1)), (u, p1 - 2.0 * p6 * c1 * c0)];
    combine(b, &rest, p0 - p6 * c0 * c0, "even")
}

/// `sum of factor · term + constant`.
fn combine(b: &mut Builder, terms: &[(NodeId, f64)], constant: f64, part: &str) -> NodeId {
    const WIDE: f64 = 8.0;
    let mut sum: Option<NodeId> = None;
    for &(term, factor) in terms {
        let scaled = match factor == 1.0 {
            true => term,
            false => b.gated(Operator::Scale { by: factor }, &[term], &format!("{part}.term"), -WIDE * 8.0, WIDE * 8.0),
        };
        sum = Some(match sum {
            None => scaled,
            Some(before) => b.gated(Operator::Add, &[before, scaled], &format!("{part}.sum"), -WIDE, WIDE),
        });
    }
    let sum = sum.expect("at least one term");
    b.gated(Operator::Offset { by: constant }, &[sum], part, -WIDE, WIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erf(x: f64) -> f64 {
        // Maclaurin series; converges fast enough for |x| < 4.
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    fn gelu(x: f64) -> f64 {
        x * 0.5 * (1.0 + erf(x / 2f64.sqrt()))
    }

    fn silu(x: f64) -> f64 {
        x / (1.0 + (-x).exp())
    }

    fn check(pieces: &[Piece], exact: fn(f64) -> f64) {
        for piece in pieces {
            let worst = (-50_000..=50_000)
                .map(|i| i as f64 * 1e-4)
                .map(|x| {
                    let u = (x * (-piece.scale_bits as f64).exp2()).powi(2);
                    let even = piece.coefficients.iter().rev().fold(0.0, |s, c| s * u + c);
                    let value = match x {
                        x if x < -piece.threshold => 0.0,
                        x if x < piece.threshold => x / 2.0 + even,
                        x => x,
                    };
                    (value - exact(x)).abs()
                })
                .fold(0.0, f64::max);
            assert!(worst <= piece.bound, "threshold {}: {worst} > {}", piece.threshold, piece.bound);
        }
    }

    #[test]
    fn gelu_pieces_keep_their_bound() {
        check(GELU, gelu);
    }

    #[test]
    fn silu_pieces_keep_their_bound() {
        check(SILU, silu);
    }
}
