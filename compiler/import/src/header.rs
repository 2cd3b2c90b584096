//! What a checkpoint says of its tensors before their data: the header of a `.safetensors` file, and the index of a
//! checkpoint in several files. Both may be hostile.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;

/// Bytes of a header; as in the safetensors library.
pub const MAX_HEADER: u64 = 100_000_000;
/// Bytes of an index.
pub const MAX_INDEX: u64 = 64 << 20;
/// Files of a checkpoint.
const MAX_FILES: usize = 2048;
/// Names are printed.
const MAX_NAME: usize = 512;

/// The header of one file.
pub struct Header {
    pub tensors: BTreeMap<String, TensorInfo>,
    /// Bytes behind the header.
    pub data: u64,
}

/// The files of a checkpoint, and which of them holds each tensor.
pub struct Index {
    pub files: Vec<String>,
    pub tensors: BTreeMap<String, String>,
}

/// The tensors lie one behind the other, each fills its shape, and their names can be printed.
pub fn parse(bytes: &[u8]) -> Result<Header, String> {
    let metadata: Metadata = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let data = metadata.data_len() as u64;
    let tensors: BTreeMap<_, _> = metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
    tensors.keys().try_for_each(|name| printable(name))?;
    Ok(Header { tensors, data })
}

/// `model.safetensors.index.json`. The files lie beside it: a name that leads elsewhere is refused.
pub fn parse_index(text: &str) -> Result<Index, String> {
    #[derive(Deserialize)]
    struct File {
        weight_map: BTreeMap<String, String>,
    }
    let File { weight_map: tensors } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    tensors.keys().try_for_each(|name| printable(name))?;
    let files: BTreeSet<&String> = tensors.values().collect();
    if files.is_empty() || files.len() > MAX_FILES {
        return Err(format!("it names {} files; a checkpoint has 1 to {MAX_FILES}", files.len()));
    }
    for file in &files {
        if !is_plain(file) || !file.ends_with(".safetensors") {
            return Err(format!("it names the file {file:?}; expected a `.safetensors` file beside the index"));
        }
    }
    let files = files.into_iter().cloned().collect();
    Ok(Index { files, tensors })
}

/// A name of a file or a folder, not a path to it.
pub fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.chars().all(allowed)
}

fn printable(name: &str) -> Result<(), String> {
    match name.len() > MAX_NAME || name.chars().any(char::is_control) {
        true if name.len() > MAX_NAME => Err(format!("a tensor's name has {} bytes, more than {MAX_NAME}", name.len())),
        true => Err(format!("the name {name:?} has control characters")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_files_beside_it() {
        let check = |files: &[&str], expected: Result<usize, &str>| {
            let map: BTreeMap<String, &str> =
                files.iter().enumerate().map(|(at, file)| (format!("t{at}"), *file)).collect();
            let text = serde_json::json!({ "metadata": { "total_size": 8 }, "weight_map": map }).to_string();
            match (parse_index(&text), expected) {
                (Ok(index), Ok(count)) => assert_eq!(index.files.len(), count),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (found, _) => panic!("{files:?}: {:?}", found.err()),
            }
        };
        check(&["a.safetensors", "b.safetensors", "a.safetensors"], Ok(2));
        check(&[], Err("names 0 files"));
        for hostile in
            ["../a.safetensors", "/a.safetensors", "b/a.safetensors", ".safetensors", "a.bin", "a\n.safetensors"]
        {
            check(&[hostile], Err("beside the index"));
        }
        assert!(parse_index("[]").is_err() && parse_index("{}").is_err());
    }

    #[test]
    fn a_header_is_checked() {
        let entry = |name: &str, shape: &str, end: usize| {
            format!("{{{name:?}: {{\"dtype\": \"F32\", \"shape\": {shape}, \"data_offsets\": [0, {end}]}}}}")
        };
        assert_eq!(parse(entry("w", "[2]", 8).as_bytes()).unwrap().data, 8);
        for bad in
            [entry("w", "[3]", 8), entry("w\u{7}", "[2]", 8), entry(&"w".repeat(600), "[2]", 8), "[".repeat(1000)]
        {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
