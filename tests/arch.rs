//! The arrows between rooms are those that ARCHITECTURE.md draws, and no others.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Each room, and the rooms it may see.
const ARROWS: &[(&str, &[&str])] = &[
    ("runtime/plan", &[]),
    ("runtime/ring", &["plan"]),
    ("runtime/net", &["plan"]),
    ("runtime/kernels", &["plan", "ring"]),
    ("runtime/correlation", &["plan", "ring"]),
    ("runtime/ot", &["plan", "ring", "net"]),
    ("runtime/he", &["plan", "ring", "net"]),
    ("runtime/mpc", &["plan", "ring", "kernels", "net", "correlation", "he"]),
    ("runtime/offline", &["plan", "ring", "kernels", "net", "correlation", "ot", "he", "mpc"]),
    ("runtime/exec", &["plan", "ring", "kernels", "net", "correlation", "he", "mpc", "offline"]),
    ("runtime/serve", &["plan", "kernels", "net", "offline", "exec"]),
    ("compiler/syntax", &[]),
    ("compiler/import", &["syntax"]),
    ("compiler/lsp", &["plan", "syntax", "typeck", "lower", "ir", "passes", "codegen", "cost", "driver", "report"]),
    ("compiler/ir", &["plan"]),
    ("compiler/typeck", &["syntax", "plan"]),
    ("compiler/lower", &["syntax", "typeck", "ir", "plan"]),
    ("compiler/passes", &["ir", "plan"]),
    ("compiler/codegen", &["ir", "plan"]),
    ("compiler/llvm", &["plan", "kernels"]),
    ("compiler/cost", &["plan"]),
    ("compiler/report", &["plan"]),
    ("compiler/driver", &["plan", "syntax", "typeck", "ir", "lower", "passes", "codegen", "cost"]),
];

/// The internal dependencies of a manifest, without those of its tests.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap_or_else(|e| panic!("{}: {e}", manifest.display()));
    let mut inside = false;
    let mut found = vec![];
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && let Some(rest) = line.strip_prefix("ptc-") {
            found.push(rest.split(['.', ' ']).next().unwrap_or_default().to_string());
        }
    }
    found
}

#[test]
fn rooms_see_only_what_the_picture_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (room, allowed) in ARROWS {
        for dependency in dependencies(&root.join(room).join("Cargo.toml")) {
            assert!(allowed.contains(&dependency.as_str()), "`{room}` must not see `{dependency}`");
        }
    }
}

#[test]
fn every_room_is_in_the_picture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let drawn: BTreeMap<&str, _> = ARROWS.iter().copied().collect();
    for half in ["runtime", "compiler"] {
        for entry in fs::read_dir(root.join(half)).expect("both halves exist") {
            let path = entry.expect("a readable folder").path();
            if path.join("Cargo.toml").exists() {
                let room = format!("{half}/{}", path.file_name().unwrap().to_string_lossy());
                assert!(drawn.contains_key(room.as_str()), "`{room}` is missing here");
            }
        }
    }
}

#[test]
fn the_runtime_never_reaches_the_compiler() {
    for (room, allowed) in ARROWS.iter().filter(|(room, _)| room.starts_with("runtime/")) {
        for name in *allowed {
            assert!(!Path::new(env!("CARGO_MANIFEST_DIR")).join("compiler").join(name).exists(), "{room} -> {name}");
        }
    }
}
