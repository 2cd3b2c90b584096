//! Hints that can be applied.

use std::collections::HashMap;
use std::path::Path;

use lsp_types::{CodeAction, CodeActionKind, CodeActionOrCommand, Range, TextEdit, Uri, WorkspaceEdit};
use ptc_syntax::span::FileId;

use crate::analysis::Analysis;
use crate::position::Lines;
use crate::problems::fix;

/// For what is wrong in `range` of a file.
// A map by address is what the protocol's type asks for.
#[allow(clippy::mutable_key_type)]
pub fn actions(analysis: &Analysis, path: &Path, uri: &Uri, range: Range) -> Vec<CodeActionOrCommand> {
    let Some(file) = analysis.file(path) else { return vec![] };
    let lines = Lines::of(analysis.sources.text(file));
    let touches = |start: u32, end: u32, of: FileId| {
        let own = lines.range(start as usize, end as usize);
        of == file && own.start <= range.end && range.start <= own.end
    };
    let mut found = vec![];
    for diagnostic in &analysis.diagnostics {
        let Some((span, text)) = &diagnostic.suggestion else { continue };
        if span.file != file || !touches(diagnostic.span.start, diagnostic.span.end, diagnostic.span.file) {
            continue;
        }
        let edit = TextEdit { range: lines.range(span.start as usize, span.end as usize), new_text: text.clone() };
        found.push(CodeActionOrCommand::CodeAction(CodeAction {
            title: fix(diagnostic).unwrap_or_else(|| format!("write `{text}`")),
            kind: Some(CodeActionKind::QUICKFIX),
            edit: Some(WorkspaceEdit {
                changes: Some(HashMap::from([(uri.clone(), vec![edit])])),
                ..WorkspaceEdit::default()
            }),
            is_preferred: Some(true),
            ..CodeAction::default()
        }));
    }
    found
}
