//! The gateway's sessions with the server: each in a thread, kept open, opened again when the server was away.
//!
//! While nothing waits a session prepares the next queries, so that a request waits for the online part alone. A run whose
//! session failed runs once more in a new one, with correlations of its own: what a failed session had is never used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ptc_exec::RunError;
use ptc_exec::run::Hooks;
use ptc_exec::session::calls::Call;
use ptc_exec::session::{Dial, Purpose, Role, Session};
use ptc_exec::tensors::Tensors;
use ptc_kernels::Backend;
use ptc_net::Channel;
use ptc_offline::pool::MAX_QUERIES;
use ptc_plan::Plan;

use super::queue::{Job, Lost, Next, Queue};
use crate::cache::Folder;
use crate::connection::Meeting;

/// What every session needs.
pub struct Server {
    pub plan: Arc<Plan>,
    pub backend: Arc<dyn Backend>,
    pub folder: Folder,
    pub meeting: Meeting,
    /// The dealer's address, where the plan has one.
    pub dealer: Option<String>,
    /// Queries to be prepared ahead in each session.
    pub ahead: u32,
    pub queue: Arc<Queue>,
    pub state: Arc<State>,
}

/// How many sessions are open, and what they hold.
#[derive(Default)]
pub struct State {
    open: AtomicUsize,
    of: AtomicUsize,
    held: AtomicUsize,
}

impl State {
    pub fn new(of: usize) -> State {
        State { of: AtomicUsize::new(of), ..State::default() }
    }

    /// Open sessions, sessions in all, prepared queries.
    pub fn read(&self) -> (usize, usize, usize) {
        (self.open.load(Ordering::Relaxed), self.of.load(Ordering::Relaxed), self.held.load(Ordering::Relaxed))
    }
}

/// A session that the state counts.
struct Open {
    session: Session,
    used: Instant,
    held: usize,
    state: Arc<State>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.state.open.fetch_sub(1, Ordering::Relaxed);
        self.state.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

/// While nobody asks, the server hears from a session this often.
const PING: Duration = Duration::from_secs(20);

/// A session that was not used for so long is tried before a query goes into it.
const FRESH: Duration = Duration::from_secs(5);

/// Of the waits between attempts to reach a server that is away.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);

/// One session with the server, to know that there can be any.
pub fn check(server: &Server, patience: Duration) -> Result<(), RunError> {
    open(server, patience)?.session.call(Call::End)
}

/// Keeps a session until the queue is closed and empty.
pub fn keep(server: &Server) {
    let mut current: Option<Open> = None;
    let mut wait = SHORTEST;
    loop {
        let Some(open) = &mut current else {
            let job = match server.queue.next(wait) {
                Next::Run(job) => Some(job),
                Next::Nothing => None,
                Next::Stop => return,
            };
            match self::open(server, PATIENCE) {
                Ok(open) => {
                    current = Some(open);
                    if let Some(job) = job {
                        current = run(server, current, job);
                    }
                }
                Err(error) => {
                    wait = LONGEST.min(wait * 2);
                    if let Some(job) = job {
                        job.end(Err(Lost::Failed(error.to_string())));
                    }
                }
            }
            continue;
        };
        let full = open.session.held() >= open.session.ahead.unwrap_or(0) as usize;
        let next = server.queue.next(if full { PING } else { Duration::ZERO });
        current = match next {
            Next::Run(job) => run(server, current, job),
            Next::Nothing if full => still_there(current),
            Next::Nothing => prepare(current),
            Next::Stop => {
                // The server would otherwise wait; it may be gone itself.
                let _ = open.session.call(Call::End);
                return;
            }
        };
        // A server that lets sessions begin and then fails is not asked over and over.
        wait = if current.is_some() { SHORTEST } else { LONGEST.min(wait * 2) };
    }
}

/// How long an attempt looks for a server that may be starting.
const PATIENCE: Duration = Duration::from_secs(2);

fn open(server: &Server, patience: Duration) -> Result<Open, RunError> {
    let peer = server.meeting.seek(patience)?;
    let Server { plan, backend, folder, .. } = server;
    let role = Role::Client { plan: plan.clone(), backend: backend.clone(), cache: folder, queries: MAX_QUERIES };
    let meeting = &server.meeting;
    let mut dial = server.dealer.as_ref().map(|address| || -> Result<Box<dyn Channel>, _> { meeting.dial(address) });
    let dial = dial.as_mut().map(|dial| dial as Dial);
    let session = Session::open_for(Purpose::Ask { ahead: server.ahead }, role, peer, dial, &mut |_| ())?;
    server.state.open.fetch_add(1, Ordering::Relaxed);
    Ok(Open { session, used: Instant::now(), held: 0, state: server.state.clone() })
}

/// None where the session is gone.
fn still_there(current: Option<Open>) -> Option<Open> {
    let mut open = current?;
    open.session.call(Call::Ping).ok()?;
    open.used = Instant::now();
    Some(open)
}

fn prepare(current: Option<Open>) -> Option<Open> {
    let mut open = current?;
    open.session.call(Call::Prepare).ok()?;
    open.session.hold(&mut |_| ()).ok()?;
    open.used();
    Some(open)
}

impl Open {
    fn used(&mut self) {
        self.used = Instant::now();
        let now = self.session.held();
        self.state.held.fetch_add(now, Ordering::Relaxed);
        self.state.held.fetch_sub(self.held, Ordering::Relaxed);
        self.held = now;
    }

    fn query(&mut self, inputs: Tensors) -> Result<Tensors, RunError> {
        self.session.call(Call::Query)?;
        let results = self.session.query(inputs, Hooks::default(), &mut |_| ())?;
        self.used();
        Ok(results.into_iter().collect())
    }
}

/// Runs a job, in a new session where the first one fails; the session that is left.
fn run(server: &Server, current: Option<Open>, job: Job) -> Option<Open> {
    let stale = current.as_ref().is_some_and(|open| open.used.elapsed() > FRESH);
    let current = if stale { still_there(current) } else { current };
    if let Some(mut open) = current
        && let Ok(results) = open.query(job.inputs.clone())
    {
        job.end(Ok(results));
        return Some(open);
    }
    let again = || -> Result<(Tensors, Open), RunError> {
        let mut open = open(server, PATIENCE)?;
        Ok((open.query(job.inputs.clone())?, open))
    };
    match again() {
        Ok((results, open)) => {
            job.end(Ok(results));
            Some(open)
        }
        Err(error) => {
            job.end(Err(Lost::Failed(error.to_string())));
            None
        }
    }
}
