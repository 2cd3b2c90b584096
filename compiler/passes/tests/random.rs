//! Random graphs through the rewriting passes: they verify, compute the same numbers, and a second run changes nothing.

use std::collections::BTreeMap;

use ptc_ir::Graph;
use ptc_ir::evaluate::{Tensors, for_each_value, outputs};
use ptc_ir::print::print;
use ptc_ir::sensitivity::{Gain, gains};
use ptc_ir::verify::{needed_reveals, unique_names, verify};
use ptc_passes::options::{Calibration, Options};
use ptc_passes::{balance, base, batch, canonical, fold, mask, reassociate, relocate};
use ptc_plan::file::Trust;

mod graphs;
mod numbers;
mod ring;

use graphs::{Choices, random_graph};
use numbers::Random;

impl Choices for Random {
    fn below(&mut self, bound: usize) -> usize {
        Random::below(self, bound)
    }
}

#[test]
fn passes_keep_the_numbers_of_random_graphs() {
    for seed in 1..=300 {
        let mut graph = random_graph(&mut Random(seed));
        assert_eq!(verify(&graph), [], "seed {seed}\n{}", print(&graph));
        for (name, pass) in PASSES {
            let done = pass(&graph);
            let name = format!("seed {seed}, {name}");
            assert_eq!(verify(&done), [], "{name}\n{}=>\n{}", print(&graph), print(&done));
            assert!(pass(&done) == done, "{name}: not idempotent\n{}=>\n{}", print(&done), print(&pass(&done)));
            numbers::same(&name, &graph, &done, 1e-3);
            graph = done;
        }
        assert_eq!(unique_names(&graph), [], "seed {seed}");
        assert_eq!(needed_reveals(&graph), [], "seed {seed}");
    }
}

#[test]
fn batches_of_random_graphs_are_their_queries_stacked() {
    for seed in 1..=300 {
        let graph = random_graph(&mut Random(seed));
        let batched = batch::run(&graph, &Options { batch: Some(3), ..Options::default() });
        assert_eq!(verify(&batched), [], "seed {seed}\n{}=>\n{}", print(&graph), print(&batched));
        numbers::stacked(&format!("seed {seed}"), &graph, &batched, 3, 1e-4);
    }
}

/// Random graphs tried; `PTC_RANDOM_GRAPHS` asks for more.
const GRAPHS: u64 = 1000;

/// Through all passes: the plan is the same twice, the ring reading lies within the certified error of floating point, with
/// the bound that samples give and with the proved one, and the float reading of the approximated graph does too.
#[test]
fn no_error_of_random_graphs_is_above_its_certificate() {
    let graphs = std::env::var("PTC_RANDOM_GRAPHS").ok().and_then(|text| text.parse().ok()).unwrap_or(GRAPHS);
    let (mut built, mut judged, mut useful) = (0, 0, 0);
    let mut failed = vec![];
    for seed in 1..=graphs {
        let graph = random_graph(&mut Random(seed));
        let graph = Graph { outputs: graph.outputs.into_iter().take(1).collect(), ..graph };
        let mut random = Random(seed ^ 0x5555);
        let (mut inputs, parameters) = numbers::sources(&graph, &mut random);
        // A row of which nothing is kept has weights that say nothing.
        inputs.get_mut("keep").expect("an input").data.fill(1.0);
        let Some(options) = calibrated(&graph, &inputs, &parameters) else { continue };
        let Ok(done) = ptc_passes::run(&graph, &options, None) else { continue };
        built += 1;
        let again = ptc_passes::run(&graph, &options, None).expect("as before");
        assert!(print(&done) == print(&again), "seed {seed}: two runs of the passes differ");
        if let Ok(plan) = ptc_codegen::generate(&done, Trust::Dealer) {
            let again = ptc_codegen::generate(&again, Trust::Dealer).expect("as before");
            assert!(plan.plan == again.plan, "seed {seed}: two plans differ");
        }
        let expected = &outputs(&graph, &inputs, &parameters).expect("all sources have values")[0];
        if expected.data.iter().any(|x| !x.is_finite()) {
            continue;
        }
        let proved =
            Options { calibration: Calibration { gains: BTreeMap::new(), ..options.calibration.clone() }, ..options };
        let proved = ptc_passes::run(&graph, &proved, None).expect("gains change nothing but errors");
        let found = [
            outputs(&done, &inputs, &parameters).expect("all sources have values").swap_remove(0),
            ring::outputs(&done, &inputs, &parameters, &mut random).swap_remove(0),
        ];
        for (ground, graph) in [("calibrated", &done), ("proved", &proved)] {
            let Some(bound) = graph.node(graph.outputs[0].node).error else { continue };
            judged += 1;
            useful += usize::from(bound < 0.1 * f64::from(expected.max_abs().max(1.0)));
            for (reading, found) in ["float", "ring"].iter().zip(&found) {
                let apart = found.data.iter().zip(&expected.data).map(|(a, b)| f64::from((a - b).abs()));
                let worst =
                    apart.fold(0.0, |most: f64, error| if error.is_nan() { f64::INFINITY } else { most.max(error) });
                // Passes reorder sums, and both readings of what is clear are in single precision.
                let single = 1e-6 * f64::from(expected.max_abs().max(0.1));
                // A calibrated bound is of first order and of a mean square: elements of random graphs differ widely.
                let allowed = if ground == "calibrated" { 2.0 * bound } else { bound };
                if worst > allowed + single {
                    failed.push(format!("seed {seed}: {reading} reading is off by {worst:.3e}, {bound:.3e} {ground}"));
                }
            }
        }
    }
    eprintln!(
        "{built} of {graphs} graphs were built, {judged} bounds judged, {useful} of them below a tenth of the result"
    );
    assert!(failed.is_empty(), "{} are above:\n{}", failed.len(), failed.join("\n"));
    assert!(10 * built > 3 * graphs, "{built} of {graphs} graphs were built");
}

/// Ranges and gains of the one sample; none where the model itself bursts on it.
fn calibrated(graph: &Graph, inputs: &Tensors, parameters: &Tensors) -> Option<Options> {
    let mut options = Options { sampling: true, ..Options::default() };
    let sampled = ptc_passes::run(graph, &options, Some(ptc_passes::CALIBRATED_AFTER)).ok()?;
    let calibration = &mut options.calibration;
    for_each_value(&sampled, inputs, parameters, |id, value| {
        let ends = value.data.iter().fold((f64::MAX, f64::MIN), |(l, h), &x| (l.min(x.into()), h.max(x.into())));
        calibration.seen.insert(sampled.node(id).name.clone(), ends);
    })
    .ok()?;
    if calibration.seen.values().any(|(low, high)| !(high - low).is_finite() || low.abs().max(high.abs()) > 1e4) {
        return None;
    }
    let gains = gains(&sampled, inputs, parameters, 0, 4).ok()?;
    let all = calibration.gains.entry(graph.outputs[0].name.clone()).or_default();
    for (node, gain) in sampled.nodes.iter().zip(gains) {
        let slot: &mut Gain = all.entry(node.name.clone()).or_default();
        *slot = slot.max(gain.unwrap_or_default());
    }
    options.sampling = false;
    Some(options)
}

type Pass = fn(&Graph) -> Graph;
const PASSES: [(&str, Pass); 8] = [
    ("canonical", canonical::run),
    ("relocate", relocate::run),
    ("reassociate", reassociate::run),
    ("base", base::run),
    ("fold", fold::run),
    ("mask", mask::run),
    ("balance", balance::run),
    ("canonical", canonical::run),
];
