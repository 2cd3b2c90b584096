//! The texts that are open in the editor: they are meant, not what the disk has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lsp_types::TextDocumentContentChangeEvent;

use crate::position::Lines;

/// No source is larger; what is, is not read.
const MAX_BYTES: u64 = 4 << 20;

#[derive(Default)]
pub struct Documents {
    open: BTreeMap<PathBuf, Document>,
}

pub struct Document {
    pub version: i32,
    pub text: String,
}

impl Documents {
    pub fn open(&mut self, path: PathBuf, version: i32, text: String) {
        self.open.insert(path, Document { version, text });
    }

    pub fn close(&mut self, path: &Path) {
        self.open.remove(path);
    }

    pub fn change(&mut self, path: &Path, version: i32, changes: Vec<TextDocumentContentChangeEvent>) {
        let Some(document) = self.open.get_mut(path) else { return };
        document.version = version;
        for change in changes {
            let Some(range) = change.range else {
                document.text = change.text;
                continue;
            };
            let lines = Lines::of(&document.text);
            let (start, end) = (lines.offset(range.start), lines.offset(range.end));
            if start <= end {
                document.text.replace_range(start..end, &change.text);
            }
        }
    }

    pub fn get(&self, path: &Path) -> Option<&Document> {
        self.open.get(path)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Document)> {
        self.open.iter().map(|(path, document)| (path.as_path(), document))
    }

    /// The text in the editor, or else on the disk.
    pub fn text(&self, path: &Path) -> Option<String> {
        if let Some(document) = self.open.get(path) {
            return Some(document.text.clone());
        }
        let size = std::fs::metadata(path).ok()?.len();
        if size > MAX_BYTES { None } else { std::fs::read_to_string(path).ok() }
    }

    /// The files beside a model, as a compiler asks for them.
    pub fn beside(&self, model: &Path) -> impl FnMut(&str) -> Option<(String, String)> + use<'_> {
        let folder = model.parent().unwrap_or(Path::new("")).to_path_buf();
        move |module| {
            let path = folder.join(format!("{module}.ptx"));
            let text = self.text(&path)?;
            Some((path.display().to_string(), text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsp_types::{Position, Range};

    fn change(range: Option<[u32; 4]>, text: &str) -> TextDocumentContentChangeEvent {
        let range = range.map(|[line, from, end_line, to]| Range {
            start: Position { line, character: from },
            end: Position { line: end_line, character: to },
        });
        TextDocumentContentChangeEvent { range, range_length: None, text: text.into() }
    }

    #[test]
    fn changes_are_applied_one_after_the_other() {
        let mut documents = Documents::default();
        let path = Path::new("/a.ptx");
        documents.open(path.into(), 1, "dim S = 4;\n".into());
        documents.change(
            path,
            2,
            vec![change(Some([0, 8, 0, 9]), "32"), change(Some([0, 11, 1, 0]), "\ndim T = 1;\n")],
        );
        assert_eq!(documents.text(path).as_deref(), Some("dim S = 32;\ndim T = 1;\n"));
        documents.change(path, 3, vec![change(Some([1, 5, 0, 0]), "upside down"), change(None, "x")]);
        assert_eq!(documents.text(path).as_deref(), Some("x"));
        documents.close(path);
        assert!(documents.text(path).is_none());
    }
}
