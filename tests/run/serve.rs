//! `ptc serve` and `ptc client`: many clients, limits, numbers, embeddings over plain HTTP, an orderly end.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Process, Workshop, check_failure, example};

/// A server of an example, with numbers over HTTP.
struct Served {
    shop: Workshop,
    model: &'static str,
    plan: String,
    server: Process,
    /// Where clients go, and where numbers are.
    address: String,
    metrics: String,
}

impl Served {
    fn new(model: &'static str, options: &[&str]) -> Served {
        let shop = Workshop::new();
        let plan = shop.plan(&format!("{model}/{model}.ptx"), "model.plan", &[]);
        let (server, address, metrics) = Served::start(&shop, model, &plan, "127.0.0.1:0", options);
        Served { shop, model, plan, server, address, metrics }
    }

    fn start(shop: &Workshop, model: &str, plan: &str, at: &str, options: &[&str]) -> (Process, String, String) {
        let (weights, cache) = (example(&format!("{model}/model.safetensors")), shop.cache());
        let mut arguments = vec!["serve", plan, "--listen", at, "--metrics", "127.0.0.1:0"];
        arguments.extend(["--weights", weights.to_str().unwrap(), "--cache", &cache, "--backend", "portable"]);
        arguments.extend(options);
        let mut server = Process::start(&arguments);
        let metrics = server.says("numbers on http://");
        let address = server.says(" on ");
        (server, address, metrics.trim_end_matches("/metrics").to_string())
    }

    fn client(&self, options: &[&str]) -> Process {
        let input = format!("x={}", example("hello/x.json").display());
        let given = ["--backend", "portable", "--input", &input];
        self.shop.client(&self.plan, None, &self.address, &[&given, options].concat())
    }

    /// A gateway and where it answers.
    fn gateway(&self, options: &[&str]) -> (Process, String) {
        let (tokenizer, cache) = (example(&format!("{}/tokenizer.json", self.model)), self.shop.cache());
        let mut arguments = vec!["client", &self.plan, "--connect", &self.address, "--http", "127.0.0.1:0"];
        arguments.extend(["--tokenizer", tokenizer.to_str().unwrap(), "--cache", &cache, "--backend", "portable"]);
        arguments.extend(options);
        let mut gateway = Process::start(&arguments);
        let address = gateway.says("answering on http://").trim_end_matches("/v1").to_string();
        (gateway, address)
    }

    /// A number of the server's.
    fn number(&self, name: &str) -> f64 {
        let (status, text) = http(&self.metrics, "GET", "/metrics", "", "");
        assert_eq!(status, 200, "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} of {text}"));
        line.trim().parse().unwrap()
    }

    fn wait_for(&self, name: &str, value: f64) {
        for _ in 0..2000 {
            if self.number(name) == value {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{name} is {} and not {value}", self.number(name));
    }

    /// The server ends by itself, well.
    fn stop(self) -> String {
        self.server.interrupt();
        let ended = self.server.end();
        assert!(ended.success && !ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended.stderr
    }
}

/// Status and body.
fn http(address: &str, method: &str, path: &str, fields: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}");
    write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string())
}

fn embed(address: &str, body: &Value) -> (u16, Value) {
    let (status, body) = http(address, "POST", "/v1/embeddings", "", &body.to_string());
    (status, serde_json::from_str(&body).unwrap())
}

fn vector(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn clients_at_the_same_time_get_their_answers() {
    let served = Served::new("hello", &[]);
    // One that says nothing, and one that says nonsense, are in nobody's way.
    let _silent = TcpStream::connect(&served.address).unwrap();
    TcpStream::connect(&served.address).unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let clients: Vec<Process> = (0..4).map(|_| served.client(&[])).collect();
    let expected: Value = serde_json::from_slice(&std::fs::read(example("hello/expected.json")).unwrap()).unwrap();
    for client in clients {
        let ended = client.end();
        assert!(ended.success, "{}", ended.stderr);
        assert_eq!(ended.stderr.matches("as predicted").count(), 3, "{}", ended.stderr);
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        for (a, b) in vector(&found["infer"]["data"]).iter().zip(vector(&expected["infer"]["data"])) {
            assert!((a - b).abs() <= 2e-3, "{a} is not {b}");
        }
    }
    served.wait_for("ptc_visits_ended_total{outcome=\"done\"}", 4.0);
    assert_eq!(served.number("ptc_queries_total"), 4.0);
    assert_eq!(served.number("ptc_phase_seconds_count{phase=\"online\"}"), 4.0);
    assert_eq!(served.number("ptc_visits_ended_total{outcome=\"stranger\"}"), 1.0);
    assert_eq!(served.number("ptc_strangers"), 1.0);
    assert_eq!(http(&served.metrics, "GET", "/health", "", ""), (200, "ok\n".into()));
    let told = served.stop();
    assert!(told.contains("stopped: 4 queries answered"), "{told}");
}

#[test]
fn who_comes_when_all_places_are_taken_is_told_and_may_come_again() {
    let served = Served::new("sections", &["--max-sessions", "1"]);
    let (gateway, address) = served.gateway(&[]);
    // Its session is the one place; it may have been refused before its first look at the server had gone.
    while http(&address, "GET", "/health", "", "").0 != 200 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let text =
        ["--text", "a font", "--tokenizer", example("sections/tokenizer.json").to_str().unwrap()].map(String::from);
    let text: Vec<&str> = text.iter().map(String::as_str).collect();
    let client = |options: &[&str]| served.shop.client(&served.plan, None, &served.address, &[&text, options].concat());
    let before = served.number("ptc_visits_ended_total{outcome=\"refused\"}");
    check_failure(&client(&[]).end(), &["the server turned this client away: 1 of 1 sessions are taken", "--wait"]);
    assert_eq!(served.number("ptc_visits_ended_total{outcome=\"refused\"}"), before + 1.0);
    gateway.interrupt();
    assert!(gateway.end().success);
    served.wait_for("ptc_sessions_active", 0.0);
    let ended = client(&[]).end();
    assert!(ended.success, "{}", ended.stderr);
    served.stop();
}

#[test]
fn programs_get_the_vectors_that_a_run_gives() {
    let served = Served::new("sections", &[]);
    let (gateway, address) = served.gateway(&["--sessions", "2", "--model", "sections"]);
    let texts = ["a font for the console", "surreal platform shooting game", "a library for compressed files"];
    let (status, found) = embed(&address, &json!({ "model": "sections", "input": texts }));
    assert_eq!(status, 200, "{found}");
    let tokenizer = example("sections/tokenizer.json");
    let mut options = vec!["--tokenizer", tokenizer.to_str().unwrap()];
    options.extend(texts.iter().flat_map(|text| ["--text", text]));
    let direct = served.shop.client(&served.plan, None, &served.address, &options).end();
    assert!(direct.success, "{}", direct.stderr);
    for (at, line) in direct.stdout.lines().enumerate() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let (a, b) = (vector(&found["data"][at]["embedding"]), vector(&expected["classify"]["data"]));
        assert_eq!((a.len(), &found["data"][at]["index"]), (12, &json!(at)));
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() < 2e-2, "{a} is not {b}");
        }
    }
    let tokens = found["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!((9..40).contains(&tokens), "{tokens}");
    // The same text as tokens, and as text in base64.
    let (status, again) =
        embed(&address, &json!({ "model": "sections", "input": [[0, 5, 1]], "encoding_format": "base64" }));
    assert_eq!((status, again["data"][0]["embedding"].as_str().unwrap().len()), (200, 64));
    check_refusals(&address);
    gateway.interrupt();
    assert!(gateway.end().success);
    // Its sessions were ended, not lost.
    served.wait_for("ptc_visits_ended_total{outcome=\"failed\"}", 0.0);
    served.stop();
}

fn check_refusals(address: &str) {
    let long = "x ".repeat(40);
    for (body, status, code) in [
        (json!({ "model": "other", "input": "a" }), 404, json!("model_not_found")),
        (json!({ "model": "sections", "input": "" }), 400, Value::Null),
        (json!({ "model": "sections", "input": long }), 400, Value::Null),
        (json!({ "model": "sections", "input": [[4000]] }), 400, Value::Null),
        (json!({ "model": "sections", "input": "a", "dimensions": 5 }), 400, Value::Null),
    ] {
        let (found, answer) = embed(address, &body);
        assert_eq!((found, &answer["error"]["code"]), (status, &code), "{answer}");
        assert!(answer["error"]["message"].is_string() && answer["error"]["type"] == "invalid_request_error");
    }
    let (status, models) = http(address, "GET", "/v1/models", "", "");
    let models: Value = serde_json::from_str(&models).unwrap();
    assert_eq!((status, &models["data"][0]["id"]), (200, &json!("sections")));
    assert_eq!(http(address, "GET", "/v1/embeddings", "", "").0, 405);
    assert_eq!(http(address, "GET", "/elsewhere", "", "").0, 404);
    assert_eq!(http(address, "GET", "/health", "Origin: https://example.com\r\n", "").0, 403);
}

#[test]
fn a_token_is_asked_for_where_there_is_one() {
    let served = Served::new("sections", &[]);
    let file = served.shop.path("token");
    std::fs::write(&file, "open sesame\n").unwrap();
    let (_gateway, address) = served.gateway(&["--token-file", &file]);
    for (fields, status) in
        [("", 401), ("Authorization: Bearer open\r\n", 401), ("Authorization: Bearer open sesame\r\n", 200)]
    {
        assert_eq!(http(&address, "GET", "/v1/models", fields, "").0, status, "{fields}");
    }
}

#[test]
fn a_gateway_outlives_its_server() {
    let mut served = Served::new("sections", &["--ahead", "2"]);
    let (_gateway, gateway) = served.gateway(&["--wait", "1", "--ahead", "2"]);
    let ask = json!({ "model": "Sections", "input": "a font for the console" });
    let (status, first) = embed(&gateway, &ask);
    assert_eq!(status, 200, "{first}");
    // Killed, not stopped.
    let (plan, address) = (served.plan.clone(), served.address.clone());
    served.server.kill();
    let (status, lost) = embed(&gateway, &ask);
    assert_eq!((status, &lost["error"]["code"]), (502, &json!("server_unreachable")), "{lost}");
    let (server, address, metrics) = Served::start(&served.shop, "sections", &plan, &address, &[]);
    (served.server, served.address, served.metrics) = (server, address, metrics);
    let (status, second) = embed(&gateway, &ask);
    assert_eq!(status, 200, "{second}");
    let pairs = vector(&first["data"][0]["embedding"]).into_iter().zip(vector(&second["data"][0]["embedding"]));
    pairs.for_each(|(a, b)| assert!((a - b).abs() < 2e-2, "{a} is not {b}"));
    let (_, health) = http(&gateway, "GET", "/health", "", "");
    assert!(health.contains("\"sessions\":1"), "{health}");
    served.stop();
}

#[test]
fn what_cannot_be_served_is_said_before_anybody_comes() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let weights = example("hello/model.safetensors");
    let serve = |options: &[&str]| {
        let start = ["serve", &plan, "--weights", weights.to_str().unwrap(), "--backend", "portable"];
        Process::start(&[&start, options].concat()).end()
    };
    check_failure(&serve(&["--listen", "127.0.0.1:0", "--metrics", "0.0.0.0:0"]), &["which others can reach", "hint:"]);
    check_failure(&serve(&["--connect", "127.0.0.1:1"]), &["a server waits for its clients"]);
    check_failure(&serve(&["--listen", "127.0.0.1:0", "--max-memory", "1M"]), &["the model takes", "--max-memory"]);
    let tokenizer = example("sections/tokenizer.json");
    let start = ["client", &plan, "--tokenizer", tokenizer.to_str().unwrap(), "--backend", "portable"];
    let client = Process::start(&[&start[..], &["--connect", "127.0.0.1:1"]].concat()).end();
    check_failure(&client, &["takes no tokens"]);
}
