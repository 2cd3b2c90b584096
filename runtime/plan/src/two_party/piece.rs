//! Correlations cut into pieces, and pieces gathered in batches.

use super::elementwise::{self, Elementwise, Slotted};
use super::encrypted::Product;
use super::ways::method;
use super::{Transfers, add, by_transfers, matrices, products, slotwise, transfers};
use crate::bill::{Correlation, bill};
use crate::file::{Making, Plan};
use crate::step::Method;

/// Elements of a piece are a multiple of this, so that pieces of packed elements and of planes join on whole words.
const GRAIN: usize = 64;

/// Work of a batch, in transfers; a piece that is more is a batch of its own.
pub const BATCH_WORK: usize = 1 << 21;

/// What making a correlation costs, roughly, in the time of a transfer.
pub fn work(correlation: &Correlation, method: Method) -> usize {
    use Correlation::*;
    if method == Method::Encrypted {
        return match slotwise(correlation) {
            Some((product, _)) => product.count * (2 + 6 * product.terms),
            None => products(correlation).iter().map(|p| p.batch * p.rows * p.inner * p.columns / 8).sum(),
        };
    }
    let [server, client] = by_transfers(correlation);
    let moved = server.transfers + client.transfers;
    // A string that is made longer costs a hash for each two elements; entries of rotated tables are many and cheap.
    match *correlation {
        StaticMul { count, factor_bits, .. } => moved.max(count * factor_bits as usize),
        CrossMul { count, bits, .. } => moved.max(count * bits as usize / 2),
        Mul { count, bits, .. } => moved.max(count * bits as usize),
        Table { count, index_bits, ref rings, .. } => moved + (count << (2 * index_bits)) / 16 * (1 + rings.len()),
        StaticMatMul { .. } | CrossMatMul { .. } | MatMul { .. } => {
            let rows = matrices::side(correlation).and_then(|side| matrices::rows(correlation, side));
            moved.max(rows.map_or(0, |rows| rows.work()))
        }
        Square { .. } | Wrap { .. } | Compare { .. } | And { .. } | BitToShare { .. } | Gate { .. } => moved,
    }
}

/// `correlation` cut into such of fewer elements, in order.
pub fn pieces(correlation: &Correlation, method: Method) -> Vec<Correlation> {
    use Correlation::*;
    let cut = |count: usize, grain: usize, piece: &dyn Fn(usize) -> Correlation| -> Vec<Correlation> {
        // Whole ciphertexts, where there are any.
        let grain = if method == Method::Encrypted { common(grain, elementwise::DEGREE) } else { grain };
        // As many elements as half a batch has time for, in whole grains.
        let each = (BATCH_WORK / 2).saturating_mul(count).checked_div(work(correlation, method)).unwrap_or(count);
        let each = (each / grain).max(1) * grain;
        match count {
            0 => vec![correlation.clone()],
            _ => (0..count).step_by(each).map(|first| piece(each.min(count - first))).collect(),
        }
    };
    let by_rows = method == Method::Transfers && matrices::side(correlation) == Some(matrices::Side::Left);
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
        // What one row of a mask has chosen, or one matrix of several, shares nothing with the others.
        StaticMatMul { weight, rows, inner, columns, bits, factor_bits } if by_rows => {
            cut(rows, 1, &|rows| StaticMatMul { weight, rows, inner, columns, bits, factor_bits })
        }
        MatMul { batch, rows, inner, columns, transpose_b, bits } if method == Method::Transfers => {
            cut(batch, 1, &|batch| MatMul { batch, rows, inner, columns, transpose_b, bits })
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

/// A piece of the `place`-th correlation of a plan's bill, which `step` consumes, and how it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    pub step: usize,
    pub place: usize,
    pub correlation: Correlation,
    pub method: Method,
}

impl Piece {
    pub fn transfers(&self) -> Transfers {
        transfers(&self.correlation, self.method)
    }

    pub fn work(&self) -> usize {
        work(&self.correlation, self.method)
    }

    /// The encrypted products of matrices.
    pub fn products(&self) -> Vec<Product> {
        match self.method {
            Method::Encrypted => products(&self.correlation),
            Method::Transfers => vec![],
        }
    }

    /// The encrypted product of elements.
    pub fn slotwise(&self) -> Option<(Elementwise, Slotted)> {
        match self.method {
            Method::Encrypted => slotwise(&self.correlation),
            Method::Transfers => None,
        }
    }
}

/// Pieces that are made at the same time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub pieces: Vec<Piece>,
}

impl Batch {
    /// Of all pieces together.
    pub fn transfers(&self) -> Transfers {
        let all = self.pieces.iter().map(Piece::transfers);
        all.fold(Transfers::default(), |[a, b], [c, d]| [add(a, c), add(b, d)])
    }

    /// The encrypted products of matrices of all pieces.
    pub fn products(&self) -> Vec<Product> {
        self.pieces.iter().flat_map(Piece::products).collect()
    }

    /// The encrypted products of elements of all pieces.
    pub fn slotwise(&self) -> impl Iterator<Item = Elementwise> {
        self.pieces.iter().filter_map(Piece::slotwise).map(|(product, _)| product)
    }
}

/// All that a query consumes, in the order of the bill.
pub fn batches(plan: &Plan, making: Making) -> Vec<Batch> {
    let of_step = |(at, step): (usize, &_)| {
        let made = |correlation| (at, method(step, &correlation, making), correlation);
        bill(&plan.values, step).into_iter().map(made).collect::<Vec<_>>()
    };
    let all = plan.steps.iter().enumerate().flat_map(of_step).enumerate();
    let cut = |(place, (step, method, whole)): (usize, (usize, Method, Correlation))| {
        let piece = move |correlation| Piece { step, place, correlation, method };
        pieces(&whole, method).into_iter().map(piece)
    };
    let (mut batches, mut filled) = (vec![Batch::default()], 0);
    for piece in all.flat_map(cut) {
        let more = piece.work();
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
