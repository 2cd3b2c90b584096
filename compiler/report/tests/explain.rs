//! The report of a small plan: its text as in `explain.txt`, its numbers as the plan's prices say.
//! `UPDATE=1 cargo test -p ptc-report` writes the text; read the difference.

use std::path::Path;

use ptc_plan::Plan;
use ptc_plan::bill;
use ptc_plan::check::check;
use ptc_plan::file::{Input, InputKind, Making, Note, Origin, Output, Parameter, Trust};
use ptc_plan::operator::Operator;
use ptc_plan::price;
use ptc_plan::step::{Fixed, Form, Owner, Party, Step, StepOp, Value, ValueId};
use ptc_plan::two_party;
use ptc_report::report::Offline;
use ptc_report::{Beside, explain};

const SERVER: Form = Form::Clear(Owner::Server);
const CLIENT: Form = Form::Clear(Owner::Client);
const LAYERS: usize = 2;

fn share(bits: u32, frac: u32) -> Form {
    Form::Share(Fixed { bits, frac })
}

/// `for layer in layers { x = relu(layer(x)); }`, then a product of the result with itself, negated by the client.
fn layers() -> Plan {
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
        x = step(&mut plan, 2, StepOp::Gate, &[positive, product], &name("relu"), &[32, 64], share(36, 12));
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

fn value(plan: &mut Plan, name: &str, shape: &[usize], form: Form) -> ValueId {
    plan.values.push(Value { name: name.into(), shape: shape.to_vec(), form, bound: None, error: None });
    ValueId(plan.values.len() as u32 - 1)
}

/// One after the other, each in the rounds behind those of the one before.
fn step(
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

#[test]
fn the_text_is_as_expected() {
    let plan = layers();
    assert_eq!(check(&plan), Ok(()));
    let text = explain(&plan, &Beside::default()).text();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &text).expect("writable");
    }
    assert_eq!(text, std::fs::read_to_string(&file).expect("the golden text"));
    for line in text.lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

#[test]
fn the_sums_are_the_plan_s_prices() {
    let plan = layers();
    let report = explain(&plan, &Beside::default());
    let (total, schedule) = price::total(&plan);
    let payload: u64 = schedule.iter().flat_map(|round| round.sent).sum();
    assert_eq!(report.online.rounds, total.rounds);
    assert_eq!([report.online.server_bytes, report.online.client_bytes], total.sent);
    assert_eq!(payload + report.online.header_bytes, total.sent.iter().sum::<u64>());
    let lines: u64 = report.lines.iter().map(|line| line.cost.online_bytes()).sum();
    let groups: u64 = report.lines.iter().flat_map(|line| &line.steps).map(|group| group.cost.online_bytes()).sum();
    let protocols: u64 = report.protocols.iter().map(|protocol| protocol.cost.online_bytes()).sum();
    assert_eq!([lines, groups, protocols], [payload; 3]);
    // Steps stand behind each other here, so that the rounds of lines add up.
    assert_eq!(report.lines.iter().map(|line| line.cost.rounds).sum::<u64>(), total.rounds);
    let dealt: u64 = report.lines.iter().map(|line| line.cost.offline_bytes).sum();
    let corrections = plan.steps.iter().flat_map(|step| bill::bill(&plan.values, step));
    assert_eq!(dealt, corrections.map(|correlation| correlation.correction_bytes()).sum::<u64>());
    let Offline::Dealer(dealt) = report.offline else { panic!("a plan with a dealer") };
    assert_eq!(dealt.dealer_to_client_bytes, bill::offline(&plan).dealer_to_client);
}

#[test]
fn what_two_parties_prepare_is_on_the_lines() {
    for making in [Making::FAST, Making::SPARING] {
        let plan = Plan { trust: Trust::TwoParty { making }, ..layers() };
        assert_eq!(check(&plan), Ok(()));
        let report = explain(&plan, &Beside::default());
        let Offline::TwoParty(made) = report.offline else { panic!("a plan of two parties") };
        let total = two_party::price::queries(&plan, making, 1);
        assert_eq!((made.rounds, [made.server_bytes, made.client_bytes]), (total.rounds, total.sent));
        // Two static products, and two for the triple.
        assert_eq!(made.encrypted_products, 4);
        let lines: u64 = report.lines.iter().map(|line| line.cost.offline_bytes).sum();
        let protocols: u64 = report.protocols.iter().map(|protocol| protocol.cost.offline_bytes).sum();
        for sum in [lines, protocols] {
            // Each is rounded to a byte.
            assert!(sum.abs_diff(total.sent.iter().sum()) <= 32, "{sum} of {total:?}");
        }
        let text = report.text();
        assert!(
            text.contains("correlated randomness: two-party") && text.contains("keys and base transfers"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }
}

#[test]
fn a_product_in_the_query_has_a_row() {
    let mut plan = Plan { trust: Trust::TwoParty { making: Making::FAST }, ..layers() };
    let prepared = explain(&plan, &Beside::default());
    for step in &mut plan.steps {
        if let StepOp::StaticMatMul { factor_bits, .. } = step.op {
            step.op = StepOp::EncryptedMatMul { factor_bits, making: Making::FAST };
        }
        // Twice as far apart as before, which is enough for one round more each.
        step.round *= 2;
    }
    assert_eq!(check(&plan), Ok(()));
    let report = explain(&plan, &Beside::default());
    let row = report.protocols.iter().find(|protocol| protocol.step == "encrypted_matmul").expect("a row");
    assert_eq!((row.count, row.cost.rounds, row.cost.offline_bytes), (2, 4, 0));
    assert!(row.cost.server_bytes > 0 && row.cost.client_bytes > 0);
    assert_eq!(report.online.rounds, prepared.online.rounds + 2);
}

#[test]
fn the_json_holds_what_the_text_says() {
    let json: serde_json::Value = serde_json::from_str(&explain(&layers(), &Beside::default()).json()).expect("JSON");
    assert_eq!(json["trust"], "dealer");
    assert_eq!(json["leakage"]["revealed"][0]["opened"][0]["value"], "scores");
    assert_eq!(json["leakage"]["revealed"][0]["opened"][0]["place"]["line"], 22);
    assert_eq!(json["leakage"]["revealed"][1]["opened"], serde_json::json!([]));
    assert_eq!(json["widest"]["ring"], serde_json::json!({ "bits": 40, "frac": 12 }));
    let compare = &json["lines"][2]["steps"][1];
    assert_eq!(
        (&compare["step"], &compare["count"], &compare["elements"]),
        (&"compare".into(), &2.into(), &4096.into())
    );
    assert_eq!(compare["leaks_to"], serde_json::Value::Null);
    let reveals =
        json["lines"].as_array().expect("lines").iter().flat_map(|line| line["steps"].as_array().expect("steps"));
    let leaking: Vec<_> = reveals.filter(|step| !step["leaks_to"].is_null()).map(|step| &step["step"]).collect();
    assert_eq!(leaking, ["reveal"]);
}

#[test]
fn a_plan_without_steps_has_a_report() {
    let mut plan = layers();
    plan.steps.clear();
    plan.outputs.clear();
    plan.values.truncate(1);
    plan.parameters.clear();
    plan.origins.clear();
    plan.notes.clear();
    assert_eq!(check(&plan), Ok(()));
    let report = explain(&plan, &Beside::default());
    assert_eq!((report.lines.len(), report.widest.is_none(), report.online.rounds), (0, true, 0));
    assert!(report.text().contains("online"));
}
