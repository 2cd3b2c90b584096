//! What a channel offers, over whatever it runs.

use std::time::Duration;

use crate::error::PeerError;
use crate::transcript::Transcript;

/// A connection to one peer.
pub trait Channel: Send {
    /// One round: both parties send at the same time, then have what the other sent, which has exactly `expect` bytes.
    /// An empty `out` sends nothing, `expect == 0` receives nothing.
    fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError>;

    /// One message outside of the rounds: handshake and streams.
    fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError>;

    /// The next message, of at most `limit` bytes.
    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError>;

    /// From here on the peer may be silent for `patience`, because it has work of its own between its messages. The
    /// channel's own limit holds where that is longer.
    fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError>;

    fn counters(&self) -> Counters;

    /// Of all frames so far, in each direction. A channel over another one passes on that of the other.
    fn transcript(&self) -> Transcript;

    /// What tells this connection from every other. Nothing where it is not encrypted. A channel over another one passes on
    /// that of the other.
    fn binding(&self) -> Binding;

    /// Bytes beside the frames. None where nothing is encrypted.
    fn overhead(&self) -> Overhead {
        Overhead::default()
    }
}

/// An encrypted connection: keying material that only its two ends have, and their public keys. Zeros where it is plain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Binding {
    pub exporter: [u8; 32],
    pub own: [u8; 32],
    pub peer: [u8; 32],
}

/// What encryption adds to frames: records and the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    pub sent: u64,
    pub received: u64,
}

impl std::ops::Add for Overhead {
    type Output = Overhead;

    fn add(self, other: Overhead) -> Overhead {
        Overhead { sent: self.sent + other.sent, received: self.received + other.received }
    }
}

/// What has gone through a channel, frame headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Exchanges in which at least one byte went either way.
    pub rounds: u64,
    pub sent: u64,
    pub received: u64,
}

impl Counters {
    /// What was added after `earlier` was taken.
    pub fn since(self, earlier: Counters) -> Counters {
        Counters {
            rounds: self.rounds - earlier.rounds,
            sent: self.sent - earlier.sent,
            received: self.received - earlier.received,
        }
    }
}

impl std::ops::Add for Counters {
    type Output = Counters;

    fn add(self, other: Counters) -> Counters {
        Counters {
            rounds: self.rounds + other.rounds,
            sent: self.sent + other.sent,
            received: self.received + other.received,
        }
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<C: Channel + ?Sized> Channel for $pointer {
            fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
                (**self).exchange(out, expect)
            }

            fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
                (**self).send(message)
            }

            fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
                (**self).receive(limit)
            }

            fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError> {
                (**self).set_patience(patience)
            }

            fn counters(&self) -> Counters {
                (**self).counters()
            }

            fn transcript(&self) -> Transcript {
                (**self).transcript()
            }

            fn binding(&self) -> Binding {
                (**self).binding()
            }

            fn overhead(&self) -> Overhead {
                (**self).overhead()
            }
        }
    )*};
}

forward!(Box<C>, &mut C);
