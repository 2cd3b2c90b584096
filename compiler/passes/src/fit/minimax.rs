//! Least largest error on a set of points, for any linear combination of functions (Stiefel's exchange: Numerische
//! Mathematik 1, 1959; on a polynomial's Chebyshev system it is Remez's).
//!
//! A *reference* is one point more than there are functions. On it the best combination misses every value by the same
//! amount `e`, with signs that the one linear relation of its rows gives. The point of the largest error enters, and
//! that one leaves which keeps the signs of the others; `|e|` grows until no point errs by more.

/// Points, each with the functions' values there, and the value to follow.
pub struct Problem {
    pub rows: Vec<Vec<f64>>,
    pub values: Vec<f64>,
}

/// Exchanges after which rounding rules.
const MOST_EXCHANGES: usize = 100;

/// Coefficients and their largest error on the points; `None` where the functions are not independent on them.
pub fn minimax(problem: &Problem) -> Option<(Vec<f64>, f64)> {
    let Problem { rows, values } = problem;
    let (functions, points) = (rows.first()?.len(), rows.len());
    if points <= functions {
        return None;
    }
    let mut reference: Vec<usize> = (0..=functions).map(|i| i * (points - 1) / functions).collect();
    for _ in 0..MOST_EXCHANGES {
        let relation = relation(rows, &reference)?;
        let (coefficients, level) = levelled(rows, values, &reference, &relation)?;
        let error = |i: usize| values[i] - dot(&rows[i], &coefficients);
        let (worst, largest) =
            (0..points).map(|i| (i, error(i).abs())).fold((0, -1.0), |a, b| if b.1 > a.1 { b } else { a });
        if largest <= level.abs() * (1.0 + 1e-9) + 1e-15 || reference.contains(&worst) {
            return Some((coefficients, largest));
        }
        exchange(rows, &mut reference, &relation, worst, error(worst) * level >= 0.0)?;
    }
    None
}

/// `lambda` with `sum of lambda_i · row_i = 0` over the reference, not all zero.
fn relation(rows: &[Vec<f64>], reference: &[usize]) -> Option<Vec<f64>> {
    // One of them is taken as -1; the first that makes the others independent.
    (0..reference.len()).rev().find_map(|free| {
        let mut relation = others(rows, reference, free, &rows[reference[free]])?;
        relation[free] = -1.0;
        Some(relation)
    })
}

/// `mu` with `sum of mu_i · row_i = target` and `mu_free = 0`.
fn others(rows: &[Vec<f64>], reference: &[usize], free: usize, target: &[f64]) -> Option<Vec<f64>> {
    let kept: Vec<usize> = (0..reference.len()).filter(|&i| i != free).collect();
    let matrix = (0..target.len()).map(|k| kept.iter().map(|&i| rows[reference[i]][k]).chain([target[k]]).collect());
    let solved = solve(matrix.collect())?;
    let mut all = vec![0.0; reference.len()];
    kept.iter().zip(solved).for_each(|(&i, mu)| all[i] = mu);
    Some(all)
}

/// The combination that misses the reference by `level`, with the relation's signs.
fn levelled(rows: &[Vec<f64>], values: &[f64], reference: &[usize], relation: &[f64]) -> Option<(Vec<f64>, f64)> {
    let line = |(&point, lambda): (&usize, &f64)| {
        let sign = if *lambda < 0.0 { -1.0 } else { 1.0 };
        rows[point].iter().copied().chain([sign, values[point]]).collect()
    };
    let mut solved = solve(reference.iter().zip(relation).map(line).collect())?;
    let level = solved.pop()?;
    Some((solved, level))
}

/// `worst` enters; its error has the sign of the level, or not.
fn exchange(rows: &[Vec<f64>], reference: &mut [usize], relation: &[f64], worst: usize, same: bool) -> Option<()> {
    let largest = (0..relation.len()).max_by(|&a, &b| relation[a].abs().total_cmp(&relation[b].abs()))?;
    let mu = others(rows, reference, largest, &rows[worst])?;
    let sign = if same { 1.0 } else { -1.0 };
    let ratio = |i: usize| sign * mu[i] / relation[i];
    let candidates = (0..relation.len()).filter(|&i| relation[i] != 0.0);
    let leaves = candidates.max_by(|&a, &b| ratio(a).total_cmp(&ratio(b)))?;
    reference[leaves] = worst;
    Some(())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Gauss's elimination with the largest pivot; the last column is the right side.
fn solve(mut matrix: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let size = matrix.len();
    for at in 0..size {
        let pivot = (at..size).max_by(|&a, &b| matrix[a][at].abs().total_cmp(&matrix[b][at].abs()))?;
        matrix.swap(at, pivot);
        let scale: f64 = matrix[at].iter().fold(0.0, |most, x| most.max(x.abs()));
        if matrix[at][at].abs() <= 1e-13 * scale {
            return None;
        }
        for row in 0..size {
            if row != at {
                let by = matrix[row][at] / matrix[at][at];
                for column in at..=size {
                    matrix[row][column] -= by * matrix[at][column];
                }
            }
        }
    }
    Some((0..size).map(|i| matrix[i][size] / matrix[i][i]).collect())
}
