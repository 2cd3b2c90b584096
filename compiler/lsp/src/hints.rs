//! What stands in the text without being written: types of `let`, and what an entry's plan costs above it.

use std::path::Path;

use lsp_types::{CodeLens, Command, InlayHint, InlayHintKind, InlayHintLabel, Range};
use ptc_report::units::{number, size};
use ptc_typeck::places::{Kind, Target};

use crate::analysis::Analysis;
use crate::position::Lines;
use crate::prices::Prices;

/// Types of the names that `let` declares in `range`, where all uses have the same.
pub fn types(analysis: &Analysis, path: &Path, range: Range) -> Vec<InlayHint> {
    let Some(file) = analysis.file(path) else { return vec![] };
    let text = analysis.sources.text(file);
    let lines = Lines::of(text);
    let mut hints = vec![];
    for place in analysis.places.iter().filter(|place| place.span.file == file) {
        let Target::Declared(declared) = &place.target else { continue };
        let [only] = analysis.seen.of(place.span) else { continue };
        let position = lines.position(place.span.end as usize);
        let is_typed = text.get(place.span.end as usize..).is_some_and(|rest| rest.trim_start().starts_with(':'));
        let is_let = declared.kind == Kind::Local && declared.name.span == place.span && !is_typed;
        if is_let && range.start <= position && position <= range.end {
            hints.push(InlayHint {
                position,
                label: InlayHintLabel::String(format!(": {only}")),
                kind: Some(InlayHintKind::TYPE),
                text_edits: None,
                tooltip: None,
                padding_left: None,
                padding_right: None,
                data: None,
            });
        }
    }
    hints
}

/// A line above each entry whose price is known.
pub fn prices(analysis: &Analysis, prices: Option<&Prices>) -> Vec<CodeLens> {
    let (Some(model), Some(prices)) = (analysis.model(), prices) else { return vec![] };
    let lines = Lines::of(analysis.sources.text(model.span.file));
    let lens = |entry: &ptc_syntax::tree::Function| {
        let priced = prices.entries.iter().find(|priced| priced.entry == entry.name.text)?;
        let online = priced.report.online;
        let title = format!(
            "{} rounds, {} online; on `{}` {:.2} s, of it {:.2} s online",
            number(online.rounds),
            size(online.server_bytes + online.client_bytes),
            priced.profile,
            priced.seconds,
            priced.online_seconds
        );
        let range = lines.range(entry.name.span.start as usize, entry.name.span.end as usize);
        // A lens without a command is not shown; the empty one does nothing.
        let command = Command { title, command: String::new(), arguments: None };
        Some(CodeLens { range, command: Some(command), data: None })
    };
    model.entries.iter().filter_map(lens).collect()
}
