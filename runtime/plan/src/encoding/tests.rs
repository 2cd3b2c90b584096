use super::*;
use crate::bill;
use crate::file::{Constant, Input, InputKind, Note, Origin, Output, Parameter, Trust};
use crate::kernel::{Access, Elementwise, Instruction, Kernel};
use crate::operator::Operator;
use crate::price;
use crate::step::{Exp2, Fixed, Form, Method, Owner, Party, Step, StepOp, Value, ValueId};

/// Every kind of step once, in one plan that holds together.
pub(crate) fn example() -> Plan {
    let mut builder = Builder::default();
    let ring = |bits, frac| Form::Share(Fixed { bits, frac });
    let clear = Form::Clear;
    let x = builder.value("x", &[4, 8], clear(Owner::Client));
    let w = builder.value("w", &[8, 6], clear(Owner::Server));
    let public = builder.value("table", &[6], clear(Owner::Both));
    let mask = builder.value("mask", &[4, 6], clear(Owner::Client));
    let scaled =
        builder.step(StepOp::Clear(Operator::Scale { by: 0.5 }), &[x], "scaled", &[4, 8], clear(Owner::Client));
    let shared = builder.step(StepOp::Share, &[scaled], "shared", &[4, 8], ring(40, 12));
    let weight = Form::Encoded(Owner::Server, Fixed { bits: 40, frac: 12 });
    let weight = builder.step(StepOp::Encode, &[w], "weight", &[8, 6], weight);
    let op = StepOp::StaticMatMul { owner: Party::Server, factor_bits: 16 };
    let product = builder.step(op, &[shared, weight], "product", &[4, 6], ring(40, 24));
    let bits = builder.step(StepOp::Share, &[mask], "bits", &[4, 6], Form::Bits);
    let row = Form::Encoded(Owner::Both, Fixed { bits: 40, frac: 24 });
    let row = builder.step(StepOp::Encode, &[public], "row", &[6], row);
    let moved = builder.step(StepOp::Local { kernel: 0 }, &[product, row], "moved", &[4, 6], ring(40, 24));
    let small = builder.step(StepOp::Rescale, &[moved], "small", &[4, 6], ring(36, 12));
    let negative = builder.step(StepOp::Compare { threshold: 0 }, &[small], "negative", &[4, 6], Form::Bits);
    let positive = builder.step(StepOp::Not, &[negative], "positive", &[4, 6], Form::Bits);
    let both = builder.step(StepOp::And, &[positive, bits], "both", &[4, 6], Form::Bits);
    let odd = builder.step(StepOp::Xor, &[both, bits], "odd", &[4, 6], Form::Bits);
    let kept = builder.step(StepOp::Gate, &[both, small], "kept", &[4, 6], ring(36, 12));
    let one = builder.step(StepOp::BitToShare, &[odd], "one", &[4, 6], ring(36, 12));
    let squared = builder.step(StepOp::Square, &[kept], "squared", &[4, 6], ring(36, 24));
    let multiplied = builder.step(StepOp::Mul, &[kept, one], "multiplied", &[4, 6], ring(36, 24));
    let axes = StepOp::Layout(Operator::Permute { axes: vec![1, 0] });
    let turned = builder.step(axes, &[kept], "turned", &[6, 4], ring(36, 12));
    let matmul = StepOp::MatMul { transpose_b: false };
    let scores = builder.step(matmul, &[kept, turned], "scores", &[4, 4], ring(34, 24));
    let sum = builder.step(StepOp::SumAxis { axis: 1 }, &[scores], "sum", &[4, 1], ring(34, 24));
    let top = builder.step(StepOp::Max, &[small], "top", &[4, 1], ring(36, 12));
    let exp = Exp2::for_range(16, 13, 3);
    let out = ring(exp.ring, exp.result_frac);
    let power = builder.step(StepOp::Exp2(exp), &[top], "power", &[4, 1], out);
    let look_up = StepOp::Table { index_bits: 2, shift: 12, values: vec![vec![1, 2, 3, 4]] };
    let found = builder.step(look_up, &[top], "found", &[4, 1], ring(20, 10));
    let op = StepOp::StaticMul { owner: Party::Client, factor_bits: 16 };
    let factor = Form::Encoded(Owner::Client, Fixed { bits: 36, frac: 0 });
    let factor = builder.step(StepOp::Encode, &[mask], "factor", &[4, 6], factor);
    let masked = builder.step(op, &[small, factor], "masked", &[4, 6], ring(36, 12));
    let matrix = Form::Encoded(Owner::Both, Fixed { bits: 36, frac: 12 });
    let again = builder.value("again", &[6, 2], clear(Owner::Both));
    let matrix = builder.step(StepOp::Encode, &[again], "matrix", &[6, 2], matrix);
    let last = builder.step(StepOp::PublicMatMul, &[masked, matrix], "last", &[4, 2], ring(36, 24));
    let mut outputs = vec![];
    for (name, value, shape) in [
        ("squared", squared, vec![4, 6]),
        ("multiplied", multiplied, vec![4, 6]),
        ("sum", sum, vec![4, 1]),
        ("power", power, vec![4, 1]),
        ("found", found, vec![4, 1]),
        ("last", last, vec![4, 2]),
    ] {
        let reveal = StepOp::Reveal { to: Party::Client };
        let opened = builder.step(reveal, &[value], name, &shape, clear(Owner::Client));
        let negated = StepOp::Clear(Operator::Negate);
        let value = builder.step(negated, &[opened], name, &shape, clear(Owner::Client));
        outputs.push(Output {
            name: name.into(),
            to: Party::Client,
            value,
            reason: "declared result".into(),
            result: true,
        });
    }
    let kernel = Elementwise {
        inputs: vec![Access::Full, Access::Cycle { period: 6 }],
        code: vec![Instruction::IsServer, Instruction::Multiply(1, 2), Instruction::Add(0, 3), Instruction::Low(4, 40)],
        outputs: vec![5],
    };
    let mut plan = Plan {
        model: "Example".into(),
        entry: "infer".into(),
        dims: vec![("S".into(), 32)],
        batch: None,
        trust: Trust::Dealer,
        values: builder.values,
        parameters: vec![
            Parameter { path: "w".into(), shape: vec![8, 6], owner: Owner::Server, value: w, limit: 4.0 },
            Parameter { path: "again".into(), shape: vec![6, 2], owner: Owner::Both, value: again, limit: 4.0 },
        ],
        inputs: vec![
            Input {
                name: "x".into(),
                kind: InputKind::Real,
                shape: vec![4, 8],
                owner: Owner::Client,
                value: x,
                limit: 16.0,
            },
            Input {
                name: "mask".into(),
                kind: InputKind::Bit,
                shape: vec![4, 6],
                owner: Owner::Client,
                value: mask,
                limit: 1.0,
            },
        ],
        constants: vec![Constant { value: public, data: vec![0.5; 6] }],
        kernels: vec![Kernel::Elementwise(kernel)],
        steps: builder.steps,
        outputs,
        origins: vec![Origin { file: "example.ptx".into(), line: 3, text: "let y = x;".into() }],
        notes: vec![Note { value: "power".into(), recipe: "table".into(), bound: 1e-4, relative: true }],
        choices: vec![],
    };
    schedule(&mut plan);
    plan
}

#[derive(Default)]
struct Builder {
    values: Vec<Value>,
    steps: Vec<Step>,
}

impl Builder {
    fn value(&mut self, name: &str, shape: &[usize], form: Form) -> ValueId {
        self.values.push(Value { name: name.into(), shape: shape.to_vec(), form, bound: None, error: None });
        ValueId(self.values.len() as u32 - 1)
    }

    fn step(&mut self, op: StepOp, inputs: &[ValueId], name: &str, shape: &[usize], form: Form) -> ValueId {
        let output = self.value(name, shape, form);
        self.steps.push(Step { op, inputs: inputs.to_vec(), outputs: vec![output], round: 0, origin: 0, method: None });
        output
    }
}

fn schedule(plan: &mut Plan) {
    let mut ready = vec![0; plan.values.len()];
    for step in &mut plan.steps {
        step.round = step.inputs.iter().map(|value| ready[value.0 as usize]).max().unwrap_or(0);
        let end = step.round + price::rounds(&plan.values, step).len() as u32;
        step.outputs.iter().for_each(|value| ready[value.0 as usize] = end);
    }
    plan.steps.sort_by_key(|step| step.round);
}

/// A file whose payload is `payload`, with the right length and hash.
fn sealed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes(), &(payload.len() as u64).to_le_bytes(), payload].concat();
    bytes.extend_from_slice(&Sha256::digest(&bytes));
    bytes
}

fn payload(bytes: &[u8]) -> &[u8] {
    &bytes[HEADER..bytes.len() - TRAILER]
}

/// Whatever is done with a plan that was accepted goes without a panic.
fn use_up(plan: &Plan) {
    let (total, schedule) = price::total(plan);
    assert!(total.rounds <= schedule.len() as u64);
    bill::offline(plan);
    plan.summary().unwrap();
}

#[test]
fn a_plan_comes_back() {
    let plan = example();
    let bytes = plan.to_bytes().unwrap();
    assert_eq!(Plan::from_bytes(&bytes).unwrap(), plan);
    assert_eq!(bytes, Plan::from_bytes(&bytes).unwrap().to_bytes().unwrap());
    use_up(&plan);
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bytes = example().to_bytes().unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(Plan::from_bytes(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn a_shorter_or_longer_file_is_named() {
    let bytes = example().to_bytes().unwrap();
    for end in 0..bytes.len() {
        let error = Plan::from_bytes(&bytes[..end]).unwrap_err();
        assert!(matches!(error, PlanError::CutShort { .. } | PlanError::NotAPlan), "{end}: {error}");
    }
    let error = Plan::from_bytes(&[&bytes[..], &[1, 2]].concat()).unwrap_err();
    assert_eq!(error, PlanError::Malformed("2 bytes follow its end".into()));
    let error = Plan::from_bytes(&bytes[..30]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("the plan is cut short: it has 30 of {} bytes", bytes.len())), "{error}");
    assert_eq!(Plan::from_bytes(b"{\"model\": 3}"), Err(PlanError::NotAPlan));
    let mut changed = bytes.clone();
    changed[8] = 77;
    assert_eq!(Plan::from_bytes(&changed), Err(PlanError::Version { found: 77 }));
    changed[8] = VERSION as u8;
    changed[12..20].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(Plan::from_bytes(&changed), Err(PlanError::TooLarge { found: u64::MAX }));
}

/// A small linear congruential generator (Knuth's constants): the same mutations every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % below
    }
}

#[test]
fn a_mutated_payload_is_refused_or_holds_together() {
    let bytes = example().to_bytes().unwrap();
    let original = payload(&bytes);
    let (mut dice, mut accepted) = (Dice(7), 0);
    for _ in 0..60_000 {
        let mut changed = original.to_vec();
        for _ in 0..1 + dice.roll(3) {
            let at = dice.roll(changed.len());
            match dice.roll(5) {
                0 => changed[at] ^= 1 << dice.roll(8),
                1 => changed[at] = dice.roll(256) as u8,
                2 => changed[at] = [0, 1, 0x7f, 0x80, 0xff][dice.roll(5)],
                3 => {
                    changed.remove(at);
                }
                _ => changed.insert(at, [0, 1, 0x7f, 0xff][dice.roll(4)]),
            }
        }
        if let Ok(plan) = Plan::from_bytes(&sealed(&changed)) {
            use_up(&plan);
            accepted += 1;
        }
    }
    // Names, reasons and bounds may change; most other bytes may not.
    assert!(accepted > 100, "{accepted} of 60000 were accepted");
}

fn check_invalid(change: impl Fn(&mut Plan), part: &str) {
    let mut plan = example();
    change(&mut plan);
    let error = Plan::from_bytes(&sealed(&postcard::to_stdvec(&plan).unwrap())).unwrap_err();
    assert!(matches!(error, PlanError::Invalid(_)), "{error}");
    assert!(error.to_string().contains(part), "`{error}` lacks `{part}`");
}

fn find(plan: &Plan, name: &str) -> usize {
    plan.steps.iter().position(|step| step.op.name() == name).unwrap()
}

#[test]
fn what_does_not_hold_together_is_named() {
    check_invalid(|plan| plan.steps[0].inputs[0] = ValueId(999), "value 999 does not exist");
    check_invalid(|plan| plan.steps[0].inputs.clear(), "of nothing");
    check_invalid(|plan| plan.steps[0].origin = 1, "its origin 1 does not exist");
    check_invalid(|plan| plan.steps.swap(0, 1), "is read before it is defined");
    check_invalid(|plan| plan.steps.last_mut().unwrap().round = 0, "it starts in round 0 after");
    check_invalid(|plan| plan.kernels.clear(), "kernel 0 is not an elementwise one of the plan");
    check_invalid(|plan| plan.values[5].form = Form::Share(Fixed { bits: 65, frac: 0 }), "a ring of 65 bits");
    check_invalid(|plan| plan.values[5].shape = vec![usize::MAX, 2], "has more than");
    check_invalid(|plan| plan.values[5].shape = vec![0, 8], "is empty");
    check_invalid(|plan| plan.values[7].shape = vec![6, 4], "is not of shape [4, 6]");
    check_invalid(|plan| plan.parameters[0].limit = f32::NAN, "its limit is NaN");
    check_invalid(|plan| plan.parameters[1].path = "w".into(), "parameter `w` stands there twice");
    check_invalid(|plan| plan.constants[0].data.push(0.0), "constant `table` does not fit its value");
    check_invalid(|plan| plan.outputs[0].to = Party::Server, "output `squared`: it is for the Server");
    check_invalid(|plan| plan.batch = Some(8), "`x` of shape [4, 8] in a batch of 8");
    check_invalid(|plan| plan.batch = Some(1), "a batch of 1 queries is none of 2 to 1024");
    check_invalid(|plan| plan.batch = Some(u32::MAX), "a batch of 4294967295 queries");
    check_invalid(|plan| plan.origins[0].text = "\u{1b}[2J".into(), "has control characters");
    check_invalid(
        |plan| {
            let at = find(plan, "compare");
            plan.steps[at].op = StepOp::Compare { threshold: i64::MIN };
        },
        "the threshold -9223372036854775808 lies outside the ring",
    );
    check_invalid(
        |plan| {
            let at = find(plan, "compare");
            plan.steps[at].method = Some(Method::Encrypted);
        },
        "nothing that it consumes can be encrypted",
    );
}

#[test]
fn a_value_that_no_output_lists_is_not_opened() {
    check_invalid(
        |plan| {
            plan.outputs.remove(0);
        },
        "opens `squared` to the client, but no output lists it",
    );
}

#[test]
fn a_factor_that_differs_from_query_to_query_is_refused() {
    check_invalid(
        |plan| {
            // The server's weight becomes an input of the server.
            let weight = plan.parameters.remove(0);
            let (shape, value) = (weight.shape, weight.value);
            let (name, kind, owner) = ("w".into(), InputKind::Real, Owner::Server);
            plan.inputs.push(Input { name, kind, shape, owner, value, limit: 4.0 });
        },
        "takes `weight` once for all queries, but it depends on the query",
    );
}
