//! The diagnostics of one run: each once, with the uses that led to it.

use std::collections::HashSet;

use ptc_syntax::diagnostic::Diagnostic;
use ptc_syntax::span::Span;

/// Uses named by one diagnostic, innermost first.
const LONGEST_TRACE: usize = 4;

/// More errors than anybody reads.
const MAX_DIAGNOSTICS: usize = 64;

#[derive(Default)]
pub(crate) struct Report {
    diagnostics: Vec<Diagnostic>,
    seen: HashSet<(&'static str, Span)>,
    /// The calls being checked, outermost first.
    uses: Vec<(Span, String)>,
}

impl Report {
    /// With what was found before.
    pub fn starting_with(diagnostics: &[Diagnostic]) -> Report {
        let mut report = Report::default();
        diagnostics.iter().for_each(|diagnostic| report.add(diagnostic.clone()));
        report
    }

    /// A second error of the same kind at the same place comes from another instantiation, and is dropped.
    pub fn add(&mut self, mut diagnostic: Diagnostic) {
        if self.diagnostics.len() >= MAX_DIAGNOSTICS || !self.seen.insert((diagnostic.code.id, diagnostic.span)) {
            return;
        }
        for (span, text) in self.uses.iter().rev().take(LONGEST_TRACE) {
            if diagnostic.labels.iter().all(|(labelled, _)| labelled != span) && *span != diagnostic.span {
                diagnostic.labels.push((*span, text.clone()));
            }
        }
        self.diagnostics.push(diagnostic);
    }

    pub fn enter(&mut self, span: Span, what: String) {
        self.uses.push((span, what));
    }

    pub fn leave(&mut self) {
        self.uses.pop();
    }

    /// Errors, in the order in which they were found.
    pub fn finish(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}
