//! Private queries for programs on this machine that know nothing of them: HTTP on loopback, as OpenAI's interface has it.
//!
//! A request becomes runs of the plan ([`entry`]), which wait in one [`queue`] for the sessions with the server
//! ([`sessions`]). What a program sends stays here: the server learns when a query runs, and nothing of what is in it.

pub mod entry;
pub mod openai;
pub mod queue;
pub mod sessions;

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use ptc_exec::tensors::Tensors;
use sha2::{Digest, Sha256};

use crate::http::{Request, Response, Service};
use entry::Entry;
use openai::{Ask, Problem};
use queue::{Lost, Queue};
use sessions::State;

pub struct Gateway {
    pub entry: Entry,
    /// What programs call the model.
    pub model: String,
    pub queue: Arc<Queue>,
    pub state: Arc<State>,
    /// The hash of what programs must show, where they must.
    pub token: Option<[u8; 32]>,
    /// How long a request may wait for its answer.
    pub patience: Duration,
}

pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl Service for Gateway {
    fn answer(&self, request: &Request) -> Response {
        let answered = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/health") => return self.health(),
            _ if !self.is_allowed(request) => Err(Problem::token()),
            ("POST", "/v1/embeddings") => self.embeddings(&request.body),
            ("GET", "/v1/models") => Ok(openai::models(&self.model)),
            ("GET", path) if path.strip_prefix("/v1/models/") == Some(&self.model) => Ok(openai::model(&self.model)),
            ("GET", path) if path.starts_with("/v1/models/") => {
                Err(Problem::model(path.strip_prefix("/v1/models/").unwrap_or(path), &self.model))
            }
            (_, "/v1/embeddings" | "/v1/models" | "/health") => Err(Problem::method(request)),
            _ => Err(Problem::place(request)),
        };
        answered.unwrap_or_else(|problem| problem.response())
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        Problem::of_request(status, message).response()
    }
}

impl Gateway {
    /// Whether a session is there, for whoever looks after this process.
    fn health(&self) -> Response {
        let (open, of, held) = self.state.read();
        let status = if open > 0 { 200 } else { 503 };
        let word = if open > 0 { "ok" } else { "no session with the server" };
        let waiting = self.queue.waiting();
        Response::json(
            status,
            &serde_json::json!({ "status": word, "sessions": open, "of": of, "prepared": held, "waiting": waiting }),
        )
    }

    /// Hashes are compared, so the time that it takes says nothing about the token.
    fn is_allowed(&self, request: &Request) -> bool {
        let Some(expected) = &self.token else { return true };
        let shown = request.field("authorization").and_then(|value| value.strip_prefix("Bearer "));
        shown.is_some_and(|token| token_hash(token.trim()) == *expected)
    }

    fn embeddings(&self, body: &[u8]) -> Result<Response, Problem> {
        let Ask { inputs, encoding } = openai::parse(body, &self.model, self.entry.width)?;
        let mut tokens = 0;
        let mut queries = vec![];
        for (at, input) in inputs.iter().enumerate() {
            let query = self.entry.query(input).map_err(|reason| Problem::input(at, &reason))?;
            tokens += query.tokens;
            queries.push(query.tensors);
        }
        let results = self.run(queries)?;
        let vectors = results.iter().map(|result| self.entry.vector(result)).collect::<Option<Vec<_>>>();
        let vectors = vectors.ok_or_else(|| Problem::lost(&Lost::Failed("the plan gave another result".into())))?;
        Ok(openai::embeddings(&self.model, &vectors, tokens, encoding))
    }

    /// The results of all queries, in their order; or the first reason why not.
    fn run(&self, queries: Vec<Tensors>) -> Result<Vec<Tensors>, Problem> {
        let until = Instant::now() + self.patience;
        let count = queries.len();
        let answers = self.queue.put(self.entry.runs(&queries), until).map_err(|lost| Problem::lost(&lost))?;
        let mut runs = vec![];
        for answer in answers {
            let left = until.saturating_duration_since(Instant::now());
            let result = answer.recv_timeout(left).unwrap_or_else(|gone| match gone {
                RecvTimeoutError::Timeout => Err(Lost::Late),
                RecvTimeoutError::Disconnected => Err(Lost::Failed("the session had a fault".into())),
            });
            runs.push(result.map_err(|lost| Problem::lost(&lost))?);
        }
        Ok(self.entry.split(runs, count))
    }
}
