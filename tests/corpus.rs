//! Every file that a fuzzer has left, or that seeds one, holds what its target holds; see `fuzz/README.md`.

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

#[test]
fn nothing_in_the_corpus_fails() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let folder = fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("no corpus of `{name}`: {error}"));
        let mut files: Vec<_> = folder.map(|entry| entry.expect("a readable folder").path()).collect();
        files.sort();
        assert!(!files.is_empty(), "the corpus of `{name}` is empty");
        for file in files {
            let bytes = fs::read(&file).expect("a listed file is readable");
            // The test's output names the file that panics.
            println!("{}", file.display());
            target(&bytes);
        }
    }
}

/// Whatever the fuzzer finds is replayed, so every target has its folder and every folder its target.
#[test]
fn every_folder_has_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for entry in fs::read_dir(corpus).expect("the corpus is in the repository") {
        let name = entry.expect("a readable folder").file_name().to_string_lossy().into_owned();
        targets::named(&name);
    }
}
