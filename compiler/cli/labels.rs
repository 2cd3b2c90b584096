//! Names for the classes of a classifier: `labels.json` is a list in the order of the logits, or the `id2label` of a
//! checkpoint's `config.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ptc_plan::float::FloatTensor;
use serde::Deserialize;

use crate::files::{self, FileError};

const MAX_BYTES: u64 = 16 << 20;

#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("`{}` holds no labels: {problem}\nhint: write [\"first\", \"second\"], in the order of the logits", path.display())]
    Malformed { path: PathBuf, problem: String },
    #[error("there are {labels} labels and {logits} logits\nhint: give the labels that belong to this model")]
    Count { labels: usize, logits: usize },
    #[error("logit {at} is {value}")]
    NotANumber { at: usize, value: f32 },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    List(Vec<String>),
    Config { id2label: BTreeMap<String, String> },
}

pub fn read(path: &Path) -> Result<Vec<String>, LabelsError> {
    let malformed = |problem: String| LabelsError::Malformed { path: path.into(), problem };
    let text = files::read_text(path, MAX_BYTES)?;
    let labels = match serde_json::from_str(&text) {
        Ok(File::List(labels)) => labels,
        Ok(File::Config { id2label }) => in_order(&id2label).map_err(malformed)?,
        Err(error) if error.is_data() => {
            return Err(malformed("it is neither a list of texts nor has `id2label`".into()));
        }
        Err(error) => return Err(malformed(error.to_string())),
    };
    match labels.iter().find(|label| label.chars().any(char::is_control)) {
        // They are printed to terminals.
        Some(label) => Err(malformed(format!("the label {label:?} has control characters"))),
        None => Ok(labels),
    }
}

fn in_order(by_id: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
    let label = |id: usize| by_id.get(&id.to_string()).cloned().ok_or(format!("`id2label` has no \"{id}\""));
    (0..by_id.len()).map(label).collect()
}

/// The label of the largest logit; of equal ones, the first.
pub fn best<'a>(labels: &'a [String], logits: &FloatTensor) -> Result<&'a str, LabelsError> {
    if let Some(at) = logits.data.iter().position(|x| !x.is_finite()) {
        return Err(LabelsError::NotANumber { at, value: logits.data[at] });
    }
    let count = LabelsError::Count { labels: labels.len(), logits: logits.data.len() };
    let better = |best: Option<(&'a String, f32)>, (label, &logit): (&'a String, &f32)| match best {
        Some((_, largest)) if largest >= logit => best,
        _ => Some((label, logit)),
    };
    match labels.iter().zip(&logits.data).fold(None, better) {
        Some((label, _)) if labels.len() == logits.data.len() => Ok(label),
        _ => Err(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_file(text: &str, expected: Result<&[&str], &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.json");
        std::fs::write(&path, text).unwrap();
        match (read(&path), expected) {
            (Ok(labels), Ok(expected)) => assert_eq!(labels, expected),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn labels_are_a_list_or_a_config() {
        check_file("[\"doc\", \"net\"]", Ok(&["doc", "net"]));
        let many: Vec<String> = (0..11).map(|i| format!("\"{i}\": \"l{i}\"")).collect();
        let text = format!("{{\"hidden_size\": 4, \"id2label\": {{{}}}}}", many.join(","));
        check_file(&text, Ok(&["l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8", "l9", "l10"]));
        check_file("{\"id2label\": {\"1\": \"a\"}}", Err("no \"0\""));
        check_file("[1, 2]", Err("neither a list of texts"));
        check_file("[\"a\"", Err("EOF"));
        check_file("[\"\\u001b[2J\"]", Err("control characters"));
    }

    #[test]
    fn the_largest_logit_names_the_label() {
        let labels = ["a", "b", "c"].map(String::from);
        let check = |logits: &[f32], expected: Result<&str, &str>| {
            let found = best(&labels, &FloatTensor::new(vec![logits.len()], logits.to_vec()));
            assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(String::from));
        };
        check(&[-3.0, -1.0, -2.0], Ok("b"));
        check(&[1.0, 0.0, 1.0], Ok("a"));
        check(&[1.0, f32::NAN, 1.0], Err("logit 1 is NaN"));
        let hint = "\nhint: give the labels that belong to this model";
        check(&[1.0, 2.0], Err(&format!("there are 3 labels and 2 logits{hint}")));
        check(&[], Err(&format!("there are 3 labels and 0 logits{hint}")));
    }
}
