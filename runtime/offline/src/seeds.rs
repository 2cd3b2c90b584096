//! From a party's seed to its uniform parts: the dealer and the party draw the same.

use ptc_correlation::assemble::{Piece, parts};
use ptc_correlation::{Packed, Planes};
use ptc_plan::bill::{Correlation, Part, WeightMask};
use ptc_plan::step::Party;
use ptc_ring::Seed;

/// Streams of a query's seed, by the correlation's place in the bill.
const QUERY: u64 = 1;
/// Streams of a session's seed, by the weight's value.
const WEIGHT: u64 = 2;

/// The uniform parts of `party` in the `place`-th correlation of a plan: all that the server holds, and all but the
/// corrections at the client.
pub fn uniform_pieces(seed: &Seed, place: usize, correlation: &Correlation, party: Party) -> Vec<Piece> {
    let mut parts = parts(correlation, party);
    if party == Party::Client {
        parts.truncate(parts.len() - correlation.corrections().len());
    }
    let mut stream = seed.stream(QUERY, place as u64);
    let mut draw = |part: Part| match part {
        Part::Ring { count, bits } => Piece::Ring(Packed::from_bytes(bits, count, stream.bytes(part.bytes() as usize))),
        Part::Planes { count, planes } => {
            Piece::Planes(Planes::from_words(count, planes, stream.words(part.bytes() as usize / 8)))
        }
    };
    parts.into_iter().map(&mut draw).collect()
}

/// The mask `U` of a weight.
pub fn weight_mask(seed: &Seed, mask: &WeightMask) -> Vec<u64> {
    seed.stream(WEIGHT, u64::from(mask.weight.0)).ring(mask.bits, mask.count)
}
