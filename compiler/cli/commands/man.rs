//! `ptc man`: the manual, a page for each command.

use std::path::PathBuf;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::failure::Failure;
use crate::{files, messages};

/// Print the manual as a man page, or write a page for each command: `ptc man run | man -l -`
#[derive(clap::Args)]
pub struct Arguments {
    /// The command whose page is printed; the overview when absent.
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub name: Option<String>,
    /// Write all pages into this folder, which is made where it is not there, e.g. `~/.local/share/man/man1`.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let pages = pages()?;
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(|error| {
            let message = format!("`{}` cannot be made: {error}", folder.display());
            Failure::new(message, "choose a folder that you may write to")
        })?;
        for (name, page) in &pages {
            files::write(&folder.join(format!("{name}.1")), page)?;
        }
        messages::say(&format!("{}: {} pages", folder.display(), pages.len()));
        return Ok(());
    }
    let wanted = arguments.name.map_or("ptc".to_string(), |name| format!("ptc-{}", name.replace(' ', "-")));
    match pages.iter().find(|(name, _)| *name == wanted) {
        Some((_, page)) => {
            print!("{}", String::from_utf8_lossy(page));
            Ok(())
        }
        None => Err(Failure::new(format!("there is no page `{wanted}`"), "run `ptc help` for the commands")),
    }
}

/// Each page with its name: `ptc`, `ptc-run`, `ptc-keys-new`, and so on.
fn pages() -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut whole = crate::Arguments::command();
    whole.build();
    let mut pages = vec![];
    add(&mut pages, "ptc".into(), whole)?;
    Ok(pages)
}

fn add(pages: &mut Vec<(String, Vec<u8>)>, name: String, command: Command) -> Result<(), Failure> {
    // Commands with parts get a `help` of their own, which says what the page says.
    let counts = |part: &&Command| name == "ptc" || part.get_name() != "help";
    let parts: Vec<Command> = command.get_subcommands().filter(counts).cloned().collect();
    let mut text = vec![];
    Man::new(command.display_name(&name)).render(&mut text)?;
    pages.push((name.clone(), text));
    for part in parts {
        add(pages, format!("{name}-{}", part.get_name()), part)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_names_it() {
        let pages = pages().map_err(|_| "no pages").unwrap();
        let command = crate::Arguments::command();
        for part in command.get_subcommands() {
            let name = format!("ptc-{}", part.get_name());
            assert!(pages.iter().any(|(page, _)| *page == name), "{name}");
        }
        for (name, page) in &pages {
            let text = String::from_utf8(page.clone()).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{name}");
            assert!(text.replace("\\-", "-").contains(&format!("{name} ")), "{name}:\n{text}");
        }
        let (_, run) = pages.iter().find(|(name, _)| name == "ptc-run").unwrap();
        assert!(String::from_utf8_lossy(run).contains("message"), "global options are on every page");
    }

    #[test]
    fn every_command_says_what_it_does() {
        for command in crate::Arguments::command().get_subcommands() {
            assert!(command.get_about().is_some(), "`ptc {}` has no description", command.get_name());
        }
        crate::Arguments::command().debug_assert();
    }
}
