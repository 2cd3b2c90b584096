//! Bounds of `|f - p|` over a whole interval, by interval evaluation.
//!
//! Between two points an error lies above its chord by at most an eighth of the square of their distance times its
//! largest second derivative, which intervals bound. Where that is more than a fiftieth of the largest error seen, the
//! interval is halved: the excess falls by four each time.

use super::function::{Function, VALUE_ERROR};
use super::interval::Interval;

/// Part of the largest error by which a bound may exceed it.
const EXCESS: f64 = 0.02;
/// Below this a bound is not worth halving for.
const FLOOR: f64 = 1e-9;

/// At least `|f(x) - p(x - origin)|` for every `x` in `on`; coefficients ascend.
pub fn certify(f: Function, polynomial: &[f64], origin: f64, on: Interval) -> f64 {
    let error = |x: f64| f.value(x) - evaluate(polynomial, x - origin);
    let bend = second_derivative(polynomial);
    // What evaluating in doubles may miss.
    let reach = (on.low - origin).abs().max((on.high - origin).abs());
    let sizes = polynomial.iter().enumerate().map(|(i, c)| c.abs() * reach.powi(i as i32)).sum::<f64>();
    let slack = VALUE_ERROR * (sizes + f.value(on.low).abs() + f.value(on.high).abs() + 1.0);

    let (mut seen, mut proved) = (0f64, 0f64);
    let mut open = vec![(on, error(on.low), error(on.high))];
    while let Some((part, low, high)) = open.pop() {
        let ends = low.abs().max(high.abs());
        seen = seen.max(ends);
        let offset = Interval::new(part.low - origin, (part.high - origin).max(part.low - origin));
        let bend = f.curvature(part).minus(evaluate_interval(&bend, offset));
        let above = part.width() * part.width() / 8.0 * bend.max_abs();
        let middle = part.middle();
        let least = middle <= part.low || middle >= part.high;
        if above <= EXCESS * seen + FLOOR || least {
            proved = proved.max(ends + above);
            continue;
        }
        let between = error(middle);
        seen = seen.max(between.abs());
        open.push((Interval::new(part.low, middle), low, between));
        open.push((Interval::new(middle, part.high), between, high));
    }
    proved + slack
}

pub fn evaluate(polynomial: &[f64], x: f64) -> f64 {
    polynomial.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

fn evaluate_interval(polynomial: &[f64], x: Interval) -> Interval {
    polynomial.iter().rev().fold(Interval::point(0.0), |sum, c| sum.times(x).plus(Interval::point(*c)))
}

fn second_derivative(polynomial: &[f64]) -> Vec<f64> {
    polynomial.iter().enumerate().skip(2).map(|(i, c)| (i * (i - 1)) as f64 * c).collect()
}
