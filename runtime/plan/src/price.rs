//! The exact price of a step: for each round, the bytes that each party sends.
//!
//! Every protocol test holds the channel's counters against these formulas. Wire forms: a tensor of `n` ring elements is
//! `ceil(n · bits / 8)` bytes; bits travel as planes of `ceil(n / 64)` words of 8 bytes.

use crate::bill::{fixed, last_two, rescale_growth};
use crate::file::Plan;
use crate::step::{Form, Levels, Party, Step, StepOp, Value};
use crate::two_party::encrypted::{self, Product};

/// Bytes in front of every non-empty message: its length and its round.
pub const FRAME_HEADER: u64 = 8;

/// Bytes of the digest by which each party says what it has seen so far, and of the tag that binds an opened value to it.
pub const DIGEST: u64 = 32;

/// Payload bytes sent in one round by the server and by the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    pub sent: [u64; 2],
}

impl Round {
    fn both(bytes: u64) -> Round {
        Round { sent: [bytes, bytes] }
    }

    fn one(from: Party, bytes: u64) -> Round {
        let mut round = Round::default();
        round.sent[from.index()] = bytes;
        round
    }
}

/// Bytes of `count` elements of `bits` bits.
pub fn packed(count: usize, bits: u32) -> u64 {
    (count as u64 * bits as u64).div_ceil(8)
}

/// Bytes of `planes` planes of `count` bits.
pub fn plane_bytes(count: usize, planes: usize) -> u64 {
    (count.div_ceil(64) * 8 * planes) as u64
}

/// Two-bit digits in the carry of a comparison in a ring of `bits` bits (the carry into the top bit).
pub fn carry_digits(bits: u32) -> usize {
    (bits as usize - 1).div_ceil(2)
}

/// Pairs joined at each level of the carry tree, from the leaves up.
pub fn carry_levels(digits: usize) -> Vec<usize> {
    let mut levels = vec![];
    let mut width = digits;
    while width > 1 {
        levels.push(width / 2);
        width -= width / 2;
    }
    levels
}

/// The rounds of a comparison of `count` elements in a ring of `bits` bits.
///
/// Leaf: each party opens its `bits - 1` low bits, masked. A joined pair opens the upper propagate, the lower generate
/// and the lower propagate; the lowest pair of a level has no use for the last.
pub fn compare_rounds(count: usize, bits: u32) -> Vec<Round> {
    let mut rounds = vec![];
    if bits > 1 {
        rounds.push(Round::both(plane_bytes(count, bits as usize - 1)));
    }
    for pairs in carry_levels(carry_digits(bits)) {
        rounds.push(Round::both(plane_bytes(count, 3 * pairs - 1)));
    }
    rounds
}

/// The other party opens its masked share of `x`. The server's factor is masked once, offline; a factor of the client
/// belongs to the query, so it is opened here, masked, in the same round.
fn static_round(owner: Party, x: usize, w: usize, bits: u32) -> Round {
    let mut round = Round::one(owner.other(), packed(x, bits));
    if owner == Party::Client {
        round.sent[Party::Client.index()] = packed(w, bits);
    }
    round
}

/// Opens of `bit · x`: a masked bit and a masked element.
pub fn gate_round(count: usize, bits: u32) -> Round {
    Round::both(plane_bytes(count, 1) + packed(count, bits))
}

/// Pairs compared at each level of a tournament over `width` elements.
pub fn max_levels(width: usize) -> Vec<usize> {
    carry_levels(width)
}

/// The rounds of `step` with the bytes of each; empty for what is local.
pub fn rounds(values: &[Value], step: &Step) -> Vec<Round> {
    let input = |i: usize| &values[step.inputs[i].0 as usize];
    let output = |i: usize| &values[step.outputs[i].0 as usize];
    let opened = |value: &Value| packed(value.len(), ring(value));
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
        | StepOp::Not => vec![],
        StepOp::StaticMatMul { owner, .. } => {
            vec![static_round(*owner, input(0).len(), input(1).len(), ring(output(0)))]
        }
        StepOp::StaticMul { owner, .. } => vec![static_round(*owner, input(0).len(), input(1).len(), ring(output(0)))],
        StepOp::EncryptedMatMul { factor_bits, making } => {
            let product = encrypted_product(values, step, *factor_bits);
            let packing = encrypted::choose(&product, *making);
            let request = Round::one(Party::Client, encrypted::request_bytes(&product, &packing));
            vec![request, Round::one(Party::Server, encrypted::response_bytes(&product, &packing))]
        }
        StepOp::MatMul { .. } | StepOp::Mul => {
            let bits = ring(output(0));
            vec![Round::both(packed(input(0).len(), bits) + packed(input(1).len(), bits))]
        }
        StepOp::Square => vec![Round::both(packed(input(0).len(), ring(output(0))))],
        // Local when the ring shrinks by the shift or more: no wrap bit reaches it.
        StepOp::Rescale if rescale_growth(fixed(input(0)), fixed(output(0))) == 0 => vec![],
        StepOp::Rescale => vec![Round::both(plane_bytes(input(0).len(), 1))],
        StepOp::Compare { .. } => compare_rounds(input(0).len(), ring(input(0))),
        StepOp::And => vec![Round::both(plane_bytes(input(0).len(), 2))],
        StepOp::BitToShare => vec![Round::both(plane_bytes(input(0).len(), 1))],
        StepOp::Gate => vec![gate_round(input(1).len(), ring(output(0)))],
        StepOp::Table { index_bits, .. } => vec![Round::both(packed(input(0).len(), *index_bits))],
        StepOp::Exp2(exp) => {
            let count = input(0).len();
            let opened = packed(count, exp.index_bits) + packed(count, exp.product().bits);
            let gated = gate_round(count * exp.shifts() as usize, exp.ring);
            match rescale_growth(exp.product(), exp.unshifted()) {
                0 => vec![Round::both(opened), gated],
                _ => vec![Round::both(opened), Round::both(plane_bytes(count, 1)), gated],
            }
        }
        StepOp::Max => {
            let width = *input(0).shape.last().expect("max of at least one axis");
            let rows = input(0).len() / width.max(1);
            let bits = ring(input(0));
            let level = |pairs: usize| {
                let mut rounds = compare_rounds(rows * pairs, bits);
                rounds.push(gate_round(rows * pairs, bits));
                rounds
            };
            max_levels(width).into_iter().flat_map(level).collect()
        }
        StepOp::Levels(levels) => {
            let width = *input(0).shape.last().expect("levels of at least one axis");
            let counts = output(0).len() * levels.count as usize;
            let looked_up = packed(counts, Levels::count_bits(width));
            vec![Round::both(packed(input(0).len(), levels.index_bits)), Round::both(looked_up)]
        }
        // Both say what they have seen; then the value goes.
        StepOp::Reveal { to } => vec![Round::both(DIGEST), Round::one(to.other(), opened(input(0)) + DIGEST)],
    }
}

/// The product of a step that multiplies a share by a weight of the server.
pub fn encrypted_product(values: &[Value], step: &Step, factor_bits: u32) -> Product {
    let [x, w, out] = [step.inputs[0], step.inputs[1], step.outputs[0]].map(|id| &values[id.0 as usize]);
    let (inner, columns) = last_two(&w.shape);
    Product { batch: 1, rows: x.len() / inner.max(1), inner, columns, bits: ring(out), factor_bits }
}

pub(crate) fn ring(value: &Value) -> u32 {
    match value.form {
        Form::Share(fixed) | Form::Encoded(_, fixed) => fixed.bits,
        Form::Bits => 1,
        Form::Clear(_) => 0,
    }
}

/// What a whole plan sends online, frame headers included: rounds and bytes sent by server and client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    pub rounds: u64,
    pub sent: [u64; 2],
}

/// The price of a plan, and of each of its rounds.
pub fn total(plan: &Plan) -> (Total, Vec<Round>) {
    let mut schedule: Vec<Round> = vec![];
    for step in &plan.steps {
        for (at, round) in rounds(&plan.values, step).into_iter().enumerate() {
            let at = step.round as usize + at;
            if schedule.len() <= at {
                schedule.resize(at + 1, Round::default());
            }
            for party in 0..2 {
                schedule[at].sent[party] += round.sent[party];
            }
        }
    }
    let mut total = Total::default();
    for round in &schedule {
        total.rounds += u64::from(round.sent != [0, 0]);
        for party in 0..2 {
            if round.sent[party] > 0 {
                total.sent[party] += round.sent[party] + FRAME_HEADER;
            }
        }
    }
    (total, schedule)
}
