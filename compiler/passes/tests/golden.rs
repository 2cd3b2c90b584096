//! Graph in, graph out: `tests/golden/<pass>/*.graph` at the root of the repository.
//!
//! A file holds what it shows (`//` lines), the graph before, a line `=>`, and the graph after. For each file: both graphs
//! verify, the pass makes the second from the first and nothing of the second, and both evaluate to the same numbers on
//! random inputs. `UPDATE=1 cargo test -p ptc-passes --test golden` writes what the passes make; read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use ptc_ir::Graph;
use ptc_ir::parse::parse;
use ptc_ir::print::print;
use ptc_ir::verify::{needed_reveals, unique_names, verify};
use ptc_passes::options::{Maximum, Options, Power, Recipes, Rounds};
use ptc_passes::{
    approximate, balance, base, batch, canonical, decompose, fold, lower, mask, ranges, reassociate, relocate, truncate,
};

mod numbers;

/// What a pass promises of the numbers, and of the names.
struct Promise {
    tolerance: f32,
    unique_names: bool,
    /// The graph after serves so many queries of the graph before.
    queries: usize,
}

const EXACT: Promise = Promise { tolerance: 2e-5, unique_names: true, queries: 1 };
/// Recipes repeat part names; nothing looks names up behind them.
const RECIPE: Promise = Promise { tolerance: 2e-5, unique_names: false, queries: 1 };

#[test]
fn canonical_goldens() {
    check("canonical", EXACT, canonical::run);
}

#[test]
fn relocate_goldens() {
    check("relocate", RECIPE, relocate::run);
}

#[test]
fn reassociate_goldens() {
    check("reassociate", EXACT, reassociate::run);
}

#[test]
fn base_goldens() {
    check("base", EXACT, base::run);
}

#[test]
fn fold_goldens() {
    check("fold", EXACT, fold::run);
}

#[test]
fn mask_goldens() {
    check("mask", EXACT, mask::run);
}

#[test]
fn lower_goldens() {
    check("lower", RECIPE, lower::run);
}

#[test]
fn decompose_goldens() {
    check("decompose", RECIPE, |graph| decompose::run(graph, &Options::default()));
}

/// Fewest rounds.
fn few(maximum: Maximum) -> Options {
    let recipes = Recipes { maximum, power: Power::Wide, rounds: Rounds::Few, ..Recipes::default() };
    Options { recipes, ..Options::default() }
}

#[test]
fn decompose_few_goldens() {
    check("decompose_few", RECIPE, |graph| decompose::run(graph, &few(Maximum::Levels)));
}

#[test]
fn decompose_bound_goldens() {
    check("decompose_bound", RECIPE, |graph| decompose::run(graph, &few(Maximum::Bound)));
}

#[test]
fn ranges_goldens() {
    check("ranges", EXACT, |graph| ranges::run(graph, &Options::default()));
}

#[test]
fn approximate_goldens() {
    let promise = Promise { tolerance: 1e-2, ..RECIPE };
    check("approximate", promise, |graph| approximate::run(graph, &Options::default()).expect("a recipe"));
}

#[test]
fn truncate_few_goldens() {
    check("truncate_few", RECIPE, |graph| truncate::run(graph, &few(Maximum::Levels)).expect("narrow rings"));
}

#[test]
fn truncate_goldens() {
    check("truncate", RECIPE, |graph| truncate::run(graph, &Options::default()).expect("narrow rings"));
}

#[test]
fn balance_goldens() {
    check("balance", EXACT, balance::run);
}

#[test]
fn batch_goldens() {
    let options = Options { batch: Some(3), ..Options::default() };
    check("batch", Promise { queries: 3, ..RECIPE }, |graph| batch::run(graph, &options));
}

fn check(pass: &str, promise: Promise, run: impl Fn(&Graph) -> Graph) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(pass);
    let entries = fs::read_dir(&folder).expect("the folder of the pass");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no golden graphs for `{pass}`");
    for file in files {
        check_file(&file, pass, &promise, &run);
    }
}

fn check_file(file: &Path, pass: &str, promise: &Promise, run: &dyn Fn(&Graph) -> Graph) {
    let name = format!("{pass}/{}", file.file_name().expect("a file").display());
    let text = fs::read_to_string(file).expect("readable");
    let (before, after) = text.split_once("=>\n").unwrap_or((&text, ""));
    let graph = parse(before).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(verify(&graph), [], "{name}: before");

    let result = run(&graph);
    let printed = print(&result);
    assert_eq!(verify(&result), [], "{name}: after\n{printed}");
    if promise.unique_names {
        assert_eq!(unique_names(&result), [], "{name}");
    }
    if pass == "relocate" {
        assert_eq!(needed_reveals(&result), [], "{name}");
    }
    if promise.queries == 1 {
        numbers::same(&name, &graph, &result, promise.tolerance);
        let again = print(&run(&result));
        assert!(again == printed, "{name}: a second run changes\n{printed}\nto\n{again}");
    } else {
        numbers::stacked(&name, &graph, &result, promise.queries, promise.tolerance);
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(file, format!("{before}=>\n{printed}")).expect("writable");
    } else {
        assert!(after == printed, "{name}: the pass makes\n{printed}");
    }
}
