//! What is wrong with a source text, where, and what would mend it; rendered for people.
//!
//! Messages are lower case, values stand in backticks, the fix stands on its own `hint:` line.

use crate::codes::Code;
use crate::source::Sources;
use crate::span::{FileId, Span};
use codespan_reporting::diagnostic as codespan;
use codespan_reporting::term::{self, Styles, StylesWriter, termcolor};
use std::io::IsTerminal;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    let config = term::Config::default();
    diagnostics
        .iter()
        .map(|diagnostic| {
            term::emit_into_string(&config, sources, &diagnostic.to_codespan())
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
    let config = term::Config::default();
    for diagnostic in diagnostics {
        if term::emit_to_write_style(&mut writer, &config, sources, &diagnostic.to_codespan()).is_err() {
            eprintln!("error[{}]: {}", diagnostic.code.id, diagnostic.message);
        }
    }
}
