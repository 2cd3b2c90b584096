//! A run as both parties recorded it, beside what its plan predicts: bytes of every round and step, to the byte; times by kind
//! of step and by line.

use std::collections::BTreeMap;

use ptc_plan::price::{self, FRAME_HEADER};
use serde::Serialize;

use crate::facts::Facts;
use crate::trace::Trace;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    pub queries: u32,
    /// By party.
    pub phases: [Vec<Phase>; 2],
    /// What went otherwise than predicted; nothing, if all is well. The first few, and how many there are.
    pub differences: Vec<Difference>,
    pub difference_count: u64,
    /// Of a query, on average: until the slower party was done.
    pub online_us: f64,
    pub predicted_online_us: Option<f64>,
    pub rounds: Vec<Round>,
    /// The longest first.
    pub kinds: Vec<Timed>,
    /// By index into the report's lines.
    pub lines: Vec<Timed>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Phase {
    pub phase: String,
    pub rounds: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub us: u64,
}

/// Bytes that are not as predicted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    pub party: &'static str,
    pub query: u32,
    /// Of a whole round, or of one step.
    pub what: String,
    pub predicted_bytes: [u64; 2],
    /// Sent and received; none where the trace does not have it.
    pub measured_bytes: Option<[u64; 2]>,
}

/// On average over the queries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Round {
    pub round: u32,
    /// Frame headers included.
    pub server_bytes: u64,
    pub client_bytes: u64,
    pub server_us: f64,
    pub client_us: f64,
    /// When neither party computed: the link.
    pub link_us: f64,
}

/// Average microseconds of a query.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timed {
    pub name: String,
    pub count: u64,
    pub server_computing_us: f64,
    pub client_computing_us: f64,
    /// Its part of the times in which neither computed, by bytes.
    pub link_us: f64,
    /// The slower party's computing, and the link.
    pub measured_us: f64,
    pub predicted_us: Option<f64>,
}

/// Differences that are shown.
const SHOWN: usize = 20;

pub fn measured(facts: &Facts, line_of: &[usize], lines: usize) -> Option<Measured> {
    let traces = facts.beside.traces.as_ref()?;
    let queries = traces[0].head.queries.min(traces[1].head.queries);
    let (_, schedule) = price::total(facts.plan);
    let mut differences = vec![];
    for (party, trace) in traces.iter().enumerate() {
        rounds_differ(trace, party, &schedule, queries, &mut differences);
        steps_differ(facts, trace, party, &mut differences);
    }
    let rounds = rounds(traces, &schedule, queries);
    let steps = steps(facts, traces, &rounds, queries);
    let mut kinds: BTreeMap<&'static str, Timed> = BTreeMap::new();
    let mut by_line = vec![Timed::default(); lines];
    for (at, step) in steps.iter().enumerate() {
        add(kinds.entry(facts.step(at).op.name()).or_default(), step);
        add(&mut by_line[line_of[at]], step);
    }
    let mut kinds: Vec<Timed> = kinds.into_iter().map(|(name, sum)| Timed { name: name.into(), ..sum }).collect();
    kinds.sort_by(|a, b| b.measured_us.total_cmp(&a.measured_us));
    let difference_count = differences.len() as u64;
    differences.truncate(SHOWN);
    // A party may be in a round while the other is still in the one before.
    let spans = [rounds.iter().map(|round| round.server_us).sum(), rounds.iter().map(|round| round.client_us).sum()];
    Some(Measured {
        queries,
        phases: [phases(&traces[0]), phases(&traces[1])],
        differences,
        difference_count,
        online_us: f64::max(spans[0], spans[1]),
        predicted_online_us: facts.beside.times.as_ref().map(|times| times.online_us),
        rounds,
        kinds,
        lines: by_line,
    })
}

fn phases(trace: &Trace) -> Vec<Phase> {
    let phase = |phase: &crate::trace::Phase| Phase {
        phase: phase.phase.clone(),
        rounds: phase.rounds,
        sent_bytes: phase.sent_bytes,
        received_bytes: phase.received_bytes,
        us: phase.us,
    };
    trace.phases.iter().map(phase).collect()
}

const PARTIES: [&str; 2] = ["server", "client"];

fn framed(bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { bytes + FRAME_HEADER }
}

fn rounds_differ(
    trace: &Trace,
    party: usize,
    schedule: &[price::Round],
    queries: u32,
    differences: &mut Vec<Difference>,
) {
    let found: BTreeMap<(u32, u32), [u64; 2]> = trace
        .rounds
        .iter()
        .map(|round| ((round.query, round.round), [round.sent_bytes, round.received_bytes]))
        .collect();
    for query in 0..queries {
        for (at, round) in schedule.iter().enumerate() {
            let predicted = [framed(round.sent[party]), framed(round.sent[1 - party])];
            let measured = found.get(&(query, at as u32)).copied();
            if measured != Some(predicted) {
                let (what, party) = (format!("round {at}"), PARTIES[party]);
                differences.push(Difference {
                    party,
                    query,
                    what,
                    predicted_bytes: predicted,
                    measured_bytes: measured,
                });
            }
        }
    }
    for round in trace.rounds.iter().filter(|round| round.round as usize >= schedule.len()) {
        if round.sent_bytes + round.received_bytes > 0 {
            differences.push(Difference {
                party: PARTIES[party],
                query: round.query,
                what: format!("round {}, which the plan does not have", round.round),
                predicted_bytes: [0, 0],
                measured_bytes: Some([round.sent_bytes, round.received_bytes]),
            });
        }
    }
}

fn steps_differ(facts: &Facts, trace: &Trace, party: usize, differences: &mut Vec<Difference>) {
    for step in &trace.steps {
        let sent = facts.sent(step.step);
        let (predicted, measured) = ([sent[party], sent[1 - party]], [step.sent_bytes, step.received_bytes]);
        if predicted != measured {
            let what = format!("step {}, `{}`", step.step, facts.step(step.step).op.name());
            differences.push(Difference {
                party: PARTIES[party],
                query: step.query,
                what,
                predicted_bytes: predicted,
                measured_bytes: Some(measured),
            });
        }
    }
}

fn rounds(traces: &[Trace; 2], schedule: &[price::Round], queries: u32) -> Vec<Round> {
    let last = traces.iter().flat_map(|trace| &trace.rounds).map(|round| round.round as usize + 1).max().unwrap_or(0);
    let mut spans = vec![[0.0; 2]; last];
    let mut waits = vec![[0.0; 2]; last];
    for (party, trace) in traces.iter().enumerate() {
        for round in &trace.rounds {
            let at = round.round as usize;
            spans[at][party] += round.end_us.saturating_sub(round.start_us) as f64;
            waits[at][party] += round.waiting_us as f64;
        }
    }
    let each = f64::from(queries.max(1));
    let round = |(at, (spans, waits)): (usize, ([f64; 2], [f64; 2]))| {
        let sent = schedule.get(at).map_or([0, 0], |round| round.sent.map(framed));
        Round {
            round: at as u32,
            server_bytes: sent[0],
            client_bytes: sent[1],
            server_us: spans[0] / each,
            client_us: spans[1] / each,
            link_us: waits[0].min(waits[1]) / each,
        }
    };
    spans.into_iter().zip(waits).enumerate().map(round).collect()
}

fn steps(facts: &Facts, traces: &[Trace; 2], rounds: &[Round], queries: u32) -> Vec<Timed> {
    let mut computing = vec![[0.0; 2]; facts.steps.len()];
    for (party, trace) in traces.iter().enumerate() {
        for step in &trace.steps {
            computing[step.step][party] += step.computing_us as f64;
        }
    }
    let payload: Vec<f64> =
        rounds.iter().map(|round| (round.server_bytes + round.client_bytes).max(1) as f64).collect();
    let each = f64::from(queries.max(1));
    let step = |at: usize| {
        let [server, client] = computing[at].map(|us| us / each);
        let link = (facts.step(at).round as usize..).zip(&facts.steps[at].rounds).map(|(round, bytes)| {
            let share = (bytes.sent[0] + bytes.sent[1]) as f64;
            rounds.get(round).map_or(0.0, |all| all.link_us * share / payload[round])
        });
        let link_us: f64 = link.sum();
        let predicted = facts.beside.times.as_ref().and_then(|times| times.steps.get(at)).map(|time| time.online_us);
        Timed {
            name: String::new(),
            count: 1,
            server_computing_us: server,
            client_computing_us: client,
            link_us,
            measured_us: server.max(client) + link_us,
            predicted_us: predicted,
        }
    };
    (0..facts.steps.len()).map(step).collect()
}

fn add(sum: &mut Timed, step: &Timed) {
    sum.count += step.count;
    sum.server_computing_us += step.server_computing_us;
    sum.client_computing_us += step.client_computing_us;
    sum.link_us += step.link_us;
    sum.measured_us += step.measured_us;
    if let Some(predicted) = step.predicted_us {
        *sum.predicted_us.get_or_insert(0.0) += predicted;
    }
}
