//! The largest of each row, by a tournament.
//!
//! Input: a share of rows of `width` elements, any two of a row less than `2^(bits-1)` apart. Output: a share of one
//! element for each row.
//! Correlations: for each level a comparison and a gate. Security: semi-honest. Reveals: nothing. Price: for each of
//! `ceil(log2(width))` levels a comparison and a gate of its pairs.

use ptc_correlation::types::{Comparison, GateMask};
use ptc_net::PeerError;
use ptc_plan::price::max_levels;
use ptc_ring::tensor::{Share, add, subtract};

use crate::compare::compare;
use crate::context::Context;
use crate::gate::gate;

/// `levels` are the correlations of each level, from the widest on.
pub async fn max(
    context: &Context,
    x: &Share,
    width: usize,
    levels: Vec<(Comparison, GateMask)>,
) -> Result<Share, PeerError> {
    let pairs = max_levels(width);
    assert_eq!(pairs.len(), levels.len(), "levels of a tournament over {width}");
    let (mut rows, mut width) = (x.clone(), width);
    for (pairs, (comparison, mask)) in pairs.into_iter().zip(levels) {
        let (left, right) = (columns(&rows, width, 0, pairs), columns(&rows, width, pairs, pairs));
        let less = compare(context, &subtract(&left, &right), 0, comparison).await?;
        let gained = gate(context, &less, &subtract(&right, &left), mask).await?;
        rows = beside(&add(&left, &gained), pairs, &columns(&rows, width, 2 * pairs, width - 2 * pairs));
        width -= pairs;
    }
    Ok(rows)
}

/// `count` columns from `start` on.
fn columns(x: &Share, width: usize, start: usize, count: usize) -> Share {
    let mut data = Vec::with_capacity(x.len() / width.max(1) * count);
    x.data.chunks(width.max(1)).for_each(|row| data.extend_from_slice(&row[start..start + count]));
    Share { bits: x.bits, data }
}

/// Rows of `width` with the rows of `rest` behind them.
fn beside(x: &Share, width: usize, rest: &Share) -> Share {
    if rest.is_empty() {
        return x.clone();
    }
    let beside = rest.len() * width / x.len();
    let rows = x.data.chunks(width).zip(rest.data.chunks(beside));
    Share { bits: x.bits, data: rows.flat_map(|(row, rest)| row.iter().chain(rest)).copied().collect() }
}
