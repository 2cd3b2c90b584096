//! One task, several models that were made to be cheap in private: `pcft` and the four of `marill`.

use std::path::Path;

use serde_json::Value;

use crate::examples::{check_prediction, numbers};
use crate::support::{Workshop, example, ptc};

/// The first held-out lines of an example.
fn held_out(folder: &str, count: usize) -> Vec<Value> {
    let lines = std::fs::read_to_string(example(&format!("{folder}/held_out.jsonl"))).unwrap();
    lines.lines().take(count).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(shop: &Workshop, lines: &[Value]) -> String {
    let file = shop.path("texts.txt");
    let texts: Vec<&str> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    std::fs::write(&file, texts.join("\n")).unwrap();
    file
}

fn tokenizer() -> String {
    example("sections/tokenizer.json").to_str().unwrap().to_string()
}

/// Each line of `results` has the logits that `expected` says.
fn check_logits(results: &str, expected: &[&Value], most: f64) {
    assert_eq!(results.lines().count(), expected.len(), "{results}");
    for (line, expected) in results.lines().zip(expected) {
        let found: Value = serde_json::from_str(line).unwrap();
        let expected = expected["logits"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
        for (a, b) in numbers(&found["classify"]).iter().zip(expected) {
            assert!((a - b).abs() < most, "{a} is not {b}");
        }
    }
}

/// Two processes give `lines` the labels and logits that floating point does; `of` finds these in a line.
fn check_processes(model: &str, unused: &[&str], lines: &[Value], of: impl Fn(&Value) -> &Value) {
    let shop = Workshop::new();
    let plan = shop.plan(model, "model.plan", &[]);
    let weights = example(model).with_file_name("model.safetensors");
    let labels = example("sections/labels.json");
    let (file, stats, output) = (texts(&shop, lines), shop.path("stats.json"), shop.path("out.json"));
    let unused: Vec<&str> = unused.iter().flat_map(|name| ["--unused", name]).collect();
    let (server, address) = shop.server(&plan, None, weights.to_str().unwrap(), &unused);
    let (tokenizer, labels) = (tokenizer(), labels.to_str().unwrap().to_string());
    let options = ["--texts", &file, "--tokenizer", &tokenizer, "--labels", &labels, "--stats", &stats];
    let client = shop.client(&plan, None, &address, &[&options[..], &["--output", &output]].concat()).end();
    let server = server.end();
    assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
    let expected: Vec<&Value> = lines.iter().map(of).collect();
    let named: Vec<&str> = expected.iter().map(|line| line["label"].as_str().unwrap()).collect();
    assert_eq!(client.stdout.lines().collect::<Vec<_>>(), named);
    check_logits(&std::fs::read_to_string(&output).unwrap(), &expected, 0.05);
    check_prediction(&serde_json::from_slice(&std::fs::read(&stats).unwrap()).unwrap());
}

#[test]
fn pcft_labels_texts_of_two_parties() {
    check_processes("pcft/pcft.ptx", &[], &held_out("pcft", 3), |line| line);
}

#[test]
fn marill_low_rank_additions_of_two_parties() {
    let unused = ["standard", "frozen", "merged"];
    check_processes("marill/lora.ptx", &unused, &held_out("marill", 2), |line| &line["lora"]);
}

#[test]
fn marill_variants_label_texts() {
    let lines = held_out("marill", 2);
    for variant in ["standard", "frozen", "lora", "merged"] {
        let model = example(&format!("marill/{variant}.ptx"));
        let expected: Vec<&Value> = lines.iter().map(|line| &line[variant]).collect();
        check_logits(&simulated(&model, &Workshop::new(), &lines), &expected, 0.05);
    }
}

/// The public lower layers at the client, and public weights beside private additions, give what one program gives in
/// which all of these are the server's.
#[test]
fn marill_split_and_whole_programs_agree() {
    let shop = Workshop::new();
    let lines = held_out("marill", 2);
    let source = std::fs::read_to_string(example("marill/lora.ptx")).unwrap();
    let whole = source.replace("LOWER] @public", "LOWER] @server").replace("UPPER] @public", "UPPER] @server");
    assert_eq!(source.matches("@public").count(), whole.matches("@public").count() + 2, "the embeddings stay public");
    let model = shop.folder.path().join("whole.ptx");
    std::fs::write(&model, whole).unwrap();
    std::fs::copy(example("marill/base.ptx"), shop.path("base.ptx")).unwrap();
    let (weights, samples) = (example("marill/model.safetensors"), example("sections/calibration.txt"));
    let calibrated = ptc(&[
        "calibrate",
        model.to_str().unwrap(),
        "--weights",
        weights.to_str().unwrap(),
        "--tokenizer",
        &tokenizer(),
        "--samples",
        samples.to_str().unwrap(),
    ]);
    assert!(calibrated.success, "{}", calibrated.stderr);
    let expected: Vec<&Value> = lines.iter().map(|line| &line["lora"]).collect();
    check_logits(&simulated(&model, &shop, &lines), &expected, 0.05);
}

fn simulated(model: &Path, shop: &Workshop, lines: &[Value]) -> String {
    let (weights, texts) = (example("marill/model.safetensors"), texts(shop, lines));
    let (tokenizer, cache) = (tokenizer(), shop.cache());
    let given = ["--weights", weights.to_str().unwrap(), "--tokenizer", &tokenizer, "--texts", &texts];
    let simulated = ptc(&[&["sim", model.to_str().unwrap(), "--cache", &cache][..], &given].concat());
    assert!(simulated.success, "{}", simulated.stderr);
    simulated.stdout
}
