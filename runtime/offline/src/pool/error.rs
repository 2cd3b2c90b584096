//! Why a pool cannot be made or used.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("`{}` cannot be read: {error}\nhint: check the path and its rights", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("`{}` cannot be written: {error}\nhint: check its rights and the space", path.display())]
    Write { path: PathBuf, error: std::io::Error },
    #[error("the pool `{}` cannot be made: {error}\nhint: check that its parent folder exists, and its rights", path.display())]
    Make { path: PathBuf, error: std::io::Error },
    #[error("`{}` {problem}\nhint: keep pools and keys where only you have access", path.display())]
    NotPrivate { path: PathBuf, problem: &'static str },
    #[error("another process uses the pool `{}`\nhint: wait for its end, or use another pool", path.display())]
    Busy { path: PathBuf },
    #[error("the pool `{}` is not empty\nhint: a pool is filled once; give a new folder", path.display())]
    NotEmpty { path: PathBuf },
    #[error(
        "`{}` cannot be read: {error}\nhint: a pool is a folder that `ptc prepare` filled; where that was cut short, remove the folder and prepare again",
        path.display()
    )]
    NoHeader { path: PathBuf, error: std::io::Error },
    #[error("`{}` {problem}\nhint: prepare a new pool with this version of `ptc`", path.display())]
    Header { path: PathBuf, problem: &'static str },
    #[error("the pool `{}` was prepared for another plan\nhint: prepare one for this plan", path.display())]
    OtherPlan { path: PathBuf },
    #[error("the pool `{}` is that of party {party}\nhint: each party has its own pool", path.display())]
    OtherParty { path: PathBuf, party: usize },
    #[error("`{}` was sealed with another key, or has been changed\nhint: give the key file of `ptc prepare` with `--pool-key`", path.display())]
    OtherKey { path: PathBuf },
    #[error("the pool `{}` was prepared for other weights\nhint: prepare one for this checkpoint", path.display())]
    OtherWeights { path: PathBuf },
    #[error("`{}` is not there, though it has not been used\nhint: prepare a new pool", path.display())]
    Missing { path: PathBuf },
    #[error("`{}` has {found} bytes where {expected} are expected\n{REMOVE}", path.display())]
    Length { path: PathBuf, expected: u64, found: u64 },
    #[error("`{}` has been changed, or belongs to another place in this pool or to another pool\n{REMOVE}", path.display())]
    Forged { path: PathBuf },
    #[error("the key `{}` is not there\nhint: a pool opens only with the key file of `ptc prepare`; name it with `--pool-key`", path.display())]
    NoKey { path: PathBuf },
    #[error("the key `{}` has {found} bytes where 32 are expected\nhint: name another file with `--pool-key`", path.display())]
    KeyLength { path: PathBuf, found: usize },
    #[error("no randomness from the operating system: {0}")]
    Entropy(std::io::Error),
}

const REMOVE: &str = "hint: remove this file, or prepare a new pool";
