//! GPT-2 as `.ptx`: a decoder over `gpt2::Block`.

use serde_json::json;

use crate::bert::{MAX_LAYERS, MAX_ROWS, MAX_WIDTH};
use crate::decoder::{self, Decoder};
use crate::encoder::prefix;
use crate::head;
use crate::keys::Keys;
use crate::sentence::Sentence;
use crate::source::Source;
use crate::{Draft, Input, Length, Tensors, Wish};

const ANCHOR: &str = "wte.weight";

/// Radford et al. 2019.
pub(crate) fn gpt2(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    let head = head::choose(keys, sentence, wish, &decoder::POSSIBLE);
    let prefix = prefix(tensors, ANCHOR, "transformer.", keys);
    let vocabulary = keys.size("vocab_size", MAX_ROWS);
    let places = keys.size_or("n_positions", 1024, MAX_ROWS);
    let width = keys.size_or("n_embd", 768, MAX_WIDTH);
    let heads = keys.size_or("n_head", 12, MAX_WIDTH);
    let layers = keys.size_or("n_layer", 12, MAX_LAYERS);
    let inner = keys.size_or("n_inner", width.saturating_mul(4), MAX_WIDTH * 4);
    let epsilon = keys.real("layer_norm_epsilon", 1e-5, 1.0);
    let tied = keys.flag("tie_word_embeddings", true);
    if !matches!(keys.text("activation_function"), None | Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast")) {
        let fix = "the nearest is \"gelu_new\": write the block by hand with the activation that was trained";
        keys.refuse("activation_function", "\"gelu_new\", \"gelu_pytorch_tanh\", \"gelu_fast\"", fix);
    }
    let fix = "scores are divided by the root of a head's width and by nothing else: write the block by hand";
    keys.only("scale_attn_weights", json!(true), fix);
    keys.only("scale_attn_by_inverse_layer_idx", json!(false), fix);
    decoder::divides(keys, width, heads);
    // The order of sums, the head for multiple choice, and an old name of `n_positions`.
    let ignored = ["reorder_and_upcast_attn", "n_ctx", "summary_activation", "summary_first_dropout"];
    let further = ["summary_proj_to_labels", "summary_type", "summary_use_proj"];
    for key in ignored.into_iter().chain(further) {
        keys.value(key);
    }
    let (head, prefix) = (head?, prefix?);

    let length = Length { default: places.min(decoder::LENGTH), most: places };
    let mut source = Source::new(format!("Gpt2{}", head.title().0), decoder::docs("GPT-2", layers, width, heads, head));
    source.uses("nn", &["LayerNorm"]);
    source.uses("attention", &["causal_mask"]);
    source.uses("gpt2", &["Block"]);
    let comment = format!("tokens, at most {places}; `ptc build --dim S=32` overrides it");
    source.dim("S", length.default, &comment);
    let sizes = [("VOCABULARY", vocabulary), ("PLACES", places), ("D", width), ("HEADS", heads), ("FFN", inner)];
    sizes.into_iter().for_each(|(name, size)| source.size(name, size));
    source.size("LAYERS", layers);
    source.number("EPS", epsilon);
    let at = |name: &str| format!("{prefix}{name}");
    source.field("words", "real[VOCABULARY, D]", "public", &at(ANCHOR));
    source.field("positions", "real[PLACES, D]", "public", &at("wpe.weight"));
    source.field("blocks", "[Block<D, HEADS, FFN, EPS>; LAYERS]", "server", &at("h.{}"));
    source.field("norm", "LayerNorm<D, EPS>", "server", &at("ln_f"));
    let lines = "let x = words[ids] + positions[0..S];\n\
                 for block in blocks { x = block(x, causal_mask(S)); }\n";
    let decoder = Decoder { top: prefix.strip_suffix("transformer.").unwrap_or_default(), tied, head };
    decoder::entry(&mut source, lines, &decoder, keys, notes);
    Some(Draft { source, family: "GPT-2", head, input: Input::Text, length: Some(length) })
}
