//! Checkpoints of transformers, from their folder to an answer between two processes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::examples::numbers;
use crate::support::{Workshop, check_failure, ptc};

fn reference(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(family)
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(String::from).collect()
}

/// The first queries of a reference, as the commands that the import prints answer them; `farthest` from what transformers
/// computed. Gives the report.
fn check(family: &str, farthest: f64) -> Value {
    const QUERIES: usize = 2;
    let shop = Workshop::new();
    let (folder, source, plan) = (reference(family), shop.path("model.ptx"), shop.path("model.plan"));
    let weights = folder.to_str().unwrap();
    let report = shop.path("report.json");
    let imported = ptc(&["import", "hf", weights, "-o", &source, "--report", &report]);
    assert!(imported.success, "{}", imported.stderr);
    let commands: Vec<&str> = imported.stdout.lines().collect();
    assert_eq!(commands.len(), 4, "{}", imported.stdout);
    assert!(commands[0].starts_with(&format!("ptc calibrate {source} --weights {weights}")), "{}", imported.stdout);

    let samples = folder.join("inputs.jsonl");
    let size: &[&str] = if family == "vit" { &[] } else { &["--dim", "S=10"] };
    let calibrate =
        ["calibrate", &source, "--weights", weights, "--samples", samples.to_str().unwrap(), "--gains", "0"];
    let calibrated = ptc(&[&calibrate[..], size].concat());
    assert!(calibrated.success, "{}", calibrated.stderr);
    let built = ptc(&[&["build", &source, "-o", &plan][..], size].concat());
    assert!(built.success, "{}", built.stderr);

    let queries = shop.path("queries.jsonl");
    std::fs::write(&queries, lines(&samples)[..QUERIES].join("\n")).unwrap();
    let (server, address) = shop.server(&plan, None, weights, &[]);
    let client = shop.client(&plan, None, &address, &["--inputs", &queries]).end();
    let server = server.end();
    assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
    let results: Vec<&str> = client.stdout.lines().collect();
    assert_eq!(results.len(), QUERIES);
    for (result, expected) in results.iter().zip(lines(&folder.join("expected.jsonl"))) {
        let result: Value = serde_json::from_str(result).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let found = result.as_object().unwrap().values().next().unwrap();
        assert_eq!(found["shape"], expected["shape"], "{family}");
        for (a, b) in numbers(found).iter().zip(numbers(&expected)) {
            assert!((a - b).abs() <= farthest, "{family}: {a} is not {b}");
        }
    }
    serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap()
}

#[test]
fn a_classifier_of_pairs() {
    let report = check("bert", 2e-2);
    assert_eq!((&report["family"], &report["entry"]), (&"BERT".into(), &"classify".into()));
    assert_eq!(report["dtypes"]["F32"], report["used"].as_array().unwrap().len());
}

#[test]
fn a_decoder_in_two_files() {
    check("gpt2", 5e-2);
}

#[test]
fn every_problem_of_a_checkpoint_is_told() {
    let shop = Workshop::new();
    let folder = shop.folder.path();
    std::fs::copy(reference("bert").join("model.safetensors"), folder.join("model.safetensors")).unwrap();
    let config = std::fs::read_to_string(reference("bert").join("config.json")).unwrap();
    let config = config.replace("\"gelu\"", "\"quick_gelu\"").replace("\"is_decoder\": false", "\"is_decoder\": true");
    std::fs::write(folder.join("config.json"), config).unwrap();
    let (source, report) = (shop.path("model.ptx"), shop.path("report.json"));
    let import = |head: &[&str]| {
        let arguments = ["import", "hf", folder.to_str().unwrap(), "-o", &source, "--report", &report];
        ptc(&[&arguments[..], head].concat())
    };
    check_failure(&import(&[]), &["`hidden_act` is \"quick_gelu\"", "`is_decoder` is true", "hint: the nearest is"]);
    assert!(!Path::new(&source).exists());
    let told: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(told["problems"].as_array().unwrap().len(), 2);

    std::fs::copy(reference("bert_tokens").join("config.json"), folder.join("config.json")).unwrap();
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    std::fs::write(folder.join("config.json"), config.replace("\"hidden_size\": 32", "\"hidden_size\": 64")).unwrap();
    let misfit = "`bert.embeddings.word_embeddings.weight`: [96, 32] in the weights; supported: [96, 64]";
    check_failure(&import(&[]), &[misfit, "tensors more were not looked at"]);
    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    check_failure(&import(&[]), &["has neither `model.safetensors` nor", "hint: give the folder"]);
    std::fs::write(
        folder.join("model.safetensors.index.json"),
        "{\"weight_map\": {\"a\": \"../../etc/x.safetensors\"}}",
    )
    .unwrap();
    check_failure(&import(&[]), &["is no index of a checkpoint", "beside the index"]);
}
