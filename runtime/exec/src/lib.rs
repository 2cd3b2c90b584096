//! Runs a plan: two parties over channels, or both in one process.
//!
//! A party prepares once ([`prepare`]: weights encoded and packed), opens a [`session`] with the other party, and with a
//! dealer where the plan has one, and runs queries ([`run`]). This room knows no files, no command line and no compiler; what
//! it is given has names, and what is wrong with it is said by name.

pub mod batch;
pub mod dealer;
mod encryption;
pub mod error;
mod handshake;
mod layout;
mod local;
pub mod pooled;
pub mod prepare;
mod protocol;
pub mod public;
pub mod run;
pub mod session;
pub mod simulate;
mod source;
pub mod statistics;
pub mod tensors;
pub mod trace;
pub mod value;

pub use error::RunError;
