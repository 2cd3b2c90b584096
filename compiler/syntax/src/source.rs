//! The source texts of one compilation: names, contents, line numbers.

use crate::span::{FileId, Span};
use codespan_reporting::files::{Error, Files, line_starts};
use std::ops::Range;

#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

impl Sources {
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let (name, text) = (name.into(), text.into());
        let line_starts = line_starts(&text).collect();
        self.files.push(Source { name, text, line_starts });
        FileId(self.files.len() as u32 - 1)
    }

    /// The name under which the file was added; empty for a file that was not.
    pub fn name(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.name)
    }

    /// The text; empty for a file that was not added.
    pub fn text(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.text)
    }

    /// What the span covers; empty when it is not inside its file.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Line and column of the first character, both from 1.
    pub fn line_and_column(&self, span: Span) -> (usize, usize) {
        self.location(span.file, span.start as usize).map_or((1, 1), |at| (at.line_number, at.column_number))
    }

    /// Bytes of the line on which the span starts.
    pub fn line_length(&self, span: Span) -> usize {
        let line = self.line_index(span.file, span.start as usize).and_then(|line| self.line_range(span.file, line));
        line.map_or(0, |line| line.len())
    }

    fn get(&self, file: FileId) -> Result<&Source, Error> {
        self.files.get(file.0 as usize).ok_or(Error::FileMissing)
    }
}

impl<'a> Files<'a> for Sources {
    type FileId = FileId;
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, file: FileId) -> Result<&'a str, Error> {
        Ok(&self.get(file)?.name)
    }

    fn source(&'a self, file: FileId) -> Result<&'a str, Error> {
        Ok(&self.get(file)?.text)
    }

    fn line_index(&'a self, file: FileId, byte_index: usize) -> Result<usize, Error> {
        let starts = &self.get(file)?.line_starts;
        Ok(starts.partition_point(|start| *start <= byte_index).saturating_sub(1))
    }

    fn line_range(&'a self, file: FileId, line_index: usize) -> Result<Range<usize>, Error> {
        let source = self.get(file)?;
        let max = source.line_starts.len() - 1;
        let start = *source.line_starts.get(line_index).ok_or(Error::LineTooLarge { given: line_index, max })?;
        let end = source.line_starts.get(line_index + 1).copied().unwrap_or(source.text.len());
        Ok(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("a.ptx", "ab\ncde\n");
        assert_eq!(sources.line_and_column(Span::new(file, 0, 1)), (1, 1));
        assert_eq!(sources.line_and_column(Span::new(file, 4, 5)), (2, 2));
        assert_eq!(sources.line_and_column(Span::new(file, 7, 7)), (3, 1));
        assert_eq!(sources.slice(Span::new(file, 3, 6)), "cde");
    }

    #[test]
    fn an_unknown_file_is_empty() {
        assert_eq!(Sources::default().text(FileId(3)), "");
        assert_eq!(Sources::default().line_and_column(Span::new(FileId(3), 9, 9)), (1, 1));
    }
}
