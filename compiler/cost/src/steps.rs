//! A plan's predicted seconds, spread over its steps: they add up to the prediction.
//!
//! Steps share rounds. Each bears what it computes, an equal part of the exchanges in which it has a message, and the link's
//! time by its bytes. Before the query it bears its part of the work and of the bytes.

use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::price;
use ptc_plan::two_party;
use ptc_plan::two_party::encrypted;

use crate::offline;
use crate::online;
use crate::predict::{Phase, Prediction, Preparation};
use crate::profile::Profile;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepSeconds {
    pub online: f64,
    pub offline: f64,
}

/// Of each step of a checked plan whose prediction this is.
pub fn predict_steps(plan: &Plan, profile: &Profile, prediction: &Prediction) -> Vec<StepSeconds> {
    let online = online_seconds(plan, profile, &prediction.online);
    let offline = offline_seconds(plan, profile, &prediction.offline);
    online.into_iter().zip(offline).map(|(online, offline)| StepSeconds { online, offline }).collect()
}

fn online_seconds(plan: &Plan, profile: &Profile, phase: &Phase) -> Vec<f64> {
    let rounds: Vec<Vec<price::Round>> = plan.steps.iter().map(|step| price::rounds(&plan.values, step)).collect();
    let (_, schedule) = price::total(plan);
    // Steps that have a message in a round.
    let mut talking = vec![0u32; schedule.len()];
    for (step, rounds) in plan.steps.iter().zip(&rounds) {
        for (at, round) in (step.round as usize..).zip(rounds) {
            talking[at] += u32::from(round.sent != [0, 0]);
        }
    }
    let exchange = profile.one_way_seconds() + profile.machine.round_us * 1e-6;
    let sent: u64 = schedule.iter().flat_map(|round| round.sent).sum();
    let each_byte = phase.transfer_s / sent.max(1) as f64;
    let of_step = |(step, rounds): (&ptc_plan::step::Step, &Vec<price::Round>)| {
        let talks = (step.round as usize..).zip(rounds).filter(|(_, round)| round.sent != [0, 0]);
        let exchanges: f64 = talks.map(|(at, _)| exchange / f64::from(talking[at].max(1))).sum();
        let bytes: u64 = rounds.iter().flat_map(|round| round.sent).sum();
        online::step(plan, step, &profile.machine) * 1e-9 + exchanges + bytes as f64 * each_byte
    };
    plan.steps.iter().zip(&rounds).map(of_step).collect()
}

fn offline_seconds(plan: &Plan, profile: &Profile, phase: &Phase) -> Vec<f64> {
    let (mut work, mut bytes) = (vec![0.0; plan.steps.len()], vec![0.0; plan.steps.len()]);
    match plan.trust {
        Trust::Dealer => {
            for (at, step) in plan.steps.iter().enumerate() {
                let corrections = ptc_plan::bill::bill(&plan.values, step);
                bytes[at] = corrections.iter().map(|each| each.correction_bytes() as f64).sum();
                work[at] = bytes[at];
            }
        }
        Trust::TwoParty { making } => {
            let Preparation { batches, packings, .. } = Preparation::of(plan, making);
            let seconds =
                |product: &encrypted::Product| encrypted::party_seconds(product, packings.of_product(product));
            for piece in batches.iter().flat_map(|batch| &batch.pieces) {
                let made = offline::made(&piece.correlation, piece.method, seconds, &profile.machine);
                work[piece.step] += made[0] + made[1];
            }
            for (at, step) in plan.steps.iter().enumerate() {
                let made = two_party::price::of_step(&plan.values, step, None, making);
                let extended = offline::extended(made.transfers, making, &profile.machine);
                work[at] += extended[0] + extended[1];
                bytes[at] = (made.encrypted.iter().sum::<u64>() + made.bytes.iter().sum::<u64>()) as f64;
            }
        }
    }
    let whole = |parts: &[f64]| parts.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let (all_work, all_bytes) = (whole(&work), whole(&bytes));
    // Computing and the link hide each other in part; both weigh as much as they would alone.
    let (computing, link) = (phase.computing_s, phase.transfer_s);
    let each = phase.seconds / (computing + link).max(f64::MIN_POSITIVE);
    let of_step = |(work, bytes): (f64, f64)| each * (work / all_work * computing + bytes / all_bytes * link);
    work.into_iter().zip(bytes).map(of_step).collect()
}

#[cfg(test)]
mod tests {
    use ptc_plan::file::Making;
    use ptc_plan::step::{Fixed, Form, Owner, Step, StepOp, Value, ValueId};

    use super::*;
    use crate::predict::predict;

    fn check(trust: Trust, profile: &str) {
        let share = Form::Share(Fixed { bits: 30, frac: 12 });
        let value = |form| Value { name: String::new(), shape: vec![64, 64], form, bound: None, error: None };
        let step = |op, input, output, round| Step {
            op,
            inputs: vec![ValueId(input)],
            outputs: vec![ValueId(output)],
            round,
            origin: 0,
            method: None,
        };
        let plan = Plan {
            trust,
            values: vec![value(Form::Clear(Owner::Client)), value(share), value(share), value(share)],
            steps: vec![step(StepOp::Share, 0, 1, 0), step(StepOp::Square, 1, 2, 0), step(StepOp::Square, 2, 3, 1)],
            ..Plan::default()
        };
        let profile = Profile::built_in(profile).unwrap();
        let prediction = predict(&plan, &profile);
        let steps = predict_steps(&plan, &profile, &prediction);
        let sum = |part: fn(&StepSeconds) -> f64| steps.iter().map(part).sum::<f64>();
        let near = |a: f64, b: f64| assert!((a - b).abs() <= 1e-3 * b, "{a} {b}");
        near(sum(|step| step.online), prediction.online.seconds);
        near(sum(|step| step.offline), prediction.offline.seconds);
        assert!(steps[1].online > steps[0].online && steps[1].offline > steps[0].offline);
    }

    #[test]
    fn steps_add_up_to_the_whole() {
        for trust in [Trust::Dealer, Trust::TwoParty { making: Making::FAST }] {
            check(trust, "lan");
            check(trust, "wan-slow");
        }
    }
}
