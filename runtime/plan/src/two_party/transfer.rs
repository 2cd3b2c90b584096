//! What opening and extending random transfers costs, exactly.

use serde::{Deserialize, Serialize};

use crate::two_party::LEVEL_BYTES;

/// How transfers are extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Extension {
    /// From streams of many keys over a field of `2^bits` elements (Roy, CRYPTO 2022); with one bit that of Ishai, Kilian,
    /// Nissim, Petrank (CRYPTO 2003). A transfer is `16 / bits` bytes from the receiver and `2^bits / bits` streams' work;
    /// `bits` is 1, 2, 4 or 8.
    Subfield { bits: u32 },
    /// From learning parity with noise: a message for a whole batch, more computing.
    Silent,
}

/// Base transfers, and the bits of a correlation.
const BASE: u64 = 128;
const BLOCK_BYTES: u64 = 16;
/// Of a curve point.
const POINT_BYTES: u64 = 32;

/// The field over which silent transfers get their first ones.
pub const RESERVE_BITS: u32 = 4;

/// Transfers that silent extension starts from, those that a batch hands out, and its message: `ptc_ot::silent`.
pub const SILENT_RESERVE: usize = 74_036;
pub const SILENT_BATCH: usize = 792_576;
pub const SILENT_BYTES: u64 = 122_400;

impl Extension {
    pub fn name(self) -> &'static str {
        match self {
            Extension::Subfield { bits: 1 } => "iknp",
            Extension::Subfield { .. } => "softspoken",
            Extension::Silent => "silent",
        }
    }

    /// Transfers that one extension yields where at least `lacking`, which is not zero, are lacking.
    pub fn yields(self, lacking: usize) -> usize {
        match self {
            Extension::Subfield { .. } => lacking,
            Extension::Silent => lacking.next_multiple_of(SILENT_BATCH),
        }
    }

    /// What one transfer among many takes.
    pub fn each(self) -> Each {
        let nanoseconds = match self {
            Extension::Subfield { bits: 1 } => [6.5, 6.3],
            Extension::Subfield { bits: 2 } => [6.1, 7.0],
            Extension::Subfield { bits: 4 } => [6.1, 6.1],
            Extension::Subfield { .. } => [28.6, 28.3],
            Extension::Silent => [9.7, 11.8],
        };
        let many = self.yields(BASE as usize);
        let bytes = self.bytes(many);
        Each {
            bytes: [bytes.sender, bytes.receiver].map(|bytes| bytes as f64 / many as f64),
            seconds: nanoseconds.map(|each| each * 1e-9),
        }
    }

    /// What the sender and the receiver send for an extension by `made` transfers.
    pub fn bytes(self, made: usize) -> Bytes {
        match self {
            Extension::Subfield { bits } => Bytes { sender: 0, receiver: request_bytes(bits, made) },
            Extension::Silent => Bytes { sender: (made / SILENT_BATCH) as u64 * SILENT_BYTES, receiver: 0 },
        }
    }

    /// Payloads of the exchanges that a session starts with; both parties send the same.
    pub fn setup(self) -> Vec<u64> {
        let bits = match self {
            Extension::Subfield { bits } => bits,
            Extension::Silent => RESERVE_BITS,
        };
        let mut exchanges = vec![POINT_BYTES, BASE * POINT_BYTES, tree_bytes(bits)];
        if self == Extension::Silent {
            exchanges.push(request_bytes(RESERVE_BITS, SILENT_RESERVE));
        }
        exchanges
    }
}

/// A correction for each base transfer, and punctured trees for each digit of the correlation.
fn tree_bytes(bits: u32) -> u64 {
    BASE * BLOCK_BYTES + BASE / u64::from(bits) * u64::from(bits - 1) * LEVEL_BYTES
}

/// A row of corrections for each digit of the correlation but the first, in whole blocks.
fn request_bytes(bits: u32, made: usize) -> u64 {
    (made as u64).div_ceil(BASE) * (BASE / u64::from(bits) - 1) * BLOCK_BYTES
}

/// Of the sender, then of the receiver: bytes sent, and seconds of one core (measured with wide vectors; the example `rates`
/// of `ptc-ot` prints them).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Each {
    pub bytes: [f64; 2],
    pub seconds: [f64; 2],
}

/// Bytes of a message of each role; one of both is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    pub sender: u64,
    pub receiver: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_have_these_bytes() {
        for (bits, each) in [(1, 127), (2, 63), (4, 31), (8, 15)] {
            let bytes = Extension::Subfield { bits }.bytes(1 << 20);
            assert_eq!((bytes.sender, bytes.receiver), (0, each << 17));
        }
        let made = Extension::Silent.yields(SILENT_BATCH + 1);
        assert_eq!(made, 2 * SILENT_BATCH);
        assert_eq!(Extension::Silent.bytes(made).sender, 2 * SILENT_BYTES);
    }

    #[test]
    fn a_session_opens_with_these_bytes() {
        assert_eq!(Extension::Subfield { bits: 1 }.setup(), [32, 4096, 2048]);
        assert_eq!(Extension::Subfield { bits: 8 }.setup(), [32, 4096, 2048 + 16 * 7 * 16]);
    }
}
