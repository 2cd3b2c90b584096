//! A session of two parties: they agree on a plan, the client gets what is public, correlations are made, queries run.
//! Where correlations come from is the plan's: a dealer, or the two parties alone ([`Source`]). Queries that both parties
//! have in their pools come from there; a session that needs nothing else asks no source.
//!
//! | server | | client | phase |
//! |---|---|---|---|
//! | hello: plan, role, nonce, what the pool has | ⇄ | hello | setup |
//! | a word of the session | ⇄ | a word of the session | setup |
//! | hashes of public parameters | → | | setup |
//! | | ← | which of them it lacks | setup |
//! | those | → | | setup |
//! | digest of public values | ⇄ | digest | setup |
//! | masked weights | → | | weights (dealer) |
//! | base transfers | ⇄ | base transfers, keys | weights (two parties) |
//! | seed and digest from the dealer | | seed, corrections and digest from the dealer | offline (dealer) |
//! | transfers, corrections, encrypted products | ⇄ | transfers, corrections, encrypted masks | offline (two parties) |
//! | digest of public inputs | ⇄ | digest: ready | offline |
//! | the plan | ⇄ | the plan | online |

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ptc_correlation::Supply;
use ptc_kernels::Backend;
use ptc_mpc::reveal::compare_transcripts;
use ptc_net::channel::Overhead;
use ptc_net::{Channel, Counters, PeerError};
use ptc_offline::pool::Pool;
use ptc_offline::two_party::Progress;
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::step::{Owner, Party};
use sha2::{Digest, Sha256};

use crate::encryption::{self, Encryption};
use crate::error::RunError;
use crate::handshake::{self, Meeting, Plea};
use crate::pooled;
use crate::prepare::{Prepared, prepare};
use crate::public::{self, Cache};
use crate::run::{Hooks, Results, run};
use crate::source::Source;
use crate::statistics::{Clock, QuerySeconds, Statistics};
use crate::tensors::{Tensors, check_inputs};

pub mod calls;

/// What a party brings to a session besides its channels.
#[derive(Clone)]
pub enum Role<'a> {
    /// Its weights are prepared, and serve many sessions; the public ones among them are kept for clients.
    Server { prepared: Arc<Prepared>, public: Arc<Tensors> },
    /// It receives the public parameters, and says how many queries it has.
    Client { plan: Arc<Plan>, backend: Arc<dyn Backend>, cache: &'a dyn Cache, queries: u32 },
}

/// Makes the connection to the dealer, once the parties have found each other.
pub type Dial<'a> = &'a mut dyn FnMut() -> Result<Box<dyn Channel>, PeerError>;

/// What a session is for.
pub enum Purpose<'a> {
    /// Queries, from this pool as far as both parties have them.
    Run { pool: Option<Pool> },
    /// Correlations that are kept.
    Prepare,
    /// Queries that the client asks when they come ([`calls`]); so many are prepared ahead of them, if the server will.
    Ask { ahead: u32 },
    /// Queries of a client that asks, or that has told their number. Before the session begins `admit` may say why there is no
    /// room for it.
    Serve { ahead: u32, admit: &'a mut dyn FnMut() -> Result<(), String> },
}

/// What became of the pools that the parties brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pools {
    Neither,
    OnlyOwn,
    OnlyOther,
    /// They have no query in common.
    Foreign,
    /// They have so many of the session's queries.
    Common(u32),
}

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
    /// Rounds of what the two parties make.
    Made {
        done: usize,
        of: usize,
    },
    Pool {
        query: u32,
    },
}

pub struct Session {
    prepared: Arc<Prepared>,
    peer: Box<dyn Channel>,
    encryption: Encryption,
    /// None where pools have all queries.
    source: Option<Source>,
    pool: Option<Pool>,
    /// Queries of the pool for this session.
    pooled: Range<u32>,
    pub pools: Pools,
    /// The same at both parties, and no other session's.
    pub id: [u8; 32],
    /// How many queries the client has.
    pub queries: u32,
    asked: u32,
    /// Of queries that the client asks: how many may be held ahead. None where their number was told.
    pub ahead: Option<u32>,
    held: VecDeque<Supply>,
    pub calls: calls::Count,
    pub statistics: Statistics,
}

impl Session {
    /// For queries, without a pool.
    pub fn open(
        role: Role,
        peer: Box<dyn Channel>,
        dial: Option<Dial>,
        tell: &mut dyn FnMut(Stage),
    ) -> Result<Session, RunError> {
        Session::open_for(Purpose::Run { pool: None }, role, peer, dial, tell)
    }

    pub fn open_for(
        purpose: Purpose,
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
        let (prepares, asks) = match &purpose {
            Purpose::Run { .. } => (false, None),
            Purpose::Prepare => (true, None),
            Purpose::Ask { ahead } | Purpose::Serve { ahead, .. } => (false, Some(*ahead)),
        };
        let (pool, admit) = match purpose {
            Purpose::Run { pool } => (pool, None),
            Purpose::Serve { admit, .. } => (None, Some(admit)),
            Purpose::Prepare | Purpose::Ask { .. } => (None, None),
        };
        if let (Some(pool), Role::Server { prepared, .. }) = (&pool, &role) {
            pool.check_weights(&pooled::weights(prepared))?;
        }
        let offer = pool.as_ref().map(Pool::offer);
        let plea = Plea { role: party, queries, prepares, asks, pool: offer };
        let meeting = match admit {
            None => handshake::meet(&plan, plea, &mut *peer)?,
            Some(admit) => handshake::welcome(&plan, plea, admit, &mut *peer)?,
        };
        tell(Stage::PublicParameters);
        let prepared = match role {
            Role::Server { prepared, public } => {
                public::send(&plan, &public, &mut *peer)?;
                prepared
            }
            Role::Client { plan, backend, cache, .. } => {
                let public = public::receive(&plan, cache, &mut *peer)?;
                tell(Stage::Preparing);
                Arc::new(prepare(plan, Party::Client, backend, public)?)
            }
        };
        let hint = "one side's floating point differs; run the same version of `ptc`";
        agree(&prepared.public_digest, &mut *peer, Duration::ZERO, hint)?;
        let dealer = match (plan.trust, dial) {
            _ if meeting.missing() == 0 => None,
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

        let clock = Clock::start(peer.counters() + others);
        let source = match meeting.missing() {
            0 => None,
            _ => {
                tell(Stage::Once);
                Some(Source::open(&prepared, &mut *peer, dealer)?)
            }
        };
        let encryption = match prepares {
            true => Encryption::default(),
            false => encryption::open(&prepared, &mut *peer)?,
        };
        let others = source.as_ref().map_or(Counters::default(), Source::counters);
        let (traffic, time) = clock.read(peer.counters() + others);
        statistics.weights.add(traffic, time);
        let pools = pools(&meeting, pool.is_some());
        let Meeting { session: id, queries, asks: ahead, pooled, .. } = meeting;
        let (asked, held, calls) = (0, VecDeque::new(), calls::Count::default());
        Ok(Session {
            prepared,
            peer,
            encryption,
            source,
            pool,
            pooled,
            pools,
            id,
            queries,
            asked,
            ahead,
            held,
            calls,
            statistics,
        })
    }

    /// The next of the session's queries.
    pub fn query(&mut self, inputs: Tensors, hooks: Hooks, tell: &mut dyn FnMut(Stage)) -> Result<Results, RunError> {
        check_inputs(&self.prepared.plan, self.prepared.party, &inputs)?;
        let clock = Clock::start(self.counters());
        let (mut supply, patience) = self.supply(tell)?;
        let own = public_inputs(&self.prepared.plan, &inputs);
        agree(&own, &mut *self.peer, patience, "both sides need the same public inputs")?;
        let (traffic, dealing) = clock.read(self.counters());
        self.statistics.offline.add(traffic, dealing);

        let clock = Clock::start(self.peer.counters());
        self.peer.set_patience(self.encryption.patience)?;
        let online = &mut self.statistics.steps;
        let results = run(&self.prepared, &self.encryption, &mut *self.peer, &mut supply, inputs, online, hooks)?;
        let (traffic, time) = clock.read(self.peer.counters());
        self.statistics.online.add(traffic, time);
        let each = QuerySeconds { offline: dealing.as_secs_f64(), online: time.as_secs_f64() };
        self.statistics.each_query.push(each);
        self.asked += 1;
        self.statistics.queries = self.asked;
        self.statistics.encryption = self.overhead();
        Ok(results)
    }

    /// The correlations of the next query, for `keep`, which has them durably when it returns; so has the other party when
    /// this does. Nothing is kept where the parties have seen different messages.
    pub fn prepare(
        &mut self,
        keep: impl FnOnce(Supply) -> Result<(), RunError>,
        tell: &mut dyn FnMut(Stage),
    ) -> Result<(), RunError> {
        let clock = Clock::start(self.counters());
        let (supply, patience) = self.supply(tell)?;
        self.peer.set_patience(patience)?;
        compare_transcripts(&mut *self.peer)?;
        keep(supply)?;
        agree(&[0; 32], &mut *self.peer, Duration::ZERO, "run the same version of `ptc`")?;
        let (traffic, dealing) = clock.read(self.counters());
        self.statistics.offline.add(traffic, dealing);
        self.statistics.each_query.push(QuerySeconds { offline: dealing.as_secs_f64(), online: 0.0 });
        self.asked += 1;
        self.statistics.queries = self.asked;
        self.statistics.encryption = self.overhead();
        Ok(())
    }

    /// What the next query consumes, and how long the other party may take longer to have its part. What comes from a pool is
    /// no longer there.
    fn supply(&mut self, tell: &mut dyn FnMut(Stage)) -> Result<(Supply, Duration), RunError> {
        if let Some(supply) = self.held.pop_front() {
            self.calls.held_used += 1;
            return Ok((supply, Duration::ZERO));
        }
        self.make(tell)
    }

    /// The same, never of what is held.
    fn make(&mut self, tell: &mut dyn FnMut(Stage)) -> Result<(Supply, Duration), RunError> {
        let (query, plan) = (self.asked, &self.prepared.plan);
        if let Some(pool) = &mut self.pool
            && let Some(index) = self.pooled.next()
        {
            tell(Stage::Pool { query });
            let supply = pool.take(plan, index)?;
            self.statistics.pooled += 1;
            return Ok((supply, Duration::ZERO));
        }
        tell(Stage::Offline { query });
        let source = self.source.as_mut().ok_or(RunError::TooManyQueries(self.queries))?;
        let patience = source.patience(&self.prepared);
        self.peer.set_patience(patience)?;
        let mut told = |Progress { done, of }| tell(Stage::Made { done, of });
        let supply = source.supply(&self.prepared, &mut *self.peer, &mut told)?;
        self.statistics.source = source.seconds();
        Ok((supply, patience))
    }

    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    fn overhead(&self) -> Overhead {
        self.peer.overhead() + self.source.as_ref().map_or(Overhead::default(), Source::overhead)
    }

    fn counters(&self) -> Counters {
        self.peer.counters() + self.source.as_ref().map_or(Counters::default(), Source::counters)
    }
}

fn pools(meeting: &Meeting, own: bool) -> Pools {
    match (own, meeting.other_pool, meeting.queries - meeting.missing()) {
        (false, false, _) => Pools::Neither,
        (true, false, _) => Pools::OnlyOwn,
        (false, true, _) => Pools::OnlyOther,
        (true, true, 0) => Pools::Foreign,
        (true, true, common) => Pools::Common(common),
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
