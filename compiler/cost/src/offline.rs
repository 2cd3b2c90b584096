//! What making correlations computes, in nanoseconds of a core at the server and at the client.
//!
//! Figures are sums: of transfers extended, units of [`work`] made from them, slots and matrices encrypted, each times a
//! number of the machine.

use ptc_plan::Plan;
use ptc_plan::bill;
use ptc_plan::file::Making;
use ptc_plan::step::Method;
use ptc_plan::two_party::piece::{Batch, Piece, work};
use ptc_plan::two_party::price::Packings;
use ptc_plan::two_party::schedule::Round;
use ptc_plan::two_party::{encrypted, wraps};

use crate::machine::Machine;

/// By [`ptc_plan::step::Party::index`].
pub type Nanoseconds = [f64; 2];

pub fn add(a: Nanoseconds, b: Nanoseconds) -> Nanoseconds {
    [a[0] + b[0], a[1] + b[1]]
}

/// Extending what the stocks of a query lack.
pub fn extending(rounds: &[Round], making: Making, machine: &Machine) -> Nanoseconds {
    let [sender, receiver] = machine.transfer_ns.of(making.extension);
    let sent = |party: usize| rounds.iter().map(|round| round.extended[party] as f64).sum::<f64>();
    let [server, client] = [sent(0), sent(1)];
    [server * sender + client * receiver, client * sender + server * receiver]
}

/// A piece, its transfers not counted.
pub fn made(piece: &Piece, packings: &Packings, machine: &Machine) -> Nanoseconds {
    if let Some((product, _)) = piece.slotwise() {
        let slots = (product.ciphertexts() * ptc_plan::two_party::elementwise::DEGREE * product.terms) as f64;
        let wraps = work(&wraps(&product), Method::Transfers) as f64 * machine.made_ns;
        return machine.slot_ns.map(|each| slots * each + wraps);
    }
    let products = piece.products();
    if products.is_empty() {
        return [piece.work() as f64 * machine.made_ns; 2];
    }
    let seconds = products.iter().map(|product| encrypted::party_seconds(product, packings.of_product(product)));
    seconds.fold([0.0; 2], add).map(|seconds| seconds * 1e9 * machine.encryption)
}

/// All batches of a query.
pub fn batches(batches: &[Batch], packings: &Packings, machine: &Machine) -> Nanoseconds {
    let pieces = batches.iter().flat_map(|batch| &batch.pieces);
    pieces.map(|piece| made(piece, packings, machine)).fold([0.0; 2], add)
}

/// A query's corrections from a dealer: both expand seeds, the client reads what is sent.
pub fn dealt(plan: &Plan, machine: &Machine) -> Nanoseconds {
    let offline = bill::offline(plan);
    let expanded = offline.dealer_to_client as f64 * machine.byte_ns;
    [expanded, expanded + offline.dealer_to_client as f64 * machine.byte_ns]
}
