//! What making a piece goes through: a message to the other party, then the other's message, then its parts.

use std::ops::{Deref, DerefMut};

use ptc_correlation::assemble::Piece as Part;
use ptc_correlation::{Packed, Planes};
use ptc_net::PeerError;
use ptc_ring::Share;
use ptc_ring::tensor::wipe;

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

pub fn planes(count: usize, planes: usize, mut words: Words) -> Part {
    Part::Planes(Planes::from_words(count, planes, std::mem::take(&mut words.0)))
}

/// Words of secret planes: zeroed when they go.
#[derive(Default)]
pub struct Words(Vec<u64>);

impl Words {
    pub fn new(words: Vec<u64>) -> Words {
        Words(words)
    }

    /// What is appended up to so many words does not move what is there.
    pub fn with_capacity(words: usize) -> Words {
        Words(Vec::with_capacity(words))
    }

    pub fn extend(&mut self, words: impl IntoIterator<Item = u64>) {
        self.0.extend(words);
    }

    /// Appends zeros, to be overwritten.
    pub fn more(&mut self, words: usize) -> &mut [u64] {
        let first = self.0.len();
        self.0.resize(first + words, 0);
        &mut self.0[first..]
    }
}

impl Deref for Words {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.0
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// The words of planes whose length was checked.
pub fn parse_planes(message: &[u8]) -> Vec<u64> {
    message.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}
