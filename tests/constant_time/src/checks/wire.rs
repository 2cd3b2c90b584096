//! A channel for secrets.

use std::time::Duration;

use ptc_net::memory::Memory;
use ptc_net::{Channel, Counters, PeerError, Transcript};

use crate::valgrind::public;

/// Valgrind is slow.
pub const PATIENCE: Duration = Duration::from_secs(1200);

/// What is sent is known to both: a message that has come is public.
pub struct Wire(pub Memory);

impl Channel for Wire {
    fn exchange(&mut self, mut out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        public(&mut out);
        self.0.exchange(out, expect)
    }

    fn send(&mut self, mut message: Vec<u8>) -> Result<(), PeerError> {
        public(&mut message);
        self.0.send(message)
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        self.0.receive(limit)
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError> {
        self.0.set_patience(patience)
    }

    fn counters(&self) -> Counters {
        self.0.counters()
    }

    fn transcript(&self) -> Transcript {
        self.0.transcript()
    }

    fn binding(&self) -> ptc_net::channel::Binding {
        self.0.binding()
    }
}
