//! `ptc doctor`.

use crate::failure::Failure;

/// Look for what is missing on this machine, with the command that mends it
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(Arguments {}: Arguments) -> Result<(), Failure> {
    Err(Failure::new("`ptc doctor` is not there yet", "use another command"))
}
