//! A graph with rings, computed on two random shares of each value as its protocols do: which way a truncation rounds and
//! which of two cells a table finds depends on the shares, here as there.

use std::collections::BTreeMap;

use ptc_ir::Graph;
use ptc_ir::graph::{Node, NodeId, Op, Visibility};
use ptc_plan::operator::Operator;
use ptc_plan::step::Fixed;

/// Fraction bits of the two clear factors of a product, as `truncate` and the parties have them.
const FACTOR_FRACS: [u32; 2] = [12, 14];

/// Of each element, both shares; of bits the second is zero.
type Shared = Vec<[u64; 2]>;

pub struct Computation<'a> {
    graph: &'a Graph,
    state: u64,
    values: BTreeMap<NodeId, Shared>,
    clear: BTreeMap<String, Vec<f64>>,
}

/// The opened value of the graph's one output. `clear` holds inputs and parameters by name.
pub fn compute(graph: &Graph, clear: BTreeMap<String, Vec<f64>>, seed: u64) -> Vec<f64> {
    let mut computation = Computation { graph, state: seed, values: BTreeMap::new(), clear };
    for id in graph.ids() {
        let node = graph.node(id);
        if let (Op::Apply(op), Visibility::Secret) = (&node.op, node.visibility) {
            let shares = computation.node(node, op);
            computation.values.insert(id, shares);
        }
    }
    let revealed = graph.node(graph.outputs[0].node);
    let fixed = graph.node(revealed.inputs[0]).fixed.expect("what is opened has a ring");
    let bits = fixed.bits.min(graph.node(revealed.inputs[0]).signed_bits(0.0));
    let opened = |[a, b]: &[u64; 2]| signed(a.wrapping_add(*b), bits) as f64 / f64::from(fixed.frac).exp2();
    computation.values[&revealed.inputs[0]].iter().map(opened).collect()
}

fn mask(bits: u32) -> u64 {
    if bits == 64 { u64::MAX } else { (1 << bits) - 1 }
}

fn signed(word: u64, bits: u32) -> i64 {
    ((word << (64 - bits)) as i64) >> (64 - bits)
}

/// What is encoded of a real.
pub fn encode(x: f64, frac: u32) -> i64 {
    (x * f64::from(frac).exp2()).round() as i64
}

impl Computation<'_> {
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.state ^ (self.state >> 29).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn share(&mut self, words: impl IntoIterator<Item = u64>, bits: u32) -> Shared {
        let split = |word: u64| {
            let own = self.random() & mask(bits);
            [own, word.wrapping_sub(own) & mask(bits)]
        };
        words.into_iter().map(split).collect()
    }

    fn fixed(&self, id: NodeId) -> Fixed {
        self.graph.node(id).fixed.expect("a value with a ring")
    }

    /// The operand's words, in a ring of `bits`.
    fn words(&self, id: NodeId, bits: u32) -> Vec<u64> {
        let ring = self.graph.node(id).fixed.map_or(64, |fixed| fixed.bits);
        assert!(ring >= bits, "`{}` has {ring} bits where {bits} are needed", self.graph.node(id).name);
        self.values[&id].iter().map(|[a, b]| a.wrapping_add(*b) & mask(bits)).collect()
    }

    fn bits(&self, id: NodeId) -> Vec<bool> {
        self.values[&id].iter().map(|[a, b]| (a ^ b) & 1 == 1).collect()
    }

    /// Each share by itself.
    fn local(&self, id: NodeId, function: impl Fn(u64, u64) -> u64) -> Shared {
        self.values[&id].iter().map(|&[a, b]| [function(a, 1), function(b, 0)]).collect()
    }

    fn node(&mut self, node: &Node, op: &Operator) -> Shared {
        let to = node.fixed.unwrap_or(Fixed { bits: 1, frac: 0 });
        let low = mask(to.bits);
        let input = |at: usize| node.inputs[at];
        let is_secret = |at: usize| self.graph.node(input(at)).visibility == Visibility::Secret;
        match op {
            Operator::Multiply if !is_secret(0) => {
                let factor = |at: usize| {
                    let real = &self.clear[&self.graph.node(input(at)).name];
                    real.iter().map(|&x| encode(x, FACTOR_FRACS[at])).collect::<Vec<i64>>()
                };
                let product: Vec<u64> =
                    factor(0).into_iter().zip(factor(1)).map(|(a, b)| a.wrapping_mul(b) as u64 & low).collect();
                self.share(product, to.bits)
            }
            Operator::Multiply | Operator::Square => {
                let (a, b) = (self.words(input(0), to.bits), self.words(input(node.inputs.len() - 1), to.bits));
                let product: Vec<u64> = a.into_iter().zip(b).map(|(a, b)| a.wrapping_mul(b) & low).collect();
                self.share(product, to.bits)
            }
            Operator::Add | Operator::Subtract => {
                let up = |at: usize| to.frac - self.fixed(input(at)).frac;
                let (a, b) = (self.local(input(0), |a, _| a << up(0)), self.local(input(1), |b, _| b << up(1)));
                let join = |a: u64, b: u64| match op {
                    Operator::Add => a.wrapping_add(b) & low,
                    _ => a.wrapping_sub(b) & low,
                };
                a.into_iter().zip(b).map(|(a, b)| [join(a[0], b[0]), join(a[1], b[1])]).collect()
            }
            Operator::Scale { by } => {
                let grown = f64::from(to.frac) - f64::from(self.fixed(input(0)).frac);
                let factor = (by * grown.exp2()).round() as i64 as u64;
                self.local(input(0), |x, _| x.wrapping_mul(factor) & low)
            }
            Operator::Offset { by } => {
                let offset = encode(*by, to.frac) as u64;
                self.local(input(0), |x, once| x.wrapping_add(offset.wrapping_mul(once)) & low)
            }
            Operator::Rescale => self.rescale(input(0), to),
            Operator::Table { low, step_bits, values } => {
                let entry = |v: &f32| encode(f64::from(*v), to.frac) as u64 & mask(to.bits);
                let rows: Vec<Vec<u64>> = values.iter().map(|row| row.iter().map(entry).collect()).collect();
                self.table(input(0), *low, *step_bits, &rows, to.bits)
            }
            Operator::BitTable { low, step_bits, values } => {
                let rows: Vec<Vec<u64>> =
                    values.iter().map(|row| row.iter().map(|&bit| u64::from(bit)).collect()).collect();
                self.table(input(0), *low, *step_bits, &rows, 1)
            }
            Operator::Rest { step_bits } => {
                let shift = self.fixed(input(0)).frac as i32 - step_bits;
                self.local(input(0), |x, _| x & mask(shift.max(0) as u32) & low)
            }
            Operator::Slice { axis: 0, start, length: 1 } => {
                let each = self.values[&input(0)].len() / self.graph.node(input(0)).shape[0];
                self.local(input(0), |x, _| x & low)[start * each..(start + 1) * each].to_vec()
            }
            Operator::Reshape { .. } => self.local(input(0), |x, _| x & low),
            Operator::Compare { threshold } => {
                let x = self.graph.node(input(0));
                let fixed = self.fixed(input(0));
                let bits = x.compared_bits(*threshold).min(fixed.bits);
                let threshold = encode(*threshold, fixed.frac) as u64;
                let below = |x: u64| u64::from(signed(x.wrapping_sub(threshold), bits) < 0);
                self.words(input(0), bits).into_iter().map(|x| [below(x), 0]).collect()
            }
            Operator::Not => self.bits(input(0)).into_iter().map(|bit| [u64::from(!bit), 0]).collect(),
            Operator::Xor | Operator::And => {
                let join = |(a, b): (bool, bool)| if *op == Operator::Xor { a ^ b } else { a & b };
                self.bits(input(0))
                    .into_iter()
                    .zip(self.bits(input(1)))
                    .map(|pair| [u64::from(join(pair)), 0])
                    .collect()
            }
            Operator::Gate => {
                let (bits, words) = (self.bits(input(0)), self.words(input(1), to.bits));
                let gated: Vec<u64> = bits.into_iter().zip(words).map(|(bit, x)| if bit { x } else { 0 }).collect();
                self.share(gated, to.bits)
            }
            Operator::BitToReal => {
                let ones: Vec<u64> =
                    self.bits(input(0)).into_iter().map(|bit| u64::from(bit) << to.frac & low).collect();
                self.share(ones, to.bits)
            }
            other => panic!("`{}` is in no recipe", other.name()),
        }
    }

    fn rescale(&mut self, x: NodeId, to: Fixed) -> Shared {
        let from = self.fixed(x);
        let shift = from.frac - to.frac;
        if from.bits >= to.bits + shift {
            let up = mask(shift);
            let shrunk = |x: u64, once: u64| (x.wrapping_add(up * once) & mask(from.bits)) >> shift & mask(to.bits);
            return self.local(x, shrunk);
        }
        // Floor or ceiling, as the shares have it.
        let rounded: Vec<u64> = self.values[&x]
            .iter()
            .map(|[a, b]| {
                let carry = u64::from((a & mask(shift)) + (b & mask(shift)) > mask(shift));
                let value = signed(a.wrapping_add(*b), from.bits);
                let (floor, exact) = (value >> shift, value as u64 & mask(shift) == 0);
                (floor + i64::from(carry == 0 && !exact)) as u64 & mask(to.bits)
            })
            .collect();
        self.share(rounded, to.bits)
    }

    fn table(&mut self, x: NodeId, low: f64, step_bits: i32, rows: &[Vec<u64>], bits: u32) -> Shared {
        let frac = self.fixed(x).frac;
        let index_bits = rows[0].len().ilog2();
        let shift = (frac as i32 - step_bits).max(0) as u32;
        let split = (step_bits - frac as i32).max(0) as u32;
        let start = encode(low, frac + split) as u64;
        let index = |&[a, b]: &[u64; 2]| {
            let own = |x: u64| (x & mask(index_bits + shift)) >> shift;
            let (a, b) = ((a << split).wrapping_sub(start), b << split);
            ((own(a) + own(b)) & mask(index_bits)) as usize
        };
        let cells: Vec<usize> = self.values[&x].iter().map(index).collect();
        let found: Vec<u64> = rows.iter().flat_map(|row| cells.iter().map(|&cell| row[cell])).collect();
        self.share(found, bits)
    }
}
