//! The handshake, bounded in time and in bytes; and the first bytes of somebody who speaks without TLS, or with it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{AlertDescription, Connection, Error};

use super::config::{connection, provider};
use super::verify::Pinned;
use super::{Keys, RAW, Side, Tls};
use crate::channel::Overhead;
use crate::error::PeerError;
use crate::key::PublicKey;

/// What is read of a peer before it has proved its key: a hello and the rest of a handshake have less than a kilobyte.
pub const MOST_BEFORE_KEY: usize = 4096;

/// For keying material (RFC 8446, section 7.5) that binds a session to its connection.
const EXPORTER: &[u8] = b"EXPORTER-ptc-session";

/// What the accepting side says to a peer that it lets in.
const READY: [u8; 1] = [1];

/// How long the other side may take to hear why nothing came of it.
const LINGER: Duration = Duration::from_millis(500);

/// `within` bounds all of it. Afterwards the socket has other time limits than before.
pub fn establish(stream: &mut TcpStream, side: Side, keys: Keys, within: Duration) -> Result<Tls, PeerError> {
    let allowed: Vec<PublicKey> = keys.allowed.iter().map(|(_, key)| *key).collect();
    let pinned = Arc::new(Pinned::new(allowed, provider().signature_verification_algorithms));
    let broken = |error: Error| PeerError::Tls(error.to_string());
    let mut handshake = Handshake {
        connection: connection(side, keys, pinned.clone()).map_err(broken)?,
        stream,
        wire: Overhead::default(),
        deadline: Instant::now() + within,
        within,
    };
    handshake.connection.set_buffer_limit(None);
    if let Err(error) = handshake.shake() {
        return Err(match (error, pinned.stranger()) {
            (Unmade::Tls(_), Some(key)) => PeerError::UnknownKey { key, expected: expected(keys) },
            (Unmade::Tls(Error::AlertReceived(AlertDescription::AccessDenied)), None) => {
                PeerError::KeyRefused(keys.identity.public())
            }
            (Unmade::Tls(error), None) => broken(error),
            (Unmade::Peer(error), _) => error,
        });
    }
    handshake.ready(side, keys)
}

fn expected(keys: Keys) -> String {
    let names: Vec<String> = keys.allowed.iter().map(|(name, _)| format!("`{name}`")).collect();
    if names.is_empty() { "nobody".into() } else { names.join(" or ") }
}

struct Handshake<'a> {
    connection: Connection,
    stream: &'a mut TcpStream,
    wire: Overhead,
    deadline: Instant,
    within: Duration,
}

enum Unmade {
    Tls(Error),
    Peer(PeerError),
}

impl From<PeerError> for Unmade {
    fn from(error: PeerError) -> Unmade {
        Unmade::Peer(error)
    }
}

impl Handshake<'_> {
    fn shake(&mut self) -> Result<(), Unmade> {
        let (mut bytes, mut known) = ([0; MOST_BEFORE_KEY], 0);
        loop {
            self.write()?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            // Bytes stay in `bytes` until it is plain that they are TLS.
            let whole = self.wire.received as usize;
            if whole >= MOST_BEFORE_KEY {
                return Err(PeerError::TooLong { limit: MOST_BEFORE_KEY, found: whole }.into());
            }
            let count = self.read(&mut bytes[whole..])?;
            if whole + count < 3 {
                continue;
            }
            if !is_tls(&bytes) {
                // An alert tells a peer that speaks without TLS what it has met, as well as one that speaks another.
                let _ = self.stream.write_all(&ALERT);
                linger(self.stream);
                return Err(PeerError::Plain.into());
            }
            let mut rest = &bytes[known..whole + count];
            known = whole + count;
            while !rest.is_empty() {
                if self.connection.read_tls(&mut rest).map_err(PeerError::Io)? == 0 {
                    break;
                }
                if let Err(error) = self.connection.process_new_packets() {
                    // The other side is told why, if it still listens.
                    let _ = self.write();
                    linger(self.stream);
                    return Err(Unmade::Tls(error));
                }
            }
        }
    }

    /// Both sides know that they are let in.
    fn ready(mut self, side: Side, keys: Keys) -> Result<Tls, PeerError> {
        match side {
            Side::Accepts => {
                self.connection.writer().write_all(&READY).map_err(PeerError::Io)?;
                self.write()?;
            }
            Side::Connects => self.hear(keys)?,
        }
        let wrong = || PeerError::Tls("a peer without a key".into());
        let certificates = self.connection.peer_certificates().ok_or_else(wrong)?;
        let peer = certificates.first().and_then(|subject| PublicKey::from_subject(subject)).ok_or_else(wrong)?;
        let exporter = self
            .connection
            .export_keying_material([0; 32], EXPORTER, None)
            .map_err(|error| PeerError::Tls(error.to_string()))?;
        let raw = vec![0; RAW].into_boxed_slice();
        let (own, wire) = (keys.identity.public(), self.wire);
        Ok(Tls { connection: self.connection, own, peer, exporter, wire, raw, first: 0, end: 0 })
    }

    fn hear(&mut self, keys: Keys) -> Result<(), PeerError> {
        let (mut bytes, mut answer) = ([0; 1024], READY);
        loop {
            match self.connection.reader().read(&mut answer) {
                Ok(1) if answer == READY => return Ok(()),
                Ok(0) => return Err(PeerError::Closed("the end of the handshake".into())),
                Ok(_) => return Err(PeerError::Tls("another word than `ready`".into())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(PeerError::Io(error)),
            }
            // Frames that come right behind stay in the connection, which takes so few at once.
            let count = self.read(&mut bytes)?;
            let mut rest = &bytes[..count];
            while !rest.is_empty() && self.connection.read_tls(&mut rest).map_err(PeerError::Io)? > 0 {
                self.connection.process_new_packets().map_err(|error| match error {
                    Error::AlertReceived(AlertDescription::AccessDenied) => {
                        PeerError::KeyRefused(keys.identity.public())
                    }
                    error => PeerError::Tls(error.to_string()),
                })?;
            }
        }
    }

    fn read(&mut self, room: &mut [u8]) -> Result<usize, PeerError> {
        let stalled = || PeerError::Stalled { waiting: "a handshake".into(), idle: self.within };
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(stalled());
            }
            self.stream.set_read_timeout(Some(left)).map_err(PeerError::Io)?;
            match self.stream.read(room) {
                Ok(0) => return Err(PeerError::Closed("a handshake".into())),
                Ok(count) => {
                    self.wire.received += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Err(stalled());
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(PeerError::Closed("a handshake".into()));
                }
                Err(error) => return Err(PeerError::Io(error)),
            }
        }
    }

    fn write(&mut self) -> Result<(), PeerError> {
        let mut bytes = vec![];
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes).map_err(PeerError::Io)?;
        }
        self.wire.sent += bytes.len() as u64;
        self.stream.set_write_timeout(Some(self.within.max(LINGER))).map_err(PeerError::Io)?;
        self.stream.write_all(&bytes).map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => PeerError::Closed("a handshake".into()),
            _ => PeerError::Io(error),
        })
    }
}

/// `handshake_failure`, as a record.
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// Whether a connection begins as TLS does: a record of a handshake, or an alert.
pub fn is_tls(first: &[u8]) -> bool {
    matches!(first, [21 | 22, 3, 1..=4, ..])
}

/// Tells a peer that speaks TLS that this side does not: an empty frame.
pub fn say_plain(stream: &mut TcpStream) {
    // Who does not listen any more need not hear it.
    let _ = stream.write_all(&[0; crate::frame::HEADER]);
    linger(stream);
}

/// Lets the other side read what it was told: closing with unread bytes would throw that away. Bounded, whatever it sends.
pub fn linger(stream: &mut TcpStream) {
    const MOST: usize = 64;
    let (start, mut bytes) = (Instant::now(), [0; 1024]);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(LINGER));
    for _ in 0..MOST {
        match stream.read(&mut bytes) {
            Ok(1..) if start.elapsed() < LINGER => {}
            _ => return,
        }
    }
}
