//! Checkpoints of other formats: a configuration and the headers of their weights become `.ptx` source and a report of what
//! is used. This room reads text and headers that it is given; it knows no graph and no protocol.

mod bert;
mod decoder;
mod encoder;
mod gpt2;
mod head;
pub mod header;
mod keys;
mod llama;
pub mod problem;
pub mod report;
mod sentence;
mod source;
mod vit;

use std::collections::BTreeMap;

use keys::Keys;
use problem::Problem;
use source::Source;

pub use head::Head;

/// Bytes of a configuration.
pub const MAX_CONFIG: u64 = 4 << 20;

/// A tensor as a header tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// As the format writes it: `F32`, `I64`.
    pub dtype: String,
    pub shape: Vec<usize>,
}

pub type Tensors = BTreeMap<String, Tensor>;

/// A small text file of the checkpoint's folder by its name, or by `FOLDER/NAME`; none where it is not there.
pub type Read<'a> = dyn FnMut(&str) -> Result<Option<String>, Problem> + 'a;

/// What the user chooses; what is absent follows from the checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    pub head: Option<Head>,
}

/// A model, and what is to be known of it.
#[derive(Debug)]
pub struct Imported {
    /// In the canonical layout.
    pub source: String,
    /// `BERT`
    pub family: &'static str,
    pub head: Head,
    /// What the entry takes beside or instead of text.
    pub input: Input,
    /// Tokens: how many the source says, and how many the model can read.
    pub length: Option<Length>,
    /// Whether the configuration names the classes.
    pub has_labels: bool,
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    Text,
    Pixels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    pub default: u64,
    pub most: u64,
}

/// The model of a checkpoint, or everything that is in the way.
pub fn import(read: &mut Read, tensors: &Tensors, wish: Wish) -> Result<Imported, Vec<Problem>> {
    let text = match read("config.json") {
        Ok(Some(text)) => text,
        Ok(None) => return Err(vec![missing_config()]),
        Err(problem) => return Err(vec![problem]),
    };
    let map = match serde_json::from_str(&text) {
        Ok(serde_json::Value::Object(map)) => map,
        Ok(_) => return Err(vec![Problem::new("config.json", "it is no object", "`{...}`", COPY_AGAIN)]),
        Err(error) => return Err(vec![Problem::new("config.json", error.to_string(), "JSON", COPY_AGAIN)]),
    };
    let mut keys = Keys::new(&map);
    let Some(family) = family(&mut keys) else { return Err(keys.problems) };
    let sentence = sentence::read(read).unwrap_or_else(|problems| {
        keys.problems.extend(problems);
        None
    });
    let mut notes = vec![];
    let found = family(&mut keys, tensors, sentence.as_ref(), wish, &mut notes);
    keys.common();
    notes.extend(keys.unknown());
    let Some(Draft { source, family, head, input, length }) = found else { return Err(keys.problems) };
    if !keys.problems.is_empty() {
        return Err(keys.problems);
    }
    match source.text() {
        Ok(source) => Ok(Imported { source, family, head, input, length, has_labels: keys.has_labels(), notes }),
        Err(message) => Err(vec![Problem::new("the source made of it", message, "a model", "report it")]),
    }
}

const COPY_AGAIN: &str = "copy or download the checkpoint again";

fn missing_config() -> Problem {
    let fix = "give the folder of a checkpoint: `config.json` beside `model.safetensors`";
    Problem::new("the folder", "it has no `config.json`", "a Hugging Face checkpoint", fix)
}

/// What a family makes of a checkpoint.
struct Draft {
    source: Source,
    family: &'static str,
    head: Head,
    input: Input,
    length: Option<Length>,
}

/// Reads the configuration; problems go to the keys. None where nothing could be made of it.
type Family = fn(&mut Keys, &Tensors, Option<&sentence::Sentence>, Wish, &mut Vec<String>) -> Option<Draft>;

/// `model_type` of the configuration, and who reads it.
const FAMILIES: &[(&str, Family)] = &[
    ("bert", bert::bert),
    ("camembert", bert::roberta),
    ("distilbert", bert::distilbert),
    ("gpt2", gpt2::gpt2),
    ("llama", llama::llama),
    ("mistral", llama::mistral),
    ("mpnet", bert::mpnet),
    ("qwen2", llama::qwen2),
    ("qwen3", llama::qwen3),
    ("roberta", bert::roberta),
    ("vit", vit::vit),
    ("xlm-roberta", bert::roberta),
];

fn family(keys: &mut Keys) -> Option<Family> {
    let supported = || FAMILIES.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let Some(name) = keys.text("model_type") else {
        let fix = "say what the model is: add \"model_type\" to the configuration";
        keys.problems.push(Problem::new("config.json", "it has no `model_type`", supported(), fix));
        return None;
    };
    let found = FAMILIES.iter().find(|(known, _)| *known == name);
    if found.is_none() {
        let fix =
            "write the model's `.ptx` by hand over `nn` and `attention`, or use a checkpoint of one of these families";
        keys.refuse("model_type", supported(), fix);
    }
    found.map(|(_, family)| *family)
}

#[cfg(test)]
mod tests;
