//! What the compiler says of ranges and errors, held against what a simulation sees: measured errors lie within their bounds,
//! nothing leaves its ring, and what does is named with its line.

use crate::support::{Ended, Workshop, example, ptc};

/// Calibrates on `samples` and simulates; the ranges stay in the workshop.
fn simulated(shop: &Workshop, model: &str, calibrate: &[&str], simulate: &[&str]) -> Ended {
    let (model, ranges, cache) = (example(model), shop.path("ranges.json"), shop.cache());
    let model = model.to_str().unwrap();
    let calibrated = ptc(&[&["calibrate", model, "-o", &ranges][..], calibrate].concat());
    assert!(calibrated.success, "{}", calibrated.stderr);
    ptc(&[&["sim", model, "--ranges", &ranges, "--cache", &cache, "--strict", "--trust", "dealer"][..], simulate]
        .concat())
}

/// The one line that says how far `output` errs and may err.
fn check_bound(simulated: &Ended, output: &str, ground: &str, most: f64) {
    assert!(simulated.success, "{}", simulated.stderr);
    let start = format!("`{output}` errs by ");
    let lines: Vec<&str> = simulated.stderr.lines().filter(|line| line.starts_with(&start)).collect();
    assert!(!lines.is_empty(), "{}", simulated.stderr);
    for line in lines {
        let rest = &line[start.len()..];
        let (error, rest) = rest.split_once("; its bound is ").unwrap();
        let (bound, said) = rest.split_once(' ').unwrap();
        let (error, bound): (f64, f64) = (error.parse().unwrap(), bound.parse().unwrap());
        assert!(error <= bound && bound <= most && said.contains(ground), "{line}");
    }
    assert!(!simulated.stderr.contains("warning: "), "{}", simulated.stderr);
}

#[test]
fn hello_errs_within_a_bound_that_says_something() {
    let shop = Workshop::new();
    let samples = shop.path("samples.jsonl");
    let line = |data: &str| format!("{{\"x\": {{\"shape\": [4], \"data\": [{data}]}}}}\n");
    std::fs::write(&samples, [line("1.5, -2.0, 0.5, 1.0"), line("-0.25, 1.0, 1.75, -1.5")].concat()).unwrap();
    let (weights, x) = (example("hello/model.safetensors"), example("hello/x.json"));
    let (weights, input) = (weights.to_str().unwrap(), format!("x={}", x.display()));
    let calibrate = ["--weights", weights, "--samples", &samples];
    let ended = simulated(&shop, "hello/hello.ptx", &calibrate, &["--weights", weights, "--input", &input]);
    check_bound(&ended, "infer", "end to end", 0.01);
}

#[test]
fn sections_errs_within_its_calibrated_bound() {
    let shop = Workshop::new();
    let [weights, tokenizer, samples] = ["model.safetensors", "tokenizer.json", "calibration.txt"]
        .map(|file| example("sections").join(file).to_str().unwrap().to_string());
    let given = ["--weights", &weights, "--tokenizer", &tokenizer];
    let texts = ["--text", "a library for compressed files"];
    let ended = simulated(
        &shop,
        "sections/sections.ptx",
        &[&given[..], &["--samples", &samples]].concat(),
        &[&given[..], &texts].concat(),
    );
    check_bound(&ended, "classify", "calibrated", 1.0);
    assert!(ended.stderr.contains(" of `gelu`: the largest error is "), "{}", ended.stderr);
}

#[test]
fn a_value_beyond_its_range_is_named_and_strict_fails() {
    let shop = Workshop::new();
    let samples = shop.path("samples.jsonl");
    // Inputs of a hundredth of the query's.
    std::fs::write(&samples, "{\"x\": {\"shape\": [4], \"data\": [0.015, -0.02, 0.005, 0.01]}}\n").unwrap();
    let (weights, x) = (example("hello/model.safetensors"), example("hello/x.json"));
    let (weights, input) = (weights.to_str().unwrap(), format!("x={}", x.display()));
    let calibrate = ["--weights", weights, "--samples", &samples];
    let ended = simulated(&shop, "hello/hello.ptx", &calibrate, &["--weights", weights, "--input", &input]);
    assert!(!ended.success);
    for part in ["warning: `", "hello.ptx:", "calibrated", "hint: calibrate again with more samples"] {
        assert!(ended.stderr.contains(part), "`{part}` is not in:\n{}", ended.stderr);
    }
}

#[test]
fn a_tolerance_that_cannot_be_met_is_refused_with_what_adds_most() {
    let shop = Workshop::new();
    let [weights, tokenizer, samples] = ["model.safetensors", "tokenizer.json", "calibration.txt"]
        .map(|file| example("sections").join(file).to_str().unwrap().to_string());
    let (model, ranges) = (example("sections/sections.ptx"), shop.path("ranges.json"));
    let model = model.to_str().unwrap();
    let given = ["--weights", &weights, "--tokenizer", &tokenizer, "--samples", &samples, "--gains", "2"];
    let calibrated = ptc(&[&["calibrate", model, "-o", &ranges][..], &given].concat());
    assert!(calibrated.success, "{}", calibrated.stderr);
    let plan = shop.path("plan");
    let built = ptc(&["build", model, "--ranges", &ranges, "-o", &plan, "--tolerance", "0.0015"]);
    assert!(!built.success);
    for part in ["E06", "tolerance", "hint: "] {
        assert!(built.stderr.contains(part), "`{part}` is not in:\n{}", built.stderr);
    }
}

#[test]
fn a_plan_leads_to_the_source_beside_it() {
    let shop = Workshop::new();
    for file in ["hello.ptx", "model.safetensors"] {
        std::fs::copy(example("hello").join(file), shop.path(file)).unwrap();
    }
    let (model, plan) = (shop.path("hello.ptx"), shop.path("hello.plan"));
    assert!(ptc(&["build", &model, "-o", &plan]).success);
    let samples = shop.path("samples.jsonl");
    std::fs::write(&samples, "{\"x\": {\"shape\": [4], \"data\": [1.5, -2.0, 0.5, 1.0]}}\n").unwrap();
    let weights = shop.path("model.safetensors");
    let calibrated = ptc(&["calibrate", &plan, "--weights", &weights, "--samples", &samples]);
    assert!(calibrated.success, "{}", calibrated.stderr);
    let text = std::fs::read_to_string(shop.path("hello.ranges.json")).unwrap();
    for part in ["\"samples\": 1", "\"digest\": \"", "\"norms\": {", "\"gains\": {\n    \"infer\": {"] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    std::fs::remove_file(&model).unwrap();
    let lost = ptc(&["calibrate", &plan, "--weights", &weights, "--samples", &samples]);
    assert!(
        !lost.success && lost.stderr.contains("the source of its model `Hello` is not beside it"),
        "{}",
        lost.stderr
    );
}
