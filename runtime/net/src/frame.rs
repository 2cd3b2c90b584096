//! Frames: eight header bytes, then the payload. What is common to all channels: numbering, checks, counting and hashing.

use crate::channel::Counters;
use crate::error::PeerError;
use crate::transcript::{Running, Transcript};
use ptc_plan::price::FRAME_HEADER;

pub(crate) const HEADER: usize = FRAME_HEADER as usize;

/// Numbers the frames of both directions, counts their bytes and hashes them.
#[derive(Default)]
pub(crate) struct Ledger {
    sent_frames: u32,
    received_frames: u32,
    pub(crate) counters: Counters,
    hashes: Running,
}

impl Ledger {
    /// The header of the next frame to be sent.
    pub(crate) fn outgoing(&mut self, payload: &[u8]) -> Result<[u8; HEADER], PeerError> {
        let length = length(payload.len())?;
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4..].copy_from_slice(&self.sent_frames.to_le_bytes());
        self.sent_frames = self.sent_frames.wrapping_add(1);
        self.counters.sent += FRAME_HEADER + u64::from(length);
        self.hashes.sent.update(&header).update(payload);
        Ok(header)
    }

    /// The payload's length, once it is known to be acceptable. The payload goes to [`Ledger::took`].
    pub(crate) fn incoming(&mut self, header: [u8; HEADER], accepted: Accepted) -> Result<usize, PeerError> {
        let [a, b, c, d, e, f, g, h] = header;
        let (length, sequence) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if sequence != self.received_frames {
            return Err(PeerError::OutOfOrder { expected: self.received_frames, found: sequence });
        }
        let found = usize::try_from(length).map_err(|_| PeerError::MessageTooLarge(usize::MAX))?;
        match accepted {
            Accepted::Exactly(expected) if found != expected => Err(PeerError::WrongLength { expected, found }),
            Accepted::AtMost(limit) if found > limit => Err(PeerError::TooLong { limit, found }),
            _ => {
                self.received_frames = self.received_frames.wrapping_add(1);
                self.counters.received += FRAME_HEADER + u64::from(length);
                self.hashes.received.update(&header);
                Ok(found)
            }
        }
    }

    /// The payload of the frame whose header came last.
    pub(crate) fn took(&mut self, payload: &[u8]) {
        self.hashes.received.update(payload);
    }

    pub(crate) fn transcript(&self) -> Transcript {
        self.hashes.now()
    }

    /// Whether nothing has come yet.
    pub(crate) fn is_new(&self) -> bool {
        self.counters.received == 0
    }

    pub(crate) fn round(&mut self, out: usize, expect: usize) {
        self.counters.rounds += u64::from(out > 0 || expect > 0);
    }
}

fn length(payload: usize) -> Result<u32, PeerError> {
    u32::try_from(payload).map_err(|_| PeerError::MessageTooLarge(payload))
}

/// Which lengths of a message are fine.
#[derive(Clone, Copy)]
pub(crate) enum Accepted {
    Exactly(usize),
    AtMost(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u32, sequence: u32) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4..].copy_from_slice(&sequence.to_le_bytes());
        bytes
    }

    #[test]
    fn numbers_and_lengths_are_checked() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.incoming(header(5, 0), Accepted::Exactly(5)).unwrap(), 5);
        let error = ledger.incoming(header(5, 0), Accepted::Exactly(5)).unwrap_err();
        assert_eq!(error.to_string().lines().next(), Some("the peer sent message 0 where message 1 was expected"));
        let error = ledger.incoming(header(6, 1), Accepted::Exactly(5)).unwrap_err();
        assert_eq!(error.to_string().lines().next(), Some("the peer sent a message of 6 bytes where 5 were expected"));
        let error = ledger.incoming(header(u32::MAX, 1), Accepted::AtMost(9)).unwrap_err();
        assert_eq!(
            error.to_string().lines().next(),
            Some("the peer announced a message of 4294967295 bytes where at most 9 are accepted")
        );
        assert_eq!(ledger.incoming(header(0, 1), Accepted::AtMost(9)).unwrap(), 0);
        assert_eq!(ledger.counters, Counters { rounds: 0, sent: 0, received: 21 });
    }

    #[test]
    fn frames_are_numbered_in_order() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.outgoing(&[0; 7]).unwrap(), header(7, 0));
        assert_eq!(ledger.outgoing(&[]).unwrap(), header(0, 1));
        assert_eq!(ledger.counters.sent, 23);
        assert!(matches!(length(1 << 40), Err(PeerError::MessageTooLarge(_))));
    }
}
