use super::*;
use std::path::{Path, PathBuf};

/// Formatting gives `expected`, twice, and loses no token or comment.
fn check(text: &str, expected: &str) {
    assert_eq!(checked(text), expected);
}

fn checked(text: &str) -> String {
    let once = format(text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    let twice = format(&once).unwrap_or_else(|errors| panic!("{errors:?}\n{once}"));
    assert_eq!(once, twice, "formatting twice");
    assert_eq!(parts(text), parts(&once), "tokens and comments of\n{text}\nbecame\n{once}");
    assert!(once.lines().all(|line| line.trim_end() == line), "spaces at a line end in\n{once}");
    once
}

/// Tokens and comments, without their order and without what formatting may add or leave out.
fn parts(text: &str) -> (Vec<String>, Vec<String>) {
    let lexed = lex(FileId(0), text);
    let kept = |token: &Token| !matches!(token, Token::Comma | Token::OpenBrace | Token::CloseBrace);
    let tokens = lexed.tokens.iter().filter(|(_, token, _)| kept(token));
    let mut tokens: Vec<String> = tokens.map(|(start, _, end)| text[*start..*end].trim_end().to_string()).collect();
    tokens.sort();
    let comments = lexed.comments.iter().map(|(start, end)| text[*start..*end].trim_end().to_string());
    let mut comments: Vec<String> = comments.collect();
    comments.sort();
    (tokens, comments)
}

#[test]
fn odd_spacing_becomes_the_layout() {
    check(
        "use  nn :: { Linear ,gelu, } ;use a::{b};\n\n\n\ndim   S=128 ;\nconst D=2*S;\
         fn f < N >(x:real [ ..,S ],)->real{let a:int fixed<40,14> =- x [ 0 .. S,: ] . T;a }",
        "use nn::{Linear, gelu};\nuse a::b;\n\ndim S = 128;\nconst D = 2 * S;\n\n\
         fn f<N>(x: real[.., S]) -> real {\n    let a: int fixed<40, 14> = -x[0..S, :].T;\n    a\n}\n",
    );
}

#[test]
fn fields_stand_in_columns() {
    check(
        "model M{a:real[4]at\"x\"@server,long:[Linear<4,8>;2] at \"y.{}\" ,b:A,\n\n//c\n  c:A @client}",
        "model M {\n    a:    real[4]           @server at \"x\",\n    long: [Linear<4, 8>; 2]         at \"y.{}\",\n    \
         b:    A,\n\n    //c\n    c: A @client,\n}\n",
    );
}

#[test]
fn comments_keep_their_lines() {
    check(
        "// top\n\n//! doc\n// one\ndim S = 4; // behind\n// end of block\nfn f() -> real { // in\n\n// own\nx // value\n// last\n}\n// end",
        "// top\n\n//! doc\n\n// one\ndim S = 4;                                    // behind\n\n// end of block\n\
         fn f() -> real {\n    // in\n\n    // own\n    x                                         // value\n    \
         // last\n}\n// end\n",
    );
}

#[test]
fn comments_inside_a_line_move_above_it() {
    check(
        "fn f() -> real {\n    let x = // a\n        1 + // b\n        2; // c\n    x\n}",
        "fn f() -> real {\n    // a\n    // b\n    let x = 1 + 2;                            // c\n    x\n}\n",
    );
    check("module A { a: // x\n Linear< // y\n 4> }", "module A {\n    // x\n    // y\n    a: Linear<4>,\n}\n");
}

#[test]
fn comments_between_arguments_break_the_list() {
    check(
        "fn f() -> real { g(a, // first\n b) }",
        "fn f() -> real {\n    g(\n        a,                                    // first\n        b,\n    )\n}\n",
    );
}

#[test]
fn short_loops_and_choices_stay_on_one_line() {
    check(
        "fn f() -> real {\nfor b in bs {\nx = b(x);\n}\nif a {\n1\n} else if b { 2 } else {\n3 }\n}",
        "fn f() -> real {\n    for b in bs { x = b(x); }\n    if a { 1 } else if b { 2 } else { 3 }\n}\n",
    );
    check(
        "fn f() -> real { for i in 0..4 { x = i; y = i; } x }",
        "fn f() -> real {\n    for i in 0..4 {\n        x = i;\n        y = i;\n    }\n    x\n}\n",
    );
}

#[test]
fn long_lines_break_at_the_outermost_place() {
    let name = "a".repeat(30);
    let call = format!("{name}({name}, {name}, to: {name})");
    check(
        &format!("fn f() -> real {{ {call} }}"),
        &format!("fn f() -> real {{\n    {name}(\n        {name},\n        {name},\n        to: {name},\n    )\n}}\n"),
    );
    let sum = format!("{name} * 2 + {name} - {name} + {name}");
    check(
        &format!("fn f() -> real {{ {sum} }}"),
        &format!("fn f() -> real {{\n    {name} * 2\n        + {name}\n        - {name}\n        + {name}\n}}\n"),
    );
}

#[test]
fn attributes_and_docs_stand_above() {
    check(
        "/// A.\n#[ tolerance(1e-3) ] #[allow(leaks=\"permuted\",)] module A { /// B.\n a: real, #[x] fn f() -> real { 1 } }",
        "/// A.\n#[tolerance(1e-3)]\n#[allow(leaks = \"permuted\")]\nmodule A {\n    /// B.\n    a: real,\n\n    #[x]\n    \
         fn f() -> real {\n        1\n    }\n}\n",
    );
}

#[test]
fn tables_stand_on_one_line_or_on_two() {
    check(
        "fn f(S:int)->real[S]{[ i*2  for i  in 0 .. S, ]}",
        "fn f(S: int) -> real[S] {\n    [i * 2 for i in 0..S]\n}\n",
    );
    let name = "a".repeat(60);
    check(
        &format!("fn f() -> real {{ [{name} + {name} for i in 0..4, j in 1..2] }}"),
        &format!(
            "fn f() -> real {{\n    [\n        {name}\n            + {name}\n        for i in 0..4, j in 1..2\n    ]\n}}\n"
        ),
    );
    check("module A<N,EPS=1e-5,M=2*N,>{a:real[N]}", "module A<N, EPS = 1e-5, M = 2 * N> {\n    a: real[N],\n}\n");
}

#[test]
fn nothing_stays_nothing() {
    check("", "");
    check(" \n\n", "");
    check("// a", "// a\n");
    check("module A{}model B{ // b\n}", "module A {}\n\nmodel B {\n    // b\n}\n");
}

#[test]
fn errors_are_returned() {
    assert!(format("fn f( {").is_err());
}

#[test]
fn every_source_of_the_repository_keeps_its_tokens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders: Vec<PathBuf> = ["examples", "stdlib", "tests"].map(|folder| root.join(folder)).into();
    let mut checked_files = 0;
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source =
                path.extension().filter(|extension| *extension == "ptx").map(|_| std::fs::read_to_string(&path));
            let Some(Ok(text)) = source else { continue };
            if format(&text).is_ok() {
                checked(&text);
                checked_files += 1;
            }
        }
    }
    assert!(checked_files >= 4, "{checked_files} files");
}

/// A source whose tokens are then spread over lines, with comments between all of them.
#[test]
fn comments_anywhere_survive() {
    let text = include_str!("../../tests/whole.ptx");
    checked(text);
    let lexed = lex(FileId(0), text);
    for step in [1, 2, 3, 7] {
        let mut spread = String::new();
        for (index, (start, token, end)) in lexed.tokens.iter().enumerate() {
            spread.push_str(&text[*start..*end]);
            let is_doc = matches!(token, Token::Doc(_) | Token::FileDoc(_));
            match index % step == 0 && !is_doc {
                true if index % 2 == 0 => spread.push_str(&format!("\n// c{index}\n")),
                true => spread.push_str(&format!(" // c{index}\n\n")),
                false => spread.push_str(if is_doc { "\n" } else { " " }),
            }
        }
        checked(&spread);
    }
}
