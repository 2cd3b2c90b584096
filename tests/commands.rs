//! What a stranger meets first: a new project that runs, help, messages for programs, exit codes.

#[path = "support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use support::{Process, Workshop, check_failure, example, ptc};

fn objects(text: &str) -> Vec<Value> {
    let object = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("`{line}`: {error}"));
    text.lines().map(object).collect()
}

fn code(arguments: &[&str]) -> Option<i32> {
    let mut ptc = Command::new(env!("CARGO_BIN_EXE_ptc"));
    ptc.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().code()
}

/// A project made by `ptc new` runs with its own script, and each query gets its label.
fn check_template(template: &str, labels: &[&str]) {
    let shop = Workshop::new();
    let folder = shop.path("demo");
    let made = ptc(&["new", &folder, "--template", template]);
    assert!(made.success, "{}", made.stderr);
    // Whoever takes the port in between makes the test fail, not pass.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = Command::new("sh")
        .arg(format!("{folder}/run.sh"))
        .env("PTC", env!("CARGO_BIN_EXE_ptc"))
        .env("PORT", port.to_string())
        .env("XDG_CACHE_HOME", shop.path("cache"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let found = objects(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(found.iter().map(|line| line["label"].as_str().unwrap()).collect::<Vec<_>>(), labels);
    for line in &found {
        assert!(!line["id"].is_null(), "{line}");
        let sum: f64 = line["scores"].as_object().unwrap().values().map(|score| score.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{line}");
    }
    assert!(stderr.contains("as predicted"), "{stderr}");
}

#[test]
fn a_new_project_of_two_layers_runs_at_once() {
    check_template("mlp", &["inside", "inside", "outside", "outside"]);
}

#[test]
fn a_new_encoder_runs_at_once() {
    check_template("bert", &["complaint", "praise", "complaint", "praise"]);
}

#[test]
fn a_new_decoder_runs_at_once() {
    check_template("gpt", &["star", "high", "sky", "gone"]);
}

#[test]
fn failures_are_told_to_programs_as_objects() {
    let shop = Workshop::new();
    let source = shop.path("wrong.ptx");
    std::fs::write(&source, "model M {\n    entry run(x: real[4] @client) -> real[4] @client { gleu(x) }\n}\n")
        .unwrap();
    let ended = ptc(&["check", &source, "--message-format", "json"]);
    assert!(!ended.success && ended.stdout.is_empty());
    let found = objects(&ended.stderr);
    assert_eq!((&found[0]["kind"], &found[0]["severity"]), (&"diagnostic".into(), &"error".into()));
    assert_eq!((&found[0]["code"], &found[0]["place"]["line"]), (&"E0201".into(), &2.into()));
    assert!(found[0]["rendered"].as_str().unwrap().contains("error[E0201]"));

    let missing = shop.path("none.json");
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let ended = shop.client(&plan, None, "127.0.0.1:1", &["--input", &format!("x={missing}"), "--message-format=json"]);
    let found = objects(&ended.end().stderr);
    assert_eq!((&found[0]["code"], &found[0]["severity"]), (&"R0101".into(), &"error".into()));
    assert!(!found[0]["hint"].as_str().unwrap().is_empty() && found[0]["place"].is_null());

    let ended = ptc(&["build", "--message-format", "json"]);
    assert_eq!(objects(&ended.stderr)[0]["severity"], "error");
}

#[test]
fn a_session_tells_programs_its_phases_and_says_nothing_when_it_is_to_be_quiet() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let weights = example("hello/model.safetensors");
    let queries = shop.path("queries.jsonl");
    let line = |id: &str, first: f32| {
        format!("{{\"id\": \"{id}\", \"inputs\": {{\"x\": {{\"shape\": [4], \"data\": [{first}, -2, 0.5, 1]}}}}}}\n")
    };
    std::fs::write(&queries, line("a", 1.5) + &line("b", 0.5)).unwrap();
    let (server, address) = shop.server(&plan, None, weights.to_str().unwrap(), &[]);
    let options = ["--queries", &queries, "--message-format", "json"];
    let client = shop.client(&plan, None, &address, &options).end();
    assert!(client.success && server.end().success, "{}", client.stderr);
    let results = objects(&client.stdout);
    assert_eq!((&results[0]["id"], &results[1]["id"]), (&"a".into(), &"b".into()));
    for (result, expected) in results.iter().zip([5.375, 4.875]) {
        let first = result["outputs"]["infer"]["data"][0].as_f64().unwrap();
        assert!((first - expected).abs() < 2e-3, "{result}");
    }
    let told = objects(&client.stderr);
    for phase in ["once", "offline", "online"] {
        let found = told.iter().find(|object| object["phase"] == phase).unwrap_or_else(|| panic!("{}", client.stderr));
        assert!(found["predicted_bytes"].as_u64().unwrap() > 0, "{found}");
    }
    let statistics = told.iter().find(|object| object["kind"] == "statistics").unwrap();
    assert_eq!(statistics["queries"], 2);

    let stacked = shop.path("out.npy");
    let (server, address) = shop.server(&plan, None, weights.to_str().unwrap(), &[]);
    let options = ["--queries", &queries, "--output", &stacked, "--quiet"];
    let client = shop.client(&plan, None, &address, &options).end();
    assert!(client.success && server.end().success, "{}", client.stderr);
    assert_eq!((client.stdout.as_str(), client.stderr.as_str()), ("", ""));
    let bytes = std::fs::read(&stacked).unwrap();
    assert!(String::from_utf8_lossy(&bytes[..128]).contains("(2, 3)"), "two queries of three numbers");
}

#[test]
fn exit_codes_are_those_that_the_help_promises() {
    assert_eq!(code(&["help"]), Some(0));
    assert_eq!(code(&["check", "/nonexistent.ptx"]), Some(1));
    assert_eq!(code(&["check"]), Some(2));
    assert_eq!(code(&["nonsense"]), Some(2));
    assert!(ptc(&["--help"]).stdout.contains("Exit codes: 0 success; 1 failure"));
}

#[test]
fn a_party_that_is_stopped_writes_nothing() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let (weights, output, cache) = (example("hello/model.safetensors"), shop.path("y.json"), shop.cache());
    let mut server = Command::new(env!("CARGO_BIN_EXE_ptc"))
        .args(["run", &plan, "--party", "0", "--listen", "127.0.0.1:0", "--weights", weights.to_str().unwrap()])
        .args(["--output", &output, "--cache", &cache])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stopped = Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let start = Instant::now();
    let status = loop {
        match server.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > Duration::from_secs(60) => {
                server.kill().unwrap();
                panic!("it does not stop");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert!(!status.success());
    assert!(!std::path::Path::new(&output).exists());
}

#[test]
fn help_explains_commands_and_codes() {
    let shown = |topic: &str| ptc(&["help", topic]).stdout;
    assert!(shown("E0301").contains("Wrong:\n") && shown("e0301").contains("Mended:\n"));
    assert!(shown("R0302").contains("fell silent"));
    assert!(shown("messages").contains("`statistics`"));
    assert!(shown("codes").lines().count() > 70);
    assert!(shown("run").contains("--queries"));
    check_failure(&ptc(&["help", "E0310x"]), &["did you mean"]);
    check_failure(&ptc(&["help", "serv"]), &["did you mean `serve`?"]);
}

#[test]
fn completions_and_pages_are_made_for_every_command() {
    let shop = Workshop::new();
    let commands = ptc(&["completions", "bash"]).stdout;
    let folder = shop.path("man");
    assert!(ptc(&["man", "--out", &folder]).success);
    for command in ["new", "import", "build", "run", "serve", "client", "keys", "doctor", "lsp"] {
        assert!(commands.contains(&format!("ptc,{command}")), "{command}");
        let page = std::fs::read_to_string(format!("{folder}/ptc-{command}.1")).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn the_doctor_finds_this_machine_fit() {
    let shop = Workshop::new();
    let ended = ptc(&["doctor", "--json", "--cache", &shop.cache()]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    for name in ["processor", "kernels", "cores", "memory", "open files", "cache folder", "loopback", "session"] {
        let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{report}"));
        assert!(check["verdict"] != "fail", "{check}");
    }
    // What this user's own folders are like is not the test's to say.
    let failed = checks.iter().any(|check| check["verdict"] == "fail");
    assert_eq!(ended.success, !failed);
    check_failure(&ptc(&["doctor", "--jsn"]), &["--json"]);
}

#[test]
fn a_pair_and_a_text_too_many_are_counted() {
    let shop = Workshop::new();
    let plan = shop.plan("sections/sections.ptx", "sections.plan", &["--trust", "dealer"]);
    let tokenizer = example("sections/tokenizer.json");
    let options = ["--text", "a", "--text", "b", "--pair", "c", "--tokenizer", tokenizer.to_str().unwrap()];
    let dealer = ["--dealer", "127.0.0.1:1"];
    let client =
        Process::start(&[&["run", &plan, "--party", "1", "--connect", "127.0.0.1:1"][..], &options, &dealer].concat());
    check_failure(&client.end(), &["there are 2 texts and 1 second texts", "one `--pair` for each `--text`"]);
}
