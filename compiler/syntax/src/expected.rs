//! A parse error as a sentence: what could have stood here, in the reader's words.

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::sink::SyntaxError;
use crate::span::{FileId, Span};
use crate::token::{Spanned, Token};
use lalrpop_util::ParseError;

pub fn diagnostic(file: FileId, tokens: &[Spanned], error: SyntaxError) -> Diagnostic {
    match error {
        ParseError::UnrecognizedToken { token: (start, token, end), expected } => {
            let index = tokens.partition_point(|(at, _, _)| *at < start);
            let before = index.checked_sub(1).and_then(|before| tokens.get(before));
            unexpected(Span::new(file, start, end), token, before, &Words::new(&expected))
        }
        ParseError::UnrecognizedEof { location, expected } => {
            let message = format!("{}, found the end of the file", Words::new(&expected).sentence());
            Diagnostic::new(codes::E0104, Span::new(file, location, location), message)
        }
        ParseError::ExtraToken { token: (start, token, end) } => {
            let message = format!("unexpected {}", describe(token));
            Diagnostic::new(codes::E0103, Span::new(file, start, end), message)
        }
        ParseError::InvalidToken { location } => {
            Diagnostic::new(codes::E0103, Span::new(file, location, location), "unexpected text")
        }
        ParseError::User { error } => match error {},
    }
}

fn unexpected(span: Span, token: Token, before: Option<&Spanned>, words: &Words) -> Diagnostic {
    if matches!(token, Token::Doc(_) | Token::FileDoc(_)) {
        let message = "this doc comment documents nothing";
        return Diagnostic::new(codes::E0109, span, message).hint("write a comment with `//`");
    }
    let message = format!("{}, found {}", words.sentence(), describe(token));
    let mut diagnostic = Diagnostic::new(codes::E0103, span, message);
    if let Some(text) = words.separator(token) {
        let at = before.map_or(span.start, |(_, _, end)| *end as u32);
        diagnostic = diagnostic.suggest(Span { start: at, end: at, ..span }, text);
    }
    match hint(token, before.map(|(_, token, _)| *token), words) {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

/// The mistakes that people coming from other languages make.
fn hint(token: Token, before: Option<Token>, words: &Words) -> Option<String> {
    if let (Some(keyword), true) = (token.keyword(), words.has("name")) {
        let starts_something = matches!(token, Token::Use | Token::Dim | Token::Const | Token::Module | Token::Model);
        return (!starts_something && !words.has("]"))
            .then(|| format!("`{keyword}` is a reserved word; choose another name"));
    }
    let hint = match token {
        Token::Visibility(_) if words.has("+") => "`@` is visibility; a product of matrices is `matmul(a, b)`",
        Token::Colon if words.has("..") && words.has("]") => "a range of rows is written `x[from..to]`",
        Token::DotDot if words.has("+") => "a range stands in `x[from..to]` or after `in`",
        Token::Name("return") => "the last expression of a block is its value; there is no `return`",
        Token::Name(_) if before == Some(Token::Name("return")) => {
            "the last expression of a block is its value; there is no `return`"
        }
        Token::Less | Token::LessEqual | Token::Greater | Token::GreaterEqual | Token::Equal | Token::NotEqual
            if words.has("&&") =>
        {
            "comparisons do not chain: write `a < b && b < c`"
        }
        Token::Assign if matches!(before, Some(Token::Plus | Token::Minus | Token::Star | Token::Slash)) => {
            "write `x = x + y`"
        }
        Token::Name(_) if matches!(before, Some(Token::Colon)) && words.has("real") && !words.has("[") => {
            "parameters are tensors: `real[...]`, `token[...]`, `bit[...]` or `int`"
        }
        _ => return None,
    };
    Some(hint.to_string())
}

fn describe(token: Token) -> String {
    match token {
        Token::Name(text) | Token::Number(text) | Token::Visibility(text) => format!("`{text}`"),
        Token::Text(text) => format!("the text `{text}`"),
        Token::Doc(_) | Token::FileDoc(_) => "a doc comment".to_string(),
        token => format!("`{}`", token.keyword().unwrap_or_else(|| punctuation(token))),
    }
}

fn punctuation(token: Token) -> &'static str {
    match token {
        Token::OpenBrace => "{",
        Token::CloseBrace => "}",
        Token::OpenParen => "(",
        Token::CloseParen => ")",
        Token::OpenBracket => "[",
        Token::CloseBracket => "]",
        Token::Comma => ",",
        Token::Semicolon => ";",
        Token::Colon => ":",
        Token::PathSeparator => "::",
        Token::Dot => ".",
        Token::DotDot => "..",
        Token::Arrow => "->",
        Token::Hash => "#",
        Token::Assign => "=",
        Token::Plus => "+",
        Token::Minus => "-",
        Token::Star => "*",
        Token::Slash => "/",
        Token::Less => "<",
        Token::LessEqual => "<=",
        Token::Greater => ">",
        Token::GreaterEqual => ">=",
        Token::Equal => "==",
        Token::NotEqual => "!=",
        Token::Not => "!",
        Token::And => "&&",
        Token::Or => "||",
        _ => "",
    }
}

/// The terminals that the parser would have accepted.
struct Words<'a>(Vec<&'a str>);

/// Families of terminals that are named together: a family is recognised by its first two.
const FAMILIES: &[(&str, &[&str])] = &[
    ("an expression", &["number", "(", "name", "text", "[", "{", "if", "-", "!"]),
    ("", &["+", "*", "-", "/", "<", "<=", ">", ">=", "==", "!=", "&&", "||", "(", "[", "."]),
    ("a type", &["real", "bit", "token", "int"]),
    ("an item", &["module", "model", "use", "dim", "const", "fn", "#", "doc", "file doc"]),
];

impl<'a> Words<'a> {
    fn new(expected: &'a [String]) -> Words<'a> {
        Words(expected.iter().map(|word| word.trim_matches('"')).collect())
    }

    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }

    fn sentence(&self) -> String {
        let mut left = self.0.clone();
        let mut words: Vec<String> = Vec::new();
        for (name, family) in FAMILIES {
            if family[..2].iter().all(|word| left.contains(word)) {
                left.retain(|word| !family.contains(word));
                words.extend((!name.is_empty()).then(|| name.to_string()));
            }
        }
        // What may always stand before a member says nothing about the mistake.
        if left.iter().any(|word| !matches!(*word, "doc" | "file doc" | "#" | "state" | "updates")) {
            left.retain(|word| !matches!(*word, "doc" | "file doc" | "#" | "state" | "updates"));
        }
        words.extend(left.iter().map(|word| match *word {
            "name" => "a name".to_string(),
            "number" => "a number".to_string(),
            "text" => "a text in quotes".to_string(),
            "visibility" => "a visibility".to_string(),
            "doc" | "file doc" => "a doc comment".to_string(),
            word => format!("`{word}`"),
        }));
        match words.split_last() {
            None => "unexpected text".to_string(),
            Some((last, [])) => format!("expected {last}"),
            Some((last, others)) => format!("expected {} or {last}", others.join(", ")),
        }
    }

    /// The separator that is surely missing when a new statement, member or end follows a whole one.
    fn separator(&self, found: Token) -> Option<&'static str> {
        let begins = matches!(
            found,
            Token::Name(_)
                | Token::Let
                | Token::For
                | Token::Fn
                | Token::Entry
                | Token::CloseBrace
                | Token::Use
                | Token::Dim
                | Token::Const
                | Token::Module
                | Token::Model
                | Token::Hash
        );
        match (begins, self.has(";"), self.has(",")) {
            (true, true, false) => Some(";"),
            (true, false, true) => Some(","),
            _ => None,
        }
    }
}
