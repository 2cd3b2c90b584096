//! What a model gives: which part stands on its layers.

use crate::Wish;
use crate::keys::Keys;
use crate::sentence::Sentence;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A logit for each class of a text or an image.
    Classification,
    /// A logit for each class of each token.
    Tokens,
    /// One vector for a text.
    Embedding,
    /// A vector for each token.
    Encoder,
    /// A logit for each word that may come next.
    NextToken,
    /// The same behind every token.
    NextTokens,
}

impl Head {
    pub const ALL: [Head; 6] =
        [Head::Classification, Head::Tokens, Head::Embedding, Head::Encoder, Head::NextToken, Head::NextTokens];

    /// As the command line writes it.
    pub fn name(self) -> &'static str {
        match self {
            Head::Classification => "classification",
            Head::Tokens => "tokens",
            Head::Embedding => "embedding",
            Head::Encoder => "encoder",
            Head::NextToken => "next-token",
            Head::NextTokens => "next-tokens",
        }
    }

    /// The entry of the source.
    pub fn entry(self) -> &'static str {
        match self {
            Head::Classification => "classify",
            Head::Tokens => "tag",
            Head::Embedding => "embed",
            Head::Encoder => "encode",
            Head::NextToken | Head::NextTokens => "predict",
        }
    }

    /// For the model's name and its first line.
    pub fn title(self) -> (&'static str, &'static str) {
        match self {
            Head::Classification => ("Classifier", "a logit for each class"),
            Head::Tokens => ("Tagger", "a logit for each class of each token"),
            Head::Embedding => ("Embedding", "an embedding of a text"),
            Head::Encoder => ("Encoder", "a vector for each token"),
            Head::NextToken => ("Predictor", "a logit for each word that may follow the text"),
            Head::NextTokens => ("Predictor", "a logit for each word that may follow each token"),
        }
    }
}

/// The wish, or what `architectures` says. A folder of sentence-transformers gives an embedding.
pub(crate) fn choose(keys: &mut Keys, sentence: Option<&Sentence>, wish: Wish, possible: &[Head]) -> Option<Head> {
    let names: Vec<&str> = possible.iter().map(|head| head.name()).collect();
    let choice = format!("`--head {}`", names.join("` or `--head "));
    if let Some(head) = wish.head {
        if possible.contains(&head) {
            return Some(head);
        }
        keys.refuse("model_type", choice, format!("a model of this family has no `{}` head", head.name()));
        return None;
    }
    let architectures = keys.value("architectures").and_then(|list| list.as_array());
    let first = architectures.and_then(|list| list.first()).and_then(|name| name.as_str()).unwrap_or_default();
    let found = match first {
        _ if sentence.is_some() => Some(Head::Embedding),
        _ if first.ends_with("ForSequenceClassification") => Some(Head::Classification),
        _ if first.ends_with("ForImageClassification") => Some(Head::Classification),
        _ if first.ends_with("ForTokenClassification") => Some(Head::Tokens),
        _ if first.ends_with("ForCausalLM") || first.ends_with("LMHeadModel") => Some(Head::NextToken),
        _ if first.ends_with("Model") => Some(Head::Encoder),
        _ => None,
    };
    if let Some(head) = found.filter(|head| possible.contains(head)) {
        return Some(head);
    }
    let fix =
        "`--head encoder` takes the layers without what stands on them, `--head embedding` the mean of their rows";
    let fix = match possible.contains(&Head::Encoder) {
        true => fix.to_string(),
        false => format!("choose what the model is to give: {choice}"),
    };
    keys.refuse("architectures", "a model with one of the heads ".to_string() + &names.join(", "), fix);
    None
}
