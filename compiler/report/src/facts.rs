//! What follows from a plan about each of its steps: its rounds, how it is computed, what it waits for.

use std::collections::HashMap;

use ptc_plan::Plan;
use ptc_plan::price::{self, Round};
use ptc_plan::step::{Form, Owner, Step, StepOp, Value, ValueId};

use crate::beside::Beside;
use crate::layers;
use crate::prepared::{Preparation, Prepared};
use crate::report::{Place, Ring, Scheme};

pub struct Facts<'a> {
    pub plan: &'a Plan,
    pub beside: &'a Beside,
    pub steps: Vec<StepFacts>,
    /// Steps that read each value, in order.
    pub users: Vec<Vec<usize>>,
    /// Parts of the model that are repeated, and what is around them, in the order in which the plan comes to them.
    pub layers: Vec<String>,
    makers: HashMap<ValueId, usize>,
}

pub struct StepFacts {
    pub rounds: Vec<Round>,
    pub scheme: Scheme,
    pub prepared: Prepared,
    /// Index into the layers.
    pub layer: usize,
    /// The step whose result it waits for longest.
    pub after: Option<usize>,
    /// On the longest chain of steps, each of which waits for the one before.
    pub critical: bool,
}

impl<'a> Facts<'a> {
    pub fn of(plan: &'a Plan, beside: &'a Beside) -> Facts<'a> {
        let preparation = Preparation::new(plan);
        let mut makers = HashMap::new();
        let mut users = vec![vec![]; plan.values.len()];
        for (at, step) in plan.steps.iter().enumerate() {
            makers.extend(step.outputs.iter().map(|&value| (value, at)));
            step.inputs.iter().for_each(|id| users[id.0 as usize].push(at));
        }
        let (layers, layer_of) = layers::of(plan);
        let mut steps: Vec<StepFacts> = vec![];
        for (at, step) in plan.steps.iter().enumerate() {
            let rounds = price::rounds(&plan.values, step);
            let prepared = preparation.step(plan, step);
            let scheme = scheme(plan, step, &rounds, &prepared);
            let end = |maker: usize| plan.steps[maker].round + steps[maker].rounds.len() as u32;
            let before = step.inputs.iter().filter_map(|input| makers.get(input).copied());
            // The first of those that end last.
            let after = before.reduce(|last, other| if end(other) > end(last) { other } else { last });
            steps.push(StepFacts { rounds, scheme, prepared, layer: layer_of[at], after, critical: false });
        }
        mark_critical(plan, &mut steps);
        Facts { plan, beside, steps, users, layers, makers }
    }

    pub fn step(&self, at: usize) -> &'a Step {
        &self.plan.steps[at]
    }

    pub fn value(&self, id: ValueId) -> &'a Value {
        &self.plan.values[id.0 as usize]
    }

    /// The step that makes a value; inputs, parameters and constants have none.
    pub fn maker(&self, id: ValueId) -> Option<usize> {
        self.makers.get(&id).copied()
    }

    pub fn place(&self, at: usize) -> Option<Place> {
        place(self.plan, self.step(at))
    }

    /// Of the result; of what is compared in a tournament.
    pub fn elements(&self, at: usize) -> u64 {
        let step = self.step(at);
        let ids = if step.op == StepOp::Max { &step.inputs } else { &step.outputs };
        ids.first().map_or(0, |&id| self.value(id).len() as u64)
    }

    /// The round before which a step has its result.
    pub fn end(&self, at: usize) -> u32 {
        self.step(at).round + self.steps[at].rounds.len() as u32
    }

    /// Payload bytes that server and client send.
    pub fn sent(&self, at: usize) -> [u64; 2] {
        self.steps[at].rounds.iter().fold([0, 0], |[a, b], round| [a + round.sent[0], b + round.sent[1]])
    }
}

/// Follows what each step waits for, back from the one that ends last.
fn mark_critical(plan: &Plan, steps: &mut [StepFacts]) {
    let ends = plan.steps.iter().zip(steps.iter()).map(|(step, facts)| step.round + facts.rounds.len() as u32);
    let mut at = ends.enumerate().reduce(|last, other| if other.1 > last.1 { other } else { last }).map(|(at, _)| at);
    while let Some(step) = at {
        steps[step].critical = true;
        at = steps[step].after;
    }
}

fn scheme(plan: &Plan, step: &Step, rounds: &[Round], prepared: &Prepared) -> Scheme {
    let form = |ids: &[ValueId]| ids.first().map(|id| plan.values[id.0 as usize].form);
    match step.op {
        StepOp::Clear(_) | StepOp::Encode | StepOp::Share => {
            let ids = if step.op == StepOp::Share { &step.inputs } else { &step.outputs };
            match form(ids) {
                Some(Form::Clear(Owner::Server) | Form::Encoded(Owner::Server, _)) => Scheme::Server,
                Some(Form::Clear(Owner::Client) | Form::Encoded(Owner::Client, _)) => Scheme::Client,
                _ => Scheme::Public,
            }
        }
        StepOp::Reveal { .. } => Scheme::Revealed,
        StepOp::EncryptedMatMul { .. } => Scheme::Inline,
        _ if rounds.is_empty() => Scheme::Local,
        _ if prepared.dealt => Scheme::Dealt,
        _ if prepared.encrypted_bytes > prepared.transfer_bytes => Scheme::Encrypted,
        _ => Scheme::Transfers,
    }
}

pub fn place(plan: &Plan, step: &Step) -> Option<Place> {
    let origin = plan.origins.get(step.origin as usize)?;
    Some(Place { file: origin.file.clone(), line: origin.line })
}

pub fn ring(value: &Value) -> Option<Ring> {
    match value.form {
        Form::Share(fixed) | Form::Encoded(_, fixed) => Some(fixed.into()),
        Form::Bits | Form::Clear(_) => None,
    }
}
