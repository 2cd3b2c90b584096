//! Plans that serve several queries at once, between real processes.

use serde_json::{Value, json};

use crate::examples::{check_prediction, numbers};
use crate::support::{Ended, Workshop, check_failure, example, ptc};

fn read(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What hello makes of a query, in floating point.
fn hello(x: [f64; 4]) -> Vec<f64> {
    let shop = Workshop::new();
    let (model, weights) = (example("hello/hello.ptx"), example("hello/model.safetensors"));
    let (input, cache) = (shop.path("x.json"), shop.cache());
    std::fs::write(&input, json!({"shape": [4], "data": x}).to_string()).unwrap();
    let input = format!("x={input}");
    let arguments = ["sim", model.to_str().unwrap(), "--weights", weights.to_str().unwrap(), "--input", &input];
    let simulated = ptc(&[&arguments[..], &["--backend", "portable", "--cache", &cache]].concat());
    assert!(simulated.success, "{}", simulated.stderr);
    numbers(&serde_json::from_str::<Value>(&simulated.stdout).unwrap()["infer"])
}

const QUERIES: [[f64; 4]; 5] =
    [[1.0, 2.0, -1.0, 0.5], [0.0, 0.0, 0.0, 0.0], [3.0, -2.0, 1.5, 1.0], [-4.0, 0.25, 2.0, -1.0], [0.5, 0.5, 0.5, 0.5]];

/// A line for each query, as `--inputs` takes them.
fn lines(queries: &[[f64; 4]]) -> String {
    queries.iter().map(|x| json!({"x": {"shape": [4], "data": x}}).to_string() + "\n").collect()
}

/// The client's results are those of the queries, in their order.
fn check_results(client: &Ended, queries: &[[f64; 4]]) {
    let found: Vec<Value> = client.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), queries.len(), "{}", client.stdout);
    for (found, &x) in found.iter().zip(queries) {
        assert_eq!(found["infer"]["shape"], json!([3]));
        for (a, b) in numbers(&found["infer"]).iter().zip(hello(x)) {
            assert!((a - b).abs() <= 4e-3, "{a} is not {b}");
        }
    }
}

/// As many queries as fill a batch, fewer, and more, in as many rounds for each batch as one query has.
#[test]
fn batches_of_any_fill_give_each_query_its_result() {
    let shop = Workshop::new();
    let weights = example("hello/model.safetensors");
    for (trust, count, runs) in [("two-party", 3, 1), ("two-party", 1, 1), ("dealer", 5, 2)] {
        let plan = shop.plan("hello/hello.ptx", "hello.plan", &["--trust", trust, "--batch", "3"]);
        let (_dealer, dealer) = crate::source(&shop, &plan, trust);
        let (file, stats) = (shop.path("queries.jsonl"), shop.path("stats.json"));
        std::fs::write(&file, lines(&QUERIES[..count])).unwrap();
        let options = ["--backend", "portable"];
        let (server, address) = shop.server(&plan, dealer.as_deref(), weights.to_str().unwrap(), &options);
        let options = ["--inputs", &file, "--stats", &stats, "--backend", "portable"];
        let client = shop.client(&plan, dealer.as_deref(), &address, &options).end();
        let server = server.end();
        assert!(client.success && server.success, "{trust} {}\n{}", client.stderr, server.stderr);
        check_results(&client, &QUERIES[..count]);
        let stats = read(&stats);
        check_prediction(&stats);
        assert_eq!((&stats["queries"], &stats["batch"]), (&json!(runs), &json!(3)));
    }
}

/// Labels and logits of texts in batches are those of texts alone.
#[test]
fn sections_labels_batches_as_it_labels_texts() {
    let shop = Workshop::new();
    let held_out = std::fs::read_to_string(example("sections/held_out.jsonl")).unwrap();
    let held_out: Vec<Value> = held_out.lines().take(3).map(|line| serde_json::from_str(line).unwrap()).collect();
    let (weights, tokenizer) = (example("sections/model.safetensors"), example("sections/tokenizer.json"));
    let labels = example("sections/labels.json");
    let mut rounds = vec![];
    for (batch, runs) in [("1", 3), ("2", 2)] {
        // With other sizes other recipes may be cheaper; with the same ones the rounds are the same.
        let recipe = "maximum=tournament,power=clipped,normal=octaves,ramp=polynomial,rounds=narrow";
        let plan = shop.plan("sections/sections.ptx", "sections.plan", &["--batch", batch, "--recipe", recipe]);
        let (output, stats) = (shop.path("out.json"), shop.path("stats.json"));
        let (server, address) = shop.server(&plan, None, weights.to_str().unwrap(), &[]);
        let mut options = vec!["--tokenizer", tokenizer.to_str().unwrap(), "--labels", labels.to_str().unwrap()];
        options.extend(["--output", &output, "--stats", &stats]);
        options.extend(held_out.iter().flat_map(|line| ["--text", line["text"].as_str().unwrap()]));
        let client = shop.client(&plan, None, &address, &options).end();
        let server = server.end();
        assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
        let expected: Vec<&str> = held_out.iter().map(|line| line["label"].as_str().unwrap()).collect();
        assert_eq!(client.stdout.lines().collect::<Vec<_>>(), expected);
        let results = std::fs::read_to_string(&output).unwrap();
        assert_eq!(results.lines().count(), held_out.len());
        for (line, expected) in results.lines().zip(&held_out) {
            let found: Value = serde_json::from_str(line).unwrap();
            let expected = expected["logits"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
            for (a, b) in numbers(&found["classify"]).iter().zip(expected) {
                assert!((a - b).abs() < 0.25, "{a} is not {b}");
            }
        }
        let stats = read(&stats);
        check_prediction(&stats);
        rounds.push(stats["phases"]["online"]["rounds"].as_u64().unwrap() / runs);
    }
    assert_eq!(rounds[0], rounds[1]);
}

/// What is prepared for a plan with a batch serves a batch.
#[test]
fn a_pool_holds_batches() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &["--batch", "2"]);
    let weights = example("hello/model.safetensors");
    let (key, cache, file) = (shop.path("keys/pool.key"), shop.cache(), shop.path("queries.jsonl"));
    std::fs::write(&file, lines(&QUERIES[..4])).unwrap();
    let pools = [shop.path("server"), shop.path("client")];
    let party = |command: &str, party: usize, meeting: [&str; 2], options: &[&str]| {
        let index = party.to_string();
        let mut arguments = vec![command, &plan, "--party", &index, "--pool", &pools[party], "--pool-key", &key];
        arguments.extend(["--cache", &cache, "--backend", "portable"]);
        arguments.extend(meeting);
        if party == 0 {
            arguments.extend(["--weights", weights.to_str().unwrap()]);
        }
        arguments.extend(options);
        crate::support::Process::start(&arguments)
    };
    let both = |command: &str, options: [&[&str]; 2]| {
        let mut server = party(command, 0, ["--listen", "127.0.0.1:0"], options[0]);
        let address = server.says("waiting for the other party on ");
        let client = party(command, 1, ["--connect", &address], options[1]).end();
        let server = server.end();
        assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
        client
    };
    let prepared = both("prepare", [&["--queries", "2"], &["--queries", "2"]]);
    assert!(prepared.stdout.contains("2 batches of 2 queries of infer"), "{}", prepared.stdout);
    let stats = shop.path("stats.json");
    let client = both("run", [&[], &["--inputs", &file, "--stats", &stats]]);
    check_results(&client, &QUERIES[..4]);
    let stats = read(&stats);
    check_prediction(&stats);
    assert_eq!((&stats["queries"], &stats["pooled"]), (&json!(2), &json!(2)));
}

#[test]
fn a_simulation_of_a_batch_agrees_with_floating_point() {
    let shop = Workshop::new();
    let (model, weights) = (example("hello/hello.ptx"), example("hello/model.safetensors"));
    let (file, cache) = (shop.path("queries.jsonl"), shop.cache());
    std::fs::write(&file, lines(&QUERIES[..3])).unwrap();
    let mut arguments = vec!["sim", model.to_str().unwrap(), "--weights", weights.to_str().unwrap()];
    arguments.extend(["--batch", "2", "--inputs", &file, "--cache", &cache]);
    let simulated = ptc(&arguments);
    assert!(simulated.success, "{}", simulated.stderr);
    check_results(&simulated, &QUERIES[..3]);
}

#[test]
fn a_query_of_a_batch_is_refused_by_name() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &["--batch", "2"]);
    let file = shop.path("queries.jsonl");
    let check = |text: &str, parts: &[&str]| {
        std::fs::write(&file, text).unwrap();
        check_failure(&shop.client(&plan, None, "127.0.0.1:1", &["--inputs", &file]).end(), parts);
    };
    check("", &["holds no query", "one object a line"]);
    check("{\"x\": {\"shape\": [2], \"data\": [1, 2]}}", &["input `x` has shape [2], the entry takes [4]"]);
    check("{\"y\": {\"shape\": [4], \"data\": [1, 2, 3, 4]}}", &["needs an input `x`", "has no input `y`"]);
    check("[1, 2]", &["is no array"]);
}
