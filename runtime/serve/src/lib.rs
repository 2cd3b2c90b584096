//! Many sessions at once over one prepared model: limits, numbers, an orderly end. This room knows neither files nor HTTP.
//!
//! A caller becomes a guest in a thread of its own. As long as it has not said what it wants it takes one of the few places
//! for strangers; then it gets a place for a session, or hears why there is none. Sessions share the encoded model and the
//! numbers, nothing else: each has its own keys, correlations and counters, and what goes wrong in one ends that one.

pub mod crowd;
pub mod memory;
pub mod numbers;
mod visit;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ptc_exec::RunError;
use ptc_exec::prepare::Prepared;
use ptc_exec::tensors::Tensors;
use ptc_net::{Channel, PeerError};

use crowd::{Crowd, Entry};
use numbers::Numbers;

/// What every session shares.
pub struct Server {
    pub prepared: Arc<Prepared>,
    /// The public parameters, for clients that lack them.
    pub public: Arc<Tensors>,
    /// What the server gives to each query.
    pub inputs: Tensors,
    pub limits: Limits,
    /// Connects to the dealer, where the plan has one.
    pub dial: Option<Dial>,
    pub numbers: Numbers,
    pub crowd: Arc<Crowd>,
    /// Hears how each guest's visit ended.
    pub tell: Box<dyn Fn(&Farewell) + Send + Sync>,
}

pub type Dial = Box<dyn Fn() -> Result<Box<dyn Channel>, PeerError> + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at the same time.
    pub sessions: usize,
    /// Queries that a session may hold prepared.
    pub ahead: u32,
    /// How long a caller may take to say what it wants.
    pub greeting: Duration,
    /// How long a session may last.
    pub session: Duration,
    /// How long a client may take between two queries.
    pub between: Duration,
}

/// Somebody who has connected.
pub struct Guest {
    /// Lets it in. It may take as long as a connection may be silent.
    pub enter: Box<dyn FnOnce() -> Result<Box<dyn Channel>, PeerError> + Send>,
    /// Ends its connection, whoever waits on it.
    pub cut: Box<dyn Fn() + Send + Sync>,
}

/// How a visit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// As the client meant.
    Done,
    /// Between two queries, without a word.
    Left,
    /// There was no room for it.
    Refused,
    /// It never said what it wants.
    Stranger,
    Failed,
    /// It took longer than a session may.
    Overdue,
    /// The server stopped.
    Stopped,
    /// A fault of this program, kept to the session.
    Panicked,
}

pub struct Farewell {
    /// Counts those who came.
    pub number: u64,
    pub outcome: Outcome,
    pub queries: u32,
    /// Why, where it was not done.
    pub reason: Option<String>,
}

impl Server {
    /// Serves whoever has come, in a thread that ends with the visit.
    pub fn welcome(self: &Arc<Self>, guest: Guest) {
        let Guest { enter, cut } = guest;
        let cut: Arc<dyn Fn() + Send + Sync> = cut.into();
        let Some(entry) = self.crowd.enter(cut.clone(), self.limits.greeting) else {
            // Not even a thread is spent on a flood.
            cut();
            self.numbers.ended(Outcome::Refused);
            return;
        };
        let server = self.clone();
        let visit = move || server.visit(enter, entry);
        if let Err(error) = std::thread::Builder::new().name("session".into()).spawn(visit) {
            // The entry went with the closure that was not run.
            cut();
            self.numbers.ended(Outcome::Failed);
            (self.tell)(&Farewell {
                number: 0,
                outcome: Outcome::Failed,
                queries: 0,
                reason: Some(format!("no thread for a session: {error}")),
            });
        }
    }

    fn visit(&self, enter: Box<dyn FnOnce() -> Result<Box<dyn Channel>, PeerError> + Send>, entry: Entry) {
        let mut queries = 0;
        // The last resort: a fault here must not take the other sessions along.
        let ended = catch_unwind(AssertUnwindSafe(|| -> Result<bool, RunError> {
            visit::serve(self, enter()?, &entry, &mut queries)
        }));
        let (outcome, reason) = match ended {
            Ok(Ok(true)) => (Outcome::Done, None),
            Ok(Ok(false)) => (entry.ended(), None),
            Ok(Err(error)) => (entry.outcome(&error), Some(error.to_string())),
            Err(panic) => (Outcome::Panicked, Some(message(&*panic))),
        };
        self.numbers.ended(outcome);
        (self.tell)(&Farewell { number: entry.number(), outcome, queries, reason });
    }

    /// Nobody else is served, and sessions end after the query that they are at. After `grace` the others are cut; how many
    /// those were.
    pub fn stop(&self, grace: Duration) -> usize {
        /// For threads to notice that their connection is gone.
        const LAST: Duration = Duration::from_secs(2);
        self.crowd.close();
        if self.crowd.wait_until_empty(Instant::now() + grace) {
            return 0;
        }
        let cut = self.crowd.cut_all();
        self.crowd.wait_until_empty(Instant::now() + LAST);
        cut
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    format!("a fault of this program: {}", text.unwrap_or("no message"))
}
