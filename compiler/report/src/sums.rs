//! Costs of steps, added up.

use std::collections::BTreeSet;

use ptc_plan::bound::{Bound, Grade};
use ptc_plan::step::{Form, ValueId};

use crate::facts::Facts;
use crate::report::{Cost, Range, grade_name};

#[derive(Clone, Default)]
pub struct Sum {
    pub count: u64,
    pub elements: u64,
    pub rounds: BTreeSet<u32>,
    critical: BTreeSet<u32>,
    sent: [u64; 2],
    prepared: f64,
    online_us: f64,
    offline_us: f64,
    timed: bool,
    bound: Option<Bound>,
    error: Option<f64>,
}

impl Sum {
    pub fn add(&mut self, facts: &Facts, at: usize) {
        let (step, of) = (facts.step(at), &facts.steps[at]);
        self.count += 1;
        self.elements += facts.elements(at);
        for (round, bytes) in (step.round..).zip(&of.rounds) {
            self.rounds.insert(round);
            if of.critical {
                self.critical.insert(round);
            }
            self.sent[0] += bytes.sent[0];
            self.sent[1] += bytes.sent[1];
        }
        self.prepared += of.prepared.bytes;
        if let Some(times) = &facts.beside.times
            && let Some(time) = times.steps.get(at)
        {
            self.timed = true;
            self.online_us += time.online_us;
            self.offline_us += time.offline_us;
        }
    }

    /// What is known of a value joins what is known of others.
    pub fn know(&mut self, facts: &Facts, id: ValueId) {
        let value = facts.value(id);
        if !matches!(value.form, Form::Share(_)) {
            return;
        }
        if let Some(bound) = value.bound {
            self.bound = Some(self.bound.map_or(bound, |other| hull(other, bound)));
        }
        if let Some(error) = value.error {
            self.error = Some(self.error.map_or(error, |other| other.max(error)));
        }
    }

    pub fn range(&self) -> Option<Range> {
        self.bound.map(range)
    }

    pub fn error(&self) -> Option<f64> {
        self.error
    }

    pub fn cost(&self) -> Cost {
        Cost {
            rounds: self.rounds.len() as u64,
            critical_rounds: self.critical.len() as u64,
            server_bytes: self.sent[0],
            client_bytes: self.sent[1],
            offline_bytes: self.prepared.round() as u64,
            online_us: self.timed.then_some(self.online_us),
            offline_us: self.timed.then_some(self.offline_us),
        }
    }
}

/// The least that holds for both: the interval around them, on the weaker ground.
fn hull(a: Bound, b: Bound) -> Bound {
    Bound { low: a.low.min(b.low), high: a.high.max(b.high), grade: weaker(a.grade, b.grade) }
}

fn weaker(a: Grade, b: Grade) -> Grade {
    a.max(b)
}

pub fn range(bound: Bound) -> Range {
    let sign = match bound {
        Bound { low, high, .. } if low >= 0.0 && high <= 0.0 => "zero",
        Bound { low, .. } if low > 0.0 => "positive",
        Bound { low, .. } if low >= 0.0 => "never negative",
        Bound { high, .. } if high < 0.0 => "negative",
        Bound { high, .. } if high <= 0.0 => "never positive",
        _ => "either",
    };
    Range { low: bound.low, high: bound.high, grade: grade_name(bound.grade), sign }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_follows_from_a_range() {
        for (low, high, sign) in [
            (0.5, 2.0, "positive"),
            (0.0, 2.0, "never negative"),
            (-1.0, 2.0, "either"),
            (-3.0, 0.0, "never positive"),
            (-3.0, -1.0, "negative"),
            (0.0, 0.0, "zero"),
        ] {
            assert_eq!(range(Bound { low, high, grade: Grade::Proved }).sign, sign, "{low} {high}");
        }
    }

    #[test]
    fn a_hull_has_the_weaker_ground() {
        let bound = |low, high, grade| Bound { low, high, grade };
        let both = hull(bound(-1.0, 2.0, Grade::Proved), bound(-3.0, 1.0, Grade::Calibrated));
        assert_eq!(both, bound(-3.0, 2.0, Grade::Calibrated));
    }
}
