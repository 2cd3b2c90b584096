//! What each message of a session is: where in the session it is sent, and by the plan's own tables what it carries.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ptc_exec::session::Stage;
use ptc_net::{Channel, Counters, PeerError, Transcript};
use ptc_offline::two_party::spent::kind;
use ptc_plan::price;
use ptc_plan::two_party::piece::batches;
use ptc_plan::two_party::price::{Packings, parts};
use ptc_plan::two_party::schedule::{Stock, schedule};

use crate::scenario::Scenario;

/// Where in a session a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Opening(&'static str),
    /// Rounds of what the two parties make that are done.
    Made(usize),
    Online(u32),
    Dealer,
}

impl Place {
    pub fn of(stage: Stage) -> Place {
        match stage {
            Stage::Handshake => Place::Opening("greeting"),
            Stage::PublicParameters => Place::Opening("public parameters"),
            Stage::Preparing => Place::Opening("public values"),
            Stage::Dealer => Place::Opening("introduction"),
            Stage::Once => Place::Opening("once"),
            Stage::Made { done, .. } => Place::Made(done),
            Stage::Offline { .. } | Stage::Pool { .. } => Place::Opening("ready"),
        }
    }
}

/// A message of a session: the `index`-th on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// 0 between the parties, then the server's and the client's to the dealer.
    pub link: usize,
    /// Who sends: 0 the server, or the party of a dealer; 1 the client, or the dealer.
    pub way: usize,
    pub index: usize,
    pub place: Place,
    /// How many messages the sender has sent on this way at this place.
    pub before: usize,
    pub length: usize,
}

/// All messages of a session.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Logged>>>);

/// Where a party is, as it tells.
#[derive(Clone)]
pub struct Cursor(Arc<Mutex<Place>>);

impl Cursor {
    pub fn set(&self, place: Place) {
        *self.0.lock().unwrap() = place;
    }
}

impl Log {
    pub fn cursor(&self, place: Place) -> Cursor {
        Cursor(Arc::new(Mutex::new(place)))
    }

    /// The same channel, with what it sends written down.
    pub fn watch(&self, channel: Box<dyn Channel>, link: usize, way: usize, cursor: &Cursor) -> Box<dyn Channel> {
        Box::new(Watched { channel, log: self.clone(), link, way, cursor: cursor.clone() })
    }

    fn note(&self, link: usize, way: usize, place: Place, length: usize) {
        let mut all = self.0.lock().unwrap();
        let same = |message: &&Logged| (message.link, message.way) == (link, way);
        let index = all.iter().filter(same).count();
        let before = all.iter().filter(same).filter(|message| message.place == place).count();
        all.push(Logged { link, way, index, place, before, length });
    }

    pub fn messages(&self) -> Vec<Logged> {
        self.0.lock().unwrap().clone()
    }
}

struct Watched {
    channel: Box<dyn Channel>,
    log: Log,
    link: usize,
    way: usize,
    cursor: Cursor,
}

impl Watched {
    fn note(&self, message: &[u8]) {
        let place = *self.cursor.0.lock().unwrap();
        self.log.note(self.link, self.way, place, message.len());
    }
}

impl Channel for Watched {
    fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        if !out.is_empty() {
            self.note(&out);
        }
        self.channel.exchange(out, expect)
    }

    fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        self.note(&message);
        self.channel.send(message)
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        self.channel.receive(limit)
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError> {
        self.channel.set_patience(patience)
    }

    fn counters(&self) -> Counters {
        self.channel.counters()
    }

    fn transcript(&self) -> Transcript {
        self.channel.transcript()
    }

    fn binding(&self) -> ptc_net::channel::Binding {
        self.channel.binding()
    }
}

/// What the message carries, each with who sends it.
pub fn kinds(scenario: &Scenario, message: &Logged) -> BTreeSet<String> {
    let sender = match (message.link, message.way) {
        (0, 0) => "server",
        (0, _) => "client",
        (1, 0) => "server to dealer",
        (_, 0) => "client to dealer",
        (1, _) => "dealer to server",
        _ => "dealer to client",
    };
    let carried = match message.place {
        // Weights and corrections come in many messages, which are alike.
        Place::Opening(name) => vec![format!("{name} {} {:?}", message.before.min(4), scenario.kind)],
        Place::Dealer => vec![format!("message {}", message.index.min(4))],
        Place::Made(at) => made(scenario, message, at),
        Place::Online(round) => opened(scenario, message, round),
    };
    let once = match (message.place, scenario.making()) {
        (Place::Opening("once") | Place::Made(_), Some(making)) => format!(" ({:?})", making.extension),
        _ => String::new(),
    };
    carried.into_iter().map(|what| format!("{sender}: {what}{once}")).collect()
}

/// In a round of making correlations, or after the last.
fn made(scenario: &Scenario, message: &Logged, at: usize) -> Vec<String> {
    let making = scenario.making().expect("two parties make correlations");
    let batches = batches(&scenario.plan, making);
    let packings = Packings::of(&batches, making);
    let rounds = schedule(&batches, making.extension, &mut Stock::default());
    let Some(round) = rounds.get(at).filter(|_| message.before == 0) else {
        return vec![format!("made {}", message.before)];
    };
    let parts = parts(&batches, &packings, making.extension, round)[message.way];
    assert_eq!(parts.sum() as usize, message.length, "the message of round {at}");
    let mut carried = vec![];
    let pieces = |batch: Option<usize>| batch.into_iter().flat_map(|batch| &batches[batch].pieces);
    if parts.extended != [0, 0] {
        carried.push(format!("extension {:?}", parts.extended.map(|bytes| bytes > 0)));
    }
    for piece in pieces(round.corrected).filter(|piece| piece.transfers()[message.way].bytes > 0) {
        carried.push(format!("corrections of {}, {:?}", kind(&piece.correlation), piece.method));
    }
    let encrypted = if message.way == 0 { round.multiplied } else { round.encrypted };
    for piece in pieces(encrypted) {
        if packings.bytes(piece).request > 0 {
            carried.push(format!("ciphertexts of {}", kind(&piece.correlation)));
        }
    }
    for piece in pieces(round.wrapped).filter(|piece| piece.slotwise().is_some()) {
        carried.push(format!("wrap bits of {}", kind(&piece.correlation)));
    }
    carried
}

/// In a round of the plan, or beside it.
fn opened(scenario: &Scenario, message: &Logged, round: u32) -> Vec<String> {
    let (mut carried, mut bytes) = (vec![], 0);
    for step in &scenario.plan.steps {
        let rounds = price::rounds(&scenario.plan.values, step);
        let Some(own) = round.checked_sub(step.round).and_then(|at| rounds.get(at as usize)) else { continue };
        let sent = own.sent[message.way];
        bytes += sent;
        if sent > 0 {
            // Levels of a tournament are alike.
            carried.push(format!("{} {}", step.op.name(), (round - step.round).min(3)));
        }
    }
    match bytes as usize == message.length {
        true => carried,
        false => vec![format!("beside the rounds {}", message.before)],
    }
}
