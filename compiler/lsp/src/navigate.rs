//! From a name to its declaration, and to its other uses.

use std::path::Path;

use lsp_types::{DocumentHighlight, Location, Position};
use ptc_syntax::span::{FileId, Span};
use ptc_typeck::places::Target;

use crate::analysis::Analysis;
use crate::position::Lines;
use crate::uri;

/// Where the name at `position` is declared. Operators of the language are declared nowhere.
pub fn definition(analysis: &Analysis, path: &Path, position: Position) -> Option<Location> {
    match target(analysis, path, position)? {
        Target::Declared(declared) => location(analysis, declared.name.span),
        Target::File(file) => location(analysis, Span::new(*file, 0, 0)),
        Target::Core(..) => None,
    }
}

/// Every use of the name at `position`, with its declaration.
pub fn references(analysis: &Analysis, path: &Path, position: Position) -> Vec<Location> {
    let Some(target) = target(analysis, path, position) else { return vec![] };
    analysis.uses(target).filter_map(|span| location(analysis, span)).collect()
}

/// Uses in the same file.
pub fn highlights(analysis: &Analysis, path: &Path, position: Position) -> Vec<DocumentHighlight> {
    let (Some(target), Some(file)) = (target(analysis, path, position), analysis.file(path)) else { return vec![] };
    let lines = Lines::of(analysis.sources.text(file));
    let here = analysis.uses(target).filter(|span| span.file == file);
    here.map(|span| DocumentHighlight { range: lines.range(span.start as usize, span.end as usize), kind: None })
        .collect()
}

fn target<'a>(analysis: &'a Analysis, path: &Path, position: Position) -> Option<&'a Target> {
    let file: FileId = analysis.file(path)?;
    let at = Lines::of(analysis.sources.text(file)).offset(position);
    analysis.place(file, at).map(|place| &place.target)
}

fn location(analysis: &Analysis, span: Span) -> Option<Location> {
    let lines = Lines::of(analysis.sources.text(span.file));
    let range = lines.range(span.start as usize, span.end as usize);
    Some(Location { uri: uri::of(analysis.path(span.file)?)?, range })
}
