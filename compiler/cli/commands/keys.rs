//! `ptc keys`.

use crate::failure::Failure;

/// Make, show and trust the keys by which parties know each other
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(Arguments {}: Arguments) -> Result<(), Failure> {
    Err(Failure::new("`ptc keys` is not there yet", "use another command"))
}
