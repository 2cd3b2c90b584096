//! `ptc new`.

use crate::failure::Failure;

/// Start a project: a model's source beside a README that says how to go on
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(Arguments {}: Arguments) -> Result<(), Failure> {
    Err(Failure::new("`ptc new` is not there yet", "use another command"))
}
