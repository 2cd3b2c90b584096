//! `ptc explain`: what a plan does, costs, reveals and errs.

use ptc_plan::Plan;

use crate::failure::Failure;
use crate::model::ModelArguments;
use crate::trust::TrustArguments;

/// Show every protocol step of a plan: ring, rounds, bytes, error, and what is revealed to whom
///
/// Takes a plan, or a model with the same options as `ptc build`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub trust: TrustArguments,
    /// Machine-readable output.
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let path = &arguments.model.model;
    let plan = if path.extension().is_some_and(|extension| extension == "ptx") {
        let mut request = arguments.model.request()?;
        let trust = arguments.trust.settle(&mut request)?;
        ptc_driver::build(path, &arguments.model.text()?, &request, trust).map_err(Failure::source)?.generated.plan
    } else {
        read_plan(path)?
    };
    let report = ptc_report::explain(&plan, &ptc_report::Beside::default());
    print!("{}", if arguments.json { report.json() } else { report.text() });
    Ok(())
}

pub fn read_plan(path: &std::path::Path) -> Result<Plan, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("`{}` cannot be read: {error}", path.display());
        Failure::new(message, "make the plan with `ptc build MODEL.ptx`")
    })?;
    Plan::from_bytes(&bytes).map_err(|error| {
        let message = format!("`{}` is not a good plan: {error}", path.display());
        Failure::new(message, "build it again with `ptc build`, and give both parties the same file")
    })
}
