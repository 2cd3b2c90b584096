//! What a server counts, over all its sessions, and the text form in which Prometheus reads it.
//!
//! No number tells of a value that is private: how many, how much and how long follow from the plan and from when clients come.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ptc_exec::statistics::Phase;

use crate::Outcome;

/// Upper bounds of the buckets, in seconds.
const BOUNDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Setup,
    Weights,
    Offline,
    Online,
}

const NAMES: [(Name, &str); 4] =
    [(Name::Setup, "setup"), (Name::Weights, "weights"), (Name::Offline, "offline"), (Name::Online, "online")];

const OUTCOMES: [(Outcome, &str); 8] = [
    (Outcome::Done, "done"),
    (Outcome::Left, "left"),
    (Outcome::Refused, "refused"),
    (Outcome::Stranger, "stranger"),
    (Outcome::Failed, "failed"),
    (Outcome::Overdue, "overdue"),
    (Outcome::Stopped, "stopped"),
    (Outcome::Panicked, "panicked"),
];

impl Outcome {
    pub fn name(self) -> &'static str {
        OUTCOMES.iter().find(|(outcome, _)| *outcome == self).map_or("", |(_, name)| name)
    }
}

#[derive(Default)]
pub struct Numbers {
    ended: [AtomicU64; OUTCOMES.len()],
    queries: AtomicU64,
    phases: Mutex<[Spent; NAMES.len()]>,
}

#[derive(Clone, Copy, Default)]
struct Spent {
    rounds: u64,
    sent: u64,
    received: u64,
    seconds: Histogram,
}

#[derive(Clone, Copy, Default)]
struct Histogram {
    /// Of each bucket alone; the last is beyond all bounds.
    counts: [u64; BOUNDS.len() + 1],
    sum: f64,
}

/// What is so at the moment of asking.
pub struct Now {
    pub sessions: usize,
    pub places: usize,
    pub strangers: usize,
    pub uptime_seconds: f64,
    /// Where the system tells.
    pub resident_bytes: Option<u64>,
    pub peak_bytes: Option<u64>,
    pub threads: Option<u64>,
    pub open_files: Option<u64>,
}

impl Numbers {
    pub fn ended(&self, outcome: Outcome) {
        if let Some(at) = OUTCOMES.iter().position(|(of, _)| *of == outcome) {
            self.ended[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn query(&self) {
        self.queries.fetch_add(1, Ordering::Relaxed);
    }

    pub fn phase(&self, name: Name, cost: Phase) {
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = NAMES.iter().position(|(of, _)| *of == name) {
            let spent = &mut phases[at];
            spent.rounds += cost.traffic.rounds;
            spent.sent += cost.traffic.sent;
            spent.received += cost.traffic.received;
            // A call between two queries takes no time of its own.
            if cost.seconds > 0.0 {
                spent.seconds.add(cost.seconds);
            }
        }
    }

    pub fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    pub fn count(&self, outcome: Outcome) -> u64 {
        let at = OUTCOMES.iter().position(|(of, _)| *of == outcome);
        at.map_or(0, |at| self.ended[at].load(Ordering::Relaxed))
    }

    /// The text exposition format of Prometheus, version 0.0.4.
    pub fn text(&self, now: &Now) -> String {
        let mut text = Text(String::new());
        text.one("sessions_active", "gauge", "Sessions that run", now.sessions);
        text.one("sessions_limit", "gauge", "Sessions that may run at the same time", now.places);
        text.one("strangers", "gauge", "Callers that have not said what they want", now.strangers);
        let counts: u64 = OUTCOMES.iter().filter(|(outcome, _)| began(*outcome)).map(|(of, _)| self.count(*of)).sum();
        let total = counts + now.sessions as u64;
        text.one("sessions_total", "counter", "Sessions that began", total);
        text.head("visits_ended_total", "counter", "Callers that have gone, by how their visit ended");
        for (outcome, name) in OUTCOMES {
            text.line("visits_ended_total", &format!("outcome=\"{name}\""), self.count(outcome));
        }
        text.one("queries_total", "counter", "Queries answered", self.queries());
        let phases = *self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        text.head("bytes_total", "counter", "Bytes of messages, frame headers included");
        for ((_, name), spent) in NAMES.iter().zip(&phases) {
            text.line("bytes_total", &format!("phase=\"{name}\",direction=\"sent\""), spent.sent);
            text.line("bytes_total", &format!("phase=\"{name}\",direction=\"received\""), spent.received);
        }
        text.head("rounds_total", "counter", "Rounds");
        for ((_, name), spent) in NAMES.iter().zip(&phases) {
            text.line("rounds_total", &format!("phase=\"{name}\""), spent.rounds);
        }
        text.head("phase_seconds", "histogram", "Seconds of each phase of a session or query");
        for ((_, name), spent) in NAMES.iter().zip(&phases) {
            spent.seconds.write(name, &mut text);
        }
        text.one("uptime_seconds", "gauge", "Since the server began", now.uptime_seconds);
        let process = [
            ("resident_memory_bytes", "Memory that the process holds", now.resident_bytes),
            ("peak_memory_bytes", "The most memory that the process has held", now.peak_bytes),
            ("threads", "Threads of the process", now.threads),
            ("open_files", "Open files and sockets of the process", now.open_files),
        ];
        for (name, help, value) in process {
            if let Some(value) = value {
                text.one(name, "gauge", help, value);
            }
        }
        text.0
    }
}

/// Whether a visit that ended so had been a session.
fn began(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Refused | Outcome::Stranger)
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.counts[at] += 1;
        self.sum += seconds;
    }

    fn write(&self, phase: &str, text: &mut Text) {
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().map(f64::to_string).chain(["+Inf".into()]).zip(self.counts) {
            below += count;
            text.line("phase_seconds_bucket", &format!("phase=\"{phase}\",le=\"{bound}\""), below);
        }
        text.line("phase_seconds_sum", &format!("phase=\"{phase}\""), self.sum);
        text.line("phase_seconds_count", &format!("phase=\"{phase}\""), below);
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP ptc_{name} {help}.\n# TYPE ptc_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "ptc_{name}{{{labels}}} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "ptc_{name} {value}");
    }
}

#[cfg(test)]
mod tests {
    use ptc_net::Counters;

    use super::*;

    #[test]
    fn the_text_has_what_was_counted() {
        let numbers = Numbers::default();
        for outcome in [Outcome::Done, Outcome::Done, Outcome::Failed, Outcome::Refused] {
            numbers.ended(outcome);
        }
        numbers.query();
        for seconds in [0.002, 0.003, 100.0] {
            numbers.phase(Name::Online, Phase { traffic: Counters { rounds: 2, sent: 10, received: 20 }, seconds });
        }
        let now = Now {
            sessions: 1,
            places: 8,
            strangers: 0,
            uptime_seconds: 1.5,
            resident_bytes: Some(4096),
            peak_bytes: None,
            threads: None,
            open_files: None,
        };
        let text = numbers.text(&now);
        for line in [
            "ptc_sessions_active 1",
            "ptc_sessions_total 4",
            "ptc_visits_ended_total{outcome=\"done\"} 2",
            "ptc_visits_ended_total{outcome=\"refused\"} 1",
            "ptc_queries_total 1",
            "ptc_bytes_total{phase=\"online\",direction=\"received\"} 60",
            "ptc_rounds_total{phase=\"online\"} 6",
            "ptc_phase_seconds_bucket{phase=\"online\",le=\"0.001\"} 0",
            "ptc_phase_seconds_bucket{phase=\"online\",le=\"0.0025\"} 1",
            "ptc_phase_seconds_bucket{phase=\"online\",le=\"60\"} 2",
            "ptc_phase_seconds_bucket{phase=\"online\",le=\"+Inf\"} 3",
            "ptc_phase_seconds_count{phase=\"online\"} 3",
            "ptc_resident_memory_bytes 4096",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is not in:\n{text}");
        }
        assert!(!text.contains("peak_memory"));
    }
}
