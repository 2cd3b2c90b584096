//! Keys of a configuration. Each that changes what the model computes is read and checked, or refused; those that nothing
//! here knows are told.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::problem::Problem;

pub(crate) struct Keys<'a> {
    map: &'a Map<String, Value>,
    read: BTreeSet<String>,
    pub problems: Vec<Problem>,
}

/// Keys of training, of generation, of bookkeeping: the result of the model for given ids does not depend on them.
const WITHOUT_EFFECT: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "_num_labels",
    "architectures",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_implementation",
    "attn_pdrop",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "cls_token_id",
    "decoder_start_token_id",
    "directionality",
    "diversity_penalty",
    "do_sample",
    "dropout",
    "dtype",
    "early_stopping",
    "embd_pdrop",
    "encoder_no_repeat_ngram_size",
    "encoder_stride",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "hidden_dropout_prob",
    "initializer_factor",
    "initializer_range",
    "is_encoder_decoder",
    "keys_to_ignore_at_inference",
    "label2id",
    "language",
    "length_penalty",
    "mask_token_id",
    "max_length",
    "min_length",
    "name",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "output_scores",
    "pad_token_id",
    "pooler_act",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_output_size",
    "pooler_size_per_head",
    "pooler_type",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "qa_dropout",
    "remove_invalid_values",
    "repetition_penalty",
    "resid_pdrop",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "seq_classif_dropout",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tie_weights_",
    // Decoders read it; an encoder has no head that shares the table.
    "tie_word_embeddings",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "typical_p",
    "unk_token_id",
    "use_bfloat16",
    "use_cache",
];

/// Unknown keys that are told; a hostile file may have many.
const MAX_UNKNOWN: usize = 20;

impl<'a> Keys<'a> {
    pub fn new(map: &'a Map<String, Value>) -> Keys<'a> {
        Keys { map, read: BTreeSet::new(), problems: vec![] }
    }

    /// The value, where it is there and not null.
    pub fn value(&mut self, key: &str) -> Option<&'a Value> {
        self.read.insert(key.to_string());
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        self.value(key).and_then(Value::as_str)
    }

    /// Says that a key's value is not supported.
    pub fn refuse(&mut self, key: &str, supported: impl Into<String>, fix: impl Into<String>) {
        let found = match self.value(key) {
            Some(value) => format!("`{key}` is {}", shortened(value)),
            None => format!("it has no `{key}`"),
        };
        self.problems.push(Problem::new("config.json", found, supported, fix));
    }

    /// A whole number from 1 to `most`, which must be there.
    pub fn size(&mut self, key: &str, most: u64) -> u64 {
        self.size_or(key, None, most)
    }

    pub fn size_or(&mut self, key: &str, default: impl Into<Option<u64>>, most: u64) -> u64 {
        let found = match self.value(key) {
            Some(value) => value.as_u64(),
            None => default.into(),
        };
        if let Some(size) = found.filter(|size| (1..=most).contains(size)) {
            return size;
        }
        self.refuse(key, format!("a whole number from 1 to {most}"), "check the configuration against its checkpoint");
        1
    }

    /// A number above 0 and at most `most`.
    pub fn real(&mut self, key: &str, default: f64, most: f64) -> f64 {
        let found = match self.value(key) {
            Some(value) => value.as_f64(),
            None => Some(default),
        };
        if let Some(number) = found.filter(|number| *number > 0.0 && *number <= most) {
            return number;
        }
        self.refuse(key, format!("a number above 0, at most {most}"), "check the configuration against its checkpoint");
        default
    }

    pub fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.value(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.refuse(key, "true or false", "check the configuration");
                default
            }
        }
    }

    /// The key is absent, or has the one value that is supported.
    pub fn only(&mut self, key: &str, supported: Value, fix: &str) {
        if self.value(key).is_some_and(|value| *value != supported) {
            self.refuse(key, supported.to_string(), fix);
        }
    }

    /// Keys that any family may have.
    pub fn common(&mut self) {
        let fix = "load the checkpoint with transformers, `model.dequantize()`, and save it again in f16";
        self.only("quantization_config", Value::Null, fix);
        let fix = "use the checkpoint before its heads were pruned, or write its `.ptx` by hand";
        self.only("pruned_heads", Value::Object(Map::new()), fix);
        let fix =
            "only one of the two stacks can be imported: save the encoder or the decoder as a checkpoint of its own";
        self.only("is_encoder_decoder", Value::Bool(false), fix);
        self.only("add_cross_attention", Value::Bool(false), fix);
        let fix = "use a checkpoint that needs no code of its own";
        self.only("auto_map", Value::Null, fix);
    }

    /// How many classes, by `id2label` or `num_labels`.
    pub fn labels(&mut self) -> u64 {
        let named = self.value("id2label").and_then(Value::as_object).map(|labels| labels.len() as u64);
        match named {
            Some(count @ 1..=100_000) => count,
            Some(_) => {
                self.refuse("id2label", "1 to 100000 classes", "check the configuration against its checkpoint");
                1
            }
            None => self.size_or("num_labels", 2, 100_000),
        }
    }

    pub fn has_labels(&self) -> bool {
        self.map.get("id2label").is_some_and(Value::is_object)
    }

    /// A note of what was not looked at.
    pub fn unknown(&mut self) -> Vec<String> {
        self.read.extend(["num_labels", "id2label", "model_type"].map(String::from));
        let unknown = |key: &&String| !self.read.contains(*key) && !WITHOUT_EFFECT.contains(&key.as_str());
        let unknown: Vec<&String> = self.map.keys().filter(unknown).collect();
        let mut notes: Vec<String> = unknown
            .iter()
            .take(MAX_UNKNOWN)
            .map(|key| {
                let value = shortened(&self.map[key.as_str()]);
                let note = format!("`{key}` is {value} in config.json, which no rule here knows: compare results");
                note.chars().filter(|c| !c.is_control()).collect()
            })
            .collect();
        if let Some(more @ 1..) = unknown.len().checked_sub(MAX_UNKNOWN) {
            notes.push(format!("{more} further keys of config.json are not known here"));
        }
        notes
    }
}

/// A value for a message.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
