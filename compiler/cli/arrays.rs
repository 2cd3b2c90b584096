//! Arrays of numbers in files: `.npy`, and JSON as `{"shape": [2], "data": [1, 2]}`.
//!
//! What is read is finite and fits its shape. Whether it fits an entry's input is for whoever runs the plan.

use std::collections::BTreeMap;
use std::path::Path;

use ptc_plan::check::MAX_ELEMENTS;
use ptc_plan::float::FloatTensor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::{self, FileError};

mod npy;

/// A tensor of `f64` with as many elements as any that is taken fits, and so does the same as JSON in most cases.
const MAX_BYTES: u64 = 8 << 30;

const MAX_AXES: usize = 16;

#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("`{place}` is no array: {problem}\nhint: {hint}")]
    Malformed { place: String, problem: String, hint: &'static str },
    #[error("`{path}` is neither a `.npy` nor a `.json` file\nhint: name the file with one of these endings")]
    UnknownForm { path: String },
    #[error("a `.npy` file holds one array, and there are {count}: {names}\nhint: write `.json` instead")]
    SeveralArrays { count: usize, names: String },
}

const JSON_HINT: &str = "write {\"shape\": [2, 2], \"data\": [1, 2, 3, 4]}, elements row by row";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Array<T> {
    shape: Vec<usize>,
    data: Vec<T>,
}

/// One array; its form is told by its first bytes.
pub fn read(path: &Path) -> Result<FloatTensor, ArrayError> {
    let bytes = files::read(path, MAX_BYTES)?;
    let place = path.display().to_string();
    if bytes.starts_with(npy::MAGIC) || path.extension().is_some_and(|extension| extension == "npy") {
        return npy::parse(&bytes).map_err(|problem| ArrayError::Malformed { place, problem, hint: npy::HINT });
    }
    let array = serde_json::from_slice(&bytes).map_err(|error| malformed(&place, error.to_string()))?;
    tensor(array).map_err(|problem| malformed(&place, problem))
}

/// An array that a program has, in the bytes of a `.npy` file.
pub fn of_npy(name: &str, bytes: &[u8]) -> Result<FloatTensor, ArrayError> {
    let malformed = |problem| ArrayError::Malformed { place: name.to_string(), problem, hint: npy::HINT };
    npy::parse(bytes).map_err(malformed)
}

/// The bytes of a `.npy` file.
pub fn npy_bytes(array: &FloatTensor) -> Vec<u8> {
    npy::bytes(array)
}

/// One JSON object of arrays by name: a line of samples, or what [`json`] makes.
pub fn named_tensors(text: &str) -> Result<BTreeMap<String, FloatTensor>, ArrayError> {
    let arrays: BTreeMap<String, Array<f64>> = serde_json::from_str(text).map_err(|error| ArrayError::Malformed {
        place: excerpt(text),
        problem: error.to_string(),
        hint: "write one object a line: {\"name\": {\"shape\": [2], \"data\": [1, 2]}}",
    })?;
    let named = |(name, array): (String, Array<f64>)| match tensor(array) {
        Ok(tensor) => Ok((name, tensor)),
        Err(problem) => Err(malformed(&name, problem)),
    };
    arrays.into_iter().map(named).collect()
}

/// The same of JSON that was read already.
pub fn of_value(value: Value) -> Result<BTreeMap<String, FloatTensor>, ArrayError> {
    named_tensors(&value.to_string())
}

/// The parts of an array along its first axis.
pub fn rows(array: &FloatTensor) -> Vec<FloatTensor> {
    let shape = array.shape.get(1..).unwrap_or_default();
    let row = |data: &[f32]| FloatTensor::new(shape.to_vec(), data.to_vec());
    array.data.chunks(shape.iter().product::<usize>().max(1)).map(row).collect()
}

/// Arrays by name as JSON, one line.
pub fn json(arrays: &BTreeMap<String, FloatTensor>) -> Result<String, ArrayError> {
    let text = serde_json::to_string(&borrowed(arrays)?).map_err(|error| malformed("output", error.to_string()))?;
    Ok(text + "\n")
}

/// Arrays by name, as they are written.
pub fn borrowed(arrays: &BTreeMap<String, FloatTensor>) -> Result<BTreeMap<&String, Borrowed<'_>>, ArrayError> {
    let mut borrowed = BTreeMap::new();
    for (name, array) in arrays {
        // JSON has no spelling for these.
        if let Some(at) = array.data.iter().position(|x| !x.is_finite()) {
            return Err(malformed(name, format!("element {at} is {}", array.data[at])));
        }
        borrowed.insert(name, Borrowed { shape: &array.shape, data: &array.data });
    }
    Ok(borrowed)
}

#[derive(Serialize)]
pub struct Borrowed<'a> {
    shape: &'a [usize],
    data: &'a [f32],
}

/// The form in which results go to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Npy,
}

/// Of a file's name: known before a run whose result goes there.
pub fn form(path: &Path) -> Result<Form, ArrayError> {
    match path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).as_deref() {
        Some("json" | "jsonl") => Ok(Form::Json),
        Some("npy") => Ok(Form::Npy),
        _ => Err(ArrayError::UnknownForm { path: path.display().to_string() }),
    }
}

/// The contents of a `.npy` file, which holds one array.
pub fn npy(arrays: &BTreeMap<String, FloatTensor>) -> Result<Vec<u8>, ArrayError> {
    match arrays.values().collect::<Vec<_>>()[..] {
        [array] => Ok(npy::bytes(array)),
        _ => {
            let names: Vec<&str> = arrays.keys().map(String::as_str).collect();
            Err(ArrayError::SeveralArrays { count: arrays.len(), names: names.join(", ") })
        }
    }
}

fn malformed(place: &str, problem: String) -> ArrayError {
    ArrayError::Malformed { place: place.into(), problem, hint: JSON_HINT }
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

fn tensor(array: Array<f64>) -> Result<FloatTensor, String> {
    let expected = elements(&array.shape)?;
    if expected != array.data.len() {
        return Err(format!("shape {:?} has {expected} elements, `data` has {}", array.shape, array.data.len()));
    }
    let data = array.data.into_iter().enumerate().map(|(at, x)| single(at, x)).collect::<Result<_, _>>()?;
    Ok(FloatTensor::new(array.shape, data))
}

/// How many elements a shape has, within the limits of a plan.
fn elements(shape: &[usize]) -> Result<usize, String> {
    if shape.len() > MAX_AXES {
        return Err(format!("{} axes are more than {MAX_AXES}", shape.len()));
    }
    let count = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    match count.filter(|&count| count <= MAX_ELEMENTS) {
        Some(0) => Err(format!("shape {shape:?} has no elements")),
        Some(count) => Ok(count),
        None => Err(format!("shape {shape:?} has more than {MAX_ELEMENTS} elements")),
    }
}

fn single(at: usize, x: f64) -> Result<f32, String> {
    let rounded = x as f32;
    match (x.is_finite(), rounded.is_finite()) {
        (true, true) => Ok(rounded),
        (false, _) => Err(format!("element {at} is {x}")),
        (true, false) => Err(format!("element {at} is {x}, beyond single precision")),
    }
}

#[cfg(test)]
mod tests;
