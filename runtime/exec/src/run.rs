//! One query at one party: the plan, round by round.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use ptc_correlation::Supply;
use ptc_mpc::lane::{Lane, Moved};
use ptc_mpc::lockstep::{Lockstep, Pending};
use ptc_net::Channel;
use ptc_plan::float::FloatTensor;
use ptc_plan::step::{StepOp, ValueId};

use crate::encryption::Encryption;
use crate::error::RunError;
use crate::local::{Local, takes_part};
use crate::prepare::Prepared;
use crate::protocol::{Joint, Outputs, at_once};
use crate::statistics::Online;
use crate::tensors::{Tensors, check_inputs};
use crate::trace::{RoundTrace, Span, StepTrace, Trace};
use crate::value::Held;

/// Sees every value as this party holds it, right after its step; for a simulation that holds both sides.
pub type Watch<'a> = &'a mut dyn FnMut(usize, &[(ValueId, Held)]);

/// Is told the round that starts.
pub type Progress<'a> = &'a mut dyn FnMut(u32);

#[derive(Default)]
pub struct Hooks<'a> {
    pub progress: Option<Progress<'a>>,
    pub danger_watch: Option<Watch<'a>>,
}

/// Results of the entry that are this party's, in the order of the plan's outputs.
pub type Results = Vec<(String, FloatTensor)>;

pub fn run<C: Channel + ?Sized>(
    prepared: &Prepared,
    encryption: &Encryption,
    channel: &mut C,
    supply: &mut Supply,
    inputs: Tensors,
    online: &mut Online,
    hooks: Hooks,
) -> Result<Results, RunError> {
    check_inputs(&prepared.plan, prepared.party, &inputs)?;
    online.steps.resize(prepared.plan.steps.len(), 0.0);
    let mut query = Query::new(prepared, encryption, inputs, hooks);
    let mut lockstep = Lockstep::new(channel);
    let (steps, mut next, mut round) = (&prepared.plan.steps, 0, 0);
    online.trace.iter_mut().for_each(Trace::begin);
    while next < steps.len() || !query.running.is_empty() {
        if let Some(progress) = &mut query.hooks.progress {
            progress(round);
        }
        let (began, before) = (now_us(online), lockstep.channel().counters());
        while steps.get(next).is_some_and(|step| step.round == round) {
            if !prepared.done[next] {
                query.start(next, supply, &mut lockstep, online)?;
            }
            next += 1;
        }
        let start = Instant::now();
        let computed = query.computed();
        if !lockstep.is_done() {
            lockstep.advance()?;
        }
        let waiting = start.elapsed().as_secs_f64() - (query.computed() - computed);
        online.waiting += waiting;
        query.collect(round + 1, online)?;
        if let Some(trace) = &mut online.trace {
            let moved = lockstep.channel().counters().since(before);
            trace.round(RoundTrace {
                round,
                span: Span { start_us: began, end_us: trace.now_us() },
                waiting_us: (waiting.max(0.0) * 1e6) as u64,
                sent: moved.sent,
                received: moved.received,
            });
        }
        round += 1;
    }
    Ok(query.results())
}

/// Zero where nobody asks.
fn now_us(online: &Online) -> u64 {
    online.trace.as_ref().map_or(0, Trace::now_us)
}

/// A step is done.
fn note(online: &mut Online, step: usize, start_us: u64, seconds: f64, moved: Moved) {
    if let Some(trace) = &mut online.trace {
        let span = Span { start_us, end_us: trace.now_us() };
        let Moved { sent, received } = moved;
        trace.step(StepTrace { step, span, computing_us: (seconds * 1e6) as u64, sent, received });
    }
}

struct Query<'a, 'h> {
    prepared: &'a Prepared,
    encryption: &'a Encryption,
    values: Vec<Option<Held>>,
    /// Uses of each value that are still to come.
    uses: Vec<u32>,
    running: Vec<Running>,
    /// Seconds computed by tasks that are done.
    finished: f64,
    hooks: Hooks<'h>,
}

struct Running {
    step: usize,
    /// The round before which its result is there.
    end: u32,
    outputs: Pending<Outputs>,
    time: Rc<Cell<f64>>,
    /// What it talks through.
    lane: Lane,
    start_us: u64,
}

impl<'a, 'h> Query<'a, 'h> {
    fn new(prepared: &'a Prepared, encryption: &'a Encryption, mut inputs: Tensors, hooks: Hooks<'h>) -> Query<'a, 'h> {
        let plan = &prepared.plan;
        let mut values = prepared.values.clone();
        for input in &plan.inputs {
            let own = inputs.remove(&input.name).filter(|_| input.owner.knows(prepared.party));
            values[input.value.0 as usize] = Some(own.map_or(Held::Absent, |tensor| Held::Clear(Arc::new(tensor))));
        }
        let mut uses = vec![0; plan.values.len()];
        for (step, done) in plan.steps.iter().zip(&prepared.done) {
            if !done && takes_part(plan, prepared.party, step) {
                step.inputs.iter().for_each(|id| uses[id.0 as usize] += 1);
            }
        }
        // An output is never used up.
        plan.outputs.iter().for_each(|output| uses[output.value.0 as usize] += 1);
        Query { prepared, encryption, values, uses, running: vec![], finished: 0.0, hooks }
    }

    fn start<C: Channel>(
        &mut self,
        at: usize,
        supply: &mut Supply,
        lockstep: &mut Lockstep<C>,
        online: &mut Online,
    ) -> Result<(), RunError> {
        let Prepared { plan, party, backend, rounds, .. } = self.prepared;
        let (step, rounds) = (&plan.steps[at], rounds[at]);
        if !takes_part(plan, *party, step) {
            self.store(at, vec![Held::Absent; step.outputs.len()]);
            return Ok(());
        }
        let inputs: Vec<Held> = step.inputs.iter().map(|&id| self.read(id)).collect();
        let (start, start_us) = (Instant::now(), now_us(online));
        let (backend, encryption) = (backend.clone(), self.encryption);
        let transcript = &|| lockstep.channel().transcript();
        let joint = Joint { plan, party: *party, backend, encryption, transcript };
        if rounds > 0 {
            let time = Rc::new(Cell::new(0.0));
            let body = joint.body(at, inputs, supply, time.clone())?;
            let mut own = Lane::default();
            let outputs = lockstep.spawn(|lane| {
                own = lane.clone();
                body(lane)
            });
            self.running.push(Running { step: at, end: step.round + rounds, outputs, time, lane: own, start_us });
            return Ok(());
        }
        let outputs = match step.op {
            // The protocol's own body serves where it needs no round: a ring that shrinks, rows of one element, a ring
            // that is a sign alone.
            StepOp::Rescale | StepOp::Max | StepOp::Compare { .. } => {
                at_once(joint.body(at, inputs, supply, Rc::default())?)?
            }
            _ => Local { plan, party: *party, backend: &*self.prepared.backend }.run(step, &inputs),
        };
        let seconds = start.elapsed().as_secs_f64();
        online.steps[at] += seconds;
        note(online, at, start_us, seconds, Moved::default());
        self.store(at, outputs);
        Ok(())
    }

    /// The value, which goes with its last use.
    fn read(&mut self, id: ValueId) -> Held {
        let at = id.0 as usize;
        self.uses[at] -= 1;
        let value = if self.uses[at] == 0 { self.values[at].take() } else { self.values[at].clone() };
        value.expect("a checked plan reads values after they are defined")
    }

    fn store(&mut self, at: usize, outputs: Vec<Held>) {
        let step = &self.prepared.plan.steps[at];
        assert_eq!(outputs.len(), step.outputs.len(), "outputs of `{}`", step.op.name());
        let outputs: Vec<(ValueId, Held)> = step.outputs.iter().copied().zip(outputs).collect();
        if let Some(watch) = &mut self.hooks.danger_watch {
            watch(at, &outputs);
        }
        for (id, held) in outputs {
            if self.uses[id.0 as usize] > 0 {
                self.values[id.0 as usize] = Some(held);
            }
        }
    }

    /// Takes the results of the tasks that end before `round`, and errors of any.
    fn collect(&mut self, round: u32, online: &mut Online) -> Result<(), RunError> {
        for task in &self.running {
            if let Some(Err(error)) = task.outputs.take_if(Outputs::is_err) {
                return Err(error.into());
            }
        }
        let (ended, running) = std::mem::take(&mut self.running).into_iter().partition(|task| task.end == round);
        self.running = running;
        for Running { step, outputs, time, lane, start_us, .. } in ended {
            let outputs = outputs.take().expect("a task takes the rounds of its price")?;
            online.steps[step] += time.get();
            self.finished += time.get();
            note(online, step, start_us, time.get(), lane.moved());
            self.store(step, outputs);
        }
        Ok(())
    }

    fn computed(&self) -> f64 {
        self.finished + self.running.iter().map(|task| task.time.get()).sum::<f64>()
    }

    fn results(self) -> Results {
        let Prepared { plan, party, .. } = self.prepared;
        // Values opened on the way, which the plan lists too, are no results.
        let own = plan.outputs.iter().filter(|output| output.to == *party && output.result);
        own.map(|output| {
            let value = self.values[output.value.0 as usize].as_ref().expect("an output is never used up");
            (output.name.clone(), FloatTensor::clone(value.clear()))
        })
        .collect()
    }
}
