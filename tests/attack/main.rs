//! Peers that leave, fall silent, lie about lengths or hold another plan: every one ends the session with an error, within
//! the stated time, and nothing is printed as a result.

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wire.rs"]
mod wire;

mod killed;
mod processes;
mod sessions;
