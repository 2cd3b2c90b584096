//! `ptc client`: a gateway on the client's machine, through which programs ask a server privately.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::backend::BackendArguments;
use crate::commands::explain::read_plan;
use crate::commands::run::dealer;
use crate::connection::Meeting;
use crate::failure::Failure;
use crate::gateway::entry::Entry;
use crate::gateway::queue::Queue;
use crate::gateway::sessions::{self, Server, State};
use crate::gateway::{Gateway, token_hash};
use crate::tokens::TooLong;
use crate::{cache, files, http, process};

/// Answer programs on this machine as OpenAI's embeddings do, with a server that sees no text
///
/// `/v1/embeddings` takes texts or tokens and gives the vectors of the model that `ptc serve` holds. Sessions with the server
/// stay open, and prepare the next queries while nobody asks.
#[derive(clap::Args)]
pub struct Arguments {
    /// The plan, the same file as the server has.
    pub plan: PathBuf,
    #[command(flatten)]
    pub meeting: Meeting,
    /// Where `ptc deal` listens, for a plan built with `--trust dealer`.
    #[arg(long, value_name = "HOST:PORT")]
    pub dealer: Option<String>,
    /// The checkpoint's `tokenizer.json`.
    #[arg(long, value_name = "FILE.json")]
    pub tokenizer: PathBuf,
    /// Cut texts that have more tokens than the plan takes, instead of refusing them.
    #[arg(long)]
    pub truncate: bool,
    /// Where programs on this machine ask.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub http: String,
    /// What programs call the model. Default: the name in the plan.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Programs must show what this file holds, as their API key.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Sessions with the server: so many queries run at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub sessions: u32,
    /// Queries that each session prepares while nobody asks, if the server will.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub ahead: u32,
    /// Runs that may wait for a session; requests beyond them are told to try again later.
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub queue: u32,
    /// How long a request may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub request_seconds: u64,
    #[command(flatten)]
    pub backend: BackendArguments,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.meeting.address.connect.is_none() {
        return Err(Failure::new("a client goes to its server", "give `--connect HOST:PORT` instead of `--listen`"));
    }
    let plan = Arc::new(read_plan(&arguments.plan)?);
    let too_long = if arguments.truncate { TooLong::Cut } else { TooLong::Refuse };
    let entry = Entry::open(plan.clone(), &arguments.tokenizer, too_long)?;
    let dealer = dealer(&plan, arguments.dealer.as_deref())?.map(String::from);
    arguments.meeting.check_dealer(dealer.as_deref())?;
    let token = arguments.token_file.as_ref().map(token).transpose()?;
    let backend = arguments.backend.open()?;
    let folder = cache::open(arguments.backend.cache.as_deref())?;
    // Says what is wrong with the keys; a client has no door.
    arguments.meeting.door()?;
    let stop = process::stop_flag()?;
    let listener = http::listen(&arguments.http)?;
    let address = listener.local_addr()?;
    let count = arguments.sessions as usize;
    let (queue, state) = (Arc::new(Queue::new(arguments.queue as usize)), Arc::new(State::new(count)));
    let model = arguments.model.unwrap_or_else(|| plan.model.clone());
    let patience = Duration::from_secs(arguments.request_seconds);
    let gateway = Gateway { entry, model, queue: queue.clone(), state: state.clone(), token, patience };
    let wait = Duration::from_secs(arguments.meeting.wait.unwrap_or(30));
    let (meeting, ahead) = (arguments.meeting, arguments.ahead);
    let server = Arc::new(Server { plan, backend, folder, meeting, dealer, ahead, queue: queue.clone(), state });
    let (ended, endings) = channel();
    // What will not pass by waiting, such as another plan at the server, is told before anybody asks.
    sessions::check(&server, wait)?;
    for _ in 0..count {
        let (server, ended) = (server.clone(), ended.clone());
        let keep = move || {
            // A fault of this program ends one query, and the session begins anew.
            while catch_unwind(AssertUnwindSafe(|| sessions::keep(&server))).is_err() {}
            // Nobody counts where the process is about to end.
            let _ = ended.send(());
        };
        std::thread::Builder::new().name("session".into()).spawn(keep)?;
    }
    http::serve(listener, limits(patience), Arc::new(gateway))?;
    eprintln!("answering on http://{address}/v1");
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
    queue.close();
    /// For what is running; then the process ends.
    const GRACE: Duration = Duration::from_secs(30);
    let until = Instant::now() + GRACE;
    for _ in 0..count {
        let left = until.saturating_duration_since(Instant::now());
        if endings.recv_timeout(left).is_err() {
            eprintln!("stopped with a query unanswered");
            return Ok(());
        }
    }
    // Answers that are on their way to programs leave first.
    std::thread::sleep(Duration::from_millis(200));
    eprintln!("stopped");
    Ok(())
}

fn token(path: &PathBuf) -> Result<[u8; 32], Failure> {
    let text = files::read_text(path, 4096)?;
    match text.trim() {
        "" => Err(Failure::new(format!("`{}` holds no token", path.display()), "write one line of text into it")),
        token => Ok(token_hash(token)),
    }
}

fn limits(patience: Duration) -> http::Limits {
    http::Limits { body: 8 << 20, connections: 256, idle: patience, transfer: Duration::from_secs(30) }
}
