//! Two ends in one process: for `ptc sim` and for tests. The same frames, checks and counters as over a wire.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::channel::{Binding, Channel, Counters};
use crate::error::PeerError;
use crate::frame::{Accepted, HEADER, Ledger};
use crate::transcript::Transcript;

const IDLE: Duration = Duration::from_secs(60);

type Frame = ([u8; HEADER], Vec<u8>);

pub struct Memory {
    out: Sender<Frame>,
    incoming: Receiver<Frame>,
    ledger: Ledger,
    idle: Duration,
    patience: Duration,
}

/// Both ends of a channel.
pub fn pair() -> (Memory, Memory) {
    pair_with_timeout(IDLE)
}

/// The same with another patience than 60 s.
pub fn pair_with_timeout(idle: Duration) -> (Memory, Memory) {
    let ((to_b, from_a), (to_a, from_b)) = (channel(), channel());
    let end = |out, incoming| Memory { out, incoming, ledger: Ledger::default(), idle, patience: Duration::ZERO };
    (end(to_b, from_b), end(to_a, from_a))
}

impl Memory {
    fn post(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        let header = self.ledger.outgoing(&message)?;
        self.out.send((header, message)).map_err(|_| PeerError::Closed("room for a message".into()))
    }

    fn next(&mut self, accepted: Accepted) -> Result<Vec<u8>, PeerError> {
        let idle = self.idle.max(self.patience);
        let (header, payload) = self.incoming.recv_timeout(idle).map_err(|error| match error {
            RecvTimeoutError::Timeout => PeerError::Stalled { waiting: "a message".into(), idle },
            RecvTimeoutError::Disconnected => PeerError::Closed("a message".into()),
        })?;
        self.ledger.incoming(header, accepted)?;
        self.ledger.took(&payload);
        Ok(payload)
    }
}

impl Channel for Memory {
    fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        self.ledger.round(out.len(), expect);
        if !out.is_empty() {
            self.post(out)?;
        }
        if expect == 0 { Ok(vec![]) } else { self.next(Accepted::Exactly(expect)) }
    }

    fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        self.post(message)
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        self.next(Accepted::AtMost(limit))
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError> {
        self.patience = patience;
        Ok(())
    }

    fn counters(&self) -> Counters {
        self.ledger.counters
    }

    fn transcript(&self) -> Transcript {
        self.ledger.transcript()
    }

    fn binding(&self) -> Binding {
        Binding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_goes_both_ways() {
        let (mut a, mut b) = pair();
        let other = std::thread::spawn(move || (b.exchange(vec![1, 2], 3).unwrap(), b.counters()));
        assert_eq!(a.exchange(vec![3, 4, 5], 2).unwrap(), [1, 2]);
        let (received, counters) = other.join().unwrap();
        assert_eq!(received, [3, 4, 5]);
        assert_eq!(a.counters(), Counters { rounds: 1, sent: 11, received: 10 });
        assert_eq!(counters, Counters { rounds: 1, sent: 10, received: 11 });
    }

    #[test]
    fn nothing_to_say_is_no_round() {
        let (mut a, _b) = pair();
        assert!(a.exchange(vec![], 0).unwrap().is_empty());
        assert_eq!(a.counters(), Counters::default());
    }

    #[test]
    fn one_way_is_a_round_for_both() {
        let (mut a, mut b) = pair();
        assert!(a.exchange(vec![9], 0).unwrap().is_empty());
        assert_eq!(b.exchange(vec![], 1).unwrap(), [9]);
        assert_eq!((a.counters().rounds, b.counters().rounds), (1, 1));
        assert_eq!((a.counters().received, b.counters().sent), (0, 0));
    }

    #[test]
    fn a_wrong_length_a_silence_and_an_end_are_told_apart() {
        let (mut a, mut b) = pair_with_timeout(Duration::from_millis(20));
        a.send(vec![0; 4]).unwrap();
        assert!(matches!(b.exchange(vec![], 3), Err(PeerError::WrongLength { expected: 3, found: 4 })));
        let error = b.receive(10).unwrap_err();
        assert_eq!(error.to_string().lines().next(), Some("the peer stalled: a message did not move for 0.02 s"));
        drop(a);
        assert!(matches!(b.receive(10), Err(PeerError::Closed(_))));
        assert!(matches!(b.send(vec![1]), Err(PeerError::Closed(_))));
    }
}
