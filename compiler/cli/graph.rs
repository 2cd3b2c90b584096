//! The graph between two passes, for whoever wants to see what a pass did.

use ptc_driver::Request;
use ptc_passes::PIPELINE;
use ptc_syntax::suggest::nearest;

use crate::failure::Failure;
use crate::model::ModelArguments;

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum GraphFormat {
    /// One node a line.
    Text,
    /// A drawing for Graphviz, coloured by who sees what.
    Dot,
}

/// The graph as the source says it, before the first pass.
const LOWERED: &str = "source";

/// The graph after `pass`, or as lowered, on standard output.
pub fn emit(model: &ModelArguments, request: &Request, pass: &str, format: GraphFormat) -> Result<(), Failure> {
    let names: Vec<&str> = std::iter::once(LOWERED).chain(PIPELINE.iter().map(|pass| pass.name)).collect();
    if !names.contains(&pass) {
        let near =
            nearest(pass, names.iter().copied()).map_or(String::new(), |near| format!("did you mean `{near}`? "));
        return Err(Failure::new(
            format!("there is no pass `{pass}`"),
            format!("{near}passes, in their order: {}", names.join(", ")),
        ));
    }
    let last = (pass != LOWERED).then_some(pass);
    let graph = ptc_driver::graph(&model.model, &model.text()?, request, last).map_err(Failure::source)?;
    match format {
        GraphFormat::Text => print!("{}", ptc_ir::print::print(&graph)),
        GraphFormat::Dot => println!("{}", ptc_ir::dot::dot(&graph)),
    }
    Ok(())
}
