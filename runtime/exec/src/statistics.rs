//! What a session cost and was to cost, by phase and by step.

use std::time::{Duration, Instant};

use ptc_net::Counters;
use ptc_net::channel::Overhead;
use ptc_plan::Plan;
use ptc_plan::bill;
use ptc_plan::file::Trust;
use ptc_plan::inline;
use ptc_plan::price::{self, DIGEST, FRAME_HEADER};
use ptc_plan::step::Party;
use ptc_plan::two_party;

use crate::session::calls::Count;
use crate::trace::Trace;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phase {
    pub traffic: Counters,
    pub seconds: f64,
}

impl Phase {
    pub fn add(&mut self, traffic: Counters, time: Duration) {
        self.traffic = self.traffic + traffic;
        self.seconds += time.as_secs_f64();
    }
}

#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Handshakes and public parameters.
    pub setup: Phase,
    /// Once a session: masked weights with a dealer, else keys and base transfers.
    pub weights: Phase,
    /// Correlations, for each query.
    pub offline: Phase,
    pub online: Phase,
    /// What encryption added to all phases; nothing on plain connections.
    pub encryption: Overhead,
    pub queries: u32,
    /// Those of them whose correlations came from a pool.
    pub pooled: u32,
    pub each_query: Vec<QuerySeconds>,
    /// What this party's seconds in the offline phase went into, where the source tells. Parts run side by side.
    pub source: Vec<(&'static str, f64)>,
    pub steps: Online,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QuerySeconds {
    pub offline: f64,
    pub online: f64,
}

/// Online, over all queries of a session.
#[derive(Clone, Debug, Default)]
pub struct Online {
    /// Seconds computed in each step of the plan.
    pub steps: Vec<f64>,
    /// Seconds spent sending, and waiting for the other party.
    pub waiting: f64,
    /// Rounds and steps one by one, where somebody asks.
    pub trace: Option<Trace>,
}

/// Traffic that follows from the plan alone: what the counters must show, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Predicted {
    pub weights: Counters,
    pub offline: Counters,
    pub online: Counters,
}

/// A digest outside of a query, by which the parties say that they are ready for one, or what they have seen.
const READY: u64 = FRAME_HEADER + DIGEST;

/// Of a session without a pool.
pub fn predict(plan: &Plan, party: Party, queries: u32) -> Predicted {
    predict_pooled(plan, party, queries, 0)
}

/// Of a session that takes the correlations of `pooled` of its queries from a pool. Where that is all of them, no source of
/// correlations is asked.
pub fn predict_pooled(plan: &Plan, party: Party, queries: u32, pooled: u32) -> Predicted {
    predicted(plan, party, queries, queries.saturating_sub(pooled), queries)
}

/// Of a session whose client asks: some of its queries were prepared ahead, and some of what was prepared was not asked.
pub fn predict_asked(plan: &Plan, party: Party, queries: u32, calls: Count) -> Predicted {
    let made = queries.saturating_add(calls.held).saturating_sub(calls.held_used);
    let all = predicted(plan, party, queries, made.max(1), queries.saturating_add(calls.held));
    // The source is opened before anything is asked.
    if made == 0 { Predicted { offline: Counters::default(), ..all } } else { all }
}

/// Of so many queries, so many times their correlations, and so often a word that both are ready. A source that is not asked
/// for anything is not opened.
fn predicted(plan: &Plan, party: Party, queries: u32, made: u32, ready: u32) -> Predicted {
    let (own, other) = (party.index(), party.other().index());
    let (total, _) = price::total(plan);
    let times = u64::from(queries);
    let [once, made] = if made == 0 { [Counters::default(); 2] } else { source(plan, party, made) };
    let ready = READY * u64::from(ready);
    let ready = Counters { rounds: 0, sent: ready, received: ready };
    let keys = inline::setup_bytes(plan);
    let keys = match party {
        Party::Server => Counters { received: keys, ..Counters::default() },
        Party::Client => Counters { sent: keys, ..Counters::default() },
    };
    Predicted {
        weights: once + keys,
        offline: made + ready,
        online: Counters {
            rounds: total.rounds * times,
            sent: total.sent[own] * times,
            received: total.sent[other] * times,
        },
    }
}

/// Of a session that prepares.
pub fn predict_prepared(plan: &Plan, party: Party, queries: u32) -> Predicted {
    let [weights, made] = source(plan, party, queries);
    // The transcripts are compared, then both have kept it.
    let ready = 2 * READY * u64::from(queries);
    let offline = made + Counters { rounds: 0, sent: ready, received: ready };
    Predicted { weights, offline, online: Counters::default() }
}

/// What the source of correlations costs: once a session, and for so many queries.
fn source(plan: &Plan, party: Party, queries: u32) -> [Counters; 2] {
    let Trust::TwoParty { making } = plan.trust else {
        let (offline, times) = (bill::offline(plan), u64::from(queries));
        let traffic = |sent: u64, received: u64| Counters { rounds: 0, sent, received };
        return match party {
            Party::Server => [
                traffic(offline.server_to_client_once, offline.dealer_to_server_once),
                traffic(0, offline.dealer_to_server * times),
            ],
            Party::Client => [traffic(0, offline.server_to_client_once), traffic(0, offline.dealer_to_client * times)],
        };
    };
    [two_party::price::setup(plan, making), two_party::price::queries(plan, making, queries as usize)].map(|flow| {
        Counters { rounds: flow.rounds, sent: flow.sent[party.index()], received: flow.sent[party.other().index()] }
    })
}

/// Measures from its making until it is read.
pub struct Clock {
    start: Instant,
    counters: Counters,
}

impl Clock {
    pub fn start(counters: Counters) -> Clock {
        Clock { start: Instant::now(), counters }
    }

    pub fn read(&self, counters: Counters) -> (Counters, Duration) {
        (counters.since(self.counters), self.start.elapsed())
    }
}
