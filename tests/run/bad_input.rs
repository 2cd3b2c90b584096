//! What users get wrong, each with the message that mends it.

use ptc_plan::float::FloatTensor;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::support::{Process, Workshop, check_failure, example, ptc};

/// Writes a safetensors file of single-precision tensors.
fn write_weights(path: &str, tensors: &[(&str, FloatTensor)]) {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, tensor)| tensor.data.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, tensor), bytes)| (*name, TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn weight() -> FloatTensor {
    FloatTensor::new(vec![3, 4], vec![0.5; 12])
}

fn bias() -> FloatTensor {
    FloatTensor::new(vec![3], vec![0.25; 3])
}

/// Starts the server of `hello` on these weights; it must fail before it listens for long.
fn check_weights(tensors: &[(&str, FloatTensor)], parts: &[&str]) {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let weights = shop.path("weights.safetensors");
    write_weights(&weights, tensors);
    let cache = shop.cache();
    let ended = Process::start(&[
        "run",
        &plan,
        "--party",
        "0",
        "--listen",
        "127.0.0.1:0",
        "--weights",
        &weights,
        "--cache",
        &cache,
    ]);
    check_failure(&ended.end(), parts);
}

#[test]
fn weights_that_do_not_fit_are_named_with_both_sides() {
    check_weights(&[("layer.weight", weight())], &["`layer.bias` is [3] in the plan, and not in the file"]);
    check_weights(
        &[("layer.weight", weight()), ("layer.bias", bias()), ("head.weight", weight())],
        &["`head.weight` is [3, 4] in the file, and not in the plan", "--unused head"],
    );
    check_weights(
        &[("layer.weight", FloatTensor::new(vec![4, 3], vec![0.5; 12])), ("layer.bias", bias())],
        &["`layer.weight` is [3, 4] in the plan, [4, 3] in the file"],
    );
    let mut bad = weight();
    bad.data[5] = f32::NAN;
    check_weights(&[("layer.weight", bad), ("layer.bias", bias())], &["`layer.weight` [3, 4] has NaN at [1, 1]"]);
    let mut large = weight();
    large.data[5] = 1e9;
    check_weights(
        &[("layer.weight", large), ("layer.bias", bias())],
        &["`layer.weight` [3, 4] has values of up to 1000000000", "ptc calibrate"],
    );
}

#[test]
fn inputs_that_do_not_fit_are_named() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let nowhere = "127.0.0.1:1";
    let check = |contents: &str, name: &str, parts: &[&str]| {
        let file = shop.path("x.json");
        std::fs::write(&file, contents).unwrap();
        let option = format!("{name}={file}");
        check_failure(&shop.client(&plan, None, nowhere, &["--input", &option]).end(), parts);
    };
    check(r#"{"shape": [3], "data": [1, 2, 3]}"#, "x", &["input `x` has shape [3], the entry takes [4]"]);
    check(r#"{"shape": [4], "data": [1, 2, 3]}"#, "x", &["has 4 elements, `data` has 3"]);
    check(r#"{"shape": [4], "data": [1, 2, 3, 1e9]}"#, "x", &["input `x` holds 1000000000 at [3]"]);
    check(r#"{"shape": [4], "data": [1, 2, 3, 4]}"#, "y", &["`x` [4]", "--input x=FILE"]);
    check_failure(&shop.client(&plan, None, nowhere, &[]).end(), &["the entry needs `x` [4] from this party"]);
    let missing = ["--input", "x=/nonexistent.json"];
    check_failure(&shop.client(&plan, None, nowhere, &missing).end(), &["`/nonexistent.json` cannot be read"]);
    let unwritable = ["--input", "x=x.json", "--output", "y.txt"];
    check_failure(&shop.client(&plan, None, nowhere, &unwritable).end(), &["neither a `.npy` nor a `.json`"]);
}

#[test]
fn plans_that_are_damaged_are_refused() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let bytes = std::fs::read(&plan).unwrap();
    let check = |bytes: &[u8], part: &str| {
        let path = shop.path("bad.plan");
        std::fs::write(&path, bytes).unwrap();
        for arguments in [
            vec!["explain", path.as_str()],
            vec!["deal", &path, "--listen", "127.0.0.1:0"],
            vec!["run", &path, "--party", "1", "--connect", "127.0.0.1:1"],
        ] {
            check_failure(&ptc(&arguments), &[part, "bad.plan"]);
        }
    };
    check(&bytes[..bytes.len() / 2], "the plan is cut short");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    check(&flipped, "the plan is damaged");
    check(b"dim S = 3;", "this is not a plan file");
    let mut newer = bytes;
    newer[8] = 200;
    check(&newer, "the plan has format version 200");
    check_failure(&ptc(&["explain", &shop.path("none.plan")]), &["cannot be read"]);
}

#[test]
fn a_wrong_command_line_says_what_is_missing() {
    let shop = Workshop::new();
    let plan = shop.plan("hello/hello.ptx", "hello.plan", &[]);
    let address = "127.0.0.1:1";
    check_failure(&ptc(&["run", &plan, "--party", "2", "--connect", address]), &["0 (the weights)"]);
    check_failure(&ptc(&["run", &plan, "--party", "0"]), &["--listen", "--connect"]);
    let no_weights = ["run", &plan, "--party", "0", "--connect", address];
    check_failure(&ptc(&no_weights), &["no weights are given", "--weights"]);
    let model = example("hello/hello.ptx");
    check_failure(&ptc(&["build", model.to_str().unwrap(), "--dim", "T=3"]), &["T"]);
    check_failure(&ptc(&["nonsense"]), &["nonsense"]);
}

#[test]
fn a_dealer_belongs_to_a_plan_that_trusts_one() {
    let shop = Workshop::new();
    let alone = shop.plan("hello/hello.ptx", "alone.plan", &["--trust", "two-party"]);
    let dealt = shop.plan("hello/hello.ptx", "dealt.plan", &["--trust", "dealer"]);
    let address = "127.0.0.1:1";
    check_failure(
        &shop.client(&alone, Some(address), address, &[]).end(),
        &["leave `--dealer` away", "--trust dealer"],
    );
    check_failure(&shop.client(&dealt, None, address, &[]).end(), &["add `--dealer", "--trust two-party"]);
    check_failure(
        &ptc(&["deal", &alone, "--listen", "127.0.0.1:0"]),
        &["nobody but the two parties", "--trust dealer"],
    );
    let model = example("hello/hello.ptx");
    let model = model.to_str().unwrap();
    let build = |option: &str, value: &str| ptc(&["build", model, "--trust", "dealer", option, value]);
    check_failure(&build("--extension", "silent"), &["leave `--extension` away"]);
    check_failure(&build("--profile", "moon"), &["no profile `moon`", "ptc profile -o FILE", "wan-slow"]);
    check_failure(&build("--profile", model), &["is no profile", "ptc profile -o FILE"]);
    for (option, value, expected) in
        [("--recipe", "maximum=least", "tournament or levels or bound"), ("--extension", "loud", "softspoken-4")]
    {
        check_failure(&build(option, value), &[expected]);
    }
}
