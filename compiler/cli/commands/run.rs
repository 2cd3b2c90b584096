//! `ptc run`: one party of a session.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ptc_exec::RunError;
use ptc_exec::batch;
use ptc_exec::pooled;
use ptc_exec::prepare::prepare;
use ptc_exec::public::select;
use ptc_exec::run::Hooks;
use ptc_exec::session::{Dial, Purpose, Role, Session};
use ptc_exec::statistics::predict_pooled;
use ptc_exec::tensors::{Tensors, check_given};
use ptc_exec::trace::Trace;
use ptc_net::Channel;
use ptc_plan::Plan;
use ptc_plan::file::{Input, Trust};
use ptc_plan::step::{Owner, Party};

use crate::backend::BackendArguments;
use crate::commands::explain::read_plan;
use crate::connection::Meeting;
use crate::failure::Failure;
use crate::given::{Asked, Given, Queries};
use crate::pool::KeyArguments;
use crate::progress::Progress;
use crate::results::ResultArguments;
use crate::stats::Stats;
use crate::{cache, files, messages, pool, stats, trace, weights};

/// Run one party of a plan: 0 holds the weights, 1 the input
///
/// One side listens, the other connects. Correlated randomness is made by the two, or comes from a dealer where the plan
/// says so. Results that are this party's go to standard output.
#[derive(clap::Args)]
pub struct Arguments {
    /// The plan, the same file at both parties.
    pub plan: PathBuf,
    /// 0, the server with the weights, or 1, the client with the input.
    #[arg(long, value_parser = party)]
    pub party: Party,
    #[command(flatten)]
    pub meeting: Meeting,
    /// Where `ptc deal` listens, for a plan built with `--trust dealer`.
    #[arg(long, value_name = "HOST:PORT")]
    pub dealer: Option<String>,
    #[command(flatten)]
    pub checkpoint: Checkpoint,
    #[command(flatten)]
    pub given: Given,
    /// The pool that `ptc prepare` filled for this party. What it lacks is made in the session.
    #[arg(long, value_name = "FOLDER")]
    pub pool: Option<PathBuf>,
    #[command(flatten)]
    pub key: KeyArguments,
    #[command(flatten)]
    pub results: ResultArguments,
    /// Write rounds, bytes and seconds of each phase here, beside what the plan predicts.
    #[arg(long, value_name = "FILE.json")]
    pub stats: Option<PathBuf>,
    /// Write what this party did when, round by round and step by step, one JSON object a line: for `ptc explain --trace`.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    #[command(flatten)]
    pub backend: BackendArguments,
    /// The plan that a program has instead of a file.
    #[arg(skip)]
    pub built: Option<Arc<Plan>>,
}

/// What a session ends with: a query's results, one after the other.
pub struct Answers {
    pub results: Vec<Tensors>,
    /// What is known of each besides.
    pub asked: Vec<Asked>,
    pub measured: Stats,
}

#[derive(clap::Args)]
pub struct Checkpoint {
    /// The server's checkpoint.
    #[arg(long, value_name = "FILE.safetensors")]
    pub weights: Option<PathBuf>,
    /// A tensor of the checkpoint, or the beginning of several, that the model does not use. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub unused: Vec<String>,
}

pub fn party(text: &str) -> Result<Party, String> {
    match text {
        "0" => Ok(Party::Server),
        "1" => Ok(Party::Client),
        _ => Err("a party is 0 (the weights) or 1 (the input)".into()),
    }
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let wanted = arguments.results.open(arguments.given.queries.is_some())?;
    let Answers { results, asked, measured } = answers(&arguments)?;
    wanted.publish(&asked, &results)?;
    measured.tell();
    Ok(())
}

/// One party's session, to its end.
pub fn answers(arguments: &Arguments) -> Result<Answers, Failure> {
    let party = arguments.party;
    // Everything that can be wrong on this side is found before the other side is asked for.
    let plan = match &arguments.built {
        Some(plan) => plan.clone(),
        None => Arc::new(read_plan(&arguments.plan)?),
    };
    let dealer = match &arguments.pool {
        // Where the pool has all, nobody deals; where it has not, the session says so.
        Some(_) if arguments.dealer.is_none() => None,
        _ => dealer(&plan, arguments.dealer.as_deref())?,
    };
    let pool = match &arguments.pool {
        Some(path) => Some(pooled::open(path, &arguments.key.open()?, &plan, party)?),
        None => None,
    };
    let inputs = batch::inputs(&plan);
    let own: Vec<&Input> = inputs.iter().filter(|input| input.owner.knows(party)).collect();
    let queries = match own.as_slice() {
        [] => Queries { tensors: vec![Tensors::new()], asked: vec![] },
        own => arguments.given.queries(own)?,
    };
    let Queries { tensors: queries, asked } = queries;
    for query in &queries {
        check_given(&plan.entry, &inputs, party, query)?;
    }
    let backend = arguments.backend.open()?;
    let progress = Progress::of_session(&plan, party);
    arguments.meeting.check_dealer(dealer)?;
    let door = arguments.meeting.door()?;
    let parameters = arguments.checkpoint.parameters(party, &plan)?;
    let folder = cache::open(arguments.backend.cache.as_deref())?;
    let role = match party {
        Party::Server => {
            progress.say("encoding weights");
            let public = select(&plan, &parameters);
            let prepared = prepare(plan.clone(), party, backend, parameters)?;
            Role::Server { prepared: Arc::new(prepared), public: Arc::new(public) }
        }
        Party::Client => {
            let queries = u32::try_from(batch::runs(&plan, queries.len())).unwrap_or(u32::MAX);
            Role::Client { plan: plan.clone(), backend, cache: &folder, queries }
        }
    };
    let meeting = &arguments.meeting;
    let mut dial =
        dealer.map(|address| || -> Result<Box<dyn Channel>, _> { Ok(progress.watch(meeting.dial(address)?)) });
    let (since, mut door, mut pool) = (Instant::now(), door, pool);
    let mut session = loop {
        let peer = progress.watch(meeting.find(door.take(), &progress)?);
        let dial = dial.as_mut().map(|dial| dial as Dial);
        let purpose = Purpose::Run { pool: pool.take() };
        match Session::open_for(purpose, role.clone(), peer, dial, &mut |stage| progress.stage(stage)) {
            // A server of many that is full. The pool went with the attempt.
            Err(RunError::TurnedAway(_)) if arguments.pool.is_none() && meeting.waits(since) => {
                std::thread::sleep(Duration::from_millis(500));
            }
            opened => break opened?,
        }
    };
    session.statistics.steps.trace = arguments.trace.as_ref().map(|_| Trace::default());
    progress.queries(session.queries);
    let mut found = vec![];
    // The client knows how many there are; what the server gives is the same for each.
    for at in 0..session.queries as usize {
        let query = batch::stack(&plan, &queries, at);
        let mut round = |round| progress.round(round);
        let hooks = Hooks { progress: Some(&mut round), danger_watch: None };
        let result = session.query(query, hooks, &mut |stage| progress.stage(stage))?;
        found.push(result.into_iter().collect::<Tensors>());
    }
    // The server does not learn how many of a batch are copies.
    let count = if party == Party::Client { queries.len() } else { usize::MAX };
    let found = batch::split(&plan, found, count);
    drop(progress);
    if let Some(note) = pool::note(session.pools, session.queries) {
        messages::note(&note);
    }
    let predicted = predict_pooled(&plan, party, session.queries, session.statistics.pooled);
    let measured = stats::collect(party, &plan, &session.statistics, &predicted);
    if let Some(path) = &arguments.stats {
        files::write(path, measured.json().as_bytes())?;
    }
    if let Some(path) = &arguments.trace {
        let trace = trace::of_session(party, &plan, &session.statistics);
        files::write(path, trace.to_lines().as_bytes())?;
    }
    Ok(Answers { results: found, asked, measured })
}

/// The dealer's address, for a plan that has one.
pub fn dealer<'a>(plan: &Plan, given: Option<&'a str>) -> Result<Option<&'a str>, Failure> {
    match (plan.trust, given) {
        (Trust::Dealer, None) => Err(Failure::new(
            "the plan's correlated randomness comes from a dealer, and none is given",
            "add `--dealer HOST:PORT`, where `ptc deal` listens, or build the plan with `--trust two-party`",
        )),
        (Trust::TwoParty { .. }, Some(_)) => Err(Failure::new(
            "the plan trusts nobody but the two parties, and a dealer is given",
            "leave `--dealer` away, or build the plan with `--trust dealer`",
        )),
        (_, given) => Ok(given),
    }
}

impl Checkpoint {
    /// The tensors that this party brings.
    pub fn parameters(&self, party: Party, plan: &Plan) -> Result<Tensors, Failure> {
        let brings = |owner: Owner| match party {
            Party::Server => owner != Owner::Client,
            Party::Client => owner == Owner::Client,
        };
        let wanted = plan.parameters.iter().filter(|parameter| brings(parameter.owner)).count();
        match (&self.weights, wanted) {
            (Some(path), 1..) => Ok(weights::load(path, plan, party, &self.unused)?),
            (None, 1..) => Err(Failure::new(
                format!("the plan needs {wanted} tensors from party {}, and no weights are given", party.index()),
                "add `--weights FILE.safetensors`",
            )),
            (Some(_), 0) => {
                Err(Failure::new("this party has no weights in this plan", "leave `--weights` to the other party"))
            }
            (None, 0) => Ok(Tensors::new()),
        }
    }
}
