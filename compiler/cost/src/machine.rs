//! A machine, as numbers that are measured once: `ptc profile`.
//!
//! The defaults are of one party's two cores of an AMD EPYC (family 25, model 17) with AVX-512.

use ptc_plan::two_party::transfer::Extension;
use serde::{Deserialize, Serialize};

/// Times are of one core. Pairs are of the server and of the client, or of the sender and of the receiver of transfers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Machine {
    /// Cores that a party may use.
    pub cores: u32,
    /// Both parties run on it, and share its cores.
    pub shared: bool,
    /// Nanoseconds for each transfer that is extended.
    pub transfer_ns: Transfers,
    /// For each unit of [`ptc_plan::two_party::piece::work`] of what is made from transfers, at each party.
    pub made_ns: f64,
    /// For each entry of a table that is looked up in, at each party; more where there are many.
    pub table_ns: f64,
    /// Of encrypted products of matrices: times what [`ptc_plan::two_party::encrypted::party_seconds`] says, at the server and
    /// at the client.
    pub encryption: [f64; 2],
    /// For each of them besides, at each party.
    pub product_ms: f64,
    /// For each element of a term of an encrypted elementwise product, at the server and at the client.
    pub slot_ns: [f64; 2],
    /// Opening a session: base transfers.
    pub opening_ms: f64,
    /// For each byte of public keys, at each party.
    pub key_ns: f64,
    /// What an exchange takes on a link without delay: system calls, waking threads.
    pub round_us: f64,
    /// For each byte that is sent or received: packing, copying, the system's network.
    pub byte_ns: f64,
    /// For each multiply-add of a product of matrices in a ring.
    pub multiply_add_ns: f64,
    /// For each element of a step's result that a party computes in a round or in a local kernel.
    pub element_ns: f64,
    /// For each step of a plan: its start and its end.
    pub step_us: f64,
}

/// By extension: sender and receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transfers {
    pub subfield_1: [f64; 2],
    pub subfield_2: [f64; 2],
    pub subfield_4: [f64; 2],
    pub subfield_8: [f64; 2],
    pub silent: [f64; 2],
}

impl Default for Machine {
    fn default() -> Machine {
        Machine {
            cores: 2,
            shared: false,
            transfer_ns: Transfers::default(),
            made_ns: 12.0,
            table_ns: 24.0,
            encryption: [1.2, 3.0],
            product_ms: 4.0,
            slot_ns: [300.0, 300.0],
            opening_ms: 14.0,
            key_ns: 11.0,
            round_us: 50.0,
            byte_ns: 2.1,
            multiply_add_ns: 0.05,
            element_ns: 2.0,
            step_us: 5.0,
        }
    }
}

impl Default for Transfers {
    fn default() -> Transfers {
        Transfers {
            subfield_1: [38.0, 24.0],
            subfield_2: [37.0, 20.0],
            subfield_4: [36.0, 20.0],
            subfield_8: [62.0, 45.0],
            silent: [44.0, 28.0],
        }
    }
}

impl Transfers {
    /// A field without a figure of its own costs at least what a larger one does for each of its streams.
    pub fn of(&self, extension: Extension) -> [f64; 2] {
        match extension {
            Extension::Subfield { bits: 1 } => self.subfield_1,
            Extension::Subfield { bits: 2 } => self.subfield_2,
            Extension::Subfield { bits: 4 } => self.subfield_4,
            Extension::Subfield { .. } => self.subfield_8,
            Extension::Silent => self.silent,
        }
    }

    pub fn set(&mut self, extension: Extension, nanoseconds: [f64; 2]) {
        *match extension {
            Extension::Subfield { bits: 1 } => &mut self.subfield_1,
            Extension::Subfield { bits: 2 } => &mut self.subfield_2,
            Extension::Subfield { bits: 4 } => &mut self.subfield_4,
            Extension::Subfield { .. } => &mut self.subfield_8,
            Extension::Silent => &mut self.silent,
        } = nanoseconds;
    }
}

impl Machine {
    /// Every number that a file may hold, by its name.
    pub fn numbers(&self) -> Vec<(&'static str, f64)> {
        let Transfers { subfield_1, subfield_2, subfield_4, subfield_8, silent } = &self.transfer_ns;
        let pairs = [
            ("transfer_ns.subfield_1", subfield_1),
            ("transfer_ns.subfield_2", subfield_2),
            ("transfer_ns.subfield_4", subfield_4),
            ("transfer_ns.subfield_8", subfield_8),
            ("transfer_ns.silent", silent),
            ("encryption", &self.encryption),
            ("slot_ns", &self.slot_ns),
        ];
        let mut numbers = vec![
            ("made_ns", self.made_ns),
            ("table_ns", self.table_ns),
            ("product_ms", self.product_ms),
            ("opening_ms", self.opening_ms),
            ("key_ns", self.key_ns),
            ("round_us", self.round_us),
            ("byte_ns", self.byte_ns),
            ("multiply_add_ns", self.multiply_add_ns),
            ("element_ns", self.element_ns),
            ("step_us", self.step_us),
        ];
        numbers.extend(pairs.into_iter().flat_map(|(name, pair)| pair.map(|number| (name, number))));
        numbers
    }
}
