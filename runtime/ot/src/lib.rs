//! Oblivious transfer: base, extended and silent; correlated and random forms.
//!
//! A transfer is made by two parties with two roles: the *sender* ends with two strings, the *receiver* with a choice
//! bit and the string it chose. Correlated: the sender's strings are `q` and `q ^ delta` for one `delta` of the session.
//! This room knows no ring and no correlation of the online protocols.

pub mod base;
pub mod block;
pub mod extension;
pub mod hash;
pub mod one_of_n;
pub mod puncture;
pub mod random;
pub mod setup;
pub mod silent;
mod spare;
mod streams;
pub mod subfield;
mod transpose;
#[cfg(target_arch = "x86_64")]
mod vector;
