//! Checkpoints: any configuration and any header are refused, or become a source that parses and checks.

use std::collections::BTreeMap;

use ptc_import::{Head, Tensor, Tensors, Wish, header, import};
use ptc_syntax::diagnostic::render;
use ptc_syntax::source::Sources;

/// The header of a safetensors file, and the index of several.
pub fn weights(bytes: &[u8]) {
    if let Ok(found) = header::parse(bytes) {
        for info in found.tensors.values() {
            let (start, end) = info.data_offsets;
            assert!(start <= end && end as u64 <= found.data, "a tensor beyond the file");
        }
    }
    let _ = header::parse_index(&String::from_utf8_lossy(bytes));
}

/// Texts apart by zero bytes: the configuration, the weights' header, then files of sentence embeddings.
pub fn config(bytes: &[u8]) {
    let texts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let text = |at: usize| texts.get(at).map(|text| String::from_utf8_lossy(text).into_owned());
    let tensors = header::parse(texts.get(1).copied().unwrap_or_default()).map(|header| {
        let tensor =
            |info: safetensors::tensor::TensorInfo| Tensor { dtype: info.dtype.to_string(), shape: info.shape };
        header.tensors.into_iter().map(|(name, info)| (name, tensor(info))).collect::<Tensors>()
    });
    let tensors = tensors.unwrap_or_default();
    let mut read = |name: &str| {
        Ok(match name {
            "config.json" => text(0),
            "modules.json" => text(2),
            _ => text(3),
        })
    };
    for head in [None, Some(Head::Encoder), Some(Head::Embedding), Some(Head::NextToken)] {
        let Ok(imported) = import(&mut read, &tensors, Wish { head }) else { continue };
        check(&imported.source);
    }
}

fn check(source: &str) {
    let mut sources = Sources::default();
    let checked = ptc_typeck::load::load(&mut sources, "model.ptx", source, &mut |_| None)
        .and_then(|program| ptc_typeck::check::check(&program, &BTreeMap::new()));
    if let Err(diagnostics) = checked {
        panic!("an imported model is refused:\n{}\n{source}", render(&diagnostics, &sources));
    }
}
