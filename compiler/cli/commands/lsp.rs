//! `ptc lsp`: a language server at standard input and output.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ptc_driver::Request;
use ptc_plan::file::Trust;

use crate::cache;
use crate::failure::Failure;
use crate::model::{self, ModelArguments};
use crate::trust::TrustArguments;

/// Serve an editor: diagnostics, hovers, definitions and layout over the language server protocol
///
/// Editors start it; it speaks at standard input and output. Prices are those of a plan built with the options given here,
/// and with the ranges that stand beside the model.
#[derive(clap::Args)]
pub struct Arguments {
    /// Sets a `dim` of every source that has it, e.g. `--dim S=32`. May be given several times.
    #[arg(long = "dim", value_name = "NAME=SIZE", value_parser = model::dim)]
    pub dims: Vec<(String, u64)>,
    #[command(flatten)]
    pub trust: TrustArguments,
    /// Where the library's files are written, for the editor to open. Default: `ptc` in the user's cache folder.
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,
    /// For editors that say so: standard input and output are used in any case.
    #[arg(long, hide = true)]
    pub stdio: bool,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { dims, trust, cache, stdio: _ } = arguments;
    // What is wrong with the options is told at once, not at the first hover.
    trust.settle(&mut Request::default())?;
    let cache = cache.or_else(|| cache::place().ok());
    let asked = move |path: &Path| asked(path, &dims, &trust).map_err(|failure| failure.text());
    let options = ptc_lsp::Options { asked: Arc::new(asked), cache };
    ptc_lsp::stdio(options).map_err(|message| Failure::Message { message, hint: None })
}

/// What `ptc build` would be told of this model.
fn asked(path: &Path, dims: &[(String, u64)], trust: &TrustArguments) -> Result<(Request, Trust), Failure> {
    let (model, dims) = (path.to_path_buf(), dims.to_vec());
    let model = ModelArguments { model, dims, entry: None, ranges: None, tolerance: None };
    let mut request = model.request()?;
    let trust = trust.settle(&mut request)?;
    Ok((request, trust))
}
