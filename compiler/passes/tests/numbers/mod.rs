//! The one check of all rewriting passes: what a graph computes stays the same.

use ptc_ir::Graph;
use ptc_ir::evaluate::{Tensors, for_each_value, outputs};
use ptc_ir::graph::Op;
use ptc_plan::file::InputKind;
use ptc_plan::float::FloatTensor;

/// Both graphs give the same outputs, up to `tolerance` times the largest value in between, for several
/// random inputs.
#[allow(dead_code, reason = "not every test compares graphs of one query")]
pub fn same(name: &str, before: &Graph, after: &Graph, tolerance: f32) {
    for seed in 1..=3 {
        let mut random = Random(seed);
        let (inputs, parameters) = sources(before, &mut random);
        let mut largest = 1.0f32;
        for_each_value(before, &inputs, &parameters, |_, value| largest = largest.max(value.max_abs()))
            .expect("all sources have values");
        let expected = outputs(before, &inputs, &parameters).expect("all sources have values");
        let found = outputs(after, &inputs, &parameters).expect("all sources have values");
        close(&format!("{name}, seed {seed}"), &expected, &found, tolerance * largest);
    }
}

/// Each of `queries` random queries has of `after`, which takes all of them stacked, the outputs that it has of `before`.
#[allow(dead_code, reason = "not every test stacks queries")]
pub fn stacked(name: &str, before: &Graph, after: &Graph, queries: usize, tolerance: f32) {
    let mut random = Random(1);
    let (_, parameters) = sources(before, &mut random);
    let mut largest = 1.0f32;
    let (mut inputs, mut expected) = (vec![], vec![]);
    for _ in 0..queries {
        let (query, _) = sources(before, &mut random);
        for_each_value(before, &query, &parameters, |_, value| largest = largest.max(value.max_abs()))
            .expect("all sources have values");
        expected.push(outputs(before, &query, &parameters).expect("all sources have values"));
        inputs.push(query);
    }
    let names = inputs[0].keys();
    let inputs = names.map(|name| (name.clone(), stack(inputs.iter().map(|query| &query[name])))).collect();
    let found = outputs(after, &inputs, &parameters).expect("all sources have values");
    let expected: Vec<FloatTensor> =
        (0..before.outputs.len()).map(|at| stack(expected.iter().map(|outputs| &outputs[at]))).collect();
    close(name, &expected, &found, tolerance * largest);
}

fn stack<'a>(tensors: impl Iterator<Item = &'a FloatTensor>) -> FloatTensor {
    let tensors: Vec<&FloatTensor> = tensors.collect();
    let shape = [&[tensors.len()], &tensors[0].shape[..]].concat();
    FloatTensor::new(shape, tensors.iter().flat_map(|tensor| tensor.data.iter().copied()).collect())
}

fn close(name: &str, expected: &[FloatTensor], found: &[FloatTensor], most: f32) {
    assert_eq!(expected.len(), found.len(), "{name}");
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(expected.shape, found.shape, "{name}");
        for (at, (x, y)) in expected.data.iter().zip(&found.data).enumerate() {
            let close = (x - y).abs() <= most || x.to_bits() == y.to_bits();
            assert!(close, "{name}: element {at} is {y}, before it was {x}");
        }
    }
}

/// Values for everything that a graph is given.
pub fn sources(graph: &Graph, random: &mut Random) -> (Tensors, Tensors) {
    let (mut inputs, mut parameters) = (Tensors::new(), Tensors::new());
    for node in &graph.nodes {
        let count = node.shape.iter().product();
        match &node.op {
            Op::Input { name, kind, limit } => {
                let element = |random: &mut Random| match kind {
                    InputKind::Real => (2.0 * random.next() - 1.0) * limit,
                    InputKind::Token => (random.next() * limit).floor().min(limit - 1.0),
                    InputKind::Bit => random.next().round(),
                };
                let data = (0..count).map(|_| element(random)).collect();
                inputs.insert(name.clone(), FloatTensor::new(node.shape.clone(), data));
            }
            Op::Parameter { path } => {
                let data = (0..count).map(|_| 2.0 * random.next() - 1.0).collect();
                parameters.insert(path.clone(), FloatTensor::new(node.shape.clone(), data));
            }
            _ => {}
        }
    }
    (inputs, parameters)
}

/// Numbers in `[0, 1)` from a linear congruence.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    #[allow(dead_code, reason = "the golden tests need no choices")]
    pub fn below(&mut self, limit: usize) -> usize {
        ((self.next() * limit as f32) as usize).min(limit - 1)
    }
}
