//! A small plan: layers with everything that a report shows.

use ptc_plan::Plan;
use ptc_plan::bound::{Bound, Grade};
use ptc_plan::file::{Choice, Input, InputKind, Note, Origin, Output, Parameter, Trust, Way};
use ptc_plan::operator::Operator;
use ptc_plan::price;
use ptc_plan::step::{Fixed, Form, Owner, Party, Step, StepOp, Value, ValueId};

pub const SERVER: Form = Form::Clear(Owner::Server);
pub const CLIENT: Form = Form::Clear(Owner::Client);
pub const LAYERS: usize = 2;

pub fn share(bits: u32, frac: u32) -> Form {
    Form::Share(Fixed { bits, frac })
}

/// `for layer in layers { x = relu(layer(x)); }`, then a product of the result with itself, negated by the client.
pub fn layers() -> Plan {
    let mut plan = Plan {
        model: "Layers".into(),
        entry: "run".into(),
        dims: vec![("S".into(), 32)],
        trust: Trust::Dealer,
        origins: vec![
            origin("layers.ptx", 20, "let x =   scale(x, 0.5);"),
            origin("stdlib/nn.ptx", 12, "matmul(x, weight.T) + bias"),
            origin("stdlib/nn.ptx", 31, "select(x < 0.0, 0.0, x)"),
            origin("layers.ptx", 22, "-matmul(x, x.T)"),
        ],
        ..Plan::default()
    };
    let x = value(&mut plan, "x", &[32, 64], CLIENT);
    let input = Input {
        name: "x".into(),
        kind: InputKind::Real,
        shape: vec![32, 64],
        owner: Owner::Client,
        value: x,
        limit: 8.0,
    };
    plan.inputs.push(input);
    let op = StepOp::Clear(Operator::Scale { by: 0.5 });
    let scaled = step(&mut plan, 0, op, &[x], "scaled", &[32, 64], CLIENT);
    let mut x = step(&mut plan, 1, StepOp::Share, &[scaled], "scaled.shared", &[32, 64], share(36, 12));
    for layer in 0..LAYERS {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let weight = value(&mut plan, &name("weight"), &[64, 64], SERVER);
        let (path, shape, owner) = (name("weight"), vec![64, 64], Owner::Server);
        plan.parameters.push(Parameter { path, shape, owner, value: weight, limit: 4.0 });
        let encoded = Form::Encoded(Owner::Server, Fixed { bits: 36, frac: 12 });
        let encoded = step(&mut plan, 1, StepOp::Encode, &[weight], &name("weight.fixed"), &[64, 64], encoded);
        let op = StepOp::StaticMatMul { owner: Party::Server, factor_bits: 16 };
        let product = step(&mut plan, 1, op, &[x, encoded], &name("product"), &[32, 64], share(36, 24));
        let product = step(&mut plan, 2, StepOp::Rescale, &[product], &name("linear"), &[32, 64], share(36, 12));
        let negative = StepOp::Compare { threshold: 0 };
        let negative = step(&mut plan, 2, negative, &[product], &name("relu.negative"), &[32, 64], Form::Bits);
        let positive = step(&mut plan, 2, StepOp::Not, &[negative], &name("relu.positive"), &[32, 64], Form::Bits);
        know(&mut plan, product, -8.0, 8.0, Grade::Calibrated, 3e-4);
        x = step(&mut plan, 2, StepOp::Gate, &[positive, product], &name("relu"), &[32, 64], share(36, 12));
        know(&mut plan, x, 0.0, 8.0, Grade::Proved, 5.5e-4);
        let recipe = "a recipe whose description is so long that it takes more than one line of the report".into();
        plan.notes.push(Note { value: name("relu"), recipe, bound: 2.5e-4, relative: false });
    }
    plan.notes.push(Note { value: "folded".into(), recipe: "P4".into(), bound: 1e-3, relative: true });
    let op = StepOp::MatMul { transpose_b: true };
    let product = step(&mut plan, 3, op, &[x, x], "scores", &[32, 32], share(36, 24));
    // More rings than are shown one by one.
    for bits in 37..41 {
        step(&mut plan, 3, StepOp::Rescale, &[x], "wider", &[32, 64], share(bits, 12));
    }
    let opened = step(&mut plan, 3, StepOp::Reveal { to: Party::Client }, &[product], "opened", &[32, 32], CLIENT);
    let negated = step(&mut plan, 3, StepOp::Clear(Operator::Negate), &[opened], "negated", &[32, 32], CLIENT);
    let way = |name: &str, price| Way { name: name.into(), price };
    plan.choices = vec![
        Choice {
            subject: "ramp of select".into(),
            chosen: way("polynomial", 40_000),
            runner_up: Some(way("lines", 41_000)),
        },
        Choice { subject: "rounds".into(), chosen: way("narrow", 40_000), runner_up: None },
    ];
    plan.outputs = vec![
        output("scores", negated, "the declared result of `run`"),
        output("scaled", scaled, "known to its party already"),
    ];
    plan
}

fn origin(file: &str, line: u32, text: &str) -> Origin {
    Origin { file: file.into(), line, text: text.into() }
}

fn output(name: &str, value: ValueId, reason: &str) -> Output {
    Output { name: name.into(), to: Party::Client, value, reason: reason.into(), result: true }
}

pub fn value(plan: &mut Plan, name: &str, shape: &[usize], form: Form) -> ValueId {
    plan.values.push(Value { name: name.into(), shape: shape.to_vec(), form, bound: None, error: None });
    ValueId(plan.values.len() as u32 - 1)
}

/// What a pass knows of a value.
fn know(plan: &mut Plan, id: ValueId, low: f64, high: f64, grade: Grade, error: f64) {
    let value = &mut plan.values[id.0 as usize];
    value.bound = Some(Bound { low, high, grade });
    value.error = Some(error);
}

/// One after the other, each in the rounds behind those of the one before.
pub fn step(
    plan: &mut Plan,
    origin: u32,
    op: StepOp,
    inputs: &[ValueId],
    name: &str,
    shape: &[usize],
    form: Form,
) -> ValueId {
    let output = value(plan, name, shape, form);
    let end = |step: &Step| step.round + price::rounds(&plan.values, step).len() as u32;
    let round = plan.steps.last().map_or(0, end);
    plan.steps.push(Step { op, inputs: inputs.to_vec(), outputs: vec![output], round, origin, method: None });
    output
}
