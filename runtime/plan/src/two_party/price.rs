//! The exact price of the two-party source: rounds and bytes of opening a session, and of each of its queries.

use super::encrypted::{self, Packing, Product};
use super::schedule::{Round, Stock, schedule};
use super::transfer::Extension;
use super::{Batch, batches, products};
use crate::bill::bill;
use crate::file::{Objective, Plan};
use crate::price::FRAME_HEADER;

/// Exchanges, and bytes that each party sends in them, frame headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    pub rounds: u64,
    /// By [`crate::step::Party::index`].
    pub sent: [u64; 2],
}

impl Flow {
    /// One exchange of so many bytes.
    fn exchange(&mut self, payload: [u64; 2]) {
        self.rounds += u64::from(payload != [0, 0]);
        for (sent, payload) in self.sent.iter_mut().zip(payload) {
            *sent += if payload == 0 { 0 } else { payload + FRAME_HEADER };
        }
    }
}

/// How the encrypted products of a plan are packed: each once, in the order of their first use.
#[derive(Clone, Debug, PartialEq)]
pub struct Packings(Vec<(Product, Packing)>);

impl Packings {
    pub fn of(plan: &Plan, objective: Objective) -> Packings {
        let mut packings: Vec<(Product, Packing)> = vec![];
        for product in plan.steps.iter().flat_map(|step| bill(&plan.values, step)).flat_map(|c| products(&c)) {
            if !packings.iter().any(|(known, _)| *known == product) {
                packings.push((product, encrypted::choose(&product, objective)));
            }
        }
        Packings(packings)
    }

    /// Panics for a product that the plan does not have.
    pub fn of_product(&self, product: &Product) -> &Packing {
        let (_, packing) = self.0.iter().find(|(known, _)| known == product).expect("a product of the plan");
        packing
    }

    pub fn iter(&self) -> impl Iterator<Item = &Packing> {
        self.0.iter().map(|(_, packing)| packing)
    }

    /// The keys that the client sends once a session.
    pub fn keys(&self) -> Vec<encrypted::KeySet> {
        encrypted::key_sets(self.iter())
    }
}

/// Bytes of the parts of a party's message in a round, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Of the transfers in which the server sends, then of those in which the client does.
    pub extended: [u64; 2],
    pub corrections: u64,
    pub encrypted: u64,
}

impl Parts {
    pub fn sum(&self) -> u64 {
        self.extended[0] + self.extended[1] + self.corrections + self.encrypted
    }
}

/// What server and client send in a round.
pub fn parts(batches: &[Batch], packings: &Packings, extension: Extension, round: &Round) -> [Parts; 2] {
    let mut parts = [Parts::default(); 2];
    for sender in 0..2 {
        let bytes = if round.extended[sender] == 0 { Default::default() } else { extension.bytes(round.extended[sender]) };
        parts[sender].extended[sender] = bytes.sender;
        parts[1 - sender].extended[sender] = bytes.receiver;
    }
    if let Some(at) = round.corrected {
        let corrections = batches[at].transfers();
        parts.iter_mut().zip(corrections).for_each(|(part, share)| part.corrections = share.bytes);
    }
    let sum = |at: usize, bytes: fn(&Product, &Packing) -> u64| -> u64 {
        batches[at].products().iter().map(|product| bytes(product, packings.of_product(product))).sum()
    };
    parts[0].encrypted = round.multiplied.map_or(0, |at| sum(at, encrypted::response_bytes));
    parts[1].encrypted = round.encrypted.map_or(0, |at| sum(at, encrypted::request_bytes));
    parts
}

/// Opening a session: transfers to extend from, and the client's public keys.
pub fn setup(plan: &Plan, objective: Objective) -> Flow {
    let mut flow = Flow::default();
    for sent in Extension::of(objective).setup() {
        flow.exchange([sent; 2]);
    }
    flow.exchange([0, encrypted::key_bytes(&Packings::of(plan, objective).keys())]);
    flow
}

/// The first `queries` of a session, one after the other.
pub fn queries(plan: &Plan, objective: Objective, queries: usize) -> Flow {
    let (batches, packings, extension) = (batches(plan), Packings::of(plan, objective), Extension::of(objective));
    let (mut flow, mut stock) = (Flow::default(), Stock::default());
    for _ in 0..queries {
        for round in schedule(&batches, extension, &mut stock) {
            flow.exchange(parts(&batches, &packings, extension, &round).map(|parts| parts.sum()));
        }
    }
    flow
}
