//! What the two parties send each other in making a query's correlations, round by round.
//!
//! A batch takes part in two rounds that follow each other. In the first, the transfers that the stocks lack are extended,
//! by one message in each direction, and the client sends its encrypted factors; in the second, both parties send their
//! corrections, while the next batch is in its first. The server answers encrypted factors [`ANSWER_LAG`] rounds after
//! they came: until then it computes beside everything else. Wrap bits of elementwise products are opened when both
//! parties have had time for the answers.

use super::encrypted::Product;
use super::transfer::Extension;
use super::{Batch, products, slotwise};
use crate::two_party::elementwise::Elementwise;

/// Rounds between an encrypted factor and its answer.
pub const ANSWER_LAG: usize = 2;

/// Rounds between extending transfers and sending what they are turned into.
pub const CORRECTION_LAG: usize = 1;

/// Rounds between an encrypted factor and the wrap bits of its product.
pub const WRAP_LAG: usize = ANSWER_LAG + 2;

/// Transfers that were extended and not used, by the sender's [`crate::step::Party::index`].
pub type Stock = [usize; 2];

/// One exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Transfers that are added to the stocks, by who sends in them.
    pub extended: [usize; 2],
    /// The batch whose corrections both parties send.
    pub corrected: Option<usize>,
    /// The batch whose encrypted factors the client sends.
    pub encrypted: Option<usize>,
    /// The batch whose encrypted products the server sends.
    pub multiplied: Option<usize>,
    /// The batch whose wrap bits both parties open.
    pub wrapped: Option<usize>,
}

/// The rounds of one query's `batches`, given what stands in stock; `stock` is left as the query leaves it.
pub fn schedule(batches: &[Batch], extension: Extension, stock: &mut Stock) -> Vec<Round> {
    let last = batches.iter().enumerate().map(|(at, batch)| at + batch.lag()).max();
    let mut rounds = vec![Round::default(); last.map_or(0, |last| last + 1)];
    for (at, batch) in batches.iter().enumerate() {
        let needed = batch.transfers().map(|share| share.transfers);
        for sender in 0..2 {
            let made = match needed[sender].checked_sub(stock[sender]) {
                None | Some(0) => 0,
                Some(lacking) => extension.yields(lacking),
            };
            stock[sender] = stock[sender] + made - needed[sender];
            rounds[at].extended[sender] = made;
        }
        rounds[at + CORRECTION_LAG].corrected = Some(at);
        if batch.lag() >= ANSWER_LAG {
            rounds[at].encrypted = Some(at);
            rounds[at + ANSWER_LAG].multiplied = Some(at);
        }
        if batch.lag() >= WRAP_LAG {
            rounds[at + WRAP_LAG].wrapped = Some(at);
        }
    }
    rounds
}

impl Batch {
    /// The encrypted products of all pieces.
    pub fn products(&self) -> Vec<Product> {
        self.pieces.iter().flat_map(|piece| products(&piece.correlation)).collect()
    }

    /// The elementwise products of all pieces.
    pub fn slotwise(&self) -> impl Iterator<Item = Elementwise> {
        self.pieces.iter().filter_map(|piece| slotwise(&piece.correlation)).map(|(product, _)| product)
    }

    /// Rounds from the first to the last that the batch takes part in.
    fn lag(&self) -> usize {
        if self.slotwise().next().is_some() {
            WRAP_LAG
        } else if self.pieces.iter().any(|piece| !products(&piece.correlation).is_empty()) {
            ANSWER_LAG
        } else {
            CORRECTION_LAG
        }
    }
}
