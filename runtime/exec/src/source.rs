//! Where a session's correlations come from: a dealer, or the two parties alone.

use std::time::Duration;

use ptc_correlation::Supply;
use ptc_net::channel::Overhead;
use ptc_net::{Channel, Counters};
use ptc_offline::dealer::{check_transcript, receive_seed};
use ptc_offline::factors::Factors;
use ptc_offline::two_party::{Progress, Session, SessionError};
use ptc_offline::{receive, weights};
use ptc_plan::Plan;
use ptc_plan::bill::{self, weight_masks};
use ptc_plan::file::{Making, Trust};
use ptc_plan::step::{Party, ValueId};
use ptc_plan::two_party::piece::{Batch, Piece, batches};

use crate::error::RunError;
use crate::prepare::Prepared;
use crate::value::Held;

pub enum Source {
    /// Seeds and corrections come over `channel`; `factors` are the client's masked weights.
    Dealer { channel: Box<dyn Channel>, factors: Factors },
    /// `patience` is for the other party's work between two messages.
    TwoParty { session: Box<Session>, patience: Duration },
}

impl Source {
    /// What is done once a session. With a dealer, the client gets the masked weights; two parties alone make base transfers
    /// and keys.
    pub fn open(
        prepared: &Prepared,
        peer: &mut dyn Channel,
        dealer: Option<Box<dyn Channel>>,
    ) -> Result<Source, RunError> {
        match (prepared.plan.trust, dealer) {
            (Trust::Dealer, Some(mut channel)) => {
                let factors = exchange_weights(prepared, peer, &mut *channel)?;
                Ok(Source::Dealer { channel, factors })
            }
            (Trust::TwoParty { making }, None) => {
                let (plan, backend) = (&prepared.plan, prepared.backend.clone());
                let patience = working_patience(plan, making);
                peer.set_patience(patience)?;
                let factor = |id| words(prepared, id);
                let session = Session::open(plan, making, prepared.party, peer, factor, backend);
                let session = Box::new(session.map_err(|error| match error {
                    SessionError::Peer(error) => RunError::Peer(error),
                    other => RunError::Weights(other),
                })?);
                peer.set_patience(Duration::ZERO)?;
                Ok(Source::TwoParty { session, patience })
            }
            (Trust::Dealer, None) => Err(RunError::Trust("a dealer")),
            (Trust::TwoParty { .. }, Some(_)) => Err(RunError::Trust("the two parties alone")),
        }
    }

    /// All that a query consumes.
    pub fn supply(
        &mut self,
        prepared: &Prepared,
        peer: &mut dyn Channel,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Supply, RunError> {
        match self {
            Source::Dealer { channel, factors } => deal(prepared, &mut **channel, factors).map_err(RunError::Dealer),
            Source::TwoParty { session, .. } => Ok(session.query(peer, |id| words(prepared, id), tell)?),
        }
    }

    /// How long the other party may be silent until both have a query's supply.
    pub fn patience(&self, prepared: &Prepared) -> Duration {
        match (self, prepared.party) {
            (Source::Dealer { .. }, Party::Server) => dealing_patience(&prepared.plan),
            (Source::Dealer { .. }, Party::Client) => Duration::ZERO,
            (Source::TwoParty { patience, .. }, _) => *patience,
        }
    }

    /// Of channels to others than the other party.
    pub fn counters(&self) -> Counters {
        match self {
            Source::Dealer { channel, .. } => channel.counters(),
            Source::TwoParty { .. } => Counters::default(),
        }
    }

    /// What encryption adds to those channels.
    pub fn overhead(&self) -> Overhead {
        match self {
            Source::Dealer { channel, .. } => channel.overhead(),
            Source::TwoParty { .. } => Overhead::default(),
        }
    }

    /// What this party's seconds went into, where that is known.
    pub fn seconds(&self) -> Vec<(&'static str, f64)> {
        match self {
            Source::Dealer { .. } => vec![],
            Source::TwoParty { session, .. } => session.spent().seconds(),
        }
    }
}

fn deal(prepared: &Prepared, dealer: &mut dyn Channel, factors: &Factors) -> Result<Supply, ptc_net::PeerError> {
    let seed = receive_seed(dealer)?;
    let supply = match prepared.party {
        Party::Server => receive::receive_server(&prepared.plan, &seed),
        Party::Client => receive::receive_client(&prepared.plan, &seed, factors, &*prepared.backend, dealer)?,
    };
    check_transcript(dealer)?;
    Ok(supply)
}

/// A server waits while the client receives its corrections: as long as the slowest link worth running on takes.
fn dealing_patience(plan: &Plan) -> Duration {
    const SLOWEST_BYTES_A_SECOND: u64 = 125_000;
    Duration::from_secs(bill::offline(plan).dealer_to_client / SLOWEST_BYTES_A_SECOND)
}

/// Between two messages the other party works on a few batches: as long as the slowest machine worth running on takes.
fn working_patience(plan: &Plan, making: Making) -> Duration {
    const SLOWEST_TRANSFERS_A_SECOND: usize = 1_000_000;
    const BATCHES: usize = 3;
    let work = |batch: Batch| batch.pieces.iter().map(Piece::work).sum();
    let most: usize = batches(plan, making).into_iter().map(work).max().unwrap_or(0);
    Duration::from_secs((BATCHES * most / SLOWEST_TRANSFERS_A_SECOND) as u64)
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
