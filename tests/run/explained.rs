//! `ptc explain` of plans, models and runs.

use serde_json::Value;

use crate::support::{Workshop, check_failure, example, ptc};

/// Both parties of hello, each with its trace, and what is explained of them.
#[test]
fn traces_of_both_parties_are_as_predicted() {
    let shop = Workshop::new();
    let (weights, x) = (example("hello/model.safetensors"), example("hello/x.json"));
    let input = format!("x={}", x.display());
    for trust in ["two-party", "dealer"] {
        let plan = shop.plan("hello/hello.ptx", "hello.plan", &["--trust", trust]);
        let (_dealer, dealer) = crate::source(&shop, &plan, trust);
        let (at_server, at_client) = (shop.path("server.trace"), shop.path("client.trace"));
        let options = ["--trace", &at_server, "--backend", "portable"];
        let (server, address) = shop.server(&plan, dealer.as_deref(), weights.to_str().unwrap(), &options);
        let options = ["--input", &input, "--trace", &at_client, "--backend", "portable"];
        let client = shop.client(&plan, dealer.as_deref(), &address, &options).end();
        let server = server.end();
        assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
        let traces = ["--trace", &at_client, "--trace", &at_server];
        let text = ptc(&[&["explain", &plan][..], &traces].concat());
        assert!(text.success && text.stdout.contains("as predicted, to the byte"), "{}\n{}", text.stdout, text.stderr);
        let json = ptc(&[&["explain", &plan, "--json"][..], &traces].concat());
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["measured"]["difference_count"], 0);
        assert_eq!(json["measured"]["queries"], 1);
        assert!(json["measured"]["online_us"].as_f64().unwrap() > 0.0);
        check_failure(&ptc(&["explain", &plan, "--trace", &at_client]), &["traces of both parties"]);
        check_failure(&ptc(&["explain", &plan, "--trace", &plan, "--trace", &at_server]), &["hello.plan"]);
    }
}

#[test]
fn a_page_is_written() {
    let shop = Workshop::new();
    let page = shop.path("hello.html");
    let model = example("hello/hello.ptx");
    let written = ptc(&["explain", model.to_str().unwrap(), "--html", &page]);
    assert!(written.success && written.stdout.is_empty(), "{}", written.stderr);
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Hello.infer") && !page.contains("http"), "{page}");
}

#[test]
fn lines_have_reasons_and_passes_have_graphs() {
    let model = example("hello/hello.ptx");
    let explain = |options: &[&str]| ptc(&[&["explain", model.to_str().unwrap()][..], options].concat());
    let why = explain(&["--why", "hello.ptx:9"]);
    assert!(why.success && why.stdout.contains("relu(layer(x))") && why.stdout.contains("secret"), "{}", why.stdout);
    check_failure(&explain(&["--why", "1000"]), &["no step of the plan", "hello.ptx:9"]);
    let leakage = explain(&["--leakage"]);
    assert!(leakage.stdout.contains("REVEALED") && leakage.stdout.contains("hidden by"), "{}", leakage.stdout);
    for pass in ["source", "canonical", "truncate"] {
        let graph = explain(&["--emit", "graph", "--after", pass]);
        assert!(graph.success && graph.stdout.starts_with("model \"Hello\""), "{}", graph.stderr);
    }
    let drawn = explain(&["--emit", "graph", "--after", "fold", "--graph-format", "dot"]);
    assert!(drawn.stdout.starts_with("digraph"), "{}", drawn.stdout);
    check_failure(
        &explain(&["--emit", "graph", "--after", "fald"]),
        &["no pass `fald`", "did you mean `fold`", "truncate"],
    );
}
