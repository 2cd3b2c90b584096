//! `ptc explain`: what a plan does, costs, reveals and errs.

use std::path::PathBuf;

use ptc_plan::Plan;
use ptc_report::Beside;

use crate::failure::Failure;
use crate::files;
use crate::graph::{self, GraphFormat};
use crate::model::ModelArguments;
use crate::trust::TrustArguments;
use crate::{times, trace};

/// Show every protocol step of a plan: ring, rounds, bytes, error, and what is revealed to whom
///
/// Takes a plan, or a model with the same options as `ptc build`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub trust: TrustArguments,
    #[command(flatten)]
    pub what: What,
    /// Machine-readable output.
    #[arg(long, conflicts_with_all = ["html", "emit"])]
    pub json: bool,
    /// What both parties recorded with `ptc run --trace`, beside what was predicted. Given twice, once for each party.
    #[arg(long = "trace", value_name = "FILE")]
    pub traces: Vec<PathBuf>,
    /// How `--emit graph` writes it.
    #[arg(long, value_enum, default_value_t = GraphFormat::Text, requires = "emit")]
    pub graph_format: GraphFormat,
    /// The pass that `--emit graph` stops behind (`source` for the graph before the first). Default: the last.
    #[arg(long, value_name = "PASS", requires = "emit")]
    pub after: Option<String>,
}

/// What is shown, where it is not all of it.
#[derive(clap::Args)]
#[group(multiple = false)]
pub struct What {
    /// Every value that is opened, what each message carries and what hides it, and what both parties know.
    #[arg(long)]
    pub leakage: bool,
    /// The reasons for what a source line became.
    #[arg(long, value_name = "[FILE:]LINE")]
    pub why: Option<String>,
    /// Write one page that needs no network: the graph, costs, tables, what is revealed.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print the graph of a model behind a pass.
    #[arg(long, value_enum)]
    pub emit: Option<Emit>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Emit {
    Graph,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { what, traces, json, .. } = &arguments;
    if what.emit.is_some() {
        return emit(&arguments);
    }
    let plan = arguments.plan()?;
    let traces = if traces.is_empty() { None } else { Some(trace::read(&plan, traces)?) };
    let times = Some(times::of(&plan, &arguments.trust.profile()?));
    let beside = Beside { times, traces };
    if let Some(line) = &what.why {
        let why = ptc_report::why(&plan, &beside, line)?;
        print!("{}", if *json { why.json() } else { why.text() });
        return Ok(());
    }
    let report = ptc_report::explain(&plan, &beside);
    match &what.html {
        Some(path) => files::write(path, report.html().as_bytes())?,
        None if what.leakage && *json => print!("{}", report.leakage.json()),
        None if what.leakage => print!("{}", report.leakage_text()),
        None if *json => print!("{}", report.json()),
        None => print!("{}", report.text()),
    }
    Ok(())
}

impl Arguments {
    fn of_source(&self) -> bool {
        self.model.model.extension().is_some_and(|extension| extension == "ptx")
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let path = &self.model.model;
        if !self.of_source() {
            return read_plan(path);
        }
        let mut request = self.model.request()?;
        let trust = self.trust.settle(&mut request)?;
        let built = ptc_driver::build(path, &self.model.text()?, &request, trust).map_err(Failure::source)?;
        Ok(built.generated.plan)
    }
}

fn emit(arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.of_source() {
        return Err(Failure::new(
            format!("`{}` is a plan, which has no graph any more", arguments.model.model.display()),
            "give the model's `.ptx` file",
        ));
    }
    let mut request = arguments.model.request()?;
    arguments.trust.settle(&mut request)?;
    let last = ptc_passes::PIPELINE.last().map_or("", |pass| pass.name);
    let pass = arguments.after.as_deref().unwrap_or(last);
    graph::emit(&arguments.model, &request, pass, arguments.graph_format)
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
