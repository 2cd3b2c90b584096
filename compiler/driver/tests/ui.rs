//! Every `tests/ui/driver/*.ptx` is refused by a pass with exactly the diagnostics in the `.stderr` beside it; `UPDATE=1`
//! rewrites them.

use std::fs;
use std::path::{Path, PathBuf};

use ptc_driver::{Request, build};
use ptc_plan::file::Trust;
use ptc_syntax::diagnostic::render;

#[test]
fn diagnostics_are_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ui/driver");
    let entries = fs::read_dir(&folder).expect("the folder exists").flatten().map(|entry| entry.path());
    let mut cases: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "ptx")).collect();
    cases.sort();
    let mut failed = vec![];
    for path in cases {
        let text = fs::read_to_string(&path).expect("a listed file is readable");
        let name = path.file_name().expect("a file has a name").to_string_lossy().to_string();
        let found = match build(Path::new(&name), &text, &Request::default(), Trust::Dealer) {
            Ok(_) => String::new(),
            Err(failure) => render(&failure.diagnostics, &failure.sources),
        };
        let recorded = path.with_extension("stderr");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&recorded, &found).expect("the recorded output is writable");
        }
        if found != fs::read_to_string(&recorded).unwrap_or_default() {
            failed.push(format!("{name}\n--- found\n{found}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
