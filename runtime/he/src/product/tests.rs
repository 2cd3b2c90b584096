//! Products of both parties against those of the ring.

use ptc_plan::file::Objective;
use ptc_plan::two_party::encrypted::{Packing, Product, choose, key_bytes, key_sets, request_bytes, response_bytes};
use ptc_ring::Seed;
use ptc_ring::tensor::mask;

use super::keys::{ClientKeys, ServerKeys};
use super::{answer, open, request};

/// `x·w - s`, row by row.
fn expected(product: &Product, x: &[u64], weights: &[u64], s: &[u64]) -> Vec<u64> {
    let Product { batch, rows, inner, columns, .. } = *product;
    let mut out = vec![];
    for b in 0..batch {
        for i in 0..rows {
            for k in 0..columns {
                let terms = (0..inner)
                    .map(|j| x[(b * rows + i) * inner + j].wrapping_mul(weights[(b * inner + j) * columns + k]));
                let sum = terms.fold(0, u64::wrapping_add);
                out.push(sum.wrapping_sub(s[(b * rows + i) * columns + k]) & mask(product.bits));
            }
        }
    }
    out
}

fn keys(packing: &Packing) -> (ClientKeys, ServerKeys) {
    let sets = key_sets([packing]);
    let client = ClientKeys::fresh(&sets).unwrap();
    let message = client.publish().unwrap();
    assert_eq!(message.len() as u64, key_bytes(&sets));
    let server = ServerKeys::read(&sets, &message).unwrap();
    (client, server)
}

fn check_packing(product: &Product, packing: &Packing, x: &[u64], weights: &[u64]) {
    let (client, server) = keys(packing);
    let s = Seed::from_bytes([3; 32]).stream(1, 0).ring(product.bits, product.batch * product.rows * product.columns);
    let asked = request(&client, product, packing, x).unwrap();
    assert_eq!(asked.len() as u64, request_bytes(product, packing));
    let answered = answer(&server, product, packing, &asked, weights, &s).unwrap();
    assert_eq!(answered.len() as u64, response_bytes(product, packing));
    let found = open(&client, product, packing, &answered).unwrap();
    let expected = expected(product, x, weights, &s);
    let wrong = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
    assert_eq!(wrong, 0, "{product:?} {packing:?}: of {}", expected.len());
}

/// Random values of the widths that are stated.
fn check(product: &Product, objective: Objective) {
    let packing = choose(product, objective);
    let seed = Seed::from_bytes([9; 32]);
    let x = seed.stream(0, 0).ring(product.bits, product.batch * product.rows * product.inner);
    let words = seed.stream(0, 1).ring(product.factor_bits, product.batch * product.inner * product.columns);
    let unused = 64 - product.factor_bits;
    let weights: Vec<u64> =
        words.iter().map(|word| ((word << unused) as i64 >> unused) as u64 & mask(product.bits)).collect();
    check_packing(product, &packing, &x, &weights);
}

fn check_both(batch: usize, rows: usize, inner: usize, columns: usize, bits: u32, factor_bits: u32) {
    let product = Product { batch, rows, inner, columns, bits, factor_bits };
    check(&product, Objective::Total);
    check(&product, Objective::Traffic);
}

#[test]
fn products_of_a_layer() {
    check_both(1, 32, 384, 96, 36, 17);
    check_both(1, 16, 100, 300, 33, 12);
    check_both(5, 12, 17, 9, 36, 36);
}

#[test]
fn products_of_every_ring() {
    for bits in 1..=64 {
        check_both(2, 3, 5, 7, bits, bits);
        check_both(1, 9, 8, 3, bits, bits.min(17));
    }
}
