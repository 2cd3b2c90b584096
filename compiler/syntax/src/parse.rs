//! Text to tree: lexing, limits, the generated parser. Every text gives a tree; no text makes it panic.

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::sink::Sink;
use crate::span::{FileId, Span};
use crate::token::{MAX_DIAGNOSTICS, Spanned, Token, lex};
use crate::tree;
use std::cell::Cell;

#[allow(clippy::all)]
mod grammar {
    include!(concat!(env!("OUT_DIR"), "/grammar.rs"));
}

const MAX_BYTES: usize = 4 << 20;
/// Brackets and operators on one path from the file to an innermost expression.
const MAX_DEPTH: usize = 256;

pub fn parse(file: FileId, text: &str) -> (tree::File, Vec<Diagnostic>) {
    if let Some(diagnostic) = not_a_source(file, text) {
        return (tree::File::default(), vec![diagnostic]);
    }
    let lexed = lex(file, text);
    let mut diagnostics = lexed.diagnostics;
    if let Some(diagnostic) = too_deep(file, &lexed.tokens) {
        diagnostics.push(diagnostic);
        return (tree::File::default(), diagnostics);
    }
    let full = Cell::new(diagnostics.len() >= MAX_DIAGNOSTICS);
    let mut sink = Sink { file, tokens: &lexed.tokens, diagnostics, trusted_from: 0, full: &full };
    let tokens = lexed.tokens.iter().copied().take_while(|_| !full.get());
    let parsed = grammar::FileParser::new().parse(&mut sink, tokens);
    let tree = parsed.unwrap_or_else(|error| {
        sink.report(error);
        tree::File::default()
    });
    let mut diagnostics = sink.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    (tree, diagnostics)
}

/// A file that is no `.ptx` model at all.
fn not_a_source(file: FileId, text: &str) -> Option<Diagnostic> {
    let mut start = 0;
    let first = text.split_inclusive('\n').find_map(|line| {
        let at = start;
        start += line.len();
        let code = line.trim();
        (!code.is_empty() && !code.starts_with("//")).then_some((at, line))
    });
    if let Some((at, line)) = first {
        let word = line.split_whitespace().next().unwrap_or("");
        if matches!(word, ".version" | ".target" | ".address_size") {
            let at = at + line.len() - line.trim_start().len();
            let span = Span::new(file, at, at + word.len());
            let message = "this is an NVIDIA PTX module, not a model";
            let hint = "the extension `.ptx` has two owners: give `ptc` the file that declares a `model`";
            return Some(Diagnostic::new(codes::E0001, span, message).hint(hint));
        }
    }
    (text.len() > MAX_BYTES).then(|| {
        let message = format!("the file has {} bytes, more than {MAX_BYTES}", text.len());
        Diagnostic::new(codes::E0002, Span::new(file, 0, 0), message).hint("weights belong in a `.safetensors` file")
    })
}

/// The first token at which the tree could grow deeper than `MAX_DEPTH`, counting on the safe side: every open bracket,
/// and every operator since the last separator inside it. A closing bracket of the wrong kind closes nothing.
fn too_deep(file: FileId, tokens: &[Spanned]) -> Option<Diagnostic> {
    let mut open: Vec<(Token, usize)> = Vec::new();
    let (mut depth, mut here) = (0, 0);
    for (start, token, end) in tokens {
        match token {
            Token::OpenParen | Token::OpenBracket | Token::OpenBrace => {
                here += 1;
                open.push((closing(*token), here));
                depth += here;
                here = 0;
            }
            Token::CloseParen | Token::CloseBracket | Token::CloseBrace => {
                if let Some((_, outer)) = open.pop_if(|(closing, _)| closing == token) {
                    depth -= outer;
                    here = outer;
                }
            }
            Token::Comma | Token::Semicolon | Token::Let | Token::For | Token::Fn | Token::Entry => here = 0,
            Token::Use | Token::Dim | Token::Const | Token::Module | Token::Model => here = 0,
            Token::Plus | Token::Minus | Token::Star | Token::Slash | Token::Not | Token::And | Token::Or => here += 1,
            Token::Dot | Token::If | Token::Else => here += 1,
            _ => {}
        }
        if depth + here > MAX_DEPTH {
            let span = Span::new(file, *start, *end);
            let message = format!("nested more than {MAX_DEPTH} deep");
            return Some(Diagnostic::new(codes::E0106, span, message).hint("name a part of it with `let`"));
        }
    }
    None
}

fn closing(open: Token) -> Token<'static> {
    match open {
        Token::OpenParen => Token::CloseParen,
        Token::OpenBracket => Token::CloseBracket,
        _ => Token::CloseBrace,
    }
}
