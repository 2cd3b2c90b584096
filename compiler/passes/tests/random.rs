//! Random graphs through the rewriting passes: they verify, compute the same numbers, and a second run changes nothing.

use std::collections::BTreeMap;

use ptc_ir::Graph;
use ptc_ir::evaluate::{Tensors, for_each_value, outputs};
use ptc_ir::graph::{GraphOutput, Node, NodeId, Op, Visibility};
use ptc_ir::print::print;
use ptc_ir::sensitivity::{Gain, gains};
use ptc_ir::verify::{needed_reveals, unique_names, verify};
use ptc_passes::options::{Calibration, Options};
use ptc_passes::{balance, base, batch, canonical, fold, mask, reassociate, relocate};
use ptc_plan::file::{InputKind, Origin, Trust};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::Party;

mod numbers;
mod ring;

use numbers::Random;

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

/// Enough for a causal mask to be split.
const ROWS: usize = 16;

// The leaves of every random graph, in this order.
const KEEP: NodeId = NodeId(1);
const GAIN: NodeId = NodeId(2);
const W: NodeId = NodeId(3);
const V: NodeId = NodeId(4);
const B: NodeId = NodeId(5);
const D: NodeId = NodeId(7);
const OPEN: NodeId = NodeId(8);
const TRIANGLE: NodeId = NodeId(9);
const BAND: NodeId = NodeId(10);
const HALF: NodeId = NodeId(11);
const TWOS: NodeId = NodeId(12);

fn random_graph(random: &mut Random) -> Graph {
    let mut graph = Graph { model: "m".into(), entry: "e".into(), ..Graph::default() };
    graph.origins.push(Origin { file: "m.ptx".into(), line: 1, text: String::new() });
    let input = |kind, name: &str| Op::Input { name: name.into(), kind, limit: 1.0 };
    leaf(&mut graph, input(InputKind::Real, "x"), "x", &[ROWS, 6], Visibility::Client);
    leaf(&mut graph, input(InputKind::Bit, "keep"), "keep", &[ROWS, 1], Visibility::Client);
    leaf(&mut graph, input(InputKind::Real, "gain"), "gain", &[6], Visibility::Client);
    for (name, shape) in [("w", vec![6, 6]), ("v", vec![6, 6]), ("b", vec![6]), ("c", vec![ROWS, 6]), ("d", vec![])] {
        leaf(&mut graph, Op::Parameter { path: name.into() }, name, &shape, Visibility::Server);
    }
    leaf(&mut graph, Op::Parameter { path: "open".into() }, "open", &[6, 6], Visibility::Public);
    let triangle = (0..ROWS * ROWS).map(|i| f32::from(i % ROWS <= i / ROWS)).collect();
    let triangle = FloatTensor::new(vec![ROWS, ROWS], triangle);
    let band = (0..ROWS * ROWS).map(|i| f32::from((i % ROWS).abs_diff(i / ROWS) < 3)).collect();
    let band = FloatTensor::new(vec![ROWS, ROWS], band);
    for value in [triangle, band, FloatTensor::scalar(0.5), FloatTensor::new(vec![6], vec![2.0; 6])] {
        let shape = value.shape.clone();
        leaf(&mut graph, Op::Constant(value), "constant", &shape, Visibility::Public);
    }
    while graph.nodes.len() < 50 {
        match random.below(2) {
            0 => phrase(&mut graph, random),
            _ => step(&mut graph, random),
        }
    }
    // Careless labels: more secret than need be, from some node on.
    let careless = random.below(2 * graph.nodes.len());
    for node in graph.nodes.iter_mut().skip(careless) {
        if matches!(node.op, Op::Apply(_)) {
            node.visibility = Visibility::Secret;
        }
    }
    for output in 0..4 {
        let last = graph.nodes.len() - 1 - random.below(20 - output);
        reveal(&mut graph, NodeId(last as u32), [Party::Client, Party::Server][random.below(2)], output);
    }
    graph
}

/// One operator, if its operands fit.
fn step(graph: &mut Graph, random: &mut Random) {
    let op = operator(random);
    let count = match op {
        Operator::Concat { .. } => 1 + random.below(3),
        Operator::Softmax => 1 + random.below(2),
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::MatMul { .. } => 2,
        _ => 1,
    };
    let mut inputs: Vec<NodeId> = (0..count).map(|_| pick(graph, random)).collect();
    if op == Operator::Softmax && count == 2 {
        // Masks are truth values: public ones, or the client's.
        inputs[1] = [TRIANGLE, BAND, KEEP][random.below(3)];
    }
    try_op(graph, op, &inputs);
}

/// What passes look for: linear layers, affine normalisations, attention, pooling.
fn phrase(graph: &mut Graph, random: &mut Random) {
    use Operator::*;
    let x = pick(graph, random);
    let weight = |random: &mut Random| [W, V, OPEN][random.below(3)];
    let row = |random: &mut Random| [B, GAIN, TWOS, HALF, D][random.below(5)];
    match random.below(5) {
        0 => {
            for _ in 0..1 + random.below(3) {
                let product = try_op(graph, MatMul { transpose_b: random.below(2) == 0 }, &[x, weight(random)]);
                if random.below(3) > 0 {
                    try_op(graph, Add, &[product, row(random)]);
                }
            }
        }
        1 => {
            let unit = try_op(graph, Normalize { eps: 0.1 }, &[x]);
            let mut affine = try_op(graph, Multiply, &[unit, row(random)]);
            if random.below(2) == 0 {
                affine = try_op(graph, Add, &[row(random), affine]);
            }
            for _ in 0..1 + random.below(2) {
                try_op(graph, MatMul { transpose_b: random.below(2) == 0 }, &[affine, weight(random)]);
            }
        }
        2 => {
            let [q, k] = [W, V].map(|weight| try_op(graph, MatMul { transpose_b: false }, &[x, weight]));
            let scores = try_op(graph, MatMul { transpose_b: true }, &[q, k]);
            let scaled = try_op(graph, Scale { by: 0.3 }, &[scores]);
            let weights = try_op(graph, Softmax, &[scaled, [TRIANGLE, BAND, KEEP][random.below(3)]]);
            try_op(graph, MatMul { transpose_b: false }, &[weights, x]);
        }
        3 => {
            let product = try_op(graph, Multiply, &[x, KEEP]);
            let sum = try_op(graph, Sum { axis: random.below(2) }, &[product]);
            try_op(graph, Divide, &[sum, D]);
        }
        _ => {
            let product = try_op(graph, MatMul { transpose_b: false }, &[x, weight(random)]);
            let shifted = try_op(graph, Subtract, &[product, row(random)]);
            try_op(graph, Multiply, &[row(random), shifted]);
        }
    }
}

/// The new node, or the first operand where the operands do not fit.
fn try_op(graph: &mut Graph, op: Operator, inputs: &[NodeId]) -> NodeId {
    let shapes: Vec<&[usize]> = inputs.iter().map(|&id| graph.node(id).shape.as_slice()).collect();
    match op.shape(&shapes) {
        Ok(shape) if shape.len() <= 4 && shape.iter().product::<usize>() <= 2000 => {
            let name = op.name();
            let id = graph.derive(op, inputs, inputs[0], "");
            graph.node_mut(id).name = name.to_string();
            id
        }
        _ => inputs[0],
    }
}

/// Later nodes more often, and secret ones.
fn pick(graph: &Graph, random: &mut Random) -> NodeId {
    let count = graph.nodes.len();
    let secret = |id: &NodeId| graph.node(*id).visibility == Visibility::Secret;
    let mut some =
        || NodeId(if random.below(3) == 0 { random.below(count) } else { count - 1 - random.below(10) } as u32);
    let picks = [some(), some(), some()];
    picks.into_iter().find(secret).unwrap_or(picks[0])
}

fn operator(random: &mut Random) -> Operator {
    use Operator::*;
    let shapes = [vec![ROWS, 6], vec![ROWS, 2, 3], vec![1, 6], vec![6, 1], vec![6], vec![ROWS, 1, 6]];
    let orders = [vec![1, 0], vec![0, 2, 1], vec![1, 0, 2], vec![2, 0, 1]];
    let axis = random.below(3);
    match random.below(25) {
        0..=3 => MatMul { transpose_b: random.below(2) == 0 },
        4 | 5 => Add,
        6 => Subtract,
        7 | 8 => Multiply,
        9 => Negate,
        10 | 11 => Scale { by: [0.3, -1.0, 0.5, 2.0, 1.0][random.below(5)] },
        12 => Offset { by: [0.0, 1.5][random.below(2)] },
        13 => Reshape { shape: shapes[random.below(6)].clone() },
        14 | 15 => Permute { axes: orders[random.below(4)].clone() },
        16 => Slice { axis, start: random.below(3), length: 1 + random.below(4) },
        17 => Concat { axis },
        18 => Broadcast { shape: shapes[random.below(6)].clone() },
        19 => Sum { axis },
        20 => Relu,
        21 => Normalize { eps: 0.1 },
        22 => Softmax,
        23 => Max { axis },
        _ => Tanh,
    }
}

fn leaf(graph: &mut Graph, op: Op, name: &str, shape: &[usize], visibility: Visibility) -> NodeId {
    let (shape, name) = (shape.to_vec(), name.to_string());
    let node = Node {
        op,
        inputs: vec![],
        shape,
        visibility,
        name,
        origin: 0,
        tolerance: None,
        bound: None,
        fixed: None,
        error: None,
    };
    graph.push(node)
}

fn reveal(graph: &mut Graph, id: NodeId, to: Party, at: usize) {
    let shape = graph.node(id).shape.clone();
    let mut node = id;
    if !graph.node(id).visibility.seen_by(to) {
        let op = Op::Reveal { to, reason: "result".into() };
        node = leaf(graph, op, &format!("result{at}"), &shape, Visibility::of(to));
        graph.node_mut(node).inputs = vec![id];
    }
    graph.outputs.push(GraphOutput { name: format!("result{at}"), to, node });
}
