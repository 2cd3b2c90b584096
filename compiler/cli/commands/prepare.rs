//! `ptc prepare`: correlated randomness made ahead, into a pool on each side.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ptc_exec::pooled;
use ptc_exec::prepare::prepare;
use ptc_exec::public::select;
use ptc_exec::session::{Dial, Purpose, Role, Session};
use ptc_exec::statistics::predict_prepared;
use ptc_net::Channel;
use ptc_offline::pool::{MAX_QUERIES, query_bytes, reserve};
use ptc_plan::step::Party;

use crate::backend::BackendArguments;
use crate::commands::explain::read_plan;
use crate::commands::run::{Checkpoint, dealer, party};
use crate::connection::Meeting;
use crate::failure::Failure;
use crate::pool::KeyArguments;
use crate::progress::Progress;
use crate::{cache, files, stats};

/// Make the correlated randomness of queries ahead, for `ptc run --pool`
///
/// Both parties run this at the same time, as they run queries. Each gets a pool on disk, encrypted, for this plan, these
/// two parties and these weights. A pool must not be copied or restored from a backup: what was used must stay gone.
#[derive(clap::Args)]
pub struct Arguments {
    /// The plan, the same file at both parties.
    pub plan: PathBuf,
    /// 0, the server with the weights, or 1, the client with the input.
    #[arg(long, value_parser = party)]
    pub party: Party,
    /// As many are prepared, the same number at both parties; of a plan built with `--batch`, so many batches.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_QUERIES)))]
    pub queries: u32,
    /// A new or empty folder for this party's pool.
    #[arg(long, value_name = "FOLDER")]
    pub pool: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    #[command(flatten)]
    pub meeting: Meeting,
    /// Where `ptc deal` listens, for a plan built with `--trust dealer`.
    #[arg(long, value_name = "HOST:PORT")]
    pub dealer: Option<String>,
    #[command(flatten)]
    pub checkpoint: Checkpoint,
    /// Write bytes and seconds of each phase here, beside what the plan predicts.
    #[arg(long, value_name = "FILE.json")]
    pub stats: Option<PathBuf>,
    #[command(flatten)]
    pub backend: BackendArguments,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { party, queries, .. } = arguments;
    // Everything that can be wrong on this side is found before the other side is asked for.
    let plan = Arc::new(read_plan(&arguments.plan)?);
    let dealer = dealer(&plan, arguments.dealer.as_deref())?;
    let key = arguments.key.open_or_make()?;
    let backend = arguments.backend.open()?;
    let progress = Progress::of_session(&plan, party);
    progress.queries(queries);
    arguments.meeting.check_dealer(dealer)?;
    let door = arguments.meeting.door()?;
    let parameters = arguments.checkpoint.parameters(party, &plan)?;
    let folder = cache::open(arguments.backend.cache.as_deref())?;
    let vacant = reserve(&arguments.pool)?;
    let role = match party {
        Party::Server => {
            progress.say("encoding weights");
            let public = select(&plan, &parameters);
            let prepared = prepare(plan.clone(), party, backend, parameters)?;
            Role::Server { prepared: Arc::new(prepared), public: Arc::new(public) }
        }
        Party::Client => Role::Client { plan: plan.clone(), backend, cache: &folder, queries },
    };
    let peer = progress.watch(arguments.meeting.find(door, &progress)?);
    let mut dial = dealer
        .map(|address| || -> Result<Box<dyn Channel>, _> { Ok(progress.watch(arguments.meeting.dial(address)?)) });
    let dial = dial.as_mut().map(|dial| dial as Dial);
    let start = Instant::now();
    let purpose = Purpose::Prepare;
    let mut session = Session::open_for(purpose, role, peer, dial, &mut |stage| progress.stage(stage))?;
    if session.queries != queries {
        let message = format!("the other side prepares {} queries and this one {queries}", session.queries);
        return Err(Failure::new(message, "give both sides the same `--queries`"));
    }
    let mut writer = pooled::start(vacant, &key, &session)?;
    for _ in 0..queries {
        session.prepare(|supply| Ok(writer.put(&plan, supply)?), &mut |stage| progress.stage(stage))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    drop(progress);
    let measured = stats::collect(party, &plan, &session.statistics, &predict_prepared(&plan, party, queries));
    if let Some(path) = &arguments.stats {
        files::write(path, measured.json().as_bytes())?;
    }
    measured.tell();
    let bytes = u64::from(queries) * query_bytes(&plan, party);
    println!(
        "{}: {queries} {} of {} for party {}, {:.2} MB on disk, in {seconds:.2} s",
        arguments.pool.display(),
        plan.batch.map_or("queries".to_string(), |batch| format!("batches of {batch} queries")),
        plan.entry,
        party.index(),
        bytes as f64 / 1e6
    );
    Ok(())
}
