//! `ptc lsp`.

use crate::failure::Failure;

/// Serve an editor: diagnostics, hovers, definitions and layout over the language server protocol
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(Arguments {}: Arguments) -> Result<(), Failure> {
    Err(Failure::new("`ptc lsp` is not there yet", "use another command"))
}
