//! `ptc serve`: one model for many clients at the same time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ptc_exec::batch;
use ptc_exec::prepare::prepare;
use ptc_exec::public::select;
use ptc_exec::tensors::Tensors;
use ptc_net::PeerError;
use ptc_plan::Plan;
use ptc_plan::step::Party;
use ptc_serve::crowd::Crowd;
use ptc_serve::memory::session_bytes;
use ptc_serve::numbers::{Now, Numbers};
use ptc_serve::{Farewell, Guest, Limits, Outcome, Server};

use crate::backend::BackendArguments;
use crate::commands::explain::read_plan;
use crate::commands::run::{Checkpoint, dealer};
use crate::connection::{Caller, Meeting};
use crate::failure::Failure;
use crate::http::{self, Request, Response, Service};
use crate::process;

/// Serve a model to many clients at the same time
///
/// The model is encoded once. Each client gets a session of its own: its own keys, correlations and limits. Clients are
/// `ptc run --party 1`, or `ptc client`, which keeps its sessions open. SIGTERM and ctrl-C let the running queries finish.
#[derive(clap::Args)]
pub struct Arguments {
    /// The plan, the same file as the clients have.
    pub plan: PathBuf,
    #[command(flatten)]
    pub meeting: Meeting,
    /// Where `ptc deal` listens, for a plan built with `--trust dealer`.
    #[arg(long, value_name = "HOST:PORT")]
    pub dealer: Option<String>,
    #[command(flatten)]
    pub checkpoint: Checkpoint,
    /// Sessions at the same time. Who comes beyond them is told so and may try again.
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_sessions: u32,
    /// Memory for the model and all sessions, as in 8G or 900M: there are as many places for sessions as fit, at the most
    /// that one takes.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub max_memory: Option<u64>,
    /// How long a session may last.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = seconds())]
    pub session_seconds: u64,
    /// How long a client may take between two queries of a session that it keeps open.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = seconds())]
    pub idle: u64,
    /// Queries that a client may have prepared ahead, in memory, while it asks none.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub ahead: u32,
    /// How long running queries may take to finish when the server is stopped.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub grace: u64,
    /// Serve `/health` and `/metrics` (Prometheus) here, on loopback.
    #[arg(long, value_name = "HOST:PORT")]
    pub metrics: Option<String>,
    #[command(flatten)]
    pub backend: BackendArguments,
}

/// What adds up to no overflow of a clock.
fn seconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=31_536_000)
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.meeting.address.listen.is_none() {
        return Err(Failure::new("a server waits for its clients", "give `--listen HOST:PORT` instead of `--connect`"));
    }
    let plan = Arc::new(read_plan(&arguments.plan)?);
    check(&plan)?;
    let dealer = dealer(&plan, arguments.dealer.as_deref())?.map(String::from);
    let backend = arguments.backend.open()?;
    let stop = process::stop_flag()?;
    arguments.meeting.check_dealer(dealer.as_deref())?;
    let Some(door) = arguments.meeting.door()? else { return Err(Failure::Told) };
    let metrics = arguments.metrics.as_deref().map(http::listen).transpose()?;
    let parameters = arguments.checkpoint.parameters(Party::Server, &plan)?;
    eprintln!("encoding weights");
    let public = select(&plan, &parameters);
    let prepared = prepare(plan.clone(), Party::Server, backend, parameters)?;
    let places = places(&arguments, &plan)?;
    let server = Arc::new(Server {
        prepared: Arc::new(prepared),
        public: Arc::new(public),
        inputs: Tensors::new(),
        limits: limits(&arguments),
        dial: dealer.map(|address| -> ptc_serve::Dial {
            let meeting = arguments.meeting.clone();
            Box::new(move || meeting.dial(&address))
        }),
        numbers: Numbers::default(),
        crowd: Crowd::new(places),
        tell: Box::new(tell),
    });
    if let Some(listener) = metrics {
        eprintln!("numbers on http://{}/metrics", listener.local_addr()?);
        http::serve(listener, METRICS, Arc::new(Metrics { server: server.clone(), places, since: Instant::now() }))?;
    }
    eprintln!("serving {} on {}", plan.entry, door.address()?);
    /// A stop is seen, and a deadline kept, this late at most.
    const TICK: Duration = Duration::from_millis(100);
    while !stop.load(Ordering::Relaxed) {
        match door.knock(Some(TICK)) {
            Ok(caller) => greet(&server, caller),
            Err(PeerError::NobodyCame { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        server.crowd.cut_overdue();
    }
    drop(door);
    eprintln!("stopping: {} sessions may finish", server.crowd.sessions());
    let cut = server.stop(Duration::from_secs(arguments.grace));
    eprintln!("stopped: {} queries answered, {cut} sessions cut", server.numbers.queries());
    Ok(())
}

/// Everything must come from the clients, and go to them.
fn check(plan: &Plan) -> Result<(), Failure> {
    let hint = "run both parties with `ptc run`";
    if let Some(input) = batch::inputs(plan).iter().find(|input| input.owner.knows(Party::Server)) {
        let message = format!("the entry `{}` takes `{}` from the server, for each query", plan.entry, input.name);
        return Err(Failure::new(message, hint));
    }
    if let Some(output) = plan.outputs.iter().find(|output| output.result && output.to == Party::Server) {
        let message =
            format!("the entry `{}` gives `{}` to the server, which has no use for it", plan.entry, output.name);
        return Err(Failure::new(message, hint));
    }
    Ok(())
}

fn limits(arguments: &Arguments) -> Limits {
    /// A client says what it wants at once.
    const GREETING: Duration = Duration::from_secs(20);
    Limits {
        sessions: arguments.max_sessions as usize,
        ahead: arguments.ahead,
        greeting: GREETING,
        session: Duration::from_secs(arguments.session_seconds),
        between: Duration::from_secs(arguments.idle),
    }
}

/// As many as were asked for, or as fit into memory beside the model, which is there by now.
fn places(arguments: &Arguments, plan: &Plan) -> Result<usize, Failure> {
    let wanted = arguments.max_sessions as usize;
    let each = session_bytes(plan, arguments.ahead);
    let Some(most) = arguments.max_memory else { return Ok(wanted) };
    let model = process::look().resident_bytes.unwrap_or(0);
    let fit = usize::try_from(most.saturating_sub(model) / each.max(1)).unwrap_or(usize::MAX);
    let megabytes = |bytes: u64| format!("{:.0} MB", bytes as f64 / 1e6);
    if fit == 0 {
        return Err(Failure::new(
            format!(
                "the model takes {} and a session up to {}, which is more than {}",
                megabytes(model),
                megabytes(each),
                megabytes(most)
            ),
            "allow more with `--max-memory`, or let sessions hold less with `--ahead 0`",
        ));
    }
    eprintln!(
        "{} of {wanted} sessions fit into {}: the model takes {}, a session up to {}",
        fit.min(wanted),
        megabytes(most),
        megabytes(model),
        megabytes(each)
    );
    Ok(fit.min(wanted))
}

fn greet(server: &Arc<Server>, caller: Caller) {
    match caller.cutter() {
        Ok(cutter) => {
            server.welcome(Guest { enter: Box::new(move || caller.enter()), cut: Box::new(move || cutter.cut()) })
        }
        // No room for another file; the caller sees that it is gone.
        Err(_) => server.numbers.ended(Outcome::Refused),
    }
}

fn tell(farewell: &Farewell) {
    let Farewell { number, outcome, queries, reason } = farewell;
    let reason =
        reason.as_ref().map_or(String::new(), |reason| format!(": {}", reason.replace("the peer", "the client")));
    eprintln!("session {number}: {}, queries {queries}{}", outcome.name(), reason.lines().next().unwrap_or(""));
}

const METRICS: http::Limits =
    http::Limits { body: 0, connections: 16, idle: Duration::from_secs(60), transfer: Duration::from_secs(5) };

struct Metrics {
    server: Arc<Server>,
    places: usize,
    since: Instant,
}

impl Service for Metrics {
    fn answer(&self, request: &Request) -> Response {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/metrics") => Response {
                status: 200,
                kind: "text/plain; version=0.0.4; charset=utf-8",
                body: self.text().into_bytes(),
            },
            ("GET", "/health") if self.server.crowd.is_closed() => Response::text(503, "stopping\n"),
            ("GET", "/health") => Response::text(200, "ok\n"),
            (_, "/metrics" | "/health") => Response::text(405, "only GET is answered here\n"),
            _ => Response::text(404, "there are `/health` and `/metrics`\n"),
        }
    }
}

impl Metrics {
    fn text(&self) -> String {
        let process = process::look();
        let crowd = &self.server.crowd;
        self.server.numbers.text(&Now {
            sessions: crowd.sessions(),
            places: self.places,
            strangers: crowd.strangers(),
            uptime_seconds: self.since.elapsed().as_secs_f64(),
            resident_bytes: process.resident_bytes,
            peak_bytes: process.peak_bytes,
            threads: process.threads,
            open_files: process.open_files,
        })
    }
}

/// A number of bytes, with K, M or G for powers of a thousand.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1_000),
        Some((at, 'M')) => (&text[..at], 1_000_000),
        Some((at, 'G')) => (&text[..at], 1_000_000_000),
        _ => (text, 1),
    };
    let count: Option<u64> = digits.parse().ok();
    count.and_then(|count| count.checked_mul(unit)).ok_or_else(|| "expected a number of bytes, as in 8G or 900M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in
            [("12", Some(12)), ("900M", Some(900_000_000)), ("8G", Some(8_000_000_000)), ("1k", Some(1000))]
        {
            assert_eq!(bytes(text).ok(), expected);
        }
        for text in ["", "G", "-1", "1T", "99999999999G", "1.5G"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
