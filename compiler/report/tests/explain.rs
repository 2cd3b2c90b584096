//! The report of a small plan: its text as in `explain.txt`, its numbers as the plan's prices say.
//! `UPDATE=1 cargo test -p ptc-report` writes the text; read the difference.

use std::path::Path;

use ptc_plan::Plan;
use ptc_plan::bill;
use ptc_plan::check::check;
use ptc_plan::file::{Making, Trust};
use ptc_plan::price;
use ptc_plan::step::StepOp;
use ptc_plan::two_party;
use ptc_report::beside::{StepTime, Times};
use ptc_report::report::{Offline, SCHEMA};
use ptc_report::{Beside, explain};

use plan::layers;

mod plan;

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

#[test]
fn times_are_spread_over_lines_and_layers() {
    let plan = layers();
    let steps = (0..plan.steps.len()).map(|at| StepTime { online_us: at as f64, offline_us: 1.0 }).collect();
    let times = Times { profile: "lan".into(), online_us: 276.0, offline_us: 21.0, once_us: 5.0, steps };
    let report = explain(&plan, &Beside { times: Some(times), traces: None });
    let all = plan.steps.len() as f64;
    let sum = |us: &dyn Fn(&ptc_report::report::Cost) -> Option<f64>| {
        let lines: f64 = report.lines.iter().filter_map(|line| us(&line.cost)).sum();
        let layers: f64 = report.layers.iter().filter_map(|layer| us(&layer.cost)).sum();
        assert_eq!(lines, layers);
        lines
    };
    assert_eq!(sum(&|cost| cost.online_us), all * (all - 1.0) / 2.0);
    assert_eq!(sum(&|cost| cost.offline_us), all);
    let text = report.text();
    assert!(text.contains("time      276 us online, 21 us to prepare, 5 us once a session (lan)"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

/// What a reader of the JSON form relies on; a change here is a new version of the schema.
#[test]
fn the_json_has_its_fields() {
    let json: serde_json::Value = serde_json::from_str(&explain(&layers(), &Beside::default()).json()).expect("JSON");
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!((SCHEMA, &json["schema"]), (1, &1.into()));
    assert_eq!(keys(&json), FIELDS);
    assert_eq!(keys(&json["lines"][2]), LINE);
    assert_eq!(keys(&json["lines"][2]["steps"][0]), GROUP);
    assert_eq!(keys(&json["steps"][0]), STEP);
    assert_eq!(keys(&json["leakage"]), ["assumptions", "preparation", "protocols", "public", "revealed"]);
    assert_eq!(json["steps"].as_array().map(Vec::len), Some(layers().steps.len()));
    let range = serde_json::json!({ "low": 0.0, "high": 8.0, "grade": "proved", "sign": "never negative" });
    assert_eq!((&json["lines"][2]["range"], &json["lines"][2]["error"]), (&range, &5.5e-4.into()));
}

const FIELDS: &[&str] = &[
    "choices",
    "dims",
    "entry",
    "layers",
    "leakage",
    "lines",
    "measured",
    "model",
    "notes",
    "offline",
    "online",
    "protocols",
    "schema",
    "steps",
    "times",
    "trust",
    "widest",
];
const LINE: &[&str] = &[
    "client_bytes",
    "critical_rounds",
    "error",
    "notes",
    "offline_bytes",
    "place",
    "range",
    "rounds",
    "server_bytes",
    "steps",
    "text",
];
const GROUP: &[&str] = &[
    "alternatives",
    "because",
    "client_bytes",
    "count",
    "critical_rounds",
    "elements",
    "error",
    "from",
    "leaks_to",
    "offline_bytes",
    "owner",
    "protocol",
    "range",
    "ring",
    "rounds",
    "scheme",
    "server_bytes",
    "step",
];
const STEP: &[&str] = &[
    "after",
    "client_bytes",
    "critical_rounds",
    "each_round",
    "error",
    "inputs",
    "layer",
    "line",
    "offline_bytes",
    "range",
    "ring",
    "round",
    "rounds",
    "scheme",
    "server_bytes",
    "shape",
    "step",
    "value",
];
