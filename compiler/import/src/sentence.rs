//! What sentence-transformers writes beside an encoder: how the rows become one vector.

use serde_json::Value;

use crate::header::is_plain;
use crate::problem::Problem;
use crate::{COPY_AGAIN, Read};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    Mean,
    /// The first row.
    First,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sentence {
    pub pooling: Pooling,
    /// Whether the vector is scaled to length 1.
    pub normalize: bool,
    /// How many tokens it cuts texts to.
    pub most_tokens: Option<u64>,
}

/// None where the folder is none of sentence-transformers.
pub(crate) fn read(read: &mut Read) -> Result<Option<Sentence>, Vec<Problem>> {
    let one = |problem| vec![problem];
    let Some(modules) = json(read, "modules.json").map_err(one)? else { return Ok(None) };
    let steps: Vec<(String, String)> = modules.as_array().into_iter().flatten().map(step).collect();
    let mut problems = vec![];
    let mut sentence = Sentence { pooling: Pooling::Mean, normalize: false, most_tokens: None };
    let kinds: Vec<&str> = steps.iter().map(|(kind, _)| kind.as_str()).collect();
    if !matches!(kinds[..], ["Transformer", "Pooling"] | ["Transformer", "Pooling", "Normalize"]) {
        let supported = "Transformer, Pooling, and perhaps Normalize";
        let fix =
            "`--head encoder` gives the rows; a further `Dense` can be added to the `.ptx` by hand as an `nn::Linear`";
        problems.push(Problem::new("modules.json", format!("it has {}", kinds.join(", ")), supported, fix));
    }
    for (kind, path) in &steps {
        match kind.as_str() {
            "Transformer" if !path.is_empty() => {
                let fix = format!("import that folder, with `--head embedding`: its name is `{path}`");
                problems.push(Problem::new("modules.json", format!("the encoder lies in `{path}`"), "the folder", fix));
            }
            "Pooling" => match pooling(read, path) {
                Ok(found) => sentence.pooling = found,
                Err(problem) => problems.push(problem),
            },
            "Normalize" => sentence.normalize = true,
            _ => {}
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let limits = json(read, "sentence_bert_config.json").map_err(one)?;
    sentence.most_tokens = limits.and_then(|limits| limits.get("max_seq_length").and_then(Value::as_u64));
    Ok(Some(sentence))
}

/// The last part of the type, and the folder.
fn step(module: &Value) -> (String, String) {
    let text = |key| module.get(key).and_then(Value::as_str).unwrap_or_default();
    let kind = text("type").rsplit('.').next().unwrap_or_default();
    (kind.to_string(), text("path").to_string())
}

fn pooling(read: &mut Read, folder: &str) -> Result<Pooling, Problem> {
    if !is_plain(folder) {
        let found = format!("the pooling lies in {folder:?}");
        return Err(Problem::new("modules.json", found, "a folder beside it", COPY_AGAIN));
    }
    let file = format!("{folder}/config.json");
    let Some(config) = json(read, &file)? else {
        return Err(Problem::new(file, "it is not there", "the configuration of the pooling", COPY_AGAIN));
    };
    let fix = "`--head encoder` gives the rows, to be pooled in the `.ptx` by hand";
    let supported = "the mean of the rows, or the first row";
    // Newer versions name the way, older ones have a flag for each.
    let flags = config.as_object().into_iter().flatten();
    let mut on: Vec<String> = flags
        .filter(|(key, value)| key.starts_with("pooling_mode_") && **value == Value::Bool(true))
        .map(|(key, _)| key.trim_start_matches("pooling_mode_").to_string())
        .collect();
    on.extend(config.get("pooling_mode").and_then(Value::as_str).map(String::from));
    on.dedup();
    match on.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mean_tokens" | "mean"] => Ok(Pooling::Mean),
        ["cls_token" | "cls"] => Ok(Pooling::First),
        _ => Err(Problem::new(file, format!("the rows are pooled by {:?}", on.join(" and ")), supported, fix)),
    }
}

fn json(read: &mut Read, file: &str) -> Result<Option<Value>, Problem> {
    let Some(text) = read(file)? else { return Ok(None) };
    let parsed = serde_json::from_str(&text);
    parsed.map(Some).map_err(|error| Problem::new(file, error.to_string(), "JSON", COPY_AGAIN))
}
