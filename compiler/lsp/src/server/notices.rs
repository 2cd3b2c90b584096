//! What the editor tells: which files are open, and what is typed.

use lsp_server::Notification;
use lsp_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Server;
use crate::uri;

impl Server {
    pub(super) fn notice(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        match method.as_str() {
            "textDocument/didOpen" => {
                let Some(DidOpenTextDocumentParams { text_document }) = read(params) else { return };
                let Some(path) = uri::path(&text_document.uri) else { return };
                self.documents.open(path, text_document.version, text_document.text);
                self.stale = Some(std::time::Instant::now());
            }
            "textDocument/didChange" => {
                let Some(DidChangeTextDocumentParams { text_document, content_changes }) = read(params) else { return };
                let Some(path) = uri::path(&text_document.uri) else { return };
                self.documents.change(&path, text_document.version, content_changes);
                // What is built now is of a text that nobody has any more.
                let using: Vec<_> =
                    self.models.iter().filter(|(_, read)| read.analysis.file(&path).is_some()).collect();
                let using: Vec<_> = using.into_iter().map(|(root, _)| root.clone()).collect();
                using.iter().for_each(|root| self.builder.stop(root));
                self.touch();
            }
            "textDocument/didClose" => {
                let Some(DidCloseTextDocumentParams { text_document }) = read(params) else { return };
                let Some(path) = uri::path(&text_document.uri) else { return };
                self.documents.close(&path);
                self.builder.stop(&path);
                self.touch();
            }
            // A file beside an open one may have changed on the disk, or its ranges.
            "textDocument/didSave" => {
                let known: Option<DidSaveTextDocumentParams> = read(params);
                if known.is_some() {
                    self.forget_prices();
                }
            }
            "workspace/didChangeWatchedFiles" => self.forget_prices(),
            _ => {}
        }
    }
}

impl Server {
    /// What a plan is built of besides texts has changed, ranges for example.
    fn forget_prices(&mut self) {
        for (root, read) in &mut self.models {
            self.builder.stop(root);
            read.prices = None;
        }
        self.touch();
    }
}

/// Parameters of the wrong form are those of an editor that means something else.
pub(super) fn read<T: DeserializeOwned>(parameters: Value) -> Option<T> {
    serde_json::from_value(parameters).ok()
}
