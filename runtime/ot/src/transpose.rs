//! Transposition of a bit matrix of 128 rows: row `p`, column `i` becomes bit `p` of block `i`.
//!
//! Rows follow each other in whole blocks; column 0 is a row's lowest bit.

#[cfg(target_arch = "x86_64")]
mod vector;

use crate::block::Block;

/// Rows, and the columns of a square.
pub const SIDE: usize = 128;

/// `rows` are 128 times as many blocks as a row has, `columns` as many.
pub fn transpose(rows: &[Block], columns: &mut [Block]) {
    assert_eq!(rows.len(), columns.len(), "blocks in and out");
    assert!(rows.len().is_multiple_of(SIDE), "{} blocks of {SIDE} rows", rows.len());
    #[cfg(target_arch = "x86_64")]
    let rows_done = vector::transpose(rows, columns);
    #[cfg(not(target_arch = "x86_64"))]
    let rows_done = 0;
    portable(rows, rows_done, columns);
}

/// From block `first` of each row on.
fn portable(rows: &[Block], first: usize, columns: &mut [Block]) {
    let width = rows.len() / SIDE;
    for at in first..width {
        let square: &mut [Block; SIDE] = columns[at * SIDE..][..SIDE].as_mut_array().expect("128 blocks");
        *square = std::array::from_fn(|row| rows[row * width + at]);
        for (half, low) in [
            (64, u64::MAX as Block),
            (32, 0x0000_0000_ffff_ffff_0000_0000_ffff_ffff),
            (16, 0x0000_ffff_0000_ffff_0000_ffff_0000_ffff),
            (8, 0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ff),
            (4, 0x0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f),
            (2, 0x3333_3333_3333_3333_3333_3333_3333_3333),
            (1, 0x5555_5555_5555_5555_5555_5555_5555_5555),
        ] {
            swap(square, half, low);
        }
    }
}

/// Within each square of `2 · half` rows and columns, the two off-diagonal quarters change places (Warren, Hacker's
/// Delight, section 7-3).
#[inline(always)]
fn swap(square: &mut [Block; SIDE], half: usize, low: Block) {
    for rows in square.chunks_exact_mut(2 * half) {
        let (upper, lower) = rows.split_at_mut(half);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            let moved = (*upper >> half ^ *lower) & low;
            *upper ^= moved << half;
            *lower ^= moved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_ring::Seed;

    #[test]
    fn rows_become_columns() {
        for width in [0, 1, 2, 3, 4, 5, 7, 16, 21] {
            let words = Seed::from_bytes([width as u8; 32]).stream(0, 0).words(2 * SIDE * width);
            let rows: Vec<Block> =
                words.as_chunks::<2>().0.iter().map(|[a, b]| Block::from(*a) << 64 | Block::from(*b)).collect();
            let (mut columns, mut twin) = (vec![0; SIDE * width], vec![0; SIDE * width]);
            transpose(&rows, &mut columns);
            portable(&rows, 0, &mut twin);
            assert!(columns == twin, "both bodies, rows of {width} blocks");
            for (i, column) in columns.iter().enumerate() {
                for p in 0..SIDE {
                    assert_eq!(column >> p & 1, rows[p * width + i / SIDE] >> (i % SIDE) & 1);
                }
            }
        }
    }
}
