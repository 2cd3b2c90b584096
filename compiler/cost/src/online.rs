//! What a query computes in its steps, in nanoseconds of a core, the same at both parties.
//!
//! Most of a step is packing, masking and adding what it opens, so that its bytes measure it. Products and look-ups compute
//! more than they open, local kernels open nothing.

use ptc_plan::Plan;
use ptc_plan::price;
use ptc_plan::step::{Step, StepOp, Value};
use ptc_plan::two_party::encrypted::party_seconds;

use crate::machine::Machine;
use crate::offline::scaled;

pub fn step(plan: &Plan, step: &Step, machine: &Machine) -> f64 {
    let value = |id: &ptc_plan::step::ValueId| &plan.values[id.0 as usize];
    let rounds = price::rounds(&plan.values, step);
    let bytes: u64 = rounds.iter().flat_map(|round| round.sent).sum();
    let results: usize = step.outputs.iter().map(|id| value(id).len()).sum();
    let own = match &step.op {
        StepOp::StaticMatMul { .. } | StepOp::PublicMatMul | StepOp::MatMul { .. } => {
            multiply_adds(value(&step.inputs[0]), results) * machine.multiply_add_ns
        }
        StepOp::EncryptedMatMul { .. } => encrypting(plan, step, machine),
        StepOp::Table { index_bits, values, .. } => {
            // Each entry of a rotated table is multiplied by what selects it.
            let entries = (value(&step.inputs[0]).len() * values.len()) << index_bits;
            entries as f64 * machine.element_ns / 4.0
        }
        StepOp::Exp2(exp) => {
            let shifts = value(&step.inputs[0]).len() << exp.index_bits;
            shifts as f64 * machine.element_ns / 4.0
        }
        _ => 0.0,
    };
    let elements = if is_free(&step.op) { 0.0 } else { results as f64 * machine.element_ns };
    bytes as f64 * machine.byte_ns + elements + own + machine.step_us * 1e3
}

/// Steps that copy at the most.
fn is_free(op: &StepOp) -> bool {
    matches!(op, StepOp::Clear(_) | StepOp::Encode | StepOp::Share | StepOp::Layout(_) | StepOp::Not)
}

/// Of a product whose left factor is `x`: each result is a sum over its last axis.
fn multiply_adds(x: &Value, results: usize) -> f64 {
    (results * x.shape.last().copied().unwrap_or(1)) as f64
}

/// A product that is encrypted in the query: one party computes while the other waits.
fn encrypting(plan: &Plan, step: &Step, machine: &Machine) -> f64 {
    let Some((product, packing)) = ptc_plan::inline::product(plan, step) else { return 0.0 };
    let [server, client] = scaled(party_seconds(&product, &packing), machine);
    (server + client) / f64::from(machine.cores)
}
