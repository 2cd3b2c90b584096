//! What a session cost beside what its plan predicts: as JSON for `--stats`, and as a table.

use std::collections::BTreeMap;

use ptc_exec::statistics::{Phase, Predicted, QuerySeconds, Statistics};
use ptc_net::Counters;
use ptc_net::channel::Overhead;
use ptc_plan::Plan;
use ptc_plan::step::Party;
use serde::Serialize;

use crate::messages;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    party: usize,
    /// Queries that one run of the plan serves, if more than one: below, each counts as one query.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<u32>,
    queries: u32,
    /// Those of them whose correlations came from a pool.
    pooled: u32,
    phases: Phases,
    each_query: Vec<Query>,
    /// Of the online seconds: how long this party sent and waited, and computed in steps of each kind.
    waiting_seconds: f64,
    computing_seconds: BTreeMap<&'static str, f64>,
    /// Of the offline seconds, where two parties alone prepare: what they went into. Parts run side by side.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    source_seconds: BTreeMap<&'static str, f64>,
    /// What TLS adds to all phases: records and the handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Added>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_bytes: Option<u64>,
}

/// In the order in which a session goes through them.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Phases {
    setup: Cost,
    weights: Cost,
    offline: Cost,
    online: Cost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Added {
    sent_bytes: u64,
    received_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Query {
    offline_seconds: f64,
    online_seconds: f64,
}

/// One phase of a session, over all its queries.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Cost {
    #[serde(flatten)]
    traffic: Traffic,
    seconds: f64,
    /// What follows from the plan; the set-up depends on what the client keeps, and does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted: Option<Traffic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Traffic {
    rounds: u64,
    sent_bytes: u64,
    received_bytes: u64,
}

impl From<Counters> for Traffic {
    fn from(counters: Counters) -> Traffic {
        Traffic { rounds: counters.rounds, sent_bytes: counters.sent, received_bytes: counters.received }
    }
}

pub fn collect(party: Party, plan: &Plan, measured: &Statistics, predicted: &Predicted) -> Stats {
    let cost = |phase: &Phase, predicted: Option<Counters>| Cost {
        traffic: phase.traffic.into(),
        seconds: phase.seconds,
        predicted: predicted.map(Traffic::from),
    };
    let phases = Phases {
        setup: cost(&measured.setup, None),
        weights: cost(&measured.weights, Some(predicted.weights)),
        offline: cost(&measured.offline, Some(predicted.offline)),
        online: cost(&measured.online, Some(predicted.online)),
    };
    let seconds = |query: &QuerySeconds| Query { offline_seconds: query.offline, online_seconds: query.online };
    let Overhead { sent: sent_bytes, received: received_bytes } = measured.encryption;
    let added = Added { sent_bytes, received_bytes };
    let mut computing_seconds = BTreeMap::new();
    for (step, seconds) in plan.steps.iter().zip(&measured.steps.steps) {
        *computing_seconds.entry(step.op.name()).or_insert(0.0) += seconds;
    }
    Stats {
        party: party.index(),
        batch: plan.batch,
        queries: measured.queries,
        pooled: measured.pooled,
        phases,
        each_query: measured.each_query.iter().map(seconds).collect(),
        waiting_seconds: measured.steps.waiting,
        computing_seconds,
        source_seconds: measured.source.iter().copied().collect(),
        tls: (measured.encryption != Overhead::default()).then_some(added),
        peak_memory_bytes: peak_memory_bytes(),
    }
}

impl Stats {
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("text keys and finite numbers have a form in JSON");
        text + "\n"
    }

    /// On standard error, in the form that the command line chose.
    pub fn tell(&self) {
        messages::table("statistics", &self.table(), || serde_json::to_value(self).unwrap_or_default());
    }

    /// For people: a line a phase, the prediction below where it differs.
    pub fn table(&self) -> String {
        let mut lines = vec![format!("{:<10}{:>8}{:>12}{:>12}{:>10}", "phase", "rounds", "sent", "received", "time")];
        let Phases { setup, weights, offline, online } = &self.phases;
        for (name, cost) in [("setup", setup), ("weights", weights), ("offline", offline), ("online", online)] {
            let Cost { traffic, seconds, predicted } = cost;
            let verdict = match predicted {
                Some(predicted) if predicted == traffic => "  as predicted",
                _ => "",
            };
            lines.push(format!("{}{:>8.2} s{verdict}", row(name, traffic), seconds));
            if let Some(predicted) = predicted.filter(|predicted| predicted != traffic) {
                lines.push(format!("{}  predicted", row("", &predicted)));
            }
        }
        if let Some(Added { sent_bytes, received_bytes }) = self.tls {
            lines.push(format!("encryption adds {} sent and {} received", size(sent_bytes), size(received_bytes)));
        }
        if !self.source_seconds.is_empty() {
            lines.push(format!("offline seconds, side by side: {}", self.longest().join(", ")));
        }
        if let Some(bytes) = self.peak_memory_bytes {
            lines.push(format!("peak memory {}", size(bytes)));
        }
        lines.join("\n") + "\n"
    }

    /// What most of the offline seconds went into, the longest first.
    fn longest(&self) -> Vec<String> {
        const SHOWN: usize = 6;
        let mut parts: Vec<(&str, f64)> = self.source_seconds.iter().map(|(name, seconds)| (*name, *seconds)).collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts.iter().take(SHOWN).map(|(name, seconds)| format!("{name} {seconds:.2}")).collect()
    }
}

fn row(name: &str, traffic: &Traffic) -> String {
    let (sent, received) = (size(traffic.sent_bytes), size(traffic.received_bytes));
    format!("{name:<10}{:>8}{sent:>12}{received:>12}", traffic.rounds)
}

/// Decimal units, as networks are sold.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.2} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// The most memory this process has held at once, where the system tells.
pub fn peak_memory_bytes() -> Option<u64> {
    high_water(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use ptc_exec::statistics::Online;
    use ptc_plan::file::Trust;
    use ptc_plan::step::{Step, StepOp};

    use super::*;

    fn plan() -> Plan {
        let step = |op| Step { op, inputs: vec![], outputs: vec![], round: 0, origin: 0, method: None };
        Plan {
            model: String::new(),
            entry: String::new(),
            trust: Trust::Dealer,
            steps: vec![step(StepOp::Mul), step(StepOp::Square), step(StepOp::Mul)],
            ..Plan::default()
        }
    }

    fn example() -> Stats {
        let counters = |rounds, sent, received| Counters { rounds, sent, received };
        let phase = |traffic, seconds| Phase { traffic, seconds };
        let measured = Statistics {
            setup: phase(counters(0, 400, 46_900_000), 0.5),
            weights: phase(counters(0, 0, 40), 0.25),
            offline: phase(counters(0, 40, 123_456), 1.0),
            online: phase(counters(7, 2_000_000, 3_000_000), 2.0),
            encryption: Overhead { sent: 900, received: 1_000 },
            queries: 1,
            pooled: 0,
            each_query: vec![QuerySeconds { offline: 1.0, online: 2.0 }],
            source: vec![("extension", 0.25), ("waiting", 0.5)],
            steps: Online { steps: vec![0.5, 0.25, 0.125], waiting: 1.0, trace: None },
        };
        let predicted = Predicted {
            weights: counters(0, 0, 40),
            offline: counters(0, 40, 123_456),
            online: counters(7, 2_000_000, 3_000_001),
        };
        Stats { peak_memory_bytes: Some(1 << 20), ..collect(Party::Client, &plan(), &measured, &predicted) }
    }

    #[test]
    fn the_json_has_each_phase_beside_its_prediction() {
        let json: serde_json::Value = serde_json::from_str(&example().json()).unwrap();
        let online = serde_json::json!({
            "rounds": 7, "sent_bytes": 2_000_000, "received_bytes": 3_000_000, "seconds": 2.0,
            "predicted": { "rounds": 7, "sent_bytes": 2_000_000, "received_bytes": 3_000_001 }
        });
        assert_eq!(json["phases"]["online"], online);
        assert_eq!(json["phases"]["setup"].get("predicted"), None);
        assert_eq!((&json["party"], &json["queries"]), (&1.into(), &1.into()));
        assert_eq!(json["peak_memory_bytes"], 1 << 20);
        assert_eq!(json["computing_seconds"], serde_json::json!({ "mul": 0.625, "square": 0.25 }));
        assert_eq!(json["source_seconds"], serde_json::json!({ "extension": 0.25, "waiting": 0.5 }));
        assert_eq!(json["tls"], serde_json::json!({ "sent_bytes": 900, "received_bytes": 1_000 }));
        assert_eq!(json["waiting_seconds"], 1.0);
        assert_eq!(json["each_query"], serde_json::json!([{ "offline_seconds": 1.0, "online_seconds": 2.0 }]));
    }

    #[test]
    fn the_table_shows_a_prediction_that_failed() {
        let expected = "\
phase       rounds        sent    received      time
setup            0       400 B    46.90 MB    0.50 s
weights          0         0 B        40 B    0.25 s  as predicted
offline          0        40 B   123.46 kB    1.00 s  as predicted
online           7     2.00 MB     3.00 MB    2.00 s
                 7     2.00 MB     3.00 MB  predicted
encryption adds 900 B sent and 1.00 kB received
offline seconds, side by side: waiting 0.50, extension 0.25
peak memory 1.05 MB
";
        assert_eq!(example().table(), expected);
    }

    #[test]
    fn the_high_water_mark_is_read() {
        assert_eq!(high_water("VmPeak:\t 9 kB\nVmHWM:\t    1234 kB\n"), Some(1234 * 1024));
        assert_eq!(high_water("VmHWM:\t many\n"), None);
        assert!(peak_memory_bytes().is_some_and(|bytes| bytes > 100_000));
    }
}
