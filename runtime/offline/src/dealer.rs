//! A dealer's session over its two channels: the weight masks once, then query after query. A query ends with a digest of all that
//! the dealer and a party have sent each other: where it is not what the party has, nothing of the query is used.

use ptc_kernels::Backend;
use ptc_net::transcript::DIGEST;
use ptc_net::{Channel, PeerError};
use ptc_plan::Plan;
use ptc_plan::bill::SEED_BYTES;
use ptc_ring::Seed;

use crate::deal::{QuerySeeds, deal};
use crate::factors::Factors;
use crate::weights::expand_masks;

/// The dealer's state in a session of one plan.
pub struct Session<'a> {
    plan: &'a Plan,
    backend: &'a dyn Backend,
    masks: Factors,
}

impl<'a> Session<'a> {
    /// Draws the weight masks' seed and gives it to the server.
    pub fn open(plan: &'a Plan, backend: &'a dyn Backend, server: &mut dyn Channel) -> Result<Session<'a>, PeerError> {
        let seed = fresh_seed()?;
        send_seed(server, &seed)?;
        Ok(Session { plan, backend, masks: expand_masks(plan, &seed, backend) })
    }

    /// One query: a seed to each party, the corrections to the client; to both what the dealer has seen.
    pub fn query(&self, server: &mut dyn Channel, client: &mut dyn Channel) -> Result<(), PeerError> {
        let seeds = QuerySeeds { server: fresh_seed()?, client: fresh_seed()? };
        send_seed(server, &seeds.server)?;
        tell_transcript(server)?;
        send_seed(client, &seeds.client)?;
        deal(self.plan, &seeds, &self.masks, self.backend, |chunk| client.send(chunk))?;
        tell_transcript(client)
    }
}

/// A party's side: the seed of the session's weight masks (server), or of a query.
pub fn receive_seed(dealer: &mut dyn Channel) -> Result<Seed, PeerError> {
    let message = dealer.receive(SEED_BYTES as usize)?;
    let found = message.len();
    let bytes = message.try_into().map_err(|_| PeerError::WrongLength { expected: SEED_BYTES as usize, found })?;
    Ok(Seed::from_bytes(bytes))
}

/// A party's side: the end of a query's messages.
pub fn check_transcript(dealer: &mut dyn Channel) -> Result<(), PeerError> {
    let seen = dealer.transcript();
    if dealer.receive(DIGEST)? == seen.others() { Ok(()) } else { Err(PeerError::TranscriptsDiffer) }
}

fn tell_transcript(party: &mut dyn Channel) -> Result<(), PeerError> {
    let seen = party.transcript();
    party.send(seen.own().to_vec())
}

fn send_seed(party: &mut dyn Channel, seed: &Seed) -> Result<(), PeerError> {
    party.send(seed.as_bytes().to_vec())
}

fn fresh_seed() -> Result<Seed, PeerError> {
    Seed::fresh().map_err(PeerError::Io)
}
