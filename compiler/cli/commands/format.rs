//! `ptc fmt`: the one canonical layout.

use std::path::PathBuf;

use ptc_syntax::diagnostic;
use ptc_syntax::format::format;
use ptc_syntax::source::Sources;

use crate::failure::Failure;
use crate::model;

/// Lay out source files in the one canonical way
#[derive(clap::Args)]
pub struct Arguments {
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Change nothing; fail if a file would change.
    #[arg(long)]
    pub check: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut failed = false;
    for path in &arguments.files {
        let text = model::read_text(path)?;
        match format(&text) {
            Ok(formatted) if formatted == text => {}
            Ok(_) if arguments.check => {
                eprintln!("{}: not in the canonical layout\nhint: run `ptc fmt {0}`", path.display());
                failed = true;
            }
            Ok(formatted) => model::write(path, formatted.as_bytes())?,
            Err(diagnostics) => {
                let mut sources = Sources::default();
                sources.add(path.display().to_string(), text);
                diagnostic::print(&diagnostics, &sources);
                failed = true;
            }
        }
    }
    if failed { Err(Failure::Told) } else { Ok(()) }
}
