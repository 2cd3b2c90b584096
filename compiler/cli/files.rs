//! Whole files: read up to a limit, written so that nobody ever reads a part.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("`{}` cannot be read: {error}\nhint: check the path and its rights", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("`{}` has more than the limit of {limit} bytes\nhint: check that it is the right file", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("`{}` is not UTF-8 text\nhint: check that it is the right file", path.display())]
    NotText { path: PathBuf },
    #[error("`{}` cannot be written: {error}\nhint: check that its folder exists, its rights and the space", path.display())]
    Write { path: PathBuf, error: std::io::Error },
}

pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let failed = |error| FileError::Read { path: path.into(), error };
    let mut bytes = vec![];
    let file = File::open(path).map_err(failed)?;
    // One byte more than the limit tells a file that is too large; a length in advance would not bound a pipe.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > limit {
        true => Err(FileError::TooLarge { path: path.into(), limit }),
        false => Ok(bytes),
    }
}

pub fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    String::from_utf8(read(path, limit)?).map_err(|_| FileError::NotText { path: path.into() })
}

/// Writes beside `path` and renames, so that the old contents stay until the new are complete. A pipe or a device is
/// written to directly.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = match fs::metadata(path) {
        Ok(there) if there.is_file() => {
            // Through a link, the file it points at is replaced, and keeps its rights.
            fs::canonicalize(path).and_then(|target| replace(&target, bytes, Some(there.permissions())))
        }
        Ok(_) => OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes)),
        Err(_) => replace(path, bytes, None),
    };
    written.map_err(|error| FileError::Write { path: path.into(), error })
}

fn replace(path: &Path, bytes: &[u8], rights: Option<fs::Permissions>) -> std::io::Result<()> {
    let part = part_beside(path)?;
    let written = OpenOptions::new().write(true).create_new(true).open(&part).and_then(|mut file| {
        if let Some(rights) = rights {
            file.set_permissions(rights)?;
        }
        file.write_all(bytes)?;
        fs::rename(&part, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// A name that no other writer uses, in the folder of `path`.
fn part_beside(path: &Path) -> std::io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?.to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(path.with_file_name(format!(".{name}.{}-{count}.part", std::process::id())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_read_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        for contents in ["first", "second, longer", ""] {
            write(&path, contents.as_bytes()).unwrap();
            assert_eq!(read_text(&path, 100).unwrap(), contents);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_a_link_and_a_file_keeps_its_rights() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("b"));
        write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&path, 3).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn limits_and_missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"12345").unwrap();
        assert!(matches!(read(&path, 4), Err(FileError::TooLarge { limit: 4, .. })));
        assert!(matches!(read(&folder.path().join("b"), 4), Err(FileError::Read { .. })));
        assert!(matches!(write(&folder.path().join("no/b"), b""), Err(FileError::Write { .. })));
        write(&path, &[0xff]).unwrap();
        assert!(matches!(read_text(&path, 4), Err(FileError::NotText { .. })));
    }
}
