//! A post-LN encoder through the whole pipeline: the same numbers, narrow rings, a cheap plan, time linear in depth.

use std::collections::BTreeMap;

use ptc_ir::Graph;
use ptc_ir::evaluate::{self, Tensors};
use ptc_ir::graph::{GraphOutput, Node, NodeId, Op, Visibility};
use ptc_passes::options::{Maximum, Normal, Options, Power, Ramp, Recipes, Rounds};
use ptc_plan::file::{InputKind, Origin, Trust};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::price;
use ptc_plan::step::Party;

mod numbers;

struct Encoder {
    graph: Graph,
    parameters: Tensors,
    rows: usize,
    columns: usize,
}

impl Encoder {
    fn leaf(&mut self, op: Op, name: String, shape: &[usize], visibility: Visibility) -> NodeId {
        let shape = shape.to_vec();
        self.graph.push(Node {
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
        })
    }

    fn parameter(&mut self, path: String, shape: &[usize], scale: f32, shift: f32) -> NodeId {
        let count = shape.iter().product();
        let data = spread(count, scale, self.parameters.len() as u64 + 7).iter().map(|x| x + shift).collect();
        self.parameters.insert(path.clone(), FloatTensor::new(shape.to_vec(), data));
        self.leaf(Op::Parameter { path: path.clone() }, path, shape, Visibility::Server)
    }

    fn apply(&mut self, op: Operator, inputs: &[NodeId], name: &str) -> NodeId {
        let id = self.graph.derive(op, inputs, inputs[0], "");
        self.graph.node_mut(id).name = name.to_string();
        id
    }

    fn linear(&mut self, x: NodeId, from: usize, to: usize, name: &str) -> NodeId {
        let scale = (3.0 / from as f32).sqrt();
        let weight = self.parameter(format!("{name}.weight"), &[to, from], scale, 0.0);
        let bias = self.parameter(format!("{name}.bias"), &[to], 0.1, 0.0);
        let turned = self.apply(Operator::Permute { axes: vec![1, 0] }, &[weight], &format!("{name}.turned"));
        let product = self.apply(Operator::MatMul { transpose_b: false }, &[x, turned], &format!("{name}.product"));
        self.apply(Operator::Add, &[product, bias], name)
    }

    fn norm(&mut self, x: NodeId, name: &str) -> NodeId {
        let weight = self.parameter(format!("{name}.weight"), &[self.columns], 0.2, 1.0);
        let bias = self.parameter(format!("{name}.bias"), &[self.columns], 0.2, 0.0);
        let unit = self.apply(Operator::Normalize { eps: 1e-12 }, &[x], &format!("{name}.unit"));
        let scaled = self.apply(Operator::Multiply, &[unit, weight], &format!("{name}.scaled"));
        self.apply(Operator::Add, &[scaled, bias], name)
    }

    fn heads(&mut self, x: NodeId, heads: usize, name: &str) -> NodeId {
        let shape = vec![self.rows, heads, self.columns / heads];
        let split = self.apply(Operator::Reshape { shape }, &[x], &format!("{name}.split"));
        self.apply(Operator::Permute { axes: vec![1, 0, 2] }, &[split], &format!("{name}.heads"))
    }

    fn block(&mut self, x: NodeId, keep: NodeId, heads: usize, name: &str) -> NodeId {
        let (rows, columns) = (self.rows, self.columns);
        let [q, k, v] = ["q", "k", "v"].map(|part| {
            let product = self.linear(x, columns, columns, &format!("{name}.{part}"));
            self.heads(product, heads, &format!("{name}.{part}"))
        });
        let raw = self.apply(Operator::MatMul { transpose_b: true }, &[q, k], &format!("{name}.raw"));
        let by = 1.0 / ((columns / heads) as f64).sqrt();
        let scores = self.apply(Operator::Scale { by }, &[raw], &format!("{name}.scores"));
        let weights = self.apply(Operator::Softmax, &[scores, keep], &format!("{name}.weights"));
        let mixed = self.apply(Operator::MatMul { transpose_b: false }, &[weights, v], &format!("{name}.mixed"));
        let turned = self.apply(Operator::Permute { axes: vec![1, 0, 2] }, &[mixed], &format!("{name}.turned"));
        let flat = self.apply(Operator::Reshape { shape: vec![rows, columns] }, &[turned], &format!("{name}.flat"));
        let projected = self.linear(flat, columns, columns, &format!("{name}.project"));
        let sum = self.apply(Operator::Add, &[x, projected], &format!("{name}.sum1"));
        let a = self.norm(sum, &format!("{name}.norm1"));
        let up = self.linear(a, columns, 4 * columns, &format!("{name}.up"));
        let bent = self.apply(Operator::Gelu, &[up], &format!("{name}.gelu"));
        let down = self.linear(bent, 4 * columns, columns, &format!("{name}.down"));
        let sum = self.apply(Operator::Add, &[a, down], &format!("{name}.sum2"));
        self.norm(sum, &format!("{name}.norm2"))
    }
}

fn encoder(layers: usize, rows: usize, columns: usize, heads: usize) -> Encoder {
    let mut graph = Graph { model: "m".into(), entry: "e".into(), ..Graph::default() };
    graph.origins.push(Origin { file: "m.ptx".into(), line: 1, text: String::new() });
    let mut encoder = Encoder { graph, parameters: BTreeMap::new(), rows, columns };
    let x = Op::Input { name: "x".into(), kind: InputKind::Real, limit: 8.0 };
    let x = encoder.leaf(x, "x".into(), &[rows, columns], Visibility::Client);
    let keep = Op::Input { name: "keep".into(), kind: InputKind::Bit, limit: 1.0 };
    let keep = encoder.leaf(keep, "keep".into(), &[rows], Visibility::Client);
    let mut value = x;
    for layer in 0..layers {
        value = encoder.block(value, keep, heads, &format!("blocks.{layer}"));
    }
    let reveal = Op::Reveal { to: Party::Client, reason: "declared result".into() };
    let reveal = encoder.leaf(reveal, "result".into(), &[rows, columns], Visibility::Client);
    encoder.graph.node_mut(reveal).inputs = vec![value];
    encoder.graph.outputs.push(GraphOutput { name: "e".into(), to: Party::Client, node: reveal });
    encoder
}

fn spread(count: usize, scale: f32, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 * 2.0 - 1.0
    };
    (0..count).map(|_| next() * scale).collect()
}

fn inputs(rows: usize, columns: usize) -> Tensors {
    let x = FloatTensor::new(vec![rows, columns], spread(rows * columns, 3.0, 5));
    let keep = FloatTensor::new(vec![rows], (0..rows).map(|i| f32::from(i < rows - 3)).collect());
    BTreeMap::from([("x".to_string(), x), ("keep".to_string(), keep)])
}

/// Options with the ranges that these inputs show.
fn calibrated(encoder: &Encoder, inputs: &Tensors) -> Options {
    let mut options = Options::default();
    let sampled = ptc_passes::run(&encoder.graph, &options, Some(ptc_passes::CALIBRATED_AFTER)).unwrap();
    evaluate::for_each_value(&sampled, inputs, &encoder.parameters, |id, value| {
        let ends = value.data.iter().fold((f64::MAX, f64::MIN), |(l, h), &x| (l.min(x as f64), h.max(x as f64)));
        options.calibration.seen.insert(sampled.node(id).name.clone(), ends);
    })
    .unwrap();
    options
}

/// Whatever the recipes, a batch takes the rounds of one query, and gives each query what it gets alone.
#[test]
fn a_batch_takes_the_rounds_of_one_query() {
    let (rows, columns) = (8, 32);
    let encoder = encoder(1, rows, columns, 2);
    let inputs = inputs(rows, columns);
    let options = calibrated(&encoder, &inputs);
    let few = Recipes {
        maximum: Maximum::Levels,
        power: Power::Wide,
        normal: Normal::Tables,
        ramp: Ramp::Lines,
        rounds: Rounds::Few,
    };
    for recipes in [Recipes::default(), few, Recipes { maximum: Maximum::Bound, ..Recipes::default() }] {
        let options = |batch| Options { recipes, batch, ..options.clone() };
        let [one, three] = [None, Some(3)].map(|batch| ptc_passes::run(&encoder.graph, &options(batch), None).unwrap());
        numbers::stacked(&format!("{recipes:?}"), &one, &three, 3, 1e-6);
        let rounds = [one, three].map(|graph| {
            let plan = ptc_codegen::generate(&graph, Trust::Dealer).unwrap_or_else(|e| panic!("{e:?}")).plan;
            price::total(&plan).0.rounds
        });
        assert_eq!(rounds[0], rounds[1], "{recipes:?}");
    }
}

#[test]
fn an_encoder_keeps_its_numbers_in_narrow_rings() {
    let (rows, columns) = (16, 64);
    let encoder = encoder(2, rows, columns, 4);
    let inputs = inputs(rows, columns);
    let expected = evaluate::outputs(&encoder.graph, &inputs, &encoder.parameters).unwrap();
    let options = calibrated(&encoder, &inputs);
    let done = ptc_passes::run(&encoder.graph, &options, None).unwrap();
    let found = evaluate::outputs(&done, &inputs, &encoder.parameters).unwrap();
    let worst = found[0].data.iter().zip(&expected[0].data).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
    assert!(worst < 2e-2, "off by {worst}");
    let widest = done.nodes.iter().filter_map(|n| n.fixed.map(|f| (f.bits, &n.name))).max().unwrap();
    assert!(widest.0 <= 44, "widest ring: {widest:?}");
    let plan = ptc_codegen::generate(&done, Trust::Dealer).unwrap_or_else(|e| panic!("{e:?}")).plan;
    let (total, _) = price::total(&plan);
    assert!(total.rounds <= 150 * 2, "{total:?}");
}

#[test]
fn time_is_linear_in_depth() {
    let seconds = |layers| {
        let encoder = encoder(layers, 8, 16, 2);
        let start = std::time::Instant::now();
        let done = ptc_passes::run(&encoder.graph, &Options::default(), Some("decompose")).unwrap();
        assert!(done.nodes.len() > layers * 40);
        start.elapsed().as_secs_f64()
    };
    seconds(4);
    let (short, long) = (seconds(8), seconds(64));
    assert!(long < 40.0 * short + 0.05, "8 layers {short} s, 64 layers {long} s");
}
