//! What a session cost, by phase and by step.

use std::time::{Duration, Instant};

use ptc_net::Counters;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phase {
    pub traffic: Counters,
    pub seconds: f64,
}

impl Phase {
    pub fn add(&mut self, traffic: Counters, time: Duration) {
        self.traffic = self.traffic + traffic;
        self.seconds += time.as_secs_f64();
    }
}

/// Measures from its making until it is read.
pub struct Clock {
    start: Instant,
    counters: Counters,
}

impl Clock {
    pub fn start(counters: Counters) -> Clock {
        Clock { start: Instant::now(), counters }
    }

    pub fn read(&self, counters: Counters) -> (Counters, Duration) {
        (counters.since(self.counters), self.start.elapsed())
    }
}

/// Online, over all queries of a session.
#[derive(Clone, Debug, Default)]
pub struct Online {
    /// Seconds computed in each step of the plan.
    pub steps: Vec<f64>,
    /// Seconds spent sending, and waiting for the other party.
    pub waiting: f64,
}
