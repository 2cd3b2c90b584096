//! The library's files, and what each diagnostic's code means, written where an editor can open them. They cannot be edited.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ptc_syntax::codes::Code;
use ptc_typeck::stdlib;

pub struct Library {
    /// None when nothing can be written.
    folder: Option<PathBuf>,
}

impl Library {
    /// Below `cache`, in a folder of this version.
    pub fn open(cache: Option<&Path>) -> Library {
        let folder = cache.map(|cache| cache.join("editor").join(env!("CARGO_PKG_VERSION")));
        let made = folder.filter(|folder| {
            fs::create_dir_all(folder.join("stdlib")).is_ok() && fs::create_dir_all(folder.join("help")).is_ok()
        });
        let library = Library { folder: made };
        for name in stdlib::names() {
            library.write(&format!("stdlib/{name}.ptx"), stdlib::text(name).unwrap_or_default());
        }
        library
    }

    /// Where the file with this name stands, `stdlib/nn.ptx` for example.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    /// Whether the file is the library's.
    pub fn holds(&self, path: &Path) -> bool {
        self.folder.as_ref().is_some_and(|folder| path.starts_with(folder))
    }

    /// A page that says what `ptc help` says.
    pub fn help(&self, code: Code) -> Option<PathBuf> {
        let text = format!("# {}: {}\n\n{}\n", code.id, code.title, code.explanation);
        self.write(&format!("help/{}.md", code.id), &text)
    }

    fn write(&self, name: &str, text: &str) -> Option<PathBuf> {
        let path = self.path(name)?;
        if fs::read_to_string(&path).is_ok_and(|before| before == text) {
            return Some(path);
        }
        // Another server may be writing the same: whoever comes last has written the whole.
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        fs::write(&draft, text).ok()?;
        fs::set_permissions(&draft, Permissions::from_mode(0o444)).ok()?;
        fs::rename(&draft, &path).ok()?;
        Some(path)
    }
}
