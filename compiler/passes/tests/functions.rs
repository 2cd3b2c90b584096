//! What the function passes promise: the same numbers before and after, exactly or within the noted bound.

use std::collections::BTreeMap;

use ptc_ir::Graph;
use ptc_ir::evaluate::{self, Tensors};
use ptc_ir::graph::{GraphOutput, Node, NodeId, Op, Visibility};
use ptc_passes::options::{Calibration, Normal, Options, Ramp, Recipes};
use ptc_passes::{approximate, base, decompose, ranges, truncate};
use ptc_plan::file::{InputKind, Origin};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::Party;

/// A graph that applies `op` to a secret sum of a client's and a server's tensor, and to `keep` where given.
fn graph(op: Operator, shape: &[usize], keep: Option<&[usize]>) -> Graph {
    let mut graph = Graph { model: "m".into(), entry: "e".into(), ..Graph::default() };
    graph.origins.push(Origin { file: "m.ptx".into(), line: 1, text: String::new() });
    let leaf = |graph: &mut Graph, op: Op, name: &str, shape: &[usize], visibility| {
        graph.push(Node {
            op,
            inputs: vec![],
            shape: shape.to_vec(),
            visibility,
            name: name.into(),
            origin: 0,
            tolerance: None,
            bound: None,
            fixed: None,
            error: None,
        })
    };
    let input = |name: &str, kind, limit| Op::Input { name: name.into(), kind, limit };
    let x = leaf(&mut graph, input("x", InputKind::Real, 8.0), "x", shape, Visibility::Client);
    let w = leaf(&mut graph, Op::Parameter { path: "w".into() }, "w", shape, Visibility::Server);
    let mut inputs = vec![graph.derive(Operator::Add, &[x, w], x, "sum")];
    if let Some(keep) = keep {
        inputs.push(leaf(&mut graph, input("keep", InputKind::Bit, 1.0), "keep", keep, Visibility::Client));
    }
    let y = graph.derive(op, &inputs, x, "y");
    let reveal = leaf(&mut graph, Op::Reveal { to: Party::Client, reason: "r".into() }, "r", shape, Visibility::Client);
    graph.node_mut(reveal).inputs = vec![y];
    graph.outputs.push(GraphOutput { name: "e".into(), to: Party::Client, node: reveal });
    graph
}

fn numbers(count: usize, scale: f32, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 * 2.0 - 1.0
    };
    (0..count).map(|_| next() * scale).collect()
}

fn check(op: Operator, shape: &[usize], keep: Option<Vec<f32>>, tolerance: f32) {
    for recipes in [Recipes::default(), Recipes { ramp: Ramp::Lines, normal: Normal::Tables, ..Recipes::default() }] {
        check_recipes(op.clone(), shape, keep.clone(), tolerance, recipes);
    }
}

fn check_recipes(op: Operator, shape: &[usize], keep: Option<Vec<f32>>, tolerance: f32, recipes: Recipes) {
    let count: usize = shape.iter().product();
    let columns = *shape.last().unwrap();
    let before = graph(op, shape, keep.as_ref().map(|_| [columns]).as_ref().map(|s| s.as_slice()));
    let mut inputs: Tensors = BTreeMap::new();
    inputs.insert("x".into(), FloatTensor::new(shape.to_vec(), numbers(count, 6.0, 1)));
    if let Some(keep) = keep {
        inputs.insert("keep".into(), FloatTensor::new(vec![columns], keep));
    }
    let parameters = BTreeMap::from([("w".to_string(), FloatTensor::new(shape.to_vec(), numbers(count, 2.0, 2)))]);
    let expected = evaluate::outputs(&before, &inputs, &parameters).unwrap();

    let exact = decompose::run(&base::run(&before), &Options::default());
    assert_eq!(ptc_ir::verify::verify(&exact), vec![], "after decompose");
    compare("decompose", &evaluate::outputs(&exact, &inputs, &parameters).unwrap(), &expected, 1e-5);

    let options = Options { calibration: calibrate(&exact, &inputs, &parameters), recipes, ..Options::default() };
    let ranged = ranges::run(&base::run(&before), &options);
    let ranged = ranges::run(&decompose::run(&ranged, &options), &options);
    let near = approximate::run(&ranged, &options).unwrap();
    assert_eq!(ptc_ir::verify::verify(&near), vec![], "after approximate");
    compare("approximate", &evaluate::outputs(&near, &inputs, &parameters).unwrap(), &expected, tolerance);

    let fixed = truncate::run(&ranges::run(&near, &options), &options).unwrap();
    assert_eq!(ptc_ir::verify::verify(&fixed), vec![], "after truncate");
    let widest = fixed.nodes.iter().filter_map(|n| n.fixed).map(|f| f.bits).max();
    assert!(widest.unwrap() <= 48, "widest ring {widest:?}");
    ptc_codegen::generate(&fixed, ptc_plan::file::Trust::Dealer).unwrap_or_else(|e| panic!("{e:?}"));
}

fn calibrate(graph: &Graph, inputs: &Tensors, parameters: &Tensors) -> Calibration {
    let mut calibration = Options::default().calibration;
    evaluate::for_each_value(graph, inputs, parameters, |id: NodeId, value| {
        let ends = value.data.iter().fold((f64::MAX, f64::MIN), |(l, h), &x| (l.min(x as f64), h.max(x as f64)));
        calibration.seen.insert(graph.node(id).name.clone(), ends);
    })
    .unwrap();
    calibration
}

fn compare(pass: &str, found: &[FloatTensor], expected: &[FloatTensor], tolerance: f32) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.shape, expected.shape);
        let worst = found.data.iter().zip(&expected.data).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
        assert!(worst <= tolerance, "{pass}: off by {worst}, {tolerance} allowed");
    }
}

#[test]
fn relu_is_exact() {
    check(Operator::Relu, &[4, 8], None, 1e-6);
}

#[test]
fn gelu_stays_within_its_bound() {
    check(Operator::Gelu, &[16, 64], None, 3.9e-3);
}

#[test]
fn silu_stays_within_its_bound() {
    check(Operator::Silu, &[16, 64], None, 6.7e-3);
}

#[test]
fn tanh_and_sigmoid_stay_within_their_bounds() {
    check(Operator::Tanh, &[16, 64], None, 2.7e-3);
    check(Operator::Sigmoid, &[16, 64], None, 2.7e-3);
}

#[test]
fn softmax_keeps_its_weights() {
    check(Operator::Softmax, &[3, 8, 16], None, 2e-4);
}

#[test]
fn masked_softmax_gives_masked_positions_no_weight() {
    let keep = (0..16).map(|i| f32::from(i < 11)).collect();
    check(Operator::Softmax, &[3, 8, 16], Some(keep), 2e-4);
}

#[test]
fn normalisations_keep_unit_variance() {
    check(Operator::Normalize { eps: 1e-12 }, &[8, 48], None, 5e-4);
    check(Operator::RmsNormalize { eps: 1e-6 }, &[8, 48], None, 5e-4);
    check(Operator::L2Normalize { eps: 1e-12 }, &[8, 48], None, 5e-4);
}

#[test]
fn exp_and_reciprocal_work_alone() {
    check(Operator::Exp, &[2, 8], None, 2e-1);
}
