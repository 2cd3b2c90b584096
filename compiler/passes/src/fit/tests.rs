//! What is fitted is best, what is certified holds.

use super::cells::{Shape, fit};
use super::certify::{certify, evaluate};
use super::function::Function;
use super::interval::Interval;
use super::minimax::{Problem, minimax};

/// Numbers in `[0, 1)` from a linear congruence.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

const ALL: [Function; 8] = [
    Function::Gelu,
    Function::GeluTanh,
    Function::Silu,
    Function::Tanh,
    Function::Sigmoid,
    Function::Exp,
    Function::Reciprocal,
    Function::Rsqrt,
];

fn domain(f: Function) -> (f64, f64) {
    match f {
        Function::Reciprocal | Function::Rsqrt => (0.01, 100.0),
        _ => (-9.0, 9.0),
    }
}

fn interval(random: &mut Random, f: Function) -> Interval {
    let (low, high) = domain(f);
    let from = random.between(low, high);
    Interval::new(from, random.between(from, high.min(from + 2.0)))
}

fn best(f: Function, degree: i32, on: Interval, points: usize) -> (Vec<f64>, f64) {
    let at = |i: usize| on.low + on.width() * (1.0 - (std::f64::consts::PI * i as f64 / points as f64).cos()) / 2.0;
    let rows = (0..=points).map(|i| (0..=degree).map(|k| (at(i) - on.low).powi(k)).collect()).collect();
    minimax(&Problem { rows, values: (0..=points).map(|i| f.value(at(i))).collect() }).expect("independent powers")
}

/// 2000 random intervals: the bound holds at dense points, and is not much more than what it bounds.
#[test]
fn certificates_hold_and_are_tight() {
    let mut random = Random(1);
    for case in 0..2000 {
        let f = ALL[case % ALL.len()];
        let on = interval(&mut random, f);
        let (mut polynomial, _) = best(f, (case % 4) as i32, on, 24);
        polynomial.iter_mut().for_each(|c| *c += random.between(-1e-3, 1e-3));
        let bound = certify(f, &polynomial, on.low, on);
        let points = (0..=500).map(|i| on.low + on.width() * f64::from(i) / 500.0);
        let largest = points.map(|x| (f.value(x) - evaluate(&polynomial, x - on.low)).abs()).fold(0.0, f64::max);
        assert!(largest <= bound, "{f:?} on {on:?}: {largest} > {bound}");
        assert!(bound <= 1.03 * largest + 1e-8, "{f:?} on {on:?}: {largest} is bounded by {bound} only");
    }
}

#[test]
fn second_derivatives_lie_in_their_intervals() {
    let mut random = Random(2);
    for case in 0..2000 {
        let f = ALL[case % ALL.len()];
        let on = interval(&mut random, f);
        let (x, step) = (random.between(on.low, on.high), 1e-4 * on.low.abs().max(0.1));
        let second = (f.value(x + step) - 2.0 * f.value(x) + f.value(x - step)) / (step * step);
        let held = f.curvature(on);
        let slack = 1e-3 * (1.0 + second.abs());
        assert!(held.low - slack <= second && second <= held.high + slack, "{f:?} at {x}: {second}, not in {held:?}");
    }
}

/// The best polynomial misses by the same amount at one point more than it has coefficients (Chebyshev).
#[test]
fn best_polynomials_alternate() {
    let mut random = Random(3);
    for case in 0..300 {
        let (f, degree) = (ALL[case % ALL.len()], (case % 5) as i32);
        let on = interval(&mut random, f);
        let (polynomial, level) = best(f, degree, on, 200);
        let errors = (0..=2000).map(|i| on.low + on.width() * f64::from(i) / 2000.0);
        let errors: Vec<f64> = errors.map(|x| f.value(x) - evaluate(&polynomial, x - on.low)).collect();
        let (mut alternations, mut last) = (0, 0.0);
        for error in errors.into_iter().filter(|error| error.abs() >= 0.98 * level - 1e-12) {
            alternations += i32::from(error.signum() != last);
            last = error.signum();
        }
        assert!(alternations >= degree + 2 || level < 1e-11, "{f:?}, degree {degree} on {on:?}: {alternations}");
    }
}

/// The best cubic of `|x|` on `[-1, 1]` misses by an eighth (it is `x² + 1/8`, an even function), though the points are
/// many and the powers' alternation is not unique.
#[test]
fn a_known_best_approximation_is_found() {
    let at = |i: i32| f64::from(i) / 100.0 - 1.0;
    let rows = (0..=200).map(|i| (0..4).map(|k| at(i).powi(k)).collect()).collect();
    let (found, error) = minimax(&Problem { rows, values: (0..=200).map(|i| at(i).abs()).collect() }).expect("powers");
    assert!((error - 0.125).abs() < 1e-9, "{error}");
    let close = found.iter().zip([0.125, 0.0, 1.0, 0.0]).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(close, "{found:?}");
}

#[test]
fn cells_serve_their_neighbours_too() {
    let shape = Shape { low: -4.0, step_bits: 3, index_bits: 6, fracs: vec![20, 12] };
    let domain = Interval::new(-3.5, 3.5);
    let cells = fit(Function::Gelu, &shape, domain);
    let mut worst = 0f64;
    for i in 0..7000 {
        let x = -3.5 + f64::from(i) / 1000.0;
        let cell = ((x + 4.0) * 8.0) as usize;
        for cell in [cell, cell - 1] {
            let error = (cells.at(cell, x) - Function::Gelu.value(x)).abs();
            assert!(error <= cells.errors[cell], "{x} in {cell}: {error} > {}", cells.errors[cell]);
            worst = worst.max(error);
        }
    }
    // The largest second derivative, sqrt(2/pi), times a sixteenth of the square of two cells.
    assert!((0.0028..0.0033).contains(&worst), "{worst}");
}

/// Best coefficients of `powers` on `low..high`, each error counting `weight` times.
fn weighted(
    value: impl Fn(f64) -> f64,
    weight: impl Fn(f64) -> f64,
    powers: std::ops::RangeInclusive<i32>,
    (low, high): (f64, f64),
) -> (Vec<f64>, f64) {
    let at = |i: i32| low + (high - low) * (1.0 - (std::f64::consts::PI * f64::from(i) / 400.0).cos()) / 2.0;
    let rows = (0..=400).map(|i| powers.clone().map(|k| weight(at(i)) * at(i).powi(k)).collect()).collect();
    let values = (0..=400).map(|i| weight(at(i)) * value(at(i))).collect();
    minimax(&Problem { rows, values }).expect("independent powers")
}

fn largest(error: impl Fn(f64) -> f64, (low, high): (f64, f64)) -> f64 {
    (0..=20_000).map(|i| error(low + (high - low) * f64::from(i) / 20_000.0).abs()).fold(0.0, f64::max)
}

/// The ramp is followed by its tails and a polynomial of `|x|` below the threshold where both err alike.
fn beside_tails(f: Function, degree: i32) -> f64 {
    let thresholds = (16..80).map(|i| f64::from(i) / 8.0);
    let error = |threshold: f64| {
        let (polynomial, _) = weighted(|x| f.value(x) - x, |_| 1.0, 0..=degree, (0.0, threshold));
        let inside = largest(|x| f.value(x) - x - evaluate(&polynomial, x), (0.0, threshold));
        inside.max(f.tail_error(threshold))
    };
    thresholds.map(error).fold(f64::INFINITY, f64::min)
}

/// Coefficients that are often printed err by more than fitted ones of the same form, so of the same products.
#[test]
fn fitted_coefficients_beat_printed_ones() {
    let printed = [0.001669, -0.538841, 0.543282, -0.185274, 0.021260];
    let gelu = |x: f64| Function::Gelu.value(x) - x;
    let printed = largest(|x| gelu(x) - evaluate(&printed, x), (0.0, 3.0)).max(Function::Gelu.tail_error(3.0));
    let fitted = beside_tails(Function::Gelu, 4);
    assert!(fitted < printed.min(4.05e-3), "GELU of degree 4: {fitted}, {printed} printed");
    let fitted = beside_tails(Function::Gelu, 6);
    assert!(fitted < 8.1e-4, "GELU of degree 6: {fitted}");

    let printed = [0.002468, -4.313389, 22.41066, -46.61956, 47.41407, -22.94941, 4.050008];
    let silu = |x: f64| Function::Silu.value(x) - x;
    let printed = largest(|x| silu(x) - evaluate(&printed, x / 8.0), (0.0, 8.0)).max(Function::Silu.tail_error(8.0));
    let fitted = beside_tails(Function::Silu, 6);
    assert!(fitted < printed, "SiLU of degree 6: {fitted}, {printed} printed");

    // exp: the eighth power of a cubic; an error of the cubic counts eight times the seventh power.
    let power = |p: &[f64]| largest(|x| x.exp() - evaluate(p, x / 8.0).powi(8), (-14.0, 0.0));
    let printed = power(&[0.99999368, 0.99930402, 0.49035579, 0.13002469]);
    let (cubic, _) = weighted(f64::exp, |t| 8.0 * (7.0 * t).exp(), 0..=3, (-1.75, 0.0));
    let fitted = power(&cubic);
    assert!(fitted < printed, "exp: {fitted}, {printed} printed");

    // A Newton step leaves `(3e² - e³) / 2` of a relative error `e`.
    let newton = |p: &[f64]| {
        largest(
            |x| {
                let y = evaluate(p, x);
                y * (3.0 - x * y * y) / 2.0 * x.sqrt() - 1.0
            },
            (0.25, 0.5),
        )
    };
    let printed = newton(&[3.1855, -5.9417, 4.7979]);
    let (quadratic, _) = weighted(|x| 1.0 / x.sqrt(), f64::sqrt, 0..=2, (0.25, 0.5));
    let fitted = newton(&quadratic);
    assert!(fitted < printed, "reciprocal square root: {fitted}, {printed} printed");

    // Two of Goldschmidt's steps leave the fourth power.
    let steps = |p: &[f64]| largest(|x| (1.0 - x * evaluate(p, x)).powi(4), (0.5, 1.0));
    let printed = steps(&[2.9142, -2.0]);
    let (line, _) = weighted(|x| 1.0 / x, |x| x, 0..=1, (0.5, 1.0));
    let fitted = steps(&line);
    assert!(fitted < printed / 4.0, "reciprocal: {fitted}, {printed} printed");
}
