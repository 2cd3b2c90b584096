//! Small programs, each for one thing that a model may do: simulated against floating point, and run by
//! processes, with and without a dealer.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Process, Workshop, ptc};

/// Inputs as (name, party, shape, data).
type Given = (&'static str, usize, &'static [usize], &'static [f64]);

/// Both parties' results, from a simulation and from processes, are `expected` by name.
fn check(program: &str, given: &[Given], expected: [Value; 2]) {
    let shop = Workshop::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run/programs").join(program);
    let model = model.to_str().unwrap();
    let files: Vec<(usize, String)> = given
        .iter()
        .map(|(name, party, shape, data)| {
            let path = shop.path(&format!("{name}.json"));
            std::fs::write(&path, json!({ "shape": shape, "data": data }).to_string()).unwrap();
            (*party, format!("{name}={path}"))
        })
        .collect();
    let options = |party: Option<usize>| {
        let own = files.iter().filter(move |(owner, _)| party.is_none_or(|party| party == *owner));
        own.flat_map(|(_, file)| ["--input", file.as_str()]).collect::<Vec<_>>()
    };
    let cache = shop.cache();
    let simulated = ptc(&[&["sim", model, "--cache", &cache][..], &options(None)].concat());
    assert!(simulated.success, "{}", simulated.stderr);
    let mut all = expected[0].clone();
    all.as_object_mut().unwrap().extend(expected[1].as_object().unwrap().clone());
    check_results(&simulated.stdout, &all);

    for trust in ["two-party", "dealer"] {
        let plan = shop.path(&format!("{trust}.plan"));
        let built = ptc(&["build", model, "-o", &plan, "--trust", trust]);
        assert!(built.success, "{}", built.stderr);
        let (_dealer, dealer) = crate::source(&shop, &plan, trust);
        let mut server = vec!["run", &plan, "--party", "0", "--listen", "127.0.0.1:0", "--cache", &cache];
        server.extend(dealer.iter().flat_map(|address| ["--dealer", address]));
        let mut server = Process::start(&[&server[..], &options(Some(0))].concat());
        let address = server.says("waiting for the other party on ");
        let client = shop.client(&plan, dealer.as_deref(), &address, &options(Some(1))).end();
        let server = server.end();
        assert!(client.success && server.success, "{trust}: {}\n{}", client.stderr, server.stderr);
        check_results(&server.stdout, &expected[0]);
        check_results(&client.stdout, &expected[1]);
    }
}

fn check_results(stdout: &str, expected: &Value) {
    let expected = expected.as_object().unwrap();
    if expected.is_empty() {
        assert_eq!(stdout, "");
        return;
    }
    let found: Value = serde_json::from_str(stdout).unwrap();
    let found = found.as_object().unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, expected) in expected {
        let data = found[name]["data"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
        let expected: Vec<f64> = expected.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        let found: Vec<f64> = data.collect();
        assert_eq!(found.len(), expected.len());
        // Inputs are multiples of 1/8; products are right to a few units of 2^-12.
        found.iter().zip(&expected).for_each(|(a, b)| assert!((a - b).abs() < 4e-3, "{name}: {found:?}, {expected:?}"));
    }
}

#[test]
fn both_parties_have_inputs() {
    check(
        "both_inputs.ptx",
        &[
            ("x", 1, &[2, 4], &[1.0, 2.0, 3.0, 4.0, 0.5, -1.0, -2.0, 0.25]),
            ("y", 0, &[4, 3], &[0.5, 1.0, -1.0, 0.25, 0.125, 1.0, -0.5, 0.75, 2.0, 1.0, 1.0, 1.0]),
            ("z", 0, &[3], &[0.5, -1.5, 0.25]),
        ],
        // x · y = [[3.5, 7.5, 11], [1.25, -0.875, -5.25]]
        [json!({}), json!({ "mix": [1.75, 0.0, 2.75, 0.625, 1.3125, 0.0] })],
    );
}

#[test]
fn a_value_is_revealed_on_the_way() {
    check(
        "revealed.ptx",
        &[("x", 1, &[3], &[1.0, -2.0, 0.5]), ("y", 0, &[3], &[0.5, 0.25, -1.0])],
        [json!({}), json!({ "square": [2.25, 3.0625, 0.25] })],
    );
}

#[test]
fn a_public_result_is_told_to_both() {
    let product = json!({ "product": [0.5, -0.5, -0.5] });
    check(
        "public_result.ptx",
        &[("x", 1, &[3], &[1.0, -2.0, 0.5]), ("y", 0, &[3], &[0.5, 0.25, -1.0])],
        [product.clone(), product],
    );
}

#[test]
fn functions_of_private_values() {
    let s: [f64; 4] = [1.5, -1.75, -0.5, 2.0];
    // The normal distribution up to each.
    let below = [0.933_193, 0.040_059, 0.308_538, 0.977_250];
    let weights: f64 = s.iter().map(|x| x.exp()).sum();
    let squares: f64 = s.iter().map(|x| x * x).sum();
    let each = |f: &dyn Fn(f64) -> f64| s.map(f);
    let gelu = [0, 1, 2, 3].map(|i| s[i] * below[i]);
    let all = [
        each(&|x| x.max(0.0)),
        gelu,
        each(&|x| x / (1.0 + (-x).exp()) / 4.0),
        each(&|x| (x / 8.0).exp()),
        each(&|x| x.exp() / weights),
        each(&|x| x / (squares / 4.0 + 1e-3).sqrt()),
        each(&|x| x / squares.sqrt()),
    ]
    .concat();
    check(
        "functions.ptx",
        &[("x", 1, &[4], &[1.0, -2.0, 0.5, 3.0]), ("y", 0, &[4], &[0.5, 0.25, -1.0, -1.0])],
        [json!({}), json!({ "all": all })],
    );
}
