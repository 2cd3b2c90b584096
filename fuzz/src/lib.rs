//! What libFuzzer runs, one function each. `tests/corpus.rs` of the project runs the same functions on every corpus file.

pub mod targets;
