//! `ptc completions`.

use crate::failure::Failure;

/// Print completions for a shell
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(Arguments {}: Arguments) -> Result<(), Failure> {
    Err(Failure::new("`ptc completions` is not there yet", "use another command"))
}
