//! Queries that come when the client asks them, in a session that stays open between them.
//!
//! | client | | server | then both |
//! |---|---|---|---|
//! | query | → | | run one |
//! | prepare | → | | make what a later query consumes, and hold it |
//! | ping | ⇄ | ping | |
//! | end | → | | are done |
//!
//! A call is one byte, which tells when the client asks and nothing of what. What is held goes with the session, and each
//! of it to one query: both take the oldest.

use std::time::Duration;

use ptc_net::{Channel, PeerError};

use super::{Session, Stage, agree};
use crate::error::RunError;
use crate::statistics::Clock;

/// What a client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    End = 0,
    Query = 1,
    Prepare = 2,
    /// Whether the server is still there.
    Ping = 3,
}

/// How many queries were prepared ahead, and how many of those were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub held: u32,
    pub held_used: u32,
}

impl Session {
    /// The client's side. After `Query` it runs one, after `Prepare` it holds one.
    pub fn call(&mut self, call: Call) -> Result<(), RunError> {
        let clock = Clock::start(self.peer.counters());
        self.peer.send(vec![call as u8])?;
        if call == Call::Ping {
            let answer = self.peer.receive(1)?;
            parse(&answer).filter(|answer| *answer == Call::Ping).ok_or_else(unknown)?;
        }
        self.note(clock);
        Ok(())
    }

    /// The server's side: the next call, which may be long in coming. A ping is answered here.
    pub fn hear(&mut self, patience: Duration) -> Result<Call, RunError> {
        let clock = Clock::start(self.peer.counters());
        self.peer.set_patience(patience)?;
        let call = parse(&self.peer.receive(1)?).ok_or_else(unknown)?;
        self.peer.set_patience(Duration::ZERO)?;
        let made = self.asked.saturating_add(self.held.len() as u32);
        match call {
            Call::Ping => self.peer.send(vec![call as u8])?,
            Call::Query if self.held.is_empty() && made >= self.queries => {
                return Err(RunError::TooManyQueries(self.queries));
            }
            Call::Prepare if made >= self.queries => return Err(RunError::TooManyQueries(self.queries)),
            _ => {}
        }
        self.note(clock);
        Ok(call)
    }

    /// Makes what a later query consumes; both hold it when this returns.
    pub fn hold(&mut self, tell: &mut dyn FnMut(Stage)) -> Result<(), RunError> {
        let most = self.ahead.unwrap_or(0) as usize;
        if self.held.len() >= most {
            return Err(PeerError::Malformed(format!("a call to prepare where {most} may be held")).into());
        }
        let clock = Clock::start(self.counters());
        let (supply, patience) = self.make(tell)?;
        agree(&[0; 32], &mut *self.peer, patience, "run the same version of `ptc`")?;
        let (traffic, time) = clock.read(self.counters());
        self.statistics.offline.add(traffic, time);
        self.held.push_back(supply);
        self.calls.held += 1;
        Ok(())
    }

    /// Queries that are prepared and not yet asked.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Calls belong to no query. The time between them is nobody's work.
    fn note(&mut self, clock: Clock) {
        let (traffic, _) = clock.read(self.peer.counters());
        self.statistics.setup.add(traffic, Duration::ZERO);
    }
}

fn parse(message: &[u8]) -> Option<Call> {
    match message {
        [0] => Some(Call::End),
        [1] => Some(Call::Query),
        [2] => Some(Call::Prepare),
        [3] => Some(Call::Ping),
        _ => None,
    }
}

fn unknown() -> PeerError {
    PeerError::Malformed("a call of unknown form".into())
}
