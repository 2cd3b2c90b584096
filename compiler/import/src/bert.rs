//! BERT and its relatives: what their configurations say.

use serde_json::json;

use crate::encoder::{Block, Encoder, Sizes, draft};
use crate::keys::Keys;
use crate::sentence::Sentence;
use crate::{Draft, Tensors, Wish};

/// Bounds for what a configuration may ask: beyond them a checkpoint is broken or hostile.
pub(crate) const MAX_ROWS: u64 = 1 << 22;
pub(crate) const MAX_WIDTH: u64 = 1 << 17;
pub(crate) const MAX_LAYERS: u64 = 512;

const BERT_BLOCK: Block = Block {
    attention: ("attention", "MultiHead"),
    attend: "attention.self",
    project: Some("attention.output.dense"),
    norm1: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm2: "output.LayerNorm",
    buckets: None,
};

/// Devlin et al. 2018.
pub(crate) fn bert(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    absolute(keys);
    let encoder = Encoder {
        family: "BERT",
        name: "Bert",
        prefix: "bert.",
        sizes: sizes(keys),
        segments: keys.size_or("type_vocab_size", 2, MAX_ROWS),
        first_place: 0,
        epsilon: keys.real("layer_norm_eps", 1e-12, 1.0),
        activation: activation(keys, "hidden_act", "gelu"),
        layers: "encoder.layer.{}",
        block: BERT_BLOCK,
        // A name that begins with a dot stands below the prefix.
        classifier: [".pooler.dense", "tanh", "classifier"],
    };
    draft(encoder, keys, tensors, sentence, wish, notes)
}

/// Liu et al. 2019: BERT with positions that start behind the padding's row.
pub(crate) fn roberta(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    absolute(keys);
    let padding = match keys.value("pad_token_id") {
        None => 1,
        Some(value) => value.as_u64().filter(|id| *id < MAX_ROWS).unwrap_or_else(|| {
            keys.refuse("pad_token_id", "a token of the vocabulary", "check the configuration");
            1
        }),
    };
    let encoder = Encoder {
        family: "RoBERTa",
        name: "Roberta",
        prefix: "roberta.",
        sizes: sizes(keys),
        segments: keys.size_or("type_vocab_size", 1, MAX_ROWS),
        first_place: padding + 1,
        epsilon: keys.real("layer_norm_eps", 1e-12, 1.0),
        activation: activation(keys, "hidden_act", "gelu"),
        layers: "encoder.layer.{}",
        block: BERT_BLOCK,
        classifier: ["classifier.dense", "tanh", "classifier.out_proj"],
    };
    draft(encoder, keys, tensors, sentence, wish, notes)
}

/// Sanh et al. 2019.
pub(crate) fn distilbert(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    // The checkpoint holds the table, however it was made.
    keys.flag("sinusoidal_pos_embds", false);
    let encoder = Encoder {
        family: "DistilBERT",
        name: "DistilBert",
        prefix: "distilbert.",
        sizes: Sizes {
            vocabulary: keys.size("vocab_size", MAX_ROWS),
            places: keys.size_or("max_position_embeddings", 512, MAX_ROWS),
            width: keys.size_or("dim", 768, MAX_WIDTH),
            heads: keys.size_or("n_heads", 12, MAX_WIDTH),
            inner: keys.size_or("hidden_dim", 3072, MAX_WIDTH),
            layers: keys.size_or("n_layers", 6, MAX_LAYERS),
        },
        segments: 0,
        first_place: 0,
        // The configuration has no key for it.
        epsilon: 1e-12,
        activation: activation(keys, "activation", "gelu"),
        layers: "transformer.layer.{}",
        block: Block {
            attention: ("distilbert", "Attention"),
            attend: "attention",
            project: None,
            norm1: "sa_layer_norm",
            up: "ffn.lin1",
            down: "ffn.lin2",
            norm2: "output_layer_norm",
            buckets: None,
        },
        classifier: ["pre_classifier", "relu", "classifier"],
    };
    draft(encoder, keys, tensors, sentence, wish, notes)
}

/// Song et al. 2020: what two rows' distance adds to their score is one table for all layers.
pub(crate) fn mpnet(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    let buckets = keys.size_or("relative_attention_num_buckets", 32, 1 << 12);
    if !buckets.is_multiple_of(4) {
        let fix = "check the configuration against its checkpoint";
        keys.refuse("relative_attention_num_buckets", "a multiple of 4", fix);
    }
    let encoder = Encoder {
        family: "MPNet",
        name: "MpNet",
        prefix: "mpnet.",
        sizes: sizes(keys),
        segments: 0,
        // Row 1 is the padding's, whatever the configuration says.
        first_place: 2,
        epsilon: keys.real("layer_norm_eps", 1e-12, 1.0),
        activation: activation(keys, "hidden_act", "gelu"),
        layers: "encoder.layer.{}",
        block: Block {
            attention: ("mpnet", "Attention"),
            attend: "attention.attn",
            project: None,
            norm1: "attention.LayerNorm",
            up: "intermediate.dense",
            down: "output.dense",
            norm2: "output.LayerNorm",
            buckets: Some(buckets),
        },
        classifier: ["classifier.dense", "tanh", "classifier.out_proj"],
    };
    draft(encoder, keys, tensors, sentence, wish, notes)
}

fn sizes(keys: &mut Keys) -> Sizes {
    Sizes {
        vocabulary: keys.size("vocab_size", MAX_ROWS),
        places: keys.size_or("max_position_embeddings", 512, MAX_ROWS),
        width: keys.size("hidden_size", MAX_WIDTH),
        heads: keys.size("num_attention_heads", MAX_WIDTH),
        inner: keys.size("intermediate_size", MAX_WIDTH),
        layers: keys.size("num_hidden_layers", MAX_LAYERS),
    }
}

/// Positions are rows of a table, and every row sees every other.
fn absolute(keys: &mut Keys) {
    let fix = "nothing in the library adds learned distances to keys; the nearest is MPNet's table (`mpnet::Distances`): \
               use a checkpoint with absolute positions, or write the `.ptx` by hand";
    keys.only("position_embedding_type", json!("absolute"), fix);
    keys.only("is_decoder", json!(false), "use the checkpoint as an encoder: a causal BERT is not in the library");
}

/// The library's name for an activation.
pub(crate) fn activation(keys: &mut Keys, key: &str, default: &'static str) -> &'static str {
    let Some(value) = keys.value(key) else { return default };
    match value.as_str().unwrap_or_default() {
        "gelu" | "gelu_python" => "gelu",
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => "gelu_tanh",
        "relu" => "relu",
        "silu" | "swish" => "silu",
        "tanh" => "tanh",
        "sigmoid" => "sigmoid",
        _ => {
            let supported = "\"gelu\", \"gelu_new\", \"relu\", \"silu\", \"tanh\", \"sigmoid\"";
            let fix = "the nearest is \"gelu\", which another function was trained beside: fine-tune the model with one \
                       of these, or write the `.ptx` by hand";
            keys.refuse(key, supported, fix);
            default
        }
    }
}
