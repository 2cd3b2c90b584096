//! What a protocol costs, in processor nanoseconds an element: `RAYON_NUM_THREADS=1 cargo run --release --example costs
//! [count]`. Both parties and the dealer run in one process over memory channels.

#[path = "../tests/two_parties/mod.rs"]
mod two_parties;

use ptc_plan::Plan;
use ptc_plan::bill::bill;
use ptc_plan::step::{Exp2, Fixed, StepOp};
use two_parties::{Cost, bit, cost, plan, ring, shared, uniform};

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(200_000);
    println!("nanoseconds an element, {count} elements, best of 7");
    println!("{:<24}{:>10}{:>20}{:>20}{:>12}", "", "deal", "receive", "online", "bytes");
    for (name, plan) in cases(count) {
        let input = |i: usize| {
            let value = &plan.values[plan.steps[0].inputs[i].0 as usize];
            let bits = if let ptc_plan::step::Form::Share(fixed) = value.form { fixed.bits } else { 1 };
            // A quarter of the ring, as a rescale needs.
            let shift = if plan.steps[0].op == StepOp::Rescale { 2 } else { 0 };
            uniform(i as u8, bits, value.len()).iter().map(|x| x >> shift).collect::<Vec<u64>>()
        };
        let inputs: Vec<_> = (0..plan.steps[0].inputs.len()).map(input).collect();
        let runs: Vec<_> = (0..7).map(|_| cost(&plan, &inputs)).collect();
        let best = |of: fn(&Cost) -> f64| runs.iter().map(of).fold(f64::INFINITY, f64::min) * 1e9 / count as f64;
        let receive = [best(|c| c.receive[0]), best(|c| c.receive[1])];
        let (deal, online) = (best(|c| c.deal), [best(|c| c.online[0]), best(|c| c.online[1])]);
        let dealt: u64 = bill(&plan.values, &plan.steps[0]).iter().map(|c| c.correction_bytes()).sum();
        println!(
            "{name:<24}{deal:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>12.2}",
            receive[0],
            receive[1],
            online[0],
            online[1],
            dealt as f64 / count as f64
        );
    }
}

fn cases(count: usize) -> Vec<(&'static str, Plan)> {
    let of = |bits: u32| shared(&[count], ring(bits));
    let fixed = |bits, frac| shared(&[count], Fixed { bits, frac });
    let exp = Exp2::for_range(32, 13, 3);
    let table = StepOp::Table { index_bits: 5, shift: 10, values: vec![uniform(1, 30, 32)] };
    vec![
        ("mul 36", plan(StepOp::Mul, vec![of(36), of(36)], vec![of(36)])),
        ("square 30", plan(StepOp::Square, vec![of(30)], vec![of(30)])),
        ("rescale 38.24 to 34.12", plan(StepOp::Rescale, vec![fixed(38, 24)], vec![fixed(34, 12)])),
        ("compare 18", plan(StepOp::Compare { threshold: 5 }, vec![of(18)], vec![bit(&[count])])),
        ("and", plan(StepOp::And, vec![bit(&[count]), bit(&[count])], vec![bit(&[count])])),
        ("bit to share 34", plan(StepOp::BitToShare, vec![bit(&[count])], vec![of(34)])),
        ("gate 30", plan(StepOp::Gate, vec![bit(&[count]), of(30)], vec![of(30)])),
        ("table 5 to 30", plan(table, vec![of(18)], vec![of(30)])),
        ("exp2 range 5", {
            let input = fixed(exp.input_bits(12), 12);
            plan(StepOp::Exp2(exp), vec![input], vec![fixed(exp.ring, exp.result_frac)])
        }),
    ]
}
