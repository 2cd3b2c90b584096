//! This user's key, and the keys that the user trusts: two files in the user's configuration folder.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ptc_net::key::{Identity, PublicKey};

use crate::failure::Failure;
use crate::files;

const IDENTITY: &str = "identity.key";
const TRUSTED: &str = "trusted";

const MAX_TRUSTED: u64 = 1 << 20;
const MAX_NAME: usize = 64;

/// Of an identity, where no other file is given.
pub fn place() -> Result<PathBuf, Failure> {
    Ok(folder()?.join(IDENTITY))
}

fn folder() -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let missing = || {
        Failure::new(
            "there is no place for keys: neither XDG_CONFIG_HOME nor HOME is an absolute path",
            "set XDG_CONFIG_HOME, or add `--identity FILE` and give keys instead of names",
        )
    };
    Ok(base.ok_or_else(missing)?.join("ptc"))
}

pub fn read(path: &Path) -> Result<Identity, Failure> {
    if !path.exists() {
        return Err(Failure::new(
            format!("there is no key of this side in `{}`", path.display()),
            "`ptc keys new` makes one; give the other side what `ptc keys show` prints",
        ));
    }
    // Who else can read it can pose as this user.
    check(path, 0o077, "can be read by others", "600")?;
    let failed = |error| files::FileError::Read { path: path.into(), error };
    Identity::read(fs::File::open(path).map_err(failed)?)
        .map_err(|_| Failure::new(format!("`{}` is no key file of `ptc`", path.display()), "`ptc keys new` makes one"))
}

/// A new one, for its owner alone; one that is there stays.
pub fn make(path: &Path) -> Result<Identity, Failure> {
    let failed = |error| files::FileError::Write { path: path.into(), error };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let identity = Identity::fresh()?;
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::new(
                format!("there is a key already in `{}`", path.display()),
                "`ptc keys show` prints it; who trusts it would not know a new one",
            ));
        }
        other => other.map_err(failed)?,
    };
    let written = file.write_all(identity.danger_to_line().as_bytes()).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // A part of a key is no key.
        let _ = fs::remove_file(path);
        return Err(failed(error).into());
    }
    Ok(identity)
}

/// Names and keys, in the order of their names.
pub fn trusted() -> Result<Vec<(String, PublicKey)>, Failure> {
    let path = folder()?.join(TRUSTED);
    if !path.exists() {
        return Ok(vec![]);
    }
    // Who else can write it decides who is trusted.
    check(&path, 0o022, "can be written by others", "600")?;
    let text = files::read_text(&path, MAX_TRUSTED)?;
    let mut keys = vec![];
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = || {
            Failure::new(
                format!("{}:{} is not a name and a key: `{}`", path.display(), at + 1, line.escape_debug()),
                "mend or remove the line; `ptc keys trust NAME KEY` writes one",
            )
        };
        let (name, key) = line.trim().split_once(' ').ok_or_else(wrong)?;
        check_name(name).map_err(|_| wrong())?;
        keys.push((name.to_string(), key.trim().parse().map_err(|_| wrong())?));
    }
    keys.sort();
    Ok(keys)
}

pub fn write_trusted(keys: &[(String, PublicKey)]) -> Result<(), Failure> {
    let path = folder()?.join(TRUSTED);
    let failed = |error| files::FileError::Write { path: path.clone(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(folder()?).map_err(failed)?;
    if !path.exists() {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map_err(failed)?;
    }
    let lines: String = keys.iter().map(|(name, key)| format!("{name} {key}\n")).collect();
    Ok(files::write(&path, lines.as_bytes())?)
}

/// What a key may be called: short, printable, and never taken for a key or an option.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fine = (1..=MAX_NAME).contains(&name.len()) && name.chars().all(plain) && !name.starts_with(['-', '.']);
    if fine {
        return Ok(());
    }
    Err(Failure::new(
        format!("`{}` is no name for a key", name.escape_debug()),
        format!("a name has up to {MAX_NAME} letters, digits, `-`, `_` and `.`, and begins with a letter or a digit"),
    ))
}

/// It belongs to this user, and `others` may not what it must not.
fn check(path: &Path, others: u32, problem: &str, mode: &str) -> Result<(), Failure> {
    let failed = |error| files::FileError::Read { path: path.into(), error };
    let there = fs::metadata(path).map_err(failed)?;
    let own = fs::metadata("/proc/self").map_err(failed)?.uid();
    if there.uid() != own {
        return Err(Failure::new(
            format!("`{}` belongs to another user", path.display()),
            "run as its owner, or `ptc keys new --identity FILE` makes a key of your own",
        ));
    }
    if there.mode() & others != 0 {
        return Err(Failure::new(
            format!("`{}` {problem}", path.display()),
            format!("`chmod {mode} {}`; if others may have seen a key, make a new one", path.display()),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn message(failure: Failure) -> String {
        match failure {
            Failure::Message { message, .. } => message,
            _ => String::new(),
        }
    }

    #[test]
    fn a_key_is_its_owner_s_alone_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/key");
        let Ok(made) = make(&path) else { panic!("a key is made") };
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(read(&path).is_ok_and(|read| read.public() == made.public()));
        assert!(make(&path).is_err_and(|failure| message(failure).starts_with("there is a key already")));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).is_err_and(|failure| message(failure).ends_with("can be read by others")));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "something else").unwrap();
        assert!(read(&path).is_err_and(|failure| message(failure).contains("is no key file")));
        assert!(
            read(&folder.path().join("none")).is_err_and(|failure| message(failure).starts_with("there is no key"))
        );
    }

    #[test]
    fn names_are_plain() {
        for name in ["anna", "server-1", "a.b_c"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-a", ".a", "a b", "ä", "a:b", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
