//! What a party does once, before any query: everything that depends on parameters and constants alone.

use std::sync::Arc;

use ptc_kernels::Backend;
use ptc_plan::Plan;
use ptc_plan::check::check;
use ptc_plan::encoding::PlanError;
use ptc_plan::float::FloatTensor;
use ptc_plan::kernel::{Kernel, Word};
use ptc_plan::price;
use ptc_plan::step::{Form, Owner, Party, Step, StepOp};
use sha2::{Digest, Sha256};

use crate::error::RunError;
use crate::local::{Local, ring, takes_part};
use crate::tensors::{Tensors, check_parameters};
use crate::value::Held;

/// A plan at one party, ready for queries.
pub struct Prepared {
    pub plan: Arc<Plan>,
    pub party: Party,
    pub backend: Arc<dyn Backend>,
    /// Values that the steps of a query still need.
    pub values: Vec<Option<Held>>,
    /// Steps that have been taken here.
    pub done: Vec<bool>,
    /// Rounds of each step.
    pub rounds: Vec<u32>,
    /// Of the encoded values that both parties hold.
    pub public_digest: [u8; 32],
}

/// Checks plan and parameters; encodes and packs the weights.
pub fn prepare(
    plan: Arc<Plan>,
    party: Party,
    backend: Arc<dyn Backend>,
    mut parameters: Tensors,
) -> Result<Prepared, RunError> {
    check(&plan).map_err(PlanError::Invalid)?;
    check_parameters(&plan, party, &parameters)?;
    let mut values: Vec<Option<Held>> = vec![None; plan.values.len()];
    for parameter in &plan.parameters {
        let own = if parameter.owner.knows(party) { parameters.remove(&parameter.path) } else { None };
        values[parameter.value.0 as usize] = Some(own.map_or(Held::Absent, |tensor| Held::Clear(Arc::new(tensor))));
    }
    drop(parameters);
    for constant in &plan.constants {
        let shape = plan.values[constant.value.0 as usize].shape.clone();
        let tensor = FloatTensor::new(shape, constant.data.clone());
        values[constant.value.0 as usize] = Some(Held::Clear(Arc::new(tensor)));
    }
    for kernel in &plan.kernels {
        if let Kernel::Elementwise(kernel) = kernel {
            backend.warm(kernel);
        }
    }
    let fixed = static_steps(&plan, &values);
    let users = last_users(&plan, party, &fixed);
    let local = Local { plan: &plan, party, backend: &*backend };
    let mut digest = Sha256::new();
    for (id, value) in values.iter_mut().enumerate() {
        if users[id] == LastUse::Never {
            *value = None;
        }
    }
    for (at, step) in plan.steps.iter().enumerate().filter(|&(at, _)| fixed[at]) {
        if !takes_part(&plan, party, step) {
            step.outputs.iter().for_each(|id| values[id.0 as usize] = Some(Held::Absent));
            continue;
        }
        let inputs: Vec<Held> = step.inputs.iter().map(|id| take(&values, id.0)).collect();
        for (output, held) in step.outputs.iter().zip(local.run(step, &inputs)) {
            if let (Form::Encoded(Owner::Both, _), Held::Encoded(encoded)) =
                (plan.values[output.0 as usize].form, &held)
            {
                encoded.data.iter().for_each(|word| digest.update(word.to_le_bytes()));
            }
            values[output.0 as usize] = Some(held);
        }
        drop(inputs);
        // Floats go as soon as their encoding is there: a model is held once.
        for id in &step.inputs {
            if users[id.0 as usize] == LastUse::Prepared(at) {
                values[id.0 as usize] = None;
            }
        }
    }
    for (id, value) in values.iter_mut().enumerate() {
        if users[id] == LastUse::Never {
            *value = None;
        }
    }
    for step in &plan.steps {
        pack(&plan, party, &*backend, step, &values);
    }
    let public_digest = digest.finalize().into();
    let rounds = plan.steps.iter().map(|step| price::rounds(&plan.values, step).len() as u32).collect();
    Ok(Prepared { party, backend, values, done: fixed, rounds, public_digest, plan })
}

fn take(values: &[Option<Held>], id: u32) -> Held {
    values[id as usize].clone().expect("a checked plan defines values before they are read")
}

/// Local steps whose inputs no query changes.
fn static_steps(plan: &Plan, values: &[Option<Held>]) -> Vec<bool> {
    let mut known: Vec<bool> = values.iter().map(Option::is_some).collect();
    let mut fixed = vec![false; plan.steps.len()];
    for (at, step) in plan.steps.iter().enumerate() {
        let kind = matches!(step.op, StepOp::Clear(_) | StepOp::Encode | StepOp::Share | StepOp::Layout(_));
        if kind && step.inputs.iter().all(|id| known[id.0 as usize]) {
            fixed[at] = true;
            step.outputs.iter().for_each(|id| known[id.0 as usize] = true);
        }
    }
    fixed
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastUse {
    Never,
    /// By this step, which is taken here.
    Prepared(usize),
    /// In queries.
    Query,
}

fn last_users(plan: &Plan, party: Party, fixed: &[bool]) -> Vec<LastUse> {
    let mut users = vec![LastUse::Never; plan.values.len()];
    for (at, step) in plan.steps.iter().enumerate().filter(|(_, step)| takes_part(plan, party, step)) {
        for id in &step.inputs {
            let user = &mut users[id.0 as usize];
            if *user != LastUse::Query {
                *user = if fixed[at] { LastUse::Prepared(at) } else { LastUse::Query };
            }
        }
    }
    for output in &plan.outputs {
        users[output.value.0 as usize] = LastUse::Query;
    }
    users
}

/// The right factors of products are brought into the kernels' order before the clock of a query runs.
fn pack(plan: &Plan, party: Party, backend: &dyn Backend, step: &Step, values: &[Option<Held>]) {
    let wanted = match step.op {
        StepOp::StaticMatMul { owner: Party::Server, .. } | StepOp::EncryptedMatMul { .. } => party == Party::Server,
        StepOp::PublicMatMul => true,
        _ => false,
    };
    let (true, Some(&weight)) = (wanted, step.inputs.get(1)) else { return };
    if let Some(Some(Held::Encoded(encoded))) = values.get(weight.0 as usize) {
        let shape = &plan.values[weight.0 as usize].shape;
        let word = Word::for_ring(ring(&plan.values[step.outputs[0].0 as usize]).bits);
        encoded.packed(backend, word, shape[0], shape[1]);
    }
}
