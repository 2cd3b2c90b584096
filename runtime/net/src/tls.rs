//! TLS 1.3 (RFC 8446) between two machines that know each other's key: raw public keys (RFC 7250) on both sides, no names,
//! no authorities, no tickets, no earlier version.
//!
//! The side that accepts says `ready` once it has seen a key that it lets in, so that the other knows before it sends
//! anything. Until a peer has proved its key, no more than [`MOST_BEFORE_KEY`] bytes of it are read. After that everything
//! is as without TLS: frames, limits and counters are those of the channel below ([`crate::tcp`]), and whole frames are
//! encrypted on the caller's thread.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;

use rustls::Connection;

use crate::channel::{Binding, Overhead};
use crate::error::PeerError;
use crate::key::{Identity, PublicKey};

mod config;
mod establish;
#[cfg(test)]
mod tests;
mod verify;

pub use establish::MOST_BEFORE_KEY;
pub(crate) use establish::{establish, is_tls, say_plain};

/// Who accepts a connection, and who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Accepts,
    Connects,
}

/// What a side brings to a handshake.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    pub identity: &'a Identity,
    /// Who is let in, with what this side calls them.
    pub allowed: &'a [(String, PublicKey)],
}

/// Read from the socket at once.
const RAW: usize = 128 << 10;

/// The state of an encrypted connection, beside its socket.
pub(crate) struct Tls {
    connection: Connection,
    own: PublicKey,
    peer: PublicKey,
    /// RFC 8446, section 7.5.
    exporter: [u8; 32],
    /// Bytes on the wire.
    wire: Overhead,
    raw: Box<[u8]>,
    /// Of `raw`: what has come and is still encrypted.
    first: usize,
    end: usize,
}

impl Tls {
    /// A frame as it goes over the wire.
    pub fn seal(&mut self, header: &[u8], payload: &[u8]) -> Result<Vec<u8>, PeerError> {
        let length = header.len() + payload.len();
        let taken = self.connection.writer().write_vectored(&[IoSlice::new(header), IoSlice::new(payload)]);
        if taken.map_err(PeerError::Io)? != length {
            return Err(PeerError::Tls("not all of a message was taken".into()));
        }
        let mut sealed = Vec::with_capacity(length + length / 512 + 64);
        while self.connection.wants_write() {
            self.connection.write_tls(&mut sealed).map_err(PeerError::Io)?;
        }
        self.wire.sent += sealed.len() as u64;
        Ok(sealed)
    }

    /// What has come and been decrypted: so many bytes of `out`, none where the wire has to be read first.
    pub fn take(&mut self, out: &mut [u8]) -> Result<Option<usize>, PeerError> {
        if out.is_empty() {
            return Ok(Some(0));
        }
        loop {
            match self.connection.reader().read(out) {
                Ok(0) => return Err(PeerError::Closed("a message".into())),
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(PeerError::Io(error)),
            }
            if self.first == self.end {
                return Ok(None);
            }
            let mut rest = &self.raw[self.first..self.end];
            let count = self.connection.read_tls(&mut rest).map_err(PeerError::Io)?;
            self.first += count;
            self.connection.process_new_packets().map_err(|error| PeerError::Tls(error.to_string()))?;
            if count == 0 {
                return Err(PeerError::Closed("a message".into()));
            }
        }
    }

    /// One read call, into the room for what is encrypted; all of what was there has been taken.
    pub fn read(&mut self, stream: &mut TcpStream) -> io::Result<usize> {
        let count = stream.read(&mut self.raw)?;
        (self.first, self.end) = (0, count);
        self.wire.received += count as u64;
        Ok(count)
    }

    /// Everything on the wire, frames included.
    pub fn wire(&self) -> Overhead {
        self.wire
    }

    pub fn binding(&self) -> Binding {
        Binding { exporter: self.exporter, own: *self.own.as_bytes(), peer: *self.peer.as_bytes() }
    }
}
