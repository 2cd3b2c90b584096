//! The bounds of the recipes hold at the fixed points that they choose.

use super::*;

/// How far `x`, in fixed point, is rounded: down or up, as the shares have it, and not at all where it fits.
fn rescaled(x: f64, frac: u32, up: bool) -> f64 {
    let unit = (-f64::from(frac)).exp2();
    if up { (x / unit).ceil() * unit } else { (x / unit).floor() * unit }
}

/// The value of a recipe at `x`; bit `i` of `roundings` tells whether the `i`-th rounding goes up.
fn value(ramp: &Ramp, x: f64, roundings: u32, activation_frac: u32) -> f64 {
    let mut taken = 0;
    let mut round = |x: f64, frac: u32| {
        taken += 1;
        rescaled(x, frac, roundings >> (taken - 1) & 1 == 1)
    };
    let frac = ramp.frac;
    let coarse = round(x, COARSE_FRAC);
    let short = round(x, activation_frac);
    let u = (round(x, frac - FINE) * (-ramp.scale_bits as f64).exp2()).powi(2);
    let v = round(u, frac).powi(2);
    let u_term = round(u, frac + U_TERM);
    let q = round(v + ramp.bend * u_term, frac).powi(2);
    let (v_term, q_term) = (round(v, frac + V_TERM), round(q, frac + Q_TERM));
    let rough = round(u, ramp.split_frac);
    let mut sum = |c: [f64; 4]| round(c[0] + c[1] * u_term + c[2] * v_term + c[3] * q_term, SUM_FRAC);
    let mut even = sum(*ramp.sums.last().unwrap());
    for (pair, split) in ramp.sums.windows(2).zip(ramp.splits) {
        let difference = sum(std::array::from_fn(|i| pair[0][i] - pair[1][i]));
        even += if rough < *split { difference } else { 0.0 };
    }
    let bent = round(even + short / 2.0, activation_frac);
    match coarse {
        c if c < -ramp.threshold => 0.0,
        c if c < ramp.threshold + COARSE => bent,
        _ => short,
    }
}

/// No multiple of a unit, so that nearly all is rounded.
const STEP: f64 = 0.003_71;

fn check(ramps: &[Ramp], exact: fn(f64) -> f64, activation_frac: u32) {
    for ramp in ramps {
        let ways = 1u32 << (9 + ramp.sums.len());
        let end = ((ramp.threshold + 1.0) / STEP) as i32;
        let mut worst = (0.0, 0.0);
        for x in (-end..=end).map(|i| i as f64 * STEP) {
            let expected = exact(x);
            for roundings in 0..ways {
                let error = (value(ramp, x, roundings, activation_frac) - expected).abs();
                if error > worst.0 {
                    worst = (error, x);
                }
            }
        }
        assert!(worst.0 <= ramp.bound, "threshold {}: {} > {} at {}", ramp.threshold, worst.0, ramp.bound, worst.1);
        assert!(worst.0 >= 0.8 * ramp.bound, "threshold {}: only {} at {}", ramp.threshold, worst.0, worst.1);
    }
}

/// Every way of rounding.
#[test]
fn gelu_keeps_its_bound() {
    check(GELU, gelu, 12);
}

#[test]
fn gelu_by_tanh_keeps_its_bound() {
    check(GELU_TANH, |x| crate::fit::function::Function::GeluTanh.value(x), 12);
}

#[test]
fn silu_keeps_its_bound() {
    check(SILU, silu, 12);
}

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
