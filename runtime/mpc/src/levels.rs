//! How high the largest of each row reaches on a public scale: two look-ups, whatever the row's width.
//!
//! Input: a share of rows of `width` elements, a scale of `count` levels. Output: for each row a share of the most levels that
//! an element reaches, in steps of the scale; one less where the largest element's index comes out one too low.
//! Correlation: unit vectors, rotated tables. Security: semi-honest. Reveals: nothing. Price: 2 rounds; each way `index_bits`
//! bits an element, then the bits that count to `width` for each row and level.
//!
//! An element's index becomes a shared unit vector (one-time truth tables: Ishai et al., TCC 2013, section 3). Its sum over a
//! row counts the elements of each index, and sums from the top count those that reach a level; whether a count is zero is
//! looked up. As the levels that are reached follow each other, the number of counts that are not zero is the result.

use ptc_correlation::Packed;
use ptc_correlation::types::RotatedTables;
use ptc_net::PeerError;
use ptc_plan::step::Levels;
use ptc_ring::tensor::{Share, mask};

use crate::context::Context;
use crate::table::{Index, table};
use crate::wire::{Incoming, Outgoing, ring_len};

/// `place`: by how many bits the number of levels is shifted, in a ring of `bits` bits.
pub async fn levels(
    context: &Context,
    x: &Share,
    width: usize,
    scale: Levels,
    (units, reached): (RotatedTables, RotatedTables),
    (place, bits): (u32, u32),
) -> Result<Share, PeerError> {
    let (index_bits, count) = (scale.index_bits, x.len());
    let [vectors] = &units.tables[..] else { panic!("one table of unit vectors") };
    let index = Index { x, shift: scale.shift, rotation: &units.rotation };
    let out = Outgoing::default().filled(index_bits, count, |first, block| index.fill(first, block)).into_bytes();
    let answer = context.lane.exchange(out, ring_len(count, index_bits)).await?;
    let opened = index.opened(Incoming::new(&answer).ring(index_bits, count));

    let counts = counts(vectors, &opened, width, scale);
    let found = table(context, &counts, 0, reached).await?;
    let [found] = &found[..] else { panic!("one table of what is reached") };
    let sum = |row: &[u64]| (row.iter().fold(0u64, |sum, level| sum.wrapping_add(*level)) << place) & mask(bits);
    Ok(Share { bits, data: found.data.chunks(scale.count as usize).map(sum).collect() })
}

/// For each row and each level, from the lowest up, the elements that reach it. `opened` are public.
fn counts(vectors: &Packed, opened: &[u64], width: usize, scale: Levels) -> Share {
    let (entries, low, bits) = (1usize << scale.index_bits, mask(scale.index_bits), vectors.bits());
    let levels = scale.count as usize;
    let mut counts = Share::zeros(bits, opened.len() / width * levels);
    let (mut at, mut found) = (vec![0; width], Share::zeros(bits, width));
    for (row, (opened, counts)) in opened.chunks(width).zip(counts.data.chunks_mut(levels)).enumerate() {
        let mut above = 0u64;
        for (level, reached) in counts.iter_mut().enumerate().rev() {
            let level = u64::from(scale.first) + level as u64;
            at.iter_mut().zip(opened).for_each(|(at, opened)| *at = opened.wrapping_sub(level) & low);
            vectors.pick(entries, row * width, &at, &mut found.data);
            above = found.data.iter().fold(above, |sum, one| sum.wrapping_add(*one));
            *reached = above & mask(bits);
        }
    }
    counts
}
