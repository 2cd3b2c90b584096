//! Traces of runs: written by a party, read by `ptc explain`.

use std::path::{Path, PathBuf};

use ptc_exec::statistics::{self, Statistics};
use ptc_exec::trace::{QueryTrace, whole_us};
use ptc_plan::Plan;
use ptc_plan::step::Party;
use ptc_report::trace::{Head, Phase, Round, Step, Trace, VERSION, hash, pair};

use crate::failure::Failure;
use crate::files;

/// A trace may have this many bytes.
const MAX_BYTES: u64 = 1 << 30;

/// Of a session that was told to keep one.
pub fn of_session(party: Party, plan: &Plan, measured: &Statistics) -> Trace {
    let Statistics { setup, weights, offline, online, .. } = measured;
    let phases = [("setup", setup), ("weights", weights), ("offline", offline), ("online", online)];
    let queries = measured.steps.trace.as_ref().map_or(&[][..], |trace| &trace.queries);
    let (rounds, steps) = (0u32..).zip(queries).map(|(at, query)| of_query(plan, at, query)).fold(
        (vec![], vec![]),
        |(mut rounds, mut steps), (more_rounds, more_steps)| {
            rounds.extend(more_rounds);
            steps.extend(more_steps);
            (rounds, steps)
        },
    );
    Trace {
        head: Head { version: VERSION, party: party.index(), plan: hash(plan), queries: measured.queries },
        phases: phases.into_iter().map(|(name, phase)| of_phase(name, phase)).collect(),
        rounds,
        steps,
    }
}

fn of_phase(name: &str, phase: &statistics::Phase) -> Phase {
    Phase {
        phase: name.into(),
        rounds: phase.traffic.rounds,
        sent_bytes: phase.traffic.sent,
        received_bytes: phase.traffic.received,
        us: whole_us(std::time::Duration::from_secs_f64(phase.seconds.max(0.0))),
    }
}

fn of_query(plan: &Plan, query: u32, trace: &QueryTrace) -> (Vec<Round>, Vec<Step>) {
    let round = |round: &ptc_exec::trace::RoundTrace| Round {
        query,
        round: round.round,
        start_us: round.span.start_us,
        end_us: round.span.end_us,
        waiting_us: round.waiting_us,
        sent_bytes: round.sent,
        received_bytes: round.received,
    };
    let step = |step: &ptc_exec::trace::StepTrace| Step {
        query,
        step: step.step,
        op: plan.steps[step.step].op.name().into(),
        round: plan.steps[step.step].round,
        start_us: step.span.start_us,
        end_us: step.span.end_us,
        computing_us: step.computing_us,
        sent_bytes: step.sent,
        received_bytes: step.received,
    };
    (trace.rounds.iter().map(round).collect(), trace.steps.iter().map(step).collect())
}

/// The traces of both parties, the server's first.
pub fn read(plan: &Plan, paths: &[PathBuf]) -> Result<[Trace; 2], Failure> {
    let traces = paths.iter().map(|path| read_one(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(pair(plan, traces)?)
}

fn read_one(path: &Path) -> Result<Trace, Failure> {
    let text = files::read_text(path, MAX_BYTES)?;
    Trace::from_lines(&text).map_err(|error| {
        let message = error.to_string();
        let (message, hint) = message.split_once("\nhint: ").unwrap_or((&message, "give the right file"));
        Failure::new(format!("`{}`: {message}", path.display()), hint)
    })
}
