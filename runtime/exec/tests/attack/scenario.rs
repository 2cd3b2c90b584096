//! Sessions of one small plan that has every step, in all the ways in which its correlations can be made and kept.

use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, scope};
use std::time::{Duration, Instant};

use ptc_exec::RunError;
use ptc_exec::dealer::Dealer;
use ptc_exec::pooled;
use ptc_exec::prepare::{Prepared, prepare};
use ptc_exec::public::{NoCache, select};
use ptc_exec::run::{Hooks, Results};
use ptc_exec::session::{Purpose, Role, Session};
use ptc_exec::tensors::Tensors;
use ptc_kernels::Portable;
use ptc_net::{Channel, PeerError, memory};
use ptc_offline::pool::key::Key;
use ptc_offline::pool::reserve;
use ptc_plan::Plan;
use ptc_plan::file::{Making, Trust};
use ptc_plan::step::{Method, Party};
use ptc_plan::two_party::transfer::Extension;
use ptc_plan::two_party::ways::methods;
use tempfile::TempDir;

use crate::every::{every_step, inline, world};
use crate::labels::{Log, Place};

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Query,
    /// A pool of one query is made.
    Prepare,
    /// A query from such a pool.
    Pooled,
}

pub struct Scenario {
    pub name: &'static str,
    pub plan: Arc<Plan>,
    pub kind: Kind,
    prepared: Arc<Prepared>,
    public: Arc<Tensors>,
    /// Queries that are prepared.
    pub queries: u32,
    /// Both parties' pools and their keys; every session uses a copy.
    pools: Option<TempDir>,
}

/// Which of two sets of private inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    One,
    Other,
}

/// A party's results, or what it says; and when it ended.
pub struct Ending {
    pub result: Result<Results, String>,
    pub at: Instant,
}

/// The parties' ends of the channel between them, and of those to a dealer with the dealer's ends.
pub struct Ends {
    pub peer: [Box<dyn Channel>; 2],
    pub dealer: Option<[[Box<dyn Channel>; 2]; 2]>,
}

/// Channels within the process.
pub fn memory_ends(scenario: &Scenario, idle: Duration) -> Ends {
    let pair = || {
        let (a, b) = memory::pair_with_timeout(idle);
        [Box::new(a) as Box<dyn Channel>, Box::new(b)]
    };
    Ends { peer: pair(), dealer: scenario.has_dealer().then(|| [pair(), pair()]) }
}

pub fn all() -> Vec<Scenario> {
    let streams = |bits| Making { extension: Extension::Subfield { bits }, ..Making::FAST };
    let alone = |making| every_step(Trust::TwoParty { making });
    let by = |method, making| made_by(alone(making), method);
    let of = |name, plan, kind| Scenario::new(name, plan, kind);
    vec![
        of("streams", alone(Making::FAST), Kind::Query),
        of("silent", alone(Making::SPARING), Kind::Query),
        of("encrypted", by(Method::Encrypted, streams(1)), Kind::Query),
        of("transferred", by(Method::Transfers, streams(8)), Kind::Query),
        of("inline", inline(alone(Making::FAST)), Kind::Query),
        of("dealt", every_step(Trust::Dealer), Kind::Query),
        of("prepared", alone(Making::FAST), Kind::Prepare),
        of("prepared and dealt", every_step(Trust::Dealer), Kind::Prepare),
        of("pooled", alone(Making::FAST), Kind::Pooled),
    ]
}

/// Pools of so many queries, and sessions that use them.
pub fn pools(trust: Trust, queries: u32) -> (TempDir, Scenario) {
    let folder = tempfile::tempdir().unwrap();
    let making = Scenario { queries, ..Scenario::new("pools", every_step(trust), Kind::Prepare) };
    for ending in making.play_in(folder.path(), memory_ends(&making, Duration::from_secs(60)), Given::One, None) {
        ending.result.unwrap();
    }
    (folder, Scenario { kind: Kind::Pooled, ..making })
}

/// Every product that can be is made by `method`.
fn made_by(mut plan: Plan, method: Method) -> Plan {
    for at in 0..plan.steps.len() {
        if methods(&plan.values, &plan.steps[at]).contains(&method) {
            plan.steps[at].method = Some(method);
        }
    }
    plan
}

impl Scenario {
    fn new(name: &'static str, plan: Plan, kind: Kind) -> Scenario {
        let plan = Arc::new(plan);
        let parameters = world((*plan).clone()).parameters;
        let public = Arc::new(select(&plan, &parameters));
        let prepared = prepare(plan.clone(), Party::Server, Arc::new(Portable), parameters).unwrap();
        let mut scenario = Scenario { name, plan, kind, prepared: Arc::new(prepared), public, queries: 1, pools: None };
        if kind == Kind::Pooled {
            let (folder, _) = pools(scenario.plan.trust, 1);
            scenario.pools = Some(folder);
        }
        scenario
    }

    pub fn has_dealer(&self) -> bool {
        self.plan.trust == Trust::Dealer
    }

    /// How two parties alone make what the plan consumes.
    pub fn making(&self) -> Option<Making> {
        match self.plan.trust {
            Trust::TwoParty { making } => Some(making),
            Trust::Dealer => None,
        }
    }

    fn inputs(&self, given: Given) -> Tensors {
        let mut inputs = world((*self.plan).clone()).inputs;
        if given == Given::Other {
            for name in ["x", "factor"] {
                inputs.get_mut(name).unwrap().data.iter_mut().for_each(|x| *x = 0.75 - *x);
            }
            inputs.get_mut("exponent").unwrap().data.iter_mut().for_each(|x| *x = -13.5 - *x);
            inputs.get_mut("mask").unwrap().data.iter_mut().for_each(|x| *x = 1.0 - *x);
        }
        inputs
    }

    /// Both parties, and the dealer where there is one, to their end.
    pub fn play(&self, ends: Ends, given: Given, log: Option<&Log>) -> [Ending; 2] {
        let folder = tempfile::tempdir().unwrap();
        if let Some(pools) = &self.pools {
            copy(pools.path(), folder.path());
        }
        self.play_in(folder.path(), ends, given, log)
    }

    /// Pools are in `folder`.
    pub fn play_in(&self, folder: &Path, ends: Ends, given: Given, log: Option<&Log>) -> [Ending; 2] {
        let Ends { peer, dealer } = ends;
        let (mut dealers, mut dialled) = (vec![], vec![]);
        for [party, dealer] in dealer.into_iter().flatten() {
            dialled.push(party);
            dealers.push(dealer);
        }
        scope(|scope| {
            let mut dialled = dialled.into_iter();
            let started = [Party::Server, Party::Client].into_iter().zip(peer).map(|(party, peer)| {
                let dealer = dialled.next();
                let run = move || {
                    let result = self.party(party, folder, peer, dealer, given, log);
                    Ending { result: result.map_err(|error| error.to_string()), at: Instant::now() }
                };
                Builder::new().name(format!("{party:?} of {}", self.name)).spawn_scoped(scope, run).unwrap()
            });
            let started: Vec<_> = started.collect();
            if !dealers.is_empty() {
                scope.spawn(|| self.deal(dealers, log));
            }
            // A panic is no way to end a session.
            let ended = started.into_iter().map(|party| party.join().unwrap());
            ended.collect::<Vec<_>>().try_into().ok().unwrap()
        })
    }

    /// What goes wrong at a dealer is its party's affair.
    fn deal(&self, channels: Vec<Box<dyn Channel>>, log: Option<&Log>) {
        let dealer = Dealer::new(self.plan.clone(), Arc::new(Portable), Duration::from_secs(10));
        for (link, channel) in channels.into_iter().enumerate() {
            let channel = match log {
                Some(log) => log.watch(channel, 1 + link, 1, &log.cursor(Place::Dealer)),
                None => channel,
            };
            match dealer.meet(channel) {
                Ok(Some(pair)) => drop(dealer.serve(pair)),
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }

    fn party(
        &self,
        party: Party,
        folder: &Path,
        mut peer: Box<dyn Channel>,
        mut dealer: Option<Box<dyn Channel>>,
        given: Given,
        log: Option<&Log>,
    ) -> Result<Results, RunError> {
        let cursor = log.map(|log| log.cursor(Place::Opening("greeting")));
        let go = |place: Place| cursor.iter().for_each(|cursor| cursor.set(place));
        if let (Some(log), Some(cursor)) = (log, &cursor) {
            peer = log.watch(peer, 0, party.index(), cursor);
            dealer = dealer.map(|dealer| log.watch(dealer, 1 + party.index(), 0, cursor));
        }
        let mut inputs = self.inputs(given);
        inputs.retain(|name, _| self.plan.inputs.iter().any(|input| input.name == *name && input.owner.knows(party)));
        let role = match party {
            Party::Server => Role::Server { prepared: self.prepared.clone(), public: self.public.clone() },
            Party::Client => {
                let queries = if self.kind == Kind::Prepare { self.queries } else { 1 };
                Role::Client { plan: self.plan.clone(), backend: Arc::new(Portable), cache: &NoCache, queries }
            }
        };
        let mut dial = || dealer.take().ok_or_else(|| PeerError::Closed("a second dealer".into()));
        let dial = self.has_dealer().then_some(&mut dial as ptc_exec::session::Dial);
        let key = |party: Party| Key::open_or_make(&folder.join(format!("key-{}", party.index()))).unwrap();
        let path = folder.join(format!("pool-{}", party.index()));
        let mut tell = |stage| go(Place::of(stage));
        if self.kind == Kind::Prepare {
            let vacant = reserve(&path)?;
            let mut session = Session::open_for(Purpose::Prepare, role, peer, dial, &mut tell)?;
            let mut writer = pooled::start(vacant, &key(party), &session)?;
            for _ in 0..self.queries {
                session.prepare(|supply| Ok(writer.put(&self.plan, supply)?), &mut tell)?;
            }
            return Ok(vec![]);
        }
        let pool = match self.kind {
            Kind::Pooled => Some(pooled::open(&path, &key(party), &self.plan, party)?),
            _ => None,
        };
        let mut session = Session::open_for(Purpose::Run { pool }, role, peer, dial, &mut tell)?;
        let mut progress = |round| go(Place::Online(round));
        let hooks = Hooks { progress: Some(&mut progress), danger_watch: None };
        session.query(inputs, hooks, &mut tell)
    }
}

/// A folder with its folders; who may look is kept.
pub fn copy(from: &Path, to: &Path) {
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            (entry, to)
        };
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
