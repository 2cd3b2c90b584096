//! The bill: which correlated randomness a step consumes, and what dealing it costs.
//!
//! A correlation is described by its kind and sizes alone, so both parties and every source read the same list from the
//! same plan. The dealer expands each party's part from one seed; the client also receives a *correction* for each
//! correlation: its wire forms, in order, are [`Correlation::corrections`].

use crate::file::Plan;
use crate::price::{DIGEST, FRAME_HEADER, carry_digits, carry_levels, max_levels, packed, plane_bytes, ring};
use crate::step::{Fixed, Form, Levels, Party, Step, StepOp, Value, ValueId};

/// Bytes of each party's seed.
pub const SEED_BYTES: u64 = 32;

/// Corrections travel in messages of this many bytes; the last may be shorter.
pub const CHUNK_BYTES: u64 = 1 << 20;

/// One single-use piece of correlated randomness. `a`, `b`, `r` are uniform masks.
#[derive(Clone, Debug, PartialEq)]
pub enum Correlation {
    /// Client: `r[rows, inner]` and `c1`; server: `s0`; `r·W = c1 + s0`. Signed, `W` has at most `factor_bits` bits.
    StaticMatMul { weight: ValueId, rows: usize, inner: usize, columns: usize, bits: u32, factor_bits: u32 },
    /// The same elementwise: `r[i]·w[i % period]`.
    StaticMul { weight: ValueId, count: usize, period: usize, bits: u32, factor_bits: u32 },
    /// Server: `a[rows, inner]`; client: `b[inner, columns]`; shares of `a·b`.
    CrossMatMul { rows: usize, inner: usize, columns: usize, bits: u32 },
    /// The same elementwise: `a[i]·b[i % period]`.
    CrossMul { count: usize, period: usize, bits: u32 },
    /// Shares of `a[batch, rows, inner]`, `b[batch, inner, columns]` (or transposed) and `a·b`.
    MatMul { batch: usize, rows: usize, inner: usize, columns: usize, transpose_b: bool, bits: u32 },
    /// Shares of `a[count]`, `b[count / each]` and `a[i]·b[i / each]`.
    Mul { count: usize, each: usize, bits: u32 },
    /// Shares of `a` and `a²`.
    Square { count: usize, bits: u32 },
    /// Server: bits `r0`; client: bits `r1`; additive shares of `r0·r1`.
    Wrap { count: usize, bits: u32 },
    /// Masks and products of masks for the carry into the top bit of a sum in `Z_2^bits`.
    Compare { count: usize, bits: u32 },
    /// Exclusive-or shares of bits `a`, `b`, `a·b`.
    And { count: usize },
    /// Exclusive-or and additive shares of the same random bit, in the ring above the output's fraction bits.
    BitToShare { count: usize, bits: u32 },
    /// A random bit `rho` shared both ways; additive shares of `a` and `rho·a`.
    Gate { count: usize, bits: u32 },
    /// Shares of a random rotation and of `values[j]` rotated by it, in `rings[j]`.
    Table { count: usize, index_bits: u32, rings: Vec<u32>, values: Vec<Vec<u64>> },
}

/// A wire form inside a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Ring { count: usize, bits: u32 },
    Planes { count: usize, planes: usize },
}

impl Part {
    pub fn bytes(self) -> u64 {
        match self {
            Part::Ring { count, bits } => packed(count, bits),
            Part::Planes { count, planes } => plane_bytes(count, planes),
        }
    }
}

/// What `step` consumes, in the order in which its protocol does.
pub fn bill(values: &[Value], step: &Step) -> Vec<Correlation> {
    let input = |i: usize| &values[step.inputs[i].0 as usize];
    let output = || &values[step.outputs[0].0 as usize];
    match &step.op {
        StepOp::Clear(_)
        | StepOp::Encode
        | StepOp::Share
        | StepOp::Local { .. }
        | StepOp::Layout(_)
        | StepOp::SumAxis { .. }
        | StepOp::PublicMatMul
        | StepOp::Rest { .. }
        | StepOp::Xor
        | StepOp::Not
        | StepOp::EncryptedMatMul { .. }
        | StepOp::Reveal { .. } => vec![],
        StepOp::StaticMatMul { owner, factor_bits } => {
            let factor_bits = *factor_bits;
            let (inner, columns) = last_two(&input(1).shape);
            let rows = input(0).len() / inner.max(1);
            let bits = ring(output());
            vec![match owner {
                Party::Server => {
                    Correlation::StaticMatMul { weight: step.inputs[1], rows, inner, columns, bits, factor_bits }
                }
                Party::Client => Correlation::CrossMatMul { rows, inner, columns, bits },
            }]
        }
        StepOp::StaticMul { owner, factor_bits } => {
            let factor_bits = *factor_bits;
            let (count, period, bits) = (input(0).len(), input(1).len(), ring(output()));
            vec![match owner {
                Party::Server => Correlation::StaticMul { weight: step.inputs[1], count, period, bits, factor_bits },
                Party::Client => Correlation::CrossMul { count, period, bits },
            }]
        }
        StepOp::MatMul { transpose_b } => {
            let (rows, inner) = last_two(&input(0).shape);
            let (first, second) = last_two(&input(1).shape);
            let columns = if *transpose_b { first } else { second };
            let batch = input(0).len() / (rows * inner).max(1);
            vec![Correlation::MatMul { batch, rows, inner, columns, transpose_b: *transpose_b, bits: ring(output()) }]
        }
        StepOp::Mul => {
            let count = input(0).len();
            vec![Correlation::Mul { count, each: count / input(1).len().max(1), bits: ring(output()) }]
        }
        StepOp::Square => vec![Correlation::Square { count: input(0).len(), bits: ring(output()) }],
        StepOp::Rescale => {
            let bits = rescale_growth(fixed(input(0)), fixed(output()));
            if bits == 0 { vec![] } else { vec![Correlation::Wrap { count: input(0).len(), bits }] }
        }
        StepOp::Compare { .. } => vec![Correlation::Compare { count: input(0).len(), bits: ring(input(0)) }],
        StepOp::And => vec![Correlation::And { count: input(0).len() }],
        StepOp::BitToShare => {
            let to = fixed(output());
            vec![Correlation::BitToShare { count: input(0).len(), bits: to.bits.saturating_sub(to.frac).max(1) }]
        }
        StepOp::Gate => vec![Correlation::Gate { count: input(1).len(), bits: ring(output()) }],
        StepOp::Table { index_bits, values: rows, .. } => {
            let ring_of = |j: usize| ring(&values[step.outputs[j.min(step.outputs.len() - 1)].0 as usize]);
            vec![Correlation::Table {
                count: input(0).len(),
                index_bits: *index_bits,
                rings: (0..rows.len()).map(ring_of).collect(),
                values: rows.clone(),
            }]
        }
        StepOp::Exp2(exp) => {
            let (count, product) = (input(0).len(), exp.product());
            let wrap = match rescale_growth(product, exp.unshifted()) {
                0 => None,
                bits => Some(Correlation::Wrap { count, bits }),
            };
            let first = [
                unit_vectors(count, exp.index_bits, 1),
                Correlation::CrossMul { count, period: count, bits: product.bits },
            ];
            let gates = Correlation::Gate { count: count * exp.shifts() as usize, bits: exp.ring };
            first.into_iter().chain(wrap).chain([gates]).collect()
        }
        StepOp::Max => {
            let width = *input(0).shape.last().expect("max of at least one axis");
            let rows = input(0).len() / width.max(1);
            let bits = ring(input(0));
            let level = |pairs: usize| {
                let count = rows * pairs;
                [Correlation::Compare { count, bits }, Correlation::Gate { count, bits }]
            };
            max_levels(width).into_iter().flat_map(level).collect()
        }
        StepOp::Levels(levels) => {
            let (from, to) = (fixed(input(0)), fixed(output()));
            let count_bits = Levels::count_bits(*input(0).shape.last().expect("levels of at least one axis"));
            // What does not fit a checked plan is no one's.
            let place = u32::try_from(levels.place(from, to)).unwrap_or(0);
            let bits = to.bits.saturating_sub(place).max(1);
            let reached = (0..1u64 << count_bits).map(|count| u64::from(count > 0)).collect();
            vec![
                unit_vectors(input(0).len(), levels.index_bits, count_bits),
                Correlation::Table {
                    count: output().len() * levels.count as usize,
                    index_bits: count_bits,
                    rings: vec![bits],
                    values: vec![reached],
                },
            ]
        }
    }
}

/// Shares of a random rotation and of the unit vector that it names: from them a private index becomes one of many.
pub fn unit_vectors(count: usize, index_bits: u32, bits: u32) -> Correlation {
    let unit = (0..1u64 << index_bits).map(|entry| u64::from(entry == 0)).collect();
    Correlation::Table { count, index_bits, rings: vec![bits], values: vec![unit] }
}

impl Correlation {
    /// What the dealer sends to the client for this correlation, in order. The server's part comes from its seed alone.
    pub fn corrections(&self) -> Vec<Part> {
        use Correlation::*;
        match self {
            StaticMatMul { rows, columns, bits, .. } | CrossMatMul { rows, columns, bits, .. } => {
                vec![Part::Ring { count: rows * columns, bits: *bits }]
            }
            MatMul { batch, rows, columns, bits, .. } => {
                vec![Part::Ring { count: batch * rows * columns, bits: *bits }]
            }
            StaticMul { count, bits, .. }
            | CrossMul { count, bits, .. }
            | Mul { count, bits, .. }
            | Square { count, bits }
            | Wrap { count, bits }
            | BitToShare { count, bits } => vec![Part::Ring { count: *count, bits: *bits }],
            Compare { count, bits } => {
                let leaf = leaf_products(*bits);
                let joined: usize = carry_levels(carry_digits(*bits)).into_iter().map(|pairs| 2 * pairs - 1).sum();
                vec![Part::Planes { count: *count, planes: leaf + joined }]
            }
            And { count } => vec![Part::Planes { count: *count, planes: 1 }],
            Gate { count, bits } => vec![Part::Ring { count: *count, bits: *bits }; 2],
            Table { count, index_bits, rings, .. } => {
                rings.iter().map(|&bits| Part::Ring { count: count << index_bits, bits }).collect()
            }
        }
    }

    pub fn correction_bytes(&self) -> u64 {
        self.corrections().into_iter().map(Part::bytes).sum()
    }
}

/// Products of masks that the leaves of a comparison need, in bit planes: six for each digit of two bits, one for a top
/// digit of one bit.
pub fn leaf_products(bits: u32) -> usize {
    let low = bits as usize - 1;
    6 * (low / 2) + low % 2
}

/// By how many bits a rescale outgrows what shifting leaves of its ring; 0 when it is local.
pub fn rescale_growth(from: Fixed, to: Fixed) -> u32 {
    let left = (from.bits + to.frac).saturating_sub(from.frac);
    to.bits.saturating_sub(left)
}

/// The mask `U` of a weight of the server: one for a session, whatever the number of queries and of uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightMask {
    pub weight: ValueId,
    pub count: usize,
    /// The widest ring that the weight is multiplied in.
    pub bits: u32,
}

/// The masked weights that the server opens to the client once, in order of their values.
pub fn weight_masks(plan: &Plan) -> Vec<WeightMask> {
    let mut masks = std::collections::BTreeMap::<u32, WeightMask>::new();
    for step in &plan.steps {
        for correlation in bill(&plan.values, step) {
            let (Correlation::StaticMatMul { weight, bits, .. } | Correlation::StaticMul { weight, bits, .. }) =
                correlation
            else {
                continue;
            };
            let count = plan.values[weight.0 as usize].len();
            let mask = masks.entry(weight.0).or_insert(WeightMask { weight, count, bits });
            mask.bits = mask.bits.max(bits);
        }
    }
    masks.into_values().collect()
}

/// The exact price of the dealer's offline phase, frame headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offline {
    /// Once for a session: the seed of the weight masks, to the server.
    pub dealer_to_server_once: u64,
    /// Once for a session: masked weights.
    pub server_to_client_once: u64,
    /// For each query.
    pub dealer_to_server: u64,
    pub dealer_to_client: u64,
}

pub fn offline(plan: &Plan) -> Offline {
    let message = |bytes: u64| if bytes == 0 { 0 } else { bytes + FRAME_HEADER };
    let weights: u64 = weight_masks(plan).iter().map(|mask| packed(mask.count, mask.bits)).sum();
    let corrections: u64 =
        plan.steps.iter().flat_map(|step| bill(&plan.values, step)).map(|c| c.correction_bytes()).sum();
    let framed = |bytes: u64| bytes + FRAME_HEADER * bytes.div_ceil(CHUNK_BYTES);
    Offline {
        dealer_to_server_once: message(SEED_BYTES),
        server_to_client_once: framed(weights),
        dealer_to_server: message(SEED_BYTES) + message(DIGEST),
        dealer_to_client: message(SEED_BYTES) + framed(corrections) + message(DIGEST),
    }
}

/// The fixed point of a share; a value of another form has none, and a checked plan does not ask for it.
pub(crate) fn fixed(value: &Value) -> Fixed {
    match value.form {
        Form::Share(fixed) | Form::Encoded(_, fixed) => fixed,
        Form::Bits | Form::Clear(_) => Fixed { bits: 1, frac: 0 },
    }
}

pub(crate) fn last_two(shape: &[usize]) -> (usize, usize) {
    match *shape {
        [.., rows, columns] => (rows, columns),
        [columns] => (1, columns),
        [] => (1, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(correlation: Correlation, bits_each: u64) {
        assert_eq!(correlation.correction_bytes() * 8, bits_each * 6400, "{correlation:?}");
    }

    /// For 6400 elements, so that no part is filled up.
    #[test]
    fn corrections_have_these_bits_an_element() {
        let count = 6400;
        check(Correlation::Square { count, bits: 37 }, 37);
        check(Correlation::Mul { count, each: 64, bits: 37 }, 37);
        check(Correlation::Wrap { count, bits: 8 }, 8);
        check(Correlation::And { count }, 1);
        check(Correlation::Gate { count, bits: 30 }, 60);
        // Eight digits of two bits, one of one; pairs 4, 2, 1, 1.
        check(Correlation::Compare { count, bits: 18 }, 8 * 6 + 1 + 7 + 3 + 1 + 1);
        check(Correlation::Compare { count, bits: 1 }, 0);
        check(Correlation::Table { count, index_bits: 5, rings: vec![30, 20], values: vec![] }, 32 * 50);
    }

    #[test]
    fn a_ring_that_shrinks_by_the_shift_has_no_wrap() {
        let growth =
            |from, frac, to, to_frac| rescale_growth(Fixed { bits: from, frac }, Fixed { bits: to, frac: to_frac });
        assert_eq!(growth(38, 24, 34, 12), 8);
        assert_eq!(growth(38, 24, 27, 12), 1);
        assert_eq!(growth(38, 24, 26, 12), 0);
        assert_eq!(growth(18, 12, 38, 12), 20);
    }
}
