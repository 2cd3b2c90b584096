//! The two parties alone as the source of correlations: oblivious transfer and homomorphic encryption.
//!
//! How each correlation is made is in [`ptc_plan::two_party`], the order of messages in its `schedule`, their prices in its
//! `price`. A session starts with base transfers both ways, where its plan needs any, and the client's public keys; both are
//! fresh, and secrets are zeroed when the session goes. Each protocol's security is said at its head: [`product`], [`triple`], [`bits`],
//! [`comparison`], [`rotation`], [`rows`], [`matrices`], [`encrypted`], [`slotwise`]. All of them are semi-honest.

mod assembly;
mod bits;
mod comparison;
mod encrypted;
mod made;
mod matrices;
mod piece;
mod product;
mod query;
mod rotation;
mod rows;
mod slotwise;
pub mod spent;
mod stock;
mod transfers;
mod triple;

use std::collections::BTreeMap;
use std::sync::Arc;

use ptc_correlation::Supply;
use ptc_he::product::keys::{ClientKeys, ServerKeys};
use ptc_kernels::Backend;
use ptc_net::{Channel, PeerError};
use ptc_ot::setup::{Transfers, setup};
use ptc_plan::Plan;
use ptc_plan::bill::{Correlation, bill};
use ptc_plan::file::Making;
use ptc_plan::step::{Party, ValueId};
use ptc_plan::two_party::elementwise::Slotted;
use ptc_plan::two_party::encrypted::key_bytes;
use ptc_plan::two_party::piece::{Batch, batches};
use ptc_plan::two_party::price::{Packings, slottings, uses_transfers};
use ptc_plan::two_party::schedule::Stock as Stocked;
use ptc_plan::two_party::transfer::Extension;
use ptc_ring::Seed;
use ptc_ring::fixed::to_signed;

use spent::Spent;
use stock::Stock;

/// A party's state between the queries of a session.
pub struct Session {
    party: Party,
    backend: Arc<dyn Backend>,
    plan: Made,
    keys: Keys,
    /// None where the plan needs none.
    transfers: Option<Transfers>,
    /// Of the transfers in which this party sends, and in which it receives.
    sent: Stock,
    received: Stock,
    /// What both stocks hold, as the schedule counts it.
    stocked: Stocked,
    seed: Seed,
    /// Pieces that were started, in all queries.
    pieces: u64,
    spent: Spent,
}

/// What of a plan is made, and how.
struct Made {
    steps: usize,
    /// The bill, in order, with each correlation's step.
    bill: Vec<(usize, Correlation)>,
    batches: Vec<Batch>,
    packings: Packings,
    slottings: Vec<Slotted>,
    extension: Extension,
}

enum Keys {
    Server(ServerKeys, slotwise::ServerKeys),
    Client(ClientKeys, slotwise::ClientKeys),
}

/// How far a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rounds.
    pub done: usize,
    pub of: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error(
        "`{name}` holds an element of more than {factor_bits} bits, which the plan promises\n\
         hint: build the plan with the ranges of these weights"
    )]
    Weight { name: String, factor_bits: u32 },
}

impl Session {
    /// Base transfers both ways, then the client's keys. `factor` yields the server's weights, as ring words; the client
    /// is not asked for any.
    pub fn open<'a>(
        plan: &Plan,
        making: Making,
        party: Party,
        mut channel: &mut dyn Channel,
        factor: impl Fn(ValueId) -> &'a [u64],
        backend: Arc<dyn Backend>,
    ) -> Result<Session, SessionError> {
        let made = Made::of(plan, making);
        if party == Party::Server {
            check_weights(plan, weights_of(&made.bill), factor)?;
        }
        let needed = uses_transfers(&made.batches).then_some(made.extension);
        let transfers = needed.map(|extension| setup(party, extension, &mut channel)).transpose()?;
        let keys = exchange_keys(&made, party, &mut channel)?;
        Ok(Session {
            party,
            backend,
            plan: made,
            keys,
            transfers,
            sent: Stock::empty(),
            received: Stock::empty(),
            stocked: Stocked::default(),
            seed: Seed::fresh().map_err(PeerError::Io)?,
            pieces: 0,
            spent: Spent::default(),
        })
    }

    /// Makes all that a query consumes. `factor` yields the same weights as at the opening.
    pub fn query<'a>(
        &mut self,
        channel: &mut dyn Channel,
        factor: impl Fn(ValueId) -> &'a [u64],
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Supply, PeerError> {
        let mut weights = BTreeMap::new();
        if self.party == Party::Server {
            for (weight, _, _) in weights_of(&self.plan.bill) {
                weights.entry(weight.0).or_insert_with(|| factor(weight));
            }
        }
        query::run(self, channel, &weights, tell)
    }

    /// Seconds of this party since the opening, by what they went into.
    pub fn spent(&self) -> &Spent {
        &self.spent
    }
}

impl Made {
    fn of(plan: &Plan, making: Making) -> Made {
        let of_step = |(step, of): (usize, &_)| bill(&plan.values, of).into_iter().map(move |c| (step, c));
        let batches = batches(plan, making);
        Made {
            steps: plan.steps.len(),
            bill: plan.steps.iter().enumerate().flat_map(of_step).collect(),
            packings: Packings::of(&batches, making),
            slottings: slottings(&batches),
            batches,
            extension: making.extension,
        }
    }
}

/// The client's public keys: of matrix products, then of elementwise ones.
fn exchange_keys(made: &Made, party: Party, channel: &mut dyn Channel) -> Result<Keys, PeerError> {
    let sets = made.packings.keys();
    let matrices = key_bytes(&sets) as usize;
    let elements: u64 = made.slottings.iter().map(Slotted::key_bytes).sum();
    match party {
        Party::Server => {
            let message = channel.exchange(vec![], matrices + elements as usize)?;
            let (matrices, elements) = message.split_at(matrices);
            let elements = slotwise::ServerKeys::read(&made.slottings, elements)?;
            Ok(Keys::Server(ServerKeys::read(&sets, matrices)?, elements))
        }
        Party::Client => {
            let matrices = ClientKeys::fresh(&sets).map_err(PeerError::Io)?;
            let elements = slotwise::ClientKeys::fresh(&made.slottings).map_err(PeerError::Io)?;
            let mut message = matrices.publish().map_err(PeerError::Io)?;
            elements.publish(&mut message).map_err(PeerError::Io)?;
            channel.exchange(message, 0)?;
            Ok(Keys::Client(matrices, elements))
        }
    }
}

/// The server's weights in a bill, with their ring and their bits.
fn weights_of(bill: &[(usize, Correlation)]) -> impl Iterator<Item = (ValueId, u32, u32)> {
    bill.iter().filter_map(|(_, correlation)| match *correlation {
        Correlation::StaticMatMul { weight, bits, factor_bits, .. }
        | Correlation::StaticMul { weight, bits, factor_bits, .. } => Some((weight, bits, factor_bits)),
        _ => None,
    })
}

/// The noise that encryption allows for, and the bits that are transferred, are those of the plan's bound. Weights come with
/// their ring and their bits.
pub fn check_weights<'a>(
    plan: &Plan,
    weights: impl Iterator<Item = (ValueId, u32, u32)>,
    factor: impl Fn(ValueId) -> &'a [u64],
) -> Result<(), SessionError> {
    for (weight, bits, factor_bits) in weights {
        let ends = -(1i64 << (factor_bits - 1))..=((1u64 << (factor_bits - 1)) - 1) as i64;
        let fits = |word: &u64| ends.contains(&to_signed(*word, bits));
        if factor_bits < bits && !factor(weight).iter().all(fits) {
            let name = plan.values[weight.0 as usize].name.clone();
            return Err(SessionError::Weight { name, factor_bits });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
