//! What is wrong, as an editor lists it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString,
};
use ptc_syntax::diagnostic::{self, Severity};
use ptc_syntax::source::Sources;
use ptc_syntax::span::{FileId, Span};

use crate::library::Library;
use crate::position::Lines;
use crate::uri;

/// By file. `path` says where a file stands.
pub fn by_file<'a>(
    diagnostics: &[diagnostic::Diagnostic],
    sources: &Sources,
    path: &dyn Fn(FileId) -> Option<&'a Path>,
    library: &Library,
) -> BTreeMap<PathBuf, Vec<Diagnostic>> {
    let mut found: BTreeMap<PathBuf, Vec<Diagnostic>> = BTreeMap::new();
    for diagnostic in diagnostics {
        // What is wrong in the library is shown where it is used.
        let place = shown_at(diagnostic, &|span| path(span.file).is_some_and(|path| !library.holds(path)));
        if let Some(path_of_place) = path(place.file) {
            let shown = shown(diagnostic, place, sources, path, library);
            found.entry(path_of_place.to_path_buf()).or_default().push(shown);
        }
    }
    found
}

fn shown_at(diagnostic: &diagnostic::Diagnostic, own: &dyn Fn(Span) -> bool) -> Span {
    let places = std::iter::once(diagnostic.span).chain(diagnostic.labels.iter().map(|(span, _)| *span));
    places.into_iter().find(|span| own(*span)).unwrap_or(diagnostic.span)
}

fn shown<'a>(
    diagnostic: &diagnostic::Diagnostic,
    place: Span,
    sources: &Sources,
    path: &dyn Fn(FileId) -> Option<&'a Path>,
    library: &Library,
) -> Diagnostic {
    let range = |span: Span| Lines::of(sources.text(span.file)).range(span.start as usize, span.end as usize);
    let related = |(span, text): &(Span, String)| {
        let location = Location { uri: uri::of(path(span.file)?)?, range: range(*span) };
        Some(DiagnosticRelatedInformation { location, message: text.clone() })
    };
    let mut labels = diagnostic.labels.clone();
    if place != diagnostic.span {
        labels.insert(0, (diagnostic.span, "found here".into()));
    }
    let own = labels.iter().filter(|(span, _)| *span == place).map(|(_, text)| text.as_str());
    let mut message = std::iter::once(diagnostic.message.as_str()).chain(own).collect::<Vec<_>>().join("\n");
    if let Some(hint) = fix(diagnostic) {
        message += &format!("\nhint: {hint}");
    }
    message += &format!("\n(`ptc help {}` says more)", diagnostic.code.id);
    let related: Vec<_> = labels.iter().filter(|(span, _)| *span != place).filter_map(related).collect();
    Diagnostic {
        range: range(place),
        severity: Some(match diagnostic.severity() {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(diagnostic.code.id.into())),
        code_description: library
            .help(diagnostic.code)
            .and_then(|page| uri::of(&page))
            .map(|href| CodeDescription { href }),
        source: Some("ptc".into()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        ..Diagnostic::default()
    }
}

/// As on the command line: the hint, or what the suggestion says.
pub fn fix(diagnostic: &diagnostic::Diagnostic) -> Option<String> {
    match (&diagnostic.hint, &diagnostic.suggestion) {
        (Some(hint), _) => Some(hint.clone()),
        (None, Some((span, text))) if span.start == span.end => Some(format!("add `{text}`")),
        (None, Some((_, text))) => Some(format!("write `{text}`")),
        (None, None) => None,
    }
}
