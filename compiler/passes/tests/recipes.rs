//! No recipe errs by more than it says: each is computed on shares, at its rings and scales, over ranges, tolerances and
//! elements at random and at every border.

use std::collections::BTreeMap;

use ptc_ir::Graph;
use ptc_ir::graph::{Bound, Grade, GraphOutput, Node, Op, Visibility};
use ptc_passes::options::{Normal, Options, Ramp, Recipes, Rounds};
use ptc_passes::{approximate, ranges, truncate};
use ptc_plan::file::{InputKind, Origin};
use ptc_plan::operator::Operator;
use ptc_plan::step::Party;

mod shares;

struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

/// The parameter that every element is multiplied by, so that it has bits below an input's.
const FACTOR: f64 = 0.7133;

/// `op` of a product that lies between the ends.
fn graph(op: &Operator, count: usize, (low, high): (f64, f64)) -> Graph {
    let mut graph = Graph { model: "m".into(), entry: "e".into(), ..Graph::default() };
    graph.origins.push(Origin { file: "m.ptx".into(), line: 1, text: String::new() });
    let leaf = |graph: &mut Graph, op: Op, name: &str, visibility| {
        graph.push(Node {
            op,
            inputs: vec![],
            shape: vec![count],
            visibility,
            name: name.into(),
            origin: 0,
            tolerance: None,
            bound: None,
            fixed: None,
            error: None,
        })
    };
    let input = Op::Input { name: "x".into(), kind: InputKind::Real, limit: 1e6 };
    let x = leaf(&mut graph, input, "x", Visibility::Client);
    let w = leaf(&mut graph, Op::Parameter { path: "w".into() }, "w", Visibility::Server);
    let product = graph.derive(Operator::Multiply, &[x, w], x, "product");
    graph.node_mut(product).bound = Some(Bound { low, high, grade: Grade::Calibrated });
    let y = graph.derive(op.clone(), &[product], x, "y");
    let reveal = leaf(&mut graph, Op::Reveal { to: Party::Client, reason: "r".into() }, "r", Visibility::Client);
    graph.node_mut(reveal).inputs = vec![y];
    graph.outputs.push(GraphOutput { name: "e".into(), to: Party::Client, node: reveal });
    graph
}

fn exact(op: &Operator, x: f64) -> f64 {
    let normal = |x: f64| ptc_passes::fit::function::Function::Gelu.value(x);
    match op {
        Operator::Relu => x.max(0.0),
        Operator::Gelu => normal(x),
        Operator::GeluTanh => ptc_passes::fit::function::Function::GeluTanh.value(x),
        Operator::Silu => x / (1.0 + (-x).exp()),
        Operator::Tanh => x.tanh(),
        Operator::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Operator::Reciprocal => 1.0 / x,
        Operator::Rsqrt => 1.0 / x.sqrt(),
        other => panic!("`{}` has no recipe here", other.name()),
    }
}

/// The largest error beside the bound that is noted.
fn check(op: &Operator, ends: (f64, f64), options: &Options, random: &mut Random) -> f64 {
    const COUNT: usize = 1500;
    let at = |i: usize, random: &mut Random| match i {
        0 => ends.0,
        1 => ends.1,
        // Thresholds and cells have few bits.
        _ if i.is_multiple_of(3) => (random.between(ends.0, ends.1) * 8.0).round() / 8.0,
        // Small ones count as much as large ones where errors are relative.
        _ if i % 3 == 1 && ends.0 > 0.0 => ends.0 * (ends.1 / ends.0).powf(random.next()),
        _ => random.between(ends.0, ends.1),
    };
    let inputs: Vec<f64> = (0..COUNT).map(|i| at(i, random).clamp(ends.0, ends.1) / FACTOR).collect();
    // What the ring holds, within the ends.
    let factor = shares::encode(FACTOR, 14) as f64;
    let real = |x: f64| shares::encode(x, 12) as f64 * factor / 26f64.exp2();
    let inputs: Vec<f64> = inputs.into_iter().filter(|&x| (ends.0..=ends.1).contains(&real(x))).collect();
    let graph = graph(op, inputs.len(), ends);
    let near = approximate::run(&ranges::run(&graph, options), options).unwrap_or_else(|e| panic!("{e:?}"));
    let note = near.notes.last().expect("a recipe is noted").clone();
    let fixed = truncate::run(&ranges::run(&near, options), options).unwrap_or_else(|e| panic!("{ends:?}: {e:?}"));
    assert_eq!(ptc_ir::verify::verify(&fixed), vec![]);
    let clear = BTreeMap::from([("x".into(), inputs.clone()), ("w".into(), vec![FACTOR; inputs.len()])]);
    let found = shares::compute(&fixed, clear, random.0);
    // What is opened has 16 fraction bits.
    let opened = -16f64;
    let mut worst = 0f64;
    for (input, found) in inputs.iter().zip(found) {
        let expected = exact(op, real(*input));
        let bound = if note.relative { note.bound * expected } else { note.bound };
        let error = (found - expected).abs();
        let part = (error - opened.exp2()).max(0.0) / bound.max(1e-12);
        worst = worst.max(part);
        assert!(
            error <= bound + opened.exp2(),
            "{op:?} of {} in {ends:?}, {note:?}, {:?}: {found}, not {expected}",
            real(*input),
            options.recipes
        );
    }
    worst
}

fn recipes(ramp: Ramp, normal: Normal, rounds: Rounds) -> Recipes {
    Recipes { ramp, normal, rounds, ..Recipes::default() }
}

/// Random ends and tolerances; bounds are no multiples of what they bound.
fn many(op: Operator, cases: usize, recipes: Recipes, ends: impl Fn(&mut Random) -> (f64, f64), tolerances: &[f64]) {
    let mut random = Random(cases as u64);
    let mut worst = 0f64;
    for case in 0..cases {
        let tolerance = tolerances.get(case % (tolerances.len() + 1)).copied();
        let ends = ends(&mut random);
        let options = Options { tolerance, recipes, ..Options::default() };
        worst = worst.max(check(&op, ends, &options, &mut random));
    }
    assert!(worst >= 0.35, "{op:?}: no error is near its bound, {worst} of it at the most");
}

fn around_zero(random: &mut Random) -> (f64, f64) {
    let size = random.between(-1.0, 6.5).exp2();
    (-size * random.between(0.05, 1.0), size * random.between(0.05, 1.0))
}

#[test]
fn ramps_by_lines() {
    for op in [Operator::Gelu, Operator::GeluTanh, Operator::Silu, Operator::Tanh, Operator::Sigmoid] {
        for rounds in [Rounds::Narrow, Rounds::Few] {
            let recipes = recipes(Ramp::Lines, Normal::Octaves, rounds);
            many(op.clone(), 60, recipes, around_zero, &[0.02, 0.004, 0.003]);
        }
    }
}

#[test]
fn ramps_by_polynomials() {
    for op in [Operator::Gelu, Operator::GeluTanh, Operator::Silu] {
        let recipes = recipes(Ramp::Polynomial, Normal::Octaves, Rounds::Narrow);
        many(op, 40, recipes, around_zero, &[0.02]);
    }
}

fn positive(octaves: f64) -> impl Fn(&mut Random) -> (f64, f64) {
    move |random| {
        let low = random.between(-7.0, 2.0).exp2();
        (low, low * random.between(0.3, octaves).exp2())
    }
}

#[test]
fn reciprocals_by_tables() {
    for op in [Operator::Reciprocal, Operator::Rsqrt] {
        for rounds in [Rounds::Narrow, Rounds::Few] {
            many(op.clone(), 80, recipes(Ramp::Lines, Normal::Tables, rounds), positive(13.0), &[]);
        }
    }
}

#[test]
fn reciprocals_by_octaves() {
    for op in [Operator::Reciprocal, Operator::Rsqrt] {
        many(op, 40, recipes(Ramp::Lines, Normal::Octaves, Rounds::Narrow), positive(13.0), &[]);
    }
}
