//! `ptc import`.

use crate::failure::Failure;

/// Make a `.ptx` model of a checkpoint of another format
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(Arguments {}: Arguments) -> Result<(), Failure> {
    Err(Failure::new("`ptc import` is not there yet", "use another command"))
}
