//! The library's model families in floating point, beside what `transformers` computed of the same checkpoints
//! (`tests/reference/make.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use ptc_ir::graph::Op;
use ptc_ir::{Graph, evaluate, print, verify};
use ptc_plan::float::FloatTensor;
use ptc_syntax::diagnostic::render;
use ptc_syntax::source::Sources;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// Part of the largest element: both sides compute in single precision, in another order.
const TOLERANCE: f32 = 1e-4;

/// Every query's results, where the mask keeps their rows.
fn check(family: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference").join(family);
    let graph = lower(&folder.join("model.ptx"));
    let parameters = parameters(&graph, &folder);
    let (inputs, expected) = (lines(&folder.join("inputs.jsonl")), lines(&folder.join("expected.jsonl")));
    assert_eq!(inputs.len(), expected.len());
    for (query, (given, expected)) in inputs.iter().zip(&expected).enumerate() {
        let given: BTreeMap<String, FloatTensor> =
            given.as_object().unwrap().iter().map(|(name, value)| (name.clone(), tensor(value))).collect();
        let found = evaluate::outputs(&graph, &given, &parameters).expect("all inputs are given");
        let (found, expected) = (&found[0], tensor(expected));
        assert_eq!(found.shape, expected.shape, "{family}");
        let kept = given.get("mask").filter(|mask| mask.shape[..] == found.shape[..1]);
        let width = found.data.len() / found.shape[0];
        let largest = expected.data.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        for (at, (a, b)) in found.data.iter().zip(&expected.data).enumerate() {
            if kept.is_none_or(|mask| mask.data[at / width] == 1.0) {
                assert!((a - b).abs() <= TOLERANCE * largest, "{family}, query {query}, element {at}: {a} is not {b}");
            }
        }
    }
}

fn lower(file: &Path) -> Graph {
    let text = std::fs::read_to_string(file).expect("the model is in the repository");
    let mut sources = Sources::default();
    let graph = ptc_typeck::load::load(&mut sources, "model.ptx", &text, &mut |_| None)
        .and_then(|program| ptc_lower::lower_entry(&program, &sources, None, &BTreeMap::new()))
        .unwrap_or_else(|diagnostics| panic!("{}", render(&diagnostics, &sources)));
    let problems: Vec<String> = [verify::verify(&graph), verify::unique_names(&graph), verify::needed_reveals(&graph)]
        .concat()
        .iter()
        .map(|problem| problem.to_string())
        .collect();
    assert!(problems.is_empty(), "{problems:#?}\n{}", print::print(&graph));
    graph
}

/// Every parameter that the graph names, from whichever file has it.
fn parameters(graph: &Graph, folder: &Path) -> BTreeMap<String, FloatTensor> {
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let files = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "safetensors"));
    let files: Vec<Vec<u8>> = files.map(|file| std::fs::read(file).unwrap()).collect();
    let files: Vec<SafeTensors> = files.iter().map(|bytes| SafeTensors::deserialize(bytes).unwrap()).collect();
    let paths = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Parameter { path } => Some(path.clone()),
        _ => None,
    });
    let found = |path: &str| files.iter().find_map(|file| file.tensor(path).ok());
    paths.map(|path| (path.clone(), floats(&found(&path).unwrap_or_else(|| panic!("no tensor `{path}`"))))).collect()
}

fn floats(view: &TensorView) -> FloatTensor {
    let (pairs, _) = view.data().as_chunks::<2>();
    let data = match view.dtype() {
        Dtype::F16 => pairs.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
        Dtype::BF16 => pairs.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect(),
        _ => view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
    };
    FloatTensor::new(view.shape().to_vec(), data)
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("in the repository");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn tensor(value: &Value) -> FloatTensor {
    let list = |name: &str| value[name].as_array().expect("a list").iter();
    let shape = list("shape").map(|size| size.as_u64().expect("a size") as usize).collect();
    FloatTensor::new(shape, list("data").map(|x| x.as_f64().expect("a number") as f32).collect())
}

#[test]
fn gpt2_agrees_with_transformers() {
    check("gpt2");
}

#[test]
fn llama_agrees_with_transformers() {
    check("llama");
}

#[test]
fn mistral_agrees_with_transformers() {
    check("mistral");
}

#[test]
fn qwen2_agrees_with_transformers() {
    check("qwen2");
}

#[test]
fn qwen3_agrees_with_transformers() {
    check("qwen3");
}

#[test]
fn vit_agrees_with_transformers() {
    check("vit");
}
