//! A folder of one user and one process, whose files are there as a whole or not at all, and durably so.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::pool::error::PoolError;

pub const LOCK: &str = "lock";

pub struct Folder {
    pub path: PathBuf,
    /// The system gives the lock back when the process ends, however it does.
    _lock: File,
}

impl Folder {
    /// Makes it where it is not there.
    pub fn make(path: &Path) -> Result<Folder, PoolError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(PoolError::Make { path: path.into(), error }),
            _ => Folder::open(path),
        }
    }

    pub fn open(path: &Path) -> Result<Folder, PoolError> {
        check_private(path, Kind::Folder)?;
        let lock = path.join(LOCK);
        let failed = |error| PoolError::Write { path: lock.clone(), error };
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let file = opened.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Folder { path: path.into(), _lock: file }),
            Err(TryLockError::WouldBlock) => Err(PoolError::Busy { path: path.into() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    pub fn names(&self) -> Result<Vec<String>, PoolError> {
        names(&self.path)
    }

    /// `fill` writes the file, which then is there under its name, and stays when the machine fails.
    pub fn write(&self, name: &str, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), PoolError> {
        let (path, part) = (self.path.join(name), self.path.join(format!(".{name}.part")));
        let written = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
            fill(&mut file)?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            self.sync()
        };
        written().map_err(|error| {
            // What is left of it has no name that is ever read.
            let _ = fs::remove_file(&part);
            PoolError::Write { path: path.clone(), error }
        })
    }

    /// The files are gone, and stay so when the machine fails.
    pub fn remove(&self, names: &[String]) -> Result<(), PoolError> {
        for name in names {
            let path = self.path.join(name);
            fs::remove_file(&path).map_err(|error| PoolError::Write { path, error })?;
        }
        self.sync().map_err(|error| PoolError::Write { path: self.path.clone(), error })
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

pub fn names(path: &Path) -> Result<Vec<String>, PoolError> {
    let failed = |error| PoolError::Read { path: path.into(), error };
    let mut names = vec![];
    for entry in fs::read_dir(path).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Folder,
    File,
}

/// It is what it should be, and only its owner, who runs this process, has access.
pub fn check_private(path: &Path, kind: Kind) -> Result<(), PoolError> {
    let failed = |error| PoolError::Read { path: path.into(), error };
    let there = fs::metadata(path).map_err(failed)?;
    let own = fs::metadata("/proc/self").map_err(failed)?.uid();
    let problem = match kind {
        Kind::Folder if !there.is_dir() => "is no folder",
        Kind::File if !there.is_file() => "is no file",
        _ if there.uid() != own => "belongs to another user",
        _ if there.mode() & 0o077 != 0 => "is open to other users",
        _ => return Ok(()),
    };
    Err(PoolError::NotPrivate { path: path.into(), problem })
}
