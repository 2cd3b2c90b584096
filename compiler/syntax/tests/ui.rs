//! Every `tests/ui/syntax/*.ptx` gives exactly the diagnostics in the `.stderr` beside it; `UPDATE=1` rewrites them.

use ptc_syntax::diagnostic::render;
use ptc_syntax::parse::parse;
use ptc_syntax::source::Sources;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn diagnostics_are_as_recorded() {
    let mut failed = Vec::new();
    for path in sources("tests/ui/syntax") {
        let text = fs::read_to_string(&path).expect("a listed file is readable");
        let mut files = Sources::default();
        let file = files.add(path.file_name().expect("a file has a name").to_string_lossy(), &*text);
        let found = render(&parse(file, &text).1, &files);
        let recorded = path.with_extension("stderr");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&recorded, &found).expect("the recorded output is writable");
        }
        let expected = fs::read_to_string(&recorded).unwrap_or_default();
        if found != expected {
            failed.push(format!("{}\n--- expected\n{expected}\n--- found\n{found}", path.display()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_examples_and_the_library_parse() {
    for path in sources("examples").into_iter().chain(sources("stdlib")) {
        let text = fs::read_to_string(&path).expect("a listed file is readable");
        let mut files = Sources::default();
        let file = files.add(path.to_string_lossy(), &*text);
        let (_, diagnostics) = parse(file, &text);
        assert!(diagnostics.is_empty(), "{}", render(&diagnostics, &files));
    }
}

/// The `.ptx` files in a folder of the repository and the folders in it, in order.
fn sources(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let mut folders = vec![root];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ptx") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
