//! The checkpoints of `tests/reference`, imported: the source computes in floating point what transformers computed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ptc_driver::Request;
use ptc_import::problem::Problem;
use ptc_import::{Imported, Tensor, Tensors, Wish, header, report};
use ptc_ir::Graph;
use ptc_ir::evaluate;
use ptc_ir::graph::Op;
use ptc_plan::float::FloatTensor;
use serde_json::Value;

type Arrays = BTreeMap<String, FloatTensor>;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference").join(name)
}

/// Headers and numbers of every file of the checkpoint.
fn weights(folder: &Path) -> (Tensors, Arrays) {
    let index = std::fs::read_to_string(folder.join("model.safetensors.index.json"));
    let files = match index {
        Ok(text) => header::parse_index(&text).unwrap().files,
        Err(_) => vec!["model.safetensors".to_string()],
    };
    let (mut tensors, mut arrays) = (Tensors::new(), Arrays::new());
    for file in files {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let (size, rest) = bytes.split_at(8);
        let (head, data) = rest.split_at(u64::from_le_bytes(size.try_into().unwrap()) as usize);
        for (name, info) in header::parse(head).unwrap().tensors {
            let (start, end) = info.data_offsets;
            let dtype = format!("{:?}", info.dtype);
            arrays.insert(name.clone(), FloatTensor::new(info.shape.clone(), numbers(&dtype, &data[start..end])));
            tensors.insert(name, Tensor { dtype, shape: info.shape });
        }
    }
    (tensors, arrays)
}

fn numbers(dtype: &str, bytes: &[u8]) -> Vec<f32> {
    let halves = || bytes.as_chunks::<2>().0.iter();
    match dtype {
        "F32" => bytes.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)).collect(),
        "F16" => halves().map(|&number| half::f16::from_le_bytes(number).to_f32()).collect(),
        "BF16" => halves().map(|&number| half::bf16::from_le_bytes(number).to_f32()).collect(),
        _ => panic!("{dtype}"),
    }
}

fn read(folder: &Path, name: &str) -> Result<Option<String>, Problem> {
    Ok(std::fs::read_to_string(folder.join(name)).ok())
}

fn array(value: &Value) -> FloatTensor {
    let numbers = |key: &str| value[key].as_array().unwrap().iter();
    let shape = numbers("shape").map(|size| size.as_u64().unwrap() as usize).collect();
    FloatTensor::new(shape, numbers("data").map(|number| number.as_f64().unwrap() as f32).collect())
}

fn lines(path: PathBuf) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn graph(imported: &Imported, length: Option<u64>) -> Graph {
    let dims = length.map(|length| ("S".to_string(), length)).into_iter().collect();
    let request = Request { dims, ..Request::default() };
    match ptc_driver::graph(Path::new("model.ptx"), &imported.source, &request, None) {
        Ok(graph) => graph,
        Err(failure) => {
            ptc_syntax::diagnostic::print(&failure.diagnostics, &failure.sources);
            panic!("{}", imported.source);
        }
    }
}

/// Float32 on both sides: sums in another order differ by a few units of the last place.
const TOLERANCE: f32 = 2e-4;

fn check(name: &str, source_has: &[&str]) {
    let folder = folder(name);
    let (tensors, arrays) = weights(&folder);
    let imported = ptc_import::import(&mut |file| read(&folder, file), &tensors, Wish::default()).unwrap();
    assert_eq!(ptc_syntax::format::format(&imported.source).as_deref(), Ok(imported.source.as_str()), "{name}");
    for part in source_has {
        assert!(imported.source.contains(part), "{name}: no `{part}` in\n{}", imported.source);
    }
    let queries = lines(folder.join("inputs.jsonl"));
    let size = queries[0].get("ids").map(|ids| ids["shape"][0].as_u64().unwrap());
    let graph = graph(&imported, size);
    let parameters = graph.nodes.iter().filter_map(|node| match &node.op {
        Op::Parameter { path } => Some((path.clone(), node.shape.clone())),
        _ => None,
    });
    let load = report::compare(&parameters.collect(), &tensors).unwrap();
    assert_eq!(load.used.len() + load.unused.len(), tensors.len(), "{name}");
    let taken = |query: &Value| -> Arrays {
        let inputs = graph.nodes.iter().filter_map(|node| match &node.op {
            Op::Input { name, .. } => Some((name.clone(), array(&query[name]))),
            _ => None,
        });
        inputs.collect()
    };
    for (query, expected) in queries.iter().zip(lines(folder.join("expected.jsonl"))) {
        let (found, expected) = (evaluate::outputs(&graph, &taken(query), &arrays).unwrap(), array(&expected));
        assert_eq!(found[0].shape, expected.shape, "{name}");
        let scale = 1.0 + expected.max_abs();
        let kept: Vec<bool> = match name {
            // Rows of padding have results too, which nobody looks at.
            "bert_tokens" => array(&query["mask"]).data.iter().flat_map(|&bit| [bit == 1.0; 3]).collect(),
            _ => vec![true; expected.data.len()],
        };
        for ((found, expected), _) in found[0].data.iter().zip(&expected.data).zip(kept).filter(|(_, kept)| *kept) {
            assert!((found - expected).abs() < TOLERANCE * scale, "{name}: {found} is not {expected}");
        }
    }
}

#[test]
fn bert_classifies_pairs() {
    check(
        "bert",
        &["model BertClassifier", "segments[kinds]", "tanh(dense(x[0]))", "@server at \"bert.pooler.dense\""],
    );
}

#[test]
fn bert_classifies_tokens() {
    check("bert_tokens", &["model BertTagger", "-> real[S, LABELS] @client"]);
}

#[test]
fn roberta_counts_positions_behind_the_padding_s() {
    check("roberta", &["positions[2..S + 2]", "const EPS = 1e-5;", "at \"classifier.out_proj\""]);
}

#[test]
fn distilbert_classifies() {
    check("distilbert", &["use distilbert::Attention;", "relu(dense(x[0]))"]);
}

#[test]
fn mpnet_embeds_a_sentence() {
    check("mpnet", &["distances(S)", "l2_normalize(mean_pool(x, mask))", "at \"encoder.layer.{}\""]);
}

#[test]
fn gpt2_predicts_a_word() {
    check("gpt2", &["words.T", "@server at \"transformer.h.{}\""]);
}

#[test]
fn llama_and_its_relatives_predict_a_word() {
    check("llama", &["at \"lm_head\"", "[Block<D, HEADS, KV, FFN, EPS, DH>; LAYERS]"]);
    check("mistral", &["model MistralPredictor"]);
    check("qwen2", &["BiasedBlock", "const THETA = 1e6;", "words.T"]);
    check("qwen3", &["NormedBlock", "const DH = 12;"]);
}

#[test]
fn vit_classifies_an_image() {
    check("vit", &["@server at \"vit.embeddings\"", "classifier(norm(x[0]))"]);
}

/// Whatever stands in a configuration, the import says no or gives a source that is a model.
#[test]
fn odd_values_are_refused_or_used() {
    let odd = ["null", "-1", "0", "1", "2", "7", "0.5", "1e300", "18446744073709551615", "true", "false", "[]", "{}"];
    let odd = odd.into_iter().chain(["\"gelu_new\"", "\"a\\u001b\\\"}\"", "[1, 2]", "{\"rope_type\": \"yarn\"}"]);
    let odd: Vec<Value> = odd.map(|text| serde_json::from_str(text).unwrap()).collect();
    let mut used = 0;
    for family in ["bert", "roberta", "distilbert", "mpnet", "gpt2", "llama", "qwen2", "qwen3", "vit"] {
        let folder = folder(family);
        let (tensors, _) = weights(&folder);
        let config: Value = serde_json::from_str(&read(&folder, "config.json").unwrap().unwrap()).unwrap();
        for key in config.as_object().unwrap().keys() {
            for value in &odd {
                let mut config = config.clone();
                config[key] = value.clone();
                let mut read = |name: &str| match name {
                    "config.json" => Ok(Some(config.to_string())),
                    name => read(&folder, name),
                };
                match ptc_import::import(&mut read, &tensors, Wish::default()) {
                    Ok(imported) => {
                        graph(&imported, imported.length.map(|length| length.most.min(4)));
                        used += 1;
                    }
                    Err(problems) => assert!(!problems.is_empty(), "{family}: {key} is {value}"),
                }
            }
        }
    }
    assert!(used > 1000, "{used}");
}
