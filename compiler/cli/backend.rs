//! Which kernels compute: compiled for this processor, or the portable ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ptc_kernels::{Backend, Portable};
use ptc_llvm::Llvm;

use crate::failure::Failure;
use crate::messages;

#[derive(clap::Args)]
pub struct BackendArguments {
    /// Kernels compiled for this processor, or portable ones. Default: compiled where that is possible.
    #[arg(long, value_enum)]
    pub backend: Option<Choice>,
    /// Where compiled kernels and public parameters are kept. Default: `ptc` in the user's cache folder.
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    Llvm,
    Portable,
}

impl BackendArguments {
    pub fn open(&self) -> Result<Arc<dyn Backend>, Failure> {
        if self.backend == Some(Choice::Portable) {
            return Ok(Arc::new(Portable));
        }
        match (compiled(self.cache.as_deref()), self.backend) {
            (Ok(llvm), _) => Ok(Arc::new(llvm)),
            (Err(reason), Some(_)) => Err(Failure::new(reason, "leave `--backend llvm` away to use portable kernels")),
            (Err(reason), None) => {
                messages::note(&format!("{reason}; portable kernels compute instead"));
                Ok(Arc::new(Portable))
            }
        }
    }
}

fn compiled(chosen: Option<&Path>) -> Result<Llvm, String> {
    let base = match chosen {
        Some(chosen) => chosen.to_path_buf(),
        None => crate::cache::place().map_err(|error| error.to_string())?,
    };
    Llvm::new(&base.join("kernels")).map_err(|error| error.to_string())
}
