//! No text makes the parser, the formatter or the renderer panic, hang or exhaust a small stack.

use ptc_syntax::codes;
use ptc_syntax::diagnostic::render;
use ptc_syntax::format::format;
use ptc_syntax::parse::parse;
use ptc_syntax::source::Sources;

const WHOLE: &str = include_str!("whole.ptx");
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Parses, renders, formats and drops on a stack of 512 KiB, and gives the codes.
fn check(text: &str) -> Vec<&'static str> {
    let run = || {
        let mut sources = Sources::default();
        let file = sources.add("a.ptx", text);
        let (tree, diagnostics) = parse(file, text);
        render(&diagnostics, &sources);
        for diagnostic in &diagnostics {
            let (start, end) = (diagnostic.span.start as usize, diagnostic.span.end as usize);
            assert!(start <= end && end <= text.len() && text.get(start..end).is_some(), "{diagnostic:?}");
        }
        assert_eq!(format(text).is_err(), !diagnostics.is_empty());
        drop(tree.clone());
        diagnostics.iter().map(|diagnostic| diagnostic.code.id).collect()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(512 << 10).spawn_scoped(scope, run);
        thread.expect("a thread starts").join().unwrap_or_else(|_| panic!("panicked on\n{text:?}"))
    })
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn every_prefix_parses() {
    assert_eq!(check(WHOLE), [""; 0]);
    for end in (0..WHOLE.len()).filter(|end| WHOLE.is_char_boundary(*end)).step_by(3) {
        check(&WHOLE[..end]);
    }
}

#[test]
fn mutated_sources_parse() {
    let mut random = Random(SEED);
    let words: Vec<&str> = WHOLE.split_inclusive(|letter: char| !letter.is_alphanumeric()).collect();
    for _ in 0..600 {
        let mut words = words.clone();
        for _ in 0..1 + random.below(6) {
            let (at, other) = (random.below(words.len()), random.below(words.len()));
            match random.below(4) {
                0 => drop(words.remove(at)),
                1 => words.swap(at, other),
                2 => words.insert(at, words[other]),
                _ => words.truncate(at.max(1)),
            }
        }
        check(&words.concat());
    }
}

#[test]
fn random_tokens_parse() {
    let mut random = Random(SEED);
    let words = [
        "use", "dim", "module", "model", "fn", "entry", "let", "for", "in", "if", "else", "at", "real", "fixed", "x",
        "Linear", "1", "1e999", "\"t\"", "\"", "@client", "@", "/// d\n", "//! d\n", "// c\n", "{", "}", "{", "}", "(",
        ")", "(", ")", "[", "]", "[", "]", ",", ",", ";", ";", ":", "::", ".", "..", "->", "#", "=", "+", "-", "<",
        ">", "!", "&&", "state", "updates", "\u{e9}", "$",
    ];
    for _ in 0..600 {
        let count = random.below(200);
        let text: Vec<&str> = (0..count).map(|_| words[random.below(words.len())]).collect();
        check(&text.join(" "));
    }
}

#[test]
fn random_bytes_parse() {
    let mut random = Random(SEED);
    for _ in 0..300 {
        let bytes: Vec<u8> = (0..random.below(400)).map(|_| random.below(256) as u8).collect();
        check(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn depth_has_a_limit() {
    let shapes: [(&str, &str, &str); 9] = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("f(", "1", ")"),
        ("x[", "1", "]"),
        ("{ ", "1", " }"),
        ("-", "1", ""),
        ("1 + ", "1", ""),
        ("", "x", ".T"),
        ("if a { 1 } else ", "{ 1 }", ""),
    ];
    for (open, inner, close) in shapes {
        let nested = |depth: usize| {
            let value = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            format!("fn f() -> real {{ {value} }}")
        };
        assert_eq!(check(&nested(60)), [""; 0], "{open}{close}");
        assert_eq!(check(&nested(100_000)), [codes::E0106.id], "{open}{close}");
    }
    assert_eq!(check(&"f( ], ".repeat(100_000)), [codes::E0106.id]);
    assert_eq!(check(&"for a in b { ".repeat(100_000)), [codes::E0106.id]);
}

#[test]
fn size_has_a_limit() {
    assert_eq!(check(&"// a\n".repeat(1 << 20)), [codes::E0002.id]);
}

#[test]
fn garbage_of_the_largest_size_is_refused_in_time() {
    for garbage in ["$ a ", "fn ; ", "} ", "a , ", "module { a b, ", "fn f() { let = ; } ", "/// d\n"] {
        assert!(!check(&garbage.repeat((1 << 20) / garbage.len())).is_empty());
    }
}
