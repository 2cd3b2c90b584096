//! A channel over tcp.
//!
//! The caller's own thread reads. It also writes what fits the kernel's buffers at once, which is nearly every message of
//! a query; what does not goes to a writer thread, so that both directions flow at the same time and two parties that
//! send each other much never wait for each other.
//!
//! A peer that takes in what it is sent is not silent: on a slow link it may be long before it has anything to answer.

use std::io::{self, IoSliceMut, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::channel::{Channel, Counters};
use crate::error::PeerError;
use crate::frame::{Accepted, HEADER, Ledger};
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

pub struct Tcp {
    stream: TcpStream,
    ledger: Ledger,
    idle: Duration,
    limit: Arc<Limit>,
    /// Bytes that the kernel has taken.
    sent: Arc<AtomicU64>,
    writer: Option<Writer>,
    failed: bool,
}

impl Tcp {
    pub fn new(stream: TcpStream, idle: Duration) -> io::Result<Tcp> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(idle))?;
        stream.set_write_timeout(Some(WRITE_SLICE))?;
        let limit = Arc::new(Limit::new(idle));
        let sent = Arc::new(AtomicU64::new(0));
        Ok(Tcp { stream, ledger: Ledger::default(), idle, limit, sent, writer: None, failed: false })
    }

    pub fn cutter(&self) -> io::Result<Cutter> {
        Ok(Cutter::new(self.stream.try_clone()?))
    }

    fn post(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        let mut unsent = Unsent::new(self.ledger.outgoing(&message)?, message);
        let behind = match &mut self.writer {
            Some(writer) => writer.is_busy()?,
            None => false,
        };
        if !behind && unsent.len() <= DIRECT && unsent.write_what_fits(&mut self.stream, &self.sent)? {
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Writer::start(
                self.stream.try_clone().map_err(PeerError::Io)?,
                self.limit.clone(),
                self.sent.clone(),
            )?),
        };
        writer.post(unsent)
    }

    fn next(&mut self, accepted: Accepted) -> Result<Vec<u8>, PeerError> {
        let mut header = [0; HEADER];
        let mut payload = match accepted {
            Accepted::Exactly(length) => vec![0; length],
            Accepted::AtMost(_) => vec![],
        };
        // A frame of known length comes in one call when it is there.
        let mut filled = 0;
        while filled < HEADER {
            let mut parts = [IoSliceMut::new(&mut header[filled..]), IoSliceMut::new(&mut payload)];
            filled += self.read(filled, |stream| stream.read_vectored(&mut parts))?;
        }
        let length = self.ledger.incoming(header, accepted)?;
        payload.resize(length, 0);
        while filled < HEADER + length {
            let rest = &mut payload[filled - HEADER..];
            filled += self.read(filled, |stream| stream.read(rest))?;
        }
        self.ledger.took(&payload);
        Ok(payload)
    }

    /// One read call that yields at least a byte.
    fn read(
        &mut self,
        filled: usize,
        mut call: impl FnMut(&mut TcpStream) -> io::Result<usize>,
    ) -> Result<usize, PeerError> {
        let waiting = || match filled {
            0 => "a message".to_string(),
            _ => format!("the rest of a message after {filled} bytes"),
        };
        let mut sent = self.sent.load(Ordering::Acquire);
        loop {
            match call(&mut self.stream) {
                Ok(0) => return Err(PeerError::Closed(waiting())),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if timed_out(&error) => {
                    let before = std::mem::replace(&mut sent, self.sent.load(Ordering::Acquire));
                    if sent == before {
                        return Err(PeerError::Stalled { waiting: waiting(), idle: self.limit.get() });
                    }
                }
                Err(error) => return Err(lost(error, waiting)),
            }
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
        self.limit.set(idle);
        self.stream.set_read_timeout(Some(idle)).map_err(PeerError::Io)
    }

    fn counters(&self) -> Counters {
        self.ledger.counters
    }

    fn transcript(&self) -> Transcript {
        self.ledger.transcript()
    }
}

impl Drop for Tcp {
    /// What was sent leaves the process before the channel goes; after an error there is nobody to wait for.
    fn drop(&mut self) {
        if self.failed {
            // The writer then sees an error instead of waiting for room.
            let _ = self.stream.shutdown(std::net::Shutdown::Both);
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
