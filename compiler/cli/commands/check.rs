//! `ptc check`: what is wrong with a model, without building it.

use crate::failure::Failure;
use crate::messages;
use crate::model::ModelArguments;

/// Check names, shapes and visibility of a model
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub model: ModelArguments,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let text = arguments.model.text()?;
    let request = arguments.model.request()?;
    let (sources, warnings) = ptc_driver::check(&arguments.model.model, &text, &request).map_err(Failure::source)?;
    messages::diagnostics(&warnings, &sources);
    messages::say(&format!("{}: no errors", arguments.model.model.display()));
    Ok(())
}
