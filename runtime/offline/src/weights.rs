//! Once a session: the server opens `W - U` of each static weight to the client. `U` comes from a seed that the dealer
//! gives to the server alone; the dealer never sees the opened weights, and the client never sees `U`.

use ptc_kernels::Backend;
use ptc_net::{Channel, PeerError};
use ptc_plan::Plan;
use ptc_plan::bill::weight_masks;
use ptc_plan::price::packed;
use ptc_plan::step::ValueId;
use ptc_ring::Seed;
use ptc_ring::pack::{pack, unpack};
use ptc_ring::tensor::subtract_assign;
use std::collections::BTreeMap;

use crate::factors::Factors;
use crate::seeds::weight_mask;
use crate::stream::{ChunkReader, ChunkWriter};

/// The dealer: the masks `U`, packed.
pub fn expand_masks(plan: &Plan, seed: &Seed, backend: &dyn Backend) -> Factors {
    let masks: BTreeMap<u32, Vec<u64>> =
        weight_masks(plan).iter().map(|mask| (mask.weight.0, weight_mask(seed, mask))).collect();
    Factors::prepare(plan, backend, |weight| &masks[&weight.0])
}

/// The server: sends `W - U`. `words` are a weight's ring words.
pub fn open_weights<'a>(
    plan: &Plan,
    seed: &Seed,
    words: impl Fn(ValueId) -> &'a [u64],
    client: &mut dyn Channel,
) -> Result<(), PeerError> {
    let mut writer = ChunkWriter::new(|chunk| client.send(chunk));
    for mask in weight_masks(plan) {
        let mut opened = words(mask.weight).to_vec();
        subtract_assign(&mut opened, &weight_mask(seed, &mask), mask.bits);
        let mut bytes = vec![];
        pack(&opened, mask.bits, &mut bytes);
        writer.write(&bytes)?;
    }
    writer.finish()
}

/// The client: receives `W - U`, packed.
pub fn receive_weights(plan: &Plan, backend: &dyn Backend, server: &mut dyn Channel) -> Result<Factors, PeerError> {
    let masks = weight_masks(plan);
    let total = masks.iter().map(|mask| packed(mask.count, mask.bits)).sum();
    let mut reader = ChunkReader::new(server, total);
    let mut opened = BTreeMap::new();
    for mask in masks {
        let bytes = reader.read(packed(mask.count, mask.bits) as usize)?;
        let words = unpack(&bytes, mask.bits, mask.count).expect("exactly these bytes were read");
        opened.insert(mask.weight.0, words);
    }
    Ok(Factors::prepare(plan, backend, |weight| &opened[&weight.0]))
}
