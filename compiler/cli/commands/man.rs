//! `ptc man`.

use crate::failure::Failure;

/// Print or write manual pages
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(Arguments {}: Arguments) -> Result<(), Failure> {
    Err(Failure::new("`ptc man` is not there yet", "use another command"))
}
