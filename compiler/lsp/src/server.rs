//! One message after the other: texts change, questions are answered, what is wrong is told.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use lsp_server::{Connection, ErrorCode, Message, Notification, Response};
use lsp_types::{
    CodeActionProviderCapability, CodeLensOptions, CompletionOptions, Diagnostic, HoverProviderCapability, OneOf,
    PublishDiagnosticsParams, SaveOptions, ServerCapabilities, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextDocumentSyncSaveOptions,
};
use ptc_syntax::span::FileId;
use serde_json::{Value, json};

use crate::Options;
use crate::analysis::{Analysis, analyse, fitting};
use crate::documents::Documents;
use crate::hover::Model;
use crate::library::Library;
use crate::prices::{Builder, Job, Prices};
use crate::problems::by_file;
use crate::uri;

mod notices;
mod questions;

/// How long nobody types before a text is read again.
const PAUSE: Duration = Duration::from_millis(150);

enum Event {
    Message(Message),
    Priced(PathBuf, u64, Prices),
    /// The editor is gone.
    End,
}

pub struct Server {
    sender: Box<dyn Fn(Message)>,
    options: Options,
    documents: Documents,
    library: Library,
    /// Of every open file.
    models: BTreeMap<PathBuf, Read>,
    builder: Builder,
    /// When the texts that have changed are read again.
    stale: Option<Instant>,
    /// Files of which something was told.
    told: BTreeSet<PathBuf>,
    /// The editor has asked for the end.
    ending: bool,
    /// The editor shows prices above entries and asks again when told to.
    refreshes: bool,
    requests: i32,
}

/// An open file, read.
pub(crate) struct Read {
    analysis: Analysis,
    prices: Option<Prices>,
    /// Why no plan can be asked for.
    problem: Option<String>,
}

pub fn serve(connection: Connection, options: Options) -> Result<(), String> {
    let broke = |error: &dyn std::fmt::Display| format!("the connection to the editor broke: {error}");
    let (id, parameters) = connection.initialize_start().map_err(|error| broke(&error))?;
    let answer = json!({
        "capabilities": capabilities(),
        "serverInfo": { "name": "ptc", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, answer).map_err(|error| broke(&error))?;
    let (events, waiting) = channel();
    let Connection { sender, receiver } = connection;
    let messages: Sender<Event> = events.clone();
    let reader = thread::spawn(move || {
        for message in receiver {
            let is_end = matches!(&message, Message::Notification(notification) if notification.method == "exit");
            if messages.send(Event::Message(message)).is_err() || is_end {
                return;
            }
        }
        let _ = messages.send(Event::End);
    });
    let priced = move |root, number, prices| {
        let _ = events.send(Event::Priced(root, number, prices));
    };
    let refreshes = parameters.pointer("/capabilities/workspace/codeLens/refreshSupport").and_then(Value::as_bool);
    let mut server = Server {
        sender: Box::new(move |message| {
            // An editor that is gone reads nothing; the reader notices.
            let _ = sender.send(message);
        }),
        library: Library::open(options.cache.as_deref()),
        options,
        documents: Documents::default(),
        models: BTreeMap::new(),
        builder: Builder::start(priced).map_err(|error| format!("no thread can be started: {error}"))?,
        stale: None,
        told: BTreeSet::new(),
        ending: false,
        refreshes: refreshes.unwrap_or(false),
        requests: 0,
    };
    server.run(waiting);
    drop(server);
    let _ = reader.join();
    Ok(())
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions { include_text: Some(false) })),
            ..TextDocumentSyncOptions::default()
        })),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Simple(true)),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(false) }),
        inlay_hint_provider: Some(OneOf::Left(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(vec!["@".into(), ".".into()]),
            ..CompletionOptions::default()
        }),
        ..ServerCapabilities::default()
    }
}

impl Server {
    fn run(&mut self, waiting: Receiver<Event>) {
        loop {
            let event = match self.stale {
                None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(when) => waiting.recv_timeout(when.saturating_duration_since(Instant::now())),
            };
            let goes_on = match event {
                Err(RecvTimeoutError::Timeout) => self.guarded("reading", |server| server.read_stale()).is_some(),
                Err(RecvTimeoutError::Disconnected) | Ok(Event::End) => return,
                Ok(Event::Priced(root, number, prices)) => {
                    self.guarded("a price", |server| server.priced(&root, number, prices)).is_some()
                }
                Ok(Event::Message(Message::Notification(notification))) if notification.method == "exit" => return,
                Ok(Event::Message(message)) => self.message(message),
            };
            if !goes_on {
                self.stale = None;
            }
        }
    }

    /// A fault of ours must not end the editor's session. None when there was one, which is told.
    fn guarded<T>(&mut self, what: &str, act: impl FnOnce(&mut Server) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| act(self)));
        if done.is_err() {
            let text = format!("ptc: {what} failed; this is a fault of ptc, and the text stays as it is");
            self.notify("window/logMessage", json!({ "type": 1, "message": text }));
        }
        done.ok()
    }

    fn message(&mut self, message: Message) -> bool {
        match message {
            Message::Request(request) => {
                let id = request.id.clone();
                let what = request.method.clone();
                let response = self.guarded(&what, |server| server.answer(request));
                let failed = || Response::new_err(id, ErrorCode::InternalError as i32, format!("`{what}` failed"));
                self.send(Message::Response(response.unwrap_or_else(failed)));
            }
            Message::Notification(notification) => {
                let what = notification.method.clone();
                self.guarded(&what, |server| server.notice(notification));
            }
            Message::Response(_) => {}
        }
        true
    }

    fn send(&self, message: Message) {
        (self.sender)(message);
    }

    fn notify(&self, method: &str, parameters: Value) {
        self.send(Message::Notification(Notification { method: method.into(), params: parameters }));
    }

    /// A text has changed: it is read again when nothing changes for a while.
    fn touch(&mut self) {
        self.stale = Some(Instant::now() + PAUSE);
    }

    /// Reads what has changed, before a question about it is answered.
    fn read_stale(&mut self) {
        if self.stale.take().is_none() {
            return;
        }
        let open: Vec<PathBuf> = self.documents.iter().map(|(path, _)| path.to_path_buf()).collect();
        self.models.retain(|path, _| open.contains(path));
        for path in &open {
            self.read(path);
        }
        self.tell();
    }

    fn read(&mut self, path: &Path) {
        let asked = (self.options.asked)(path);
        let request = asked.as_ref().map(|(request, _)| request.clone()).unwrap_or_default();
        let Some(analysis) = analyse(path, &self.documents, &self.library, &request) else { return };
        let before = self.models.remove(path);
        let is_same = before.as_ref().is_some_and(|before| before.analysis.is_of_same_texts(&analysis));
        let prices = before.filter(|_| is_same).and_then(|before| before.prices);
        let entries = analysis.entries();
        let mut problem = None;
        match asked {
            _ if prices.is_some() || (is_same && self.builder.is_busy(path)) => {}
            _ if entries.is_empty() => self.builder.stop(path),
            Err(text) => problem = Some(text),
            Ok((request, trust)) => {
                let text = analysis.sources.text(FileId(0)).to_string();
                let (beside, request) = (beside(&analysis, path), fitting(&analysis.program, &request));
                self.builder.ask(Job { root: path.to_path_buf(), text, beside, entries, request, trust });
            }
        }
        self.models.insert(path.to_path_buf(), Read { analysis, prices, problem });
    }

    fn priced(&mut self, root: &Path, number: u64, prices: Prices) {
        if !self.builder.is_wanted(root, number) {
            return;
        }
        if let Some(read) = self.models.get_mut(root) {
            read.prices = Some(prices);
        }
        self.tell();
        if self.refreshes {
            self.requests += 1;
            let id = self.requests.into();
            let request = lsp_server::Request { id, method: "workspace/codeLens/refresh".into(), params: Value::Null };
            self.send(Message::Request(request));
        }
    }

    /// What is wrong in every file that an open one uses.
    fn tell(&mut self) {
        let mut all: BTreeMap<PathBuf, Vec<Diagnostic>> = BTreeMap::new();
        for read in self.models.values() {
            for (path, found) in self.problems(read) {
                let known = all.entry(path).or_default();
                for diagnostic in found {
                    if !known.contains(&diagnostic) {
                        known.push(diagnostic);
                    }
                }
            }
        }
        let open = self.documents.iter().map(|(path, _)| path.to_path_buf());
        let files: BTreeSet<PathBuf> = all.keys().cloned().chain(open).chain(self.told.iter().cloned()).collect();
        self.told = all.keys().cloned().collect();
        for path in files {
            let Some(uri) = uri::of(&path) else { continue };
            let diagnostics = all.remove(&path).unwrap_or_default();
            let version = self.documents.get(&path).map(|document| document.version);
            let parameters = PublishDiagnosticsParams { uri, diagnostics, version };
            if let Ok(parameters) = serde_json::to_value(parameters) {
                self.notify("textDocument/publishDiagnostics", parameters);
            }
        }
    }

    fn problems(&self, read: &Read) -> BTreeMap<PathBuf, Vec<Diagnostic>> {
        let analysis = &read.analysis;
        let mut found = by_file(&analysis.diagnostics, &analysis.sources, &|file| analysis.path(file), &self.library);
        if let Some(failure) = read.prices.as_ref().and_then(|prices| prices.failure.as_ref()) {
            // The build has read the same texts in the same order of names, not of numbers.
            let path = |file: FileId| {
                let name = failure.sources.name(file);
                analysis.paths().find(|path| path.as_os_str() == name || path.ends_with(name))
            };
            for (path, more) in by_file(&failure.diagnostics, &failure.sources, &path, &self.library) {
                found.entry(path).or_default().extend(more);
            }
        }
        found
    }

    /// The models that use a file, its own first.
    fn models_of(&self, path: &Path) -> Vec<Model<'_>> {
        let own = self.models.get_key_value(path).into_iter();
        let others = self.models.iter().filter(|(root, read)| *root != path && read.analysis.file(path).is_some());
        own.chain(others)
            .map(|(root, read)| Model {
                analysis: &read.analysis,
                prices: read.prices.as_ref(),
                busy: self.builder.is_busy(root),
                problem: read.problem.as_deref(),
            })
            .collect()
    }
}

/// The files that a model was read from, by the names that their uses have.
fn beside(analysis: &Analysis, root: &Path) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    for path in analysis.paths().filter(|path| *path != root && path.parent() == root.parent()) {
        let (Some(file), Some(name)) = (analysis.file(path), path.file_stem().and_then(|name| name.to_str())) else {
            continue;
        };
        found.insert(name.to_string(), (path.display().to_string(), analysis.sources.text(file).to_string()));
    }
    found
}
