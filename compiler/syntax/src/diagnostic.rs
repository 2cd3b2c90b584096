//! What is wrong with a source text, where, and what would mend it; rendered for people.
//!
//! Messages are lower case, values stand in backticks, the fix stands on its own `hint:` line.

use crate::codes::Code;
use crate::source::Sources;
use crate::span::{FileId, Span};
use codespan_reporting::diagnostic as codespan;
use codespan_reporting::term::{self, DisplayStyle, Styles, StylesWriter, termcolor};
use serde::Serialize;
use std::io::IsTerminal;

pub mod described;

/// Bytes of a source line that is shown under a message.
const MAX_LINE: usize = 1000;

#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub code: Code,
    pub span: Span,
    pub message: String,
    /// Places that explain. A label whose span is `span` is the text under the main place itself.
    pub labels: Vec<(Span, String)>,
    pub hint: Option<String>,
    /// A replacement that a tool may apply; an empty span inserts.
    pub suggestion: Option<(Span, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

impl Diagnostic {
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code, span, message: message.into(), labels: Vec::new(), hint: None, suggestion: None }
    }

    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push((span, text.into()));
        self
    }

    pub fn hint(mut self, text: impl Into<String>) -> Diagnostic {
        self.hint = Some(text.into());
        self
    }

    pub fn suggest(mut self, span: Span, replacement: impl Into<String>) -> Diagnostic {
        self.suggestion = Some((span, replacement.into()));
        self
    }

    /// A code that starts with `W` is a warning.
    pub fn severity(&self) -> Severity {
        if self.code.id.starts_with('W') { Severity::Warning } else { Severity::Error }
    }

    /// Without the source where its lines are too long to be read.
    fn config(&self, sources: &Sources) -> term::Config {
        let mut spans = self.labels.iter().map(|(span, _)| *span).chain([self.span]);
        let readable = spans.all(|span| sources.line_length(span) <= MAX_LINE);
        let display_style = if readable { DisplayStyle::Rich } else { DisplayStyle::Medium };
        term::Config { display_style, ..term::Config::default() }
    }

    fn to_codespan(&self) -> codespan::Diagnostic<FileId> {
        let range = |span: Span| span.start as usize..span.end as usize;
        let (own, others): (Vec<_>, Vec<_>) = self.labels.iter().partition(|(span, _)| *span == self.span);
        let own: Vec<&str> = own.iter().map(|(_, text)| text.as_str()).collect();
        let mut labels = vec![codespan::Label::primary(self.span.file, range(self.span)).with_message(own.join("; "))];
        labels.extend(
            others.iter().map(|(span, text)| codespan::Label::secondary(span.file, range(*span)).with_message(text)),
        );
        let fix = match (&self.hint, &self.suggestion) {
            (Some(hint), _) => Some(format!("hint: {hint}")),
            (None, Some((span, text))) if span.start == span.end => Some(format!("hint: add `{text}`")),
            (None, Some((_, text))) => Some(format!("hint: write `{text}`")),
            (None, None) => None,
        };
        let severity = match self.severity() {
            Severity::Error => codespan::Severity::Error,
            Severity::Warning => codespan::Severity::Warning,
        };
        codespan::Diagnostic::new(severity)
            .with_code(self.code.id)
            .with_message(&self.message)
            .with_labels(labels)
            .with_notes_iter(fix)
    }
}

/// Whether any of them is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
}

/// Plain text, one diagnostic after the other.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    diagnostics
        .iter()
        .map(|diagnostic| {
            term::emit_into_string(&diagnostic.config(sources), sources, &diagnostic.to_codespan())
                .unwrap_or_else(|_| format!("error[{}]: {}\n", diagnostic.code.id, diagnostic.message))
        })
        .collect()
}

/// To the error stream, in colours when it is a terminal and `NO_COLOR` is not set.
pub fn print(diagnostics: &[Diagnostic], sources: &Sources) {
    if !std::io::stderr().is_terminal() {
        eprint!("{}", render(diagnostics, sources));
        return;
    }
    let stream = termcolor::StandardStream::stderr(termcolor::ColorChoice::Auto);
    let styles = Styles::default();
    let mut writer = StylesWriter::new(stream.lock(), &styles);
    for diagnostic in diagnostics {
        if term::emit_to_write_style(&mut writer, &diagnostic.config(sources), sources, &diagnostic.to_codespan())
            .is_err()
        {
            eprintln!("error[{}]: {}", diagnostic.code.id, diagnostic.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    fn check(diagnostic: Diagnostic, expected: &[&str]) {
        let mut sources = Sources::default();
        sources.add("a.ptx", "dim S = gleu;\n");
        let text = render(&[diagnostic], &sources);
        for line in expected {
            assert!(text.contains(line), "`{line}` in\n{text}");
        }
    }

    #[test]
    fn everything_that_was_said_is_shown() {
        let (name, size) = (Span::new(FileId(0), 8, 12), Span::new(FileId(0), 4, 5));
        let diagnostic = Diagnostic::new(codes::E0103, name, "no `gleu`");
        let labelled = diagnostic.clone().label(name, "not known").label(size, "for this");
        check(labelled, &["error[E0103]: no `gleu`", "a.ptx:1:9", "^^^^ not known", "for this"]);
        check(diagnostic.clone().hint("look again").suggest(name, "gelu"), &["= hint: look again"]);
        check(diagnostic.clone().suggest(name, "gelu"), &["= hint: write `gelu`"]);
        check(diagnostic.suggest(Span { end: 8, ..name }, "-"), &["= hint: add `-`"]);
    }

    #[test]
    fn endless_lines_are_not_shown() {
        let mut sources = Sources::default();
        let file = sources.add("a.ptx", "x".repeat(MAX_LINE + 1));
        let text = render(&[Diagnostic::new(codes::E0103, Span::new(file, 9, 10), "no").hint("yes")], &sources);
        assert_eq!(text, "a.ptx:1:10: error[E0103]: no\n = hint: yes\n");
    }

    #[test]
    fn the_code_decides_the_severity() {
        let code = Code { id: "W0900", title: "", explanation: "" };
        let warning = Diagnostic::new(code, Span::default(), "odd");
        assert!(!has_errors(std::slice::from_ref(&warning)));
        check(warning, &["warning[W0900]: odd"]);
    }

    #[test]
    fn a_file_that_is_not_there_still_gives_the_message() {
        let span = Span::new(FileId(7), 0, 1);
        check(Diagnostic::new(codes::E0103, span, "lost"), &["error[E0103]: lost"]);
    }
}
