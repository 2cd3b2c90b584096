//! The words of the editors' grammar are those of the lexer.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    std::fs::read_to_string(path).expect("in the repository")
}

/// `#[token("use")]` of the lexer.
fn of_lexer() -> BTreeSet<String> {
    let text = read("compiler/syntax/src/token.rs");
    let tokens = text.split("#[token(\"").skip(1).filter_map(|rest| rest.split('"').next());
    tokens.filter(|token| token.chars().all(char::is_alphabetic)).map(String::from).collect()
}

/// `\b(for|in)\b` of a part of the grammar.
fn of_grammar(grammar: &Value, parts: &[&str]) -> BTreeSet<String> {
    let rules = parts.iter().filter_map(|part| grammar["repository"][part]["patterns"].as_array()).flatten();
    let patterns = rules.filter_map(|rule| rule["match"].as_str());
    let words = patterns.flat_map(|pattern| pattern.split(['(', ')']).nth(1).unwrap_or_default().split('|'));
    words.map(String::from).collect()
}

#[test]
fn the_grammar_has_the_words_of_the_lexer() {
    let grammar: Value = serde_json::from_str(&read("editors/grammar/ptx.tmLanguage.json")).expect("JSON");
    assert_eq!(of_grammar(&grammar, &["keywords", "types"]), of_lexer());
}

#[test]
fn the_grammar_has_every_visibility() {
    let grammar: Value = serde_json::from_str(&read("editors/grammar/ptx.tmLanguage.json")).expect("JSON");
    let found = grammar["repository"]["visibility"]["patterns"][0]["match"].as_str().unwrap_or_default();
    assert_eq!(found, "@(public|client|server|secret)\\b");
}

#[test]
fn the_extension_names_the_grammar_and_its_scope() {
    let package: Value = serde_json::from_str(&read("editors/vscode/package.json")).expect("JSON");
    let grammar: Value = serde_json::from_str(&read("editors/grammar/ptx.tmLanguage.json")).expect("JSON");
    let named = &package["contributes"]["grammars"][0];
    assert_eq!(named["scopeName"], grammar["scopeName"]);
    assert_eq!(named["language"], package["contributes"]["languages"][0]["id"]);
}
