//! What the grammar's actions share: building nodes, and noting what is wrong without stopping.

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::expected;
use crate::span::{FileId, Span};
use crate::suggest::nearest;
use crate::token::{MAX_DIAGNOSTICS, Spanned, Token};
use crate::tree::*;
use lalrpop_util::{ErrorRecovery, ParseError};
use std::cell::Cell;
use std::convert::Infallible;

pub struct Sink<'a> {
    pub file: FileId,
    pub tokens: &'a [Spanned<'a>],
    pub diagnostics: Vec<Diagnostic>,
    /// Errors before this place follow from one that was reported: recovery went on inside a bracket.
    pub trusted_from: usize,
    /// Set with the last error that is reported: the parser is given no more tokens.
    pub full: &'a Cell<bool>,
}

pub type Head = (Vec<String>, Vec<Attribute>);
pub type FunctionHeader = Option<(Name, Vec<Name>, Vec<Parameter>, Option<ResultType>)>;
pub type SyntaxError<'a> = ParseError<usize, Token<'a>, Infallible>;

/// What follows a field's type.
pub enum Mark {
    Visibility(Option<Visibility>),
    At(Text, Span),
}

/// One line of a module or a model.
pub enum Member {
    Field(Field),
    Function(Function),
    Entry(Function),
    Error,
}

#[derive(Default)]
pub struct Body {
    pub fields: Vec<Field>,
    pub functions: Vec<Function>,
    pub entries: Vec<Function>,
}

const PARTIES: [(&str, Party); 4] =
    [("@public", Party::Public), ("@client", Party::Client), ("@server", Party::Server), ("@secret", Party::Secret)];

impl Sink<'_> {
    pub fn span(&self, start: usize, end: usize) -> Span {
        // An empty production is given the next token's start and the last token's end.
        Span::new(self.file, start, end.max(start))
    }

    pub fn expr(&self, kind: ExprKind, start: usize, end: usize) -> Expr {
        Expr { kind, span: self.span(start, end) }
    }

    pub fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
        let span = left.span.to(right.span);
        Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span }
    }

    pub fn function(header: FunctionHeader, body: Block, span: Span) -> Function {
        let missing = || (Name { text: String::new(), span }, Vec::new(), Vec::new(), None);
        let (name, generics, parameters, result) = header.unwrap_or_else(missing);
        Function { docs: Vec::new(), attributes: Vec::new(), name, generics, parameters, result, body, span }
    }

    pub fn body(list: Vec<Member>, last: Option<Member>) -> Body {
        let mut body = Body::default();
        for member in list.into_iter().chain(last) {
            match member {
                Member::Field(field) => body.fields.push(field),
                Member::Function(function) => body.functions.push(function),
                Member::Entry(function) => body.entries.push(function),
                Member::Error => {}
            }
        }
        body
    }

    pub fn module(&mut self, head: Head, header: Option<(Name, Vec<Generic>)>, body: Body, span: Span) -> Item {
        for entry in &body.entries {
            let message = format!("the entry `{}` stands in a module", entry.name.text);
            let hint = "entries belong to a `model`; what modules call is a `fn`";
            self.push(Diagnostic::new(codes::E0111, entry.name.span, message).hint(hint));
        }
        let Some((name, generics)) = header else { return Item::Error(span) };
        let (docs, attributes) = head;
        Item::Module(Module { docs, attributes, name, generics, fields: body.fields, functions: body.functions, span })
    }

    pub fn model(&mut self, head: Head, header: Option<(Name, Vec<Generic>)>, body: Body, span: Span) -> Item {
        let Some((name, generics)) = header else { return Item::Error(span) };
        if let (Some(first), Some(last)) = (generics.first(), generics.last()) {
            let message = format!("the model `{}` asks for sizes", name.text);
            let hint = "nothing instantiates a model: declare its sizes with `dim` or `const`";
            self.push(Diagnostic::new(codes::E0111, first.name.span.to(last.name.span), message).hint(hint));
        }
        let (docs, attributes) = head;
        let Body { fields, functions, entries } = body;
        Item::Model(Model { docs, attributes, name, fields, functions, entries, span })
    }

    pub fn visibility(&mut self, written: &str, start: usize, end: usize) -> Option<Visibility> {
        let span = self.span(start, end);
        if let Some((_, party)) = PARTIES.iter().find(|(name, _)| *name == written) {
            return Some(Visibility { party: *party, span });
        }
        let diagnostic = Diagnostic::new(codes::E0105, span, format!("unknown visibility `{written}`"));
        self.push(match nearest(written, PARTIES.map(|(name, _)| name)) {
            Some(name) => diagnostic.hint(format!("did you mean `{name}`?")).suggest(span, name),
            None => diagnostic.hint("one of `@public`, `@client`, `@server`, `@secret`"),
        });
        None
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
        self.full.set(self.diagnostics.len() >= MAX_DIAGNOSTICS);
    }

    /// The one visibility and the one path of a field.
    pub fn marks(&mut self, marks: Vec<Mark>) -> (Option<Visibility>, Option<Text>) {
        let (mut visibility, mut at) = (None, None);
        for mark in marks {
            match mark {
                Mark::Visibility(None) => {}
                Mark::Visibility(Some(second)) if visibility.is_some() => self.said_twice(second.span, "visibility"),
                Mark::Visibility(first) => visibility = first,
                Mark::At(_, span) if at.is_some() => self.said_twice(span, "path"),
                Mark::At(text, _) => at = Some(text),
            }
        }
        (visibility, at)
    }

    /// The docs of a declaration that takes no attributes.
    pub fn only_docs(&mut self, (docs, attributes): Head, what: &str) -> Vec<String> {
        for attribute in attributes {
            let message = format!("{what} takes no attributes");
            let hint = "attributes stand before a module, a model, a function or an entry";
            self.push(Diagnostic::new(codes::E0111, attribute.span, message).hint(hint));
        }
        docs
    }

    pub fn number(&mut self, written: &str, start: usize, end: usize) -> f64 {
        let value = written.replace('_', "").parse().unwrap_or(f64::INFINITY);
        if value.is_finite() {
            return value;
        }
        let message = format!("`{written}` is larger than any number");
        self.push(Diagnostic::new(codes::E0107, self.span(start, end), message));
        0.0
    }

    pub fn unsupported(&mut self, start: usize, end: usize, what: &str) {
        let message = format!("{what} is not supported yet");
        self.push(Diagnostic::new(codes::E0108, self.span(start, end), message));
    }

    pub fn without_effect(&mut self, span: Span) {
        let hint = "bind it with `let`, or leave the `;` away to make it the value of the block";
        let message = "this value is dropped";
        self.push(Diagnostic::new(codes::E0113, span, message).hint(hint));
    }

    fn said_twice(&mut self, span: Span, what: &str) {
        self.push(Diagnostic::new(codes::E0110, span, format!("a second {what} for one field")));
    }

    /// A field without a comma is the last one.
    pub fn last_field(&mut self, end: usize) {
        let next = self.tokens.get(self.tokens.partition_point(|(start, _, _)| *start < end));
        if let Some((start, _, _)) = next.filter(|(_, token, _)| *token != Token::CloseBrace) {
            self.missing(*start, ",");
        }
    }

    /// `text` should have stood before the token that starts `at`.
    pub fn missing(&mut self, at: usize, text: &str) {
        let index = self.tokens.partition_point(|(start, _, _)| *start < at);
        if at >= self.trusted_from {
            self.push(expected::missing(self.file, self.tokens, index, text));
        }
    }

    /// Reports the error; the span covers what was skipped.
    pub fn recover(&mut self, error: ErrorRecovery<usize, Token<'_>, Infallible>, start: usize, end: usize) -> Span {
        self.report(error.error);
        self.trusted_from = self.trusted_from.max(end_of_open_bracket(self.tokens, start, end));
        self.span(start, end)
    }

    pub fn report(&mut self, error: SyntaxError<'_>) {
        let start = match &error {
            SyntaxError::UnrecognizedToken { token, .. } | SyntaxError::ExtraToken { token } => token.0,
            SyntaxError::UnrecognizedEof { location, .. } | SyntaxError::InvalidToken { location } => *location,
            SyntaxError::User { error } => match *error {},
        };
        let index = self.tokens.partition_point(|(at, _, _)| *at < start);
        let before = index.checked_sub(1).map_or(0, |before| self.tokens[before].2);
        let skipped = |span: Span| before <= span.start as usize && (span.end as usize) <= start;
        let lexical = [codes::E0101, codes::E0112];
        let known = self.diagnostics.iter().any(|known| lexical.contains(&known.code) && skipped(known.span));
        if start >= self.trusted_from && !known {
            self.push(expected::diagnostic(self.file, self.tokens, index, error));
        }
    }

    /// `/// text` or `//! text` without its marker.
    pub fn doc(written: &str) -> String {
        let text = written.get(3..).unwrap_or("").trim_end();
        text.strip_prefix(' ').unwrap_or(text).to_string()
    }

    /// `"text"` without its quotes and escapes.
    pub fn text(written: &str) -> String {
        let inner = written.strip_prefix('"').unwrap_or(written);
        let mut value = String::new();
        let mut letters = inner.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => value.extend(letters.next()),
                letter => value.push(letter),
            }
        }
        value
    }
}

/// Where the outermost bracket that opens in `start..end` and does not close there closes; `end` if none does.
fn end_of_open_bracket(tokens: &[Spanned], start: usize, end: usize) -> usize {
    let from = tokens.partition_point(|(at, _, _)| *at < start);
    let mut open: Vec<Token> = Vec::new();
    for (at, token, after) in &tokens[from..] {
        if *at >= end && open.is_empty() {
            return end;
        }
        match token {
            Token::OpenParen => open.push(Token::CloseParen),
            Token::OpenBracket => open.push(Token::CloseBracket),
            Token::OpenBrace if *at < end => open.push(Token::CloseBrace),
            token if open.last() == Some(token) => {
                open.pop();
                if *at >= end && open.is_empty() {
                    return *after;
                }
            }
            // A statement or a body begins: the bracket was never closed.
            Token::Semicolon | Token::OpenBrace | Token::Let | Token::Fn | Token::Entry if *at >= end => return end,
            _ => {}
        }
    }
    end
}
