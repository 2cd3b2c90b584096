//! One plan that has every kind of step, run by both parties in one process, with and without a dealer: each opened value
//! follows from its step's inputs, and the traffic is what the plan says, to the byte.

mod every;

use std::sync::Arc;

use ptc_exec::simulate::{World, simulate};
use ptc_exec::statistics::predict;
use ptc_exec::tensors::Tensors;
use ptc_kernels::Portable;
use ptc_plan::Plan;
use ptc_plan::file::{InputKind, Trust};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::{Form, Owner, Party, StepOp};

use every::{ALONE, Builder, MODES, every_step, inline, ring, world};

#[test]
fn every_step_follows_from_its_inputs() {
    MODES.map(every_step).into_iter().chain([inline(every_step(ALONE))]).for_each(check_every_step);
}

fn check_every_step(plan: Plan) {
    let trust = plan.trust;
    let plan = Plan::from_bytes(&plan.to_bytes().unwrap()).unwrap();
    let mut seen = vec![0; plan.values.len()];
    let simulated = simulate(world(plan.clone()), &mut |value| {
        assert_eq!(value.fault, None, "step {} `{}`", value.step, plan.steps[value.step].op.name());
        seen[value.value.0 as usize] += 1;
    })
    .unwrap();
    for step in plan.steps.iter().filter(|step| !matches!(step.op, StepOp::Encode | StepOp::Share | StepOp::Clear(_))) {
        step.outputs.iter().for_each(|id| assert_eq!(seen[id.0 as usize], 1, "`{}`", step.op.name()));
    }
    for party in [Party::Server, Party::Client] {
        let measured = &simulated.statistics[party.index()];
        let predicted = predict(&plan, party, 1);
        assert_eq!(measured.online.traffic, predicted.online, "{trust:?} {party:?} online");
        assert_eq!(measured.offline.traffic, predicted.offline, "{trust:?} {party:?} offline");
        assert_eq!(measured.weights.traffic, predicted.weights, "{trust:?} {party:?} weights");
    }
    let names =
        |party: Party| simulated.results[party.index()].iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names(Party::Server), ["thin", "turned_ones"]);
    assert_eq!(names(Party::Client).len(), plan.outputs.len() - 2);
}

#[test]
fn the_numbers_are_those_of_floating_point() {
    MODES.map(every_step).into_iter().chain([inline(every_step(ALONE))]).for_each(check_numbers);
}

fn check_numbers(plan: Plan) {
    let given = world(plan.clone());
    let x = Operator::Scale { by: 0.5 }.evaluate(&[&given.inputs["x"]]);
    let product = Operator::MatMul { transpose_b: false }.evaluate(&[&x, &given.parameters["w"]]);
    let moved = Operator::Add.evaluate(&[&Operator::Offset { by: 1.0 }.evaluate(&[&product]), &given.inputs["offset"]]);
    let masked = Operator::Multiply.evaluate(&[&moved, &given.inputs["mask"]]);
    let last = Operator::MatMul { transpose_b: false }.evaluate(&[&masked, &given.parameters["table"]]);
    let crossed = Operator::MatMul { transpose_b: false }.evaluate(&[&moved, &given.inputs["factor"]]);
    let scaled = Operator::Multiply.evaluate(&[&moved, &given.parameters["scale"]]);
    let power = Operator::Exp2 { octaves: 16, rounds: 3 }.evaluate(&[&given.inputs["exponent"]]);
    let reached = Operator::Levels { low: -6.0, step: 2.0, count: 8 }.evaluate(&[&given.inputs["exponent"]]);
    let simulated = simulate(given, &mut |_| ()).unwrap();
    for (name, expected, units) in [
        ("last", last, 60.0),
        ("crossed", crossed, 60.0),
        ("scaled", scaled, 20.0),
        ("power", power.clone(), 4.0),
        ("sooner", power, 4.0),
        // One level less, and half a unit of what is compared.
        ("reached", reached, 2.01 * 4096.0),
    ] {
        let (_, found) = simulated.results[1].iter().find(|(other, _)| other == name).unwrap();
        for (a, b) in found.data.iter().zip(&expected.data) {
            // Eight weights, each right to half of 2^-12, times numbers up to four; then what follows.
            assert!((a - b).abs() <= units / 4096.0, "{name}: {a} and {b}");
        }
    }
}

#[test]
fn what_does_not_fit_ends_both_sides() {
    let mut wrong = world(every_step(Trust::Dealer));
    wrong.parameters.get_mut("w").unwrap().data[3] = f32::NAN;
    let error = simulate(wrong, &mut |_| ()).err().unwrap().to_string();
    assert_eq!(error, "`w` holds NaN at [0, 3]; every weight must be a finite number");
    let mut wrong = world(every_step(Trust::Dealer));
    wrong.parameters.get_mut("table").unwrap().data[3] = 4.5;
    let error = simulate(wrong, &mut |_| ()).err().unwrap().to_string();
    assert!(error.starts_with("`table` holds 4.5 at [1, 0], beyond the 4 that the plan's rings allow"), "{error}");
    let mut wrong = world(every_step(Trust::Dealer));
    wrong.inputs.remove("x");
    let error = simulate(wrong, &mut |_| ()).err().unwrap().to_string();
    assert_eq!(error, "the entry `step` needs an input `x` of shape [4, 8]; it is missing");
    let mut wrong = world(every_step(Trust::Dealer));
    wrong.inputs.get_mut("mask").unwrap().data[0] = 0.5;
    let error = simulate(wrong, &mut |_| ()).err().unwrap().to_string();
    assert_eq!(error, "input `mask` holds 0.5 at [0, 0]; it takes zeros and ones");
}

#[test]
fn protocols_that_need_no_round_are_taken_at_once() {
    let mut b = Builder::new(Trust::Dealer);
    let x = b.input("x", &[4, 1], InputKind::Real, Owner::Client, 8.0);
    let shared = b.step(StepOp::Share, &[x], &[4, 1], ring(20, 12));
    let top = b.step(StepOp::Max, &[shared], &[4, 1], ring(20, 12));
    b.output("top", top, Party::Client);
    let sign = b.step(StepOp::Share, &[x], &[4, 1], ring(1, 0));
    let negative = b.step(StepOp::Compare { threshold: 0 }, &[sign], &[4, 1], Form::Bits);
    b.output("negative", negative, Party::Client);
    let plan = Plan::from_bytes(&b.finish().to_bytes().unwrap()).unwrap();
    let inputs = Tensors::from([("x".into(), FloatTensor::new(vec![4, 1], vec![0.0, -1.0, 3.0, -4.0]))]);
    let given = World { plan: Arc::new(plan), backend: Arc::new(Portable), parameters: Tensors::new(), inputs };
    let simulated = simulate(given, &mut |value| assert_eq!(value.fault, None)).unwrap();
    let results: Vec<&[f32]> = simulated.results[1].iter().map(|(_, tensor)| tensor.data.as_slice()).collect();
    assert_eq!(results, [&[0.0, -1.0, 3.0, -4.0], &[0.0, 1.0, 1.0, 0.0]]);
}
