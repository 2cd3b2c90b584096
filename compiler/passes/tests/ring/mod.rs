//! The ring reading of a graph after `truncate`: every secret value is an integer modulo its ring, with its fraction bits, and
//! every operator does what its protocol's functionality does. What is right to a unit is rounded at random.

use ptc_ir::Graph;
use ptc_ir::evaluate::Tensors;
use ptc_ir::graph::{Node, Op, Visibility};
use ptc_plan::float::FloatTensor;
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

use crate::numbers::Random;

/// Integers in the order of the elements, or numbers that somebody sees.
enum Held {
    Seen(FloatTensor),
    /// In fixed point; bits have a ring of one.
    Ring(Vec<i128>, Fixed, Vec<usize>),
}

const BIT: Fixed = Fixed { bits: 1, frac: 0 };

/// The outputs as they are opened.
pub fn outputs(graph: &Graph, inputs: &Tensors, parameters: &Tensors, random: &mut Random) -> Vec<FloatTensor> {
    let mut held: Vec<Held> = vec![];
    for node in &graph.nodes {
        let value = Reading { graph, held: &held, node, random }.value(inputs, parameters);
        held.push(value);
    }
    graph.outputs.iter().map(|output| seen(&held[output.node.0 as usize])).collect()
}

fn seen(held: &Held) -> FloatTensor {
    match held {
        Held::Seen(tensor) => tensor.clone(),
        Held::Ring(words, fixed, shape) => {
            let unit = (-f64::from(fixed.frac)).exp2();
            FloatTensor::new(shape.clone(), words.iter().map(|&x| (x as f64 * unit) as f32).collect())
        }
    }
}

/// As a signed number of so many bits; a single bit has no sign.
fn reduced(x: i128, bits: u32) -> i128 {
    let low = x & ((1i128 << bits) - 1);
    if bits > 1 && low >> (bits - 1) == 1 { low - (1 << bits) } else { low }
}

struct Reading<'a> {
    graph: &'a Graph,
    held: &'a [Held],
    node: &'a Node,
    random: &'a mut Random,
}

impl Reading<'_> {
    fn value(&mut self, inputs: &Tensors, parameters: &Tensors) -> Held {
        let node = self.node;
        match &node.op {
            Op::Input { name, .. } => Held::Seen(inputs[name].clone()),
            Op::Parameter { path } => Held::Seen(parameters[path].clone()),
            Op::Constant(value) => Held::Seen(value.clone()),
            Op::Reveal { .. } => Held::Seen(seen(&self.held[node.inputs[0].0 as usize])),
            Op::Apply(op) if node.visibility != Visibility::Secret => {
                let operands: Vec<FloatTensor> =
                    node.inputs.iter().map(|input| seen(&self.held[input.0 as usize])).collect();
                Held::Seen(op.evaluate(&operands.iter().collect::<Vec<_>>()))
            }
            Op::Apply(op) => {
                let fixed = node.fixed.unwrap_or(BIT);
                let words = self.apply(op, fixed).into_iter().map(|x| reduced(x, fixed.bits)).collect();
                Held::Ring(words, fixed, node.shape.clone())
            }
        }
    }

    /// The operand at `frac` fraction bits, spread to `shape`.
    fn operand(&self, at: usize, frac: u32, shape: &[usize]) -> Vec<i128> {
        let words = match &self.held[self.node.inputs[at].0 as usize] {
            Held::Ring(words, fixed, _) => words.iter().map(|x| x << (frac - fixed.frac)).collect(),
            Held::Seen(tensor) => encoded(tensor, frac),
        };
        let from = &self.graph.node(self.node.inputs[at]).shape;
        rearranged(&Operator::Broadcast { shape: shape.to_vec() }, from, &words)
    }

    fn fixed(&self, at: usize) -> Option<Fixed> {
        match &self.held[self.node.inputs[at].0 as usize] {
            Held::Ring(_, fixed, _) => Some(*fixed),
            Held::Seen(_) => None,
        }
    }

    /// The fraction bits of both factors: what a party knows gets what the product leaves.
    fn factors(&self, fixed: Fixed) -> [u32; 2] {
        match (self.fixed(0), self.fixed(1)) {
            (Some(x), Some(y)) => [x.frac, y.frac],
            (Some(x), None) => [x.frac, fixed.frac - x.frac],
            (None, Some(y)) => [fixed.frac - y.frac, y.frac],
            (None, None) => [fixed.frac / 2, fixed.frac - fixed.frac / 2],
        }
    }

    fn apply(&mut self, op: &Operator, fixed: Fixed) -> Vec<i128> {
        use Operator::*;
        let shape = &self.node.shape;
        let own = |at: usize| self.graph.node(self.node.inputs[at]).shape.clone();
        let from = self.fixed(0);
        let plain = |reading: &Self, at: usize| {
            let frac = reading.fixed(at).map_or(fixed.frac, |fixed| fixed.frac);
            reading.operand(at, frac, &own(at))
        };
        let zip = |a: Vec<i128>, b: Vec<i128>, f: fn(i128, i128) -> i128| -> Vec<i128> {
            a.into_iter().zip(b).map(|(a, b)| f(a, b)).collect()
        };
        match op {
            Add => zip(self.operand(0, fixed.frac, shape), self.operand(1, fixed.frac, shape), |a, b| a + b),
            Subtract => zip(self.operand(0, fixed.frac, shape), self.operand(1, fixed.frac, shape), |a, b| a - b),
            Multiply => {
                let [a, b] = self.factors(fixed);
                zip(self.operand(0, a, shape), self.operand(1, b, shape), |a, b| a * b)
            }
            Gate => zip(self.operand(0, 0, shape), self.operand(1, fixed.frac, shape), |a, b| a * b),
            MatMul { transpose_b } => {
                let [a, b] = self.factors(fixed);
                let (x, y) = (self.operand(0, a, &own(0)), self.operand(1, b, &own(1)));
                product(&x, &own(0), &y, &own(1), *transpose_b, shape)
            }
            Negate => plain(self, 0).into_iter().map(|x| -x).collect(),
            Square => plain(self, 0).into_iter().map(|x| x * x).collect(),
            Scale { by } => {
                let grown = f64::from(fixed.frac) - f64::from(from.expect("secret").frac);
                let factor = (by * grown.exp2()).round() as i128;
                plain(self, 0).into_iter().map(|x| x * factor).collect()
            }
            Offset { by } => {
                let offset = (by * f64::from(fixed.frac).exp2()).round() as i128;
                plain(self, 0).into_iter().map(|x| x + offset).collect()
            }
            Rescale => {
                let shift = from.expect("secret").frac - fixed.frac;
                let words = plain(self, 0);
                let up = |random: &mut Random, x: i128| {
                    let rest = x & ((1 << shift) - 1);
                    i128::from((random.next() as f64) < rest as f64 / f64::from(shift).exp2())
                };
                words.into_iter().map(|x| (x >> shift) + up(self.random, x)).collect()
            }
            Compare { threshold } => {
                // The sign of the difference, in a ring that holds just that.
                let from = from.expect("secret");
                let bits = self.graph.node(self.node.inputs[0]).compared_bits(*threshold).min(from.bits);
                let threshold = (threshold * f64::from(from.frac).exp2()).round() as i128;
                plain(self, 0).into_iter().map(|x| i128::from(reduced(x - threshold, bits) < 0)).collect()
            }
            Not => plain(self, 0).into_iter().map(|x| 1 - x).collect(),
            Xor => zip(self.operand(0, 0, shape), self.operand(1, 0, shape), |a, b| a ^ b),
            And => zip(self.operand(0, 0, shape), self.operand(1, 0, shape), |a, b| a & b),
            BitToReal => plain(self, 0).into_iter().map(|x| x << fixed.frac).collect(),
            Sum { axis } => folded(&plain(self, 0), &own(0), *axis, |a, b| a + b),
            Max { axis } => folded(&plain(self, 0), &own(0), *axis, i128::max),
            Reshape { .. } | Permute { .. } | Slice { .. } | Broadcast { .. } => {
                rearranged(op, &own(0), &plain(self, 0))
            }
            Concat { axis } => {
                let parts: Vec<Vec<i128>> =
                    (0..self.node.inputs.len()).map(|at| self.operand(at, fixed.frac, &own(at))).collect();
                joined(*axis, &parts, &(0..parts.len()).map(own).collect::<Vec<_>>())
            }
            // Of its ideal functionality: real numbers, rounded.
            _ => {
                let x = seen(&self.held[self.node.inputs[0].0 as usize]);
                encoded(&op.evaluate(&[&x]), fixed.frac)
            }
        }
    }
}

fn encoded(tensor: &FloatTensor, frac: u32) -> Vec<i128> {
    tensor.data.iter().map(|&x| (f64::from(x) * f64::from(frac).exp2()).round() as i128).collect()
}

/// Moves words as the operator moves elements: it is applied to their numbers.
fn rearranged(op: &Operator, shape: &[usize], words: &[i128]) -> Vec<i128> {
    let numbers = FloatTensor::new(shape.to_vec(), (0..words.len()).map(|at| at as f32).collect());
    op.evaluate(&[&numbers]).data.iter().map(|&at| words[at as usize]).collect()
}

fn joined(axis: usize, parts: &[Vec<i128>], shapes: &[Vec<usize>]) -> Vec<i128> {
    let mut start = 0;
    let mut numbers = vec![];
    for (part, shape) in parts.iter().zip(shapes) {
        numbers.push(FloatTensor::new(shape.clone(), (start..start + part.len()).map(|at| at as f32).collect()));
        start += part.len();
    }
    let all: Vec<i128> = parts.concat();
    let order = Operator::Concat { axis }.evaluate(&numbers.iter().collect::<Vec<_>>());
    order.data.iter().map(|&at| all[at as usize]).collect()
}

fn folded(words: &[i128], shape: &[usize], axis: usize, join: fn(i128, i128) -> i128) -> Vec<i128> {
    let inner: usize = shape[axis + 1..].iter().product();
    let mut result = vec![];
    for block in words.chunks(shape[axis] * inner) {
        for column in 0..inner {
            let line = (0..shape[axis]).map(|at| block[at * inner + column]);
            result.push(line.reduce(join).expect("no axis is empty"));
        }
    }
    result
}

fn product(x: &[i128], from: &[usize], y: &[i128], by: &[usize], transpose_b: bool, to: &[usize]) -> Vec<i128> {
    let (n, m, l) = (to[to.len() - 2], from[from.len() - 1], to[to.len() - 1]);
    let lead = &to[..to.len() - 2];
    let spread = |words: &[i128], shape: &[usize]| {
        let whole = [lead, &shape[shape.len() - 2..]].concat();
        rearranged(&Operator::Broadcast { shape: whole }, shape, words)
    };
    let (x, y) = (spread(x, from), spread(y, by));
    let mut result = Vec::with_capacity(to.iter().product());
    for (x, y) in x.chunks(n * m).zip(y.chunks(m * l)) {
        for row in x.chunks(m) {
            for column in 0..l {
                let at = |i: usize| if transpose_b { column * m + i } else { i * l + column };
                result.push(row.iter().enumerate().map(|(i, x)| x * y[at(i)]).sum());
            }
        }
    }
    result
}
