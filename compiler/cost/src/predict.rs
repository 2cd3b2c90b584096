//! How long a session of one query takes under a profile, phase by phase.
//!
//! Rounds and bytes are exact. A phase waits one way of the link for each round, since both parties send and both wait. In
//! preparing, the link and the processors work side by side, but for a part [`IDLE`] of the shorter, when one waits for the
//! other; a query does one thing after the other.

use ptc_plan::Plan;
use ptc_plan::bill;
use ptc_plan::file::{Making, Trust};
use ptc_plan::inline;
use ptc_plan::price::{self, FRAME_HEADER};
use ptc_plan::two_party::elementwise::Slotted;
use ptc_plan::two_party::encrypted;
use ptc_plan::two_party::piece::{Batch, batches};
use ptc_plan::two_party::price::{Packings, base, parts, slottings};
use ptc_plan::two_party::schedule::{Stock, schedule};

use crate::offline::{self, Nanoseconds};
use crate::online;
use crate::profile::Profile;

/// The part of the shorter of transfer and computing that is not hidden behind the longer.
const IDLE: f64 = 0.7;

/// The digest by which each party says that it is ready for a query.
const READY: u64 = FRAME_HEADER + 32;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phase {
    pub rounds: u64,
    /// By [`ptc_plan::step::Party::index`]; frame headers are counted.
    pub sent: [u64; 2],
    /// By a dealer, to both.
    pub dealt: u64,
    /// For messages on their way.
    pub waiting_s: f64,
    /// For the link's bandwidth.
    pub transfer_s: f64,
    pub computing_s: f64,
    /// Of the whole phase.
    pub seconds: f64,
}

/// A session of one query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prediction {
    /// Once a session: keys and base transfers, or masked weights. Handshakes are not counted.
    pub setup: Phase,
    pub offline: Phase,
    pub online: Phase,
}

impl Prediction {
    pub fn seconds(&self) -> f64 {
        self.phases().map(|phase| phase.seconds).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.phases().map(|phase| phase.sent[0] + phase.sent[1] + phase.dealt).sum()
    }

    fn phases(&self) -> impl Iterator<Item = Phase> {
        [self.setup, self.offline, self.online].into_iter()
    }
}

/// Of a checked plan.
pub fn predict(plan: &Plan, profile: &Profile) -> Prediction {
    let [setup, offline] = match plan.trust {
        Trust::TwoParty { making } => {
            let preparation = Preparation::of(plan, making);
            [preparation.setup(plan, profile), preparation.offline(profile)]
        }
        Trust::Dealer => dealt(plan, profile),
    };
    Prediction { setup, offline, online: query(plan, profile) }
}

/// What two parties alone make for a plan, and how.
pub struct Preparation {
    pub making: Making,
    pub batches: Vec<Batch>,
    pub packings: Packings,
}

impl Preparation {
    pub fn of(plan: &Plan, making: Making) -> Preparation {
        let batches = batches(plan, making);
        Preparation { making, packings: Packings::of(&batches, making), batches }
    }

    pub fn setup(&self, plan: &Plan, profile: &Profile) -> Phase {
        let mut phase = Phase::default();
        for sent in base(&self.batches, self.making.extension) {
            phase.exchange([sent; 2]);
        }
        let slotwise: u64 = slottings(&self.batches).iter().map(Slotted::key_bytes).sum();
        let keys = encrypted::key_bytes(&self.packings.keys()) + slotwise;
        phase.exchange([0, keys]);
        let inline = inline::setup_bytes(plan);
        phase.sent[1] += inline;
        let machine = &profile.machine;
        let opening = machine.opening_ms * 1e-3 + (keys + inline) as f64 * machine.key_ns * 1e-9;
        phase.timed(opening, profile).in_turn()
    }

    pub fn offline(&self, profile: &Profile) -> Phase {
        let machine = &profile.machine;
        let rounds = schedule(&self.batches, self.making.extension, &mut Stock::default());
        let mut phase = Phase::default();
        for round in &rounds {
            let parts = parts(&self.batches, &self.packings, self.making.extension, round);
            phase.exchange(parts.map(|parts| parts.sum()));
        }
        phase.sent = phase.sent.map(|sent| sent + READY);
        let work = offline::query(&rounds, &self.batches, &self.packings, self.making, machine);
        phase.timed(computing(work, self.batches.len(), profile), profile).side_by_side()
    }
}

/// Seconds of both parties' work in so many steps, of which the one does a step while the other does the next.
fn computing(work: Nanoseconds, steps: usize, profile: &Profile) -> f64 {
    let [server, client] = work;
    let cores = f64::from(profile.machine.cores);
    let nanoseconds = match profile.machine.shared {
        true => server + client,
        false => server.max(client) + server.min(client) / steps.max(1) as f64,
    };
    nanoseconds / cores * 1e-9
}

/// From a dealer, over a link as the server's.
fn dealt(plan: &Plan, profile: &Profile) -> [Phase; 2] {
    let offline = bill::offline(plan);
    let keys = inline::setup_bytes(plan);
    let setup =
        Phase { sent: [offline.server_to_client_once, keys], dealt: offline.dealer_to_server_once, ..Phase::default() };
    let masked = offline.server_to_client_once as f64 * profile.machine.byte_ns * 1e-9;
    let query =
        Phase { sent: [READY; 2], dealt: offline.dealer_to_server + offline.dealer_to_client, ..Phase::default() };
    let work = offline::dealt(plan, &profile.machine);
    [setup.timed(masked, profile).side_by_side(), query.timed(computing(work, 1, profile), profile).side_by_side()]
}

/// The query itself.
pub fn query(plan: &Plan, profile: &Profile) -> Phase {
    let (total, _) = price::total(plan);
    let machine = &profile.machine;
    let work: f64 = plan.steps.iter().map(|step| online::step(plan, step, machine)).sum();
    let exchanging = total.rounds as f64 * machine.round_us * 1e3;
    let phase = Phase { rounds: total.rounds, sent: total.sent, ..Phase::default() };
    phase.timed((work + exchanging) * 1e-9, profile).in_turn()
}

impl Phase {
    /// One exchange of so many bytes.
    fn exchange(&mut self, payload: [u64; 2]) {
        self.rounds += u64::from(payload != [0, 0]);
        for (sent, payload) in self.sent.iter_mut().zip(payload) {
            *sent += if payload == 0 { 0 } else { payload + FRAME_HEADER };
        }
    }

    fn timed(mut self, computing_s: f64, profile: &Profile) -> Phase {
        self.waiting_s = self.rounds as f64 * profile.one_way_seconds();
        self.transfer_s = profile.transfer_seconds([self.sent[0] + self.dealt, self.sent[1]]);
        self.computing_s = computing_s;
        self
    }

    fn in_turn(self) -> Phase {
        Phase { seconds: self.waiting_s + self.transfer_s + self.computing_s, ..self }
    }

    fn side_by_side(self) -> Phase {
        let (shorter, longer) = (self.transfer_s.min(self.computing_s), self.transfer_s.max(self.computing_s));
        Phase { seconds: self.waiting_s + longer + IDLE * shorter, ..self }
    }
}
