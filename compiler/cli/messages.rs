//! What a command tells on standard error besides its result: lines for people, or one JSON object a line for programs.
//!
//! How they are told is the process's, chosen once on its command line. `compiler/cli/messages.md` is the form for programs.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ptc_syntax::diagnostic::described::describe;
use ptc_syntax::diagnostic::{self, Diagnostic};
use ptc_syntax::source::Sources;
use serde_json::{Map, Value, json};

/// What `ptc help messages` prints.
pub const FORM: &str = include_str!("messages.md");

static JSON: AtomicBool = AtomicBool::new(false);
static QUIET: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object a line: `ptc help messages` says which.
    Json,
}

#[derive(clap::Args)]
pub struct Manner {
    /// How errors, warnings, notes and progress are told on standard error.
    #[arg(long, value_enum, default_value_t = Format::Human, global = true, hide_default_value = true)]
    message_format: Format,
    /// Tell warnings and errors, and nothing else.
    #[arg(short, long, global = true)]
    quiet: bool,
}

impl Manner {
    pub fn choose(&self) {
        choose(self.message_format, self.quiet);
    }
}

pub fn choose(format: Format, quiet: bool) {
    JSON.store(format == Format::Json, Ordering::Relaxed);
    QUIET.store(quiet, Ordering::Relaxed);
}

pub fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// What is going on, or what was done: left away by `--quiet`.
pub fn say(text: &str) {
    if !is_quiet() {
        tell(text, || json!({ "kind": "progress", "text": text }));
    }
}

/// How far a phase is, with what programs get besides: left away by `--quiet`.
pub fn progress(text: &str, data: impl FnOnce() -> Value) {
    if !is_quiet() {
        tell(text, || with("progress", json!({ "text": text }), data()));
    }
}

/// Tells how far long work is, now and then: its first step and then one every so often.
#[derive(Default)]
pub struct Seldom {
    told: Option<Instant>,
}

impl Seldom {
    const BETWEEN: Duration = Duration::from_secs(3);

    pub fn say(&mut self, text: impl FnOnce() -> String) {
        if self.told.is_none_or(|told| told.elapsed() >= Seldom::BETWEEN) {
            say(&text());
            self.told = Some(Instant::now());
        }
    }
}

/// What a user may want to know: left away by `--quiet`.
pub fn note(text: &str) {
    if !is_quiet() {
        plain("note", None, text);
    }
}

pub fn warning(text: &str) {
    plain("warning", None, text);
}

/// A failure with what would mend it.
pub fn error(code: Option<&str>, text: &str, hint: Option<&str>) {
    match hint {
        Some(hint) => plain("error", code, &format!("{text}\nhint: {hint}")),
        None => plain("error", code, text),
    }
}

/// A table for people that programs get as data: left away by `--quiet`.
pub fn table(kind: &str, text: &str, data: impl FnOnce() -> Value) {
    if !is_quiet() {
        tell(text.trim_end_matches('\n'), || with(kind, json!({}), data()));
    }
}

/// One object of a kind, with the keys of both.
fn with(kind: &str, first: Value, second: Value) -> Value {
    let mut object = Map::from_iter([("kind".to_string(), kind.into())]);
    for part in [first, second] {
        if let Value::Object(part) = part {
            object.extend(part);
        }
    }
    object.into()
}

/// Errors and warnings in a source.
pub fn diagnostics(diagnostics: &[Diagnostic], sources: &Sources) {
    if !is_json() {
        return diagnostic::print(diagnostics, sources);
    }
    for diagnostic in diagnostics {
        line(&of_diagnostic(diagnostic, sources).to_string());
    }
}

fn of_diagnostic(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let described = serde_json::to_value(describe(diagnostic, sources)).unwrap_or_default();
    let rendered = diagnostic::render(std::slice::from_ref(diagnostic), sources);
    with("diagnostic", described, json!({ "rendered": rendered }))
}

fn plain(severity: &str, code: Option<&str>, text: &str) {
    let shown = code.map_or(String::new(), |code| format!("[{code}]"));
    tell(&format!("{severity}{shown}: {text}"), || of_text(severity, code, text));
}

/// The last line of a message may be its hint.
fn of_text(severity: &str, code: Option<&str>, text: &str) -> Value {
    let (message, hint) = match text.rsplit_once("\nhint: ") {
        Some((message, hint)) => (message, Some(hint)),
        None => (text, None),
    };
    let mut object = json!({ "kind": "diagnostic", "severity": severity, "message": message });
    for (key, value) in [("code", code), ("hint", hint)] {
        if let Some(value) = value {
            object[key] = value.into();
        }
    }
    object
}

fn tell(text: &str, object: impl FnOnce() -> Value) {
    match is_json() {
        true => line(&object().to_string()),
        false => line(text),
    }
}

/// Nobody to listen is no reason to end.
fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use ptc_syntax::codes;
    use ptc_syntax::span::Span;

    use super::*;

    #[test]
    fn the_last_line_of_a_text_is_its_hint() {
        let found = of_text("error", Some("R0101"), "`a` is [2]\nhint: write\nhint: it again");
        let expected = json!({
            "kind": "diagnostic", "severity": "error", "code": "R0101",
            "message": "`a` is [2]\nhint: write", "hint": "it again"
        });
        assert_eq!(found, expected);
        let expected = json!({ "kind": "diagnostic", "severity": "note", "message": "one\ntwo" });
        assert_eq!(of_text("note", None, "one\ntwo"), expected);
    }

    #[test]
    fn a_source_error_has_its_places_and_its_rendered_form() {
        let mut sources = Sources::default();
        let file = sources.add("a.ptx", "dim S = gleu;\n");
        let diagnostic = Diagnostic::new(codes::E0201, Span::new(file, 8, 12), "no `gleu`").hint("look");
        let found = of_diagnostic(&diagnostic, &sources);
        assert_eq!((&found["kind"], &found["code"]), (&"diagnostic".into(), &"E0201".into()));
        assert_eq!((&found["place"]["line"], &found["place"]["column"]), (&1.into(), &9.into()));
        assert!(found["rendered"].as_str().unwrap().contains("error[E0201]: no `gleu`"));
    }

    #[test]
    fn the_form_for_programs_names_every_kind() {
        for kind in ["diagnostic", "progress", "statistics"] {
            assert!(FORM.contains(&format!("`{kind}`")), "{kind}");
        }
    }
}
