//! Transposition of matrices of words.

/// Words of a vector register, and rows of a square that is transposed in registers.
const SIDE: usize = 8;

/// `[rows, columns]` to `[columns, rows]`, row-major.
pub fn transpose(x: &[u64], rows: usize, columns: usize) -> Vec<u64> {
    assert_eq!(x.len(), rows * columns, "words of a matrix [{rows}, {columns}]");
    let mut out = vec![0; x.len()];
    let (whole_rows, whole_columns) = (rows / SIDE * SIDE, columns / SIDE * SIDE);
    let mut square = [[0; SIDE]; SIDE];
    for top in (0..whole_rows).step_by(SIDE) {
        for left in (0..whole_columns).step_by(SIDE) {
            for (row, target) in square.iter_mut().enumerate() {
                target.copy_from_slice(&x[(top + row) * columns + left..][..SIDE]);
            }
            flip(&mut square);
            for (column, source) in square.iter().enumerate() {
                out[(left + column) * rows + top..][..SIDE].copy_from_slice(source);
            }
        }
    }
    let mut single = |row: usize, column: usize| out[column * rows + row] = x[row * columns + column];
    for row in 0..rows {
        let first = if row < whole_rows { whole_columns } else { 0 };
        (first..columns).for_each(|column| single(row, column));
    }
    out
}

type Row = [u64; SIDE];

/// Rows and lanes change places, by halves, quarters and eighths: shuffles of vectors. Without a loop over pairs of
/// rows, which the compiler would turn into gathers.
#[inline(always)]
pub fn flip(rows: &mut [Row; SIDE]) {
    let [a, b, c, d, e, f, g, h] = *rows;
    let [(a, e), (b, f), (c, g), (d, h)] = [mix::<4>(a, e), mix::<4>(b, f), mix::<4>(c, g), mix::<4>(d, h)];
    let [(a, c), (b, d), (e, g), (f, h)] = [mix::<2>(a, c), mix::<2>(b, d), mix::<2>(e, g), mix::<2>(f, h)];
    let [(a, b), (c, d), (e, f), (g, h)] = [mix::<1>(a, b), mix::<1>(c, d), mix::<1>(e, f), mix::<1>(g, h)];
    *rows = [a, b, c, d, e, f, g, h];
}

/// Runs of `HALF` lanes change places between the odd runs of one row and the even runs of the other.
#[inline(always)]
fn mix<const HALF: usize>(a: Row, b: Row) -> (Row, Row) {
    let upper = std::array::from_fn(|lane| if lane & HALF == 0 { a[lane] } else { b[lane - HALF] });
    let lower = std::array::from_fn(|lane| if lane & HALF == 0 { a[lane + HALF] } else { b[lane] });
    (upper, lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_become_columns(rows in 0usize..40, columns in 0usize..40) {
            let x: Vec<u64> = (0..(rows * columns) as u64).collect();
            let found = transpose(&x, rows, columns);
            for (at, &word) in found.iter().enumerate() {
                prop_assert_eq!(word as usize, at % rows * columns + at / rows);
            }
            prop_assert_eq!(transpose(&found, columns, rows), x);
        }
    }
}
