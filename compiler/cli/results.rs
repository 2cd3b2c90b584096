//! How results leave a party: arrays, or what they say: labels, scores, tokens. All of them, or nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ptc_exec::batch;
use ptc_exec::tensors::Tensors;
use ptc_plan::float::FloatTensor;
use serde::Serialize;
use serde_json::Value;

use crate::arrays::{self, Form};
use crate::failure::Failure;
use crate::given::Asked;
use crate::labels::{Labels, Verdict};
use crate::tokens::Token;
use crate::{files, labels, messages};

#[derive(clap::Args)]
pub struct ResultArguments {
    /// Write results here instead of to standard output, as `.json` (one object a line where there are several) or `.npy`
    /// (of several queries stacked, [queries, ...]).
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Names of a classifier's classes: a list, or the checkpoint's `config.json`. The label of the largest logit is printed.
    #[arg(long, value_name = "FILE.json")]
    pub labels: Option<PathBuf>,
    /// One JSON object a query, as for `--queries`: with labels {"label": "...", "scores": {...}}, of token classifiers
    /// {"tokens": [{"token", "start", "end", "label", "score"}]}, else {"outputs": {...}}.
    #[arg(long)]
    pub json: bool,
}

/// What was asked for, checked before a session.
pub struct Wanted<'a> {
    output: Option<(&'a Path, Form)>,
    labels: Option<Labels>,
    records: bool,
}

impl ResultArguments {
    /// `listed`: the queries come from a file that numbers them.
    pub fn open(&self, listed: bool) -> Result<Wanted<'_>, Failure> {
        let output = self.output.as_deref().map(|path| arrays::form(path).map(|form| (path, form))).transpose()?;
        let labels = self.labels.as_deref().map(labels::read).transpose()?;
        Ok(Wanted { output, labels, records: self.json || listed })
    }
}

/// One query's result as JSON.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Vec<Labelled<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<BTreeMap<&'a String, arrays::Borrowed<'a>>>,
}

/// A token's label.
#[derive(Serialize)]
struct Labelled<'a> {
    token: &'a str,
    /// Which text of a pair, from 0; absent for the first.
    #[serde(skip_serializing_if = "is_first")]
    sequence: usize,
    start: usize,
    end: usize,
    label: &'a str,
    score: f64,
}

fn is_first(sequence: &usize) -> bool {
    *sequence == 0
}

impl Wanted<'_> {
    /// The results of each query, to the file or to standard output.
    pub fn publish(&self, asked: &[Asked], results: &[Tensors]) -> Result<(), Failure> {
        let revealed: Vec<(Option<&Asked>, &Tensors)> =
            results.iter().enumerate().map(|(at, arrays)| (asked.get(at), arrays)).collect();
        let revealed: Vec<_> = revealed.into_iter().filter(|(_, arrays)| !arrays.is_empty()).collect();
        if revealed.is_empty() {
            if self.output.is_some() {
                messages::note("nothing is revealed to this party, so no output is written");
            }
            return Ok(());
        }
        let said = match &self.labels {
            Some(labels) if !self.records && revealed.iter().all(|(_, arrays)| one_row(arrays, labels)) => {
                Some(plain(labels, &revealed)?)
            }
            Some(_) => Some(self.records(&revealed)?),
            None => None,
        };
        let arrays = || match self.records {
            true => self.records(&revealed),
            false => Ok(revealed.iter().map(|(_, arrays)| arrays::json(arrays)).collect::<Result<String, _>>()?),
        };
        match (self.output, said) {
            (Some((path, Form::Npy)), said) => {
                files::write(path, &stacked(&revealed, self.records)?)?;
                print!("{}", said.unwrap_or_default());
            }
            (Some((path, Form::Json)), said) => {
                files::write(path, arrays()?.as_bytes())?;
                print!("{}", said.filter(|_| !self.records).unwrap_or_default());
            }
            (None, Some(said)) => print!("{said}"),
            (None, None) => print!("{}", arrays()?),
        }
        Ok(())
    }

    fn records(&self, results: &[(Option<&Asked>, &Tensors)]) -> Result<String, Failure> {
        let record = |(asked, arrays): &(Option<&Asked>, &Tensors)| -> Result<String, Failure> {
            let id = asked.and_then(|asked| asked.id.as_ref());
            let record = match &self.labels {
                None => Record { id, verdict: None, tokens: None, outputs: Some(arrays::borrowed(arrays)?) },
                Some(labels) => {
                    let logits = the_one(arrays)?;
                    match one_row(arrays, labels) {
                        true => {
                            Record { id, verdict: Some(labels.verdict(&logits.data)?), tokens: None, outputs: None }
                        }
                        false => {
                            let tokens = labelled(labels, logits, asked.and_then(|asked| asked.tokens.as_deref()))?;
                            Record { id, verdict: None, tokens: Some(tokens), outputs: None }
                        }
                    }
                }
            };
            Ok(serde_json::to_string(&record)? + "\n")
        };
        results.iter().map(record).collect()
    }
}

/// A label a line, of every array.
fn plain(labels: &Labels, results: &[(Option<&Asked>, &Tensors)]) -> Result<String, Failure> {
    let mut text = String::new();
    for logits in results.iter().flat_map(|(_, arrays)| arrays.values()) {
        text += labels.best(&logits.data)?;
        text.push('\n');
    }
    Ok(text)
}

/// Whether no array holds more than the logits of one choice.
fn one_row(arrays: &Tensors, labels: &Labels) -> bool {
    arrays.values().all(|logits| logits.shape.len() < 2 || logits.shape.last() != Some(&labels.count()))
}

fn the_one(arrays: &Tensors) -> Result<&FloatTensor, Failure> {
    match arrays.values().collect::<Vec<_>>()[..] {
        [one] => Ok(one),
        _ => Err(Failure::new(
            format!("labels name the classes of one result, and there are {}", arrays.len()),
            "leave `--labels` away",
        )),
    }
}

/// The label of each token of the text. Logits stand row by row, a row for each place.
fn labelled<'a>(
    labels: &'a Labels,
    logits: &FloatTensor,
    tokens: Option<&'a [Token]>,
) -> Result<Vec<Labelled<'a>>, Failure> {
    let Some(tokens) = tokens else {
        return Err(Failure::new(
            "labels of tokens need the text, and this query was given as arrays",
            "give the text, or leave `--labels` away",
        ));
    };
    let rows: Vec<&[f32]> = logits.data.chunks(labels.count().max(1)).collect();
    let mut found = vec![];
    for token in tokens {
        let Some(row) = rows.get(token.place) else {
            let message = format!("there are {} rows of logits, and none for token {}", rows.len(), token.place);
            return Err(Failure::new(message, "give the labels that belong to this model"));
        };
        let Verdict { label, scores } = labels.verdict(row)?;
        let score = scores.iter().find(|(name, _)| *name == label).map_or(0.0, |(_, score)| *score);
        let Token { text, sequence, start, end, .. } = token;
        found.push(Labelled { token: text, sequence: *sequence, start: *start, end: *end, label, score });
    }
    Ok(found)
}

/// One array of all queries; of a single one that was not listed, the array itself.
fn stacked(results: &[(Option<&Asked>, &Tensors)], listed: bool) -> Result<Vec<u8>, Failure> {
    if let ([(_, arrays)], false) = (results, listed) {
        return Ok(arrays::npy(arrays)?);
    }
    let mut all = vec![];
    for (_, arrays) in results {
        match arrays.values().collect::<Vec<_>>()[..] {
            [one] => all.push(one),
            _ => return Ok(arrays::npy(arrays)?),
        }
    }
    let stack = batch::stacked(all.into_iter());
    Ok(arrays::npy(&Tensors::from([(String::new(), stack)]))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(shape: &[usize], data: &[f32]) -> Tensors {
        Tensors::from([("y".to_string(), FloatTensor::new(shape.to_vec(), data.to_vec()))])
    }

    fn labels(names: &str) -> Labels {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.json");
        std::fs::write(&path, names).unwrap();
        labels::read(&path).unwrap()
    }

    fn lines(labels: Option<Labels>, asked: &[Asked], results: &[Tensors]) -> Vec<Value> {
        let wanted = Wanted { output: None, labels, records: true };
        let results: Vec<_> = results.iter().enumerate().map(|(at, arrays)| (asked.get(at), arrays)).collect();
        let text = wanted.records(&results).map_err(|_| "no records").unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn records_keep_their_ids_and_hold_arrays() {
        let asked = [Asked { id: Some(json!("a")), tokens: None }, Asked::default()];
        let found = lines(None, &asked, &[result(&[2], &[1.0, 2.0]), result(&[2], &[3.0, 4.0])]);
        assert_eq!(found[0], json!({ "id": "a", "outputs": { "y": { "shape": [2], "data": [1.0, 2.0] } } }));
        assert_eq!(found[1], json!({ "outputs": { "y": { "shape": [2], "data": [3.0, 4.0] } } }));
    }

    #[test]
    fn a_classifier_says_its_label_and_scores() {
        let found = lines(Some(labels("[\"no\", \"yes\"]")), &[], &[result(&[2], &[1.0, 1.0])]);
        assert_eq!(found, [json!({ "label": "no", "scores": { "no": 0.5, "yes": 0.5 } })]);
    }

    #[test]
    fn a_token_classifier_labels_the_tokens_of_the_text_alone() {
        let token = Token { place: 1, text: "Paris".into(), sequence: 0, start: 3, end: 8 };
        let asked = [Asked { id: None, tokens: Some(vec![token]) }];
        let logits = result(&[3, 2], &[9.0, 0.0, 0.0, 0.0, 9.0, 0.0]);
        let found = lines(Some(labels("[\"O\", \"LOC\"]")), &asked, &[logits]);
        let expected = json!({ "token": "Paris", "start": 3, "end": 8, "label": "O", "score": 0.5 });
        assert_eq!(found, [json!({ "tokens": [expected] })]);
    }

    #[test]
    fn arrays_of_several_queries_are_stacked() {
        let (one, two) = (result(&[2], &[1.0, 2.0]), result(&[2], &[3.0, 4.0]));
        let parse = |bytes: Vec<u8>| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.npy");
            std::fs::write(&path, bytes).unwrap();
            arrays::read(&path).unwrap().shape
        };
        let bytes =
            |results: &[(Option<&Asked>, &Tensors)], listed| stacked(results, listed).map_err(|_| "no").unwrap();
        assert_eq!(parse(bytes(&[(None, &one), (None, &two)], false)), [2, 2]);
        assert_eq!(parse(bytes(&[(None, &one)], false)), [2]);
        assert_eq!(parse(bytes(&[(None, &one)], true)), [1, 2]);
    }
}
