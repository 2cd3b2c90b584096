//! Which way a correlation is made where there are two, and what each costs.
//!
//! Products of matrices and products of elements can be encrypted, or made from transfers. A step may say which; else the
//! cheaper is taken, by bytes and by seconds of either party's processor, of which one is worth as many bytes as the plan's
//! [`Making`] says.

use super::elementwise::{self, Elementwise};
use super::encrypted;
use super::{products, slotwise, transfers, wraps};
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
    if products(correlation).is_empty() { &[] } else { &[Method::Encrypted] }
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
const USE_SECONDS: f64 = 6e-9;
