//! What making a piece goes through: a message to the other party, then the other's message, then its parts.

use ptc_correlation::assemble::Piece as Part;
use ptc_correlation::{Packed, Planes};
use ptc_net::PeerError;
use ptc_ring::Share;

type Finish = Box<dyn FnOnce(&[u8]) -> Result<Vec<Part>, PeerError> + Send>;

/// A piece whose message is ready to be sent.
pub struct Started {
    pub message: Vec<u8>,
    finish: Finish,
}

impl Started {
    pub fn new(
        message: Vec<u8>,
        finish: impl FnOnce(&[u8]) -> Result<Vec<Part>, PeerError> + Send + 'static,
    ) -> Started {
        Started { message, finish: Box::new(finish) }
    }

    /// The parts of the piece, as [`ptc_correlation::assemble::parts`] lists them, given the other party's message.
    pub fn finish(self, message: &[u8]) -> Result<Vec<Part>, PeerError> {
        (self.finish)(message)
    }
}

/// A part from its elements, reduced.
pub fn ring(share: Share) -> Part {
    Part::Ring(Packed::from_data(share.bits, &share.data))
}

pub fn planes(count: usize, planes: usize, words: Vec<u64>) -> Part {
    Part::Planes(Planes::from_words(count, planes, words))
}

/// The words of planes whose length was checked.
pub fn parse_planes(message: &[u8]) -> Vec<u64> {
    message.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}
