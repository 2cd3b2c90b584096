//! `ptc serve`.

use crate::failure::Failure;

/// Serve a model to many clients at the same time
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(Arguments {}: Arguments) -> Result<(), Failure> {
    Err(Failure::new("`ptc serve` is not there yet", "use another command"))
}
