//! A diagnostic as data, for programs: editors, and `--message-format json`.
//!
//! Everything that the rendered form says is here, with places resolved against the sources.

use serde::Serialize;

use super::{Diagnostic, Severity};
use crate::source::Sources;
use crate::span::Span;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Described {
    pub severity: Severity,
    pub code: &'static str,
    pub message: String,
    pub place: Place,
    /// What is said at the main place and at others.
    pub labels: Vec<Label>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
}

/// Lines and columns count characters from 1, `start` and `end` bytes of the file from 0. What is between the two is meant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    pub file: String,
    pub start: u32,
    pub end: u32,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Label {
    pub place: Place,
    pub text: String,
}

/// A replacement that a tool may apply; an empty place inserts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suggestion {
    pub place: Place,
    pub replacement: String,
}

pub fn describe(diagnostic: &Diagnostic, sources: &Sources) -> Described {
    let label = |(span, text): &(Span, String)| Label { place: place(*span, sources), text: text.clone() };
    let suggestion =
        |(span, text): &(Span, String)| Suggestion { place: place(*span, sources), replacement: text.clone() };
    Described {
        severity: diagnostic.severity(),
        code: diagnostic.code.id,
        message: diagnostic.message.clone(),
        place: place(diagnostic.span, sources),
        labels: diagnostic.labels.iter().map(label).collect(),
        hint: diagnostic.hint.clone(),
        suggestion: diagnostic.suggestion.as_ref().map(suggestion),
    }
}

pub fn place(span: Span, sources: &Sources) -> Place {
    let (line, column) = sources.line_and_column(span);
    let (end_line, end_column) = sources.line_and_column(Span { start: span.end, ..span });
    let file = sources.name(span.file).to_string();
    Place { file, start: span.start, end: span.end, line, column, end_line, end_column }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;
    use crate::span::FileId;

    #[test]
    fn places_are_resolved_and_nothing_is_lost() {
        let mut sources = Sources::default();
        let file = sources.add("a.ptx", "// ä\ndim S = gleu;\n");
        let (name, size) = (Span::new(file, 14, 18), Span::new(file, 10, 11));
        let diagnostic = Diagnostic::new(codes::E0201, name, "no `gleu`").label(size, "for this").suggest(name, "gelu");
        let described = describe(&diagnostic, &sources);
        let Place { line, column, end_line, end_column, .. } = described.place;
        assert_eq!((line, column, end_line, end_column), (2, 9, 2, 13));
        let json = serde_json::to_value(&described).unwrap();
        assert_eq!(json["severity"], "error");
        assert_eq!(json["code"], "E0201");
        assert_eq!(json["labels"][0]["text"], "for this");
        assert_eq!(json["suggestion"]["replacement"], "gelu");
        assert_eq!(json["suggestion"]["place"]["start"], 14);
        assert_eq!(json.get("hint"), None);
    }

    #[test]
    fn a_column_counts_characters() {
        let mut sources = Sources::default();
        let file = sources.add("a.ptx", "ää b");
        assert_eq!(place(Span::new(file, 5, 6), &sources).column, 4);
    }

    #[test]
    fn a_file_that_is_not_there_has_a_place_all_the_same() {
        let found = place(Span::new(FileId(3), 7, 9), &Sources::default());
        assert_eq!((found.file.as_str(), found.line, found.column), ("", 1, 1));
    }
}
