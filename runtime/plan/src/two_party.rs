//! How two parties alone make the correlations of a plan, and what that costs, exactly.
//!
//! Products of matrices are made by homomorphic encryption: the client sends its mask encrypted, the server answers
//! ([`products`], priced in [`encrypted`]); so are many and wide products of elements ([`slotwise`], priced in
//! [`elementwise`]). Everything else comes from random oblivious transfers ([`transfers`], extended
//! as [`transfer`] says) and from *corrections*, by which a sender turns what its transfers happened to yield into what
//! was asked for. Transfers go both ways; index 0 is what the server sends, 1 what the client does.
//!
//! Long correlations are made in [`pieces`], pieces that follow each other in [`batches`]; what is sent when is in
//! [`schedule`], and what that costs in [`price`].

use crate::bill::{Correlation, bill};
use crate::file::Plan;
use crate::price::{carry_digits, carry_levels, packed, plane_bytes};
use crate::two_party::elementwise::{Elementwise, Slotted};
use crate::two_party::encrypted::Product;

pub mod elementwise;
pub mod encrypted;
pub mod feasible;
pub mod parameters;
pub mod price;
pub mod schedule;
pub mod transfer;

/// Elements of a piece are a multiple of this, so that pieces of packed elements and of planes join on whole words.
const GRAIN: usize = 64;

/// Work of a batch, in transfers; a piece that is more is a batch of its own.
pub const BATCH_WORK: usize = 1 << 21;

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
pub fn transfers(correlation: &Correlation) -> Transfers {
    match slotwise(correlation) {
        Some((product, _)) => by_transfers(&wraps(&product)),
        None => by_transfers(correlation),
    }
}

/// The encrypted product that makes a correlation (or a piece of one) elementwise, where that costs less than transfers do,
/// and its parameters.
pub fn slotwise(correlation: &Correlation) -> Option<(Elementwise, Slotted)> {
    let product = Elementwise::of(correlation)?;
    let slotted = elementwise::slotted(product.bits)?;
    // A transfer, with its part of the extension and its time, counts as a byte.
    let cost = |[a, b]: Transfers| a.bytes + b.bytes + (a.transfers + b.transfers) as u64;
    let wraps = cost(by_transfers(&wraps(&product))) + 2 * plane_bytes(product.count, 1);
    let encrypted = product.request_bytes(&slotted) + product.answer_bytes(&slotted) + wraps;
    (encrypted < cost(by_transfers(correlation))).then_some((product, slotted))
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
        StaticMatMul { .. } | CrossMatMul { .. } | MatMul { .. } => Transfers::default(),
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

/// What making a correlation costs, roughly, in the time of a transfer.
pub fn work(correlation: &Correlation) -> usize {
    use Correlation::*;
    if let Some((product, _)) = slotwise(correlation) {
        return product.count * (2 + 6 * product.terms);
    }
    let [server, client] = by_transfers(correlation);
    let moved = server.transfers + client.transfers;
    // A string that is made longer costs a hash for each two elements; entries of rotated tables are many and cheap.
    match *correlation {
        StaticMul { count, factor_bits, .. } => moved.max(count * factor_bits as usize / 2),
        CrossMul { count, bits, .. } => moved.max(count * bits as usize / 2),
        Mul { count, bits, .. } => moved.max(count * bits as usize),
        Table { count, index_bits, ref rings, .. } => moved + (count << (2 * index_bits)) / 32 * (1 + rings.len()),
        StaticMatMul { .. } | CrossMatMul { .. } | MatMul { .. } => {
            products(correlation).iter().map(|p| p.batch * p.rows * p.inner * p.columns / 8).sum()
        }
        Square { .. } | Wrap { .. } | Compare { .. } | And { .. } | BitToShare { .. } | Gate { .. } => moved,
    }
}

/// `correlation` cut into such of fewer elements, in order.
pub fn pieces(correlation: &Correlation) -> Vec<Correlation> {
    use Correlation::*;
    let cut = |count: usize, grain: usize, piece: &dyn Fn(usize) -> Correlation| -> Vec<Correlation> {
        // Whole ciphertexts, where there are any.
        let grain = if slotwise(correlation).is_some() { common(grain, elementwise::DEGREE) } else { grain };
        // As many elements as half a batch has time for, in whole grains.
        let each = (BATCH_WORK / 2).saturating_mul(count).checked_div(work(correlation)).unwrap_or(count);
        let each = (each / grain).max(1) * grain;
        match count {
            0 => vec![correlation.clone()],
            _ => (0..count).step_by(each).map(|first| piece(each.min(count - first))).collect(),
        }
    };
    match *correlation {
        Mul { count, each, bits } => cut(count, GRAIN * each.max(1), &|count| Mul { count, each, bits }),
        Square { count, bits } => cut(count, GRAIN, &|count| Square { count, bits }),
        Wrap { count, bits } => cut(count, GRAIN, &|count| Wrap { count, bits }),
        Compare { count, bits } => cut(count, GRAIN, &|count| Compare { count, bits }),
        And { count } => cut(count, GRAIN, &|count| And { count }),
        BitToShare { count, bits } => cut(count, GRAIN, &|count| BitToShare { count, bits }),
        Gate { count, bits } => cut(count, GRAIN, &|count| Gate { count, bits }),
        Table { count, index_bits, ref rings, ref values } => cut(count, GRAIN, &|count| {
            let (rings, values) = (rings.clone(), values.clone());
            Table { count, index_bits, rings, values }
        }),
        // One factor for each element: no piece shares one with another.
        CrossMul { count, period, bits } if count == period => {
            cut(count, GRAIN, &|count| CrossMul { count, period: count, bits })
        }
        StaticMatMul { .. } | StaticMul { .. } | CrossMatMul { .. } | CrossMul { .. } | MatMul { .. } => {
            vec![correlation.clone()]
        }
    }
}

/// The least common multiple.
fn common(a: usize, b: usize) -> usize {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    a / divisor * b
}

/// A piece of the `place`-th correlation of a plan's bill, which `step` consumes.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    pub step: usize,
    pub place: usize,
    pub correlation: Correlation,
}

/// Pieces that are made at the same time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub pieces: Vec<Piece>,
}

impl Batch {
    /// Of all pieces together.
    pub fn transfers(&self) -> Transfers {
        let all = self.pieces.iter().map(|piece| transfers(&piece.correlation));
        all.fold(Transfers::default(), |[a, b], [c, d]| [add(a, c), add(b, d)])
    }
}

/// All that a query consumes, in the order of the bill.
pub fn batches(plan: &Plan) -> Vec<Batch> {
    let of_step = |(step, of): (usize, &_)| bill(&plan.values, of).into_iter().map(move |c| (step, c));
    let all = plan.steps.iter().enumerate().flat_map(of_step).enumerate();
    let cut = |(place, (step, whole)): (usize, (usize, Correlation))| {
        pieces(&whole).into_iter().map(move |correlation| Piece { step, place, correlation })
    };
    let (mut batches, mut filled) = (vec![Batch::default()], 0);
    for piece in all.flat_map(cut) {
        let more = work(&piece.correlation);
        if filled + more > BATCH_WORK && filled > 0 {
            batches.push(Batch::default());
            filled = 0;
        }
        filled += more;
        batches.last_mut().expect("there is always one").pieces.push(piece);
    }
    batches.retain(|batch| !batch.pieces.is_empty());
    batches
}
