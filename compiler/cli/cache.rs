//! Public parameters that a server sent, kept by the SHA-256 of their bytes.
//!
//! The folder is this user's alone. What comes out of it hashes to its name: a damaged file is dropped and sent anew.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ptc_exec::public::{Cache, Hash};
use ptc_plan::check::MAX_ELEMENTS;
use sha2::{Digest, Sha256};

use crate::{files, messages};

/// One parameter in single precision.
const MAX_BYTES: u64 = 4 * MAX_ELEMENTS as u64;

#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error(
        "there is no place for the cache: neither XDG_CACHE_HOME nor HOME is an absolute path\nhint: add `--cache FOLDER`"
    )]
    NoPlace,
    #[error("the cache `{}` cannot be made: {error}\nhint: choose another with `--cache FOLDER`", path.display())]
    Make { path: PathBuf, error: std::io::Error },
    #[error(
        "the cache `{}` {problem}\nhint: remove it, or choose another with `--cache FOLDER`",
        path.display()
    )]
    NotPrivate { path: PathBuf, problem: &'static str },
}

/// A folder of files named by hash.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

/// Where this system's programs keep what they can make again.
pub fn place() -> Result<PathBuf, CacheError> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    Ok(base.ok_or(CacheError::NoPlace)?.join("ptc"))
}

/// In `chosen`, or else in the usual [`place`].
pub fn open(chosen: Option<&Path>) -> Result<Folder, CacheError> {
    let base = match chosen {
        Some(chosen) => chosen.to_path_buf(),
        None => place()?,
    };
    let path = base.join("parameters");
    let failed = |error| CacheError::Make { path: path.clone(), error };
    // What is above may be anybody's; the last folder must be ours.
    DirBuilder::new().recursive(true).mode(0o700).create(&base).map_err(failed)?;
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let there = fs::symlink_metadata(&path).map_err(failed)?;
    let own = fs::metadata("/proc/self").map_err(failed)?.uid();
    let problem = match there.mode() & 0o077 {
        _ if !there.is_dir() => Some("is no folder"),
        _ if there.uid() != own => Some("belongs to another user"),
        0 => None,
        _ => Some("is open to other users"),
    };
    match problem {
        Some(problem) => Err(CacheError::NotPrivate { path, problem }),
        None => Ok(Folder { path }),
    }
}

impl Folder {
    fn file(&self, hash: &Hash) -> PathBuf {
        let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.path.join(name)
    }
}

impl Cache for Folder {
    fn get(&self, hash: &Hash) -> Option<Vec<u8>> {
        let path = self.file(hash);
        let bytes = files::read(&path, MAX_BYTES).ok()?;
        if Hash::from(Sha256::digest(&bytes)) == *hash {
            return Some(bytes);
        }
        let _ = fs::remove_file(&path);
        None
    }

    /// What cannot be kept is sent again next time.
    fn put(&self, hash: &Hash, bytes: &[u8]) {
        let path = self.file(hash);
        match files::write(&path, bytes) {
            Ok(()) => {
                let _ = fs::set_permissions(&path, Permissions::from_mode(0o600));
            }
            Err(error) => messages::note(&format!("a public parameter is not kept: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8]) -> Hash {
        Sha256::digest(bytes).into()
    }

    #[test]
    fn what_is_kept_comes_back_and_what_is_damaged_does_not() {
        let base = tempfile::tempdir().unwrap();
        let cache = open(Some(&base.path().join("deep/er"))).unwrap();
        let key = hash(b"embedding");
        assert_eq!(cache.get(&key), None);
        cache.put(&key, b"embedding");
        assert_eq!(cache.get(&key).as_deref(), Some(&b"embedding"[..]));
        assert_eq!(open(Some(&base.path().join("deep/er"))).unwrap().get(&key).as_deref(), Some(&b"embedding"[..]));
        assert_eq!(fs::metadata(cache.file(&key)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&cache.path).unwrap().mode() & 0o777, 0o700);
        for damage in [&b"embeddinG"[..], b"embed", b""] {
            fs::write(cache.file(&key), damage).unwrap();
            assert_eq!(cache.get(&key), None);
            assert!(!cache.file(&key).exists());
        }
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("parameters");
        fs::create_dir(&folder).unwrap();
        for (mode, refused) in [(0o777, true), (0o755, true), (0o700, false)] {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            let opened = open(Some(base.path()));
            assert_eq!(matches!(opened, Err(CacheError::NotPrivate { .. })), refused, "{mode:o}");
        }
        fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink(base.path(), &folder).unwrap();
        assert!(matches!(open(Some(base.path())), Err(CacheError::NotPrivate { problem: "is no folder", .. })));
    }

    #[test]
    fn a_place_that_cannot_be_made_is_named() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, b"").unwrap();
        let message = open(Some(&file)).unwrap_err().to_string();
        assert!(message.contains("cannot be made") && message.contains("file/parameters"), "{message}");
    }
}
