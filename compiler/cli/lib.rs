//! The command line: files, tokenizers, weights; the only room that sees both halves.
//!
//! Results go to standard output, everything else to standard error. A failure is told once, with its fix, and exits
//! with 1 (2 for a wrong command line).

mod arrays;
mod backend;
mod cache;
mod calibration;
mod classes;
mod commands;
mod connection;
mod doctor;
mod failure;
mod files;
mod gateway;
mod given;
mod graph;
mod guard;
mod http;
mod identity;
mod labels;
pub mod library;
mod measure;
mod messages;
mod meter;
mod model;
mod peers;
mod pool;
mod process;
mod progress;
mod results;
mod stats;
mod times;
mod tokens;
mod trace;
mod trust;
mod weights;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Private Transformer inference: a model stays with its owner, an input stays with its owner, the answer goes where the
/// model says.
///
/// Write or import a model as a `.ptx` file, `ptc build` it into a plan, give both parties the plan, and each runs
/// `ptc run` on its own machine.
#[derive(Parser)]
#[command(name = "ptc", version, disable_help_subcommand = true, max_term_width = 100, after_long_help = AFTER)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    manner: messages::Manner,
}

const AFTER: &str = "\
Exit codes: 0 success; 1 failure, told with its fix on standard error; 2 a wrong command line. Results go to standard output \
and are written only after all of them are there, so a run that fails or is stopped (ctrl-C: 130) leaves none. \
`NO_COLOR` is respected.";

#[derive(Subcommand)]
enum Command {
    New(commands::new::Arguments),
    Import(commands::import::Arguments),
    Build(commands::build::Arguments),
    Check(commands::check::Arguments),
    Fmt(commands::format::Arguments),
    Explain(commands::explain::Arguments),
    Calibrate(commands::calibrate::Arguments),
    Profile(commands::profile::Arguments),
    Deal(commands::deal::Arguments),
    Prepare(commands::prepare::Arguments),
    Pool(commands::pool::Arguments),
    Run(commands::run::Arguments),
    Sim(commands::sim::Arguments),
    Keys(commands::keys::Arguments),
    Serve(commands::serve::Arguments),
    Client(commands::client::Arguments),
    Doctor(commands::doctor::Arguments),
    Lsp(commands::lsp::Arguments),
    Completions(commands::completions::Arguments),
    Man(commands::man::Arguments),
    Help(commands::help::Arguments),
}

/// The program `ptc`.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_command_line(&error),
    };
    arguments.manner.choose();
    let done = match arguments.command {
        Command::New(arguments) => commands::new::run(arguments),
        Command::Import(arguments) => commands::import::run(arguments),
        Command::Build(arguments) => commands::build::run(arguments),
        Command::Check(arguments) => commands::check::run(arguments),
        Command::Fmt(arguments) => commands::format::run(arguments),
        Command::Explain(arguments) => commands::explain::run(arguments),
        Command::Calibrate(arguments) => commands::calibrate::run(arguments),
        Command::Profile(arguments) => commands::profile::run(arguments),
        Command::Deal(arguments) => commands::deal::run(arguments),
        Command::Prepare(arguments) => commands::prepare::run(arguments),
        Command::Pool(arguments) => commands::pool::run(arguments),
        Command::Run(arguments) => commands::run::run(arguments),
        Command::Sim(arguments) => commands::sim::run(arguments),
        Command::Keys(arguments) => commands::keys::run(arguments),
        Command::Serve(arguments) => commands::serve::run(arguments),
        Command::Client(arguments) => commands::client::run(arguments),
        Command::Doctor(arguments) => commands::doctor::run(arguments),
        Command::Lsp(arguments) => commands::lsp::run(arguments),
        Command::Completions(arguments) => commands::completions::run(arguments),
        Command::Man(arguments) => commands::man::run(arguments),
        Command::Help(arguments) => commands::help::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            ExitCode::FAILURE
        }
    }
}

/// A wrong command line, or a question for help.
fn wrong_command_line(error: &clap::Error) -> ExitCode {
    let mut given = std::env::args_os().skip_while(|argument| argument != "--message-format").skip(1);
    let json = given.next().is_some_and(|format| format == "json")
        || std::env::args_os().any(|argument| argument == "--message-format=json");
    if json && error.use_stderr() {
        messages::choose(messages::Format::Json, false);
        let text = error.render().to_string();
        let (message, usage) = text.trim_end().split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let usage = usage.split_whitespace().collect::<Vec<_>>().join(" ");
        messages::error(
            None,
            message.trim_start_matches("error: "),
            Some(usage.as_str()).filter(|usage| !usage.is_empty()),
        );
    } else {
        // Nobody to listen is no reason to end otherwise.
        let _ = error.print();
    }
    ExitCode::from(error.exit_code().clamp(0, 255) as u8)
}
