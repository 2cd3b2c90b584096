//! Every `tests/ui/typeck/*.ptx` gives exactly the diagnostics in the `.stderr` beside it; `UPDATE=1` rewrites them.
//!
//! A line `// dim: S=32` sets a size as `ptc build --dim` does. `use` finds files in the folder `beside`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ptc_syntax::diagnostic::render;
use ptc_syntax::source::Sources;
use ptc_typeck::check::check;
use ptc_typeck::load::load;

#[test]
fn diagnostics_are_as_recorded() {
    let mut failed = vec![];
    for path in cases() {
        let text = fs::read_to_string(&path).expect("a listed file is readable");
        let found = diagnostics(&path, &text);
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

fn diagnostics(path: &Path, text: &str) -> String {
    let mut sources = Sources::default();
    let name = path.file_name().expect("a file has a name").to_string_lossy().to_string();
    let mut sibling = |module: &str| {
        let text = fs::read_to_string(folder().join("beside").join(format!("{module}.ptx"))).ok()?;
        Some((format!("{module}.ptx"), text))
    };
    let dims: BTreeMap<String, u64> = text
        .lines()
        .filter_map(|line| line.strip_prefix("// dim: ")?.split_once('='))
        .map(|(name, size)| (name.to_string(), size.parse().expect("a size")))
        .collect();
    let result = load(&mut sources, &name, text, &mut sibling).and_then(|program| check(&program, &dims));
    match result {
        Ok(_) => String::new(),
        Err(diagnostics) => render(&diagnostics, &sources),
    }
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the folder exists");
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "ptx"));
    found.sort();
    found
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ui/typeck")
}
