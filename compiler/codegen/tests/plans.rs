//! What batching and fusing promise: independent steps share rounds, local chains are one kernel.

use ptc_ir::parse::parse;
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::kernel::Kernel;
use ptc_plan::price;
use ptc_plan::step::{Fixed, Form, StepOp};

const HEAD: &str = r#"model "M" entry "e"
origin 0 "m.ptx":1 ""
%0 = input "x" {limit: 4} : client real[4, 8] "x" bound(-4, 4, proved) @0
%1 = parameter "w" : server real[4, 8] "w" bound(-4, 4, calibrated) @0
%2 = add %0, %1 : secret real[4, 8] "a" ring(40, 12) bound(-8, 8, calibrated) @0
"#;

fn plan(body: &str) -> Plan {
    let graph = parse(&format!("{HEAD}{body}")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ptc_ir::verify::verify(&graph), []);
    ptc_codegen::generate(&graph, Trust::Dealer).unwrap_or_else(|errors| panic!("{errors:?}")).plan
}

fn count(plan: &Plan, is: fn(&StepOp) -> bool) -> usize {
    plan.steps.iter().filter(|step| is(&step.op)).count()
}

#[test]
fn a_local_chain_is_one_kernel() {
    let plan = plan(
        r#"%3 = scale %2 {by: 3} : secret real[4, 8] "b" ring(40, 12) bound(-24, 24, calibrated) @0
%4 = subtract %3, %0 : secret real[4, 8] "c" ring(40, 12) bound(-28, 28, calibrated) @0
%5 = rescale %4 : secret real[4, 8] "d" ring(30, 8) bound(-28, 28, calibrated) @0
%6 = reveal %5 {to: client, reason: "result"} : client real[4, 8] "r" @0
output "e" client %6
"#,
    );
    let local: Vec<_> = plan.steps.iter().filter(|s| matches!(s.op, StepOp::Local { .. })).collect();
    // One for the chain; one drops the bits that the reveal does not need.
    assert_eq!(local.len(), 2, "{:?}", plan.steps);
    assert_eq!(local[0].inputs.len(), 2, "the shares of `x` and `w`, and nothing between");
    // A digest each way, then the value.
    assert_eq!(price::total(&plan).0.rounds, 2);
}

#[test]
fn a_value_with_two_users_is_computed_once() {
    let plan = plan(
        r#"%3 = scale %2 {by: 3} : secret real[4, 8] "b" ring(40, 12) bound(-24, 24, calibrated) @0
%4 = square %3 : secret real[4, 8] "c" ring(40, 24) bound(0, 576, calibrated) @0
%5 = scale %3 {by: 5} : secret real[4, 8] "d" ring(40, 12) bound(-120, 120, calibrated) @0
%6 = square %5 : secret real[4, 8] "f" ring(40, 24) bound(0, 14400, calibrated) @0
%7 = add %4, %6 : secret real[4, 8] "g" ring(40, 24) bound(0, 15000, calibrated) @0
%8 = reveal %7 {to: client, reason: "result"} : client real[4, 8] "r" @0
output "e" client %8
"#,
    );
    // b, d, g; and the narrowing before the reveal.
    assert!(count(&plan, |op| matches!(op, StepOp::Local { .. })) <= 4);
    // Both squares in one round, the reveal in the next two.
    assert_eq!(price::total(&plan).0.rounds, 3);
    let squares: Vec<u32> = plan.steps.iter().filter(|s| s.op == StepOp::Square).map(|s| s.round).collect();
    assert_eq!(squares, [0, 0]);
}

/// Chains that do not read one another take the rounds of the longest, however many there are.
#[test]
fn independent_chains_take_the_rounds_of_the_longest() {
    let chains = |lengths: &[usize]| {
        let (mut body, mut results, mut next) = (String::new(), vec![], 3);
        for &length in lengths {
            let mut x = 2;
            for _ in 0..length {
                body += &format!(
                    "%{next} = square %{x} : secret real[4, 8] \"s\" ring(40, 24) bound(0, 64, calibrated) @0\n\
                     %{after} = rescale %{next} : secret real[4, 8] \"t\" ring(40, 12) bound(0, 64, calibrated) @0\n",
                    after = next + 1
                );
                x = next + 1;
                next += 2;
            }
            results.push(x);
        }
        for (at, x) in results.iter().enumerate() {
            let id = next + at;
            body += &format!("%{id} = reveal %{x} {{to: client, reason: \"r\"}} : client real[4, 8] \"r{at}\" @0\n");
        }
        (0..results.len()).for_each(|at| body += &format!("output \"r{at}\" client %{}\n", next + at));
        price::total(&plan(&body)).0.rounds
    };
    let alone: Vec<u64> = (0..4).map(|length| chains(&[length])).collect();
    assert_eq!(alone, [2, 4, 6, 8]);
    assert_eq!(chains(&[1, 1, 1, 1, 1]), alone[1]);
    assert_eq!(chains(&[1, 3, 0, 2]), alone[3]);
}

#[test]
fn steps_stand_behind_what_they_read() {
    let plan = plan(
        r#"%3 = square %2 : secret real[4, 8] "b" ring(40, 24) bound(0, 64, calibrated) @0
%4 = rescale %3 : secret real[4, 8] "c" ring(40, 12) bound(0, 64, calibrated) @0
%5 = compare %4 {threshold: 2} : secret bit[4, 8] "d" @0
%6 = gate %5, %4 : secret real[4, 8] "f" ring(20, 12) bound(0, 2, calibrated) @0
%7 = reveal %6 {to: client, reason: "result"} : client real[4, 8] "r" @0
output "e" client %7
"#,
    );
    let mut ready = vec![None; plan.values.len()];
    for step in &plan.steps {
        for input in &step.inputs {
            if let Some(round) = ready[input.0 as usize] {
                assert!(round <= step.round, "{step:?}");
            }
        }
        let rounds = price::rounds(&plan.values, step).len() as u32;
        step.outputs.iter().for_each(|output| ready[output.0 as usize] = Some(step.round + rounds));
    }
    assert!(plan.kernels.iter().all(|kernel| !matches!(kernel, Kernel::Elementwise(e) if e.check().is_err())));
}

#[test]
fn the_same_graph_gives_the_same_plan() {
    let body = r#"%3 = square %2 : secret real[4, 8] "b" ring(40, 24) bound(0, 64, calibrated) @0
%4 = reveal %3 {to: client, reason: "result"} : client real[4, 8] "r" @0
output "e" client %4
"#;
    assert_eq!(plan(body).to_bytes(), plan(body).to_bytes());
}

/// The ring drops from 40 bits to 20 within the kernel, and `w` is added on both sides of that.
#[test]
fn what_one_kernel_reads_in_two_rings_is_shared_in_the_wider() {
    let plan = plan(
        r#"%3 = scale %2 {by: 0.0625} : secret real[4, 8] "b" ring(40, 16) bound(-0.5, 0.5, calibrated) @0
%4 = rescale %3 : secret real[4, 8] "c" ring(20, 12) bound(-0.5, 0.5, calibrated) @0
%5 = add %1, %4 : secret real[4, 8] "d" ring(20, 12) bound(-4.5, 4.5, calibrated) @0
%6 = square %5 : secret real[4, 8] "f" ring(20, 24) bound(0, 20.25, calibrated) @0
%7 = reveal %6 {to: client, reason: "result"} : client real[4, 8] "r" @0
output "e" client %7
"#,
    );
    let kernel = plan.steps.iter().find(|step| matches!(step.op, StepOp::Local { .. })).unwrap();
    let forms: Vec<Form> = kernel.inputs.iter().map(|id| plan.values[id.0 as usize].form).collect();
    assert_eq!(forms, [Form::Share(Fixed { bits: 40, frac: 12 }); 2], "the shares of `w` and `x`");
}
