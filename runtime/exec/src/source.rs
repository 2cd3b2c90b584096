//! Where a session's correlations come from: a dealer, or the two parties alone.

use std::time::Duration;

use ptc_correlation::Supply;
use ptc_net::{Channel, Counters};
use ptc_offline::dealer::receive_seed;
use ptc_offline::factors::Factors;
use ptc_offline::{receive, weights};
use ptc_plan::Plan;
use ptc_plan::bill::{self, weight_masks};
use ptc_plan::step::{Party, ValueId};

use crate::error::RunError;
use crate::prepare::Prepared;
use crate::value::Held;

pub enum Source {
    /// Seeds and corrections come over `channel`; `factors` are the client's masked weights.
    Dealer { channel: Box<dyn Channel>, factors: Factors },
}

impl Source {
    /// What is done once a session: with a dealer, the client gets the masked weights.
    pub fn open(
        prepared: &Prepared,
        peer: &mut dyn Channel,
        dealer: Option<Box<dyn Channel>>,
    ) -> Result<Source, RunError> {
        match dealer {
            Some(mut channel) => {
                let factors = exchange_weights(prepared, peer, &mut *channel)?;
                Ok(Source::Dealer { channel, factors })
            }
            None => Err(RunError::Trust("the two parties alone")),
        }
    }

    /// All that a query consumes.
    pub fn supply(&mut self, prepared: &Prepared, _peer: &mut dyn Channel) -> Result<Supply, RunError> {
        match self {
            Source::Dealer { channel, factors } => deal(prepared, &mut **channel, factors).map_err(RunError::Dealer),
        }
    }

    /// How long the other party may be silent after this one has its supply.
    pub fn patience(&self, prepared: &Prepared) -> Duration {
        match (self, prepared.party) {
            (Source::Dealer { .. }, Party::Server) => dealing_patience(&prepared.plan),
            (Source::Dealer { .. }, Party::Client) => Duration::ZERO,
        }
    }

    /// Of channels to others than the other party.
    pub fn counters(&self) -> Counters {
        match self {
            Source::Dealer { channel, .. } => channel.counters(),
        }
    }
}

fn deal(prepared: &Prepared, dealer: &mut dyn Channel, factors: &Factors) -> Result<Supply, ptc_net::PeerError> {
    let seed = receive_seed(dealer)?;
    match prepared.party {
        Party::Server => Ok(receive::receive_server(&prepared.plan, &seed)),
        Party::Client => receive::receive_client(&prepared.plan, &seed, factors, &*prepared.backend, dealer),
    }
}

/// A server waits while the client receives its corrections: as long as the slowest link worth running on takes.
fn dealing_patience(plan: &Plan) -> Duration {
    const SLOWEST_BYTES_A_SECOND: u64 = 125_000;
    Duration::from_secs(bill::offline(plan).dealer_to_client / SLOWEST_BYTES_A_SECOND)
}

fn exchange_weights(
    prepared: &Prepared,
    peer: &mut dyn Channel,
    dealer: &mut dyn Channel,
) -> Result<Factors, RunError> {
    let plan = &prepared.plan;
    match prepared.party {
        Party::Server => {
            let seed = receive_seed(dealer).map_err(RunError::Dealer)?;
            if !weight_masks(plan).is_empty() {
                weights::open_weights(plan, &seed, |id| words(prepared, id), peer)?;
            }
            Ok(Factors::default())
        }
        Party::Client => Ok(weights::receive_weights(plan, &*prepared.backend, peer)?),
    }
}

/// The server's encoded weight.
pub fn words(prepared: &Prepared, id: ValueId) -> &[u64] {
    match &prepared.values[id.0 as usize] {
        Some(Held::Encoded(encoded)) => &encoded.data,
        _ => panic!("a masked weight depends on parameters alone"),
    }
}
