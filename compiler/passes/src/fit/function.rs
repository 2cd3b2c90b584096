//! The functions that are fitted: values, slopes, and intervals that hold the second derivative.

use std::f64::consts::{FRAC_2_SQRT_PI, PI};

use super::interval::Interval;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    Gelu,
    GeluTanh,
    Silu,
    Tanh,
    Sigmoid,
    Exp,
    /// Of positive arguments, as the next.
    Reciprocal,
    Rsqrt,
}

/// Relative error of [`Function::value`] and of the elementary functions of the standard library, with room.
pub const VALUE_ERROR: f64 = 1e-14;

/// What a function nears on one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tail {
    Constant(f64),
    /// `x` itself.
    Argument,
}

impl Function {
    pub fn name(self) -> &'static str {
        match self {
            Function::Gelu => "gelu",
            Function::GeluTanh => "gelu_tanh",
            Function::Silu => "silu",
            Function::Tanh => "tanh",
            Function::Sigmoid => "sigmoid",
            Function::Exp => "exp",
            Function::Reciprocal => "reciprocal",
            Function::Rsqrt => "reciprocal square root",
        }
    }

    pub fn value(self, x: f64) -> f64 {
        match self {
            Function::Gelu => x * normal(x),
            Function::GeluTanh => x * sigmoid(inner(x)),
            Function::Silu => x * sigmoid(x),
            Function::Tanh => x.tanh(),
            Function::Sigmoid => sigmoid(x),
            Function::Exp => x.exp(),
            Function::Reciprocal => 1.0 / x,
            Function::Rsqrt => 1.0 / x.sqrt(),
        }
    }

    /// What the function nears far left, and far right.
    pub fn tails(self) -> Option<(Tail, Tail)> {
        match self {
            Function::Gelu | Function::GeluTanh | Function::Silu => Some((Tail::Constant(0.0), Tail::Argument)),
            Function::Tanh => Some((Tail::Constant(-1.0), Tail::Constant(1.0))),
            Function::Sigmoid => Some((Tail::Constant(0.0), Tail::Constant(1.0))),
            Function::Exp | Function::Reciprocal | Function::Rsqrt => None,
        }
    }

    /// How far the tails of a function that has them are off beyond `|x| >= from`, `from >= 2`: there the distance falls,
    /// and it is the same on both sides.
    pub fn tail_error(self, from: f64) -> f64 {
        assert!(from >= 2.0, "tails from {from} on");
        let error = match self {
            Function::Gelu | Function::GeluTanh | Function::Silu => -self.value(-from),
            Function::Tanh => 1.0 + self.value(-from),
            _ => self.value(-from),
        };
        error + VALUE_ERROR
    }

    /// At least the largest slope within `on`.
    pub fn steepest(self, on: Interval) -> f64 {
        match self {
            // At sqrt 2, where the second derivative vanishes.
            Function::Gelu => 1.129,
            Function::GeluTanh => 1.129,
            Function::Silu => 1.0999,
            Function::Tanh => 1.0,
            Function::Sigmoid => 0.25,
            Function::Exp => on.high.exp() * (1.0 + VALUE_ERROR),
            Function::Reciprocal => (1.0 + VALUE_ERROR) / (on.low * on.low),
            Function::Rsqrt => (0.5 + VALUE_ERROR) / (on.low * on.low.sqrt()),
        }
    }

    /// Holds the second derivative of every point of `on`.
    pub fn curvature(self, on: Interval) -> Interval {
        let one = Interval::point(1.0);
        match self {
            // φ(x)·(2 - x²)
            Function::Gelu => {
                let square = on.square();
                let density = square.falling(|s| (-s / 2.0).exp(), VALUE_ERROR).scale((2.0 * PI).sqrt().recip());
                density.times(Interval::point(2.0).minus(square))
            }
            // 2s'·w' + x·(s''·w'² + s'·w'') with `w` as in `inner`, s' = s·(1 - s), s'' = s'·(1 - 2s)
            Function::GeluTanh => {
                let s = on.rising(|x| sigmoid(inner(x)), VALUE_ERROR);
                let slope = s.times(one.minus(s));
                let bend = slope.times(one.minus(s.scale(2.0)));
                let along = on.square().scale(3.0 * CUBE).plus(one).scale(steepness());
                let turn = on.scale(6.0 * CUBE * steepness());
                let both = bend.times(along.square()).plus(slope.times(turn));
                slope.times(along).scale(2.0).plus(on.times(both))
            }
            // 2s' + x·s'', s' = s·(1 - s), s'' = s'·(1 - 2s)
            Function::Silu => {
                let s = on.rising(sigmoid, VALUE_ERROR);
                let slope = s.times(one.minus(s));
                let bend = slope.times(one.minus(s.scale(2.0)));
                slope.scale(2.0).plus(on.times(bend))
            }
            Function::Sigmoid => {
                let s = on.rising(sigmoid, VALUE_ERROR);
                s.times(one.minus(s)).times(one.minus(s.scale(2.0)))
            }
            // -2·t·(1 - t²)
            Function::Tanh => {
                let t = on.rising(f64::tanh, VALUE_ERROR);
                t.scale(-2.0).times(one.minus(t.square()))
            }
            Function::Exp => on.rising(f64::exp, VALUE_ERROR),
            Function::Reciprocal => on.falling(|x| 2.0 / (x * x * x), VALUE_ERROR),
            Function::Rsqrt => on.falling(|x| 0.75 / (x * x * x.sqrt()), VALUE_ERROR),
        }
    }
}

/// Factor of the cube in GELU's form with `tanh`.
const CUBE: f64 = 0.044715;

/// `2√(2/π)`
fn steepness() -> f64 {
    (8.0 / PI).sqrt()
}

/// What GELU's form with `tanh` takes the sigmoid of.
fn inner(x: f64) -> f64 {
    steepness() * (x + CUBE * x * x * x)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The normal distribution function, right to 1e-15: `1/2 + φ(x)·(x + x³/3 + x⁵/(3·5) + ...)` (Abramowitz and Stegun
/// 26.2.11, all terms of one sign), from 6 on one less a continued fraction's first steps (26.2.14).
fn normal(x: f64) -> f64 {
    let density = (-x * x / 2.0).exp() * FRAC_2_SQRT_PI / 8f64.sqrt();
    if x.abs() >= 6.0 {
        let tail = (1..=40).rev().fold(0.0, |below, k| f64::from(k) / (x.abs() + below));
        let tail = density / (x.abs() + tail);
        return if x > 0.0 { 1.0 - tail } else { tail };
    }
    let square = x * x;
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        odd += 2.0;
        term *= square / odd;
        sum += term;
    }
    0.5 + density * sum
}
