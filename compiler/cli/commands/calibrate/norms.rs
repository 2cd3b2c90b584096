//! Sizes of a matrix.

use ptc_passes::options::Norms;
use ptc_plan::float::FloatTensor;

/// Steps of the power iteration.
const STEPS: usize = 30;

/// Of a matrix of two axes.
pub fn norms(matrix: &FloatTensor) -> Norms {
    let columns = matrix.shape.last().copied().unwrap_or(1).max(1);
    let mut column_sums = vec![0f64; columns];
    let mut column_squares = vec![0f64; columns];
    let (mut row_sum, mut row_square) = (0f64, 0f64);
    for row in matrix.data.chunks_exact(columns) {
        let (mut sum, mut square) = (0f64, 0f64);
        for ((column_sum, column_square), &x) in column_sums.iter_mut().zip(&mut column_squares).zip(row) {
            let x = f64::from(x).abs();
            sum += x;
            square += x * x;
            *column_sum += x;
            *column_square += x * x;
        }
        (row_sum, row_square) = (row_sum.max(sum), row_square.max(square));
    }
    let most = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
    Norms {
        row_sum,
        column_sum: most(&column_sums),
        row_length: row_square.sqrt(),
        column_length: most(&column_squares).sqrt(),
        spectral: spectral(matrix, columns),
    }
}

/// By power iteration on `wᵀ·w`, from a vector that no matrix in practice maps to zero.
fn spectral(matrix: &FloatTensor, columns: usize) -> f64 {
    let mut vector: Vec<f64> = (0..columns).map(|i| 1.0 + 0.5 * f64::sin(1.7 * i as f64)).collect();
    let mut stretch = 0.0;
    for _ in 0..STEPS {
        let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length == 0.0 {
            return stretch;
        }
        let mut next = vec![0f64; columns];
        for row in matrix.data.chunks_exact(columns) {
            let along: f64 = row.iter().zip(&vector).map(|(&w, x)| f64::from(w) * x).sum();
            next.iter_mut().zip(row).for_each(|(next, &w)| *next += f64::from(w) * along);
        }
        // The length of `wᵀ·w·v` over that of `v` grows towards the square of the stretch.
        let grown = next.iter().map(|x| x * x).sum::<f64>().sqrt() / length;
        stretch = grown.sqrt();
        let scale = 1.0 / (grown * length).max(f64::MIN_POSITIVE);
        vector = next.into_iter().map(|x| x * scale).collect();
    }
    stretch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_of_a_small_matrix() {
        let norms = norms(&FloatTensor::new(vec![2, 3], vec![3.0, 0.0, -4.0, 0.0, 2.0, 0.0]));
        assert_eq!((norms.row_sum, norms.column_sum), (7.0, 4.0));
        assert_eq!((norms.row_length, norms.column_length), (5.0, 4.0));
        assert!((norms.spectral - 5.0).abs() < 1e-9, "{}", norms.spectral);
    }
}
