//! Names for the classes of a classifier: `labels.json` is a list in the order of the logits, or the `id2label` of a
//! checkpoint's `config.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

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
    Config { id2label: BTreeMap<String, String>, problem_type: Option<String> },
}

#[derive(Debug, PartialEq)]
pub struct Labels {
    names: Vec<String>,
    /// Several labels may hold at once: each has a probability of its own.
    several: bool,
}

/// What logits say: the label of the largest, and how likely each label is.
#[derive(Debug, PartialEq, Serialize)]
pub struct Verdict<'a> {
    pub label: &'a str,
    #[serde(serialize_with = "map")]
    pub scores: Vec<(&'a str, f64)>,
}

pub fn read(path: &Path) -> Result<Labels, LabelsError> {
    let malformed = |problem: String| LabelsError::Malformed { path: path.into(), problem };
    let text = files::read_text(path, MAX_BYTES)?;
    let (names, several) = match serde_json::from_str(&text) {
        Ok(File::List(labels)) => (labels, false),
        Ok(File::Config { id2label, problem_type }) => {
            (in_order(&id2label).map_err(malformed)?, problem_type.as_deref() == Some("multi_label_classification"))
        }
        Err(error) if error.is_data() => {
            return Err(malformed("it is neither a list of texts nor has `id2label`".into()));
        }
        Err(error) => return Err(malformed(error.to_string())),
    };
    match names.iter().find(|label| label.chars().any(char::is_control)) {
        // They are printed to terminals.
        Some(label) => Err(malformed(format!("the label {label:?} has control characters"))),
        None => Ok(Labels { names, several }),
    }
}

fn in_order(by_id: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
    let label = |id: usize| by_id.get(&id.to_string()).cloned().ok_or(format!("`id2label` has no \"{id}\""));
    (0..by_id.len()).map(label).collect()
}

impl Labels {
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The label of the largest logit; of equal ones, the first.
    pub fn best(&self, logits: &[f32]) -> Result<&str, LabelsError> {
        self.check(logits)?;
        let mut best: Option<(&str, f32)> = None;
        for (label, &logit) in self.names.iter().zip(logits) {
            if best.is_none_or(|(_, largest)| logit > largest) {
                best = Some((label, logit));
            }
        }
        best.map(|(label, _)| label).ok_or(LabelsError::Count { labels: 0, logits: 0 })
    }

    pub fn verdict(&self, logits: &[f32]) -> Result<Verdict<'_>, LabelsError> {
        let label = self.best(logits)?;
        let scores = match (self.several, logits) {
            // A single one is a measure, such as how alike two texts are.
            (false, [measure]) => vec![f64::from(*measure)],
            (false, logits) => softmax(logits),
            (true, logits) => logits.iter().map(|&logit| 1.0 / (1.0 + (-f64::from(logit)).exp())).collect(),
        };
        Ok(Verdict { label, scores: self.names.iter().map(String::as_str).zip(scores).collect() })
    }

    fn check(&self, logits: &[f32]) -> Result<(), LabelsError> {
        if let Some((at, &value)) = logits.iter().enumerate().find(|(_, x)| !x.is_finite()) {
            return Err(LabelsError::NotANumber { at, value });
        }
        match self.names.len() == logits.len() && !logits.is_empty() {
            true => Ok(()),
            false => Err(LabelsError::Count { labels: self.names.len(), logits: logits.len() }),
        }
    }
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().fold(f32::NEG_INFINITY, |most, &logit| most.max(logit));
    let powers: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// In the order of the logits.
fn map<S: Serializer>(scores: &[(&str, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(scores.len()))?;
    for (label, score) in scores {
        map.serialize_entry(label, score)?;
    }
    map.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_file(text: &str, expected: Result<&[&str], &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.json");
        std::fs::write(&path, text).unwrap();
        match (read(&path), expected) {
            (Ok(labels), Ok(expected)) => assert_eq!(labels.names, expected),
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

    fn labels(several: bool) -> Labels {
        Labels { names: ["a", "b", "c"].map(String::from).into(), several }
    }

    #[test]
    fn scores_are_probabilities_in_the_order_of_the_logits() {
        let logits = [0.0, 2.0f32.ln(), 5.0f32.ln()];
        let json = serde_json::to_string(&labels(false).verdict(&logits).unwrap()).unwrap();
        let found: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(found["label"], "c");
        for (label, score) in [("a", 0.125), ("b", 0.25), ("c", 0.625)] {
            assert!((found["scores"][label].as_f64().unwrap() - score).abs() < 1e-6, "{json}");
        }
        assert!(json.find("\"a\"") < json.find("\"b\":"), "{json}");
        let several = labels(true);
        let apart = several.verdict(&[0.0, 100.0, -100.0]).unwrap().scores;
        assert!(apart[0].1 == 0.5 && apart[1].1 > 0.999 && apart[2].1 < 0.001);
        let one = Labels { names: vec!["LABEL_0".into()], several: false };
        assert_eq!(one.verdict(&[-3.5]).unwrap().scores, [("LABEL_0", -3.5)]);
    }

    #[test]
    fn a_config_says_whether_several_labels_may_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let text = "{\"id2label\": {\"0\": \"a\"}, \"problem_type\": \"multi_label_classification\"}";
        std::fs::write(&path, text).unwrap();
        assert!(read(&path).unwrap().several);
    }

    #[test]
    fn the_largest_logit_names_the_label() {
        let labels = labels(false);
        let check = |logits: &[f32], expected: Result<&str, &str>| {
            let found = labels.best(logits);
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
