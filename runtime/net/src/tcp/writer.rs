//! Writing: at once what fits, the rest in a thread.

use std::io::{self, IoSlice, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{lost, timed_out, whole};
use crate::error::PeerError;
use crate::frame::HEADER;

/// Messages that wait for the wire; more make the caller wait.
const QUEUE: usize = 4;

/// How long nothing may move; both threads of a channel read it.
pub(super) struct Limit(AtomicU64);

impl Limit {
    pub(super) fn new(idle: Duration) -> Limit {
        let limit = Limit(AtomicU64::new(0));
        limit.set(idle);
        limit
    }

    pub(super) fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn set(&self, idle: Duration) {
        self.0.store(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// A frame, plain or encrypted, and how much of it has gone.
pub(super) struct Unsent {
    header: [u8; HEADER],
    payload: Vec<u8>,
    /// Of header and payload together.
    gone: usize,
}

impl Unsent {
    pub(super) fn new(header: [u8; HEADER], payload: Vec<u8>) -> Unsent {
        Unsent { header, payload, gone: 0 }
    }

    /// What has its header within.
    pub(super) fn sealed(bytes: Vec<u8>) -> Unsent {
        Unsent { header: [0; HEADER], payload: bytes, gone: HEADER }
    }

    pub(super) fn len(&self) -> usize {
        HEADER + self.payload.len()
    }

    /// Writes until all is gone (`true`) or the kernel has no room; `sent` counts the bytes.
    pub(super) fn write_what_fits(&mut self, stream: &mut TcpStream, sent: &AtomicU64) -> Result<bool, PeerError> {
        while self.gone < self.len() {
            let head = &self.header[self.gone.min(HEADER)..];
            let body = &self.payload[self.gone.saturating_sub(HEADER)..];
            match stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(count) => {
                    self.gone += count;
                    sent.fetch_add(count as u64, Ordering::AcqRel);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if timed_out(&error) => return Ok(false),
                Err(error) => return Err(lost(error, || "room for a message".into())),
            }
        }
        Ok(true)
    }
}

pub(super) struct Writer {
    queue: SyncSender<Unsent>,
    outcome: Receiver<PeerError>,
    waiting: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start(stream: TcpStream, limit: Arc<Limit>, sent: Arc<AtomicU64>) -> Result<Writer, PeerError> {
        let (queue, messages) = sync_channel(QUEUE);
        let (report, outcome) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let work = move || {
            if let Err(error) = write_all(stream, &messages, &left, &sent, &limit) {
                // The caller may be gone; then nobody needs the report.
                let _ = report.send(error);
            }
        };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(work).map_err(PeerError::Io)?;
        Ok(Writer { queue, outcome, waiting, thread })
    }

    /// Whether earlier messages are still on their way; an error if one of them failed.
    pub(super) fn is_busy(&mut self) -> Result<bool, PeerError> {
        match self.outcome.try_recv() {
            Ok(error) => Err(error),
            Err(TryRecvError::Empty) => Ok(self.waiting.load(Ordering::Acquire) > 0),
            Err(TryRecvError::Disconnected) => Err(PeerError::Closed("room for a message".into())),
        }
    }

    pub(super) fn post(&mut self, message: Unsent) -> Result<(), PeerError> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        // The queue closes only when the thread has reported an error.
        self.queue.send(message).map_err(|_| match self.outcome.recv() {
            Ok(error) => error,
            Err(_) => PeerError::Closed("room for a message".into()),
        })
    }

    /// Waits until everything posted has gone, or cannot go.
    pub(super) fn finish(self) {
        drop(self.queue);
        // A panic of the thread has been printed; there is nothing to add while dropping.
        let _ = self.thread.join();
    }
}

fn write_all(
    mut stream: TcpStream,
    messages: &Receiver<Unsent>,
    left: &AtomicUsize,
    sent: &AtomicU64,
    limit: &Limit,
) -> Result<(), PeerError> {
    for mut message in messages {
        let begun = Instant::now();
        let (mut last, mut moved) = (message.gone, begun);
        while !message.write_what_fits(&mut stream, sent)? {
            let idle = limit.get();
            let waiting = || format!("sending a message of {} bytes after {last}", message.len());
            if begun.elapsed() >= whole(idle, message.len()) {
                return Err(PeerError::TooSlow { waiting: waiting(), limit: whole(idle, message.len()) });
            }
            if message.gone > last {
                (last, moved) = (message.gone, Instant::now());
            } else if moved.elapsed() >= idle {
                return Err(PeerError::Stalled { waiting: waiting(), idle });
            }
        }
        left.fetch_sub(1, Ordering::AcqRel);
    }
    Ok(())
}
