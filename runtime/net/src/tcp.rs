//! A channel over tcp.
//!
//! The caller's own thread reads. It also writes what fits the kernel's buffers at once, which is nearly every message of
//! a query; what does not goes to a writer thread, so that both directions flow at the same time and two parties that
//! send each other much never wait for each other.
//!
//! A peer that takes in what it is sent is not silent: on a slow link it may be long before it has anything to answer. But
//! a message that has begun has to end: one that drips is given up.

use std::io::{self, IoSliceMut, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::channel::{Binding, Channel, Counters, Overhead};
use crate::error::PeerError;
use crate::frame::{Accepted, HEADER, Ledger};
use crate::tls::{self, Keys, Side, Tls};
use crate::transcript::Transcript;

mod cutter;
mod open;
mod writer;

pub use cutter::Cutter;
pub use open::{Listener, connect, listen};
use writer::{Limit, Unsent, Writer};

/// How long a connection may be silent before it counts as dead, unless the caller says otherwise.
pub const IDLE: Duration = Duration::from_secs(60);

/// Larger messages go to the writer thread at once.
const DIRECT: usize = 64 << 10;

/// How long one write call may wait for room. Short, so that the caller hands over and reads on.
const WRITE_SLICE: Duration = Duration::from_millis(5);

/// A message comes and goes at least so fast, once its first byte has moved: 1 Mbit/s.
const LEAST_BYTES_A_MILLISECOND: u64 = 125;

/// How long somebody who has come may take to prove its key.
const STRANGER: Duration = Duration::from_secs(30);

pub struct Tcp {
    wire: Wire,
    tls: Option<Box<Tls>>,
    ledger: Ledger,
    idle: Duration,
    writer: Option<Writer>,
    failed: bool,
}

/// The socket, and what both threads know of it.
struct Wire {
    stream: TcpStream,
    limit: Arc<Limit>,
    /// Bytes that the kernel has taken.
    sent: Arc<AtomicU64>,
}

impl Tcp {
    pub fn new(stream: TcpStream, idle: Duration) -> io::Result<Tcp> {
        stream.set_nodelay(true)?;
        let wire = Wire { stream, limit: Arc::new(Limit::new(idle)), sent: Arc::default() };
        wire.set_limits(idle)?;
        Ok(Tcp { wire, tls: None, ledger: Ledger::default(), idle, writer: None, failed: false })
    }

    /// The same connection encrypted, between two sides that have proved their keys. Before anything is sent over it.
    pub fn secure(mut self, side: Side, keys: Keys) -> Result<Tcp, PeerError> {
        let within = match side {
            Side::Accepts => self.idle.min(STRANGER),
            Side::Connects => self.idle,
        };
        let established = tls::establish(&mut self.wire.stream, side, keys, within);
        self.tls = Some(Box::new(self.watch(established)?));
        self.wire.set_limits(self.idle).map_err(PeerError::Io)?;
        Ok(self)
    }

    /// For whoever has to end this connection while others wait on it.
    pub fn cutter(&self) -> io::Result<Cutter> {
        Ok(Cutter::new(self.wire.stream.try_clone()?))
    }

    fn post(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        let header = self.ledger.outgoing(&message)?;
        let mut unsent = match &mut self.tls {
            Some(tls) => Unsent::sealed(tls.seal(&header, &message)?),
            None => Unsent::new(header, message),
        };
        let behind = match &mut self.writer {
            Some(writer) => writer.is_busy()?,
            None => false,
        };
        let Wire { stream, limit, sent } = &mut self.wire;
        if !behind && unsent.len() <= DIRECT && unsent.write_what_fits(stream, sent)? {
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let stream = stream.try_clone().map_err(PeerError::Io)?;
                none.insert(Writer::start(stream, limit.clone(), sent.clone())?)
            }
        };
        writer.post(unsent)
    }

    fn next(&mut self, accepted: Accepted) -> Result<Vec<u8>, PeerError> {
        let mut header = [0; HEADER];
        let mut payload = match accepted {
            Accepted::Exactly(length) => vec![0; length],
            Accepted::AtMost(_) => vec![],
        };
        let mut coming = Coming { filled: 0, length: payload.len(), since: None };
        let begun = self.begin(&mut coming, &mut header, &mut payload);
        let length = match begun.and_then(|()| self.ledger.incoming(header, accepted)) {
            Err(_) if self.tls.is_none() && self.ledger.is_new() && tls::is_tls(&header) => {
                tls::say_plain(&mut self.wire.stream);
                return Err(PeerError::Encrypted);
            }
            other => other?,
        };
        payload.resize(length, 0);
        coming.length = length;
        while coming.filled < HEADER + length {
            let rest = &mut payload[coming.filled - HEADER..];
            self.pull(&mut coming, &mut [], rest)?;
        }
        self.ledger.took(&payload);
        Ok(payload)
    }

    /// The header. A frame of known length comes in one call when it is there.
    fn begin(&mut self, coming: &mut Coming, header: &mut [u8], payload: &mut [u8]) -> Result<(), PeerError> {
        while coming.filled < HEADER {
            self.pull(coming, &mut header[coming.filled..], payload)?;
        }
        Ok(())
    }

    /// At least a byte of a frame: of its header, and then of its payload.
    fn pull(&mut self, coming: &mut Coming, header: &mut [u8], payload: &mut [u8]) -> Result<(), PeerError> {
        let Some(tls) = &mut self.tls else {
            let mut parts = [IoSliceMut::new(header), IoSliceMut::new(payload)];
            coming.filled += self.wire.read(coming, |stream| stream.read_vectored(&mut parts))?;
            return Ok(());
        };
        let room = if header.is_empty() { payload } else { header };
        loop {
            if let Some(count) = tls.take(room)? {
                coming.filled += count;
                return Ok(());
            }
            self.wire.read(coming, |stream| tls.read(stream))?;
        }
    }

    /// After an error the stream's state is unknown: nothing more is written.
    fn watch<T>(&mut self, result: Result<T, PeerError>) -> Result<T, PeerError> {
        self.failed |= result.is_err();
        result
    }
}

impl Channel for Tcp {
    fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        self.ledger.round(out.len(), expect);
        if !out.is_empty() {
            let posted = self.post(out);
            self.watch(posted)?;
        }
        if expect == 0 {
            return Ok(vec![]);
        }
        let received = self.next(Accepted::Exactly(expect));
        self.watch(received)
    }

    fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        let posted = self.post(message);
        self.watch(posted)
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        let received = self.next(Accepted::AtMost(limit));
        self.watch(received)
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError> {
        let idle = self.idle.max(patience);
        self.wire.set_limits(idle).map_err(PeerError::Io)
    }

    fn counters(&self) -> Counters {
        self.ledger.counters
    }

    fn transcript(&self) -> Transcript {
        self.ledger.transcript()
    }

    fn binding(&self) -> Binding {
        self.tls.as_ref().map_or(Binding::default(), |tls| tls.binding())
    }

    fn overhead(&self) -> Overhead {
        let Some(tls) = &self.tls else { return Overhead::default() };
        let (Overhead { sent, received }, frames) = (tls.wire(), self.ledger.counters);
        Overhead { sent: sent.saturating_sub(frames.sent), received: received.saturating_sub(frames.received) }
    }
}

/// A frame that is being read.
struct Coming {
    filled: usize,
    /// Of its payload, as far as it is known.
    length: usize,
    /// When its first byte came.
    since: Option<Instant>,
}

impl Coming {
    fn place(&self) -> String {
        match self.filled {
            0 => "a message".to_string(),
            filled => format!("the rest of a message after {filled} bytes"),
        }
    }
}

impl Wire {
    fn set_limits(&self, idle: Duration) -> io::Result<()> {
        self.limit.set(idle);
        self.stream.set_write_timeout(Some(WRITE_SLICE))?;
        self.stream.set_read_timeout(Some(idle))
    }

    /// One read call that yields at least a byte.
    fn read(
        &mut self,
        coming: &mut Coming,
        mut call: impl FnMut(&mut TcpStream) -> io::Result<usize>,
    ) -> Result<usize, PeerError> {
        let mut sent = self.sent.load(Ordering::Acquire);
        loop {
            match call(&mut self.stream) {
                Ok(0) => return Err(PeerError::Closed(coming.place())),
                Ok(count) => {
                    let limit = whole(self.limit.get(), coming.length);
                    if coming.since.get_or_insert_with(Instant::now).elapsed() > limit {
                        return Err(PeerError::TooSlow { waiting: coming.place(), limit });
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if timed_out(&error) => {
                    let before = std::mem::replace(&mut sent, self.sent.load(Ordering::Acquire));
                    if sent == before {
                        return Err(PeerError::Stalled { waiting: coming.place(), idle: self.limit.get() });
                    }
                }
                Err(error) => return Err(lost(error, || coming.place())),
            }
        }
    }
}

/// How long a message of `length` bytes may take from its first byte to its last.
fn whole(idle: Duration, length: usize) -> Duration {
    idle.saturating_add(Duration::from_millis(length as u64 / LEAST_BYTES_A_MILLISECOND))
}

impl Drop for Tcp {
    /// What was sent leaves the process before the channel goes; after an error there is nobody to wait for.
    fn drop(&mut self) {
        if self.failed {
            // The writer then sees an error instead of waiting for room.
            let _ = self.wire.stream.shutdown(Shutdown::Both);
        }
        if let Some(writer) = self.writer.take() {
            writer.finish();
        }
    }
}

/// With a time limit on the socket, a call that reached it says one of these.
fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn lost(error: io::Error, waiting: impl Fn() -> String) -> PeerError {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            PeerError::Closed(waiting())
        }
        _ => PeerError::Io(error),
    }
}

#[cfg(test)]
mod tests;
