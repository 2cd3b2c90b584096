//! Damaged models give diagnostics, never a panic.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ptc_syntax::source::Sources;
use ptc_typeck::check::check;
use ptc_typeck::load::load;

const ROUNDS: usize = 400;

#[test]
fn damaged_models_are_refused_politely() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files =
        ["examples/sections/sections.ptx", "stdlib/attention.ptx", "stdlib/bert.ptx", "tests/ui/typeck/kinds.ptx"];
    let mut random = 20_240_229u64;
    let mut checked = 0;
    for file in files {
        let text = fs::read_to_string(root.join(file)).expect("in the repository");
        let words: Vec<&str> = text.split_inclusive([' ', '\n', '(', '<', ',', '[', '.']).collect();
        for round in 0..ROUNDS {
            let mut damaged = words.clone();
            for _ in 0..1 + round % 3 {
                let (from, to) = (next(&mut random) % damaged.len(), next(&mut random) % damaged.len());
                match next(&mut random) % 3 {
                    0 => drop(damaged.remove(from)),
                    1 => damaged.swap(from, to),
                    _ => damaged[from] = damaged[to],
                }
            }
            let mut sources = Sources::default();
            if let Ok(program) = load(&mut sources, file, &damaged.concat(), &mut |_| None) {
                // Either result will do.
                let _ = check(&program, &BTreeMap::from([("S".to_string(), 1 + (round as u64) % 40)]));
                checked += 1;
            }
        }
    }
    assert!(checked > ROUNDS / 4, "only {checked} damaged files parsed");
}

/// The widest way from one call to the next, on the stack of a test's thread.
#[test]
fn a_recursion_without_end_is_found_before_the_stack_ends() {
    let text = "fn dive(x: real[4], n: int) -> real[4] {
                    let y = { for i in 0..1 { let z = if 1 < 2 { { dive(x, n + 1) } } else { x }; x = z; } x };
                    y
                }
                model M { entry run(x: real[4] @client) -> real[4] @client { dive(x, 0) } }";
    let mut sources = Sources::default();
    let program = load(&mut sources, "deep.ptx", text, &mut |_| None).expect("it parses");
    let found = check(&program, &BTreeMap::new()).expect_err("it has no end");
    assert_eq!(found.iter().map(|diagnostic| diagnostic.code.id).collect::<Vec<_>>(), ["E0308"]);
}

/// Knuth's MMIX generator.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*state >> 33) as usize
}
