//! Graph to graph, one file a pass.
//!
//! [`PIPELINE`] is the one list; its order is the design. Every pass is pure and deterministic, and the verifier runs after
//! each of them.

pub mod approximate;
pub mod balance;
pub mod base;
pub mod batch;
pub mod canonical;
pub mod chain;
pub mod decompose;
pub mod errors;
pub mod fit;
pub mod fold;
pub mod lower;
pub mod mask;
pub mod options;
pub mod order;
pub mod ranges;
pub mod reassociate;
pub mod rebuild;
pub mod regroup;
pub mod relocate;
pub mod truncate;

use ptc_ir::Graph;
use ptc_ir::graph::{NodeId, Op, Visibility};
use ptc_ir::kind::kinds;
use ptc_ir::verify::verify;
use ptc_plan::file::InputKind;

use options::{Fault, Options, PassError};

pub struct Pass {
    pub name: &'static str,
    /// What holds from here on.
    pub after: &'static str,
    /// The last operand is the graph as it was before anything in it was approximated.
    run: fn(&Graph, &Options, &Graph) -> Result<Graph, Vec<PassError>>,
}

pub const PIPELINE: &[Pass] = &[
    Pass {
        name: "canonical",
        after: "no equal nodes, no dead ones, unique names",
        run: |g, _, _| Ok(canonical::run(g)),
    },
    Pass {
        name: "relocate",
        after: "only what depends on both parties is secret",
        run: |g, _, _| Ok(relocate::run(g)),
    },
    Pass {
        name: "reassociate",
        after: "static products are grouped as is cheapest",
        run: |g, _, _| Ok(reassociate::run(g)),
    },
    Pass { name: "base", after: "no secret softmax of base e", run: |g, _, _| Ok(base::run(g)) },
    Pass {
        name: "fold",
        after: "factors and affines live in weights, Q, K, V are one product",
        run: |g, _, _| Ok(fold::run(g)),
    },
    Pass { name: "mask", after: "publicly masked positions are not computed", run: |g, _, _| Ok(mask::run(g)) },
    Pass { name: "balance", after: "products of many values are trees", run: |g, _, _| Ok(balance::run(g)) },
    Pass { name: "bounds", after: "every value has a bound", run: |g, o, _| Ok(ranges::run(g, o)) },
    Pass { name: "lower", after: "no `relu` is chosen by a clear bit", run: |g, _, _| Ok(lower::run(g)) },
    Pass {
        name: "decompose",
        after: "secret functions are elementwise or a maximum",
        run: |g, o, _| Ok(decompose::run(g, o)),
    },
    Pass { name: "ranges", after: "every new value has a bound", run: |g, o, _| Ok(ranges::run(g, o)) },
    Pass {
        name: "approximate",
        after: "every secret node is one step or local",
        run: |g, o, _| approximate::run(g, o),
    },
    Pass { name: "truncate", after: "every secret value has a ring and a scale", run: |g, o, _| truncate::run(g, o) },
    Pass { name: "errors", after: "every result has the bound of its error", run: |g, o, e| errors::run(e, g, o) },
    Pass { name: "batch", after: "what a query decides has an axis of queries", run: |g, o, _| Ok(batch::run(g, o)) },
];

/// The passes that calibration samples behind: composite functions are primitives, nothing is approximated.
pub const CALIBRATED_AFTER: &str = "decompose";

/// The last pass behind which a graph computes what the model does.
pub const EXACT_UNTIL: &str = "ranges";

/// The values of a graph after [`CALIBRATED_AFTER`] whose bounds samples tell: what is secret and not bounded already by
/// what it is, and the weights.
pub fn measured(graph: &Graph) -> impl Iterator<Item = NodeId> + '_ {
    let kinds = kinds(graph);
    graph.ids().filter(move |&id| {
        let node = graph.node(id);
        let asked = node.visibility == Visibility::Secret || matches!(node.op, Op::Parameter { .. });
        asked && node.bound.is_none() && kinds[id.0 as usize] == InputKind::Real
    })
}

/// Bits that a build may become finer by, until every result is within its tolerance.
const MOST_FINER: u32 = 5;

/// Runs the pipeline up to and with the pass `last`, or whole. Where a result would err by more than its tolerance, roundings
/// and approximations become finer, as long as that helps.
pub fn run(graph: &Graph, options: &Options, last: Option<&str>) -> Result<Graph, Vec<PassError>> {
    let first = run_once(graph, options, last);
    let inexact = |errors: &[PassError]| errors.iter().all(|error| error.fault == Fault::TooInexact);
    match &first {
        Err(errors) if inexact(errors) => {}
        _ => return first,
    }
    let finer = (1..=MOST_FINER).map(|finer| Options {
        finer,
        activation_frac: options.activation_frac + finer,
        weight_frac: options.weight_frac + finer,
        ..options.clone()
    });
    finer.map(|options| run_once(graph, &options, last)).find(Result::is_ok).unwrap_or(first)
}

fn run_once(graph: &Graph, options: &Options, last: Option<&str>) -> Result<Graph, Vec<PassError>> {
    let mut graph = graph.clone();
    let mut exact = graph.clone();
    for pass in PIPELINE {
        graph = (pass.run)(&graph, options, &exact)?;
        if pass.name == EXACT_UNTIL {
            exact = graph.clone();
        }
        let problems = verify(&graph);
        assert!(problems.is_empty(), "after pass `{}`: {}", pass.name, problems[0]);
        if last == Some(pass.name) {
            break;
        }
    }
    Ok(graph)
}
