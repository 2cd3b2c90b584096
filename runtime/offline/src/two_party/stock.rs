//! Extended transfers of one direction that wait to be used.

use std::sync::Arc;

use ptc_ot::block::{Block, Blocks};
use ptc_ot::extension::choices;
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
