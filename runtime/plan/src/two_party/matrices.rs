//! Products of matrices from transfers: shapes, sides and exact bytes.
//!
//! Bits of the one factor choose, elements of the other are sent (Gilboa, CRYPTO 1999): a number `n[j, u]` is multiplied by a
//! whole row `x[j]`, so that a transfer is worth as many elements as the row has. Of `x·y` it may be the left factor's bits
//! that choose or the right one's, whichever costs less ([`Side`]).

use crate::bill::Correlation;
use crate::price::{packed, plane_bytes};
use crate::two_party::{Share, Transfers};

/// Whose bits choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// `out[b, u] = sum over j of n[b, u, j] · x[b, j]` for each of `batch` matrices: numbers of the receiver in
/// `[batch, uses, inner]`, rows of `each` elements of the sender in `[batch, inner, each]`, modulo `2^bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    pub batch: usize,
    pub uses: usize,
    pub inner: usize,
    pub each: usize,
    /// Of a number.
    pub choice_bits: u32,
    pub bits: u32,
    pub elements: Elements,
}

/// Where the sender's elements come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elements {
    /// They are what the lowest bit's transfers of the first use yield, and that bit needs no correction.
    Yielded,
    Given,
}

impl Rows {
    /// Numbers.
    pub fn values(&self) -> usize {
        self.batch * self.uses * self.inner
    }

    /// Whether bit `at` of a number is corrected in use `of`.
    pub fn corrected(&self, of: usize, at: u32) -> bool {
        at > 0 || of > 0 || self.elements == Elements::Given
    }

    /// Of the corrections of bit `at` in one use of one matrix.
    pub fn row_bytes(&self, at: u32) -> u64 {
        packed(self.inner * self.each, self.bits - at)
    }

    /// Of all bits in use `of` of one matrix.
    pub fn use_bytes(&self, of: usize) -> u64 {
        (0..self.choice_bits.min(self.bits)).filter(|at| self.corrected(of, *at)).map(|at| self.row_bytes(at)).sum()
    }

    /// The sender's transfers and message.
    pub fn share(&self) -> Share {
        let uses = if self.uses == 0 { 0 } else { self.use_bytes(0) + (self.uses as u64 - 1) * self.use_bytes(1) };
        Share { transfers: self.values() * self.choice_bits as usize, bytes: self.batch as u64 * uses }
    }

    /// Elements that are hashed and corrected.
    pub fn work(&self) -> usize {
        self.values() * self.choice_bits as usize * self.each.max(2) / 2
    }
}

/// The longest message that a piece may have, in bytes, and the most transfers.
pub const LONGEST: u64 = 1 << 28;
const MOST: usize = 1 << 24;

/// What is transferred for a product of matrices, given whose bits choose. For a triple each party sends so much.
pub fn rows(correlation: &Correlation, side: Side) -> Option<Rows> {
    let (batch, rows, inner, columns, bits) = match *correlation {
        Correlation::StaticMatMul { rows, inner, columns, bits, .. }
        | Correlation::CrossMatMul { rows, inner, columns, bits } => (1, rows, inner, columns, bits),
        Correlation::MatMul { batch, rows, inner, columns, bits, .. } => (batch, rows, inner, columns, bits),
        _ => return None,
    };
    let (uses, each) = match side {
        Side::Left => (rows, columns),
        Side::Right => (columns, rows),
    };
    let (choice_bits, elements) = match (side, correlation) {
        (Side::Left, Correlation::StaticMatMul { .. }) => (bits, Elements::Given),
        (Side::Right, Correlation::StaticMatMul { factor_bits, .. }) => (*factor_bits, Elements::Yielded),
        _ => (bits, Elements::Yielded),
    };
    Some(Rows { batch, uses, inner, each, choice_bits, bits, elements })
}

/// What both parties send. Of a static product the server's weights are on the right: it opens by which bits they differ from
/// its choices, or sends.
pub fn shares(correlation: &Correlation, side: Side) -> Option<Transfers> {
    let rows = rows(correlation, side)?;
    let (share, none) = (rows.share(), Share::default());
    Some(match (correlation, side) {
        (Correlation::MatMul { .. }, _) => [share; 2],
        (Correlation::StaticMatMul { .. }, Side::Right) => {
            let bytes = plane_bytes(rows.values(), rows.choice_bits as usize);
            [Share { transfers: 0, bytes }, share]
        }
        // The server's mask is on the left of a product of a mask of each party.
        (Correlation::CrossMatMul { .. }, Side::Left) => [none, share],
        _ => [share, none],
    })
}

/// The cheaper side, if the product can be made from transfers: its smallest piece must not be too long.
pub fn side(correlation: &Correlation) -> Option<Side> {
    // A transfer, with its part of the extension and its time, counts as four bytes.
    let cost = |side: &Side| -> Option<u64> {
        let all = shares(correlation, *side)?;
        let smallest = smallest(correlation, *side);
        let fits = shares(&smallest, *side)?.iter().all(|share| share.bytes <= LONGEST && share.transfers <= MOST);
        fits.then(|| all.iter().map(|share| share.bytes + 4 * share.transfers as u64).sum())
    };
    let known = |side: Side| cost(&side).map(|cost| (cost, side));
    match (known(Side::Left), known(Side::Right)) {
        (Some((left, _)), Some((right, side))) if right < left => Some(side),
        (Some((_, side)), _) | (None, Some((_, side))) => Some(side),
        (None, None) => None,
    }
}

/// The least that is a piece of its own: a row of the client's mask, where its bits choose, or one matrix of many.
fn smallest(correlation: &Correlation, side: Side) -> Correlation {
    match *correlation {
        Correlation::StaticMatMul { weight, inner, columns, bits, factor_bits, rows } if side == Side::Left => {
            Correlation::StaticMatMul { weight, inner, columns, bits, factor_bits, rows: rows.min(1) }
        }
        Correlation::MatMul { batch, rows, inner, columns, transpose_b, bits } => {
            Correlation::MatMul { batch: batch.min(1), rows, inner, columns, transpose_b, bits }
        }
        _ => correlation.clone(),
    }
}
