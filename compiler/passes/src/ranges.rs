//! Bounds of every value.
//!
//! %1 = square %0                    %1 = square %0 : bound(0, 16, proved)
//!
//! After: every real node has a bound: the meet, end by end, of the operator's interval rule, of what is known of its rows
//! ([`rows`]) and of what calibration saw, with its margin. A bound that an earlier pass has set stands. The grade is that
//! of the weakest ground that an end stands on. Ring widths follow from bounds.

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, Node, Op};
use ptc_plan::file::InputKind;

use crate::options::Options;

mod rows;
mod rules;

use rows::Rows;
pub use rules::is_of_itself;

pub fn run(graph: &Graph, options: &Options) -> Graph {
    let mut out = graph.clone();
    if options.sampling {
        return out;
    }
    let mut rows: Vec<Rows> = Vec::with_capacity(out.nodes.len());
    for id in graph.ids() {
        let node = out.node(id);
        if node.bound.is_none() {
            let bound = infer(&out, node, &rows, options);
            out.node_mut(id).bound = Some(bound);
        }
        rows.push(rows::of(&out, out.node(id), &rows, options));
    }
    out
}

fn infer(graph: &Graph, node: &Node, rows: &[Rows], options: &Options) -> Bound {
    let ruled = rule(graph, node, rows, options);
    let Some((low, high)) = options.calibration.bound(&node.name) else { return ruled };
    let seen = Bound { low, high, grade: Grade::Calibrated };
    if let Op::Parameter { .. } = node.op {
        return seen;
    }
    meet(ruled, seen)
}

/// The tighter of each end, on the weaker ground of the two that are used; the first where they are equal, or have nothing
/// in common.
fn meet(a: Bound, b: Bound) -> Bound {
    if a.low.max(b.low) > a.high.min(b.high) {
        return a;
    }
    let (low, under) = if b.low > a.low { (b.low, b.grade) } else { (a.low, a.grade) };
    let (high, over) = if b.high < a.high { (b.high, b.grade) } else { (a.high, a.grade) };
    Bound { low, high, grade: under.max(over) }
}

fn rule(graph: &Graph, node: &Node, rows: &[Rows], options: &Options) -> Bound {
    let symmetric = |limit: f64, grade| Bound { low: -limit, high: limit, grade };
    match &node.op {
        Op::Input { kind: InputKind::Real, limit, .. } => symmetric(*limit as f64, Grade::Proved),
        Op::Input { limit, .. } => Bound { low: 0.0, high: *limit as f64, grade: Grade::Proved },
        Op::Parameter { .. } => symmetric(options.weight_limit, Grade::Assumed),
        Op::Constant(value) => {
            let ends = value.data.iter().fold((0f64, 0f64), |(l, h), &x| (l.min(x as f64), h.max(x as f64)));
            Bound { low: ends.0, high: ends.1, grade: Grade::Proved }
        }
        Op::Reveal { .. } => bound_of(graph, node, 0),
        Op::Apply(op) => {
            let bounds: Vec<Bound> = (0..node.inputs.len()).map(|at| bound_of(graph, node, at)).collect();
            let grade = match rules::is_of_itself(op) {
                true => Grade::Proved,
                false => bounds.iter().map(|bound| bound.grade).max().unwrap_or(Grade::Proved),
            };
            let (low, high) = rules::interval(op, &bounds, graph, node);
            let ruled = Bound { low, high, grade };
            rows::product(graph, node, rows).into_iter().fold(ruled, meet)
        }
    }
}

fn bound_of(graph: &Graph, node: &Node, input: usize) -> Bound {
    graph.node(node.inputs[input]).bound.expect("bounds are found in order")
}
