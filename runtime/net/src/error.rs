//! What can go wrong with the other side or the wire.

use std::io;
use std::time::Duration;

use crate::key::PublicKey;

#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    #[error("the peer closed the connection while {0} was expected\nhint: its own message tells why")]
    Closed(String),
    #[error(
        "the peer stalled: {waiting} did not move for {}\n\
         hint: a slow network or machine needs a longer time limit",
        seconds(.idle)
    )]
    Stalled { waiting: String, idle: Duration },
    #[error(
        "the peer is too slow: {waiting} was not complete within {}\n\
         hint: a link of at least 1 Mbit/s is needed, or a longer time limit",
        seconds(.limit)
    )]
    TooSlow { waiting: String, limit: Duration },
    #[error("the peer sent a message of {found} bytes where {expected} were expected\n{SAME}")]
    WrongLength { expected: usize, found: usize },
    #[error("the peer sent message {found} where message {expected} was expected\n{SAME}")]
    OutOfOrder { expected: u32, found: u32 },
    #[error("the peer announced a message of {found} bytes where at most {limit} are accepted\n{SAME}")]
    TooLong { limit: usize, found: usize },
    /// Right in length, wrong in content.
    #[error("the peer sent {0}\n{SAME}")]
    Malformed(String),
    #[error(
        "the transcripts differ: what one side sent is not what the other received, and nothing was opened\n\
         hint: something between the two changes messages; give both sides keys (`ptc keys`) and run again"
    )]
    TranscriptsDiffer,
    #[error(
        "the peer's key is {key}, and {expected} was expected\n\
         hint: if this is the key of who you mean, `ptc keys trust NAME {key}` and `--peer NAME` let it in"
    )]
    UnknownKey { key: PublicKey, expected: String },
    #[error(
        "the peer does not let this side's key in\n\
         hint: on the peer's machine `ptc keys trust NAME {0}` and `--peer NAME` do"
    )]
    KeyRefused(PublicKey),
    #[error(
        "the peer speaks without encryption, and this side with it\n\
         hint: the other side needs `--peer` with this side's key, or neither has it, on one machine"
    )]
    Plain,
    #[error(
        "the peer speaks with encryption, and this side without it\n\
         hint: this side needs `--peer` with the other's key, or neither has it, on one machine"
    )]
    Encrypted,
    #[error("the encrypted connection failed: {0}\n{SAME}")]
    Tls(String),
    /// This side cannot make the connection as it was asked for.
    #[error("{0}")]
    Unfit(String),
    #[error("a message of {0} bytes does not fit a frame of at most 4 GiB")]
    MessageTooLarge(usize),
    #[error("no connection to {address} within {}: {reason}\nhint: start the other side, or check the address", seconds(.waited))]
    Refused { address: String, waited: Duration, reason: io::Error },
    #[error("cannot listen on {address}: {reason}\nhint: {}", listen_hint(.reason))]
    Listen { address: String, reason: io::Error },
    #[error("nobody connected to {address} within {}\nhint: start the other side, or check the address", seconds(.waited))]
    NobodyCame { address: String, waited: Duration },
    #[error("the connection failed: {0}")]
    Io(io::Error),
}

const SAME: &str = "hint: both sides need the same version of this program";

/// `60 s`, or `0.25 s`.
fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn listen_hint(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::AddrInUse => "another process listens there; choose another port",
        io::ErrorKind::AddrNotAvailable => "the address is not one of this machine; 0.0.0.0 stands for all of them",
        io::ErrorKind::PermissionDenied => "ports below 1024 are reserved; choose a larger one",
        _ => "an address is written HOST:PORT, for example 127.0.0.1:7000",
    }
}
