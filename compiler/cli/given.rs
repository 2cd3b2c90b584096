//! What a user gives a party for its queries: texts, or arrays in files.

use std::io::Read;
use std::path::{Path, PathBuf};

use ptc_exec::tensors::Tensors;
use ptc_plan::file::{Input, InputKind};
use ptc_plan::float::FloatTensor;
use ptc_syntax::suggest::nearest;
use serde_json::Value;

use crate::failure::Failure;
use crate::tokens::{Place, Query, Side, Token, Tokens, TooLong};
use crate::{arrays, files};

const MAX_TEXTS: u64 = 64 << 20;
const MAX_LINES: u64 = 1 << 30;

#[derive(clap::Args)]
pub struct Given {
    /// A text for the entry's tokens and mask. May be given several times: a query each.
    #[arg(long, value_name = "TEXT", requires = "tokenizer")]
    pub text: Vec<String>,
    /// The second text of a pair, for models that compare two. As many times as `--text`.
    #[arg(long, value_name = "TEXT", requires = "text")]
    pub pair: Vec<String>,
    /// A file with a text in each line: a query each. A plan built with `--batch` serves them together; what its last batch
    /// lacks is filled with copies, which the other party cannot tell from queries unless it gets the results.
    #[arg(long, value_name = "FILE", requires = "tokenizer", conflicts_with = "pair")]
    pub texts: Option<PathBuf>,
    /// A file with a query in each line (`-` for standard input): {"text": "..."}, {"text": "...", "pair": "..."} or
    /// {"inputs": {"x": {"shape": [2], "data": [1, 2]}}}, each with an `id` if you like. Results come as JSON lines in the
    /// same order, with the `id`. How many queries share a run is the plan's: `ptc build --batch`.
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["text", "texts", "lines"])]
    pub queries: Option<PathBuf>,
    /// The checkpoint's `tokenizer.json`, for texts.
    #[arg(long, value_name = "FILE.json")]
    pub tokenizer: Option<PathBuf>,
    /// Cut texts that have more tokens than the plan takes, instead of refusing them.
    #[arg(long)]
    pub truncate: bool,
    /// Where padding goes. Models count places from the first token, so that padding behind the text is right for nearly all
    /// of them, whatever a tokenizer says; `left` is for those that read their answer at the last place.
    #[arg(long, value_enum, default_value_t = Side::Right, hide_default_value = true)]
    pub pad: Side,
    /// An input's array, as `.npy` or JSON. May be given several times. With one axis more than the input, it holds a query
    /// in each row.
    #[arg(long = "input", value_name = "NAME=FILE", value_parser = input)]
    pub inputs: Vec<(String, PathBuf)>,
    /// A file with a query in each line: an object of arrays by input, {"x": {"shape": [2], "data": [1, 2]}}.
    #[arg(long = "inputs", id = "lines", value_name = "FILE.jsonl", conflicts_with_all = ["text", "texts"])]
    pub lines: Option<PathBuf>,
    /// Arrays that a program gives instead of files.
    #[arg(skip)]
    pub arrays: Tensors,
}

/// The queries of a session: what the plan takes, and what is known of each besides.
#[derive(Default)]
pub struct Queries {
    pub tensors: Vec<Tensors>,
    pub asked: Vec<Asked>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    pub id: Option<Value>,
    /// Of its text, where it has one.
    pub tokens: Option<Vec<Token>>,
}

/// One query as it was given.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wanted {
    id: Option<Value>,
    text: Option<Query>,
    arrays: Tensors,
}

fn input(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("expected NAME=FILE, for example x=x.npy")?;
    Ok((name.to_string(), file.into()))
}

impl Given {
    /// The queries of a party. `taken` are the inputs that it gives.
    pub fn queries(&self, taken: &[&Input]) -> Result<Queries, Failure> {
        let (common, stacks) = self.arrays(taken)?;
        let mut wanted = match (&self.queries, &self.lines) {
            (Some(path), _) => of_lines(path, query)?,
            (None, Some(path)) => {
                of_lines(path, |value| Ok(Wanted { arrays: arrays::of_value(value)?, ..Wanted::default() }))?
            }
            (None, None) => self.texts()?,
        };
        if let Some((_, rows)) = stacks.first().filter(|_| wanted.is_empty()) {
            wanted = vec![Wanted::default(); rows.len()];
        }
        if let Some((name, rows)) = stacks.iter().find(|(_, rows)| rows.len() != wanted.len()) {
            let message = format!("input `{name}` has {} rows, and there are {} queries", rows.len(), wanted.len());
            return Err(Failure::new(message, "give a row for each query"));
        }
        if wanted.is_empty() {
            self.explain_missing(taken, &common)?;
            wanted.push(Wanted::default());
        }
        let mut queries = Queries::default();
        let mut tokens = None;
        for (at, Wanted { id, text, mut arrays }) in wanted.into_iter().enumerate() {
            let rows = stacks.iter().map(|(name, rows)| (name.clone(), rows[at].clone()));
            for (name, array) in common.clone().into_iter().chain(rows) {
                if arrays.insert(name.clone(), array).is_some() {
                    let message = format!("input `{name}` is given by `--input` and by query {}", at + 1);
                    return Err(Failure::new(message, "give each input once"));
                }
            }
            let mut asked = Asked { id, tokens: None };
            if let Some(text) = text {
                let tokens = match &mut tokens {
                    Some(tokens) => tokens,
                    None => tokens.insert(self.tokens()?),
                };
                let (found, of_text) = self.encode(tokens, &text, taken, arrays)?;
                (arrays, asked.tokens) = (found, Some(of_text));
            }
            queries.tensors.push(arrays);
            queries.asked.push(asked);
        }
        Ok(queries)
    }

    /// Arrays of `--input`: those of every query, and those with a row for each.
    fn arrays(&self, taken: &[&Input]) -> Result<(Tensors, Vec<(String, Vec<FloatTensor>)>), Failure> {
        let (mut common, mut stacks) = (self.arrays.clone(), Vec::<(String, Vec<FloatTensor>)>::new());
        for (name, path) in &self.inputs {
            if common.contains_key(name) || stacks.iter().any(|(other, _)| other == name) {
                return Err(Failure::new(format!("input `{name}` is given twice"), "give each input once"));
            }
            let array = arrays::read(path)?;
            let input = taken.iter().find(|input| input.name == *name);
            match input.filter(|input| array.shape.get(1..) == Some(&input.shape)) {
                Some(_) => stacks.push((name.clone(), arrays::rows(&array))),
                None => {
                    common.insert(name.clone(), array);
                }
            }
        }
        Ok((common, stacks))
    }

    fn texts(&self) -> Result<Vec<Wanted>, Failure> {
        let mut texts: Vec<Query> = self.text.iter().map(Query::of).collect();
        if !self.pair.is_empty() {
            if self.pair.len() != texts.len() {
                let message = format!("there are {} texts and {} second texts", texts.len(), self.pair.len());
                return Err(Failure::new(message, "give one `--pair` for each `--text`"));
            }
            texts.iter_mut().zip(&self.pair).for_each(|(query, pair)| query.pair = Some(pair.clone()));
        }
        if let Some(path) = &self.texts {
            let lines = files::read_text(path, MAX_TEXTS)?;
            texts.extend(lines.lines().filter(|line| !line.trim().is_empty()).map(Query::of));
            if texts.is_empty() {
                return Err(Failure::new(format!("`{}` holds no text", path.display()), "write one text a line"));
            }
        }
        Ok(texts.into_iter().map(|text| Wanted { text: Some(text), ..Wanted::default() }).collect())
    }

    fn tokens(&self) -> Result<Tokens, Failure> {
        match &self.tokenizer {
            Some(path) => Ok(Tokens::open(path)?),
            None => Err(Failure::new("there is a text, and no tokenizer", "add `--tokenizer tokenizer.json`")),
        }
    }

    fn encode(
        &self,
        tokens: &Tokens,
        text: &Query,
        taken: &[&Input],
        mut arrays: Tensors,
    ) -> Result<(Tensors, Vec<Token>), Failure> {
        let too_long = if self.truncate { TooLong::Cut } else { TooLong::Refuse };
        let free = taken.iter().filter(|input| !arrays.contains_key(&input.name));
        let free: Vec<Place> = free.map(|input| (input.name.clone(), input.kind, input.shape.clone())).collect();
        let encoded = tokens.inputs(text, &free, too_long, self.pad)?;
        arrays.extend(encoded.arrays);
        Ok((arrays, encoded.tokens))
    }

    /// Nothing was given where something is taken: says what, in the words of the command line.
    fn explain_missing(&self, taken: &[&Input], arrays: &Tensors) -> Result<(), Failure> {
        let missing: Vec<&&Input> = taken.iter().filter(|input| !arrays.contains_key(&input.name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = missing.iter().map(|input| format!("`{}` {:?}", input.name, input.shape)).collect();
        let files: Vec<String> = missing.iter().map(|input| format!("--input {}=FILE", input.name)).collect();
        let mut hint = format!("add `{}`", files.join(" "));
        if missing.iter().any(|input| input.kind == InputKind::Token) {
            hint += ", or `--text TEXT --tokenizer tokenizer.json`";
        }
        Err(Failure::new(format!("the entry needs {} from this party", names.join(", ")), hint))
    }
}

/// What each line of a file asks.
fn of_lines(path: &Path, read: impl Fn(Value) -> Result<Wanted, Failure>) -> Result<Vec<Wanted>, Failure> {
    let text = match path.to_str() {
        Some("-") => standard_input()?,
        _ => files::read_text(path, MAX_LINES)?,
    };
    let mut all = vec![];
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let value = serde_json::from_str(line).map_err(|error| {
            Failure::new(format!("it is not JSON: {error}"), "write one object a line, e.g. {\"text\": \"...\"}")
        });
        let wanted = value.and_then(&read);
        all.push(wanted.map_err(|failure| failure.at(&format!("line {} of `{}`", at + 1, path.display())))?);
    }
    match all.is_empty() {
        true => Err(Failure::new(format!("`{}` holds no query", path.display()), "write one object a line")),
        false => Ok(all),
    }
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().take(MAX_LINES).read_to_string(&mut text)?;
    Ok(text)
}

const KEYS: [&str; 4] = ["id", "text", "pair", "inputs"];

/// `"text"`, `{"text": ..., "pair": ...}`, `{"inputs": {...}}`, or arrays by name; with an `id`. Other keys are the user's
/// own, unless they look like a slip.
fn query(value: Value) -> Result<Wanted, Failure> {
    const HINT: &str =
        "write {\"text\": \"...\"}, {\"text\": \"...\", \"pair\": \"...\"} or {\"inputs\": {\"x\": {...}}}";
    let mut object = match value {
        Value::String(text) => return Ok(Wanted { text: Some(Query::of(text)), ..Wanted::default() }),
        Value::Object(object) => object,
        _ => return Err(Failure::new("it is neither an object nor a text", HINT)),
    };
    let id = object.remove("id");
    let [text, pair, inputs] = ["text", "pair", "inputs"].map(|key| object.remove(key));
    if text.is_none() && inputs.is_none() && pair.is_none() {
        return Ok(Wanted { id, text: None, arrays: arrays::of_value(object.into())? });
    }
    if let Some((slip, meant)) = object.keys().find_map(|key| Some((key, nearest(key, KEYS)?))) {
        return Err(Failure::new(format!("there is no `{slip}` in a query"), format!("did you mean `{meant}`?")));
    }
    let words = |key: &str, value: Option<Value>| match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::new(format!("`{key}` is not a text"), HINT)),
    };
    let text = match (words("text", text)?, words("pair", pair)?) {
        (Some(text), pair) => Some(Query { text, pair }),
        (None, None) => None,
        (None, Some(_)) => return Err(Failure::new("there is a `pair` without a `text`", HINT)),
    };
    let arrays = inputs.map(arrays::of_value).transpose()?.unwrap_or_default();
    Ok(Wanted { id, text, arrays })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(failure: Failure) -> String {
        match failure {
            Failure::Message { message, hint } => format!("{message}\n{}", hint.unwrap_or_default()),
            Failure::Classed { message, .. } => message,
            _ => String::new(),
        }
    }

    #[test]
    fn a_line_is_a_text_a_pair_or_arrays() {
        let of = |text: &str, pair: Option<&str>| Some(Query { text: text.into(), pair: pair.map(String::from) });
        let check = |value: Value, id: Option<Value>, text: Option<Query>, names: &[&str]| {
            let found = query(value).map_err(message).unwrap();
            assert_eq!((found.id, found.text), (id, text));
            assert_eq!(found.arrays.keys().collect::<Vec<_>>(), names);
        };
        let x = json!({ "shape": [1], "data": [2] });
        check(json!("a"), None, of("a", None), &[]);
        check(json!({ "text": "a", "id": 7, "label": "my own" }), Some(json!(7)), of("a", None), &[]);
        check(json!({ "text": "a", "pair": "b" }), None, of("a", Some("b")), &[]);
        check(json!({ "inputs": { "x": x }, "id": [1] }), Some(json!([1])), None, &["x"]);
        check(json!({ "text": "a", "inputs": { "x": x } }), None, of("a", None), &["x"]);
        check(json!({ "x": x, "id": "q" }), Some(json!("q")), None, &["x"]);
    }

    #[test]
    fn slips_are_named() {
        let check = |value: Value, part: &str| {
            let found = message(query(value).unwrap_err());
            assert!(found.contains(part), "{found}");
        };
        check(json!({ "text": "a", "pairs": "b" }), "did you mean `pair`?");
        check(json!({ "text": 3 }), "`text` is not a text");
        check(json!({ "pair": "b" }), "a `pair` without a `text`");
        check(json!(3), "neither an object nor a text");
        check(json!({ "x": 3 }), "no array");
    }

    #[test]
    fn a_wrong_line_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.jsonl");
        std::fs::write(&path, "{\"text\": \"a\"}\n\n{\"text\"\n").unwrap();
        let found = message(of_lines(&path, query).unwrap_err());
        assert!(found.starts_with("line 3 of `") && found.contains("not JSON"), "{found}");
        std::fs::write(&path, "\n").unwrap();
        assert!(message(of_lines(&path, query).unwrap_err()).contains("holds no query"));
    }
}
