//! The models of `examples/` as graphs: well-formed, named as in the source, and right in floating point.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ptc_ir::graph::{Op, Visibility};
use ptc_ir::{Graph, evaluate, print, verify};
use ptc_plan::float::FloatTensor;
use ptc_syntax::diagnostic::render;
use ptc_syntax::source::Sources;
use safetensors::SafeTensors;

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(file)
}

fn lower(file: &str, dims: &[(&str, u64)]) -> Graph {
    let text = std::fs::read_to_string(example(file)).expect("the example is in the repository");
    lower_text(file, &text, dims)
}

fn lower_text(name: &str, text: &str, dims: &[(&str, u64)]) -> Graph {
    let mut sources = Sources::default();
    let dims: BTreeMap<String, u64> = dims.iter().map(|(name, size)| (name.to_string(), *size)).collect();
    let graph = ptc_typeck::load::load(&mut sources, name, text, &mut |_| None)
        .and_then(|program| ptc_lower::lower_entry(&program, &sources, None, &dims))
        .unwrap_or_else(|diagnostics| panic!("{}", render(&diagnostics, &sources)));
    let problems: Vec<String> = [verify::verify(&graph), verify::unique_names(&graph), verify::needed_reveals(&graph)]
        .concat()
        .iter()
        .map(|problem| problem.to_string())
        .collect();
    assert!(problems.is_empty(), "{problems:#?}\n{}", print::print(&graph));
    graph
}

fn close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "off by {worst}: {found:?} for {expected:?}");
}

#[test]
fn hello_is_exact() {
    let graph = lower("hello/hello.ptx", &[]);
    let x = FloatTensor::new(vec![4], numbers(&json("hello/x.json")["data"]));
    let found = evaluate(&graph, &[("x", x)], "hello/model.safetensors");
    assert_eq!(found, numbers(&json("hello/expected.json")["infer"]["data"]));
}

/// Ids by the folder's tokenizer, and the logits stored beside the text in `held_out.jsonl`.
#[test]
fn sections_agrees_with_training() {
    let graph = lower("sections/sections.ptx", &[]);
    let ids = [2, 183, 124, 176, 1309, 120, 638, 1415, 2425, 3];
    let padded = |of: &dyn Fn(usize) -> f32| FloatTensor::new(vec![32], (0..32).map(of).collect());
    let inputs = [
        ("ids", padded(&|at| ids.get(at).map_or(0.0, |id| *id as f32))),
        ("mask", padded(&|at| if at < ids.len() { 1.0 } else { 0.0 })),
    ];
    let found = evaluate(&graph, &inputs, "sections/model.safetensors");
    let text = std::fs::read_to_string(example("sections/held_out.jsonl")).expect("in the repository");
    let first: serde_json::Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["text"], "Documentation for the SELinux reference policy");
    close(&found, &numbers(&first["logits"]), 1e-4);
}

/// Ids are embedded by their owner, weights are multiplied in secret, the result goes to the client alone.
#[test]
fn sections_is_secret_where_both_meet() {
    let graph = lower("sections/sections.ptx", &[]);
    let visibility = |name: &str| {
        graph.nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("no `{name}`")).visibility
    };
    assert_eq!(visibility("words"), Visibility::Public);
    assert_eq!(visibility("norm0"), Visibility::Client);
    assert_eq!(visibility("blocks.0.attend.query.weight"), Visibility::Server);
    assert_eq!(visibility("blocks.0.attend.query"), Visibility::Secret);
    assert_eq!(visibility("blocks.1.attend.scores"), Visibility::Secret);
    assert_eq!(visibility("mean_pool.weights"), Visibility::Client);
    assert_eq!(visibility("classifier"), Visibility::Secret);
    assert_eq!(visibility("classify.reveal"), Visibility::Client);
    let limits: Vec<(String, f32)> = graph
        .nodes
        .iter()
        .filter_map(|node| match &node.op {
            Op::Input { name, limit, .. } => Some((name.clone(), *limit)),
            _ => None,
        })
        .collect();
    assert_eq!(limits, [("ids".to_string(), 4000.0), ("mask".to_string(), 1.0)]);
    let reveals = graph.nodes.iter().filter(|node| matches!(node.op, Op::Reveal { .. })).count();
    assert_eq!((reveals, graph.outputs.len()), (1, 1));
}

#[test]
fn the_larger_models_lower_at_every_length() {
    for (file, dims, nodes) in [
        ("minilm/minilm.ptx", &[("S", 32)][..], 320),
        // All positions: the slice of them is the table itself.
        ("minilm/minilm.ptx", &[("S", 512)], 319),
        ("bertlayer/bertlayer.ptx", &[], 51),
    ] {
        let graph = lower(file, dims);
        assert_eq!(graph.nodes.len(), nodes, "{file}");
        assert_eq!(graph.dims, [("S".to_string(), dims.first().map_or(128, |dim| dim.1))]);
        assert_eq!(graph.nodes.last().map(|node| node.visibility), Some(Visibility::Client));
    }
}

/// Every parameter of the checkpoint that the graph names.
fn parameters(graph: &Graph, file: &str) -> BTreeMap<String, FloatTensor> {
    let bytes = std::fs::read(example(file)).expect("the weights are in the repository");
    let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let paths = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Parameter { path } => Some(path.clone()),
        _ => None,
    });
    paths
        .map(|path| {
            let view = tensors.tensor(&path).unwrap_or_else(|_| panic!("no tensor `{path}`"));
            let data = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            (path, FloatTensor::new(view.shape().to_vec(), data))
        })
        .collect()
}

fn numbers(value: &serde_json::Value) -> Vec<f32> {
    let list = value.as_array().expect("a list of numbers");
    list.iter().map(|x| x.as_f64().expect("a number") as f32).collect()
}

fn json(file: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(example(file)).expect("in the repository");
    serde_json::from_str(&text).expect("JSON")
}

fn evaluate(graph: &Graph, inputs: &[(&str, FloatTensor)], weights: &str) -> Vec<f32> {
    let inputs = inputs.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    let outputs = evaluate::outputs(graph, &inputs, &parameters(graph, weights)).expect("all inputs are given");
    outputs[0].data.clone()
}
