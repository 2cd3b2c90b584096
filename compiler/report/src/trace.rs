//! What a party recorded of a run: one JSON object a line, `kind` first. Times are in microseconds, and those of rounds and
//! steps count from the query's first round, which both parties begin together.

use serde::{Deserialize, Serialize};

/// Goes up with every change that a reader has to know of.
pub const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Record {
    /// The first line.
    Trace(Head),
    Phase(Phase),
    Round(Round),
    Step(Step),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub version: u32,
    pub party: usize,
    /// SHA-256 of the plan's contents, in hexadecimal digits.
    pub plan: String,
    pub queries: u32,
}

/// One of `setup`, `weights`, `offline`, `online`, over all queries; frame headers included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    pub phase: String,
    pub rounds: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub us: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    pub query: u32,
    pub round: u32,
    pub start_us: u64,
    pub end_us: u64,
    /// Of it: sending, and waiting for the other party.
    pub waiting_us: u64,
    /// Frame headers included.
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

/// A step in which the party took part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub query: u32,
    /// Index into the plan's steps.
    pub step: usize,
    pub op: String,
    /// The first of its rounds.
    pub round: u32,
    /// From its inputs to its result, waiting included.
    pub start_us: u64,
    pub end_us: u64,
    pub computing_us: u64,
    /// Payload.
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

/// All that one party recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    pub head: Head,
    pub phases: Vec<Phase>,
    pub rounds: Vec<Round>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TraceError {
    #[error("line {line} is no record of a trace: {error}\nhint: give a file that `ptc run --trace FILE` wrote")]
    Malformed { line: usize, error: String },
    #[error("the trace does not begin with its head\nhint: give a file that `ptc run --trace FILE` wrote")]
    NoHead,
    #[error("the trace has version {0}, this program reads version {VERSION}\nhint: use the version of `ptc` that ran")]
    Version(u32),
    #[error("the trace is of another plan\nhint: give the plan that both parties ran")]
    OtherPlan,
    #[error("the trace speaks of {what} {found}, and the plan has {has}\nhint: the file is damaged; run again")]
    Beyond { what: &'static str, found: u64, has: u64 },
    #[error("traces of both parties are needed, one each\nhint: give `--trace SERVER --trace CLIENT`")]
    NotBoth,
}

impl Trace {
    pub fn to_lines(&self) -> String {
        let head = std::iter::once(Record::Trace(self.head.clone()));
        let phases = self.phases.iter().cloned().map(Record::Phase);
        let rounds = self.rounds.iter().cloned().map(Record::Round);
        let steps = self.steps.iter().cloned().map(Record::Step);
        let text = |record: Record| serde_json::to_string(&record).expect("text keys have a form in JSON") + "\n";
        head.chain(phases).chain(rounds).chain(steps).map(text).collect()
    }

    pub fn from_lines(text: &str) -> Result<Trace, TraceError> {
        let mut trace: Option<Trace> = None;
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let record = serde_json::from_str(line)
                .map_err(|error: serde_json::Error| TraceError::Malformed { line: at + 1, error: error.to_string() })?;
            match (record, &mut trace) {
                (Record::Trace(head), None) if head.version != VERSION => {
                    return Err(TraceError::Version(head.version));
                }
                (Record::Trace(head), None) => {
                    trace = Some(Trace { head, phases: vec![], rounds: vec![], steps: vec![] });
                }
                (Record::Phase(phase), Some(trace)) => trace.phases.push(phase),
                (Record::Round(round), Some(trace)) => trace.rounds.push(round),
                (Record::Step(step), Some(trace)) => trace.steps.push(step),
                (Record::Trace(_), Some(_)) => {
                    return Err(TraceError::Malformed { line: at + 1, error: "a second head".into() });
                }
                (_, None) => return Err(TraceError::NoHead),
            }
        }
        trace.ok_or(TraceError::NoHead)
    }
}

/// The traces of both parties of one run of `plan`, the server's first.
pub fn pair(plan: &ptc_plan::Plan, traces: Vec<Trace>) -> Result<[Trace; 2], TraceError> {
    let hash = hash(plan);
    for trace in &traces {
        if trace.head.plan != hash {
            return Err(TraceError::OtherPlan);
        }
        let (steps, queries) = (plan.steps.len() as u64, u64::from(trace.head.queries));
        let beyond = |what, found: Option<u64>, has: u64| match found {
            Some(found) if found >= has => Err(TraceError::Beyond { what, found, has }),
            _ => Ok(()),
        };
        beyond("step", trace.steps.iter().map(|step| step.step as u64).max(), steps)?;
        beyond("query", trace.steps.iter().map(|step| u64::from(step.query)).max(), queries)?;
        beyond("query", trace.rounds.iter().map(|round| u64::from(round.query)).max(), queries)?;
        // A plan's last rounds may be those of local steps alone.
        let last = plan.steps.last().map_or(0, |step| u64::from(step.round)) + MOST_ROUNDS;
        beyond("round", trace.rounds.iter().map(|round| u64::from(round.round)).max(), last)?;
    }
    let mut traces = traces;
    traces.sort_by_key(|trace| trace.head.party);
    match <[Trace; 2]>::try_from(traces) {
        Ok(both) if both[0].head.party == 0 && both[1].head.party == 1 => Ok(both),
        _ => Err(TraceError::NotBoth),
    }
}

/// More than any step has.
const MOST_ROUNDS: u64 = 1 << 16;

/// Of a plan's contents, in hexadecimal digits.
pub fn hash(plan: &ptc_plan::Plan) -> String {
    let hash = plan.hash().expect("a checked plan has a form in bytes");
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
