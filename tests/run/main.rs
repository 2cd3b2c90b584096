//! Whole programs: a source is built, three processes run it, the right numbers come out.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod examples;
mod pools;
mod programs;
