//! What programs call that have `ptc` as a library: its commands, with arrays and plans instead of files.
//!
//! Options have the names, the meanings and the errors that they have on the command line: `--dim=S=32`. Nothing is written
//! to standard output.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use ptc_cost::profile::Profile;
use ptc_exec::tensors::Tensors;
use ptc_plan::Plan;
use ptc_plan::float::FloatTensor;
use ptc_report::Beside;
use ptc_syntax::diagnostic::described::{Described, describe};
use ptc_syntax::diagnostic::render;

use crate::commands::explain::read_plan;
use crate::commands::{build, run, sim};
use crate::failure::Failure;
use crate::messages::{Format, choose};
use crate::{Arguments, Command, arrays, files, times};

/// Why there is no result.
#[derive(Debug)]
pub struct Trouble {
    pub kind: Kind,
    /// As on the command line.
    pub text: String,
    /// Of a source.
    pub diagnostics: Vec<Described>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Errors in a model's source.
    Source,
    /// The other side, or the way to it.
    Peer,
    /// What this side was given.
    Input,
}

pub struct Compiled {
    pub plan: Arc<Plan>,
    /// As on the command line; empty where there are none.
    pub warnings: String,
}

/// What one party's session ends with.
pub struct Answers {
    /// By query.
    pub results: Vec<Tensors>,
    /// Rounds, bytes and seconds beside what was predicted, as JSON.
    pub statistics: String,
}

/// Both parties in one process, beside floating point.
pub struct Simulated {
    pub results: Vec<Tensors>,
    pub float_results: Vec<Tensors>,
    /// Values that left their bounds or do not follow from their steps' inputs.
    pub warnings: Vec<String>,
    pub statistics: String,
}

/// What is going on is not told on standard error; warnings are.
pub fn be_quiet() {
    choose(Format::Human, true);
}

/// `ptc build`, without a file for the plan. Whoever sets `stopped` wants none any more.
pub fn compile(options: &[String], stopped: Arc<AtomicBool>) -> Result<Compiled, Trouble> {
    let Command::Build(build::Arguments { model, trust, .. }) = parsed("build", options)? else {
        return Err(Trouble::input("these are options of another command"));
    };
    let made = || {
        let (text, mut request) = (model.text()?, model.request()?);
        let trust = trust.settle(&mut request)?;
        request.stopped = Some(stopped);
        ptc_driver::build(&model.model, &text, &request, trust).map_err(Failure::source)
    };
    let built = made()?;
    let warnings = render(&built.warnings, &built.sources);
    Ok(Compiled { plan: Arc::new(built.generated.plan), warnings })
}

pub fn load(path: &Path) -> Result<Plan, Trouble> {
    Ok(read_plan(path)?)
}

pub fn save(plan: &Plan, path: &Path) -> Result<(), Trouble> {
    let bytes = plan.to_bytes().map_err(Failure::from)?;
    Ok(files::write(path, &bytes).map_err(Failure::from)?)
}

/// `ptc explain`: predicted times are those of the profile with this name.
pub fn explain(plan: &Plan, profile: &str) -> Result<ptc_report::Report, Trouble> {
    let Some(profile) = Profile::built_in(profile) else {
        let known = ptc_cost::profile::names().collect::<Vec<_>>().join(", ");
        return Err(Trouble::input(&format!("there is no profile `{profile}`\nhint: give one of {known}")));
    };
    Ok(ptc_report::explain(plan, &Beside { times: Some(times::of(plan, &profile)), traces: None }))
}

/// `ptc run`: one party of a session, to its end.
pub fn run(plan: Arc<Plan>, options: &[String], inputs: Tensors) -> Result<Answers, Trouble> {
    let options: Vec<String> = options.iter().cloned().chain([String::from("(a plan in memory)")]).collect();
    let Command::Run(mut arguments) = parsed("run", &options)? else {
        return Err(Trouble::input("these are options of another command"));
    };
    arguments.built = Some(plan);
    arguments.given.arrays = inputs;
    let run::Answers { results, measured, .. } = run::answers(&arguments)?;
    Ok(Answers { results, statistics: measured.json() })
}

/// `ptc sim`: what it warns of is among the results, not told.
pub fn simulate(options: &[String], inputs: Tensors) -> Result<Simulated, Trouble> {
    let Command::Sim(mut arguments) = parsed("sim", options)? else {
        return Err(Trouble::input("these are options of another command"));
    };
    arguments.given.arrays = inputs;
    let (outcome, guard) = sim::outcome(&arguments)?;
    let mut warnings = outcome.faults;
    warnings.extend(guard.violations().cloned());
    warnings.extend(guard.broken());
    Ok(Simulated { results: outcome.results, float_results: outcome.expected, warnings, statistics: outcome.json })
}

/// An array in the bytes of a `.npy` file.
pub fn array(name: &str, bytes: &[u8]) -> Result<FloatTensor, Trouble> {
    Ok(arrays::of_npy(name, bytes).map_err(Failure::from)?)
}

/// The bytes of a `.npy` file, in single precision.
pub fn npy(array: &FloatTensor) -> Vec<u8> {
    arrays::npy_bytes(array)
}

fn parsed(command: &str, options: &[String]) -> Result<Command, Trouble> {
    let words = ["ptc", command].map(String::from).into_iter().chain(options.iter().cloned());
    match Arguments::try_parse_from(words) {
        Ok(arguments) => Ok(arguments.command),
        Err(error) => {
            let text = error.render().to_string();
            let message = text.split("\n\nUsage:").next().unwrap_or(&text).trim();
            Err(Trouble::input(message.trim_start_matches("error: ")))
        }
    }
}

impl Trouble {
    fn input(text: &str) -> Trouble {
        Trouble { kind: Kind::Input, text: text.to_string(), diagnostics: vec![] }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        let (kind, diagnostics) = match &failure {
            Failure::Source(source) => {
                let all = source.diagnostics.iter();
                (Kind::Source, all.map(|diagnostic| describe(diagnostic, &source.sources)).collect())
            }
            Failure::Peer { .. } => (Kind::Peer, vec![]),
            Failure::Classed { .. } | Failure::Message { .. } | Failure::Told => (Kind::Input, vec![]),
        };
        Trouble { kind, text: failure.text(), diagnostics }
    }
}
