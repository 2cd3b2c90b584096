//! How two parties alone make the correlations of a plan, and what that costs, exactly.
//!
//! Large products of matrices are made by homomorphic encryption: the client sends its mask encrypted, the server answers
//! ([`products`], priced in [`encrypted`]); so are many and wide products of elements ([`slotwise`], priced in
//! [`elementwise`]). Everything else, small products of matrices too ([`matrices`]), comes from random oblivious transfers
//! ([`transfers`], extended as [`transfer`] says) and from *corrections*, by which a sender turns what its transfers
//! happened to yield into what was asked for. Where there are two ways, [`ways`] says which is taken. Transfers go both
//! ways; index 0 is what the server sends, 1 what the client does.
//!
//! Long correlations are made in [`piece`]s that follow each other in batches; what is sent when is in
//! [`schedule`], and what that costs in [`price`].

use crate::bill::Correlation;
use crate::price::{carry_digits, carry_levels, packed, plane_bytes};
use crate::step::Method;
use crate::two_party::elementwise::{Elementwise, Slotted};
use crate::two_party::encrypted::Product;

pub mod elementwise;
pub mod encrypted;
pub mod feasible;
mod joint;
pub mod matrices;
pub mod parameters;
pub mod piece;
pub mod price;
pub mod schedule;
pub mod transfer;
pub mod ways;

/// Bytes of each level of a punctured tree but the first (half-tree, Guo et al., EUROCRYPT 2023).
pub const LEVEL_BYTES: u64 = 16;

/// What one party sends in making a correlation: random transfers that it takes the sender's part in, and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub transfers: usize,
    pub bytes: u64,
}

/// By [`crate::step::Party::index`].
pub type Transfers = [Share; 2];

/// The transfers and corrections of a correlation (or of a piece of one); what is made by encryption has none but those of
/// the wrap bits of its shares.
pub fn transfers(correlation: &Correlation, method: Method) -> Transfers {
    match (method, slotwise(correlation)) {
        (Method::Transfers, _) => by_transfers(correlation),
        (Method::Encrypted, Some((product, _))) => by_transfers(&wraps(&product)),
        (Method::Encrypted, None) => Transfers::default(),
    }
}

/// The encrypted product that can make a correlation (or a piece of one) elementwise, and its parameters.
pub fn slotwise(correlation: &Correlation) -> Option<(Elementwise, Slotted)> {
    let product = Elementwise::of(correlation)?;
    elementwise::slotted(product.bits).map(|slotted| (product, slotted))
}

/// By which shares of an elementwise product come into the ring.
pub fn wraps(product: &Elementwise) -> Correlation {
    Correlation::Wrap { count: product.count, bits: product.bits }
}

/// The same without encryption, for what can be made so.
pub fn by_transfers(correlation: &Correlation) -> Transfers {
    use Correlation::*;
    let server = |share: Share| [share, Share::default()];
    let both = |share: Share| [share; 2];
    match *correlation {
        StaticMatMul { .. } | CrossMatMul { .. } | MatMul { .. } => matrices::side(correlation)
            .and_then(|side| matrices::shares(correlation, side))
            .expect("a product that can be made from transfers"),
        // The client's products with random bits, and by which of them the server's bits differ from those.
        StaticMul { count, period, bits, factor_bits, .. } => {
            let bytes = plane_bytes(period, factor_bits as usize);
            [Share { transfers: 0, bytes }, product(period, count, factor_bits, bits)]
        }
        CrossMul { count, period, bits } => server(product(period, count, bits, bits)),
        Mul { count, each, bits } => both(product(count / each.max(1), count, bits, bits)),
        Square { count, bits } => server(product(count, count, bits - 1, bits - 1)),
        // The server's bit is what the transfer yields, so that the correction is even.
        Wrap { count, bits } => server(Share { transfers: count, bytes: packed(count, bits - 1) }),
        Compare { count, bits } => {
            let low = bits as usize - 1;
            let pairs: usize = carry_levels(carry_digits(bits)).into_iter().sum();
            let leaves = Share { transfers: count * low, bytes: plane_bytes(count, 6 * (low / 2)) };
            let joined = Share { transfers: count * pairs, bytes: 0 };
            [add(leaves, joined), joined]
        }
        And { count } => both(Share { transfers: count, bytes: 0 }),
        // Twice the product of both parties' bits, as of a wrap in the ring of one bit less.
        BitToShare { count, bits } => server(Share { transfers: count, bytes: packed(count, bits.saturating_sub(2)) }),
        Gate { count, bits } => {
            [Share { transfers: count, bytes: packed(count, bits - 1) }, Share { transfers: count, bytes: 0 }]
        }
        Table { count, index_bits, ref rings, .. } => {
            server(rotated(count, index_bits, rings.iter().copied().max().unwrap_or(1)))
        }
    }
}

/// Products of `count` elements of the sender in `Z_2^bits`, with `values` numbers of `choice_bits` bits of the receiver,
/// each of which multiplies `count / values` elements (Gilboa, CRYPTO 1999). Bit `j` needs the element modulo
/// `2^(bits - j)`; the elements are what the lowest bit's transfers yield.
pub fn product(values: usize, count: usize, choice_bits: u32, bits: u32) -> Share {
    let bytes = (1..choice_bits.min(bits)).map(|j| packed(count, bits - j)).sum();
    Share { transfers: values * choice_bits as usize, bytes }
}

/// Shares of the unit vectors of `count` random numbers of `index_bits` bits, in `Z_2^bits`: a punctured tree each, and a
/// vector.
fn rotated(count: usize, index_bits: u32, bits: u32) -> Share {
    let levels = LEVEL_BYTES * u64::from(index_bits - 1) * count as u64;
    Share { transfers: count * index_bits as usize, bytes: levels + packed(count << index_bits, bits) }
}

fn add(a: Share, b: Share) -> Share {
    Share { transfers: a.transfers + b.transfers, bytes: a.bytes + b.bytes }
}

/// The encrypted products of a correlation, in order: the client's encrypted factor on the left.
///
/// Of a triple, `a1·b0` and the transpose of `b1'·a0'`; of a cross product the transpose of `b'·a'`.
pub fn products(correlation: &Correlation) -> Vec<Product> {
    match *correlation {
        Correlation::StaticMatMul { rows, inner, columns, bits, factor_bits, .. } => {
            vec![Product { batch: 1, rows, inner, columns, bits, factor_bits }]
        }
        Correlation::CrossMatMul { rows, inner, columns, bits } => {
            vec![Product { batch: 1, rows: columns, inner, columns: rows, bits, factor_bits: bits }]
        }
        Correlation::MatMul { batch, rows, inner, columns, bits, .. } => {
            let product = |rows, columns| Product { batch, rows, inner, columns, bits, factor_bits: bits };
            vec![product(rows, columns), product(columns, rows)]
        }
        _ => vec![],
    }
}
