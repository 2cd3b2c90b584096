//! `ptc completions`: what a shell needs to complete command lines.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::Failure;

/// Print completions for a shell, e.g. `ptc completions bash > ~/.local/share/bash-completion/completions/ptc`
///
/// For zsh, write them as `_ptc` into a folder of `$fpath`; for fish, to `~/.config/fish/completions/ptc.fish`.
#[derive(clap::Args)]
pub struct Arguments {
    #[arg(value_enum)]
    pub shell: Shell,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    print!("{}", script(arguments.shell));
    Ok(())
}

fn script(shell: Shell) -> String {
    let mut text = vec![];
    clap_complete::generate(shell, &mut crate::Arguments::command(), "ptc", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        let command = crate::Arguments::command();
        for shell in Shell::value_variants() {
            let text = script(*shell);
            for name in command.get_subcommands().map(clap::Command::get_name) {
                assert!(text.contains(name), "`{name}` is not completed for {shell}");
            }
            assert!(text.contains("message-format") && text.contains("weights"), "{shell}");
        }
    }
}
