//! A polynomial for each cell of a table.
//!
//! The cell that shares are looked up in may be the one below the right one, and what an element exceeds it by is then up
//! to two cells: each polynomial serves two neighbouring cells. Coefficients are rounded from the highest down, those
//! below being fitted to what rounding has left.

use super::certify::{certify, evaluate};
use super::function::Function;
use super::interval::Interval;
use super::minimax::{Problem, minimax};

/// The cells `low + i·2^-step_bits`, `0 <= i < 2^index_bits`, and the fraction bits of coefficients of ascending powers.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub low: f64,
    pub step_bits: i32,
    pub index_bits: u32,
    pub fracs: Vec<i32>,
}

impl Shape {
    pub fn width(&self) -> f64 {
        f64::from(-self.step_bits).exp2()
    }

    /// What the `i`-th polynomial serves.
    pub fn reach(&self, cell: usize) -> Interval {
        let from = self.low + cell as f64 * self.width();
        Interval::new(from, from + 2.0 * self.width())
    }
}

/// Polynomials in the distance from their cell's lower end.
#[derive(Clone, Debug)]
pub struct Cells {
    pub shape: Shape,
    /// For each power, its coefficient in each cell.
    pub coefficients: Vec<Vec<f64>>,
    /// For each cell, at least the error wherever its polynomial serves within the domain; 0 where that is nowhere.
    pub errors: Vec<f64>,
}

/// Points in each cell that are fitted to.
const POINTS: usize = 16;

/// `f` on `domain`; a cell that has nothing of it gets the polynomial 0.
pub fn fit(f: Function, shape: &Shape, domain: Interval) -> Cells {
    let count = 1usize << shape.index_bits;
    let mut coefficients = vec![vec![0.0; count]; shape.fracs.len()];
    let mut errors = vec![0.0; count];
    for cell in 0..count {
        let reach = shape.reach(cell);
        let (low, high) = (reach.low.max(domain.low), reach.high.min(domain.high));
        if low >= high {
            continue;
        }
        let polynomial = polynomial(f, &shape.fracs, reach.low, Interval::new(low, high));
        errors[cell] = certify(f, &polynomial, reach.low, Interval::new(low, high));
        coefficients.iter_mut().zip(&polynomial).for_each(|(row, c)| row[cell] = *c);
    }
    Cells { shape: shape.clone(), coefficients, errors }
}

impl Cells {
    /// The value at `x` of the polynomial of `cell`.
    pub fn at(&self, cell: usize, x: f64) -> f64 {
        let polynomial: Vec<f64> = self.coefficients.iter().map(|row| row[cell]).collect();
        evaluate(&polynomial, x - self.shape.reach(cell).low)
    }

    /// The largest coefficient of a power, in size.
    pub fn most(&self, power: usize) -> f64 {
        self.coefficients[power].iter().fold(0.0, |most, c| most.max(c.abs()))
    }
}

fn polynomial(f: Function, fracs: &[i32], origin: f64, on: Interval) -> Vec<f64> {
    let half = on.width() / 2.0;
    let point = |i: usize| on.low - origin + half * (1.0 - (std::f64::consts::PI * i as f64 / POINTS as f64).cos());
    let points: Vec<f64> = (0..=POINTS).map(point).collect();
    let mut values: Vec<f64> = points.iter().map(|&x| f.value(origin + x)).collect();
    let mut found = vec![0.0; fracs.len()];
    for power in (0..fracs.len()).rev() {
        let rows = points.iter().map(|&x| (0..=power).map(|k| x.powi(k as i32)).collect()).collect();
        let problem = Problem { rows, values: values.clone() };
        let best = minimax(&problem).map_or(0.0, |(coefficients, _)| coefficients[power]);
        found[power] = quantise(best, fracs[power]);
        values.iter_mut().zip(&points).for_each(|(value, x)| *value -= found[power] * x.powi(power as i32));
    }
    found
}

/// A multiple of `2^-frac` that an `f32` holds, as tables do.
pub fn quantise(x: f64, frac: i32) -> f64 {
    let unit = f64::from(-frac).exp2();
    f64::from(((x / unit).round() * unit) as f32)
}
