//! `ptc help`: what the commands are, and what a diagnostic's code means.

use clap::CommandFactory;
use ptc_syntax::codes::{self, example};
use ptc_syntax::suggest::nearest;

use crate::failure::Failure;
use crate::{classes, messages};

const MESSAGES: &str = "messages";
const CODES: &str = "codes";
/// Columns of an explanation.
const WIDTH: usize = 100;

/// Explain a command or a diagnostic's code, e.g. `ptc help E0301`
#[derive(clap::Args)]
pub struct Arguments {
    /// A command, a code, `codes` for all of them, or `messages` for the form of `--message-format json`; all commands when
    /// absent.
    pub topic: Option<String>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut command = crate::Arguments::command();
    let Some(topic) = arguments.topic else {
        command.print_long_help()?;
        return Ok(());
    };
    if topic == CODES {
        codes::ALL.iter().chain(classes::ALL).for_each(|code| println!("{}  {}", code.id, code.title));
        return Ok(());
    }
    if topic == MESSAGES {
        print!("{}", messages::FORM);
        return Ok(());
    }
    if let Some(code) = codes::find(&topic).or_else(|| classes::find(&topic)) {
        println!("{}: {}\n\n{}", code.id, code.title, wrapped(code.explanation));
        if let Some(example) = example::of(code) {
            print!("\n{}", example.render());
        }
        return Ok(());
    }
    if let Some(subcommand) = command.find_subcommand_mut(&topic) {
        subcommand.print_long_help()?;
        return Ok(());
    }
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_string()).collect();
    let known = names.iter().map(String::as_str).chain(codes::ALL.iter().chain(classes::ALL).map(|code| code.id));
    let known = known.chain([MESSAGES, CODES]);
    let hint = match nearest(&topic, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "run `ptc help` for the commands".to_string(),
    };
    Err(Failure::new(format!("there is no command or code `{topic}`"), hint))
}

/// In lines that a terminal shows.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => *line += &format!(" {word}"),
            _ => lines.push(word.to_string()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_wrapped_and_loses_no_word() {
        for code in codes::ALL.iter().chain(classes::ALL) {
            let text = wrapped(code.explanation);
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
            assert!(text.split_whitespace().eq(code.explanation.split_whitespace()));
        }
    }
}
