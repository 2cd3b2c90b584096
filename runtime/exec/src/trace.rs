//! What a party did when: rounds and steps of its queries, with their bytes. Clock and shapes alone tell it, and no value.

use std::time::{Duration, Instant};

/// Of a session's queries, in order.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub queries: Vec<QueryTrace>,
}

/// Times are microseconds since the query's first round began, which both parties begin together.
#[derive(Clone, Debug)]
pub struct QueryTrace {
    start: Instant,
    pub rounds: Vec<RoundTrace>,
    pub steps: Vec<StepTrace>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start_us: u64,
    pub end_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrace {
    pub round: u32,
    pub span: Span,
    /// Of it: sending, and waiting for the other party.
    pub waiting_us: u64,
    /// Frame headers included.
    pub sent: u64,
    pub received: u64,
}

/// A step in which this party took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTrace {
    pub step: usize,
    /// From its inputs to its result, waiting included.
    pub span: Span,
    pub computing_us: u64,
    /// Payload.
    pub sent: u64,
    pub received: u64,
}

impl Trace {
    /// A query begins.
    pub fn begin(&mut self) {
        self.queries.push(QueryTrace { start: Instant::now(), rounds: vec![], steps: vec![] });
    }

    /// Of the query that runs; zero before the first.
    pub fn now_us(&self) -> u64 {
        self.queries.last().map_or(0, |query| whole_us(query.start.elapsed()))
    }

    pub fn round(&mut self, round: RoundTrace) {
        if let Some(query) = self.queries.last_mut() {
            query.rounds.push(round);
        }
    }

    pub fn step(&mut self, step: StepTrace) {
        if let Some(query) = self.queries.last_mut() {
            query.steps.push(step);
        }
    }
}

/// Whole microseconds.
pub fn whole_us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
