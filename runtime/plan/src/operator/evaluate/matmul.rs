//! Matrix products: register tiles in `f32` over short runs of the inner axis, runs added in `f64`.

use super::strided::repeating;
use crate::float::FloatTensor;

/// Products added in `f32` before they join the `f64` sum.
const RUN: usize = 32;
const TILE_ROWS: usize = 4;
const TILE_COLUMNS: usize = 8;

pub fn matmul(a: &FloatTensor, b: &FloatTensor, transpose_b: bool, shape: &[usize]) -> Vec<f32> {
    let (&[ref lead_a @ .., n, m], &[ref lead_b @ .., b_rows, b_columns]) = (&a.shape[..], &b.shape[..]) else {
        unreachable!("both have two axes by the shape rule");
    };
    let l = if transpose_b { b_rows } else { b_columns };
    let lead = &shape[..shape.len() - 2];
    let from_a = leading(lead_a, lead);
    let from_b = leading(lead_b, lead);
    let mut result = vec![0.0; from_a.len() * n * l];
    if m == 0 || result.is_empty() {
        return result;
    }
    let mut packed: Option<(usize, Vec<f32>)> = None;
    for (at, (&from_a, &from_b)) in from_a.iter().zip(&from_b).enumerate() {
        if packed.as_ref().is_none_or(|(of, _)| *of != from_b) {
            packed = Some((from_b, pack(&b.data[from_b * m * l..][..m * l], m, l, transpose_b)));
        }
        let (_, packed) = packed.as_ref().expect("just packed");
        product(&a.data[from_a * n * m..][..n * m], packed, n, m, l, &mut result[at * n * l..][..n * l]);
    }
    result
}

/// Which matrix of an operand with leading sizes `from` each matrix of the result reads.
fn leading(from: &[usize], to: &[usize]) -> Vec<usize> {
    let strides = repeating(from, to);
    let mut result = vec![0];
    for (&size, &stride) in to.iter().zip(&strides) {
        result = result.iter().flat_map(|&start| (0..size).map(move |i| start + i * stride)).collect();
    }
    result
}

/// Panels of `TILE_COLUMNS` columns, each panel row by row, padded with zeros.
fn pack(b: &[f32], m: usize, l: usize, transpose_b: bool) -> Vec<f32> {
    let panels = l.div_ceil(TILE_COLUMNS);
    let mut packed = vec![0.0; panels * m * TILE_COLUMNS];
    for (panel, packed) in packed.chunks_exact_mut(m * TILE_COLUMNS).enumerate() {
        let columns = panel * TILE_COLUMNS..l.min((panel + 1) * TILE_COLUMNS);
        for (row, packed) in packed.chunks_exact_mut(TILE_COLUMNS).enumerate() {
            for (to, column) in packed.iter_mut().zip(columns.clone()) {
                *to = if transpose_b { b[column * m + row] } else { b[row * l + column] };
            }
        }
    }
    packed
}

fn product(a: &[f32], packed: &[f32], n: usize, m: usize, l: usize, result: &mut [f32]) {
    for (panel, packed) in packed.chunks_exact(m * TILE_COLUMNS).enumerate() {
        let first = panel * TILE_COLUMNS;
        let columns = TILE_COLUMNS.min(l - first);
        for row in (0..n).step_by(TILE_ROWS) {
            // Past the end the last row is computed again and not stored.
            let rows: [&[f32]; TILE_ROWS] = std::array::from_fn(|i| &a[(row + i).min(n - 1) * m..][..m]);
            let sums = tile(rows, packed, m);
            for (i, sums) in sums.iter().enumerate().take(n - row) {
                let to = &mut result[(row + i) * l + first..][..columns];
                to.iter_mut().zip(sums).for_each(|(to, &sum)| *to = sum as f32);
            }
        }
    }
}

fn tile(rows: [&[f32]; TILE_ROWS], packed: &[f32], m: usize) -> [[f64; TILE_COLUMNS]; TILE_ROWS] {
    let mut sums = [[0.0f64; TILE_COLUMNS]; TILE_ROWS];
    for start in (0..m).step_by(RUN) {
        let length = RUN.min(m - start);
        let run: [&[f32]; TILE_ROWS] = rows.map(|row| &row[start..start + length]);
        let packed = &packed[start * TILE_COLUMNS..][..length * TILE_COLUMNS];
        let mut partial = [[0.0f32; TILE_COLUMNS]; TILE_ROWS];
        for (at, b) in packed.chunks_exact(TILE_COLUMNS).enumerate() {
            for i in 0..TILE_ROWS {
                let a = run[i][at];
                for j in 0..TILE_COLUMNS {
                    partial[i][j] += a * b[j];
                }
            }
        }
        for i in 0..TILE_ROWS {
            for j in 0..TILE_COLUMNS {
                sums[i][j] += f64::from(partial[i][j]);
            }
        }
    }
    sums
}
