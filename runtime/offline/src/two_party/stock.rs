//! Extended transfers that wait to be used, and how the rounds of a query extend them.

use std::sync::Arc;

use ptc_net::PeerError;
use ptc_ot::block::{Block, Blocks};
use ptc_ot::extension::{Started, choices};
use ptc_ot::setup::Transfers;
use ptc_plan::step::Party;
use ptc_plan::two_party::price::Parts;
use ptc_plan::two_party::schedule::Round;
use ptc_ring::BitShare;

use super::transfers::{Received, Sent};

/// The sender's side, or with choices the receiver's.
pub struct Stock {
    pads: Arc<Blocks>,
    choices: Arc<BitShare>,
    used: usize,
}

impl Stock {
    pub fn empty() -> Stock {
        Stock { pads: Arc::new(Blocks::default()), choices: Arc::new(BitShare::zeros(0)), used: 0 }
    }

    /// Adds what a sender's extension made.
    pub fn add(&mut self, made: Blocks) {
        let left = &self.pads[self.used..];
        let pads = if left.is_empty() {
            made
        } else {
            let mut all = Blocks::zeros(left.len() + made.len());
            all[..left.len()].copy_from_slice(left);
            all[left.len()..].copy_from_slice(&made);
            all
        };
        (self.pads, self.used) = (Arc::new(pads), 0);
    }

    /// Adds what a receiver's extension made.
    pub fn add_chosen(&mut self, made: Blocks) {
        self.add(made);
        self.choices = Arc::new(BitShare::new(self.pads.len(), choices(&self.pads)));
    }

    /// The next `count` transfers as the sender has them. `piece` comes once in a session and direction.
    pub fn send(&mut self, delta: Block, count: usize, piece: u64) -> Sent {
        let first = self.next(count);
        Sent::new(self.pads.clone(), delta, first, count, piece)
    }

    /// The same as the receiver has them.
    pub fn receive(&mut self, count: usize, piece: u64) -> Received {
        let first = self.next(count);
        Received::new(self.pads.clone(), self.choices.clone(), first, count, piece)
    }

    fn next(&mut self, count: usize) -> usize {
        let first = self.used;
        self.used += count;
        assert!(self.used <= self.pads.len(), "a schedule extends before it uses");
        first
    }
}

/// Transfers of both directions, and what they are extended from.
pub struct Stocks<'a> {
    /// None where a plan needs none.
    pub ends: Option<&'a mut Transfers>,
    pub sent: &'a mut Stock,
    pub received: &'a mut Stock,
}

/// The other party's message, part by part.
pub struct Incoming<'a> {
    pub parts: Parts,
    pub rest: &'a [u8],
}

impl<'a> Incoming<'a> {
    pub fn new(parts: Parts, message: &'a [u8]) -> Incoming<'a> {
        Incoming { parts, rest: message }
    }

    /// The channel has checked the whole length.
    pub fn next(&mut self, bytes: u64) -> &'a [u8] {
        let (next, rest) = self.rest.split_at(bytes as usize);
        self.rest = rest;
        next
    }
}

/// Extensions under way, by who sends in them.
pub type Extending = [Option<Started>; 2];

const NEEDED: &str = "a session whose plan needs transfers opens with them";

impl Stocks<'_> {
    /// Of what this party sends; of nothing it does not matter.
    pub fn delta(&self) -> Block {
        self.ends.as_ref().map_or(0, |ends| ends.sender.delta())
    }

    /// The first part of a round's message, if there is such a round.
    pub fn start(&mut self, party: Party, round: Option<&Round>) -> (Vec<u8>, Extending) {
        let mut message = vec![];
        let extending = [Party::Server, Party::Client].map(|sender| {
            let count = round.map_or(0, |round| round.extended[sender.index()]);
            if count == 0 {
                return None;
            }
            let ends = self.ends.as_mut().expect(NEEDED);
            let (own, started) = if sender == party { ends.sender.start(count) } else { ends.receiver.start(count) };
            message.extend(own);
            Some(started)
        });
        (message, extending)
    }

    pub fn finish(&mut self, party: Party, extending: Extending, incoming: &mut Incoming) -> Result<(), PeerError> {
        for (sender, started) in [Party::Server, Party::Client].into_iter().zip(extending) {
            let Some(started) = started else { continue };
            let message = incoming.next(incoming.parts.extended[sender.index()]);
            let ends = self.ends.as_mut().expect(NEEDED);
            if sender == party {
                self.sent.add(ends.sender.finish(started, message)?);
            } else {
                self.received.add_chosen(ends.receiver.finish(started, message)?);
            }
        }
        Ok(())
    }
}
