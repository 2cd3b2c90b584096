//! Text to tokens. Comments are set aside for the formatter; what is no token becomes a diagnostic and is skipped.

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::{FileId, Span};
use logos::Logos;

#[derive(Logos, Clone, Copy, Debug, PartialEq)]
#[logos(skip r"[ \t\r\n\f]+")]
pub enum Token<'a> {
    #[token("use")]
    Use,
    #[token("dim")]
    Dim,
    #[token("const")]
    Const,
    #[token("module")]
    Module,
    #[token("model")]
    Model,
    #[token("fn")]
    Fn,
    #[token("entry")]
    Entry,
    #[token("state")]
    State,
    #[token("updates")]
    Updates,
    #[token("let")]
    Let,
    #[token("for")]
    For,
    #[token("in")]
    In,
    #[token("if")]
    If,
    #[token("else")]
    Else,
    #[token("at")]
    At,
    #[token("real")]
    Real,
    #[token("token")]
    Ids,
    #[token("bit")]
    Bit,
    #[token("int")]
    Int,
    #[token("fixed")]
    Fixed,

    #[regex("[A-Za-z_][A-Za-z0-9_]*")]
    Name(&'a str),
    #[regex(r"[0-9][0-9_]*(\.[0-9]+)?([eE][+-]?[0-9]+)?")]
    Number(&'a str),
    /// With its quotes.
    #[regex(r#""([^"\\\n]|\\[^\n])*""#)]
    Text(&'a str),
    /// A text that its line does not close.
    #[regex(r#""([^"\\\n]|\\[^\n])*\\?"#)]
    OpenText(&'a str),
    /// With its `@`.
    #[regex("@[A-Za-z0-9_]*")]
    Visibility(&'a str),

    /// `//` and the rest of the line; never leaves this file.
    #[regex(r"//[^\n]*", allow_greedy = true)]
    Comment(&'a str),
    /// `///` with its marker.
    Doc(&'a str),
    /// `//!` with its marker.
    FileDoc(&'a str),
    #[token("/*")]
    BlockComment,

    #[token("{")]
    OpenBrace,
    #[token("}")]
    CloseBrace,
    #[token("(")]
    OpenParen,
    #[token(")")]
    CloseParen,
    #[token("[")]
    OpenBracket,
    #[token("]")]
    CloseBracket,
    #[token(",")]
    Comma,
    #[token(";")]
    Semicolon,
    #[token(":")]
    Colon,
    #[token("::")]
    PathSeparator,
    #[token(".")]
    Dot,
    #[token("..")]
    DotDot,
    #[token("->")]
    Arrow,
    #[token("#")]
    Hash,
    #[token("=")]
    Assign,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("<")]
    Less,
    #[token("<=")]
    LessEqual,
    #[token(">")]
    Greater,
    #[token(">=")]
    GreaterEqual,
    #[token("==")]
    Equal,
    #[token("!=")]
    NotEqual,
    #[token("!")]
    Not,
    #[token("&&")]
    And,
    #[token("||")]
    Or,
}

/// More errors than anybody reads.
pub const MAX_DIAGNOSTICS: usize = 64;

/// A token with the bytes it covers.
pub type Spanned<'a> = (usize, Token<'a>, usize);

#[derive(Debug, Default)]
pub struct Lexed<'a> {
    pub tokens: Vec<Spanned<'a>>,
    /// `//` comments that document nothing, in order, as byte ranges.
    pub comments: Vec<(usize, usize)>,
    pub diagnostics: Vec<Diagnostic>,
}

pub fn lex(file: FileId, text: &str) -> Lexed<'_> {
    let mut lexed = Lexed::default();
    let mut lexer = Token::lexer(text);
    if text.starts_with('\u{feff}') {
        lexer.bump('\u{feff}'.len_utf8());
    }
    while let Some(token) = lexer.next() {
        let (start, end) = (lexer.span().start, lexer.span().end);
        let span = Span::new(file, start, end);
        match token {
            Ok(Token::Comment(comment)) if is_doc(comment) => lexed.tokens.push((start, Token::Doc(comment), end)),
            Ok(Token::Comment(comment)) if comment.starts_with("//!") => {
                lexed.tokens.push((start, Token::FileDoc(comment), end));
            }
            Ok(Token::Comment(_)) => lexed.comments.push((start, end)),
            Ok(Token::BlockComment) => {
                let length = lexer.remainder().find("*/").map_or(lexer.remainder().len(), |at| at + 2);
                lexer.bump(length);
                let span = Span::new(file, start, lexer.span().end);
                let message = "block comments are not part of the language";
                lexed.diagnostics.push(Diagnostic::new(codes::E0112, span, message).hint("begin each line with `//`"));
            }
            Ok(Token::OpenText(open)) => {
                lexed.diagnostics.push(open_text(span));
                push_open_text(&mut lexed, start, open);
            }
            Ok(token) => lexed.tokens.push((start, token, end)),
            Err(()) => match lexed.diagnostics.last_mut() {
                Some(last) if last.code == codes::E0101 && last.span.end as usize == start => {
                    last.span.end = end as u32
                }
                _ => lexed.diagnostics.push(Diagnostic::new(codes::E0101, span, "")),
            },
        }
    }
    lexed.diagnostics.truncate(MAX_DIAGNOSTICS);
    for diagnostic in lexed.diagnostics.iter_mut().filter(|diagnostic| diagnostic.code == codes::E0101) {
        let found = text.get(diagnostic.span.start as usize..diagnostic.span.end as usize).unwrap_or("");
        *diagnostic = stray_characters(diagnostic.span, found);
    }
    lexed
}

impl Token<'_> {
    /// A reserved word, as it is written.
    pub fn keyword(self) -> Option<&'static str> {
        Some(match self {
            Token::Use => "use",
            Token::Dim => "dim",
            Token::Const => "const",
            Token::Module => "module",
            Token::Model => "model",
            Token::Fn => "fn",
            Token::Entry => "entry",
            Token::State => "state",
            Token::Updates => "updates",
            Token::Let => "let",
            Token::For => "for",
            Token::In => "in",
            Token::If => "if",
            Token::Else => "else",
            Token::At => "at",
            Token::Real => "real",
            Token::Ids => "token",
            Token::Bit => "bit",
            Token::Int => "int",
            Token::Fixed => "fixed",
            _ => return None,
        })
    }
}

fn is_doc(comment: &str) -> bool {
    comment.starts_with("///") && !comment.starts_with("////")
}

fn open_text(span: Span) -> Diagnostic {
    let end = Span { start: span.end, ..span };
    Diagnostic::new(codes::E0102, span, "this text is not closed on its line").suggest(end, "\"")
}

/// The text as if it were closed where its line ends; a last `,` or `;` was most likely meant to follow it.
fn push_open_text<'a>(lexed: &mut Lexed<'a>, start: usize, open: &'a str) {
    let written = open.trim_end();
    let after = match written.as_bytes().last() {
        Some(b',') => Some(Token::Comma),
        Some(b';') => Some(Token::Semicolon),
        _ => None,
    };
    let length = written.len() - usize::from(after.is_some());
    lexed.tokens.push((start, Token::Text(&open[..length]), start + length));
    if let Some(token) = after {
        lexed.tokens.push((start + length, token, start + length + 1));
    }
}

fn stray_characters(span: Span, found: &str) -> Diagnostic {
    let shown: String = found.chars().take(12).flat_map(char::escape_debug).collect();
    let diagnostic = Diagnostic::new(codes::E0101, span, format!("`{shown}` is not part of the language"));
    match found.chars().next() {
        Some('\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' | '\'' | '`') => {
            diagnostic.hint("a text is written `\"...\"`")
        }
        Some('\u{2212}' | '\u{2013}' | '\u{2014}') => diagnostic.hint("the minus sign is `-`"),
        Some('\u{d7}' | '\u{b7}') => diagnostic.hint("a product is `a * b`, and of matrices `matmul(a, b)`"),
        Some('&') => diagnostic.hint("`and` is written `&&`"),
        Some('|') => diagnostic.hint("`or` is written `||`"),
        Some('%' | '^') => diagnostic.hint("the operators are `+ - * /`, `< <= > >= == !=`, `&& || !`"),
        _ => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Token]) {
        let lexed = lex(FileId(0), text);
        assert_eq!(lexed.tokens.iter().map(|(_, token, _)| *token).collect::<Vec<_>>(), expected, "{text}");
        assert_eq!(lexed.diagnostics, [], "{text}");
    }

    fn check_codes(text: &str, expected: &[&str]) {
        let found: Vec<&str> = lex(FileId(0), text).diagnostics.iter().map(|diagnostic| diagnostic.code.id).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn numbers_do_not_eat_ranges() {
        check("0..S", &[Token::Number("0"), Token::DotDot, Token::Name("S")]);
        check("1e-3", &[Token::Number("1e-3")]);
        check("30_522", &[Token::Number("30_522")]);
        check("2.5.T", &[Token::Number("2.5"), Token::Dot, Token::Name("T")]);
    }

    #[test]
    fn longest_punctuation_wins() {
        check("a::b:c", &[Token::Name("a"), Token::PathSeparator, Token::Name("b"), Token::Colon, Token::Name("c")]);
        check("<= < -> -", &[Token::LessEqual, Token::Less, Token::Arrow, Token::Minus]);
    }

    #[test]
    fn docs_are_tokens_and_comments_are_set_aside() {
        check("//! a\n/// b\n//// c\n// d", &[Token::FileDoc("//! a"), Token::Doc("/// b")]);
        assert_eq!(lex(FileId(0), "x // c\ny").comments, [(2, 6)]);
    }

    #[test]
    fn keywords_are_not_prefixes_of_names() {
        check("attend at @client", &[Token::Name("attend"), Token::At, Token::Visibility("@client")]);
    }

    #[test]
    fn what_is_no_token_is_reported_once_and_skipped() {
        check_codes("a \u{d7}\u{d7}\u{d7} b", &["E0101"]);
        check_codes("a $ b $ c", &["E0101", "E0101"]);
        check_codes("/* a \n b */ c", &["E0112"]);
        check_codes("/* a", &["E0112"]);
        check_codes("\"abc", &["E0102"]);
        check_codes("\"abc\\", &["E0102"]);
    }

    #[test]
    fn an_open_text_keeps_the_comma_behind_it() {
        let lexed = lex(FileId(0), "\"abc,\nx");
        let tokens: Vec<Token> = lexed.tokens.iter().map(|(_, token, _)| *token).collect();
        assert_eq!(tokens, [Token::Text("\"abc"), Token::Comma, Token::Name("x")]);
    }
}
