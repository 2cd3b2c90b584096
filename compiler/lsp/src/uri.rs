//! Files as editors name them.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lsp_types::Uri;

/// The path of a `file:` address.
pub fn path(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    // What stands before the path is a host; only this one's files can be read.
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    let path = rest.split(['?', '#']).next().unwrap_or("");
    path.starts_with('/').then(|| PathBuf::from(std::ffi::OsString::from_vec(decoded(path.as_bytes()))))
}

pub fn of(path: &Path) -> Option<Uri> {
    let mut text = "file://".to_string();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => text.push(byte.into()),
            other => text += &format!("%{other:02X}"),
        }
    }
    Uri::from_str(&text).ok()
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = vec![];
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_the_way_there_and_back() {
        for name in ["/a/b.ptx", "/with space/ü%.ptx", "/x#y?z.ptx"] {
            let uri = of(Path::new(name)).expect("an absolute path has an address");
            assert_eq!(path(&uri), Some(PathBuf::from(name)), "{}", uri.as_str());
        }
    }

    #[test]
    fn other_addresses_are_no_files() {
        let path = |text: &str| path(&Uri::from_str(text).expect("an address"));
        assert_eq!(path("untitled:Untitled-1"), None);
        assert_eq!(path("https://example.org/a.ptx"), None);
        assert_eq!(path("file:///c%3A/a.ptx"), Some("/c:/a.ptx".into()));
    }
}
