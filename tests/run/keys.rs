//! Keys, and encrypted connections between real processes on loopback.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Ended, Process, Workshop, check_failure, example, ptc};

/// `ptc keys` in a configuration folder of the test's own.
fn keys(home: &Path, arguments: &[&str]) -> Ended {
    let run = Command::new(env!("CARGO_BIN_EXE_ptc"))
        .arg("keys")
        .args(arguments)
        .env("XDG_CONFIG_HOME", home)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { success: run.status.success(), stdout: text(run.stdout), stderr: text(run.stderr) }
}

/// A new key file, and its public key.
fn key(shop: &Workshop, name: &str) -> (String, String) {
    let path = shop.path(name);
    let made = ptc(&["keys", "new", "--identity", &path]);
    assert!(made.success, "{}", made.stderr);
    (path, made.stdout.trim().to_string())
}

struct Sides {
    shop: Workshop,
    plan: String,
    weights: String,
}

impl Sides {
    fn new(trust: &str) -> Sides {
        let shop = Workshop::new();
        let plan = shop.plan("hello/hello.ptx", "hello.plan", &["--trust", trust]);
        let weights = example("hello/model.safetensors").to_str().unwrap().to_string();
        Sides { shop, plan, weights }
    }

    fn server(&self, options: &[&str]) -> (Process, String) {
        let options = [&["--backend", "portable"], options].concat();
        self.shop.server(&self.plan, None, &self.weights, &options)
    }

    fn client(&self, server: &str, options: &[&str]) -> Process {
        let input = input();
        let options = [&["--backend", "portable", "--input", &input], options].concat();
        self.shop.client(&self.plan, None, server, &options)
    }
}

fn input() -> String {
    format!("x={}", example("hello/x.json").display())
}

#[test]
fn a_key_is_made_shown_trusted_and_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| keys(home.path(), arguments);
    check_failure(&run(&["show"]), &["there is no key of this side in `", "hint: `ptc keys new` makes one"]);
    let made = run(&["new"]);
    assert!(
        made.success && made.stdout.starts_with("ptc-ed25519:") && made.stdout.trim().len() == 55,
        "{}",
        made.stdout
    );
    assert!(made.stderr.contains("fingerprint "), "{}", made.stderr);
    assert_eq!(run(&["show"]).stdout, made.stdout);
    check_failure(&run(&["new"]), &["there is a key already in `"]);
    let file = home.path().join("ptc/identity.key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    check_failure(&run(&["show"]), &["can be read by others", "hint: `chmod 600 "]);

    let (other, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [other, second] = [&other, &second].map(|home| keys(home.path(), &["new"]).stdout.trim().to_string());
    assert!(run(&["trust", "anna", &other]).success);
    assert!(run(&["trust", "anna", &other]).success, "the same again changes nothing");
    check_failure(&run(&["trust", "anna", &second]), &["`anna` is the name of another key", "ptc keys forget anna"]);
    check_failure(&run(&["trust", "again", &other]), &["this key is trusted already, as `anna`"]);
    check_failure(&run(&["trust", "bea", "ptc-ed25519:nonsense"]), &["this is no public key", "hint: "]);
    check_failure(&run(&["trust", "be a", &second]), &["`be a` is no name for a key"]);
    assert!(run(&["trust", "bea", &second]).success);
    assert_eq!(run(&["list"]).stdout, format!("anna {other}\nbea {second}\n"));
    assert!(run(&["forget", "anna"]).success);
    check_failure(&run(&["forget", "anna"]), &["no trusted key is called `anna`"]);
    assert_eq!(run(&["list"]).stdout, format!("bea {second}\n"));
}

#[test]
fn two_that_know_each_other_compute_over_tls() {
    let sides = Sides::new("two-party");
    let ((own, server_key), (other, client_key)) = (key(&sides.shop, "s.key"), key(&sides.shop, "c.key"));
    let stats = sides.shop.path("stats.json");
    let (server, address) = sides.server(&["--peer", &client_key, "--identity", &own, "--stats", &stats]);
    let client = sides.client(&address, &["--peer", &server_key, "--identity", &other]).end();
    let server = server.end();
    assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
    assert!(client.stdout.contains('['), "{}", client.stdout);
    assert!(client.stderr.contains("encryption adds "), "{}", client.stderr);
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(stats).unwrap()).unwrap();
    assert!(stats["tls"]["sent_bytes"].as_u64().unwrap() > 300, "{stats}");
    // Frames are those of the plan, encrypted or not.
    for phase in ["weights", "offline", "online"] {
        for count in ["rounds", "sent_bytes", "received_bytes"] {
            assert_eq!(stats["phases"][phase][count], stats["phases"][phase]["predicted"][count], "{phase} {count}");
        }
    }
    // The same answer as without.
    let (server, address) = sides.server(&[]);
    let plain = sides.client(&address, &[]).end();
    assert!(server.end().success && !plain.stderr.contains("encryption"), "{}", plain.stderr);
    let number = |text: &str| -> Vec<f64> {
        let cleaned: String = text.chars().map(|c| if "0123456789.-e".contains(c) { c } else { ' ' }).collect();
        cleaned.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    for (one, other) in number(&client.stdout).iter().zip(number(&plain.stdout)) {
        assert!((one - other).abs() < 0.01, "{} and {}", client.stdout, plain.stdout);
    }
}

#[test]
fn a_stranger_is_refused_and_both_sides_say_so() {
    let sides = Sides::new("two-party");
    let (own, server_key) = key(&sides.shop, "s.key");
    let ((_, friend), (stranger, stranger_key)) = (key(&sides.shop, "f.key"), key(&sides.shop, "x.key"));
    let (server, address) = sides.server(&["--peer", &friend, "--identity", &own]);
    let client = sides.client(&address, &["--peer", &server_key, "--identity", &stranger]).end();
    check_failure(
        &server.end(),
        &[&format!("the peer's key is {stranger_key}, and `{friend}` was expected"), "ptc keys trust"],
    );
    check_failure(&client, &["the peer does not let this side's key in", &stranger_key]);
    // Another server than was meant.
    let (server, address) = sides.server(&["--peer", &stranger_key, "--identity", &own]);
    let client = sides.client(&address, &["--peer", &friend, "--identity", &stranger]).end();
    check_failure(&client, &[&format!("the peer's key is {server_key}")]);
    check_failure(&server.end(), &["the peer does not let this side's key in"]);
}

#[test]
fn a_plain_side_and_an_encrypted_one_name_each_other() {
    let sides = Sides::new("two-party");
    let ((own, own_key), (other, other_key)) = (key(&sides.shop, "s.key"), key(&sides.shop, "c.key"));
    let (without, with) = ("the peer speaks without encryption", "the peer speaks with encryption");
    let (server, address) = sides.server(&["--peer", &other_key, "--identity", &own]);
    let client = sides.client(&address, &[]).end();
    check_failure(&client, &[with, "hint: this side needs `--peer`"]);
    check_failure(&server.end(), &[without]);
    let (server, address) = sides.server(&[]);
    let client = sides.client(&address, &["--peer", &own_key, "--identity", &other]).end();
    check_failure(&client, &[without]);
    check_failure(&server.end(), &[with]);
}

#[test]
fn between_machines_encryption_is_needed() {
    let sides = Sides::new("two-party");
    let run = |options: &[&str]| {
        let meeting = ["run", &sides.plan, "--party", "1", "--cache", &sides.shop.cache(), "--backend", "portable"];
        ptc(&[&meeting[..], &["--input", &input()], options].concat())
    };
    let far = ["--connect", "192.0.2.1:7000"];
    check_failure(
        &run(&[&far[..], &["--plain"]].concat()),
        &["`--plain` is refused: `192.0.2.1:7000` is not only of this machine"],
    );
    check_failure(&run(&far), &["who the other side is is not said", "ptc keys new"]);
    check_failure(&run(&["--listen", "0.0.0.0:0", "--plain"]), &["`--plain` is refused: `0.0.0.0:0`"]);
    let nobody = sides.shop.path("none.key");
    let (_, other_key) = key(&sides.shop, "c.key");
    let without = run(&[&far[..], &["--peer", &other_key, "--identity", &nobody]].concat());
    check_failure(&without, &["there is no key of this side in `", "hint: `ptc keys new` makes one"]);
    let (own, own_key) = key(&sides.shop, "s.key");
    let itself = run(&[&far[..], &["--peer", &own_key, "--identity", &own]].concat());
    check_failure(&itself, &["the other side's key is this side's own"]);
}

#[test]
fn a_dealer_and_its_parties_know_each_other() {
    let sides = Sides::new("dealer");
    let names = ["d.key", "s.key", "c.key"];
    let [(dealer_file, dealer_key), (own, own_key), (other, other_key)] = names.map(|name| key(&sides.shop, name));
    let cache = sides.shop.cache();
    let deal = ["deal", &sides.plan, "--listen", "127.0.0.1:0", "--sessions", "1", "--cache", &cache];
    let keys = ["--peer", &own_key, "--peer", &other_key, "--identity", &dealer_file];
    let mut dealer = Process::start(&[&deal[..], &keys].concat());
    let at = dealer.says(" on ");
    let (server, address) = sides.server(&[
        "--peer",
        &other_key,
        "--identity",
        &own,
        "--dealer",
        &at,
        "--dealer-key",
        &dealer_key,
        "--timeout",
        "15",
    ]);
    // Without the dealer's key this side speaks plainly to it, and is turned away.
    let options = ["--peer", &own_key, "--identity", &other, "--dealer", &at];
    let plain = sides.client(&address, &options).end();
    check_failure(&plain, &["the dealer speaks with encryption"]);
    assert!(!server.end().success);
    let (server, address) =
        sides.server(&["--peer", &other_key, "--identity", &own, "--dealer", &at, "--dealer-key", &dealer_key]);
    let client = sides.client(&address, &[&options[..], &["--dealer-key", &dealer_key]].concat()).end();
    let server = server.end();
    assert!(client.success && server.success, "{}\n{}", client.stderr, server.stderr);
    let dealer = dealer.end();
    assert!(dealer.success, "{}", dealer.stderr);
}
