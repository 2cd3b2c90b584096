//! Frames: eight header bytes, then the payload. What is common to all channels: numbering, checks and counting.

use crate::channel::Counters;
use crate::error::PeerError;
use ptc_plan::price::FRAME_HEADER;

pub(crate) const HEADER: usize = FRAME_HEADER as usize;

/// Numbers the frames of both directions and counts their bytes.
#[derive(Default)]
pub(crate) struct Ledger {
    sent_frames: u32,
    received_frames: u32,
    pub(crate) counters: Counters,
}

impl Ledger {
    /// The header of the next frame to be sent.
    pub(crate) fn outgoing(&mut self, payload: usize) -> Result<[u8; HEADER], PeerError> {
        let length = u32::try_from(payload).map_err(|_| PeerError::MessageTooLarge(payload))?;
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4..].copy_from_slice(&self.sent_frames.to_le_bytes());
        self.sent_frames = self.sent_frames.wrapping_add(1);
        self.counters.sent += FRAME_HEADER + u64::from(length);
        Ok(header)
    }

    /// The payload's length, once it is known to be acceptable.
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
                Ok(found)
            }
        }
    }

    pub(crate) fn round(&mut self, out: usize, expect: usize) {
        self.counters.rounds += u64::from(out > 0 || expect > 0);
    }
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
        assert_eq!(ledger.outgoing(7).unwrap(), header(7, 0));
        assert_eq!(ledger.outgoing(0).unwrap(), header(0, 1));
        assert_eq!(ledger.counters.sent, 23);
        assert!(matches!(ledger.outgoing(1 << 40), Err(PeerError::MessageTooLarge(_))));
    }
}
