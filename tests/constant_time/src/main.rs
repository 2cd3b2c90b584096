//! Functions that work on secrets, run under valgrind with those secrets marked undefined. Memcheck reports every branch
//! and every address that depends on undefined memory, and nothing else that is done with it.
//!
//! `make test-constant-time`, or `valgrind --error-exitcode=9 target/release/ptc-constant-time`. The first checks are of
//! functions that do leak: they must be reported, or nothing here means anything.
//!
//! Valgrind 3.19 offers no AVX-512, so the AVX2 and portable paths of each function are what is checked.

mod checks;
mod entropy;
mod valgrind;

use std::process::ExitCode;

fn main() -> ExitCode {
    if !valgrind::is_here() {
        eprintln!("this says nothing without valgrind\nhint: `make test-constant-time`");
        return ExitCode::FAILURE;
    }
    let only = std::env::args().nth(1);
    let mut failed = vec![];
    for (name, leaks, check) in checks::ALL {
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let before = valgrind::errors();
        check();
        let found = valgrind::errors() - before;
        let told = match (found, leaks) {
            (0, false) => "constant",
            (0, true) => "LEAKS, AND WAS NOT REPORTED",
            (_, false) => "DEPENDS ON SECRETS",
            (_, true) => "leaks, and was reported",
        };
        eprintln!("{name}: {told}");
        if (found > 0) != *leaks {
            failed.push(*name);
        }
    }
    match failed.as_slice() {
        [] => ExitCode::SUCCESS,
        _ => {
            eprintln!("not as they should be: {}", failed.join(", "));
            ExitCode::FAILURE
        }
    }
}
