//! Products of matrices from transfers, whichever side's bits choose.

use super::*;
use ptc_plan::two_party::matrices::{Side, shares, side};

/// As many elements as `shape` has of at most `factor_bits` bits as signed numbers, the ends of that range first.
fn weights(count: usize, bits: u32, factor_bits: u32) -> Vec<u64> {
    let ends = [1 << (factor_bits - 1), mask(factor_bits - 1), mask(factor_bits), 0];
    let uniform = Seed::from_bytes([4; 32]).stream(0, count as u64).ring(factor_bits, count);
    let extended = |w: u64| ((w << (64 - factor_bits)) as i64 >> (64 - factor_bits)) as u64 & mask(bits);
    ends.into_iter().chain(uniform).take(count).map(extended).collect()
}

fn check_matrices(correlation: Correlation, expected: Side) {
    assert_eq!(side(&correlation), Some(expected), "{correlation:?}");
    assert_eq!(needed(&correlation), shares(&correlation, expected).unwrap());
    check(correlation);
}

const RINGS: [(u32, u32); 7] = [(1, 1), (8, 1), (8, 8), (33, 2), (37, 17), (64, 13), (64, 64)];

#[test]
fn weights_choose_or_are_sent() {
    let weight = ValueId(1);
    let mut sides = vec![];
    for (bits, factor_bits) in RINGS {
        for (rows, inner, columns) in [(9, 11, 3), (700, 3, 1), (3, 70, 1), (1, 70, 97), (1, 3, 1300), (2, 13, 150)] {
            let product = Correlation::StaticMatMul { weight, rows, inner, columns, bits, factor_bits };
            check_with(&product, &weights(inner * columns, bits, factor_bits), 5);
            sides.extend(side(&product));
        }
    }
    let of = |side| sides.iter().filter(|each| **each == side).count();
    assert!(of(Side::Left) > 5 && of(Side::Right) > 5, "both sides choose");
}

#[test]
fn a_matrix_of_each_party() {
    for bits in [1, 2, 31, 32, 33, 37, 64] {
        let product = |rows, inner, columns| Correlation::CrossMatMul { rows, inner, columns, bits };
        check_matrices(product(1, 1, 1), Side::Left);
        check_matrices(product(3, 65, 20), Side::Left);
        check_matrices(product(20, 65, 3), Side::Right);
        check_matrices(product(130, 9, 1), Side::Right);
        check_matrices(product(1, 9, 130), Side::Left);
    }
}

#[test]
fn triples_of_matrices() {
    for bits in [1, 2, 31, 32, 33, 37, 64] {
        for transpose_b in [false, true] {
            let product =
                |batch, rows, inner, columns| Correlation::MatMul { batch, rows, inner, columns, transpose_b, bits };
            check_matrices(product(1, 1, 1, 1), Side::Left);
            check_matrices(product(3, 2, 65, 9), Side::Left);
            check_matrices(product(3, 9, 65, 2), Side::Right);
            check_matrices(product(2, 7, 3, 5), Side::Right);
        }
    }
}

#[test]
fn long_products_are_cut() {
    let weight = ValueId(1);
    let long = Correlation::StaticMatMul { weight, rows: 300, inner: 40, columns: 3000, bits: 30, factor_bits: 17 };
    let count = |pieces: Vec<Correlation>| pieces.len();
    assert_eq!(count(pieces(&long, Method::Encrypted)), 1);
    let cut = pieces(&long, Method::Transfers);
    assert!(cut.len() > 10);
    let rows: usize = cut
        .iter()
        .map(|piece| match *piece {
            Correlation::StaticMatMul { rows, .. } => rows,
            _ => panic!("a piece of another kind"),
        })
        .sum();
    assert_eq!(rows, 300);
    let heads = Correlation::MatMul { batch: 12, rows: 32, inner: 32, columns: 32, transpose_b: false, bits: 36 };
    assert!(count(pieces(&heads, Method::Transfers)) > 1);
}
