//! Products of both parties against those of the ring.

use proptest::prelude::*;
use ptc_net::PeerError;
use ptc_plan::file::Making;
use ptc_plan::two_party::encrypted::{
    Packing, Product, Response, choose, key_bytes, key_sets, noise, power, request_bytes, response, response_bytes,
};
use ptc_plan::two_party::parameters::SETS;
use ptc_ring::Seed;
use ptc_ring::tensor::mask;

use super::keys::{ClientKeys, ServerKeys};
use super::place::wanted;
use super::{answer, merge, open, read, request, respond};
use crate::switch::fraction;

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
fn check(product: &Product, making: Making) {
    let packing = choose(product, making);
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
    check(&product, Making::FAST);
    check(&product, Making::SPARING);
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

/// The least number of `factor_bits` bits, in the ring.
fn least(product: &Product) -> u64 {
    (u64::MAX << (product.factor_bits - 1)) & mask(product.bits)
}

#[test]
fn extreme_values_come_out_right() {
    for (bits, factor_bits) in [(37, 17), (36, 36), (64, 64), (1, 1), (8, 8)] {
        for making in [Making::FAST, Making::SPARING] {
            let product = Product { batch: 2, rows: 7, inner: 70, columns: 9, bits, factor_bits };
            let packing = choose(&product, making);
            let (x, weights) = (vec![mask(bits); 2 * 7 * 70], vec![least(&product); 2 * 70 * 9]);
            check_packing(&product, &packing, &x, &weights);
            let (x, weights) = (vec![1 << (bits - 1); 2 * 7 * 70], vec![mask(bits); 2 * 70 * 9]);
            check_packing(&product, &packing, &x, &weights);
        }
    }
}

/// A packing with all of a set's primes whose answers are packed as far as they can be, with 256 places to a result.
fn full(set: usize, product: &Product) -> Packing {
    let parameters = &SETS[set];
    let response = Response { flood_bits: 0, prime_bits: [0; 2], body_bits: 0 };
    let stride = 256.min(parameters.degree / product.rows);
    let merge = if parameters.special_bits.is_some() { stride } else { 1 };
    let columns = parameters.degree / (stride * product.rows);
    let (limbs, inner) = (parameters.prime_bits.len(), product.inner.min(stride));
    Packing { set, limbs, batch: 1, rows: product.rows, inner, columns, stride, merge, response }
}

/// Of every set of parameters the widest ring, with weights of 17 bits and with such of the ring's width: ten thousand
/// products of the largest weights. Their noise stays below its bound, and all of them come out right.
#[test]
fn noise_stays_below_its_bound() {
    for set in 0..SETS.len() {
        for wide in [false, true] {
            let of = |bits: u32| {
                let factor_bits = if wide { bits } else { bits.min(17) };
                let product = Product { batch: 1, rows: 32, inner: 256, columns: 320, bits, factor_bits };
                let packing = full(set, &product);
                response(&product, &packing).map(|response| (product, Packing { response, ..packing }))
            };
            let Some((product, packing)) = (1..=64).rev().find_map(of) else { panic!("set {set} is of no use") };
            let seed = Seed::from_bytes([set as u8; 32]);
            let x = seed.stream(0, 0).ring(product.bits, 32 * 256);
            let weights = vec![least(&product); 256 * 320];
            check_packing(&product, &packing, &x, &weights);

            let (client, server) = keys(&packing);
            let asked = request(&client, &product, &packing, &x).unwrap();
            let factors = read(&server, &product, &packing, &asked).unwrap();
            let answers = merge::answers(server.set(set), &product, &packing, &factors, &weights);
            let basis = server.set(set).kept();
            let expected = expected(&product, &x, &weights, &vec![0; 32 * 320]);
            let modulus: f64 = basis.primes()[..packing.kept()].iter().map(|prime| prime.value() as f64).product();
            let bound = noise(&product, &packing) / modulus * power(128) + 16.0;
            let (mut largest, mut seen) = (0u128, 0);
            for (at, answer) in answers.into_iter().flatten().enumerate() {
                let answer = respond::refresh(server.set(set), answer, &mut seed.stream(1, at as u64));
                let c1 = basis.forward(answer.second);
                let half = basis.inverse(client.set(set).kept_secret().times(basis, &c1));
                for (place, element) in wanted(&product, &packing, 0, at) {
                    let body = fraction(basis, &answer.body, place / answer.step);
                    let phase = body.wrapping_add(fraction(basis, &half, place));
                    let right = u128::from(expected[element]) << (128 - product.bits);
                    let error = phase.wrapping_sub(right) as i128;
                    largest = largest.max(error.unsigned_abs());
                    seen += 1;
                }
            }
            assert!(seen > 10_000);
            let margin = (bound / largest as f64).log2();
            println!(
                "set {set}, {} bits, weights of {}: {margin:.1} bits below the bound",
                product.bits, product.factor_bits
            );
            assert!(margin > 0.0, "set {set}: 2^{} of 2^{}", (largest as f64).log2(), bound.log2());
        }
    }
}

/// Answers to the same request, of whatever weights, look alike: uniform residues, uniform fractions.
#[test]
fn answers_are_uniform() {
    let product = Product { batch: 1, rows: 16, inner: 64, columns: 256, bits: 30, factor_bits: 12 };
    for making in [Making::FAST, Making::SPARING] {
        let packing = choose(&product, making);
        let (client, server) = keys(&packing);
        let asked = request(&client, &product, &packing, &vec![0; 16 * 64]).unwrap();
        for weight in [0, 1, mask(30)] {
            let s = Seed::fresh().unwrap().stream(0, 0).ring(30, 16 * 256);
            let answered = answer(&server, &product, &packing, &asked, &vec![weight; 64 * 256], &s).unwrap();
            // All bits but the highest of each residue, whose primes are close below powers of two, are fair coins.
            let ones: u64 = answered.iter().map(|byte| u64::from(byte.count_ones())).sum();
            let bits = 8.0 * answered.len() as f64;
            assert!((ones as f64 - bits / 2.0).abs() < 4.0 * bits.sqrt(), "{ones} of {bits}");
            let result = open(&client, &product, &packing, &answered).unwrap();
            assert!(result.iter().zip(&s).all(|(x, s)| *x == s.wrapping_neg() & mask(30)));
        }
    }
}

#[test]
fn malformed_messages_are_refused() {
    let product = Product { batch: 1, rows: 4, inner: 5, columns: 6, bits: 30, factor_bits: 12 };
    let packing = choose(&product, Making::FAST);
    let (client, server) = keys(&packing);
    let asked = request(&client, &product, &packing, &[7; 20]).unwrap();
    let answered = answer(&server, &product, &packing, &asked, &[1; 30], &[0; 24]).unwrap();
    let ask = |message: &[u8]| answer(&server, &product, &packing, message, &[1; 30], &[0; 24]);
    let read = |message: &[u8]| open(&client, &product, &packing, message);
    for wrong in [&asked[1..], &asked[..asked.len() - 1], &[asked.as_slice(), &[0]].concat(), &[]] {
        assert!(matches!(ask(wrong), Err(PeerError::WrongLength { .. })));
    }
    for wrong in [&answered[1..], &answered[..answered.len() - 1], &[answered.as_slice(), &[0]].concat(), &[]] {
        assert!(matches!(read(wrong), Err(PeerError::WrongLength { .. })));
    }
    // A residue of all ones is not below its prime.
    let mut wrong = asked.clone();
    wrong[32..64].fill(255);
    assert!(matches!(ask(&wrong), Err(PeerError::Malformed(_))));
    let mut wrong = answered.clone();
    wrong[..32].fill(255);
    assert!(matches!(read(&wrong), Err(PeerError::Malformed(_))));

    let sets = key_sets([&packing]);
    let published = client.publish().unwrap();
    assert!(matches!(ServerKeys::read(&sets, &published[1..]), Err(PeerError::WrongLength { .. })));
    let mut wrong = published.clone();
    wrong[32..64].fill(255);
    assert!(matches!(ServerKeys::read(&sets, &wrong), Err(PeerError::Malformed(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn products_are_those_of_the_ring(
        batch in 1usize..4, rows in 1usize..20, inner in 1usize..70, columns in 1usize..40, bits in 1u32..=64,
        factor in 1u32..=64, traffic: bool,
    ) {
        let product = Product { batch, rows, inner, columns, bits, factor_bits: factor.min(bits) };
        check(&product, if traffic { Making::SPARING } else { Making::FAST });
    }
}
