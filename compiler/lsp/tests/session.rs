//! An editor's session, message by message, at the other end of a connection in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lsp_server::{Connection, Message, Notification, Request};
use ptc_driver::search::Search;
use ptc_lsp::{Options, serve};
use ptc_plan::file::Trust;
use serde_json::{Value, json};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

const MODEL: &str = "use nn::{Linear, relu};
use layers::Twice;

dim S = 4;
const D = 8;

model M {
    up: Linear<D, D> @server,
    twice: Twice<D> @server,

    entry infer(x: real[S, D] @client) -> real[S, D] @client {
        let a = up(x);
        relu(twice(a))
    }
}
";

const LAYERS: &str = "use nn::{Linear};

/// Two layers with one weight.
module Twice<D> {
    inner: Linear<D, D>,

    fn forward(x: real[.., D]) -> real[.., D] {
        inner(inner(x))
    }
}
";

struct Editor {
    connection: Option<Connection>,
    server: Option<JoinHandle<Result<(), String>>>,
    folder: tempfile::TempDir,
    requests: i32,
    /// What was told of files, oldest first.
    told: Vec<Value>,
}

impl Editor {
    fn start() -> Editor {
        let (here, there) = Connection::memory();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("layers.ptx"), LAYERS).expect("a file");
        let asked = |_: &Path| {
            let request = ptc_driver::Request { search: Some(Search::default()), ..Default::default() };
            Ok((request, Trust::default()))
        };
        let options = Options { asked: Arc::new(asked), cache: Some(folder.path().join("cache")) };
        let server = Some(thread::spawn(move || serve(there, options)));
        let mut editor = Editor { connection: Some(here), server, folder, requests: 0, told: vec![] };
        let found = editor.ask("initialize", json!({ "capabilities": {} }));
        assert_eq!(found["capabilities"]["hoverProvider"], true, "{found}");
        editor.tell("initialized", json!({}));
        editor
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn uri(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("open until the end")
    }

    fn tell(&self, method: &str, params: Value) {
        let message = Message::Notification(Notification { method: method.into(), params });
        self.connection().sender.send(message).expect("the server listens");
    }

    fn open(&self, name: &str, text: &str) {
        let document = json!({ "uri": self.uri(name), "languageId": "ptx", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&self, name: &str, version: i32, text: &str) {
        let document = json!({ "uri": self.uri(name), "version": version });
        let change = json!({ "textDocument": document, "contentChanges": [{ "text": text }] });
        self.tell("textDocument/didChange", change);
    }

    fn next(&mut self) -> Message {
        let message = self.connection().receiver.recv_timeout(PATIENCE).expect("the server answers");
        if let Message::Notification(notification) = &message {
            assert_ne!(notification.method, "window/logMessage", "{notification:?}");
            if notification.method == "textDocument/publishDiagnostics" {
                self.told.push(notification.params.clone());
            }
        }
        message
    }

    fn response(&mut self, method: &str, params: Value) -> lsp_server::Response {
        self.requests += 1;
        let id: lsp_server::RequestId = self.requests.into();
        let request = Request { id: id.clone(), method: method.into(), params };
        self.connection().sender.send(Message::Request(request)).expect("the server listens");
        loop {
            if let Message::Response(response) = self.next()
                && response.id == id
            {
                return response;
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let response = self.response(method, params);
        assert!(response.error.is_none(), "{response:?}");
        response.result.unwrap_or_default()
    }

    /// At the `nth` place where `text` has `word`, counted from 0, and so many letters behind its start.
    fn at(&self, name: &str, text: &str, word: &str, nth: usize) -> Value {
        let (at, _) = text.match_indices(word).nth(nth).expect("the word is there");
        let (line, before) = (text[..at].matches('\n').count(), text[..at].rfind('\n').map_or(0, |end| end + 1));
        json!({ "textDocument": { "uri": self.uri(name) }, "position": { "line": line, "character": at - before } })
    }

    fn hover(&mut self, name: &str, text: &str, word: &str, nth: usize) -> String {
        let found = self.ask("textDocument/hover", self.at(name, text, word, nth));
        found["contents"]["value"].as_str().unwrap_or_default().to_string()
    }

    /// Until the hover has `wanted`: prices come when they are known.
    fn hover_until(&mut self, name: &str, text: &str, word: &str, nth: usize, wanted: &str) -> String {
        let start = Instant::now();
        loop {
            let found = self.hover(name, text, word, nth);
            if found.contains(wanted) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "no `{wanted}` in\n{found}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is told of a file next.
    fn problems(&mut self, name: &str) -> Vec<Value> {
        let uri = self.uri(name);
        loop {
            let at = self.told.iter().position(|told| told["uri"] == uri);
            if let Some(at) = at {
                return self.told.remove(at)["diagnostics"].as_array().cloned().unwrap_or_default();
            }
            self.next();
        }
    }

    fn end(mut self) {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        assert!(self.response("textDocument/hover", json!({})).error.is_some(), "the session has ended");
        self.tell("exit", Value::Null);
        drop(self.connection.take());
        let done = self.server.take().expect("started").join().expect("no panic");
        assert_eq!(done, Ok(()));
    }
}

#[test]
fn a_session_from_greeting_to_goodbye() {
    let mut editor = Editor::start();
    editor.open("m.ptx", MODEL);
    assert_eq!(editor.problems("m.ptx"), [] as [Value; 0]);
    let typed = MODEL.replace("relu(twice", "gleu(twice");
    editor.change("m.ptx", 2, &typed);
    let found = editor.problems("m.ptx");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["code"], "E0201");
    assert_eq!(
        found[0]["range"],
        json!({ "start": { "line": 12, "character": 8 }, "end": { "line": 12, "character": 12 } })
    );
    let message = found[0]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("unknown function `gleu`\nhint: did you mean"), "{message}");
    assert!(message.ends_with("(`ptc help E0201` says more)"), "{message}");
    let page = found[0]["codeDescription"]["href"].as_str().unwrap_or_default().trim_start_matches("file://");
    assert!(std::fs::read_to_string(page).expect("a page").starts_with("# E0201: "));
    editor.change("m.ptx", 3, MODEL);
    assert_eq!(editor.problems("m.ptx"), [] as [Value; 0]);
    editor.end();
}

#[test]
fn a_hint_can_be_applied() {
    let mut editor = Editor::start();
    let typed = MODEL.replace("relu(twice", "rellu(twice");
    editor.open("m.ptx", &typed);
    assert_eq!(editor.problems("m.ptx").len(), 1);
    let range = json!({ "start": { "line": 12, "character": 9 }, "end": { "line": 12, "character": 9 } });
    let asked =
        json!({ "textDocument": { "uri": editor.uri("m.ptx") }, "range": range, "context": { "diagnostics": [] } });
    let found = editor.ask("textDocument/codeAction", asked);
    let edit = &found[0]["edit"]["changes"][editor.uri("m.ptx")][0];
    assert_eq!(edit["newText"], "relu", "{found}");
    assert_eq!(edit["range"]["start"], json!({ "line": 12, "character": 8 }));
    editor.end();
}

#[test]
fn a_secret_product_has_type_ring_bound_error_and_price() {
    let mut editor = Editor::start();
    let text = "dim S = 4;

model M {
    w: real[S, 8] @server,

    entry infer(x: real[2, S] @client) -> real[2, 8] @client {
        let a = matmul(x, w);
        a + 1
    }
}
";
    editor.open("m.ptx", text);
    let found = editor.hover("m.ptx", text, "matmul", 0);
    assert!(found.contains("matmul(x, w): real[2, 8] @secret"), "{found}");
    assert!(found.contains("matmul(a, b)"), "{found}");
    let found = editor.hover_until("m.ptx", text, "a = matmul", 0, "in `M.infer`");
    assert!(found.contains("a: real[2, 8] @secret"), "{found}");
    assert!(found.contains("this line: ") && found.contains("round"), "{found}");
    assert!(found.contains("static_matmul") || found.contains("matmul"), "{found}");
    assert!(found.contains("errs by at most") && found.contains("between"), "{found}");
    let lens = editor.ask("textDocument/codeLens", json!({ "textDocument": { "uri": editor.uri("m.ptx") } }));
    let title = lens[0]["command"]["title"].as_str().unwrap_or_default().to_string();
    assert!(title.contains("rounds") && title.contains("on `lan`"), "{lens}");
    editor.end();
}

#[test]
fn a_module_has_the_price_of_everything_below_it() {
    let mut editor = Editor::start();
    editor.open("m.ptx", MODEL);
    let found = editor.hover_until("m.ptx", MODEL, "twice(a)", 0, "all of `twice`");
    assert!(found.contains("twice: Twice<8> @server"), "{found}");
    editor.open("layers.ptx", LAYERS);
    let inner = editor.hover_until("layers.ptx", LAYERS, "inner(x)", 0, "all of `inner`");
    assert!(inner.contains("inner: Linear<8, 8> @server"), "{inner}");
    let x = editor.hover("layers.ptx", LAYERS, "x))", 0);
    assert!(x.contains("real[4, 8] @secret"), "{x}");
    editor.end();
}

#[test]
fn names_lead_to_their_declarations() {
    let mut editor = Editor::start();
    editor.open("m.ptx", MODEL);
    let mut check = |word: &str, nth: usize, file: &str, line: u64| {
        let found = editor.ask("textDocument/definition", editor.at("m.ptx", MODEL, word, nth));
        let uri = found["uri"].as_str().unwrap_or_default().to_string();
        assert!(uri.ends_with(file), "{word}: {found}");
        assert_eq!(found["range"]["start"]["line"], line, "{word}: {found}");
        uri
    };
    check("up(x)", 0, "/m.ptx", 7);
    check("x)", 0, "/m.ptx", 10);
    check("D]", 0, "/m.ptx", 4);
    check("S, D] @client {", 0, "/m.ptx", 3);
    check("Twice<D>", 0, "/layers.ptx", 3);
    check("layers", 0, "/layers.ptx", 0);
    let library = check("nn", 0, "/stdlib/nn.ptx", 0);
    let path = library.trim_start_matches("file://");
    assert!(std::fs::metadata(path).expect("written").permissions().readonly());
    let text = std::fs::read_to_string(path).expect("readable");
    let line = text.lines().position(|line| line.starts_with("module Linear")).expect("declared there");
    check("Linear<D, D>", 0, "/stdlib/nn.ptx", line as u64);
    let found = editor.hover("m.ptx", MODEL, "Linear<D, D>", 0);
    assert!(found.contains("module Linear<IN, OUT"), "{found}");
    let uses = editor.ask("textDocument/references", {
        let mut asked = editor.at("m.ptx", MODEL, "twice(a)", 0);
        asked["context"] = json!({ "includeDeclaration": true });
        asked
    });
    assert_eq!(uses.as_array().map(Vec::len), Some(2), "{uses}");
    editor.end();
}

#[test]
fn the_layout_is_that_of_the_formatter() {
    let mut editor = Editor::start();
    let asked = |editor: &Editor| json!({ "textDocument": { "uri": editor.uri("m.ptx") }, "options": { "tabSize": 4, "insertSpaces": true } });
    editor.open("m.ptx", "dim   S=4;\n");
    let found = editor.ask("textDocument/formatting", asked(&editor));
    assert_eq!(found[0]["newText"], "dim S = 4;\n");
    editor.change("m.ptx", 2, "dim S = 4;\n");
    assert_eq!(editor.ask("textDocument/formatting", asked(&editor)), json!([]));
    editor.change("m.ptx", 3, "dim S = ;\n");
    assert_eq!(editor.ask("textDocument/formatting", asked(&editor)), Value::Null);
    editor.end();
}

#[test]
fn what_is_typed_counts_and_not_the_disk() {
    let mut editor = Editor::start();
    editor.open("m.ptx", MODEL);
    assert_eq!(editor.problems("m.ptx"), [] as [Value; 0]);
    editor.open("layers.ptx", &LAYERS.replace("module Twice", "module Thrice"));
    let found = editor.problems("m.ptx");
    assert_eq!(found.first().map(|found| &found["code"]), Some(&json!("E0203")), "{found:?}");
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": editor.uri("layers.ptx") } }));
    assert_eq!(editor.problems("m.ptx"), [] as [Value; 0]);
    editor.end();
}

#[test]
fn a_file_with_errors_still_answers() {
    let mut editor = Editor::start();
    let text = MODEL.replace("dim S = 4;", "dim S = 4;\ndim T = = 3;").replace("let a", "let b = x +;\n        let a");
    editor.open("m.ptx", &text);
    assert!(editor.problems("m.ptx").len() >= 2);
    let found = editor.hover("m.ptx", &text, "a = up", 0);
    assert!(found.contains("a: real[4, 8] @secret"), "{found}");
    let found = editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": editor.uri("m.ptx") } }));
    assert!(found.to_string().contains("\"infer\""), "{found}");
    editor.end();
}

#[test]
fn what_a_pass_refuses_is_told_too() {
    let mut editor = Editor::start();
    let text = include_str!("../../../tests/ui/driver/too_wide.ptx");
    editor.open("m.ptx", text);
    let _ = editor.problems("m.ptx");
    let found = editor.problems("m.ptx");
    assert!(found.iter().any(|found| found["code"].as_str().is_some_and(|code| code.starts_with("E06"))), "{found:?}");
    editor.end();
}

#[test]
fn names_are_completed() {
    let mut editor = Editor::start();
    let text = MODEL.replace("let a = up(x);", "let a = up(x);\n        let b = twice.");
    editor.open("m.ptx", &text);
    let mut labels = |word: &str, behind: u64| {
        let mut asked = editor.at("m.ptx", &text, word, 0);
        asked["position"]["character"] = json!(asked["position"]["character"].as_u64().unwrap_or(0) + behind);
        let found = editor.ask("textDocument/completion", asked);
        let found = found.as_array().cloned().unwrap_or_default();
        found.iter().map(|item| item["label"].as_str().unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    assert!(labels("@client", 1).contains(&"server".to_string()));
    assert!(labels("Linear, ", 0).contains(&"LayerNorm".to_string()));
    assert!(labels("twice.", 6).contains(&"inner".to_string()));
    let names = labels("up(x)", 0);
    for name in ["x", "up", "twice", "relu", "D", "matmul"] {
        assert!(names.contains(&name.to_string()), "{name} in {names:?}");
    }
    editor.end();
}

#[test]
fn nonsense_is_refused_and_the_session_goes_on() {
    let mut editor = Editor::start();
    assert!(editor.response("textDocument/hover", json!({ "position": 3 })).error.is_some());
    assert!(editor.response("no/such", json!({})).error.is_some());
    editor.tell("textDocument/didChange", json!([1, 2]));
    editor.tell(
        "textDocument/didOpen",
        json!({ "textDocument": { "uri": "untitled:1", "languageId": "ptx", "version": 1, "text": "x" } }),
    );
    editor.open("m.ptx", MODEL);
    assert_eq!(editor.problems("m.ptx"), [] as [Value; 0]);
    editor.end();
}

/// Every prefix of a model, as somebody types it from the first letter to the last.
#[test]
fn a_model_can_be_typed_letter_by_letter() {
    let mut editor = Editor::start();
    editor.open("m.ptx", "");
    for (version, end) in (0..MODEL.len()).step_by(3).enumerate() {
        editor.change("m.ptx", version as i32 + 2, &MODEL[..end]);
        let line = MODEL[..end].matches('\n').count();
        let position = json!({ "line": line, "character": 2 });
        let at = json!({ "textDocument": { "uri": editor.uri("m.ptx") }, "position": position });
        for question in ["hover", "definition", "completion", "documentHighlight"] {
            editor.ask(&format!("textDocument/{question}"), at.clone());
        }
    }
    editor.end();
}
