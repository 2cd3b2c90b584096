//! What is known beside a plan: predicted times, and what both parties recorded of a run.

use crate::trace::Trace;

#[derive(Clone, Debug, Default)]
pub struct Beside {
    pub times: Option<Times>,
    /// By party.
    pub traces: Option<[Trace; 2]>,
}

/// Predicted microseconds.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// The link and the machine that they hold for, in words.
    pub profile: String,
    /// Of a query, and of preparing it.
    pub online_us: f64,
    pub offline_us: f64,
    /// Of opening a session.
    pub once_us: f64,
    /// Of each step of the plan. Steps share rounds: a step bears its part of those in which it is.
    pub steps: Vec<StepTime>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepTime {
    pub online_us: f64,
    pub offline_us: f64,
}
