//! What decoders share: their heads, and what is said of them.

use crate::head::Head;
use crate::keys::Keys;
use crate::problem::Problem;
use crate::source::Source;

pub(crate) const POSSIBLE: [Head; 4] = [Head::NextToken, Head::NextTokens, Head::Classification, Head::Encoder];
/// Tokens of a plan where nothing else is said.
pub(crate) const LENGTH: u64 = 64;

pub(crate) struct Decoder<'a> {
    /// What names outside the layers begin with.
    pub top: &'a str,
    /// Whether the words' table gives the logits too.
    pub tied: bool,
    pub head: Head,
}

pub(crate) fn docs(family: &str, layers: u64, width: u64, heads: u64, head: Head) -> Vec<String> {
    vec![
        format!("{family} of {layers} layers, {width} wide, {heads} heads: {}.", head.title().1),
        String::new(),
        "Made by `ptc import` from a Hugging Face checkpoint; names in `at` are the checkpoint's. Who may see what is"
            .into(),
        "said here and can be changed here: embeddings are public, so the client looks its ids up alone.".into(),
    ]
}

/// Ends the model: `lines` leave the rows of the last block in `x`, `norm` is a field.
pub(crate) fn entry(source: &mut Source, lines: &str, decoder: &Decoder, keys: &mut Keys, notes: &mut Vec<String>) {
    let Decoder { top, tied, head } = decoder;
    let rows = match head {
        Head::NextToken | Head::Classification => {
            source.uses("nn", &["last_row"]);
            "norm(last_row(x, mask))"
        }
        _ => "norm(x)",
    };
    let (result, value) = match head {
        Head::NextToken | Head::NextTokens => {
            let value = match tied {
                true => format!("matmul({rows}, words.T)"),
                false => {
                    source.uses("nn", &["Projection"]);
                    source.field("head", "Projection<D, VOCABULARY>", "server", &format!("{top}lm_head"));
                    format!("head({rows})")
                }
            };
            (if *head == Head::NextToken { "real[VOCABULARY]" } else { "real[S, VOCABULARY]" }, value)
        }
        Head::Classification => {
            source.uses("nn", &["Projection"]);
            source.size("LABELS", keys.labels());
            source.field("score", "Projection<D, LABELS>", "server", &format!("{top}score"));
            ("real[LABELS]", format!("score({rows})"))
        }
        _ => ("real[S, D]", rows.to_string()),
    };
    // Where only the last kept row is taken, a causal mask alone keeps padding behind the text from it.
    let mask = if rows == "norm(x)" { "" } else { ", mask: bit[S] @client" };
    source.entry =
        format!("entry {}(ids: token[S] @client{mask}) -> {result} @client {{\n{lines}{value}\n}}", head.entry());
    notes.push(
        "the tables of words and places are @public: private look-ups are not built yet; all else is @server".into(),
    );
    if *tied && matches!(head, Head::NextToken | Head::NextTokens) {
        notes.push(
            "the logits come from the table of words, which is @public, so that product takes no protocol".into(),
        );
    }
    if rows == "norm(x)" {
        notes.push("without a mask a text must have exactly S tokens: build with `--dim S=` of its length".into());
    }
}

pub(crate) fn divides(keys: &mut Keys, width: u64, heads: u64) {
    // A width that was refused stands here as 1.
    let refused = width == 1 && !keys.problems.is_empty();
    if !refused && !width.is_multiple_of(heads) {
        let found = format!("{heads} heads in a width of {width}");
        let fix = "check the configuration against its checkpoint";
        keys.problems.push(Problem::new("config.json", found, "a width that the heads divide evenly", fix));
    }
}
