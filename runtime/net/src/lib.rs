//! Channels between two processes: frames, limits, counters; over memory, over tcp, and over tcp encrypted ([`tls`]).
//!
//! This room knows no protocol and no ring. Every message travels in a frame of eight header bytes, the payload's length
//! and its number in its direction (both `u32`, little endian), so that a peer that skips, repeats or resizes a message is
//! noticed at once. A channel takes memory for what the caller expects, never for what the peer announces. It keeps a hash of
//! all that went each way ([`transcript`]), which two parties compare before they open a value.

mod base64;
pub mod channel;
pub mod error;
mod frame;
pub mod key;
pub mod memory;
pub mod tcp;
pub mod tls;
pub mod transcript;

pub use channel::{Channel, Counters};
pub use error::PeerError;
pub use transcript::Transcript;
