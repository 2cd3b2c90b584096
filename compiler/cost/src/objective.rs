//! What a build spends least of.

use crate::predict::Prediction;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Objective {
    /// The seconds in which a client waits for its answer, everything having been prepared.
    Online,
    /// Seconds of a session of one query, preparation and query together.
    #[default]
    Total,
    /// Bytes of a session of one query, both directions.
    Traffic,
}

/// Of what comes second, where the first is equal: as many units are worth one.
const SECOND: f64 = 1e-3;

impl Objective {
    pub fn name(self) -> &'static str {
        match self {
            Objective::Online => "online",
            Objective::Total => "total",
            Objective::Traffic => "traffic",
        }
    }

    /// Microseconds, or bytes. Of two plans that are alike in this, the one that takes less time in all is cheaper.
    pub fn price(self, prediction: &Prediction) -> f64 {
        let all = prediction.seconds() * 1e6;
        match self {
            Objective::Online => prediction.online.seconds * 1e6 + SECOND * all,
            Objective::Total => all,
            Objective::Traffic => prediction.bytes() as f64 + SECOND * all,
        }
    }
}
