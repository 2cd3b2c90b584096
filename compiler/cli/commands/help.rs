//! `ptc help`: what the commands are, and what a diagnostic's code means.

use clap::CommandFactory;
use ptc_syntax::codes;
use ptc_syntax::suggest::nearest;

use crate::failure::Failure;
use crate::messages;

const MESSAGES: &str = "messages";

/// Explain a command or a diagnostic's code, e.g. `ptc help E0301`
#[derive(clap::Args)]
pub struct Arguments {
    /// A command, a code, or `messages` for the form of `--message-format json`; all commands when absent.
    pub topic: Option<String>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut command = crate::Arguments::command();
    let Some(topic) = arguments.topic else {
        command.print_long_help()?;
        return Ok(());
    };
    if topic == MESSAGES {
        print!("{}", messages::FORM);
        return Ok(());
    }
    if let Some(code) = codes::find(&topic) {
        println!("{}: {}\n\n{}", code.id, code.title, code.explanation);
        return Ok(());
    }
    if let Some(subcommand) = command.find_subcommand_mut(&topic) {
        subcommand.print_long_help()?;
        return Ok(());
    }
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_string()).collect();
    let known = names.iter().map(String::as_str).chain(codes::ALL.iter().map(|code| code.id)).chain([MESSAGES]);
    let hint = match nearest(&topic, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "run `ptc help` for the commands".to_string(),
    };
    Err(Failure::new(format!("there is no command or code `{topic}`"), hint))
}
