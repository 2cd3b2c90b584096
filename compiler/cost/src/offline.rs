//! What making correlations computes, in nanoseconds of a core at the server and at the client.
//!
//! Figures are sums: of transfers extended, units of [`work`] made from them, slots and matrices encrypted, each times a
//! number of the machine.

use ptc_plan::Plan;
use ptc_plan::bill::{self, Correlation};
use ptc_plan::file::Making;
use ptc_plan::step::Method;
use ptc_plan::two_party::elementwise::DEGREE;
use ptc_plan::two_party::encrypted::{self, Product};
use ptc_plan::two_party::piece::{Batch, work};
use ptc_plan::two_party::price::Packings;
use ptc_plan::two_party::schedule::Round;
use ptc_plan::two_party::{products, slotwise, wraps};

use crate::machine::Machine;

/// By [`ptc_plan::step::Party::index`].
pub type Nanoseconds = [f64; 2];

pub fn add(a: Nanoseconds, b: Nanoseconds) -> Nanoseconds {
    [a[0] + b[0], a[1] + b[1]]
}

/// Entries of a table that are met in the time in which one is made.
const SIDE_BY_SIDE: f64 = 120.0;

/// Extending transfers, so many in which the server sends, and in which the client does.
pub fn extended(count: [usize; 2], making: Making, machine: &Machine) -> Nanoseconds {
    let [sender, receiver] = machine.transfer_ns.of(making.extension);
    let [server, client] = count.map(|count| count as f64);
    [server * sender + client * receiver, client * sender + server * receiver]
}

/// Making a correlation or a piece of one, its transfers not counted. `seconds` are those of the cost model for a product
/// as it is packed.
pub fn made(
    correlation: &Correlation,
    method: Method,
    seconds: impl Fn(&Product) -> [f64; 2],
    machine: &Machine,
) -> Nanoseconds {
    let transferred = |correlation: &Correlation| {
        let nanoseconds = match *correlation {
            // Each entry is made, and meets all entries of the table, many at a time.
            Correlation::Table { count, index_bits, ref rings, .. } => {
                let entries = f64::from(index_bits).exp2();
                let each = machine.table_ns * (1.0 + entries / SIDE_BY_SIDE);
                count as f64 * entries * (1 + rings.len()) as f64 * each
            }
            _ => work(correlation, Method::Transfers) as f64 * machine.made_ns,
        };
        [nanoseconds; 2]
    };
    match (method, slotwise(correlation)) {
        (Method::Transfers, _) => transferred(correlation),
        (Method::Encrypted, Some((product, _))) => {
            let slots = (product.ciphertexts() * DEGREE * product.terms) as f64;
            add(machine.slot_ns.map(|each| slots * each), transferred(&wraps(&product)))
        }
        (Method::Encrypted, None) => {
            let products = products(correlation);
            let besides = products.len() as f64 * machine.product_ms * 1e6;
            let sum = products.iter().map(seconds).fold([0.0; 2], add);
            scaled(sum, machine).map(|nanoseconds| nanoseconds + besides)
        }
    }
}

/// Seconds of encryption by the cost model, on this machine.
pub fn scaled(seconds: [f64; 2], machine: &Machine) -> Nanoseconds {
    [0, 1].map(|party| seconds[party] * 1e9 * machine.encryption[party])
}

/// All of a query: what its stocks lack is extended in `rounds`.
pub fn query(
    rounds: &[Round],
    batches: &[Batch],
    packings: &Packings,
    making: Making,
    machine: &Machine,
) -> Nanoseconds {
    let count = [0, 1].map(|sender| rounds.iter().map(|round| round.extended[sender]).sum());
    let seconds = |product: &Product| encrypted::party_seconds(product, packings.of_product(product));
    let pieces = batches.iter().flat_map(|batch| &batch.pieces);
    let made = pieces.map(|piece| made(&piece.correlation, piece.method, seconds, machine));
    made.fold(extended(count, making, machine), add)
}

/// A query's corrections from a dealer: both expand seeds, the client reads what is sent.
pub fn dealt(plan: &Plan, machine: &Machine) -> Nanoseconds {
    let expanded = bill::offline(plan).dealer_to_client as f64 * machine.byte_ns;
    [expanded, 2.0 * expanded]
}
