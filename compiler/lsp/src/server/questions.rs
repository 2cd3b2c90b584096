//! What the editor asks.

use lsp_server::{ErrorCode, Request, Response};
use lsp_types::{
    CodeActionParams, CodeLensParams, CompletionParams, DocumentFormattingParams, DocumentSymbolParams,
    DocumentSymbolResponse, InlayHintParams, Position, ReferenceParams, TextDocumentPositionParams, TextEdit, Uri,
};
use ptc_syntax::span::FileId;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

use super::Server;
use super::notices::read;
use crate::position::Lines;
use crate::{actions, completion, hints, hover, navigate, symbols, uri};

impl Server {
    pub(super) fn answer(&mut self, request: Request) -> Response {
        let Request { id, method, params } = request;
        if self.ending {
            return Response::new_err(id, ErrorCode::InvalidRequest as i32, "the session has ended".into());
        }
        self.read_stale();
        let answer = match method.as_str() {
            "shutdown" => {
                self.ending = true;
                Some(Value::Null)
            }
            "textDocument/hover" => {
                self.at(params, |server, path, position| json(hover::hover(&server.models_of(&path), &path, position)))
            }
            "textDocument/definition" => self.at(params, |server, path, position| {
                let found = server.models_of(&path);
                json(found.iter().find_map(|model| navigate::definition(model.analysis, &path, position)))
            }),
            "textDocument/references" => {
                let asked: Option<ReferenceParams> = read(params);
                asked.and_then(|asked| self.references(asked.text_document_position))
            }
            "textDocument/documentHighlight" => self.at(params, |server, path, position| {
                let found = server.models_of(&path);
                json(found.first().map(|model| navigate::highlights(model.analysis, &path, position)))
            }),
            "textDocument/documentSymbol" => read(params).and_then(|asked| self.symbols(asked)),
            "textDocument/formatting" => read(params).and_then(|asked| self.format(asked)),
            "textDocument/codeAction" => read(params).and_then(|asked| self.actions(asked)),
            "textDocument/codeLens" => read(params).and_then(|asked| self.lenses(asked)),
            "textDocument/inlayHint" => read(params).and_then(|asked| self.hints(asked)),
            "textDocument/completion" => read(params).and_then(|asked| self.completion(asked)),
            _ => {
                let text = format!("`{method}` is nothing that ptc answers");
                return Response::new_err(id, ErrorCode::MethodNotFound as i32, text);
            }
        };
        match answer {
            Some(answer) => Response::new_ok(id, answer),
            None => Response::new_err(id, ErrorCode::InvalidParams as i32, format!("`{method}` asks for no file")),
        }
    }

    fn at(&mut self, params: Value, answer: impl FnOnce(&Server, PathBuf, Position) -> Option<Value>) -> Option<Value> {
        let asked: TextDocumentPositionParams = read(params)?;
        answer(self, uri::path(&asked.text_document.uri)?, asked.position)
    }

    fn references(&self, asked: TextDocumentPositionParams) -> Option<Value> {
        let path = uri::path(&asked.text_document.uri)?;
        let mut found = vec![];
        for model in self.models_of(&path) {
            for location in navigate::references(model.analysis, &path, asked.position) {
                if !found.contains(&location) {
                    found.push(location);
                }
            }
        }
        json(found)
    }

    fn symbols(&self, asked: DocumentSymbolParams) -> Option<Value> {
        let read = self.models.get(&uri::path(&asked.text_document.uri)?);
        let tree = read.and_then(|read| Some((read.analysis.tree(FileId(0))?, read.analysis.sources.text(FileId(0)))));
        json(tree.map(|(tree, text)| DocumentSymbolResponse::Nested(symbols::symbols(tree, text))))
    }

    /// Nothing where the text does not parse: its errors are shown already.
    fn format(&self, asked: DocumentFormattingParams) -> Option<Value> {
        let path = uri::path(&asked.text_document.uri)?;
        let document = self.documents.get(&path)?;
        let lines = Lines::of(&document.text);
        let range = lsp_types::Range { start: Position::default(), end: lines.end() };
        json(match ptc_syntax::format::format(&document.text) {
            Ok(text) if text == document.text => Some(vec![]),
            Ok(new_text) => Some(vec![TextEdit { range, new_text }]),
            Err(_) => None,
        })
    }

    fn actions(&self, asked: CodeActionParams) -> Option<Value> {
        let uri: &Uri = &asked.text_document.uri;
        let path = uri::path(uri)?;
        let mut found = vec![];
        for model in self.models_of(&path) {
            for action in actions::actions(model.analysis, &path, uri, asked.range) {
                if !found.contains(&action) {
                    found.push(action);
                }
            }
        }
        json(found)
    }

    fn lenses(&self, asked: CodeLensParams) -> Option<Value> {
        let read = self.models.get(&uri::path(&asked.text_document.uri)?);
        json(read.map(|read| hints::prices(&read.analysis, read.prices.as_ref())))
    }

    fn hints(&self, asked: InlayHintParams) -> Option<Value> {
        let path = uri::path(&asked.text_document.uri)?;
        let read = self.models.get(&path);
        json(read.map(|read| hints::types(&read.analysis, &path, asked.range)))
    }

    fn completion(&self, asked: CompletionParams) -> Option<Value> {
        let at = asked.text_document_position;
        let path = uri::path(&at.text_document.uri)?;
        let text = self.documents.text(&path)?;
        let read = self.models.get(&path);
        json(read.map(|read| completion::completion(&read.analysis, &path, &text, at.position)))
    }
}

/// An answer, which may be that there is none.
fn json(answer: impl Serialize) -> Option<Value> {
    serde_json::to_value(answer).ok()
}
