//! A parse error as a sentence: what could have stood here, in the reader's words.

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::sink::SyntaxError;
use crate::span::{FileId, Span};
use crate::token::{Spanned, Token};
use lalrpop_util::ParseError;

/// The error at the token number `index`.
pub fn diagnostic(file: FileId, tokens: &[Spanned], index: usize, error: SyntaxError) -> Diagnostic {
    match error {
        ParseError::UnrecognizedToken { token: (start, token, end), expected } => {
            let words = Words::new(&expected);
            let before = index.checked_sub(1).and_then(|before| tokens.get(before)).map(|(_, token, _)| *token);
            match (hint(token, before, &words), words.separator(token)) {
                (None, Some(text)) => missing(file, tokens, index, text),
                (hint, _) => unexpected(Span::new(file, start, end), token, &words, hint),
            }
        }
        ParseError::UnrecognizedEof { location, expected } => {
            let message = match Words::new(&expected).sentence() {
                sentence if sentence.is_empty() => "unexpected end of the file".to_string(),
                sentence => format!("{sentence}, found the end of the file"),
            };
            let diagnostic = Diagnostic::new(codes::E0104, Span::new(file, location, location), message);
            match innermost_open(tokens) {
                Some((start, end)) => diagnostic.label(Span::new(file, start, end), "this is not closed"),
                None => diagnostic,
            }
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

/// Punctuation should have stood before the token number `index`, where the token before it ends.
pub fn missing(file: FileId, tokens: &[Spanned], index: usize, text: &str) -> Diagnostic {
    let at = index.checked_sub(1).and_then(|before| tokens.get(before)).map_or(0, |(_, _, end)| *end);
    let at = Span::new(file, at, at);
    let found = tokens.get(index).map_or("the end of the file".to_string(), |(_, token, _)| describe(*token));
    Diagnostic::new(codes::E0103, at, format!("expected `{text}` before {found}")).suggest(at, text)
}

fn unexpected(span: Span, token: Token, words: &Words, hint: Option<&'static str>) -> Diagnostic {
    if matches!(token, Token::Doc(_) | Token::FileDoc(_)) {
        let message = "this doc comment documents nothing";
        return Diagnostic::new(codes::E0109, span, message).hint("write a comment with `//`");
    }
    let message = match words.sentence() {
        sentence if sentence.is_empty() => format!("unexpected {}", describe(token)),
        sentence => format!("{sentence}, found {}", describe(token)),
    };
    Diagnostic { hint: hint.map(str::to_string), ..Diagnostic::new(codes::E0103, span, message) }
}

fn innermost_open(tokens: &[Spanned]) -> Option<(usize, usize)> {
    let mut open: Vec<(Token, usize, usize)> = Vec::new();
    for (start, token, end) in tokens {
        match token {
            Token::OpenParen => open.push((Token::CloseParen, *start, *end)),
            Token::OpenBracket => open.push((Token::CloseBracket, *start, *end)),
            Token::OpenBrace => open.push((Token::CloseBrace, *start, *end)),
            // A closing bracket also ends the ones inside that were forgotten.
            token => {
                if let Some(at) = open.iter().rposition(|(closing, _, _)| closing == token) {
                    open.truncate(at);
                }
            }
        }
    }
    open.last().map(|(_, start, end)| (*start, *end))
}

/// The mistakes that people coming from other languages make.
fn hint(token: Token, before: Option<Token>, words: &Words) -> Option<&'static str> {
    Some(match (token, before) {
        _ if words.has("module") => "a file holds `use`, `dim`, `const`, `fn`, `module` and `model`",
        (Token::Visibility(_), _) if words.has("+") => "`@` is visibility; a product of matrices is `matmul(a, b)`",
        (Token::Colon, _) if words.has("..") && words.has("]") => "a range of rows is written `x[from..to]`",
        (Token::DotDot, _) if words.has("+") => "a range stands in `x[from..to]` or after `in`",
        (_, Some(Token::Name("return"))) => "the last expression of a block is its value; there is no `return`",
        (Token::Assign, Some(Token::Plus | Token::Minus | Token::Star | Token::Slash)) => "write `x = x + y`",
        (Token::Name(_), Some(Token::Colon)) if words.has("real") => {
            "parameters are tensors: `real[...]`, `token[...]`, `bit[...]` or `int`"
        }
        (token, _) if is_comparison(token) && words.has("&&") => "comparisons do not chain: write `a < b && b < c`",
        (token, _) if token.keyword().is_some() && words.0 == ["name"] => {
            "this is a reserved word; choose another name"
        }
        _ => return None,
    })
}

fn is_comparison(token: Token) -> bool {
    matches!(
        token,
        Token::Less | Token::LessEqual | Token::Greater | Token::GreaterEqual | Token::Equal | Token::NotEqual
    )
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
    ("", &["+", "-", "*", "/"]),
    ("", &["*", "/"]),
    ("", &["<", "<=", ">", ">=", "==", "!="]),
    ("", &["&&", "||"]),
    ("", &[".", "(", "["]),
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

    /// `expected ...`; empty where only operators could have followed.
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
            None => String::new(),
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
