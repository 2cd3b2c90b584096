//! The owner's key file, and the keys of a pool's files.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ptc_ring::Seed;
use zeroize::Zeroizing;

use crate::pool::error::PoolError;
use crate::pool::folder::{Kind, check_private};

/// Opens every pool that was made with it. A secret.
pub struct Key(Seed);

impl Key {
    pub fn open(path: &Path) -> Result<Key, PoolError> {
        if !path.exists() {
            return Err(PoolError::NoKey { path: path.into() });
        }
        check_private(path, Kind::File)?;
        let failed = |error| PoolError::Read { path: path.into(), error };
        // One byte more than a key tells a file that is too long.
        let mut bytes = Zeroizing::new(Vec::with_capacity(33));
        fs::File::open(path).map_err(failed)?.take(33).read_to_end(&mut bytes).map_err(failed)?;
        match bytes.as_array() {
            Some(key) => Ok(Key(Seed::from_bytes(*key))),
            None => Err(PoolError::KeyLength { path: path.into(), found: bytes.len() }),
        }
    }

    /// A file that is not there is made, with fresh randomness, for its owner alone.
    pub fn open_or_make(path: &Path) -> Result<Key, PoolError> {
        if !path.exists() {
            let seed = Seed::fresh().map_err(PoolError::Entropy)?;
            make(path, seed.as_bytes()).map_err(|error| PoolError::Write { path: path.into(), error })?;
        }
        Key::open(path)
    }

    /// The keys of the pool of this salt, which is fresh, and so no other pool's.
    pub(crate) fn derive(&self, salt: &[u8; 16]) -> Keys {
        let (low, high) = salt.split_at(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("half of a salt"));
        Keys(self.0.stream(word(low), word(high)).seed())
    }
}

/// Of several that make the file at once, processes or threads, one succeeds, and nobody reads a part.
fn make(path: &Path, key: &[u8; 32]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    static MADE: AtomicU64 = AtomicU64::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let part = folder.join(format!(".pool-key-{}-{made}.part", std::process::id()));
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(key)?;
        file.sync_all()?;
        match fs::hard_link(&part, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => fs::File::open(folder)?.sync_all(),
        }
    };
    let written = written();
    let _ = fs::remove_file(&part);
    written
}

/// A key for each file of a pool: the beginning of a stream of its own.
pub(crate) struct Keys(Seed);

const HEADER: u64 = 1;
const QUERY: u64 = 2;

impl Keys {
    pub fn header(&self) -> FileKey {
        self.key(HEADER, 0)
    }

    pub fn query(&self, index: u32) -> FileKey {
        self.key(QUERY, u64::from(index))
    }

    fn key(&self, domain: u64, index: u64) -> FileKey {
        let stream = Zeroizing::new(self.0.stream(domain, index).bytes(16));
        FileKey(Zeroizing::new(*stream.as_array().expect("as many bytes were drawn")))
    }
}

/// Seals one file.
pub(crate) struct FileKey(pub Zeroizing<[u8; 16]>);
