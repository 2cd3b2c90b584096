//! The examples, as their README files run them.

use serde_json::Value;

use crate::support::{Workshop, check_failure, example, ptc};

fn json(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value["data"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Each phase went as predicted, to the byte.
pub fn check_prediction(stats: &Value) {
    for phase in ["weights", "offline", "online"] {
        let measured = &stats["phases"][phase];
        for count in ["rounds", "sent_bytes", "received_bytes"] {
            assert_eq!(measured[count], measured["predicted"][count], "{phase} {count} of {stats}");
        }
    }
    assert!(stats["phases"]["online"]["seconds"].as_f64().unwrap() > 0.0);
    assert!(stats["peak_memory_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn hello_between_processes() {
    let shop = Workshop::new();
    let (weights, x) = (example("hello/model.safetensors"), example("hello/x.json"));
    let input = format!("x={}", x.display());
    let modes = [
        &["--trust", "two-party"][..],
        &["--trust", "two-party", "--optimize", "traffic"],
        &["--trust", "two-party", "--inline"],
        &["--trust", "dealer"],
    ];
    for (mode, backend) in modes.into_iter().flat_map(|mode| [(mode, "llvm"), (mode, "portable")]) {
        let plan = shop.plan("hello/hello.ptx", "hello.plan", mode);
        let (_dealer, dealer) = crate::source(&shop, &plan, mode[1]);
        let (at_server, at_client) = (shop.path("server.json"), shop.path("client.json"));
        let options = ["--stats", &at_server, "--backend", backend];
        let (server, address) = shop.server(&plan, dealer.as_deref(), weights.to_str().unwrap(), &options);
        let options = ["--input", &input, "--stats", &at_client, "--backend", backend];
        let client = shop.client(&plan, dealer.as_deref(), &address, &options).end();
        let server = server.end();
        assert!(client.success && server.success, "{mode:?} {}\n{}", client.stderr, server.stderr);
        assert_eq!(server.stdout, "");
        let found: Value = serde_json::from_str(&client.stdout).unwrap();
        let expected = json(example("hello/expected.json").to_str().unwrap());
        assert_eq!(found["infer"]["shape"], expected["infer"]["shape"]);
        for (a, b) in numbers(&found["infer"]).iter().zip(numbers(&expected["infer"])) {
            assert!((a - b).abs() <= 2e-3, "{a} is not {b}");
        }
        let (at_server, at_client) = (json(&at_server), json(&at_client));
        check_prediction(&at_server);
        check_prediction(&at_client);
        let (own, other) = (&at_server["phases"]["online"], &at_client["phases"]["online"]);
        assert_eq!((&own["sent_bytes"], &own["received_bytes"]), (&other["received_bytes"], &other["sent_bytes"]));
        assert_eq!((&at_server["party"], &at_client["party"]), (&0.into(), &1.into()));
    }
}

#[test]
fn either_side_may_listen_and_results_go_to_files() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let (weights, x) = (example("hello/model.safetensors"), example("hello/x.json"));
    let (input, output, cache) = (format!("x={}", x.display()), shop.path("y.npy"), shop.cache());
    let mut client = crate::support::Process::start(&[
        "run",
        &plan,
        "--party",
        "1",
        "--listen",
        "127.0.0.1:0",
        "--input",
        &input,
        "--output",
        &output,
        "--cache",
        &cache,
    ]);
    let address = client.says("waiting for the other party on ");
    let server = ptc(&[
        "run",
        &plan,
        "--party",
        "0",
        "--connect",
        &address,
        "--weights",
        weights.to_str().unwrap(),
        "--cache",
        &cache,
    ]);
    let client = client.end();
    assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
    assert_eq!(client.stdout, "");
    let bytes = std::fs::read(&output).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY"));
    let (values, _) = bytes[bytes.len() - 12..].as_chunks::<4>();
    assert!((f32::from_le_bytes(values[0]) - 5.375).abs() < 2e-3);
}

#[test]
fn sections_labels_several_texts_in_one_session_of_two_parties() {
    check_sections("two-party", 4);
}

#[test]
fn sections_labels_several_texts_in_one_session_with_a_dealer() {
    check_sections("dealer", 12);
}

/// So many texts get the labels and logits that they have in floating point.
fn check_sections(trust: &str, count: usize) {
    let shop = Workshop::new();
    let plan = shop.plan("sections/sections.ptx", "sections.plan", &["--trust", trust]);
    let held_out = std::fs::read_to_string(example("sections/held_out.jsonl")).unwrap();
    let held_out: Vec<Value> = held_out.lines().take(count).map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: Vec<&str> = held_out.iter().map(|line| line["text"].as_str().unwrap()).collect();
    let file = shop.path("texts.txt");
    std::fs::write(&file, texts.join("\n")).unwrap();
    let (_dealer, dealer) = crate::source(&shop, &plan, trust);
    let (weights, labels) = (example("sections/model.safetensors"), example("sections/labels.json"));
    let (tokenizer, stats, output) =
        (example("sections/tokenizer.json"), shop.path("stats.json"), shop.path("out.json"));
    let (server, address) = shop.server(&plan, dealer.as_deref(), weights.to_str().unwrap(), &[]);
    let client = shop.client(
        &plan,
        dealer.as_deref(),
        &address,
        &[
            "--texts",
            &file,
            "--tokenizer",
            tokenizer.to_str().unwrap(),
            "--labels",
            labels.to_str().unwrap(),
            "--stats",
            &stats,
            "--output",
            &output,
        ],
    );
    let (client, server) = (client.end(), server.end());
    assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
    let expected: Vec<&str> = held_out.iter().map(|line| line["label"].as_str().unwrap()).collect();
    assert_eq!(client.stdout.lines().collect::<Vec<_>>(), expected);
    let results = std::fs::read_to_string(&output).unwrap();
    assert_eq!(results.lines().count(), count);
    for (line, expected) in results.lines().zip(&held_out) {
        let found: Value = serde_json::from_str(line).unwrap();
        let expected = expected["logits"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
        for (a, b) in numbers(&found["classify"]).iter().zip(expected) {
            // Logits are of size 6; what is asserted is that nothing wrapped.
            assert!((a - b).abs() < 0.25, "{a} is not {b}");
        }
    }
    check_prediction(&json(&stats));
}

#[test]
fn a_second_session_finds_the_public_parameters_in_the_cache() {
    let shop = Workshop::new();
    let plan = shop.plan("sections/sections.ptx", "sections.plan", &[]);
    let (weights, tokenizer) = (example("sections/model.safetensors"), example("sections/tokenizer.json"));
    let received = || {
        let (server, address) = shop.server(&plan, None, weights.to_str().unwrap(), &[]);
        let stats = shop.path("stats.json");
        let options = ["--text", "a font", "--tokenizer", tokenizer.to_str().unwrap(), "--stats", &stats];
        let client = shop.client(&plan, None, &address, &options).end();
        let server = server.end();
        assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
        json(&stats)["phases"]["setup"]["received_bytes"].as_u64().unwrap()
    };
    let (first, second) = (received(), received());
    assert!(first > 1_000_000 && second < 20_000, "{first} bytes, then {second}");
}

#[test]
fn a_simulation_agrees_with_floating_point() {
    let shop = Workshop::new();
    let (model, weights, x) = (example("hello/hello.ptx"), example("hello/model.safetensors"), example("hello/x.json"));
    let input = format!("x={}", x.display());
    let arguments = ["sim", model.to_str().unwrap(), "--weights", weights.to_str().unwrap(), "--input", &input];
    let cache = shop.cache();
    let simulated = ptc(&[&arguments[..], &["--cache", &cache]].concat());
    assert!(simulated.success, "{}", simulated.stderr);
    let found: Value = serde_json::from_str(&simulated.stdout).unwrap();
    assert!((numbers(&found["infer"])[0] - 5.375).abs() < 2e-3);
    assert!(simulated.stderr.contains("differs from the model's floating point by"), "{}", simulated.stderr);
    // Nothing agrees to the last bit of single precision but by chance; a tolerance of nothing is refused by name.
    let strict = ptc(&[&arguments[..], &["--cache", &cache, "--drift=-1"]].concat());
    assert!(!strict.success);
    assert!(strict.stderr.contains("the first to drift beyond -1: `"), "{}", strict.stderr);
}

#[test]
fn a_text_that_is_too_long_is_refused_before_anybody_is_called() {
    let shop = Workshop::new();
    let plan = shop.plan("sections/sections.ptx", "sections.plan", &["--dim", "S=8"]);
    let tokenizer = example("sections/tokenizer.json");
    let nowhere = "127.0.0.1:1";
    let text = "a library of many words for the reading and the writing of compressed files";
    let options = ["--text", text, "--tokenizer", tokenizer.to_str().unwrap()];
    check_failure(&shop.client(&plan, None, nowhere, &options).end(), &["tokens, the plan takes 8", "--truncate"]);
    let weights = example("sections/model.safetensors");
    let (server, address) = shop.server(&plan, None, weights.to_str().unwrap(), &[]);
    let client = shop.client(&plan, None, &address, &[&options[..], &["--truncate"]].concat()).end();
    let server = server.end();
    assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
}
