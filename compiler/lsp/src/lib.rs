//! The language server of `.ptx`: what an editor shows while somebody types. It must not know the command line, nor how a
//! plan is executed.
//!
//! [`serve`] reads messages one by one. What is cheap is computed where it is asked for, on the texts as they are in the
//! editor: trees, names, types. What a plan costs is found in a thread beside it ([`prices`]), which is stopped when the
//! text changes; until it is done a hover has no price.

mod actions;
mod analysis;
mod completion;
mod documents;
mod hints;
mod hover;
mod library;
mod navigate;
mod position;
mod prices;
mod problems;
mod server;
mod symbols;
mod uri;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsp_server::Connection;
use ptc_driver::Request;
use ptc_plan::file::Trust;

/// How the plan of a model is built: with what `ptc build` would be told. A text says why that cannot be found out.
pub type Asked = dyn Fn(&Path) -> Result<(Request, Trust), String> + Send + Sync;

#[derive(Clone)]
pub struct Options {
    pub asked: Arc<Asked>,
    /// Where the files of the library are written, for an editor to show them. Without one it shows none.
    pub cache: Option<PathBuf>,
}

/// Serves the editor at standard input and output until it says goodbye.
pub fn stdio(options: Options) -> Result<(), String> {
    let (connection, threads) = Connection::stdio();
    serve(connection, options)?;
    threads.join().map_err(|error| format!("the connection to the editor broke: {error}"))
}

/// Serves whoever is at the other end of `connection`.
pub fn serve(connection: Connection, options: Options) -> Result<(), String> {
    server::serve(connection, options)
}
