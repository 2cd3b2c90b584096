//! A peer that says what the bytes tell. It keeps to frames, whose reader has a target of its own.

use std::time::Duration;

use ptc_net::channel::Binding;
use ptc_net::memory::{self, Memory};
use ptc_net::transcript::{DIGEST, Transcript};
use ptc_net::{Channel, Counters, PeerError};

use super::bytes::Bytes;

/// More than any message of the small plans here.
const LONGEST: usize = 1 << 22;

pub struct Peer {
    own: Memory,
    other: Memory,
    /// What the peer has yet to say, and how.
    script: Vec<u8>,
    at: usize,
    /// What it was told last.
    heard: Vec<u8>,
    /// The transcript before the last exchange.
    before: Transcript,
}

impl Peer {
    pub fn new(script: &[u8]) -> Peer {
        let (own, other) = memory::pair_with_timeout(Duration::from_secs(5));
        let before = own.transcript();
        Peer { own, other, script: script.to_vec(), at: 0, heard: vec![], before }
    }

    /// Of exactly `asked` bytes where the script is not wrong on purpose. None when there is nothing left to say.
    fn message(&mut self, asked: usize) -> Option<Vec<u8>> {
        let mut bytes = Bytes::new(&self.script[self.at..]);
        if bytes.is_empty() {
            return None;
        }
        let (kind, now) = (bytes.byte(), self.own.transcript());
        let message = match kind % 6 {
            // As many bytes as it likes.
            0 => {
                let length = bytes.below(1 << 10);
                bytes.take(length).to_vec()
            }
            // As many as are asked for, from a short pattern.
            1 => filled(&mut bytes, asked),
            // What it heard, here and there changed.
            2 => {
                let mut message = self.heard.clone();
                for _ in 0..bytes.below(8) {
                    let (at, value) = (bytes.below(1 << 9), bytes.byte());
                    if let Some(byte) = message.get_mut(at) {
                        *byte = value;
                    }
                }
                message
            }
            // As if it had followed the conversation.
            3 => now.others().into_iter().cycle().take(asked).collect(),
            4 => {
                let mut message = filled(&mut bytes, asked.saturating_sub(DIGEST));
                message.extend(self.before.others_tag(&message));
                message
            }
            _ => vec![bytes.byte(); asked],
        };
        self.at = self.script.len() - bytes.rest().len();
        self.before = now;
        Some(message)
    }

    fn say(&mut self, asked: usize) -> Result<(), PeerError> {
        if asked > LONGEST {
            return Err(PeerError::Closed("a message beyond all measure".into()));
        }
        match self.message(asked) {
            Some(message) => self.other.send(message),
            None => Err(PeerError::Closed("a message".into())),
        }
    }

    fn hear(&mut self) -> Result<(), PeerError> {
        self.heard = self.other.receive(usize::MAX)?;
        Ok(())
    }
}

fn filled(bytes: &mut Bytes, length: usize) -> Vec<u8> {
    let short = 1 + bytes.below(64);
    let pattern = bytes.take(short);
    if pattern.is_empty() { vec![0; length] } else { pattern.iter().copied().cycle().take(length).collect() }
}

impl Channel for Peer {
    fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        let told = !out.is_empty();
        if expect > 0 {
            self.say(expect)?;
        }
        let received = self.own.exchange(out, expect);
        if told {
            self.hear()?;
        }
        received
    }

    fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        self.own.send(message)?;
        self.hear()
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        self.say(limit)?;
        self.own.receive(limit)
    }

    fn set_patience(&mut self, _: Duration) -> Result<(), PeerError> {
        Ok(())
    }

    fn counters(&self) -> Counters {
        self.own.counters()
    }

    fn transcript(&self) -> Transcript {
        self.own.transcript()
    }

    fn binding(&self) -> Binding {
        self.own.binding()
    }
}
