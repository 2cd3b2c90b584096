//! The dealer's side: all corrections of a query, streamed. A pure function of plan, seeds and weight masks.

use ptc_kernels::Backend;
use ptc_net::PeerError;
use ptc_plan::Plan;
use ptc_plan::bill::{Correlation, bill};
use ptc_plan::step::Party;
use ptc_ring::Seed;
use rayon::prelude::*;

use crate::correct::correction;
use crate::factors::Factors;
use crate::seeds::uniform_pieces;
use crate::stream::ChunkWriter;

/// One query's seeds.
pub struct QuerySeeds {
    pub server: Seed,
    pub client: Seed,
}

/// Corrections of this many bytes are computed at a time, in parallel.
const BATCH_BYTES: u64 = 1 << 24;

/// All corrections of a query in the order of the bill, in chunks. `masks` are the weights' masks of the session.
pub fn deal(
    plan: &Plan,
    seeds: &QuerySeeds,
    masks: &Factors,
    backend: &dyn Backend,
    send: impl FnMut(Vec<u8>) -> Result<(), PeerError>,
) -> Result<(), PeerError> {
    let items: Vec<(usize, Correlation)> =
        plan.steps.iter().flat_map(|step| bill(&plan.values, step)).enumerate().collect();
    let mut writer = ChunkWriter::new(send);
    for batch in batches(&items, |(_, correlation)| correlation.correction_bytes()) {
        let one = |(place, correlation): &(usize, Correlation)| {
            let server = uniform_pieces(&seeds.server, *place, correlation, Party::Server);
            let client = uniform_pieces(&seeds.client, *place, correlation, Party::Client);
            correction(correlation, server, client, masks, backend)
        };
        let corrections: Vec<Vec<u8>> = batch.par_iter().map(one).collect();
        corrections.iter().try_for_each(|bytes| writer.write(bytes))?;
    }
    writer.finish()
}

/// Neighbours that cost at most `BATCH_BYTES` together, or a single one.
pub(crate) fn batches<T>(items: &[T], bytes: impl Fn(&T) -> u64) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = rest.iter().take_while(|item| {
            sum += bytes(item);
            sum <= BATCH_BYTES
        });
        let (batch, after) = rest.split_at(fits.count().max(1).min(rest.len()));
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}
