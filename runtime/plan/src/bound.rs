//! What is known of a value before it is computed: an interval, and on what ground.

use serde::{Deserialize, Serialize};

/// How a bound is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// From operators and other bounds alone.
    Proved,
    /// From samples, with a margin.
    Calibrated,
    /// From the defaults for uncalibrated models.
    Assumed,
    /// Of those elements that a later gate keeps; the others may hold anything.
    Gated,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    pub low: f64,
    pub high: f64,
    pub grade: Grade,
}

impl Bound {
    pub fn max_abs(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }
}
