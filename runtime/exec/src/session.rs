//! A session of two parties: they agree on a plan, the client gets what is public, correlations are made, queries run.
//! Where correlations come from is the plan's: a dealer, or the two parties alone ([`Source`]).
//!
//! | server | | client | phase |
//! |---|---|---|---|
//! | hello: plan, role, nonce | ⇄ | hello | setup |
//! | hashes of public parameters | → | | setup |
//! | | ← | which of them it lacks | setup |
//! | those | → | | setup |
//! | digest of public values | ⇄ | digest | setup |
//! | masked weights | → | | weights |
//! | seed from the dealer | | seed and corrections from the dealer | offline |
//! | digest of public inputs | ⇄ | digest: ready | offline |
//! | the plan | ⇄ | the plan | online |

use std::sync::Arc;
use std::time::Duration;

use ptc_kernels::Backend;
use ptc_net::{Channel, Counters, PeerError};
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::step::{Owner, Party};
use sha2::{Digest, Sha256};

use crate::error::RunError;
use crate::handshake::{self, Meeting};
use crate::prepare::{Prepared, prepare};
use crate::public::{self, Cache};
use crate::run::{Hooks, Results, run};
use crate::source::Source;
use crate::statistics::{Clock, QuerySeconds, Statistics};
use crate::tensors::{Tensors, check_inputs};

/// What a party brings to a session besides its channels.
pub enum Role<'a> {
    /// Its weights are prepared; the public ones among them are kept for the client.
    Server { prepared: Prepared, public: Tensors },
    /// It receives the public parameters, and says how many queries it has.
    Client { plan: Arc<Plan>, backend: Arc<dyn Backend>, cache: &'a dyn Cache, queries: u32 },
}

/// Makes the connection to the dealer, once the parties have found each other.
pub type Dial<'a> = &'a mut dyn FnMut() -> Result<Box<dyn Channel>, PeerError>;

/// What a session is doing, for whoever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Handshake,
    PublicParameters,
    Preparing,
    Dealer,
    /// What the source of correlations needs once a session.
    Once,
    Offline {
        query: u32,
    },
}

pub struct Session {
    prepared: Prepared,
    peer: Box<dyn Channel>,
    source: Source,
    /// How many queries the client has.
    pub queries: u32,
    asked: u32,
    pub statistics: Statistics,
}

impl Session {
    pub fn open(
        role: Role,
        mut peer: Box<dyn Channel>,
        dial: Option<Dial>,
        tell: &mut dyn FnMut(Stage),
    ) -> Result<Session, RunError> {
        let mut statistics = Statistics::default();
        let clock = Clock::start(peer.counters());
        tell(Stage::Handshake);
        let (plan, party, queries) = match &role {
            Role::Server { prepared, .. } => (prepared.plan.clone(), Party::Server, 0),
            Role::Client { plan, queries, .. } => (plan.clone(), Party::Client, *queries),
        };
        let meeting = handshake::meet(&plan, party, queries, &mut *peer)?;
        tell(Stage::PublicParameters);
        let prepared = match role {
            Role::Server { prepared, public } => {
                public::send(&plan, &public, &mut *peer)?;
                prepared
            }
            Role::Client { plan, backend, cache, .. } => {
                let public = public::receive(&plan, cache, &mut *peer)?;
                tell(Stage::Preparing);
                prepare(plan, Party::Client, backend, public)?
            }
        };
        let hint = "one side's floating point differs; run the same version of `ptc`";
        agree(&prepared.public_digest, &mut *peer, Duration::ZERO, hint)?;
        let dealer = match (plan.trust, dial) {
            (Trust::Dealer, Some(dial)) => {
                tell(Stage::Dealer);
                let mut dealer = dial().map_err(RunError::Dealer)?;
                introduce(&plan, party, &meeting, &mut *dealer)?;
                Some(dealer)
            }
            (Trust::TwoParty { .. }, None) => None,
            (Trust::Dealer, None) => return Err(RunError::Trust("a dealer")),
            (Trust::TwoParty { .. }, Some(_)) => return Err(RunError::Trust("the two parties alone")),
        };
        let others = dealer.as_ref().map_or(Counters::default(), |dealer| dealer.counters());
        let (traffic, time) = clock.read(peer.counters());
        statistics.setup.add(traffic + others, time);

        tell(Stage::Once);
        let clock = Clock::start(peer.counters() + others);
        let source = Source::open(&prepared, &mut *peer, dealer)?;
        let (traffic, time) = clock.read(peer.counters() + source.counters());
        statistics.weights.add(traffic, time);
        Ok(Session { prepared, peer, source, queries: meeting.queries, asked: 0, statistics })
    }

    /// The next of the session's queries.
    pub fn query(&mut self, inputs: Tensors, hooks: Hooks, tell: &mut dyn FnMut(Stage)) -> Result<Results, RunError> {
        check_inputs(&self.prepared.plan, self.prepared.party, &inputs)?;
        tell(Stage::Offline { query: self.asked });
        let clock = Clock::start(self.counters());
        let mut supply = self.source.supply(&self.prepared, &mut *self.peer)?;
        let patience = self.source.patience(&self.prepared);
        let own = public_inputs(&self.prepared.plan, &inputs);
        agree(&own, &mut *self.peer, patience, "both sides need the same public inputs")?;
        let (traffic, dealing) = clock.read(self.counters());
        self.statistics.offline.add(traffic, dealing);

        let clock = Clock::start(self.peer.counters());
        let online = &mut self.statistics.steps;
        let results = run(&self.prepared, &mut *self.peer, &mut supply, inputs, online, hooks)?;
        let (traffic, time) = clock.read(self.peer.counters());
        self.statistics.online.add(traffic, time);
        let each = QuerySeconds { offline: dealing.as_secs_f64(), online: time.as_secs_f64() };
        self.statistics.each_query.push(each);
        self.asked += 1;
        self.statistics.queries = self.asked;
        Ok(results)
    }

    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    fn counters(&self) -> Counters {
        self.peer.counters() + self.source.counters()
    }
}

/// Both parties hold the same 32 bytes. The other may be silent for `patience` before it sends its own.
fn agree(own: &[u8; 32], peer: &mut dyn Channel, patience: Duration, hint: &'static str) -> Result<(), RunError> {
    peer.send(own.to_vec())?;
    peer.set_patience(patience)?;
    let other = peer.receive(own.len())?;
    peer.set_patience(Duration::ZERO)?;
    if other.len() != own.len() {
        return Err(PeerError::WrongLength { expected: own.len(), found: other.len() }.into());
    }
    if other == own { Ok(()) } else { Err(RunError::PublicValuesDiffer(hint)) }
}

fn public_inputs(plan: &Plan, inputs: &Tensors) -> [u8; 32] {
    let mut digest = Sha256::new();
    for input in plan.inputs.iter().filter(|input| input.owner == Owner::Both) {
        if let Some(tensor) = inputs.get(&input.name) {
            tensor.data.iter().for_each(|x| digest.update(x.to_le_bytes()));
        }
    }
    digest.finalize().into()
}

fn introduce(plan: &Plan, party: Party, meeting: &Meeting, dealer: &mut dyn Channel) -> Result<(), RunError> {
    match handshake::introduce(plan, party, meeting, dealer) {
        Err(RunError::Peer(error)) => Err(RunError::Dealer(error)),
        other => other,
    }
}
