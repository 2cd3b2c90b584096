//! The exact price of the two-party source: rounds and bytes of opening a session, and of each of its queries.

use super::elementwise::Slotted;
use super::encrypted::{self, Packing, Product};
use super::joint;
use super::piece::{Batch, Piece, batches};
use super::schedule::{Round, Stock, schedule};
use super::transfer::Extension;
use super::ways::{Preparation, method, methods_of, preparation};
use crate::bill::bill;
use crate::file::{Making, Plan};
use crate::price::{FRAME_HEADER, plane_bytes};
use crate::step::{Method, Step, Value};

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
    pub fn of(batches: &[Batch], making: Making) -> Packings {
        let mut products: Vec<(Product, usize)> = vec![];
        for product in batches.iter().flat_map(Batch::products) {
            match products.iter_mut().find(|(known, _)| *known == product) {
                Some((_, times)) => *times += 1,
                None => products.push((product, 1)),
            }
        }
        let packings = joint::packings(&products, making);
        Packings(products.into_iter().map(|(product, _)| product).zip(packings).collect())
    }

    /// Panics for a product that the plan does not have.
    pub fn of_product(&self, product: &Product) -> &Packing {
        let (_, packing) = self.0.iter().find(|(known, _)| known == product).expect("a product of the plan");
        packing
    }

    pub fn iter(&self) -> impl Iterator<Item = &Packing> {
        self.0.iter().map(|(_, packing)| packing)
    }

    /// What a piece has to be encrypted.
    pub fn bytes(&self, piece: &Piece) -> Encrypted {
        if let Some((product, slotted)) = piece.slotwise() {
            return Encrypted { request: product.request_bytes(&slotted), answer: product.answer_bytes(&slotted) };
        }
        let of = |product: &Product| (*product, *self.of_product(product));
        piece.products().iter().map(of).fold(Encrypted::default(), |sum, (product, packing)| Encrypted {
            request: sum.request + encrypted::request_bytes(&product, &packing),
            answer: sum.answer + encrypted::response_bytes(&product, &packing),
        })
    }

    /// The keys that the client sends once a session.
    pub fn keys(&self) -> Vec<encrypted::KeySet> {
        encrypted::key_sets(self.iter())
    }
}

/// Bytes of a correlation's encrypted factors and products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encrypted {
    pub request: u64,
    pub answer: u64,
}

/// The parameters of a plan's elementwise products, each once: the client sends a public key for each.
pub fn slottings(batches: &[Batch]) -> Vec<Slotted> {
    let mut slottings = vec![];
    for (_, slotted) in batches.iter().flat_map(|batch| &batch.pieces).filter_map(Piece::slotwise) {
        if !slottings.contains(&slotted) {
            slottings.push(slotted);
        }
    }
    slottings
}

/// Bytes of the parts of a party's message in a round, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Of the transfers in which the server sends, then of those in which the client does.
    pub extended: [u64; 2],
    pub corrections: u64,
    pub encrypted: u64,
    pub wraps: u64,
}

impl Parts {
    pub fn sum(&self) -> u64 {
        self.extended[0] + self.extended[1] + self.corrections + self.encrypted + self.wraps
    }
}

/// What server and client send in a round.
pub fn parts(batches: &[Batch], packings: &Packings, extension: Extension, round: &Round) -> [Parts; 2] {
    let mut parts = [Parts::default(); 2];
    for sender in 0..2 {
        let bytes =
            if round.extended[sender] == 0 { Default::default() } else { extension.bytes(round.extended[sender]) };
        parts[sender].extended[sender] = bytes.sender;
        parts[1 - sender].extended[sender] = bytes.receiver;
    }
    if let Some(at) = round.corrected {
        let corrections = batches[at].transfers();
        parts.iter_mut().zip(corrections).for_each(|(part, share)| part.corrections = share.bytes);
    }
    let of_batch = |at: Option<usize>| at.into_iter().flat_map(|at| &batches[at].pieces);
    parts[0].encrypted = of_batch(round.multiplied).map(|piece| packings.bytes(piece).answer).sum();
    parts[1].encrypted = of_batch(round.encrypted).map(|piece| packings.bytes(piece).request).sum();
    if let Some(at) = round.wrapped {
        let wraps = batches[at].slotwise().map(|product| plane_bytes(product.count, 1)).sum();
        parts.iter_mut().for_each(|part| part.wraps = wraps);
    }
    parts
}

/// What a step's correlations cost before the query: its own share of the source's price. With a `method` that its products
/// can be made by, so; else as the plan has them made.
pub fn of_step(values: &[Value], step: &Step, method: Option<Method>, making: Making) -> Preparation {
    let mut sum = Preparation::default();
    for correlation in bill(values, step) {
        let method = match method {
            Some(method) if methods_of(&correlation).contains(&method) => method,
            _ => self::method(step, &correlation, making),
        };
        sum.add(&preparation(&correlation, method, making));
    }
    sum
}

/// Payloads of the exchanges by which a session gets transfers to extend from, if it needs any; both parties send the same.
pub fn base(batches: &[Batch], extension: Extension) -> Vec<u64> {
    if uses_transfers(batches) { extension.setup() } else { vec![] }
}

pub fn uses_transfers(batches: &[Batch]) -> bool {
    batches.iter().flat_map(Batch::transfers).any(|share| share.transfers > 0)
}

/// Opening a session: transfers to extend from, and the client's public keys.
pub fn setup(plan: &Plan, making: Making) -> Flow {
    let mut flow = Flow::default();
    let batches = batches(plan, making);
    for sent in base(&batches, making.extension) {
        flow.exchange([sent; 2]);
    }
    let keys = encrypted::key_bytes(&Packings::of(&batches, making).keys());
    let slotwise: u64 = slottings(&batches).iter().map(Slotted::key_bytes).sum();
    flow.exchange([0, keys + slotwise]);
    flow
}

/// The first `queries` of a session, one after the other.
pub fn queries(plan: &Plan, making: Making, queries: usize) -> Flow {
    let (batches, extension) = (batches(plan, making), making.extension);
    let packings = Packings::of(&batches, making);
    let (mut flow, mut stock) = (Flow::default(), Stock::default());
    for _ in 0..queries {
        for round in schedule(&batches, extension, &mut stock) {
            flow.exchange(parts(&batches, &packings, extension, &round).map(|parts| parts.sum()));
        }
    }
    flow
}
