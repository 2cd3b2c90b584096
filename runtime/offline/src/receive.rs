//! A party's side of dealing: seed and corrections become the correlations of each step.

use ptc_correlation::assemble::{Piece, assemble};
use ptc_correlation::{Packed, Planes, Supply};
use ptc_kernels::Backend;
use ptc_net::{Channel, PeerError};
use ptc_plan::Plan;
use ptc_plan::bill::{Correlation, Part, bill};
use ptc_plan::step::Party;
use ptc_ring::Seed;
use ptc_ring::tensor::add_assign;
use rayon::prelude::*;

use crate::deal::batches;
use crate::factors::Factors;
use crate::seeds::uniform_pieces;
use crate::stream::ChunkReader;

/// A correlation, its step, and its place in the bill.
struct Item {
    step: usize,
    place: usize,
    correlation: Correlation,
}

fn items(plan: &Plan) -> Vec<Item> {
    let of_step = |(step, of): (usize, &_)| bill(&plan.values, of).into_iter().map(move |c| (step, c));
    let all = plan.steps.iter().enumerate().flat_map(of_step).enumerate();
    all.map(|(place, (step, correlation))| Item { step, place, correlation }).collect()
}

/// The server's correlations, from its seed alone.
pub fn receive_server(plan: &Plan, seed: &Seed) -> Supply {
    let items = items(plan);
    let expand = |item: &Item| {
        let pieces = uniform_pieces(seed, item.place, &item.correlation, Party::Server);
        assemble(&item.correlation, Party::Server, pieces)
    };
    let held: Vec<_> = items.par_iter().map(expand).collect();
    let mut supply = Supply::new(plan.steps.len());
    items.iter().zip(held).for_each(|(item, held)| supply.put(item.step, held));
    supply
}

/// The client's correlations, from its seed and the corrections that `dealer` streams. `weights` are the masked weights
/// `W - U`, by which the client turns its part of `r·U` into one of `r·W`.
pub fn receive_client(
    plan: &Plan,
    seed: &Seed,
    weights: &Factors,
    backend: &dyn Backend,
    dealer: &mut dyn Channel,
) -> Result<Supply, PeerError> {
    let items = items(plan);
    let total = items.iter().map(|item| item.correlation.correction_bytes()).sum();
    let mut reader = ChunkReader::new(dealer, total);
    let mut supply = Supply::new(plan.steps.len());
    for batch in batches(&items, |item| item.correlation.correction_bytes()) {
        let mut corrections = vec![];
        for item in batch {
            let parts = item.correlation.corrections();
            let pieces: Result<Vec<Piece>, PeerError> = parts.into_iter().map(|part| read(&mut reader, part)).collect();
            corrections.push(pieces?);
        }
        let expand = |(item, corrections): (&Item, Vec<Piece>)| {
            let mut pieces = uniform_pieces(seed, item.place, &item.correlation, Party::Client);
            pieces.extend(corrections);
            assemble(&item.correlation, Party::Client, unmask(&item.correlation, pieces, weights, backend))
        };
        let held: Vec<_> = batch.par_iter().zip(corrections).map(expand).collect();
        batch.iter().zip(held).for_each(|(item, held)| supply.put(item.step, held));
    }
    Ok(supply)
}

fn read(reader: &mut ChunkReader, part: Part) -> Result<Piece, PeerError> {
    let bytes = reader.read(part.bytes() as usize)?;
    Ok(match part {
        Part::Ring { count, bits } => Piece::Ring(Packed::from_bytes(bits, count, bytes)),
        Part::Planes { count, planes } => {
            let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
            Piece::Planes(Planes::from_words(count, planes, words))
        }
    })
}

/// For a static product, `r·U - s0` becomes `r·W - s0`.
fn unmask(correlation: &Correlation, pieces: Vec<Piece>, weights: &Factors, backend: &dyn Backend) -> Vec<Piece> {
    let (Correlation::StaticMatMul { bits, .. } | Correlation::StaticMul { bits, .. }) = *correlation else {
        return pieces;
    };
    let Ok([Piece::Ring(r), Piece::Ring(dealt)]) = <[Piece; 2]>::try_from(pieces) else {
        panic!("a static product has two parts at the client");
    };
    let (r, mut product) = (r.unpack(), dealt.unpack());
    add_assign(&mut product.data, &weights.product(backend, correlation, &r.data), bits);
    vec![Piece::Ring(Packed::from_data(bits, &r.data)), Piece::Ring(Packed::from_data(bits, &product.data))]
}
