//! `ptc build`: a model becomes a plan.

use std::path::PathBuf;
use std::time::Instant;

use ptc_cost::predict::predict;
use ptc_plan::price;

use crate::failure::Failure;
use crate::graph::{self, GraphFormat};
use crate::messages;
use crate::model::{self, ModelArguments};
use crate::trust::TrustArguments;

/// Compile a model into the plan that both parties execute
///
/// The plan is data only: no weights, no machine code. Give the same file to both parties.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Where to write the plan. Default: the model's name with `.plan`.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub trust: TrustArguments,
    /// Print the graph after this pass instead of writing a plan (`source` for the graph before the first).
    #[arg(long, value_name = "PASS")]
    pub emit_graph: Option<String>,
    /// How `--emit-graph` writes it.
    #[arg(long, value_enum, default_value_t = GraphFormat::Text, requires = "emit_graph")]
    pub graph_format: GraphFormat,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let start = Instant::now();
    let text = arguments.model.text()?;
    let mut request = arguments.model.request()?;
    let trust = arguments.trust.settle(&mut request)?;
    if let Some(pass) = &arguments.emit_graph {
        return graph::emit(&arguments.model, &request, pass, arguments.graph_format);
    }
    let built = ptc_driver::build(&arguments.model.model, &text, &request, trust).map_err(Failure::source)?;
    messages::diagnostics(&built.warnings, &built.sources);
    let plan = &built.generated.plan;
    let output = arguments.output.unwrap_or_else(|| arguments.model.model.with_extension("plan"));
    model::write(&output, &plan.to_bytes()?)?;
    let (total, _) = price::total(plan);
    let mut dims: Vec<String> = plan.dims.iter().map(|(name, size)| format!("{name}={size}")).collect();
    dims.extend(plan.batch.map(|batch| format!("a batch of {batch}")));
    messages::say(&format!(
        "{}: {} ({}), {} steps, {} rounds, {:.2} MB online, built in {:.2} s",
        output.display(),
        plan.entry,
        dims.join(", "),
        plan.steps.len(),
        total.rounds,
        (total.sent[0] + total.sent[1]) as f64 / 1e6,
        start.elapsed().as_secs_f64()
    ));
    let profile = arguments.trust.profile()?;
    let prediction = predict(plan, &profile);
    messages::say(&format!(
        "predicted on `{}`: {:.2} s and {:.1} MB, of it {:.2} s online",
        profile.name,
        prediction.seconds(),
        prediction.bytes() as f64 / 1e6,
        prediction.online.seconds
    ));
    if let Some(first) = built.unmeasured.first() {
        messages::warning(&format!(
            "{} values have no measured range, `{first}` the first: the ranges are of another model\n\
             hint: run `ptc calibrate` again",
            built.unmeasured.len()
        ));
    }
    if request.passes.calibration.seen.is_empty() {
        messages::note(
            "no ranges were measured, so rings are as wide as worst cases ask; `ptc calibrate` makes the plan cheaper",
        );
    }
    Ok(())
}
