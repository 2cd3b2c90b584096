//! Rounds: every step starts as soon as its inputs are there, so independent steps share rounds.
//!
//! A plan thus has the rounds of its longest chain, and no order has fewer. A step that could start later would gain nothing:
//! the bytes are the same, and nearly every message meets one of the same size on its way back.

use ptc_plan::file::Plan;
use ptc_plan::price;

pub fn schedule(plan: &mut Plan) {
    let mut ready = vec![0u32; plan.values.len()];
    for step in &mut plan.steps {
        step.round = step.inputs.iter().map(|v| ready[v.0 as usize]).max().unwrap_or(0);
        let rounds = price::rounds(&plan.values, step).len() as u32;
        for output in &step.outputs {
            ready[output.0 as usize] = step.round + rounds;
        }
    }
    // Stable: within a round, local steps stay behind the steps that they read.
    plan.steps.sort_by_key(|step| step.round);
}
