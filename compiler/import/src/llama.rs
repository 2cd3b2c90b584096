//! LLaMA, Mistral, Qwen2 and Qwen3 as `.ptx`: decoders over `llama::Block` and its variants.

use serde_json::{Value, json};

use crate::bert::{MAX_LAYERS, MAX_ROWS, MAX_WIDTH};
use crate::decoder::{self, Decoder};
use crate::encoder::prefix;
use crate::head;
use crate::keys::Keys;
use crate::problem::Problem;
use crate::sentence::Sentence;
use crate::source::Source;
use crate::{Draft, Input, Length, Tensors, Wish};

const ANCHOR: &str = "embed_tokens.weight";

/// What the relatives differ in.
struct Kind {
    family: &'static str,
    name: &'static str,
    /// Of the library's `llama`.
    block: &'static str,
    /// The base of rotary angles where the configuration has none.
    theta: f64,
    /// Whether a window is used where one is given.
    window: bool,
}

/// Touvron et al. 2023.
pub(crate) fn llama(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    let kind = Kind { family: "LLaMA", name: "Llama", block: "Block", theta: 1e4, window: false };
    draft(kind, keys, tensors, sentence, wish, notes)
}

/// Jiang et al. 2023: LLaMA with a window.
pub(crate) fn mistral(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    let kind = Kind { family: "Mistral", name: "Mistral", block: "Block", theta: 1e4, window: true };
    draft(kind, keys, tensors, sentence, wish, notes)
}

/// Yang et al. 2024: LLaMA with biases at queries, keys and values.
pub(crate) fn qwen2(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    let window = keys.flag("use_sliding_window", false);
    let kind = Kind { family: "Qwen2", name: "Qwen2", block: "BiasedBlock", theta: 1e4, window };
    draft(kind, keys, tensors, sentence, wish, notes)
}

/// Yang et al. 2025: LLaMA with normalised queries and keys.
pub(crate) fn qwen3(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    let window = keys.flag("use_sliding_window", false);
    let kind = Kind { family: "Qwen3", name: "Qwen3", block: "NormedBlock", theta: 1e4, window };
    draft(kind, keys, tensors, sentence, wish, notes)
}

fn draft(
    kind: Kind,
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    let head = head::choose(keys, sentence, wish, &decoder::POSSIBLE);
    let prefix = prefix(tensors, ANCHOR, "model.", keys);
    let vocabulary = keys.size("vocab_size", MAX_ROWS);
    let width = keys.size("hidden_size", MAX_WIDTH);
    let heads = keys.size("num_attention_heads", MAX_WIDTH);
    let groups = keys.size_or("num_key_value_heads", heads, MAX_WIDTH);
    let head_width = match keys.value("head_dim") {
        Some(_) => keys.size("head_dim", MAX_WIDTH),
        None => {
            decoder::divides(keys, width, heads);
            (width / heads).max(1)
        }
    };
    if !heads.is_multiple_of(groups) {
        keys.refuse("num_key_value_heads", format!("a divisor of the {heads} heads"), "check the configuration");
    }
    if !head_width.is_multiple_of(2) {
        let found = format!("heads are {head_width} wide");
        keys.problems.push(Problem::new("config.json", found, "an even width", "check the configuration"));
    }
    let inner = keys.size("intermediate_size", MAX_WIDTH * 8);
    let layers = keys.size("num_hidden_layers", MAX_LAYERS);
    let epsilon = keys.real("rms_norm_eps", 1e-6, 1.0);
    let theta = theta(keys, kind.theta);
    let tied = keys.flag("tie_word_embeddings", false);
    let positions = keys.size_or("max_position_embeddings", 2048, MAX_ROWS);
    let most = window(keys, &kind, positions, notes);
    unsupported(keys, kind.block);
    let (head, prefix) = (head?, prefix?);

    let length = Length { default: most.min(decoder::LENGTH), most };
    let docs = decoder::docs(kind.family, layers, width, heads, head);
    let mut source = Source::new(format!("{}{}", kind.name, head.title().0), docs);
    source.uses("nn", &["RMSNorm"]);
    source.uses("attention", &["causal_mask", "rotary_cosines", "rotary_sines"]);
    source.uses("llama", &[kind.block]);
    let comment = format!("tokens, at most {most}; `ptc build --dim S=32` overrides it");
    source.dim("S", length.default, &comment);
    let sizes = [("VOCABULARY", vocabulary), ("D", width), ("HEADS", heads), ("KV", groups), ("DH", head_width)];
    sizes.into_iter().for_each(|(name, size)| source.size(name, size));
    source.size("FFN", inner);
    source.size("LAYERS", layers);
    source.number("EPS", epsilon);
    source.number("THETA", theta);
    let at = |name: &str| format!("{prefix}{name}");
    source.field("words", "real[VOCABULARY, D]", "public", &at(ANCHOR));
    let block = format!("[{}<D, HEADS, KV, FFN, EPS, DH>; LAYERS]", kind.block);
    source.field("blocks", &block, "server", &at("layers.{}"));
    source.field("norm", "RMSNorm<D, EPS>", "server", &at("norm"));
    let lines = "let x = words[ids];\n\
                 let cosines = rotary_cosines(S, DH, THETA);\n\
                 let sines = rotary_sines(S, DH, THETA);\n\
                 for block in blocks { x = block(x, cosines, sines, causal_mask(S)); }\n";
    let decoder = Decoder { top: prefix.strip_suffix("model.").unwrap_or_default(), tied, head };
    decoder::entry(&mut source, lines, &decoder, keys, notes);
    Some(Draft { source, family: kind.family, head, input: Input::Text, length: Some(length) })
}

/// The base of the rotary angles: newer configurations have it with the way of scaling.
fn theta(keys: &mut Keys, default: f64) -> f64 {
    const MOST: f64 = 1e12;
    let older = keys.real("rope_theta", default, MOST);
    let fix = "the nearest is the unscaled form: use the checkpoint before its context was stretched, which differs for \
               all lengths, or write the `.ptx` by hand";
    let mut base = older;
    for key in ["rope_scaling", "rope_parameters"] {
        let Some(Value::Object(rope)) = keys.value(key) else {
            keys.only(key, Value::Null, fix);
            continue;
        };
        let way = rope.get("rope_type").or(rope.get("type"));
        if way.is_some_and(|way| *way != json!("default")) {
            keys.refuse(key, "null, or a `rope_type` of \"default\"", fix);
        }
        match rope.get("rope_theta").map(Value::as_f64) {
            None => {}
            Some(Some(theta)) if theta > 0.0 && theta <= MOST => base = theta,
            Some(_) => keys.refuse(key, format!("a `rope_theta` above 0, at most {MOST:e}"), "check the configuration"),
        }
        let known = ["rope_type", "type", "rope_theta"];
        if way.is_none_or(|way| *way == json!("default")) && rope.keys().any(|part| !known.contains(&part.as_str())) {
            keys.refuse(key, "`rope_type` and `rope_theta` alone", fix);
        }
    }
    base
}

/// Tokens up to which every row sees all before it.
fn window(keys: &mut Keys, kind: &Kind, positions: u64, notes: &mut Vec<String>) -> u64 {
    let sliding = keys.value("layer_types").and_then(Value::as_array);
    let known = [json!("full_attention"), json!("sliding_attention")];
    if sliding.is_some_and(|layers| layers.iter().any(|layer| !known.contains(layer))) {
        let fix = "the nearest is full attention, for which the model was not trained: write the `.ptx` by hand";
        keys.refuse("layer_types", "\"full_attention\" and \"sliding_attention\"", fix);
    }
    keys.value("max_window_layers");
    let by_layers = sliding.is_some_and(|layers| layers.contains(&known[1]));
    match keys.value("sliding_window") {
        Some(Value::Number(_)) if kind.window || by_layers => {
            let window = keys.size("sliding_window", MAX_ROWS);
            if window < positions {
                notes.push(format!("rows see {window} rows back: with S above {window} results would differ"));
            }
            window.min(positions)
        }
        _ => positions,
    }
}

fn unsupported(keys: &mut Keys, block: &str) {
    let fix = "the nearest is \"silu\" (SwiGLU): write the block by hand with the activation that was trained";
    if !matches!(keys.text("hidden_act"), None | Some("silu" | "swish")) {
        keys.refuse("hidden_act", "\"silu\"", fix);
    }
    if block != "BiasedBlock" {
        let fix = "biases at queries, keys and values alone are `llama::BiasedBlock`: write the `.ptx` over it";
        keys.only("attention_bias", json!(false), fix);
    }
    keys.only("mlp_bias", json!(false), "add the biases by hand: `nn::Linear` in place of `nn::Projection`");
    let fix = "the nearest turns all columns of a head: write the `.ptx` by hand";
    if keys.value("partial_rotary_factor").is_some_and(|part| part.as_f64() != Some(1.0)) {
        keys.refuse("partial_rotary_factor", "1", fix);
    }
}
