//! `ptc client`.

use crate::failure::Failure;

/// Offer a served model to programs on this machine, over HTTP
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(Arguments {}: Arguments) -> Result<(), Failure> {
    Err(Failure::new("`ptc client` is not there yet", "use another command"))
}
