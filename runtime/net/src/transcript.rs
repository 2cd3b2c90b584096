//! What has gone through a channel, as two hashes: every frame that was sent, and every frame that was received.
//!
//! What one side has sent is what the other has received, unless something between them changed it. Each side tells the
//! other its digest before a value is opened. BLAKE3, which costs little beside any link; the hash covers frame headers,
//! so that two messages never look like one.

use blake3::Hasher;
use ptc_plan::price;

/// Of all frames so far, in each direction.
#[derive(Clone, Copy, Debug)]
pub struct Transcript {
    sent: [u8; 32],
    received: [u8; 32],
}

/// Bytes of a digest, and of a tag.
pub const DIGEST: usize = price::DIGEST as usize;

const PURPOSE: &str = "ptc 2026 transcript of a channel";

impl Transcript {
    /// What this side tells the other.
    pub fn own(&self) -> [u8; DIGEST] {
        digest(&self.sent, &self.received)
    }

    /// What the other side has to tell: it differs from [`Transcript::own`], so that nobody answers with what it was sent.
    pub fn others(&self) -> [u8; DIGEST] {
        digest(&self.received, &self.sent)
    }

    /// Binds a message of this side to everything before it.
    pub fn tag(&self, message: &[u8]) -> [u8; DIGEST] {
        blake3::keyed_hash(&self.own(), message).into()
    }

    /// The tag that the other side's message has to have.
    pub fn others_tag(&self, message: &[u8]) -> [u8; DIGEST] {
        blake3::keyed_hash(&self.others(), message).into()
    }
}

fn digest(from: &[u8; 32], to: &[u8; 32]) -> [u8; DIGEST] {
    let mut hasher = Hasher::new_derive_key(PURPOSE);
    hasher.update(from).update(to);
    hasher.finalize().into()
}

/// The hashes as they grow.
#[derive(Default)]
pub(crate) struct Running {
    pub(crate) sent: Hasher,
    pub(crate) received: Hasher,
}

impl Running {
    pub(crate) fn now(&self) -> Transcript {
        Transcript { sent: self.sent.finalize().into(), received: self.received.finalize().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(server: &[&[u8]], client: &[&[u8]]) -> [Transcript; 2] {
        let (mut own, mut other) = (Running::default(), Running::default());
        for message in server {
            own.sent.update(message);
            other.received.update(message);
        }
        for message in client {
            other.sent.update(message);
            own.received.update(message);
        }
        [own.now(), other.now()]
    }

    #[test]
    fn each_side_knows_what_the_other_tells() {
        let [a, b] = sides(&[b"one", b"two"], &[b"three"]);
        assert_eq!((a.own(), a.others()), (b.others(), b.own()));
        assert_eq!((a.tag(b"m"), a.others_tag(b"m")), (b.others_tag(b"m"), b.tag(b"m")));
        // Even where nothing was said, an echo is not the answer once something was.
        assert_ne!(a.own(), a.others());
        assert_ne!(a.tag(b"m"), a.tag(b"n"));
    }

    #[test]
    fn a_changed_byte_changes_both_digests() {
        let [a, _] = sides(&[b"one"], &[b"three"]);
        let [_, b] = sides(&[b"one"], &[b"thsee"]);
        assert_ne!(a.own(), b.others());
        assert_ne!(a.others(), b.own());
    }
}
