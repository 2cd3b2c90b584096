//! `ptc deal`: the third process, which makes correlated randomness and sees no data.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use ptc_exec::RunError;
use ptc_exec::dealer::{Dealer, Pair};
use ptc_plan::file::Trust;

use crate::backend::BackendArguments;
use crate::commands::explain::read_plan;
use crate::connection::{Caller, Door};
use crate::failure::Failure;
use crate::peers::Peers;

/// Serve correlated randomness for a plan to pairs of parties
///
/// The dealer holds the plan, and neither weights nor inputs. It must not collude with either party.
#[derive(clap::Args)]
pub struct Arguments {
    /// The plan, the same file as the parties have.
    pub plan: PathBuf,
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: String,
    /// End after so many sessions. Default: serve until stopped.
    #[arg(long, value_name = "COUNT")]
    pub sessions: Option<u32>,
    /// How long a party may be silent, or wait for its other side.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,
    #[command(flatten)]
    pub peers: Peers,
    #[command(flatten)]
    pub backend: BackendArguments,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let plan = Arc::new(read_plan(&arguments.plan)?);
    if plan.trust != Trust::Dealer {
        return Err(Failure::new(
            "the plan trusts nobody but the two parties: they make correlated randomness themselves",
            "start the parties without a dealer, or build the plan with `--trust dealer`",
        ));
    }
    let backend = arguments.backend.open()?;
    let idle = Duration::from_secs(arguments.timeout.max(1));
    let door = Door::open(&arguments.listen, &arguments.peers, idle)?;
    eprintln!("dealing {} on {}", plan.entry, door.address()?);
    let dealer = Arc::new(Dealer::new(plan, backend, idle));
    let (ended, endings) = channel();
    let accepting = std::thread::Builder::new().name("accept".into()).spawn(move || {
        let strangers = Arc::new(AtomicUsize::new(0));
        loop {
            let party = match door.knock(None) {
                Ok(party) => party,
                Err(error) => return error,
            };
            let Some(stranger) = Stranger::at(&strangers) else {
                eprintln!("a party was turned away: {MAX_STRANGERS} others have yet to say who they are");
                continue;
            };
            let (dealer, ended) = (dealer.clone(), ended.clone());
            // A party that says nothing must not keep others waiting.
            let guest = move || match meet(&dealer, party, stranger) {
                Ok(Some(pair)) => serve(&dealer, pair, &ended),
                Ok(None) => {}
                Err(error) => {
                    eprintln!("a party was turned away: {}", error.to_string().replace("the peer", "the party"))
                }
            };
            if let Err(error) = std::thread::Builder::new().name("session".into()).spawn(guest) {
                eprintln!("a party was turned away: {error}");
            }
        }
    })?;
    let mut failed = false;
    for _ in 0..arguments.sessions.unwrap_or(u32::MAX) {
        match endings.recv() {
            Ok(result) => failed |= result.is_err(),
            Err(_) => {
                // Without its sender, the accepting thread has ended.
                let error = accepting.join().map_err(|_| Failure::Told)?;
                return Err(error.into());
            }
        }
    }
    if failed { Err(Failure::Told) } else { Ok(()) }
}

/// Those who have connected and have yet to say who they are; more are turned away.
const MAX_STRANGERS: usize = 64;

/// Counts one as long as it is there.
struct Stranger(Arc<AtomicUsize>);

impl Stranger {
    fn at(door: &Arc<AtomicUsize>) -> Option<Stranger> {
        // Only the accepting thread counts up.
        if door.load(Ordering::Acquire) >= MAX_STRANGERS {
            return None;
        }
        door.fetch_add(1, Ordering::AcqRel);
        Some(Stranger(door.clone()))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn meet(dealer: &Dealer, party: Caller, stranger: Stranger) -> Result<Option<Pair>, RunError> {
    let pair = dealer.meet(party.enter()?);
    drop(stranger);
    pair
}

fn serve(dealer: &Dealer, pair: Pair, ended: &Sender<Result<(), RunError>>) {
    let queries = pair.queries;
    let result = dealer.serve(pair);
    match &result {
        Ok(()) => eprintln!("session dealt, queries: {queries}"),
        Err(error) => eprintln!("session ended early: {}", error.to_string().replace("the peer", "a party")),
    }
    // When nobody counts sessions any more, the process is about to end.
    let _ = ended.send(result);
}
