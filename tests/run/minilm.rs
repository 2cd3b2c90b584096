//! MiniLM at a small length between two parties alone, beside the same with a dealer: with the real checkpoint where it has
//! been fetched, else with random weights of the same shapes and ranges measured on them.

use std::path::{Path, PathBuf};

use ptc_plan::Plan;
use ptc_ring::Seed;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::support::{Workshop, example, ptc};

const LENGTH: &str = "S=8";

struct Checkpoint {
    weights: PathBuf,
    tokenizer: PathBuf,
    /// None for those that the repository has.
    ranges: Option<String>,
}

#[test]
fn minilm_embeds_the_same_with_and_without_a_dealer() {
    let shop = Workshop::new();
    // The shortest text of the reference.
    let reference = std::fs::read_to_string(example("minilm/reference.jsonl")).unwrap();
    let reference: Value = serde_json::from_str(reference.lines().next().unwrap()).unwrap();
    let text = reference["text"].as_str().unwrap();
    let real = example("minilm/model/model.safetensors").exists();
    let checkpoint = if real { fetched() } else { made_up(&shop) };
    let alone = embed(&shop, &checkpoint, "two-party", text);
    let dealt = embed(&shop, &checkpoint, "dealer", text);
    assert!(cosine(&alone, &dealt) > 0.9999);
    if real {
        let expected: Vec<f64> =
            reference["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        assert!(cosine(&alone, &expected) > 0.999);
    }
}

fn embed(shop: &Workshop, checkpoint: &Checkpoint, trust: &str, text: &str) -> Vec<f64> {
    let mut options = vec!["--dim", LENGTH, "--trust", trust];
    options.extend(checkpoint.ranges.iter().flat_map(|ranges| ["--ranges", ranges]));
    let plan = shop.plan("minilm/minilm.ptx", "minilm.plan", &options);
    let (_dealer, dealer) = crate::source(shop, &plan, trust);
    let stats = shop.path("stats.json");
    let unused = ["--unused", "pooler", "--unused", "embeddings.position_ids", "--stats", &stats];
    let weights = checkpoint.weights.to_str().unwrap();
    let (server, address) = shop.server(&plan, dealer.as_deref(), weights, &unused);
    let given = ["--text", text, "--truncate", "--tokenizer", checkpoint.tokenizer.to_str().unwrap()];
    let client = shop.client(&plan, dealer.as_deref(), &address, &given).end();
    let server = server.end();
    assert!(client.success && server.success, "{trust}: {}\n{}", client.stderr, server.stderr);
    let stats: Value = serde_json::from_slice(&std::fs::read(&stats).unwrap()).unwrap();
    crate::examples::check_prediction(&stats);
    let found: Value = serde_json::from_str(&client.stdout).unwrap();
    crate::examples::numbers(&found["embed"])
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    assert_eq!(a.len(), b.len());
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn fetched() -> Checkpoint {
    let file = |name: &str| example("minilm/model").join(name);
    Checkpoint { weights: file("model.safetensors"), tokenizer: file("tokenizer.json"), ranges: None }
}

/// Matrices that keep sizes, norms that change nothing, and a tokenizer of another model.
fn made_up(shop: &Workshop) -> Checkpoint {
    let plan = shop.plan("minilm/minilm.ptx", "shapes.plan", &["--dim", LENGTH]);
    let plan = Plan::from_bytes(&std::fs::read(plan).unwrap()).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = plan
        .parameters
        .iter()
        .enumerate()
        .map(|(at, parameter)| (parameter.path.clone(), parameter.shape.clone(), random(at, parameter)))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let weights = PathBuf::from(shop.path("model.safetensors"));
    std::fs::write(&weights, safetensors::serialize(views, None).unwrap()).unwrap();
    let (samples, ranges) = (shop.path("samples.txt"), shop.path("ranges.json"));
    std::fs::write(&samples, "a library for compressed files\nfonts for the console\n").unwrap();
    let tokenizer = example("sections/tokenizer.json");
    let [model, weights_at, tokenizer_at] =
        [&example("minilm/minilm.ptx"), &weights, &tokenizer].map(|path: &PathBuf| text_of(path));
    let measured = ptc(&[
        "calibrate",
        &model,
        "--dim",
        LENGTH,
        "--weights",
        &weights_at,
        "--tokenizer",
        &tokenizer_at,
        "--samples",
        &samples,
        "-o",
        &ranges,
    ]);
    assert!(measured.success, "{}", measured.stderr);
    Checkpoint { weights, tokenizer, ranges: Some(ranges) }
}

fn text_of(path: &Path) -> String {
    path.to_str().unwrap().to_string()
}

fn random(at: usize, parameter: &ptc_plan::file::Parameter) -> Vec<u8> {
    let count: usize = parameter.shape.iter().product();
    // Sums of four uniform numbers are normal enough.
    let mut stream = Seed::from_bytes([7; 32]).stream(0, at as u64);
    let words = stream.words(count);
    let normal = |word: u64| (0..4).map(|i| (word >> (16 * i) & 0xffff) as f32 / 65536.0 - 0.5).sum::<f32>() * 1.7;
    let value = |word: u64| match parameter.shape[..] {
        [_] if parameter.path.ends_with("weight") => 1.0,
        [_] => 0.0,
        [_, inner] => normal(word) / (inner as f32).sqrt(),
        _ => normal(word),
    };
    words.into_iter().flat_map(|word| value(word).to_le_bytes()).collect()
}
