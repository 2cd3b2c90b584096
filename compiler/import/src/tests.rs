use serde_json::{Value, json};

use super::*;

/// A small BERT's configuration, with changes.
fn bert_config(changes: Value) -> Value {
    let mut config = json!({
        "model_type": "bert", "architectures": ["BertForSequenceClassification"], "vocab_size": 96, "hidden_size": 32,
        "num_attention_heads": 4, "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 16,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2, "id2label": {"0": "no", "1": "yes"},
    });
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

fn tensors(names: &[&str]) -> Tensors {
    names.iter().map(|name| (name.to_string(), Tensor { dtype: "F32".into(), shape: vec![1] })).collect()
}

fn with(files: &[(&str, Value)], names: &[&str], head: Option<Head>) -> Result<Imported, Vec<Problem>> {
    let mut read = |name: &str| {
        Ok(files.iter().find(|(file, _)| *file == name).map(|(_, value)| match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        }))
    };
    import(&mut read, &tensors(names), Wish { head })
}

const WORDS: &str = "bert.embeddings.word_embeddings.weight";

/// The place and the finding of each problem.
fn problems(config: Value, names: &[&str]) -> Vec<String> {
    let problems = with(&[("config.json", config)], names, None).unwrap_err();
    problems.iter().map(|problem| format!("{}: {}", problem.place, problem.found)).collect()
}

fn check_problem(changes: Value, part: &str) {
    let found = problems(bert_config(changes.clone()), &[WORDS]);
    assert!(matches!(&found[..], [one] if one.contains(part)), "{changes}: {found:?}");
}

#[test]
fn a_source_reads_like_one_written_by_hand() {
    let imported = with(&[("config.json", bert_config(json!({})))], &[WORDS], None).unwrap();
    let expected = r#"//! BERT of 2 layers, 32 wide, 4 heads: a logit for each class.
//!
//! Made by `ptc import` from a Hugging Face checkpoint; names in `at` are the checkpoint's. Who may see what is
//! said here and can be changed here: embeddings are public, so the client looks its ids up alone.

use attention::MultiHead;
use nn::{LayerNorm, Linear, gelu, tanh};

dim S = 16;                                   // tokens, at most 16; `ptc build --dim S=32` overrides it
const VOCABULARY = 96;
const PLACES = 16;
const D = 32;
const HEADS = 4;
const FFN = 64;
const LAYERS = 2;
const EPS = 1e-12;
const LABELS = 2;

module Block {
    attend:  MultiHead<D, HEADS> at "attention.self",
    project: Linear<D, D>        at "attention.output.dense",
    norm1:   LayerNorm<D, EPS>   at "attention.output.LayerNorm",
    up:      Linear<D, FFN>      at "intermediate.dense",
    down:    Linear<FFN, D>      at "output.dense",
    norm2:   LayerNorm<D, EPS>   at "output.LayerNorm",

    fn forward(x: real[S, D], mask: bit[S]) -> real[S, D] {
        let a = norm1(x + project(attend(x, mask)));
        norm2(a + down(gelu(up(a))))
    }
}

model BertClassifier {
    words:      real[VOCABULARY, D] @public at "bert.embeddings.word_embeddings.weight",
    positions:  real[PLACES, D]     @public at "bert.embeddings.position_embeddings.weight",
    segments:   real[2, D]          @public at "bert.embeddings.token_type_embeddings.weight",
    norm0:      LayerNorm<D, EPS>   @public at "bert.embeddings.LayerNorm",
    blocks:     [Block; LAYERS]     @server at "bert.encoder.layer.{}",
    dense:      Linear<D, D>        @server at "bert.pooler.dense",
    classifier: Linear<D, LABELS>   @server at "classifier",

    entry classify(ids: token[S] @client, kinds: token[S] @client, mask: bit[S] @client) -> real[LABELS] @client {
        let x = norm0(words[ids] + positions[0..S] + segments[kinds]);
        for block in blocks { x = block(x, mask); }
        classifier(tanh(dense(x[0])))
    }
}
"#;
    assert_eq!(imported.source, expected, "{}", imported.source);
    assert_eq!((imported.family, imported.head), ("BERT", Head::Classification));
    assert_eq!(imported.length, Some(Length { default: 16, most: 16 }));
}

#[test]
fn names_are_the_checkpoint_s() {
    let source = |names: &[&str]| {
        with(&[("config.json", bert_config(json!({"architectures": ["BertModel"]})))], names, None).unwrap().source
    };
    assert!(source(&["embeddings.word_embeddings.weight"]).contains("at \"encoder.layer.{}\""));
    assert!(source(&["model.bert.embeddings.word_embeddings.weight"]).contains("at \"model.bert.encoder.layer.{}\""));
    let old = source(&[WORDS, "bert.embeddings.LayerNorm.gamma"]);
    assert!(old.contains("use bert::GammaNorm;") && old.contains("norm1:   GammaNorm<D, EPS>"), "{old}");
}

#[test]
fn everything_in_the_way_is_told_at_once() {
    let config = bert_config(json!({
        "position_embedding_type": "relative_key", "hidden_act": "quick_gelu", "num_attention_heads": 5,
        "quantization_config": {"bits": 4}, "is_decoder": true, "layer_norm_eps": -1, "intermediate_size": "64",
        "num_hidden_layers": 1e12 as u64, "architectures": ["BertForMaskedLM"],
    }));
    let found = problems(config, &["bart.weight"]);
    for part in [
        "`position_embedding_type` is \"relative_key\"",
        "`hidden_act` is \"quick_gelu\"",
        "`quantization_config` is {\"bits\":4}",
        "`is_decoder` is true",
        "`layer_norm_eps` is -1",
        "`intermediate_size` is \"64\"",
        "`num_hidden_layers` is 1000000000000",
        "`architectures` is [\"BertForMaskedLM\"]",
        "5 heads in a width of 32",
        "no tensor is named `bert.embeddings.word_embeddings.weight`",
    ] {
        assert!(found.iter().any(|problem| problem.contains(part)), "no `{part}` in {found:#?}");
    }
    assert_eq!(found.len(), 10, "{found:#?}");
}

#[test]
fn one_problem_is_one_problem() {
    check_problem(json!({"num_attention_heads": 5}), "5 heads in a width of 32");
    check_problem(json!({"vocab_size": null}), "it has no `vocab_size`");
    check_problem(json!({"id2label": {}}), "`id2label` is {}");
    check_problem(json!({"pruned_heads": {"0": [1]}}), "`pruned_heads`");
    check_problem(json!({"model_type": "t5"}), "`model_type` is \"t5\"");
    check_problem(json!({"model_type": "a\u{1b}[2J"}), "`model_type` is");
    check_problem(json!({"hidden_size": -1}), "`hidden_size` is -1");
}

#[test]
fn files_that_are_no_configuration_are_refused() {
    for text in ["", "[]", "{", "null", &"[".repeat(10_000)] {
        let found = with(&[("config.json", Value::String(text.into()))], &[WORDS], None);
        assert_eq!(found.unwrap_err().len(), 1, "{text}");
    }
    assert!(with(&[], &[WORDS], None).unwrap_err()[0].found.contains("no `config.json`"));
}

#[test]
fn what_no_rule_knows_is_told() {
    let config = bert_config(json!({"residual_scale\u{7}": 0.5, "use_cache": true}));
    let imported = with(&[("config.json", config)], &[WORDS], None).unwrap();
    let told: Vec<&String> = imported.notes.iter().filter(|note| note.contains("compare results")).collect();
    assert!(matches!(told[..], [note] if note.starts_with("`residual_scale` is 0.5")), "{told:?}");
}

#[test]
fn heads_can_be_chosen() {
    let result = |head| with(&[("config.json", bert_config(json!({})))], &[WORDS], Some(head));
    assert!(result(Head::Encoder).unwrap().source.contains("-> real[S, D] @client"));
    assert!(result(Head::Tokens).unwrap().source.contains("-> real[S, LABELS] @client"));
    assert!(result(Head::Embedding).unwrap().source.contains("mean_pool(x, mask)"));
    assert!(result(Head::NextToken).unwrap_err()[0].supported.contains("--head encoder"));
}

fn sentence(pooling: Value, steps: &[&str]) -> Result<Imported, Vec<Problem>> {
    let folder = |kind: &str| if kind == "Pooling" { "1_Pooling" } else { "" };
    let step = |kind: &&str| json!({"path": folder(kind), "type": format!("sentence_transformers.models.{kind}")});
    let modules = Value::Array(steps.iter().map(step).collect());
    let files =
        [("config.json", bert_config(json!({}))), ("modules.json", modules), ("1_Pooling/config.json", pooling)];
    with(&files, &[WORDS], None)
}

#[test]
fn sentence_transformers_pool_rows() {
    let steps = ["Transformer", "Pooling", "Normalize"];
    let mean = json!({"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true});
    assert!(sentence(mean.clone(), &steps).unwrap().source.contains("l2_normalize(mean_pool(x, mask))"));
    assert!(sentence(mean.clone(), &steps[..2]).unwrap().source.contains("    mean_pool(x, mask)"));
    assert!(sentence(json!({"pooling_mode": "cls"}), &steps).unwrap().source.contains("l2_normalize(x[0])"));
    for (pooling, steps, part) in [
        (json!({"pooling_mode_max_tokens": true}), &steps[..], "max_tokens"),
        (mean.clone(), &["Transformer", "Pooling", "Dense"][..], "Transformer, Pooling, Dense"),
        (json!([]), &steps[..], "pooled by"),
    ] {
        let problems = sentence(pooling, steps).unwrap_err();
        assert!(problems[0].found.contains(part), "{problems:?}");
    }
}

#[test]
fn scaled_rotary_angles_and_windows() {
    let config = |changes: Value| {
        let mut config = json!({
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 96, "hidden_size": 32,
            "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64, "num_hidden_layers": 2,
        });
        for (key, value) in changes.as_object().unwrap() {
            config[key] = value.clone();
        }
        with(&[("config.json", config)], &["model.embed_tokens.weight"], None)
    };
    assert!(config(json!({"rope_theta": 5e5})).unwrap().source.contains("const THETA = 5e5;"));
    let newer = json!({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}});
    assert!(config(newer).unwrap().source.contains("const THETA = 1e6;"));
    for (changes, part) in [
        (json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}), "`rope_scaling`"),
        (json!({"rope_scaling": {"type": "linear", "factor": 2.0}}), "`rope_scaling`"),
        (json!({"num_key_value_heads": 3}), "`num_key_value_heads`"),
        (json!({"attention_bias": true}), "`attention_bias`"),
        (json!({"hidden_act": "gelu"}), "`hidden_act`"),
        (json!({"partial_rotary_factor": 0.5}), "`partial_rotary_factor`"),
    ] {
        let problems = config(changes.clone()).unwrap_err();
        assert!(matches!(&problems[..], [one] if one.found.contains(part)), "{changes}: {problems:?}");
    }
    let windowed = config(json!({"model_type": "mistral", "sliding_window": 512, "max_position_embeddings": 4096}));
    assert_eq!(windowed.unwrap().length, Some(Length { default: 64, most: 512 }));
}

#[test]
fn a_load_names_what_is_unused_and_what_is_missing() {
    let parameters: BTreeMap<String, Vec<usize>> =
        [("a.x.weight", vec![1]), ("a.x.bias", vec![1])].map(|(path, shape)| (path.to_string(), shape)).into();
    let load =
        report::compare(&parameters, &tensors(&["a.x.weight", "a.x.bias", "a.position_ids", "pooler.w", "pooler.b"]));
    let load = load.unwrap();
    assert_eq!(load.flags, ["a.position_ids", "pooler"]);
    assert!(load.unused.iter().any(|(name, reason)| name == "a.position_ids" && reason.contains("buffer")));
    let mut wrong = tensors(&["a.x.weights"]);
    wrong.insert("a.x.bias".into(), Tensor { dtype: "F32".into(), shape: vec![2] });
    let problems = report::compare(&parameters, &wrong).err().unwrap();
    assert_eq!(problems.len(), 2);
    assert!(problems[0].found.contains("[2] in the weights") && problems[1].found.contains("`a.x.weights`"));
    let mut whole = tensors(&["a.x.weight", "a.x.bias"]);
    whole.insert("a.x.bias".into(), Tensor { dtype: "I8".into(), shape: vec![1] });
    assert!(report::compare(&parameters, &whole).err().unwrap()[0].found.contains("holds I8"));
}
