//! Finding the peer: connecting with retries, listening with a limit.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::Tcp;
use crate::error::PeerError;

const RETRY: Duration = Duration::from_millis(50);
const POLL: Duration = Duration::from_millis(10);

/// Connects to `HOST:PORT`, trying again while nobody listens there, for at most `patience`.
pub fn connect(address: &str, patience: Duration, idle: Duration) -> Result<Tcp, PeerError> {
    let start = Instant::now();
    loop {
        let left = patience.saturating_sub(start.elapsed());
        match attempt(address, left.max(RETRY)) {
            Ok(stream) => return Tcp::new(stream, idle).map_err(PeerError::Io),
            Err(reason) if final_reason(&reason) || left.is_zero() => {
                return Err(PeerError::Refused {
                    address: address.into(),
                    waited: whole(start.elapsed().min(patience)),
                    reason,
                });
            }
            Err(_) => std::thread::sleep(RETRY.min(left)),
        }
    }
}

fn attempt(address: &str, limit: Duration) -> io::Result<TcpStream> {
    let mut reason = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => reason = error,
        }
    }
    Err(reason)
}

/// What does not change by waiting.
fn final_reason(reason: &io::Error) -> bool {
    matches!(reason.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied)
}

/// What says nothing about the next peer: one gave up before it was accepted, or there is no room until others leave.
fn passes(error: &io::Error) -> bool {
    /// ENFILE, EMFILE, ENOBUFS on Linux: accept(2) asks to try again.
    const NO_ROOM: [i32; 3] = [23, 24, 105];
    use io::ErrorKind::*;
    matches!(error.kind(), ConnectionAborted | Interrupted | OutOfMemory)
        || error.raw_os_error().is_some_and(|code| NO_ROOM.contains(&code))
}

/// Tenths of a second are enough in a message.
fn whole(duration: Duration) -> Duration {
    Duration::from_millis(duration.as_millis() as u64 / 100 * 100)
}

pub struct Listener {
    listener: TcpListener,
    address: String,
}

/// Listens on `HOST:PORT`; port 0 takes a free one.
pub fn listen(address: &str) -> Result<Listener, PeerError> {
    let refused = |reason| PeerError::Listen { address: address.into(), reason };
    let listener = TcpListener::bind(address).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    Ok(Listener { listener, address: address.into() })
}

impl Listener {
    pub fn local_address(&self) -> Result<SocketAddr, PeerError> {
        self.listener.local_addr().map_err(PeerError::Io)
    }

    /// The next peer; without `patience` it waits for ever.
    pub fn accept(&self, patience: Option<Duration>, idle: Duration) -> Result<Tcp, PeerError> {
        let start = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).map_err(PeerError::Io)?;
                    return Tcp::new(stream, idle).map_err(PeerError::Io);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if passes(&error) => {}
                Err(error) => return Err(PeerError::Io(error)),
            }
            if let Some(waited) = patience
                && start.elapsed() >= waited
            {
                return Err(PeerError::NobodyCame { address: self.address.clone(), waited });
            }
            std::thread::sleep(POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_outlives_a_crowd() {
        // ENFILE, EMFILE, ENOBUFS, ENOMEM, EINTR, ECONNABORTED; EBADF and EINVAL do not pass.
        for code in [23, 24, 105, 12, 4, 103] {
            assert!(passes(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for code in [9, 22] {
            assert!(!passes(&io::Error::from_raw_os_error(code)), "{code}");
        }
    }
}
