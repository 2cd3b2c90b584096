//! What a user gives a party for its queries: texts, or arrays in files.

use std::path::{Path, PathBuf};

use ptc_exec::tensors::Tensors;
use ptc_plan::file::{Input, InputKind};

use crate::failure::Failure;
use crate::tokens::{Tokens, TooLong};
use crate::{arrays, files};

const MAX_TEXTS: u64 = 64 << 20;
const MAX_LINES: u64 = 1 << 30;

#[derive(clap::Args)]
pub struct Given {
    /// A text for the entry's tokens and mask. May be given several times: a query each.
    #[arg(long, value_name = "TEXT", requires = "tokenizer")]
    pub text: Vec<String>,
    /// A file with a text in each line: a query each. A plan built with `--batch` serves them together; what its last batch
    /// lacks is filled with copies, which the other party cannot tell from queries unless it gets the results.
    #[arg(long, value_name = "FILE", requires = "tokenizer")]
    pub texts: Option<PathBuf>,
    /// The checkpoint's `tokenizer.json`, for texts.
    #[arg(long, value_name = "FILE.json")]
    pub tokenizer: Option<PathBuf>,
    /// Cut texts that have more tokens than the plan takes, instead of refusing them.
    #[arg(long)]
    pub truncate: bool,
    /// An input's array, as `.npy` or JSON. May be given several times, for one query.
    #[arg(long = "input", value_name = "NAME=FILE", value_parser = input)]
    pub inputs: Vec<(String, PathBuf)>,
    /// A file with a query in each line: an object of arrays by input, {"x": {"shape": [2], "data": [1, 2]}}.
    #[arg(long = "inputs", value_name = "FILE.jsonl", conflicts_with_all = ["text", "texts"])]
    pub lines: Option<PathBuf>,
    /// Arrays that a program gives instead of files.
    #[arg(skip)]
    pub arrays: Tensors,
}

fn input(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("expected NAME=FILE, for example x=x.npy")?;
    Ok((name.to_string(), file.into()))
}

impl Given {
    /// The tensors of each query. `taken` are the inputs that this party gives.
    pub fn queries(&self, taken: &[&Input]) -> Result<Vec<Tensors>, Failure> {
        let mut arrays = self.arrays.clone();
        for (name, path) in &self.inputs {
            if arrays.insert(name.clone(), arrays::read(path)?).is_some() {
                return Err(Failure::new(format!("input `{name}` is given twice"), "give each input once"));
            }
        }
        if let Some(path) = &self.lines {
            return lines(path, &arrays);
        }
        let mut texts = self.text.clone();
        if let Some(path) = &self.texts {
            let lines = files::read_text(path, MAX_TEXTS)?;
            texts.extend(lines.lines().filter(|line| !line.trim().is_empty()).map(String::from));
            if texts.is_empty() {
                return Err(Failure::new(format!("`{}` holds no text", path.display()), "write one text a line"));
            }
        }
        let Some(tokenizer) = self.tokenizer.as_ref().filter(|_| !texts.is_empty()) else {
            self.explain_missing(taken, &arrays)?;
            return Ok(vec![arrays]);
        };
        let tokens = Tokens::open(tokenizer)?;
        let too_long = if self.truncate { TooLong::Cut } else { TooLong::Refuse };
        let free: Vec<(String, InputKind, Vec<usize>)> = taken
            .iter()
            .filter(|input| !arrays.contains_key(&input.name))
            .map(|input| (input.name.clone(), input.kind, input.shape.clone()))
            .collect();
        let query = |text: &String| -> Result<Tensors, Failure> {
            let mut tensors = tokens.inputs(text, &free, too_long)?;
            tensors.extend(arrays.clone());
            Ok(tensors)
        };
        texts.iter().map(query).collect()
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

/// A query of each line, with the arrays that are the same for all.
fn lines(path: &Path, common: &Tensors) -> Result<Vec<Tensors>, Failure> {
    let text = files::read_text(path, MAX_LINES)?;
    let mut queries = vec![];
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut query = arrays::named_tensors(line)?;
        if let Some(name) = common.keys().find(|&name| query.contains_key(name)) {
            let message = format!("input `{name}` is given by `--input` and in `{}`", path.display());
            return Err(Failure::new(message, "give each input once"));
        }
        query.extend(common.clone());
        queries.push(query);
    }
    match queries.is_empty() {
        true => Err(Failure::new(format!("`{}` holds no query", path.display()), "write one object a line")),
        false => Ok(queries),
    }
}
