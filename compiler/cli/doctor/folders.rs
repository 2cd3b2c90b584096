//! Where this user's kernels, public parameters and keys are.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::commands::doctor::Check;
use crate::{cache, files};

pub fn checks(chosen: Option<&Path>) -> Vec<Check> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let mut checks = vec![of_cache(chosen)];
    match base.map(|base| base.join("ptc")) {
        Some(folder) => checks.extend([of_config(&folder), of_keys(&folder)]),
        None => checks.push(Check::warn(
            "config folder",
            "neither XDG_CONFIG_HOME nor HOME is an absolute path",
            "export HOME=/home/NAME, or name keys on the command line",
        )),
    }
    checks
}

fn of_cache(chosen: Option<&Path>) -> Check {
    let place = match chosen.map(|chosen| Ok(chosen.to_path_buf())).unwrap_or_else(cache::place) {
        Ok(place) => place,
        Err(error) => {
            return Check::fail("cache folder", error.to_string().replace('\n', "; "), "export HOME=/home/NAME");
        }
    };
    let written = cache::open(Some(&place)).map_err(|error| error.to_string()).and_then(|_| {
        let probe = place.join(format!(".doctor-{}", std::process::id()));
        let written = files::write(&probe, b"ptc").map_err(|error| error.to_string());
        let _ = std::fs::remove_file(&probe);
        written
    });
    match written {
        Ok(()) => Check::ok("cache folder", place.display().to_string()),
        Err(problem) => {
            let (problem, hint) = problem.split_once("\nhint: ").unwrap_or((&problem, "choose another with `--cache`"));
            Check::fail("cache folder", problem.to_string(), format!("{hint}; or chmod 700 {}", place.display()))
        }
    }
}

/// Keys lie there: nobody else may read them.
fn of_config(folder: &Path) -> Check {
    const NAME: &str = "config folder";
    let Ok(there) = std::fs::symlink_metadata(folder) else {
        return Check::ok(NAME, format!("{} is made when the first key is", folder.display()));
    };
    let own = std::fs::metadata("/proc/self").map(|own| own.uid());
    let mode = there.permissions().mode() & 0o777;
    match own {
        _ if !there.is_dir() => {
            Check::fail(NAME, format!("{} is no folder", folder.display()), format!("rm {}", folder.display()))
        }
        Ok(own) if own != there.uid() => Check::fail(
            NAME,
            format!("{} belongs to another user", folder.display()),
            format!("sudo chown -R $(id -u) {}", folder.display()),
        ),
        _ if mode & 0o077 != 0 => Check::fail(
            NAME,
            format!("{} is open to other users ({mode:o})", folder.display()),
            format!("chmod 700 {}", folder.display()),
        ),
        _ => Check::ok(NAME, folder.display().to_string()),
    }
}

/// Files that end in `.key`, each this user's alone.
fn of_keys(folder: &Path) -> Check {
    const NAME: &str = "keys";
    let mut keys: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    keys.retain(|path| path.extension().is_some_and(|extension| extension == "key"));
    keys.sort();
    let known = keys.iter().any(|path| path.ends_with("identity.key"));
    let open =
        keys.iter().find(|path| std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0));
    match (open, known) {
        (Some(open), _) => Check::fail(
            NAME,
            format!("{} can be read by other users", open.display()),
            format!("chmod 600 {}, and make another if somebody may have read it", open.display()),
        ),
        (None, false) => Check::warn(
            NAME,
            "none by which others know this machine: it talks to itself only",
            "ptc keys new, before a session with another machine",
        ),
        (None, true) => {
            let names = keys.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().to_string());
            Check::ok(NAME, names.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::commands::doctor::Verdict;

    fn rights(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_of_keys_is_this_user_s_alone() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("ptc");
        assert_eq!(of_config(&folder).verdict, Verdict::Ok);
        fs::create_dir(&folder).unwrap();
        rights(&folder, 0o755);
        let found = of_config(&folder);
        assert_eq!((found.verdict, found.fix.unwrap()), (Verdict::Fail, format!("chmod 700 {}", folder.display())));
        rights(&folder, 0o700);
        assert_eq!(of_config(&folder).verdict, Verdict::Ok);
        assert_eq!(of_keys(&folder).verdict, Verdict::Warn);
        let key = folder.join("pool.key");
        fs::write(&key, b"secret").unwrap();
        rights(&key, 0o644);
        assert_eq!(of_keys(&folder).verdict, Verdict::Fail);
        rights(&key, 0o600);
        assert_eq!(of_keys(&folder).verdict, Verdict::Warn);
        fs::rename(&key, folder.join("identity.key")).unwrap();
        assert_eq!(of_keys(&folder), Check::ok("keys", "identity.key"));
    }

    #[test]
    fn a_cache_that_cannot_be_made_says_where() {
        let base = tempfile::tempdir().unwrap();
        assert_eq!(of_cache(Some(&base.path().join("cache"))).verdict, Verdict::Ok);
        let file = base.path().join("file");
        fs::write(&file, b"").unwrap();
        let found = of_cache(Some(&file));
        assert!(found.verdict == Verdict::Fail && found.found.contains("file"), "{found:?}");
    }
}
