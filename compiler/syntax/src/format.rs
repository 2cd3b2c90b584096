//! The one canonical layout. The tree is walked in source order and every token is taken from the text, so nothing but
//! spaces, line breaks, trailing commas, lone `use` braces and the order of `@visibility at "path"` changes.
//!
//! A comment on its own line stays above the line it stands above, a comment behind a line stays behind it, and one in
//! the middle of an expression moves above the line.

use crate::diagnostic::{Diagnostic, has_errors};
use crate::layout::{Doc, render};
use crate::parse::parse;
use crate::span::FileId;
use crate::token::{Spanned, Token, lex};
use crate::tree::*;

mod expression;
mod field;
#[cfg(test)]
mod tests;

/// The text in the canonical layout, or why it does not parse. Formatting twice changes nothing more.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let (tree, diagnostics) = parse(FileId(0), text);
    if has_errors(&diagnostics) {
        return Err(diagnostics);
    }
    let lexed = lex(FileId(0), text);
    let mut printer =
        Printer { text, tokens: &lexed.tokens, comments: &lexed.comments, next: 0, next_comment: 0, moved: Vec::new() };
    let mut out = render(&printer.file(&tree));
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
    Ok(out)
}

struct Printer<'a> {
    text: &'a str,
    tokens: &'a [Spanned<'a>],
    comments: &'a [(usize, usize)],
    next: usize,
    next_comment: usize,
    /// Comments from the middle of the present line.
    moved: Vec<String>,
}

/// The empty line above something.
#[derive(Clone, Copy, PartialEq)]
enum Gap {
    None,
    /// One if the author left any.
    AsWritten,
    One,
}

impl<'a> Printer<'a> {
    fn file(&mut self, file: &File) -> Doc {
        let mut parts = Vec::new();
        for index in 0..file.docs.len() {
            let gap = if index == 0 { Gap::None } else { Gap::AsWritten };
            parts.extend(self.line(gap, |printer| printer.word()));
            parts.push(Doc::HardLine);
        }
        let mut before: Option<&Item> = None;
        for item in &file.items {
            let gap = match before {
                None if file.docs.is_empty() => Gap::None,
                None => Gap::One,
                Some(before) if is_short(before) && std::mem::discriminant(before) == std::mem::discriminant(item) => {
                    Gap::AsWritten
                }
                Some(_) => Gap::One,
            };
            parts.extend(self.line(gap, |printer| printer.item(item)));
            parts.push(Doc::HardLine);
            before = Some(item);
        }
        let gap = if parts.is_empty() { Gap::None } else { Gap::AsWritten };
        parts.extend(self.own_lines(gap));
        Doc::Seq(parts)
    }

    fn item(&mut self, item: &Item) -> Doc {
        match item {
            Item::Use(item) => self.imports(item),
            Item::Size(size) => {
                let mut parts = self.head(&size.docs, &[]);
                parts.extend([self.word(), space(), self.word(), space(), self.word(), space()]);
                parts.extend([self.expr(&size.value), self.word()]);
                Doc::Seq(parts)
            }
            Item::Function(function) => self.function(function),
            Item::Module(module) => {
                let mut parts = self.head(&module.docs, &module.attributes);
                parts.extend([self.word(), space(), self.word(), self.module_generics(&module.generics), space()]);
                parts.push(self.members(&module.fields, &[&module.functions]));
                Doc::Seq(parts)
            }
            Item::Model(model) => {
                let mut parts = self.head(&model.docs, &model.attributes);
                parts.extend([self.word(), space(), self.word(), space()]);
                parts.push(self.members(&model.fields, &[&model.functions, &model.entries]));
                Doc::Seq(parts)
            }
            Item::Error(_) => Doc::Seq(Vec::new()),
        }
    }

    fn imports(&mut self, item: &Use) -> Doc {
        let mut parts = vec![self.word(), space(), self.word(), self.word()];
        let braces = self.peek() == Some(Token::OpenBrace);
        parts.push(match (braces, item.names.len()) {
            (true, 1) => {
                self.skip();
                let name = self.word();
                self.skip_comma();
                self.skip();
                name
            }
            (true, names) => self.list(names, |printer, _| printer.word()),
            (false, _) => self.word(),
        });
        parts.push(self.word());
        Doc::Seq(parts)
    }

    /// Docs and attributes, a line each.
    fn head(&mut self, docs: &[String], attributes: &[Attribute]) -> Vec<Doc> {
        let mut parts = Vec::new();
        for _ in docs {
            parts.extend([self.word(), Doc::HardLine]);
        }
        for attribute in attributes {
            parts.extend([self.word(), self.word(), self.word()]);
            if self.peek() == Some(Token::OpenParen) {
                parts.push(self.list(attribute.arguments.len(), |printer, index| {
                    let argument = &attribute.arguments[index];
                    let name = argument.name.as_ref().map(|_| vec![printer.word(), space(), printer.word(), space()]);
                    let mut parts = name.unwrap_or_default();
                    parts.push(printer.expr(&argument.value));
                    Doc::Seq(parts)
                }));
            }
            parts.extend([self.word(), Doc::HardLine]);
        }
        parts
    }

    fn module_generics(&mut self, generics: &[Generic]) -> Doc {
        if self.peek() != Some(Token::Less) {
            return Doc::Seq(Vec::new());
        }
        self.list(generics.len(), |printer, index| {
            let mut parts = vec![printer.word()];
            if let Some(default) = &generics[index].default {
                parts.extend([space(), printer.word(), space(), printer.expr(default)]);
            }
            Doc::Seq(parts)
        })
    }

    fn generics(&mut self, names: &[Name]) -> Doc {
        if self.peek() != Some(Token::Less) {
            return Doc::Seq(Vec::new());
        }
        self.list(names.len(), |printer, _| printer.word())
    }

    fn function(&mut self, function: &Function) -> Doc {
        let mut parts = self.head(&function.docs, &function.attributes);
        parts.extend([self.word(), space(), self.word(), self.generics(&function.generics)]);
        parts.push(self.list(function.parameters.len(), |printer, index| {
            let parameter = &function.parameters[index];
            let mut parts = vec![printer.word(), printer.word(), space(), printer.tensor_type(&parameter.ty)];
            parts.extend(printer.visibility(parameter.visibility));
            Doc::Seq(parts)
        }));
        if let Some(result) = &function.result {
            parts.extend([space(), self.word(), space(), self.tensor_type(&result.ty)]);
            parts.extend(self.visibility(result.visibility));
        }
        parts.push(space());
        parts.push(self.braces(&function.body, Doc::HardLine));
        Doc::Seq(parts)
    }

    fn visibility(&mut self, visibility: Option<Visibility>) -> Vec<Doc> {
        visibility.map(|_| vec![space(), self.word()]).unwrap_or_default()
    }

    // Lines and comments

    /// One line of the layout: what stands above it, the content, the comment behind it.
    fn line(&mut self, gap: Gap, content: impl FnOnce(&mut Self) -> Doc) -> Vec<Doc> {
        let mut above = self.own_lines(gap);
        if !above.is_empty() {
            let start = self.tokens.get(self.next).map_or(self.text.len(), |token| token.0);
            above.push(Doc::HardLine);
            above.extend(self.has_gap(start).then_some(Doc::Blank));
        } else if gap == Gap::One || gap == Gap::AsWritten && self.next_has_gap() {
            above.push(Doc::Blank);
        }
        let outer = std::mem::take(&mut self.moved);
        let content = content(self);
        for comment in std::mem::replace(&mut self.moved, outer) {
            above.extend([Doc::text(comment), Doc::HardLine]);
        }
        above.push(content);
        above.extend(self.trailing());
        above
    }

    /// The comments before the next token, a line each, without the last line break.
    fn own_lines(&mut self, gap: Gap) -> Vec<Doc> {
        let mut parts = Vec::new();
        let mut gap = gap;
        while let Some((start, comment)) = self.take_comment() {
            parts.extend((!parts.is_empty()).then_some(Doc::HardLine));
            let blank = gap == Gap::One || gap == Gap::AsWritten && self.has_gap(start);
            parts.extend(blank.then_some(Doc::Blank));
            parts.push(Doc::text(comment));
            gap = Gap::AsWritten;
        }
        parts
    }

    /// The comment on the line that the last token ended.
    fn trailing(&mut self) -> Option<Doc> {
        let end = self.next.checked_sub(1).map(|last| self.tokens[last].2)?;
        let (start, _) = *self.comments.get(self.next_comment)?;
        let same_line = start >= end && !self.text.get(end..start)?.contains('\n');
        if !same_line {
            return None;
        }
        self.take_comment().map(|(_, comment)| Doc::Trailing(comment))
    }

    /// The next comment, if it stands before the next token.
    fn take_comment(&mut self) -> Option<(usize, String)> {
        let (start, end) = *self.comments.get(self.next_comment)?;
        if self.tokens.get(self.next).is_some_and(|token| token.0 < start) {
            return None;
        }
        self.next_comment += 1;
        Some((start, self.text.get(start..end)?.trim_end().to_string()))
    }

    fn next_has_gap(&self) -> bool {
        self.tokens.get(self.next).is_some_and(|token| self.has_gap(token.0))
    }

    /// Whether an empty line stands before this byte.
    fn has_gap(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or("");
        before[before.trim_end().len()..].matches('\n').count() > 1
    }

    // Tokens

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).map(|(_, token, _)| *token)
    }

    /// The next token as it is written.
    fn word(&mut self) -> Doc {
        while let Some((_, comment)) = self.take_comment() {
            self.moved.push(comment);
        }
        let Some((start, _, end)) = self.tokens.get(self.next) else { return Doc::text("") };
        self.next += 1;
        Doc::text(self.text.get(*start..*end).unwrap_or("").trim_end())
    }

    /// Leaves the next token out.
    fn skip(&mut self) {
        self.word();
    }

    fn skip_comma(&mut self) {
        if self.peek() == Some(Token::Comma) {
            self.skip();
        }
    }

    /// A bracket, `count` elements with commas between, a bracket: on one line, or an element a line.
    fn list(&mut self, count: usize, mut element: impl FnMut(&mut Self, usize) -> Doc) -> Doc {
        let open = self.word();
        if count == 0 {
            self.skip_comma();
            return Doc::Seq(vec![open, self.word()]);
        }
        let mut inside = vec![Doc::SoftLine];
        for index in 0..count {
            let last = index + 1 == count;
            inside.extend((index > 0).then_some(Doc::Line));
            inside.extend(self.line(Gap::None, |printer| {
                let element = element(printer, index);
                printer.skip_comma();
                Doc::Seq(vec![element, if last { Doc::IfBroken(",") } else { Doc::text(",") }])
            }));
        }
        let below = self.own_lines(Gap::None);
        if !below.is_empty() {
            inside.push(Doc::HardLine);
            inside.extend(below);
        }
        Doc::group(vec![open, Doc::Indent(inside), Doc::SoftLine, self.word()])
    }
}

fn space() -> Doc {
    Doc::text(" ")
}

fn is_short(item: &Item) -> bool {
    matches!(item, Item::Use(_) | Item::Size(_))
}
