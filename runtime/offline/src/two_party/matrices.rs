//! Products of matrices from transfers: for few and narrow ones, where a ciphertext would be mostly empty.
//!
//! Input: transfers in the directions named. Output: [`StaticProduct`], [`CrossProduct`], [`Triple`]; all masks are uniform.
//! Security: semi-honest. Messages: those of [`super::rows`], which reveal nothing; where bits of the server's weights
//! choose, also its random choices xor these bits, which the choices hide. Prices: [`ptc_plan::two_party::matrices`].
//!
//! [`StaticProduct`]: ptc_correlation::types::StaticProduct
//! [`CrossProduct`]: ptc_correlation::types::CrossProduct
//! [`Triple`]: ptc_correlation::types::Triple

use ptc_kernels::Backend;
use ptc_kernels::batched::{self, Shape};
use ptc_plan::bill::Correlation;
use ptc_plan::kernel::Word;
use ptc_plan::step::Party;
use ptc_plan::two_party::matrices::{Rows, Side, rows, side};
use ptc_ring::Share;
use ptc_ring::planes::to_planes;
use ptc_ring::tensor::add_assign;
use ptc_ring::transpose::transpose;

use super::encrypted::turned;
use super::made::{Started, parse_planes, ring};
use super::product::check_length;
use super::rows::{Flips, flipped, numbers, receive, send, yielded};
use super::transfers::Transfers;
use super::triple::nothing;

/// What `party` does first for a product of matrices; `weights` are the factor of a static one at the server.
pub fn start(
    correlation: &Correlation,
    party: Party,
    transfers: Transfers,
    weights: Option<&[u64]>,
    backend: &dyn Backend,
) -> Started {
    let side = side(correlation).expect("a product that can be made from transfers");
    let rows = rows(correlation, side).expect("a product of matrices");
    let weights = || weights.expect("the server holds its weights");
    match (correlation, side, party) {
        (Correlation::StaticMatMul { bits, .. }, Side::Left, Party::Server) => {
            let weights = Share { bits: *bits, data: weights().to_vec() };
            let mut message = vec![];
            let share = send(&transfers.sent, &rows, &weights, &mut message);
            Started::new(message, move |message| {
                nothing(message)?;
                Ok(vec![ring(share)])
            })
        }
        (Correlation::StaticMatMul { .. }, Side::Left, Party::Client)
        | (Correlation::CrossMatMul { .. }, Side::Left, Party::Server)
        | (Correlation::CrossMatMul { .. }, Side::Right, Party::Client) => chosen(transfers, rows, side),
        (Correlation::CrossMatMul { .. }, ..) => sent(transfers, rows, side),
        (Correlation::StaticMatMul { .. }, Side::Right, Party::Server) => weighted(transfers, rows, weights()),
        (Correlation::StaticMatMul { .. }, Side::Right, Party::Client) => masked_by_weights(transfers, rows),
        _ => triple(correlation, transfers, rows, side, backend),
    }
}

/// A mask of the bits that choose, and the product with it.
fn chosen(transfers: Transfers, rows: Rows, side: Side) -> Started {
    Started::new(vec![], move |message| {
        let product = receive(&transfers.received, &rows, message, None)?;
        let mask = numbers(&transfers.received, &rows);
        Ok(vec![ring(choosing(mask, &rows, side)), ring(summed(product, &rows, side))])
    })
}

/// A mask of the elements that are sent, and the product with it.
fn sent(transfers: Transfers, rows: Rows, side: Side) -> Started {
    let x = yielded(&transfers.sent, &rows);
    let mut message = vec![];
    let share = send(&transfers.sent, &rows, &x, &mut message);
    Started::new(message, move |message| {
        nothing(message)?;
        Ok(vec![ring(sending(x, &rows, side)), ring(summed(share, &rows, side))])
    })
}

/// Bits of the server's weights: it opens by which of them its random choices differ.
fn weighted(transfers: Transfers, rows: Rows, weights: &[u64]) -> Started {
    let bits = rows.choice_bits as usize;
    let mut opened = transfers.received.choice_planes(bits, rows.values());
    let by_columns = Share { bits: rows.bits, data: transpose(weights, rows.inner, rows.uses) };
    let planes = to_planes(&by_columns.data, bits);
    opened.iter_mut().zip(&planes).for_each(|(choice, weight)| *choice ^= weight);
    let message = opened.iter().flat_map(|word| word.to_le_bytes()).collect();
    Started::new(message, move |message| {
        let product = receive(&transfers.received, &rows, message, Some(Flips(&opened)))?;
        Ok(vec![ring(summed(product, &rows, Side::Right))])
    })
}

/// The client's side of [`weighted`].
fn masked_by_weights(transfers: Transfers, rows: Rows) -> Started {
    let x = yielded(&transfers.sent, &rows);
    let mut message = vec![];
    // These are shares of products with the choices, of which none is wanted.
    drop(send(&transfers.sent, &rows, &x, &mut message));
    Started::new(message, move |message| {
        check_length(message, 8 * rows.values().div_ceil(64) * rows.choice_bits as usize)?;
        let opened = parse_planes(message);
        let share = flipped(&transfers.sent, &rows, &x, Flips(&opened));
        Ok(vec![ring(sending(x, &rows, Side::Right)), ring(summed(share, &rows, Side::Right))])
    })
}

/// Each party's choices are one of its masks, the elements that it sends the other one: both cross terms at once.
fn triple(correlation: &Correlation, transfers: Transfers, rows: Rows, side: Side, backend: &dyn Backend) -> Started {
    let Correlation::MatMul { batch, rows: m, inner: k, columns: n, transpose_b, bits } = *correlation else {
        panic!("a product of matrices")
    };
    let x = yielded(&transfers.sent, &rows);
    let mut message = vec![];
    let share = send(&transfers.sent, &rows, &x, &mut message);
    let (chosen, sent) = (choosing(numbers(&transfers.received, &rows), &rows, side), sending(x, &rows, side));
    let (a, b) = match side {
        Side::Left => (chosen, sent),
        Side::Right => (sent, chosen),
    };
    let b = if transpose_b { turned(&b, batch, k, n) } else { b };
    let shape = Shape { batch, m, k, n, transpose_b };
    let mut product = Share::new(bits, batched::product(backend, Word::for_ring(bits), shape, &a.data, &b.data));
    add_assign(&mut product.data, &summed(share, &rows, side).data, bits);
    Started::new(message, move |message| {
        let other = summed(receive(&transfers.received, &rows, message, None)?, &rows, side);
        add_assign(&mut product.data, &other.data, bits);
        Ok(vec![ring(a), ring(b), ring(product)])
    })
}

/// A mask of numbers as the matrix that it is: a right factor has a column for each use.
fn choosing(numbers: Share, rows: &Rows, side: Side) -> Share {
    let turn = |numbers: Share| turned(&numbers, rows.batch, rows.uses, rows.inner);
    if side == Side::Left { numbers } else { turn(numbers) }
}

/// A mask of rows as the matrix that it is: a left factor has a column for each row.
fn sending(x: Share, rows: &Rows, side: Side) -> Share {
    if side == Side::Left { x } else { turned(&x, rows.batch, rows.inner, rows.each) }
}

/// A product as the matrix that it is.
fn summed(sums: Share, rows: &Rows, side: Side) -> Share {
    if side == Side::Left { sums } else { turned(&sums, rows.batch, rows.uses, rows.each) }
}
