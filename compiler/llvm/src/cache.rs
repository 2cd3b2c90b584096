//! Objects on disk, in a directory that only this user reads and writes.
//!
//! A file's name is the hash of everything that its object depends on; the file holds a hash of name and object, so
//! that a damaged or misplaced one is noticed and compiled again. It guards against accidents: whoever can write into
//! the directory already acts as this user.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::LlvmError;

pub struct Cache {
    directory: PathBuf,
    user: u32,
}

const MAGIC: &[u8; 8] = b"ptc-obj1";

/// Objects are a few KB; a longer file is none of ours.
const LONGEST: u64 = 16 << 20;

impl Cache {
    /// Creates the directory, or takes it when it belongs to this user.
    pub fn open(directory: &Path) -> Result<Cache, LlvmError> {
        let failed = |reason: String| LlvmError::Cache { directory: directory.to_path_buf(), reason };
        let io = |error: io::Error| failed(error.to_string());
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
        let found = fs::metadata(directory).map_err(io)?;
        let user = fs::metadata("/proc/self").map_err(io)?.uid();
        if found.uid() != user {
            return Err(failed("it belongs to another user".into()));
        }
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(io)?;
        }
        Ok(Cache { directory: directory.to_path_buf(), user })
    }

    /// The object of `key`, from disk or from `compile`. A file that cannot be written costs a compilation next time.
    pub fn object(
        &self,
        key: &str,
        compile: impl FnOnce() -> Result<Vec<u8>, LlvmError>,
    ) -> Result<Vec<u8>, LlvmError> {
        let name = hex(&Sha256::digest(key));
        if let Some(object) = self.read(&name) {
            return Ok(object);
        }
        let object = compile()?;
        let _ = self.write(&name, &object);
        Ok(object)
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let file = fs::File::open(self.directory.join(name)).ok()?;
        // A directory that was open to others before may hold what they left.
        let found = file.metadata().ok()?;
        if found.uid() != self.user || found.mode() & 0o022 != 0 {
            return None;
        }
        let mut bytes = vec![];
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (hash, object) = rest.split_first_chunk::<32>()?;
        (magic == MAGIC && *hash == seal(name, object)).then(|| object.to_vec())
    }

    /// Whole under its name or not at all, also when two processes write it at once.
    fn write(&self, name: &str, object: &[u8]) -> io::Result<()> {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        let unique = WRITES.fetch_add(1, Ordering::Relaxed);
        let draft = self.directory.join(format!("{name}.{}.{unique}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        let written = [MAGIC.as_slice(), &seal(name, object), object].iter().try_for_each(|part| file.write_all(part));
        let moved = written.and_then(|()| fs::rename(&draft, self.directory.join(name)));
        if moved.is_err() {
            let _ = fs::remove_file(&draft);
        }
        moved
    }
}

fn seal(name: &str, object: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(MAGIC).chain_update(name).chain_update(object).finalize().into()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never() -> Result<Vec<u8>, LlvmError> {
        panic!("compiled again")
    }

    #[test]
    fn an_object_is_compiled_once() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("objects");
        let object = Cache::open(&directory).unwrap().object("key", || Ok(vec![1, 2, 3])).unwrap();
        assert_eq!(object, [1, 2, 3]);
        assert_eq!(Cache::open(&directory).unwrap().object("key", never).unwrap(), [1, 2, 3]);
        assert_eq!(Cache::open(&directory).unwrap().object("other", || Ok(vec![4])).unwrap(), [4]);
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    }

    #[test]
    fn a_damaged_object_is_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        cache.object("key", || Ok(vec![1; 100])).unwrap();
        let file = folder.path().join(hex(&Sha256::digest("key")));
        let good = fs::read(&file).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 16;
            fs::write(&file, &bad).unwrap();
            assert_eq!(cache.object("key", || Ok(vec![1; 100])).unwrap(), [1; 100], "byte {at}");
            assert_eq!(fs::read(&file).unwrap(), good, "byte {at}");
            fs::write(&file, &good[..at]).unwrap();
            assert_eq!(cache.object("key", || Ok(vec![1; 100])).unwrap(), [1; 100], "cut at {at}");
        }
        fs::copy(&file, folder.path().join(hex(&Sha256::digest("other")))).unwrap();
        assert_eq!(cache.object("other", || Ok(vec![2])).unwrap(), [2], "a file under another's name");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(cache.object("key", || Ok(vec![3])).unwrap(), [3], "a file that others may write");
    }

    #[test]
    fn a_public_directory_becomes_private() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        Cache::open(folder.path()).unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o700);
    }
}
