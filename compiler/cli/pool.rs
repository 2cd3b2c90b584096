//! Pools on the command line: where the key is, and what became of the pools that two parties brought.

use std::path::{Path, PathBuf};

use ptc_exec::session::Pools;
use ptc_offline::pool::PoolError;
use ptc_offline::pool::key::Key;

use crate::failure::Failure;

#[derive(clap::Args)]
pub struct KeyArguments {
    /// The key of pools on this machine; `ptc prepare` makes it where it is not there. Default: `ptc/pool.key` in the user's
    /// configuration folder. Keep it apart from the pools.
    #[arg(long, value_name = "FILE")]
    pub pool_key: Option<PathBuf>,
}

impl KeyArguments {
    /// Of pools that are there.
    pub fn open(&self) -> Result<Key, Failure> {
        self.with(Key::open)
    }

    pub fn open_or_make(&self) -> Result<Key, Failure> {
        self.with(Key::open_or_make)
    }

    fn with(&self, open: impl Fn(&Path) -> Result<Key, PoolError>) -> Result<Key, Failure> {
        match &self.pool_key {
            Some(path) => Ok(open(path)?),
            None => Ok(open(&place()?)?),
        }
    }
}

fn place() -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let missing = || {
        Failure::new(
            "there is no place for the key of pools: neither XDG_CONFIG_HOME nor HOME is an absolute path",
            "add `--pool-key FILE`",
        )
    };
    Ok(base.ok_or_else(missing)?.join("ptc").join("pool.key"))
}

/// What a user who gave a pool wants to know: why the session prepares all the same.
pub fn note(pools: Pools, queries: u32) -> Option<String> {
    match pools {
        Pools::Neither => None,
        Pools::OnlyOwn => {
            Some("the other side gave no pool, so correlations are made now and the pool stays as it is".into())
        }
        Pools::OnlyOther => {
            Some("the other side gave a pool and this one did not, so correlations are made now".into())
        }
        Pools::Foreign => {
            Some("the pools of the two sides have no query in common, so correlations are made now".into())
        }
        Pools::Common(common) if common < queries => {
            Some(format!("the pools have {common} of {queries} queries; correlations of the others are made now"))
        }
        Pools::Common(_) => None,
    }
}
