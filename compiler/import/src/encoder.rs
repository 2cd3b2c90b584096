//! Encoders after BERT as `.ptx`: embeddings in the clear, blocks between the parties, and a head.

use crate::decoder::divides;
use crate::head::{self, Head};
use crate::keys::Keys;
use crate::problem::Problem;
use crate::sentence::{Pooling, Sentence};
use crate::source::Source;
use crate::{Draft, Input, Length, Tensors, Wish};

/// What one family has that others have not.
pub(crate) struct Encoder {
    pub family: &'static str,
    /// What model names begin with.
    pub name: &'static str,
    /// Before the names of its layers in a checkpoint with a head.
    pub prefix: &'static str,
    pub sizes: Sizes,
    /// Rows of the table of segments; 0 where there is none.
    pub segments: u64,
    /// The row of the first position.
    pub first_place: u64,
    pub epsilon: f64,
    pub activation: &'static str,
    /// Where the layers are, below the prefix.
    pub layers: &'static str,
    pub block: Block,
    /// What stands between the first row and the classes: its place, its function, and the place of the classes.
    pub classifier: [&'static str; 3],
}

pub(crate) struct Sizes {
    pub vocabulary: u64,
    pub places: u64,
    pub width: u64,
    pub heads: u64,
    pub inner: u64,
    pub layers: u64,
}

/// The parts of a block and where they are.
pub(crate) struct Block {
    /// The file of the library that has the attention, and its name there.
    pub attention: (&'static str, &'static str),
    pub attend: &'static str,
    /// The projection behind attention, where it is not part of it.
    pub project: Option<&'static str>,
    pub norm1: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub norm2: &'static str,
    /// Buckets of distances, where scores depend on them.
    pub buckets: Option<u64>,
}

const ANCHOR: &str = "embeddings.word_embeddings.weight";
const POSSIBLE: [Head; 4] = [Head::Classification, Head::Tokens, Head::Embedding, Head::Encoder];
/// Tokens of a plan where nothing else is said.
const LENGTH: u64 = 128;

pub(crate) fn draft(
    encoder: Encoder,
    keys: &mut Keys,
    tensors: &Tensors,
    sentence: Option<&Sentence>,
    wish: Wish,
    notes: &mut Vec<String>,
) -> Option<Draft> {
    let head = head::choose(keys, sentence, wish, &POSSIBLE);
    let prefix = prefix(tensors, ANCHOR, encoder.prefix, keys);
    let Encoder { ref sizes, ref block, .. } = encoder;
    divides(keys, sizes.width, sizes.heads);
    let Some(most) = sizes.places.checked_sub(encoder.first_place).filter(|most| *most > 0) else {
        let (fix, most) = ("check the configuration against its checkpoint", encoder.first_place + 1);
        keys.refuse("max_position_embeddings", format!("at least {most}"), fix);
        return None;
    };
    let (head, prefix) = (head?, prefix?);
    let length = Length { default: most.min(LENGTH), most };
    let norm = norm(tensors, &prefix);
    // A pair of texts is told apart by its segments.
    let pairs = head == Head::Classification && encoder.segments > 1;

    let mut source = Source::new(format!("{}{}", encoder.name, head.title().0), docs(&encoder, head));
    source.uses("nn", &["Linear"]);
    source.uses(norm.0, &[norm.1]);
    source.uses(block.attention.0, &[block.attention.1]);
    source.uses("nn", &[encoder.activation]);
    source.dim("S", length.default, &format!("tokens, at most {most}; `ptc build --dim S=32` overrides it"));
    for (name, size) in [("VOCABULARY", sizes.vocabulary), ("PLACES", sizes.places)] {
        source.size(name, size);
    }
    for (name, size) in [("D", sizes.width), ("HEADS", sizes.heads), ("FFN", sizes.inner), ("LAYERS", sizes.layers)] {
        source.size(name, size);
    }
    source.number("EPS", encoder.epsilon);
    source.modules.push(block_module(&encoder, norm.1));

    let at = |name: &str| format!("{prefix}{name}");
    source.field("words", "real[VOCABULARY, D]", "public", &at(ANCHOR));
    source.field("positions", "real[PLACES, D]", "public", &at("embeddings.position_embeddings.weight"));
    let segments = match encoder.segments {
        0 => "",
        rows => {
            let ty = format!("real[{rows}, D]");
            source.field("segments", &ty, "public", &at("embeddings.token_type_embeddings.weight"));
            if pairs { " + segments[kinds]" } else { " + segments[0]" }
        }
    };
    source.field("norm0", &format!("{}<D, EPS>", norm.1), "public", &at("embeddings.LayerNorm"));
    if let Some(buckets) = block.buckets {
        source.uses("mpnet", &["Distances"]);
        let ty = format!("Distances<HEADS, {buckets}>");
        source.field("distances", &ty, "server", &at("encoder.relative_attention_bias"));
    }
    source.field("blocks", "[Block; LAYERS]", "server", &at(encoder.layers));

    let last_place = match encoder.first_place {
        0 => "S".to_string(),
        first => format!("S + {first}"),
    };
    let places = format!("positions[{}..{last_place}]", encoder.first_place);
    let mut lines = vec![format!("let x = norm0(words[ids] + {places}{segments});")];
    let bias = match block.buckets {
        Some(_) => {
            lines.push("let bias = distances(S);".into());
            ", bias"
        }
        None => "",
    };
    lines.push(format!("for block in blocks {{ x = block(x{bias}, mask); }}"));
    let top = prefix.strip_suffix(encoder.prefix).unwrap_or(&prefix).to_string();
    let result = match head {
        Head::Classification => {
            source.size("LABELS", keys.labels());
            let [dense, function, classes] = encoder.classifier;
            let dense = dense.strip_prefix('.').map_or(format!("{top}{dense}"), |below| at(below));
            source.uses("nn", &[function]);
            source.field("dense", "Linear<D, D>", "server", &dense);
            source.field("classifier", "Linear<D, LABELS>", "server", &format!("{top}{classes}"));
            lines.push(format!("classifier({function}(dense(x[0])))"));
            "real[LABELS]"
        }
        Head::Tokens => {
            source.size("LABELS", keys.labels());
            source.field("classifier", "Linear<D, LABELS>", "server", &format!("{top}classifier"));
            lines.push("classifier(x)".into());
            "real[S, LABELS]"
        }
        Head::Embedding => {
            lines.push(pooled(&mut source, sentence, notes));
            "real[D]"
        }
        _ => {
            lines.push("x".into());
            "real[S, D]"
        }
    };
    let kinds = if pairs { "kinds: token[S] @client, " } else { "" };
    source.entry = format!(
        "entry {}(ids: token[S] @client, {kinds}mask: bit[S] @client) -> {result} @client {{\n{}\n}}",
        head.entry(),
        lines.join("\n")
    );
    note(keys, head, sentence, notes);
    Some(Draft { source, family: encoder.family, head, input: Input::Text, length: Some(length) })
}

fn docs(encoder: &Encoder, head: Head) -> Vec<String> {
    let Sizes { width, heads, layers, .. } = encoder.sizes;
    vec![
        format!("{} of {layers} layers, {width} wide, {heads} heads: {}.", encoder.family, head.title().1),
        String::new(),
        "Made by `ptc import` from a Hugging Face checkpoint; names in `at` are the checkpoint's. Who may see what is"
            .into(),
        "said here and can be changed here: embeddings are public, so the client looks its ids up alone.".into(),
    ]
}

fn block_module(encoder: &Encoder, norm: &str) -> String {
    let Block { attention, attend, project, norm1, up, down, norm2, buckets } = &encoder.block;
    let projection = project.map(|at| format!("project: Linear<D, D> at \"{at}\",\n")).unwrap_or_default();
    let (parameter, bias) = match buckets {
        Some(_) => (", bias: real[HEADS, S, S]", ", bias"),
        None => ("", ""),
    };
    let attended = match project {
        Some(_) => format!("project(attend(x{bias}, mask))"),
        None => format!("attend(x{bias}, mask)"),
    };
    format!(
        "module Block {{\n\
         attend: {}<D, HEADS> at \"{attend}\",\n\
         {projection}\
         norm1: {norm}<D, EPS> at \"{norm1}\",\n\
         up: Linear<D, FFN> at \"{up}\",\n\
         down: Linear<FFN, D> at \"{down}\",\n\
         norm2: {norm}<D, EPS> at \"{norm2}\",\n\n\
         fn forward(x: real[S, D]{parameter}, mask: bit[S]) -> real[S, D] {{\n\
         let a = norm1(x + {attended});\n\
         norm2(a + down({}(up(a))))\n\
         }}\n\
         }}\n",
        attention.1, encoder.activation
    )
}

fn pooled(source: &mut Source, sentence: Option<&Sentence>, notes: &mut Vec<String>) -> String {
    if sentence.is_none() {
        notes.push(
            "no `modules.json` says how rows become one vector: the mean of the text's rows is taken, not scaled"
                .into(),
        );
    }
    let pooled = match sentence.map_or(Pooling::Mean, |sentence| sentence.pooling) {
        Pooling::Mean => {
            source.uses("nn", &["mean_pool"]);
            "mean_pool(x, mask)"
        }
        Pooling::First => "x[0]",
    };
    match sentence.is_some_and(|sentence| sentence.normalize) {
        true => {
            source.uses("nn", &["l2_normalize"]);
            format!("l2_normalize({pooled})")
        }
        false => pooled.into(),
    }
}

fn note(keys: &mut Keys, head: Head, sentence: Option<&Sentence>, notes: &mut Vec<String>) {
    notes.push(
        "the tables of words and places are @public: private look-ups are not built yet; all else is @server".into(),
    );
    if let (Head::Embedding, Some(most)) = (head, sentence.and_then(|sentence| sentence.most_tokens)) {
        notes.push(format!(
            "sentence-transformers cuts texts to {most} tokens here; `ptc run --truncate` cuts to the plan's"
        ));
    }
    match keys.text("problem_type") {
        Some("multi_label_classification") => {
            notes.push(
                "each class has a logit of its own, above 0 where it holds; `--labels` would print the largest".into(),
            );
        }
        Some("regression") => notes.push("the result is a number, not a class: read it without `--labels`".into()),
        _ => {}
    }
}

/// The norm's file and name: checkpoints converted from TensorFlow call its numbers otherwise.
fn norm(tensors: &Tensors, prefix: &str) -> (&'static str, &'static str) {
    match tensors.contains_key(&format!("{prefix}embeddings.LayerNorm.gamma")) {
        true => ("bert", "GammaNorm"),
        false => ("nn", "LayerNorm"),
    }
}

/// What stands before `anchor` in this checkpoint: the family's prefix, none, or one of its own.
pub(crate) fn prefix(tensors: &Tensors, anchor: &str, usual: &str, keys: &mut Keys) -> Option<String> {
    let before = |name: &String| {
        let prefix = name.strip_suffix(anchor)?;
        (prefix.is_empty() || prefix.ends_with('.')).then(|| prefix.to_string())
    };
    let found: Vec<String> = tensors.keys().filter_map(before).collect();
    if let Some(prefix) = found.iter().find(|prefix| *prefix == usual) {
        return Some(prefix.clone());
    }
    match &found[..] {
        [one] if is_plain(one) => return Some(one.clone()),
        [] => {
            let fix = "check that these weights belong to this configuration";
            let found = format!("no tensor is named `{usual}{anchor}` or `{anchor}`");
            keys.problems.push(Problem::new("the weights", found, "the names that transformers saves", fix));
        }
        many => {
            let names: Vec<String> = many.iter().take(4).map(|prefix| format!("`{prefix}{anchor}`")).collect();
            let fix = "save the one model that is meant as a checkpoint of its own";
            let found = format!("there are {}", names.join(", "));
            keys.problems.push(Problem::new("the weights", found, format!("one `{usual}{anchor}`"), fix));
        }
    }
    None
}

/// It is written into the source.
fn is_plain(prefix: &str) -> bool {
    prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}
