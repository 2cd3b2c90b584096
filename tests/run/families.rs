//! The library's model families between two parties: small checkpoints of transformers, imported, calibrated and simulated,
//! give what transformers computed (`tests/reference/make.py`) within the bounds that were told before.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::examples::numbers;
use crate::support::{Ended, Workshop, ptc};

/// Queries of each family; a plan is the same for all.
const QUERIES: usize = 3;

/// What single precision adds beside the bound, as a part of the largest element: both sides sum in their own order.
const SINGLE: f64 = 1e-4;

fn reference(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(family)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}

/// Imports, calibrates, simulates, and holds the results against transformers'. `most` is the largest bound that says
/// something about results of this size.
fn check(family: &str, trust: &str, most: f64) {
    let (shop, folder) = (Workshop::new(), reference(family));
    let (model, queries, output) = (shop.path("model.ptx"), shop.path("queries.jsonl"), shop.path("out.json"));
    done(ptc(&["import", "hf", text(&folder), "-o", &model]));
    let inputs = std::fs::read_to_string(folder.join("inputs.jsonl")).unwrap();
    std::fs::write(&queries, inputs.lines().take(QUERIES).map(|line| format!("{line}\n")).collect::<String>()).unwrap();

    let length = if family == "vit" { &[][..] } else { &["--dim", "S=10"] };
    let (weights, samples, cache) = (text(&folder), folder.join("inputs.jsonl"), shop.cache());
    let of_model = [&[&model[..], "--weights", weights], length].concat();
    done(ptc(&[&["calibrate"][..], &of_model, &["--samples", text(&samples), "--gains", "2"]].concat()));
    let given = ["--inputs", &queries, "--output", &output, "--cache", &cache, "--strict", "--trust", trust];
    let simulated = done(ptc(&[&["sim"][..], &of_model, &given].concat()));

    let bound = bound(&simulated, most);
    let found = std::fs::read_to_string(&output).unwrap();
    let expected = std::fs::read_to_string(folder.join("expected.jsonl")).unwrap();
    assert_eq!(found.lines().count(), QUERIES, "{found}");
    for ((found, expected), given) in found.lines().zip(expected.lines()).zip(inputs.lines()) {
        let [found, expected, given] =
            [found, expected, given].map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = found.as_object().unwrap().values().next().unwrap();
        assert_eq!(found["shape"], expected["shape"], "{family}");
        let (found, expected) = (numbers(found), numbers(&expected));
        let kept = kept(family, &given, expected.len());
        let largest = expected.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
        for ((a, b), _) in found.iter().zip(&expected).zip(kept).filter(|(_, kept)| *kept) {
            assert!((a - b).abs() <= bound + SINGLE * largest, "{family}: {a} is not {b} within {bound}");
        }
    }
}

fn done(ended: Ended) -> Ended {
    assert!(ended.success, "{}", ended.stderr);
    ended
}

/// The bound of the results' errors that the simulation kept.
fn bound(simulated: &Ended, most: f64) -> f64 {
    let said = simulated.stderr.lines().find_map(|line| line.split_once("; its bound is "));
    let (_, rest) = said.unwrap_or_else(|| panic!("no bound in:\n{}", simulated.stderr));
    let bound = rest.split(' ').next().and_then(|bound| bound.parse().ok());
    let bound: f64 = bound.unwrap_or_else(|| panic!("`{rest}` is no bound"));
    assert!(bound <= most, "a bound of {bound}, more than {most}");
    bound
}

/// Rows of padding have results too where each row has one; nobody looks at them.
fn kept(family: &str, given: &Value, count: usize) -> Vec<bool> {
    match family {
        "bert_tokens" => {
            let mask = numbers(&given["mask"]);
            let labels = count / mask.len();
            mask.iter().flat_map(|bit| vec![*bit == 1.0; labels]).collect()
        }
        _ => vec![true; count],
    }
}

#[test]
fn bert_between_two_parties() {
    check("bert", "dealer", 0.1);
}

#[test]
fn bert_for_tokens_between_two_parties() {
    check("bert_tokens", "dealer", 0.1);
}

#[test]
fn roberta_between_two_parties() {
    check("roberta", "dealer", 0.1);
}

#[test]
fn distilbert_between_two_parties() {
    check("distilbert", "dealer", 0.1);
}

#[test]
fn mpnet_between_two_parties() {
    check("mpnet", "dealer", 0.1);
}

#[test]
fn gpt2_between_two_parties_alone() {
    check("gpt2", "two-party", 0.1);
}

#[test]
fn llama_between_two_parties_alone() {
    check("llama", "two-party", 0.5);
}

#[test]
fn mistral_between_two_parties() {
    check("mistral", "dealer", 0.5);
}

#[test]
fn qwen2_between_two_parties() {
    check("qwen2", "dealer", 0.5);
}

#[test]
fn qwen3_between_two_parties() {
    check("qwen3", "dealer", 0.5);
}

#[test]
fn vit_between_two_parties() {
    check("vit", "dealer", 0.1);
}

/// A build and its price take a second of a processor; this is for a machine that has thirty other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A model of a real size is checked, built and priced without weights. Its values have the ranges of the small one's.
fn check_size(family: &str, shape: &str, layers: usize) {
    let (shop, folder) = (Workshop::new(), reference(family));
    let (small, weights, samples) = (folder.join("model.ptx"), text(&folder), folder.join("inputs.jsonl"));
    let (measured, ranges, plan) = (shop.path("small.json"), shop.path("ranges.json"), shop.path("model.plan"));
    let of_model = [text(&small), "--weights", weights, "--samples", text(&samples), "--gains", "0", "-o", &measured];
    done(ptc(&[&["calibrate"][..], &of_model].concat()));
    let measured: Value = serde_json::from_slice(&std::fs::read(measured).unwrap()).unwrap();
    let mut all = measured["ranges"].as_object().unwrap().clone();
    for (name, range) in measured["ranges"].as_object().unwrap() {
        if let Some(of_layer) = name.strip_prefix("blocks.1.") {
            all.extend((0..layers).map(|layer| (format!("blocks.{layer}.{of_layer}"), range.clone())));
        }
    }
    std::fs::write(&ranges, serde_json::json!({ "margin": 2.0, "ranges": all }).to_string()).unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shapes").join(shape);
    let start = Instant::now();
    done(ptc(&["check", text(&model)]));
    done(ptc(&["build", text(&model), "--ranges", &ranges, "-o", &plan]));
    let explained = done(ptc(&["explain", &plan]));
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert!(explained.stdout.contains("rounds"), "{}", explained.stdout);
}

#[test]
fn twelve_layers_of_gpt2_are_built_in_seconds() {
    check_size("gpt2", "gpt2_small.ptx", 12);
}

#[test]
fn four_wide_layers_of_llama_are_built_in_seconds() {
    check_size("llama", "llama_wide.ptx", 4);
}
