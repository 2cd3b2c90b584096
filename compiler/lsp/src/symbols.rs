//! The outline of a file.

use lsp_types::{DocumentSymbol, SymbolKind};
use ptc_syntax::span::Span;
use ptc_syntax::tree::{Field, File, Function, Item, Name, SizeKind};

use crate::position::Lines;

pub fn symbols(tree: &File, text: &str) -> Vec<DocumentSymbol> {
    let outline = Outline { lines: Lines::of(text), text };
    tree.items.iter().filter_map(|item| outline.item(item)).collect()
}

struct Outline<'t> {
    lines: Lines<'t>,
    text: &'t str,
}

impl Outline<'_> {
    fn item(&self, item: &Item) -> Option<DocumentSymbol> {
        match item {
            Item::Size(size) => {
                let detail = match size.kind {
                    SizeKind::Dim => "dim",
                    SizeKind::Const => "const",
                };
                Some(self.symbol(&size.name, size.span, SymbolKind::CONSTANT, detail, vec![]))
            }
            Item::Function(function) => Some(self.function(function, SymbolKind::FUNCTION)),
            Item::Module(module) => {
                let fields = module.fields.iter().map(|field| self.field(field));
                let functions = module.functions.iter().map(|function| self.function(function, SymbolKind::METHOD));
                let children = fields.chain(functions).collect();
                Some(self.symbol(&module.name, module.span, SymbolKind::CLASS, "module", children))
            }
            Item::Model(model) => {
                let fields = model.fields.iter().map(|field| self.field(field));
                let functions = model.functions.iter().map(|function| self.function(function, SymbolKind::METHOD));
                let entries = model.entries.iter().map(|entry| self.function(entry, SymbolKind::EVENT));
                let children = fields.chain(functions).chain(entries).collect();
                Some(self.symbol(&model.name, model.span, SymbolKind::CLASS, "model", children))
            }
            Item::Use(_) | Item::Error(_) => None,
        }
    }

    fn field(&self, field: &Field) -> DocumentSymbol {
        let written = self.text.get(field.name.span.end as usize..field.span.end as usize).unwrap_or("");
        let detail = written.trim_start_matches(':').split_whitespace().collect::<Vec<_>>().join(" ");
        self.symbol(&field.name, field.span, SymbolKind::FIELD, &detail, vec![])
    }

    fn function(&self, function: &Function, kind: SymbolKind) -> DocumentSymbol {
        let written = self.text.get(function.name.span.end as usize..function.body.span.start as usize).unwrap_or("");
        let detail = written.split_whitespace().collect::<Vec<_>>().join(" ");
        self.symbol(&function.name, function.span, kind, &detail, vec![])
    }

    fn symbol(
        &self,
        name: &Name,
        span: Span,
        kind: SymbolKind,
        detail: &str,
        children: Vec<DocumentSymbol>,
    ) -> DocumentSymbol {
        let range = |span: Span| self.lines.range(span.start as usize, span.end as usize);
        // A name that did not parse is empty, which editors refuse.
        let text = if name.text.is_empty() { "?".to_string() } else { name.text.clone() };
        #[allow(deprecated)]
        DocumentSymbol {
            name: text,
            detail: (!detail.is_empty()).then(|| detail.to_string()),
            kind,
            tags: None,
            deprecated: None,
            range: range(span.to(name.span)),
            selection_range: range(name.span),
            children: (!children.is_empty()).then_some(children),
        }
    }
}
