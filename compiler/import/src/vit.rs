//! ViT as `.ptx`: an image's patches through an encoder over `vit::Block`.

use serde_json::{Value, json};

use crate::bert::{MAX_LAYERS, MAX_WIDTH};
use crate::decoder::divides;
use crate::encoder::prefix;
use crate::head::{self, Head};
use crate::keys::Keys;
use crate::sentence::Sentence;
use crate::source::Source;
use crate::{Draft, Input, Tensors, Wish};

const ANCHOR: &str = "embeddings.cls_token";
const MAX_SIDE: u64 = 1 << 14;

/// Dosovitskiy et al. 2021.
pub(crate) fn vit(
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    let head = head::choose(keys, sentence, wish, &[Head::Classification, Head::Encoder]);
    let prefix = prefix(tensors, ANCHOR, "vit.", keys);
    let (height, width) = sides(keys, "image_size", 224);
    let patch = sides(keys, "patch_size", 16);
    if patch.0 != patch.1 || !height.is_multiple_of(patch.0) || !width.is_multiple_of(patch.0) {
        let supported = format!("square patches that divide an image of {height} by {width}");
        keys.refuse("patch_size", supported, "write `vit::Embeddings` by hand for this shape");
    }
    let channels = keys.size_or("num_channels", 3, 4096);
    let columns = keys.size("hidden_size", MAX_WIDTH);
    let heads = keys.size("num_attention_heads", MAX_WIDTH);
    let inner = keys.size("intermediate_size", MAX_WIDTH * 4);
    let layers = keys.size("num_hidden_layers", MAX_LAYERS);
    let epsilon = keys.real("layer_norm_eps", 1e-12, 1.0);
    divides(keys, columns, heads);
    if !matches!(keys.text("hidden_act"), None | Some("gelu")) {
        let fix = "the nearest is \"gelu\": write the block by hand with the activation that was trained";
        keys.refuse("hidden_act", "\"gelu\"", fix);
    }
    keys.only("qkv_bias", json!(true), "write the block by hand with `nn::Projection` for queries, keys and values");
    let (head, prefix) = (head?, prefix?);

    let docs = vec![
        format!("ViT of {layers} layers, {columns} wide, {heads} heads: {}.", head.title().1),
        String::new(),
        "Made by `ptc import` from a Hugging Face checkpoint; names in `at` are the checkpoint's. Who may see what is"
            .into(),
        "said here and can be changed here: all of the model is the server's.".into(),
    ];
    let mut source = Source::new(format!("Vit{}", head.title().0), docs);
    source.uses("nn", &["LayerNorm"]);
    source.uses("vit", &["Block", "Embeddings"]);
    let sizes = [("CHANNELS", channels), ("HEIGHT", height), ("WIDTH", width), ("PATCH", patch.0), ("D", columns)];
    sizes.into_iter().for_each(|(name, size)| source.size(name, size));
    let sizes = [("HEADS", heads), ("FFN", inner), ("LAYERS", layers)];
    sizes.into_iter().for_each(|(name, size)| source.size(name, size));
    source.number("EPS", epsilon);
    let at = |name: &str| format!("{prefix}{name}");
    let embeddings = "Embeddings<CHANNELS, HEIGHT, WIDTH, PATCH, D>";
    source.field("embeddings", embeddings, "server", &at("embeddings"));
    source.field("blocks", "[Block<D, HEADS, FFN, EPS>; LAYERS]", "server", &at("encoder.layer.{}"));
    source.field("norm", "LayerNorm<D, EPS>", "server", &at("layernorm"));
    let (result, value) = match head {
        Head::Classification => {
            source.uses("nn", &["Linear"]);
            source.size("LABELS", keys.labels());
            let top = prefix.strip_suffix("vit.").unwrap_or_default();
            source.field("classifier", "Linear<D, LABELS>", "server", &format!("{top}classifier"));
            ("real[LABELS]", "classifier(norm(x[0]))")
        }
        _ => ("real[(HEIGHT / PATCH) * (WIDTH / PATCH) + 1, D]", "norm(x)"),
    };
    source.entry = format!(
        "entry {}(pixels: real[CHANNELS, HEIGHT, WIDTH] @client) -> {result} @client {{\n\
         let x = embeddings(pixels);\n\
         for block in blocks {{ x = block(x); }}\n\
         {value}\n}}",
        head.entry()
    );
    notes.push(format!(
        "pixels are [{channels}, {height}, {width}], scaled and shifted as the checkpoint's image processor does it \
         (`preprocessor_config.json`)"
    ));
    Some(Draft { source, family: "ViT", head, input: Input::Pixels, length: None })
}

/// A number for both sides, or one for each.
fn sides(keys: &mut Keys, key: &str, default: u64) -> (u64, u64) {
    let found = match keys.value(key) {
        None => Some((default, default)),
        Some(Value::Array(sides)) => match &sides[..] {
            [height, width] => height.as_u64().zip(width.as_u64()),
            _ => None,
        },
        Some(side) => side.as_u64().map(|side| (side, side)),
    };
    let fits = |side: u64| (1..=MAX_SIDE).contains(&side);
    match found.filter(|(height, width)| fits(*height) && fits(*width)) {
        Some(sides) => sides,
        None => {
            keys.refuse(key, format!("a side from 1 to {MAX_SIDE}, or two"), "check the configuration");
            (default, default)
        }
    }
}
