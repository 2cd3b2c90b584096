//! A long text sealed in pieces by AES-128-GCM (NIST SP 800-38D).
//!
//! Each piece of a text has its own nonce, its number, and is bound to `context`, its number and the number of all pieces.
//! A key seals one text only, so no nonce comes twice. What was sealed is read in order and checked before it is given out.

use std::io::{self, Read, Write};

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, KeyInit, Tag};

use crate::pool::header::Header;
use crate::pool::key::FileKey;

const CHUNK: usize = 1 << 20;
const TAG: usize = 16;

pub enum Failure {
    Io(io::Error),
    /// Not what was sealed with this key and context.
    Forged,
}

/// Bytes of a sealed text of `length` bytes.
pub fn sealed_bytes(length: u64) -> u64 {
    length + TAG as u64 * chunks(length)
}

/// An empty text is one piece too.
fn chunks(length: u64) -> u64 {
    length.div_ceil(CHUNK as u64).max(1)
}

/// What both sides of sealing know.
struct Seals {
    cipher: Aes128Gcm,
    context: Vec<u8>,
    /// Of the text, not yet in a finished piece.
    left: u64,
    next: u64,
    chunks: u64,
}

impl Seals {
    fn new(key: FileKey, header: [u8; Header::BYTES], index: Option<u32>, length: u64) -> Seals {
        let mut context = header.to_vec();
        context.extend(index.into_iter().flat_map(u32::to_le_bytes));
        Seals { cipher: Aes128Gcm::new((&*key.0).into()), context, left: length, next: 0, chunks: chunks(length) }
    }

    /// Length, nonce and bound data of the next piece.
    fn advance(&mut self) -> (usize, [u8; 12], Vec<u8>) {
        let length = self.left.min(CHUNK as u64);
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.next.to_le_bytes());
        let bound = [&self.context[..], &self.next.to_le_bytes(), &self.chunks.to_le_bytes()].concat();
        self.left -= length;
        self.next += 1;
        (length as usize, nonce, bound)
    }
}

pub struct Sealer<W> {
    out: W,
    seals: Seals,
    chunk: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    /// For exactly `length` bytes.
    pub fn new(out: W, key: FileKey, header: [u8; Header::BYTES], index: Option<u32>, length: u64) -> Sealer<W> {
        Sealer { out, seals: Seals::new(key, header, index, length), chunk: Vec::with_capacity(CHUNK) }
    }

    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            if self.chunk.len() == CHUNK {
                self.seal()?;
            }
            bytes = later;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        if self.seals.next < self.seals.chunks {
            self.seal()?;
        }
        assert!(self.seals.next == self.seals.chunks && self.seals.left == 0, "a text of another length");
        Ok(())
    }

    fn seal(&mut self) -> io::Result<()> {
        let (length, nonce, bound) = self.seals.advance();
        assert_eq!(length, self.chunk.len(), "a text of another length");
        let sealed = self.seals.cipher.encrypt_inout_detached(&nonce.into(), &bound, self.chunk.as_mut_slice().into());
        let tag = sealed.expect("a piece is far shorter than the cipher's limit");
        self.out.write_all(&self.chunk)?;
        self.out.write_all(&tag)?;
        self.chunk.clear();
        Ok(())
    }
}

impl<W> Drop for Sealer<W> {
    fn drop(&mut self) {
        wipe(&mut self.chunk);
    }
}

pub struct Opener<R> {
    input: R,
    seals: Seals,
    chunk: Vec<u8>,
    read: usize,
}

impl<R: Read> Opener<R> {
    /// For exactly `length` bytes.
    pub fn new(input: R, key: FileKey, header: [u8; Header::BYTES], index: Option<u32>, length: u64) -> Opener<R> {
        Opener { input, seals: Seals::new(key, header, index, length), chunk: Vec::with_capacity(CHUNK), read: 0 }
    }

    /// The next bytes.
    pub fn fill(&mut self, mut out: &mut [u8]) -> Result<(), Failure> {
        // The piece of an empty text is checked too.
        while !out.is_empty() || self.seals.next == 0 {
            if self.read == self.chunk.len() {
                self.open()?;
            }
            let count = out.len().min(self.chunk.len() - self.read);
            let (now, later) = out.split_at_mut(count);
            now.copy_from_slice(&self.chunk[self.read..][..count]);
            self.read += count;
            out = later;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), Failure> {
        assert!(self.seals.next < self.seals.chunks, "read beyond the end of a text");
        let (length, nonce, bound) = self.seals.advance();
        // Within the capacity: nothing unsealed is left behind in memory given back.
        self.chunk.resize(length, 0);
        let mut tag = [0; TAG];
        self.input.read_exact(&mut self.chunk).and_then(|()| self.input.read_exact(&mut tag)).map_err(Failure::Io)?;
        self.read = 0;
        let (cipher, chunk) = (&self.seals.cipher, self.chunk.as_mut_slice());
        cipher.decrypt_inout_detached(&nonce.into(), &bound, chunk.into(), &Tag::from(tag)).map_err(|_| Failure::Forged)
    }
}

impl<R> Drop for Opener<R> {
    fn drop(&mut self) {
        wipe(&mut self.chunk);
    }
}

fn wipe(bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(bytes.capacity(), 0);
    std::hint::black_box(bytes.as_mut_ptr());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> FileKey {
        FileKey(zeroize::Zeroizing::new([1; 16]))
    }

    fn seal(text: &[u8], index: u32) -> Vec<u8> {
        let mut out = vec![];
        let mut sealer = Sealer::new(&mut out, key(), [0; Header::BYTES], Some(index), text.len() as u64);
        text.chunks(700_001).for_each(|part| sealer.write(part).unwrap());
        sealer.finish().unwrap();
        out
    }

    fn open(sealed: &[u8], index: u32, length: usize) -> Option<Vec<u8>> {
        let mut opener = Opener::new(sealed, key(), [0; Header::BYTES], Some(index), length as u64);
        let mut text = vec![0; length];
        text.chunks_mut(300_007).try_for_each(|part| opener.fill(part)).ok()?;
        Some(text)
    }

    #[test]
    fn any_length_comes_back() {
        for length in [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5] {
            let text: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let sealed = seal(&text, 3);
            assert_eq!(sealed.len() as u64, sealed_bytes(length as u64));
            assert!(open(&sealed, 3, length).unwrap() == text, "{length} bytes");
            assert!(open(&sealed, 4, length).is_none(), "another place");
        }
    }

    #[test]
    fn what_was_changed_moved_or_cut_is_refused() {
        let length = 2 * CHUNK;
        let text = vec![5; length];
        let sealed = seal(&text, 0);
        for at in [0, CHUNK - 1, CHUNK, CHUNK + TAG - 1, CHUNK + TAG, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&changed, 0, length).is_none(), "byte {at}");
        }
        let piece = CHUNK + TAG;
        let swapped = [&sealed[piece..], &sealed[..piece]].concat();
        assert!(open(&swapped, 0, length).is_none());
        // One piece of two is no text of one.
        assert!(open(&sealed[..piece], 0, CHUNK).is_none());
    }

    #[test]
    fn an_empty_text_is_sealed_too() {
        let sealed = seal(&[], 0);
        assert_eq!(sealed.len(), TAG);
        let check = |sealed: &[u8]| Opener::new(sealed, key(), [0; Header::BYTES], Some(0), 0).fill(&mut []).is_ok();
        assert!(check(&sealed));
        assert!(!check(&[0; TAG]));
    }
}
