//! Every code's explanation is true: its wrong example yields the code and no other, its mended one yields none. Every
//! code is emitted somewhere, and has its example.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ptc_driver::{Request, build, check};
use ptc_plan::file::Trust;
use ptc_syntax::codes::example::{Part, of};
use ptc_syntax::codes::{self, Code};

/// Their examples are too long to be printed; tests of the parser make them.
const LONG: [&str; 2] = ["E0002", "E0106"];
/// Wrong only where samples say so, which `ptc calibrate` measures.
const MEASURED: [&str; 1] = ["E0603"];

/// The codes that a text yields, each once.
fn codes_of(code: Code, part: &Part, files: &[(&str, &str)]) -> Vec<&'static str> {
    let folder = std::env::temp_dir().join(format!("ptc-explained-{}-{}", std::process::id(), code.id));
    fs::create_dir_all(&folder).expect("a folder of temporary files");
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("written");
    }
    let dims = part.with.strip_prefix("with --dim ").and_then(|dim| dim.split_once('='));
    let dims = dims.map(|(name, size)| (name.to_string(), size.parse().expect("a size")));
    let request = Request { dims: dims.into_iter().collect::<BTreeMap<_, _>>(), ..Request::default() };
    let path = folder.join("model.ptx");
    let found = match check(&path, part.text, &request) {
        Err(failure) => failure.diagnostics,
        Ok(_) => match build(&path, part.text, &request, Trust::Dealer) {
            Err(failure) => failure.diagnostics,
            Ok(_) => vec![],
        },
    };
    fs::remove_dir_all(&folder).expect("removed");
    let mut found: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code.id).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn wrong_examples_are_wrong_and_mended_ones_are_not() {
    let mut failed = vec![];
    for code in codes::ALL.iter().filter(|code| !LONG.contains(&code.id)) {
        let example = of(*code).unwrap_or_else(|| panic!("{} has no example", code.id));
        let wrong = codes_of(*code, &example.wrong, &example.files);
        if !MEASURED.contains(&code.id) && wrong != [code.id] {
            failed.push(format!("the wrong example of {} yields {wrong:?}", code.id));
        }
        let mended = codes_of(*code, &example.mended, &example.files);
        if !mended.is_empty() {
            failed.push(format!("the mended example of {} yields {mended:?}", code.id));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_code_is_emitted() {
    let compiler = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = String::new();
    let mut folders: Vec<PathBuf> = vec![compiler];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder").flatten() {
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                None if path.is_dir() => folders.push(path),
                Some("rs" | "lalrpop") if !path.ends_with("syntax/src/codes.rs") => {
                    sources += &fs::read_to_string(&path).expect("a readable file");
                }
                _ => {}
            }
        }
    }
    for code in codes::ALL {
        assert!(sources.contains(&format!("codes::{}", code.id)), "nothing emits {}", code.id);
        assert!(!code.title.is_empty() && code.explanation.len() > 40, "{} is not explained", code.id);
    }
}

#[test]
fn every_example_belongs_to_a_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../syntax/examples");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder exists")
        .flatten()
        .map(|entry| entry.path().file_stem().unwrap_or_default().to_string_lossy().to_string())
        .collect();
    names.sort();
    assert_eq!(names, codes::ALL.iter().map(|code| code.id).collect::<Vec<_>>());
}
