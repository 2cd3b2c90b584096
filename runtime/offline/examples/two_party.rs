//! Both parties of a plan's offline phase in one process, over memory, with random weights: seconds by what they went into.
//!
//! `cargo run --release -p ptc-offline --example two_party -- PLAN [total|traffic] [QUERIES]`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ptc_kernels::Portable;
use ptc_net::{Channel, memory};
use ptc_offline::two_party::Session;
use ptc_plan::Plan;
use ptc_plan::bill::{Correlation, bill};
use ptc_plan::file::Making;
use ptc_plan::step::{Party, ValueId};
use ptc_plan::two_party::piece::batches;
use ptc_plan::two_party::price;
use ptc_ring::Seed;
use ptc_ring::tensor::mask;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(path) = arguments.get(1) else { return eprintln!("usage: two_party PLAN [total|traffic] [QUERIES]") };
    let bytes = std::fs::read(path).expect("a file");
    let plan = Plan::from_bytes(&bytes).expect("a plan");
    let making = match arguments.get(2).map(String::as_str) {
        Some("traffic") => Making::SPARING,
        _ => Making::FAST,
    };
    let queries: usize = arguments.get(3).and_then(|text| text.parse().ok()).unwrap_or(1);
    let weights = weights(&plan);
    let factor = |id: ValueId| &weights[&id.0][..];
    let (mut server, mut client) = memory::pair();
    let play = |party: Party, channel: &mut memory::Memory| {
        let start = Instant::now();
        let mut session = Session::open(&plan, making, party, channel, factor, Arc::new(Portable)).expect("opens");
        let mut seconds = vec![start.elapsed().as_secs_f64()];
        for _ in 0..queries {
            let start = Instant::now();
            drop(session.query(channel, factor, &mut |_| ()).expect("a supply"));
            seconds.push(start.elapsed().as_secs_f64());
        }
        (seconds, session.spent().seconds(), channel.counters())
    };
    let [server, client] = std::thread::scope(|scope| {
        let server = scope.spawn(|| play(Party::Server, &mut server));
        let client = scope.spawn(|| play(Party::Client, &mut client));
        [server, client].map(|party| party.join().expect("a party ends"))
    });
    let all: Vec<_> = batches(&plan, making).iter().map(|batch| batch.transfers()).collect();
    let sum = |sender: usize| all.iter().map(|batch| batch[sender].transfers).sum::<usize>() as f64 / 1e6;
    println!("{} batches, {:.1} + {:.1} M transfers a query", all.len(), sum(0), sum(1));
    let (setup, flow) = (price::setup(&plan, making), price::queries(&plan, making, queries));
    println!(
        "opening: {} rounds, {:?} bytes; queries: {} rounds, {:?} bytes",
        setup.rounds, setup.sent, flow.rounds, flow.sent
    );
    for (name, (seconds, spent, counters)) in [("server", server), ("client", client)] {
        println!(
            "{name}: opening {:.3} s, queries {:.3?} s, sent {:.1} MB",
            seconds[0],
            &seconds[1..],
            counters.sent as f64 / 1e6
        );
        spent.iter().for_each(|(on, seconds)| println!("    {on:24} {seconds:8.3} s"));
    }
    println!("processor: {:.2} s; peak {} MB", processor_seconds(), peak() / 1000);
}

fn weights(plan: &Plan) -> BTreeMap<u32, Vec<u64>> {
    let mut weights = BTreeMap::new();
    for correlation in plan.steps.iter().flat_map(|step| bill(&plan.values, step)) {
        if let Correlation::StaticMatMul { weight, bits, factor_bits, .. }
        | Correlation::StaticMul { weight, bits, factor_bits, .. } = correlation
        {
            let count = plan.values[weight.0 as usize].len();
            let narrow = Seed::from_bytes([1; 32]).stream(0, u64::from(weight.0)).ring(factor_bits, count);
            let unused = 64 - factor_bits;
            let signed = narrow.into_iter().map(|w| ((w << unused) as i64 >> unused) as u64 & mask(bits));
            weights.entry(weight.0).or_insert_with(|| signed.collect());
        }
    }
    weights
}

/// Of both parties.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

/// Kilobytes.
fn peak() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
