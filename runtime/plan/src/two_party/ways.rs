//! Which way a correlation is made where there are two, and what each costs.
//!
//! Products of matrices and products of elements can be encrypted, or made from transfers. A step may say which; else the
//! cheaper is taken, by bytes and by seconds of either party's processor, of which one is worth as many bytes as the plan's
//! [`Making`] says.

use super::elementwise::{self, Elementwise};
use super::encrypted;
use super::{matrices, products, slotwise, transfers, wraps};
use crate::bill::{Correlation, bill};
use crate::file::Making;
use crate::price::plane_bytes;
use crate::step::{Method, Step, Value};
use crate::two_party::piece::work;

/// What making a correlation, or all of a step, costs. Arrays are by [`crate::step::Party::index`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Preparation {
    /// By who sends in them.
    pub transfers: [usize; 2],
    /// Corrections, opened wrap bits, and the transfers' part of their extension; by who sends them.
    pub bytes: [u64; 2],
    /// Ciphertexts, by who sends them.
    pub encrypted: [u64; 2],
    /// Of one core of each party, on a processor with wide vectors; estimated.
    pub seconds: [f64; 2],
}

impl Preparation {
    /// All in bytes.
    pub fn cost(&self, making: Making) -> f64 {
        let bytes: u64 = self.bytes.iter().chain(&self.encrypted).sum();
        bytes as f64 + self.seconds.iter().sum::<f64>() * f64::from(making.second_bytes)
    }

    pub fn add(&mut self, other: &Preparation) {
        for party in 0..2 {
            self.transfers[party] += other.transfers[party];
            self.bytes[party] += other.bytes[party];
            self.encrypted[party] += other.encrypted[party];
            self.seconds[party] += other.seconds[party];
        }
    }
}

/// The ways in which the correlations of a step can be made; none where there is nothing to choose.
pub fn methods(values: &[Value], step: &Step) -> &'static [Method] {
    bill(values, step).iter().map(methods_of).find(|methods| !methods.is_empty()).unwrap_or_default()
}

/// The same of one correlation. What only transfers make has none.
pub fn methods_of(correlation: &Correlation) -> &'static [Method] {
    if Elementwise::of(correlation).is_some() {
        return if slotwise(correlation).is_some() {
            &[Method::Encrypted, Method::Transfers]
        } else {
            &[Method::Transfers]
        };
    }
    let products = products(correlation);
    let encrypted = products.iter().all(encrypted::fits);
    match (products.is_empty(), encrypted, matrices::side(correlation).is_some()) {
        (true, ..) | (_, false, false) => &[],
        (_, true, true) => &[Method::Encrypted, Method::Transfers],
        (_, true, false) => &[Method::Encrypted],
        (_, false, true) => &[Method::Transfers],
    }
}

/// How `step` has `correlation` made.
pub fn method(step: &Step, correlation: &Correlation, making: Making) -> Method {
    match step.method {
        Some(method) if methods_of(correlation).contains(&method) => method,
        _ => by_rule(correlation, making),
    }
}

/// The cheaper way.
pub fn by_rule(correlation: &Correlation, making: Making) -> Method {
    let cost = |method: Method| preparation(correlation, method, making).cost(making);
    match *methods_of(correlation) {
        [] => Method::Transfers,
        [only] => only,
        [first, second, ..] => {
            if cost(second) < cost(first) {
                second
            } else {
                first
            }
        }
    }
}

/// What `correlation` costs, made so. Panics for a way that there is not.
pub fn preparation(correlation: &Correlation, method: Method, making: Making) -> Preparation {
    let shares = transfers(correlation, method);
    let mut sum = Preparation::default();
    for sender in 0..2 {
        let share = shares[sender];
        let extended = making.extension.each();
        sum.transfers[sender] += share.transfers;
        sum.bytes[sender] += share.bytes + (extended.bytes[0] * share.transfers as f64).round() as u64;
        sum.bytes[1 - sender] += (extended.bytes[1] * share.transfers as f64).round() as u64;
        sum.seconds[sender] += extended.seconds[0] * share.transfers as f64;
        sum.seconds[1 - sender] += extended.seconds[1] * share.transfers as f64;
    }
    let of_transfers = |correlation: &Correlation| work(correlation, Method::Transfers) as f64 * USE_SECONDS;
    match (method, slotwise(correlation)) {
        (Method::Transfers, _) => {
            sum.seconds.iter_mut().for_each(|seconds| *seconds += of_transfers(correlation));
        }
        (Method::Encrypted, Some((product, slotted))) => {
            let opened = plane_bytes(product.count, 1);
            sum.bytes.iter_mut().for_each(|bytes| *bytes += opened);
            sum.encrypted = [product.answer_bytes(&slotted), product.request_bytes(&slotted)];
            let seconds = elementwise::seconds(&product);
            let wraps = of_transfers(&wraps(&product));
            sum.seconds.iter_mut().zip(seconds).for_each(|(sum, seconds)| *sum += seconds + wraps);
        }
        (Method::Encrypted, None) => {
            for product in products(correlation) {
                let packing = encrypted::choose(&product, making);
                sum.encrypted[0] += encrypted::response_bytes(&product, &packing);
                sum.encrypted[1] += encrypted::request_bytes(&product, &packing);
                let seconds = encrypted::party_seconds(&product, &packing);
                sum.seconds.iter_mut().zip(seconds).for_each(|(sum, seconds)| *sum += seconds);
            }
        }
    }
    sum
}

/// Of a core of either party, for hashing a transfer and using it.
const USE_SECONDS: f64 = 8e-9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::ValueId;
    use crate::two_party::transfer::Extension;

    fn ways(correlation: &Correlation) -> [Method; 2] {
        [Making::FAST, Making::SPARING].map(|making| by_rule(correlation, making))
    }

    fn product(rows: usize, inner: usize, columns: usize) -> Correlation {
        Correlation::StaticMatMul { weight: ValueId(0), rows, inner, columns, bits: 36, factor_bits: 17 }
    }

    #[test]
    fn small_products_are_made_from_transfers() {
        use Method::{Encrypted, Transfers};
        assert_eq!(ways(&product(1, 64, 2)), [Transfers; 2]);
        assert_eq!(ways(&product(1, 384, 1)), [Transfers; 2]);
        assert_eq!(ways(&product(32, 384, 1152)), [Encrypted; 2]);
        let triple =
            |batch, rows, inner| Correlation::MatMul { batch, rows, inner, columns: 4, transpose_b: true, bits: 30 };
        assert_eq!(ways(&triple(1, 4, 4)), [Transfers; 2]);
        assert_eq!(ways(&triple(12, 32, 32)), [Encrypted; 2]);
        assert_eq!(ways(&Correlation::Square { count: 100, bits: 30 }), [Transfers; 2]);
        assert_eq!(ways(&Correlation::Square { count: 100_000, bits: 30 }), [Encrypted; 2]);
    }

    /// Bytes of transfers weigh where the link is slow.
    #[test]
    fn the_way_depends_on_the_extension() {
        let square = Correlation::Square { count: 1500, bits: 30 };
        let by = |extension| by_rule(&square, Making { extension, second_bytes: 4_000_000 });
        assert_eq!(by(Extension::Subfield { bits: 1 }), Method::Encrypted);
        assert_eq!(by(Extension::Silent), Method::Transfers);
    }

    #[test]
    fn only_products_have_a_choice() {
        assert!(methods_of(&Correlation::Wrap { count: 9, bits: 9 }).is_empty());
        assert!(methods_of(&Correlation::Compare { count: 9, bits: 9 }).is_empty());
        assert_eq!(methods_of(&Correlation::Square { count: 9, bits: 60 }), [Method::Transfers]);
        assert_eq!(methods_of(&product(30_000, 768, 30_000)), [Method::Encrypted]);
        assert_eq!(methods_of(&product(32, 768, 768)), [Method::Encrypted, Method::Transfers]);
    }
}
