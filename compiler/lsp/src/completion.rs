//! Names that fit where somebody types.

use std::path::Path;

use lsp_types::{CompletionItem, CompletionItemKind, Documentation, MarkupContent, MarkupKind, Position};
use ptc_syntax::span::FileId;
use ptc_syntax::tree::{Field, FieldType, Function, Item};
use ptc_typeck::places::{self, Declaration, Kind, Target};
use ptc_typeck::stdlib;

use crate::analysis::Analysis;
use crate::position::Lines;

/// `text` is what the editor has; the analysis may be older by a letter.
pub fn completion(analysis: &Analysis, path: &Path, text: &str, position: Position) -> Vec<CompletionItem> {
    let Some(file) = analysis.file(path) else { return vec![] };
    let lines = Lines::of(text);
    let at = lines.offset(position);
    let line = lines.line(position.line as usize);
    let column = at - lines.offset(Position { character: 0, ..position });
    let before = line.get(..column).unwrap_or("");
    let typed = before.len() - before.trim_end_matches(is_of_name).len();
    let before = before.get(..before.len() - typed).unwrap_or("");
    match before.trim_end() {
        before if before.ends_with('@') => {
            ["public", "client", "server", "secret"].map(|party| item(party, CompletionItemKind::KEYWORD)).into()
        }
        "use" => stdlib::names().map(|name| item(name, CompletionItemKind::FILE)).collect(),
        before if before.starts_with("use ") => imported(analysis, before),
        before if before.ends_with('.') && !before.ends_with("..") => {
            let name = before.trim_end_matches('.');
            members(analysis, file, &name[name.trim_end_matches(is_of_name).len()..])
        }
        _ => names(analysis, file, at as u32),
    }
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn item(name: &str, kind: CompletionItemKind) -> CompletionItem {
    CompletionItem { label: name.to_string(), kind: Some(kind), ..CompletionItem::default() }
}

/// What a file of the library declares.
fn imported(analysis: &Analysis, before: &str) -> Vec<CompletionItem> {
    let module = before.trim_start_matches("use ").split("::").next().unwrap_or("").trim();
    let text = stdlib::text(module).map(String::from).or_else(|| {
        let path = analysis.path(FileId(0))?.with_file_name(format!("{module}.ptx"));
        let file = analysis.file(&path)?;
        Some(analysis.sources.text(file).to_string())
    });
    let (tree, _) = ptc_syntax::parse::parse(FileId(0), &text.unwrap_or_default());
    let declared = tree.items.iter().filter_map(|tree| match tree {
        Item::Module(module) => Some(documented(item(&module.name.text, CompletionItemKind::CLASS), &module.docs)),
        Item::Function(function) => {
            Some(documented(item(&function.name.text, CompletionItemKind::FUNCTION), &function.docs))
        }
        Item::Size(size) => Some(documented(item(&size.name.text, CompletionItemKind::CONSTANT), &size.docs)),
        _ => None,
    });
    let mut declared: Vec<CompletionItem> = declared.collect();
    declared.dedup_by(|one, other| one.label == other.label);
    declared
}

fn documented(item: CompletionItem, docs: &[String]) -> CompletionItem {
    let content = MarkupContent { kind: MarkupKind::Markdown, value: docs.join("\n") };
    CompletionItem { documentation: (!docs.is_empty()).then_some(Documentation::MarkupContent(content)), ..item }
}

/// Fields and functions of the module that a field or a loop's variable stands for; the transpose of anything else.
fn members(analysis: &Analysis, file: FileId, of: &str) -> Vec<CompletionItem> {
    let fields = analysis.tree(file).into_iter().flat_map(|tree| &tree.items).flat_map(|item| match item {
        Item::Module(module) => module.fields.as_slice(),
        Item::Model(model) => model.fields.as_slice(),
        _ => &[],
    });
    let module = fields.filter(|field| field.name.text == of).find_map(|field| module_name(&field.ty));
    let Some(module) = module else { return vec![item("T", CompletionItemKind::PROPERTY)] };
    let all = places::files(&analysis.program).filter_map(|(file, _)| analysis.tree(file));
    let found = all.flat_map(|tree| &tree.items).find_map(|item| match item {
        Item::Module(declared) if declared.name.text == module => Some(declared),
        _ => None,
    });
    let Some(found) = found else { return vec![] };
    let field = |field: &Field| documented(item(&field.name.text, CompletionItemKind::FIELD), &field.docs);
    let function =
        |function: &Function| documented(item(&function.name.text, CompletionItemKind::METHOD), &function.docs);
    found.fields.iter().map(field).chain(found.functions.iter().map(function)).collect()
}

fn module_name(ty: &FieldType) -> Option<&str> {
    match ty {
        FieldType::Module { name, .. } => Some(&name.text),
        FieldType::Array { element, .. } => module_name(element),
        _ => None,
    }
}

/// What an expression may name: locals of the function around, its module's members, what the file declares and imports.
fn names(analysis: &Analysis, file: FileId, at: u32) -> Vec<CompletionItem> {
    let around = |start: u32, end: u32| start <= at && at <= end;
    let items = analysis.tree(file).into_iter().flat_map(|tree| &tree.items);
    let module = items.filter_map(|item| match item {
        Item::Module(module) => Some(module.span),
        Item::Model(model) => Some(model.span),
        Item::Function(function) => Some(function.span),
        _ => None,
    });
    let module = module.into_iter().find(|span| around(span.start, span.end));
    let mut found: Vec<CompletionItem> = vec![];
    for place in &analysis.places {
        let Target::Declared(declared) = &place.target else { continue };
        let own = module.is_some_and(|module| {
            place.span == declared.name.span
                && place.span.file == file
                && module.start <= place.span.start
                && place.span.end <= module.end
        });
        let of_scope = match declared.kind {
            Kind::Local | Kind::Parameter => place.span.end <= at,
            Kind::Field | Kind::Function | Kind::Generic => true,
            _ => false,
        };
        if own && of_scope {
            found.push(described(analysis, declared));
        }
    }
    for (name, target) in places::visible(&analysis.program, file) {
        found.push(match &target {
            Target::Declared(declared) => described(analysis, declared),
            Target::Core(_, parameters) => CompletionItem {
                detail: Some(format!("{name}({})", parameters.join(", "))),
                ..item(&name, CompletionItemKind::FUNCTION)
            },
            Target::File(_) => continue,
        });
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|item| seen.insert(item.label.clone()));
    found
}

fn described(analysis: &Analysis, declared: &Declaration) -> CompletionItem {
    let kind = match declared.kind {
        Kind::Dim | Kind::Const | Kind::Generic => CompletionItemKind::CONSTANT,
        Kind::Module | Kind::Model => CompletionItemKind::CLASS,
        Kind::Field => CompletionItemKind::FIELD,
        Kind::Function | Kind::Entry => CompletionItemKind::FUNCTION,
        Kind::Parameter | Kind::Local => CompletionItemKind::VARIABLE,
    };
    let types = analysis.seen.of(declared.name.span);
    let detail = match declared.kind {
        Kind::Local | Kind::Parameter => types.first().cloned(),
        _ => Some(analysis.header(declared)),
    };
    documented(CompletionItem { detail, ..item(&declared.name.text, kind) }, &declared.docs)
}
