//! One plan that has every kind of step, and what the parties bring to it.

use std::sync::Arc;

use ptc_exec::simulate::World;
use ptc_exec::tensors::Tensors;
use ptc_kernels::Portable;
use ptc_plan::Plan;
use ptc_plan::file::{Constant, Input, InputKind, Making, Output, Parameter, Trust};
use ptc_plan::float::FloatTensor;
use ptc_plan::kernel::{Access, Elementwise, Instruction, Kernel};
use ptc_plan::operator::Operator;
use ptc_plan::price;
use ptc_plan::step::{Exp2, Fixed, Form, Levels, Owner, Party, Step, StepOp, Value, ValueId};

/// A plan being written, step by step.
pub struct Builder {
    pub plan: Plan,
}

impl Builder {
    pub fn new(trust: Trust) -> Builder {
        Builder { plan: Plan { model: "Every".into(), entry: "step".into(), trust, ..Plan::default() } }
    }

    pub fn value(&mut self, name: &str, shape: &[usize], form: Form) -> ValueId {
        self.plan.values.push(Value { name: name.into(), shape: shape.to_vec(), form, bound: None, error: None });
        ValueId(self.plan.values.len() as u32 - 1)
    }

    pub fn input(&mut self, name: &str, shape: &[usize], kind: InputKind, owner: Owner, limit: f32) -> ValueId {
        let value = self.value(name, shape, Form::Clear(owner));
        self.plan.inputs.push(Input { name: name.into(), kind, shape: shape.to_vec(), owner, value, limit });
        value
    }

    pub fn parameter(&mut self, path: &str, shape: &[usize], owner: Owner) -> ValueId {
        let value = self.value(path, shape, Form::Clear(owner));
        self.plan.parameters.push(Parameter { path: path.into(), shape: shape.to_vec(), owner, value, limit: 4.0 });
        value
    }

    pub fn step(&mut self, op: StepOp, inputs: &[ValueId], shape: &[usize], form: Form) -> ValueId {
        let output = self.value(op.name(), shape, form);
        self.plan.steps.push(Step {
            op,
            inputs: inputs.to_vec(),
            outputs: vec![output],
            round: 0,
            origin: 0,
            method: None,
        });
        output
    }

    pub fn output(&mut self, name: &str, value: ValueId, to: Party) {
        let shape = self.plan.values[value.0 as usize].shape.clone();
        let owner = if to == Party::Client { Owner::Client } else { Owner::Server };
        let value = self.step(StepOp::Reveal { to }, &[value], &shape, Form::Clear(owner));
        self.plan.outputs.push(Output { name: name.into(), to, value, reason: "test".into(), result: true });
    }

    /// As the compiler does: every step as soon as its inputs are there.
    pub fn finish(mut self) -> Plan {
        let mut ready = vec![0; self.plan.values.len()];
        for step in &mut self.plan.steps {
            step.round = step.inputs.iter().map(|value| ready[value.0 as usize]).max().unwrap_or(0);
            let end = step.round + price::rounds(&self.plan.values, step).len() as u32;
            step.outputs.iter().for_each(|value| ready[value.0 as usize] = end);
        }
        self.plan.steps.sort_by_key(|step| step.round);
        self.plan
    }
}

pub fn ring(bits: u32, frac: u32) -> Form {
    Form::Share(Fixed { bits, frac })
}

pub fn encoded(owner: Owner, bits: u32, frac: u32) -> Form {
    Form::Encoded(owner, Fixed { bits, frac })
}

pub const ALONE: Trust = Trust::TwoParty { making: Making::FAST };
pub const MODES: [Trust; 3] = [ALONE, Trust::TwoParty { making: Making::SPARING }, Trust::Dealer];

/// The same plan with products by the server's weights on the encrypted input.
pub fn inline(mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        if let StepOp::StaticMatMul { owner: Party::Server, factor_bits } = step.op {
            step.op = StepOp::EncryptedMatMul { factor_bits, making: Making::FAST };
        }
    }
    Builder { plan }.finish()
}

pub fn every_step(trust: Trust) -> Plan {
    let mut b = Builder::new(trust);
    let x = b.input("x", &[4, 8], InputKind::Real, Owner::Client, 8.0);
    let mask = b.input("mask", &[4, 6], InputKind::Bit, Owner::Client, 1.0);
    let offset = b.input("offset", &[6], InputKind::Real, Owner::Both, 8.0);
    let w = b.parameter("w", &[8, 6], Owner::Server);
    let narrow = b.parameter("narrow", &[6, 6], Owner::Server);
    let scale = b.parameter("scale", &[6], Owner::Server);
    let table = b.parameter("table", &[6, 3], Owner::Both);
    let one = b.value("one", &[6], Form::Clear(Owner::Both));
    b.plan.constants.push(Constant { value: one, data: vec![1.0; 6] });

    let half = b.step(StepOp::Clear(Operator::Scale { by: 0.5 }), &[x], &[4, 8], Form::Clear(Owner::Client));
    let x = b.step(StepOp::Share, &[half], &[4, 8], ring(40, 12));
    let w = b.step(StepOp::Encode, &[w], &[8, 6], encoded(Owner::Server, 40, 12));
    let product =
        b.step(StepOp::StaticMatMul { owner: Party::Server, factor_bits: 40 }, &[x, w], &[4, 6], ring(40, 24));
    let offset = b.step(StepOp::Share, &[offset], &[6], ring(40, 24));
    let one = b.step(StepOp::Encode, &[one], &[6], encoded(Owner::Both, 40, 24));
    b.plan.kernels.push(Kernel::Elementwise(Elementwise {
        inputs: vec![Access::Full, Access::Cycle { period: 6 }, Access::Cycle { period: 6 }],
        code: vec![
            Instruction::IsServer,
            Instruction::Multiply(2, 3),
            Instruction::Add(0, 4),
            Instruction::Add(5, 1),
            Instruction::Low(6, 40),
        ],
        outputs: vec![7],
    }));
    let moved = b.step(StepOp::Local { kernel: 0 }, &[product, offset, one], &[4, 6], ring(40, 24));
    let small = b.step(StepOp::Rescale, &[moved], &[4, 6], ring(36, 12));
    let shrunk = b.step(StepOp::Rescale, &[moved], &[4, 6], ring(26, 12));
    let scale = b.step(StepOp::Encode, &[scale], &[6], encoded(Owner::Server, 36, 12));
    let scaled =
        b.step(StepOp::StaticMul { owner: Party::Server, factor_bits: 36 }, &[small, scale], &[4, 6], ring(36, 24));
    b.output("scaled", scaled, Party::Client);
    let narrow = b.step(StepOp::Encode, &[narrow], &[6, 6], encoded(Owner::Server, 26, 6));
    let thin = b.step(
        StepOp::StaticMatMul { owner: Party::Server, factor_bits: 26 },
        &[shrunk, narrow],
        &[4, 6],
        ring(26, 18),
    );
    b.output("thin", thin, Party::Server);

    let negative = b.step(StepOp::Compare { threshold: 100 }, &[small], &[4, 6], Form::Bits);
    let positive = b.step(StepOp::Not, &[negative], &[4, 6], Form::Bits);
    let bits = b.step(StepOp::Share, &[mask], &[4, 6], Form::Bits);
    let both = b.step(StepOp::And, &[positive, bits], &[4, 6], Form::Bits);
    let odd = b.step(StepOp::Xor, &[both, bits], &[4, 6], Form::Bits);
    b.output("odd", odd, Party::Client);
    let kept = b.step(StepOp::Gate, &[both, small], &[4, 6], ring(36, 12));
    let ones = b.step(StepOp::BitToShare, &[odd], &[4, 6], ring(36, 12));
    let squared = b.step(StepOp::Square, &[kept], &[4, 6], ring(36, 24));
    b.output("squared", squared, Party::Client);
    let multiplied = b.step(StepOp::Mul, &[kept, ones], &[4, 6], ring(36, 24));
    b.output("multiplied", multiplied, Party::Client);
    let turn = StepOp::Layout(Operator::Permute { axes: vec![1, 0] });
    let turned = b.step(turn.clone(), &[kept], &[6, 4], ring(36, 12));
    let scores = b.step(StepOp::MatMul { transpose_b: false }, &[kept, turned], &[4, 4], ring(34, 24));
    let again = b.step(StepOp::MatMul { transpose_b: true }, &[kept, ones], &[4, 4], ring(34, 24));
    b.output("again", again, Party::Client);
    let sum = b.step(StepOp::SumAxis { axis: 1 }, &[scores], &[4, 1], ring(34, 24));
    b.output("sum", sum, Party::Client);
    let rows = b.step(StepOp::SumAxis { axis: 1 }, &[small], &[4, 1], ring(36, 12));
    let by_row = b.step(StepOp::Mul, &[small, rows], &[4, 6], ring(36, 24));
    b.output("by_row", by_row, Party::Client);
    let turned_bits = b.step(turn, &[odd], &[6, 4], Form::Bits);
    let turned_ones = b.step(StepOp::BitToShare, &[turned_bits], &[6, 4], ring(20, 0));
    b.output("turned_ones", turned_ones, Party::Server);

    let top = b.step(StepOp::Max, &[small], &[4, 1], ring(36, 12));
    b.output("top", top, Party::Client);
    let index = StepOp::Table { index_bits: 3, shift: 12, values: vec![(0..8).collect(), (8..16).collect()] };
    let (first, second) = (b.value("first", &[4, 1], ring(20, 0)), b.value("second", &[4, 1], ring(9, 0)));
    b.plan.steps.push(Step {
        op: index,
        inputs: vec![top],
        outputs: vec![first, second],
        round: 0,
        origin: 0,
        method: None,
    });
    b.output("first", first, Party::Client);
    b.output("second", second, Party::Client);
    let marks = StepOp::Table { index_bits: 3, shift: 12, values: vec![vec![1, 0, 1, 1, 0, 0, 1, 0]] };
    let marked = b.step(marks, &[top], &[4, 1], Form::Bits);
    b.output("marked", marked, Party::Client);
    let rest = b.step(StepOp::Rest { shift: 5 }, &[top], &[4, 1], ring(20, 12));
    b.output("rest", rest, Party::Client);
    let exp = Exp2::for_range(16, 13, 3);
    let exponent = b.input("exponent", &[2, 5], InputKind::Real, Owner::Client, 15.0);
    let exponent = b.step(StepOp::Share, &[exponent], &[2, 5], ring(30, 12));
    let power = b.step(StepOp::Exp2(exp), &[exponent], &[2, 5], ring(exp.ring, exp.result_frac));
    b.output("power", power, Party::Client);
    let exp = Exp2::for_range(100, 14, 2);
    let sooner = b.step(StepOp::Exp2(exp), &[exponent], &[2, 5], ring(exp.ring, exp.result_frac));
    b.output("sooner", sooner, Party::Client);
    // Levels two apart, from -6 on.
    let scale = Levels { index_bits: 6, shift: 13, first: 61, count: 8 };
    let reached = b.step(StepOp::Levels(scale), &[exponent], &[2, 1], ring(9, 0));
    b.output("reached", reached, Party::Client);

    let factor = b.input("factor", &[6, 3], InputKind::Real, Owner::Client, 8.0);
    let factor = b.step(StepOp::Encode, &[factor], &[6, 3], encoded(Owner::Client, 36, 12));
    let crossed =
        b.step(StepOp::StaticMatMul { owner: Party::Client, factor_bits: 36 }, &[small, factor], &[4, 3], ring(36, 24));
    b.output("crossed", crossed, Party::Client);
    let keep = b.step(StepOp::Encode, &[mask], &[4, 6], encoded(Owner::Client, 36, 0));
    let masked =
        b.step(StepOp::StaticMul { owner: Party::Client, factor_bits: 36 }, &[small, keep], &[4, 6], ring(36, 12));
    let matrix = b.step(StepOp::Encode, &[table], &[6, 3], encoded(Owner::Both, 36, 12));
    let last = b.step(StepOp::PublicMatMul, &[masked, matrix], &[4, 3], ring(36, 24));
    b.output("last", last, Party::Client);
    b.finish()
}

/// Numbers of at most `most` in size, the same every time.
pub fn numbers(shape: &[usize], most: f32, seed: u32) -> FloatTensor {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * most
    };
    FloatTensor::new(shape.to_vec(), (0..shape.iter().product()).map(|_| next()).collect())
}

pub fn world(plan: Plan) -> World {
    let mut inputs = Tensors::new();
    inputs.insert("x".into(), numbers(&[4, 8], 4.0, 1));
    let bits = numbers(&[4, 6], 1.0, 2).data.iter().map(|&x| f32::from(x > -0.5)).collect();
    inputs.insert("mask".into(), FloatTensor::new(vec![4, 6], bits));
    inputs.insert("offset".into(), numbers(&[6], 3.0, 3));
    let exponent = numbers(&[2, 5], 7.0, 4).data.iter().map(|x| x - 7.0).collect();
    inputs.insert("exponent".into(), FloatTensor::new(vec![2, 5], exponent));
    inputs.insert("factor".into(), numbers(&[6, 3], 3.0, 5));
    let mut parameters = Tensors::new();
    parameters.insert("w".into(), numbers(&[8, 6], 1.0, 6));
    parameters.insert("narrow".into(), numbers(&[6, 6], 1.0, 7));
    parameters.insert("scale".into(), numbers(&[6], 2.0, 8));
    parameters.insert("table".into(), numbers(&[6, 3], 1.0, 9));
    World { plan: Arc::new(plan), backend: Arc::new(Portable), parameters, inputs }
}
