//! Model files: any text gives a tree and diagnostics that point into it; the formatter settles at once and keeps the tree.

use std::collections::BTreeMap;

use ptc_ir::verify::verify;
use ptc_lower::lower_entry;
use ptc_syntax::diagnostic::render;
use ptc_syntax::format::format;
use ptc_syntax::parse::parse;
use ptc_syntax::source::Sources;
use ptc_syntax::span::FileId;
use ptc_typeck::check::{check as check_program, observe};
use ptc_typeck::load::{load, load_whole};

/// Any bytes, as text.
pub fn lexer(bytes: &[u8]) {
    check(&String::from_utf8_lossy(bytes));
}

/// Each byte a word of the language: texts that get far into the grammar.
pub fn parser(bytes: &[u8]) {
    check(&words(bytes));
}

/// A text that parses is formatted to one that parses to the same tree, and formatting that changes nothing.
pub fn formatter(bytes: &[u8]) {
    let text = match bytes.split_first() {
        Some((0xff, bytes)) => words(bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    let Ok(once) = format(&text) else { return };
    let twice = format(&once).unwrap_or_else(|found| panic!("{found:?}\n{text}\n=>\n{once}"));
    assert!(once == twice, "not settled:\n{text}\n=>\n{once}\n=>\n{twice}");
    let [before, after] = [&text, &once].map(|text| bare(&format!("{:?}", parse(FileId(0), text).0)));
    assert!(before == after, "another tree:\n{text}\n=>\n{once}");
}

/// Any model is refused, or each of its entries is a graph that the verifier takes.
pub fn checker(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let dims = BTreeMap::new();
    let mut sources = Sources::default();
    let root = sources.add("a.ptx", &*text);
    // What an editor asks for of a text that is being written.
    let (program, diagnostics) = load_whole(&mut sources, root, &mut |_| None);
    render(&diagnostics, &sources);
    let _ = observe(&program, &dims);
    let Ok(program) = load(&mut sources, "a.ptx", &text, &mut |_| None) else { return };
    match check_program(&program, &dims) {
        Ok(checked) => {
            for entry in &checked.entries {
                match lower_entry(&program, &sources, Some(&entry.name), &dims) {
                    Ok(graph) => assert!(verify(&graph).is_empty(), "{}\n{text}", verify(&graph)[0]),
                    Err(diagnostics) => drop(render(&diagnostics, &sources)),
                }
            }
        }
        Err(diagnostics) => drop(render(&diagnostics, &sources)),
    }
}

fn check(text: &str) {
    let mut sources = Sources::default();
    let file = sources.add("a.ptx", text);
    let (tree, diagnostics) = parse(file, text);
    render(&diagnostics, &sources);
    for diagnostic in &diagnostics {
        let (start, end) = (diagnostic.span.start as usize, diagnostic.span.end as usize);
        assert!(text.get(start..end).is_some(), "{diagnostic:?} points outside of\n{text:?}");
    }
    drop(tree);
}

const WORDS: &[&str] = &[
    "use",
    "dim",
    "const",
    "module",
    "model",
    "fn",
    "entry",
    "let",
    "for",
    "in",
    "if",
    "else",
    "at",
    "real",
    "token",
    "bit",
    "int",
    "fixed",
    "state",
    "updates",
    "x",
    "y",
    "Linear",
    "S",
    "nn",
    "1",
    "0",
    "1.5",
    "1e999",
    "4096",
    "\"t\"",
    "\"a.{}\"",
    "\"",
    "@client",
    "@server",
    "@public",
    "@secret",
    "@",
    "/// d\n",
    "//! d\n",
    "// c\n",
    "\n",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    ",",
    ";",
    ":",
    "::",
    ".",
    "..",
    "->",
    "=",
    "==",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "!",
    "&&",
    "||",
    "#",
    "_",
    ".T",
    "\u{e9}",
    "$",
    "#[tolerance(1e-3)]",
    "model M {",
    "module N<D> {",
    "fn f(x: real[S]) -> real {",
    "entry e(x: real[4] @client) -> real[4] @client {",
    "let a = f(x);",
    "for i in 0..4 {",
    "x[0..S, :]",
    "real[S, 4]",
    "f(x, 1)",
    "w: real[4] @server at \"w\",",
    "blocks: [N<4>; 2] @server at \"b.{}\",",
    "if a < b { x } else { y }",
];

fn words(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        text += WORDS[usize::from(*byte) % WORDS.len()];
        text.push(' ');
    }
    text
}

/// The tree's text without its spans.
fn bare(tree: &str) -> String {
    let mut pieces = tree.split("Span { file: FileId(0), ");
    let first = pieces.next().unwrap_or_default().to_string();
    pieces.fold(first, |text, piece| text + piece.split_once('}').map_or(piece, |(_, rest)| rest))
}
