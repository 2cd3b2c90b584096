//! Graph in, graph out: `tests/golden/<pass>/*.graph` at the root of the repository.
//!
//! A file holds what it shows (`//` lines), the graph before, a line `=>`, and the graph after. For each file: both graphs
//! verify, the pass makes the second from the first and nothing of the second, and both evaluate to the same numbers on
//! random inputs. `UPDATE=1 cargo test -p ptc-passes --test golden` writes what the passes make; read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use ptc_ir::Graph;
use ptc_ir::evaluate::{Tensors, outputs};
use ptc_ir::graph::Op;
use ptc_ir::parse::parse;
use ptc_ir::print::print;
use ptc_ir::verify::{needed_reveals, unique_names, verify};
use ptc_passes::{canonical, fold, mask, relocate};
use ptc_plan::file::InputKind;
use ptc_plan::float::FloatTensor;

#[test]
fn canonical_goldens() {
    check("canonical", canonical::run);
}

#[test]
fn relocate_goldens() {
    check("relocate", relocate::run);
}

#[test]
fn fold_goldens() {
    check("fold", fold::run);
}

#[test]
fn mask_goldens() {
    check("mask", mask::run);
}

fn check(pass: &str, run: fn(&Graph) -> Graph) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(pass);
    let entries = fs::read_dir(&folder).expect("the folder of the pass");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no golden graphs for `{pass}`");
    for file in files {
        check_file(&file, pass, run);
    }
}

fn check_file(file: &Path, pass: &str, run: fn(&Graph) -> Graph) {
    let name = format!("{pass}/{}", file.file_name().expect("a file").display());
    let text = fs::read_to_string(file).expect("readable");
    let (before, after) = text.split_once("=>\n").unwrap_or((&text, ""));
    let graph = parse(before).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(verify(&graph), [], "{name}: before");

    let result = run(&graph);
    let printed = print(&result);
    assert_eq!(verify(&result), [], "{name}: after\n{printed}");
    if pass != "relocate" {
        assert_eq!(unique_names(&result), [], "{name}");
    }
    if pass == "relocate" {
        assert_eq!(needed_reveals(&result), [], "{name}");
    }
    same_numbers(&name, &graph, &result);
    assert!(print(&run(&result)) == printed, "{name}: a second run changes\n{printed}\nto\n{}", print(&run(&result)));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(file, format!("{before}=>\n{printed}")).expect("writable");
    } else {
        assert!(after == printed, "{name}: the pass makes\n{printed}");
    }
}

/// Both graphs give the same outputs, to the rounding of `f32`, for several random inputs.
fn same_numbers(name: &str, before: &Graph, after: &Graph) {
    for seed in 1..=3 {
        let mut random = Random(seed);
        let (inputs, parameters) = sources(before, &mut random);
        let expected = outputs(before, &inputs, &parameters).expect("all sources have values");
        let found = outputs(after, &inputs, &parameters).expect("all sources have values");
        assert_eq!(expected.len(), found.len(), "{name}");
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!(expected.shape, found.shape, "{name}");
            for (at, (x, y)) in expected.data.iter().zip(&found.data).enumerate() {
                let close = (x - y).abs() <= 2e-5 * expected.max_abs().max(1.0) || x.to_bits() == y.to_bits();
                assert!(close, "{name}, seed {seed}: element {at} is {y}, before it was {x}");
            }
        }
    }
}

fn sources(graph: &Graph, random: &mut Random) -> (Tensors, Tensors) {
    let (mut inputs, mut parameters) = (Tensors::new(), Tensors::new());
    for node in &graph.nodes {
        let count = node.shape.iter().product();
        match &node.op {
            Op::Input { name, kind, limit } => {
                let element = |random: &mut Random| match kind {
                    InputKind::Real => (2.0 * random.next() - 1.0) * limit,
                    InputKind::Token => (random.next() * limit).floor().min(limit - 1.0),
                    InputKind::Bit => random.next().round(),
                };
                let data = (0..count).map(|_| element(random)).collect();
                inputs.insert(name.clone(), FloatTensor::new(node.shape.clone(), data));
            }
            Op::Parameter { path } => {
                let data = (0..count).map(|_| 2.0 * random.next() - 1.0).collect();
                parameters.insert(path.clone(), FloatTensor::new(node.shape.clone(), data));
            }
            _ => {}
        }
    }
    (inputs, parameters)
}

/// Numbers in `[0, 1)` from a linear congruence.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}
