//! Graphs: their text comes back, the verifier takes any, and passes take any that it lets through.

use ptc_ir::Graph;
use ptc_ir::parse::parse;
use ptc_ir::print::print;
use ptc_ir::verify::verify;
use ptc_passes::options::{Calibration, Options};
use ptc_passes::{balance, base, canonical, fold, mask, reassociate, relocate};
use ptc_plan::file::Trust;

use super::bytes::Bytes;

#[path = "../../../compiler/passes/tests/graphs/mod.rs"]
mod generator;

impl generator::Choices for Bytes<'_> {
    fn below(&mut self, bound: usize) -> usize {
        Bytes::below(self, bound)
    }
}

/// A text that is a graph is printed to one that is the same graph.
pub fn text(bytes: &[u8]) {
    let Ok(graph) = parse(&String::from_utf8_lossy(bytes)) else { return };
    verify(&graph);
    let printed = print(&graph);
    let again = parse(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert!(print(&again) == printed, "not the same twice:\n{printed}\n=>\n{}", print(&again));
}

type Pass = fn(&Graph) -> Graph;

const PASSES: [(&str, Pass); 7] = [
    ("canonical", canonical::run),
    ("relocate", relocate::run),
    ("reassociate", reassociate::run),
    ("base", base::run),
    ("fold", fold::run),
    ("mask", mask::run),
    ("balance", balance::run),
];

/// A graph that the bytes choose: every rewriting pass in any order, then all passes with bounds that the bytes choose.
pub fn passes(bytes: &[u8]) {
    let mut choices = Bytes::new(bytes);
    let mut graph = generator::random_graph(&mut choices);
    let order: Vec<usize> = (0..choices.below(6)).map(|_| choices.below(PASSES.len())).collect();
    let options = options(&graph, &mut choices);
    whole(&graph, &options);
    for (name, pass) in order.into_iter().map(|at| PASSES[at]) {
        let done = pass(&graph);
        let problems = verify(&done);
        assert!(problems.is_empty(), "after `{name}`: {}\n{}=>\n{}", problems[0], print(&graph), print(&done));
        graph = done;
    }
    whole(&graph, &options);
}

/// As samples would show, well or badly.
fn options(graph: &Graph, choices: &mut Bytes) -> Options {
    let mut calibration = Calibration { margin: 2.0, ..Calibration::default() };
    let sampled =
        ptc_passes::run(graph, &Options { sampling: true, ..Options::default() }, Some(ptc_passes::CALIBRATED_AFTER));
    for node in sampled.iter().flat_map(|graph| &graph.nodes) {
        let ends = [choices.byte(), choices.byte()].map(|byte| f64::from(byte as i8) / 16.0);
        calibration.seen.insert(node.name.clone(), (ends[0].min(ends[1]), ends[0].max(ends[1])));
    }
    Options { calibration, activation_frac: 4 + choices.below(12) as u32, ..Options::default() }
}

/// Any graph that the verifier lets through, as a text.
pub fn pipeline(bytes: &[u8]) {
    let Ok(graph) = parse(&String::from_utf8_lossy(bytes)) else { return };
    let elements = graph.nodes.iter().map(|node| node.shape.iter().product::<usize>());
    if graph.nodes.len() > 200 || elements.into_iter().any(|count| count > 1 << 16) || !verify(&graph).is_empty() {
        return;
    }
    whole(&graph, &Options::default());
}

/// Passes refuse it, or a plan comes of it that says nothing impossible.
fn whole(graph: &Graph, options: &Options) {
    let Ok(done) = ptc_passes::run(graph, options, None) else { return };
    for trust in [Trust::Dealer, Trust::default()] {
        let Ok(generated) = ptc_codegen::generate(&done, trust) else { continue };
        if let Err(problem) = ptc_plan::check::check(&generated.plan) {
            panic!("{problem}\n{}", print(&done));
        }
    }
}
