//! Extending transfers, whichever way: both roles start, one of them has a message, both finish.
//!
//! Output: at the sender `q`, at the receiver `t = q ^ c·delta`. The choices `c` are random and the lowest bits of `t`; those
//! of `q` are zero. What a message reveals and costs is said in [`crate::subfield`] and [`crate::silent`]. The caller
//! sends the messages in whatever exchange it has: nothing here waits.

use ptc_net::PeerError;
use ptc_plan::two_party::transfer::SILENT_BATCH;

use crate::block::{Block, Blocks};
use crate::silent::parameters::ANSWER_BYTES;
use crate::{silent, subfield};

pub enum Sender {
    Subfield(subfield::Sender),
    Silent(silent::Sender),
}

pub enum Receiver {
    Subfield(subfield::Receiver),
    Silent(silent::Receiver),
}

/// An extension under way.
pub enum Started {
    /// This side is done; the other speaks no more.
    Made(Blocks),
    /// So many transfers wait for the other's message.
    Awaited(usize),
}

impl Sender {
    pub fn delta(&self) -> Block {
        match self {
            Sender::Subfield(sender) => sender.delta(),
            Sender::Silent(sender) => sender.delta(),
        }
    }

    /// An extension by `count`, which is what [`ptc_plan::two_party::transfer::Extension::yields`]; the message to send, if
    /// it is not empty.
    pub fn start(&mut self, count: usize) -> (Vec<u8>, Started) {
        match self {
            Sender::Subfield(_) => (vec![], Started::Awaited(count)),
            Sender::Silent(sender) => {
                let (mut q, mut messages) = (Blocks::zeros(count), Vec::with_capacity(batches(count) * ANSWER_BYTES));
                q.chunks_mut(SILENT_BATCH).for_each(|q| messages.extend(sender.answer(q)));
                (messages, Started::Made(q))
            }
        }
    }

    /// With the receiver's message.
    pub fn finish(&mut self, started: Started, message: &[u8]) -> Result<Blocks, PeerError> {
        match (self, started) {
            (Sender::Subfield(sender), Started::Awaited(count)) => sender.answer(count, message),
            (_, Started::Made(blocks)) => silence(message).map(|()| blocks),
            (Sender::Silent(_), Started::Awaited(_)) => unreachable!("a silent sender does not wait"),
        }
    }
}

impl Receiver {
    /// As [`Sender::start`].
    pub fn start(&mut self, count: usize) -> (Vec<u8>, Started) {
        match self {
            Receiver::Subfield(receiver) => {
                let (message, blocks) = receiver.request(count);
                (message, Started::Made(blocks))
            }
            Receiver::Silent(_) => (vec![], Started::Awaited(count)),
        }
    }

    /// With the sender's message.
    pub fn finish(&mut self, started: Started, message: &[u8]) -> Result<Blocks, PeerError> {
        match (self, started) {
            (Receiver::Silent(receiver), Started::Awaited(count)) => {
                let expected = batches(count) * ANSWER_BYTES;
                if message.len() != expected {
                    return Err(PeerError::WrongLength { expected, found: message.len() });
                }
                let mut t = Blocks::zeros(count);
                let mut answers = t.chunks_mut(SILENT_BATCH).zip(message.chunks(ANSWER_BYTES));
                answers.try_for_each(|(t, answer)| receiver.complete(answer, t))?;
                Ok(t)
            }
            (_, Started::Made(blocks)) => silence(message).map(|()| blocks),
            (Receiver::Subfield(_), Started::Awaited(_)) => unreachable!("this receiver does not wait"),
        }
    }
}

/// The choices of received transfers, 64 to a word.
pub fn choices(t: &[Block]) -> Vec<u64> {
    // Bits that do not wait for each other: the compiler takes several at a time.
    let word = |t: &[Block]| t.iter().enumerate().fold(0, |word, (at, t)| word | (*t as u64 & 1) << at);
    let (whole, rest) = t.as_chunks::<64>();
    whole.iter().map(|t| word(t)).chain((!rest.is_empty()).then(|| word(rest))).collect()
}

fn batches(count: usize) -> usize {
    assert!(count.is_multiple_of(SILENT_BATCH), "{count} transfers are no whole batches");
    count / SILENT_BATCH
}

fn silence(message: &[u8]) -> Result<(), PeerError> {
    if message.is_empty() { Ok(()) } else { Err(PeerError::WrongLength { expected: 0, found: message.len() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_plan::two_party::transfer::{Extension, SILENT_RESERVE};

    #[test]
    fn the_plan_knows_the_sizes() {
        use silent::parameters::{BATCH, RESERVE};
        assert_eq!((SILENT_RESERVE, SILENT_BATCH), (RESERVE, BATCH));
        assert_eq!(Extension::Silent.bytes(3 * BATCH).sender, 3 * ANSWER_BYTES as u64);
        for bits in [1, 2, 4, 8] {
            for count in [1, 128, 129, 1000] {
                let bytes = Extension::Subfield { bits }.bytes(count).receiver;
                assert_eq!(bytes, subfield::request_bytes(bits, count) as u64);
            }
        }
    }

    #[test]
    fn choices_are_packed_lowest_first() {
        let t: Vec<Block> = (0..70).map(|at| Block::from(at % 3 == 0) | 2).collect();
        let words = choices(&t);
        assert_eq!(words.len(), 2);
        assert!((0..70).all(|at| crate::block::bit(&words, at) == u64::from(at % 3 == 0)));
        assert_eq!(words[1] >> 6, 0);
    }

    #[test]
    fn words_where_none_are_due_are_refused() {
        let (mut sender, mut receiver) = subfield::tests::pair(2, 1);
        let (message, t) = receiver.request(10);
        let mut receiver = Receiver::Subfield(receiver);
        let refused = receiver.finish(Started::Made(t), &[0]);
        assert!(matches!(refused, Err(PeerError::WrongLength { expected: 0, found: 1 })));
        assert!(sender.answer(10, &message).is_ok());
    }
}
