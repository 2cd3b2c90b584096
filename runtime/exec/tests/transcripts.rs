//! A bit that changes on its way between two honest parties is found before a value is opened, wherever it stood: both
//! parties compare what they have seen, and the opened value is bound to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;
use std::time::Duration;

use ptc_exec::RunError;
use ptc_exec::prepare::prepare;
use ptc_exec::public::{NoCache, select};
use ptc_exec::run::{Hooks, Results};
use ptc_exec::session::{Role, Session};
use ptc_exec::simulate::World;
use ptc_exec::tensors::Tensors;
use ptc_net::channel::Binding;
use ptc_net::{Channel, Counters, PeerError, Transcript, memory};
use ptc_plan::file::{Making, Trust};
use ptc_plan::step::Party;

#[allow(dead_code)]
mod every;

/// Flips a bit of one message that comes in, in the middle of its payload, once it is checked and counted as it came.
struct Bent {
    channel: memory::Memory,
    seen: Arc<AtomicUsize>,
    at: usize,
}

impl Bent {
    fn bend(&self, mut message: Vec<u8>) -> Vec<u8> {
        let at = self.seen.fetch_add(1, Ordering::Relaxed);
        let middle = message.len() / 2;
        if at == self.at && !message.is_empty() {
            message[middle] ^= 0x10;
        }
        message
    }
}

/// What goes out is bent, so that the other side hashes what it got, and this side what it meant.
struct Sender {
    bent: Bent,
    own: memory::Memory,
    mirror: memory::Memory,
}

impl Sender {
    fn new(channel: memory::Memory, at: usize, seen: Arc<AtomicUsize>) -> Sender {
        let (own, mirror) = memory::pair();
        Sender { bent: Bent { channel, seen, at }, own, mirror }
    }

    /// The transcript of what this side meant to send, and did receive.
    fn note_sent(&mut self, message: &[u8]) -> Result<(), PeerError> {
        self.own.send(message.to_vec())?;
        self.mirror.receive(message.len()).map(drop)
    }

    fn note_received(&mut self, message: &[u8]) -> Result<(), PeerError> {
        self.mirror.send(message.to_vec())?;
        self.own.receive(message.len()).map(drop)
    }
}

impl Channel for Sender {
    fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        let out = match out.is_empty() {
            true => out,
            false => {
                self.note_sent(&out)?;
                self.bent.bend(out)
            }
        };
        let answer = self.bent.channel.exchange(out, expect)?;
        if expect > 0 {
            self.note_received(&answer)?;
        }
        Ok(answer)
    }

    fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        self.note_sent(&message)?;
        let message = self.bent.bend(message);
        self.bent.channel.send(message)
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        let message = self.bent.channel.receive(limit)?;
        self.note_received(&message)?;
        Ok(message)
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError> {
        self.bent.channel.set_patience(patience)
    }

    fn counters(&self) -> Counters {
        self.bent.channel.counters()
    }

    fn transcript(&self) -> Transcript {
        self.own.transcript()
    }

    fn binding(&self) -> Binding {
        Binding::default()
    }
}

type Outcome = Result<Results, RunError>;

/// A query between two honest parties, with message `at` of `party` changed on its way; and how many it sent.
fn play(party: Party, at: usize) -> ([Outcome; 2], usize) {
    let World { plan, backend, parameters, inputs } =
        every::world(every::every_step(Trust::TwoParty { making: Making::FAST }));
    let plan = Arc::new(Arc::unwrap_or_clone(plan));
    let public = Arc::new(select(&plan, &parameters));
    let prepared = Arc::new(prepare(plan.clone(), Party::Server, backend.clone(), parameters).unwrap());
    let (server, client) = memory::pair_with_timeout(Duration::from_secs(60));
    let sent = Arc::new(AtomicUsize::new(0));
    let place = |own: Party| if own == party { at } else { usize::MAX };
    let count = |own: Party| if own == party { sent.clone() } else { Arc::default() };
    let server = Sender::new(server, place(Party::Server), count(Party::Server));
    let client = Sender::new(client, place(Party::Client), count(Party::Client));
    let own = |party: Party| -> Tensors {
        let mut inputs = inputs.clone();
        inputs.retain(|name, _| plan.inputs.iter().any(|input| input.name == *name && input.owner.knows(party)));
        inputs
    };
    let run = |role: Role, channel: Sender, inputs: Tensors| -> Outcome {
        let mut session = Session::open(role, Box::new(channel), None, &mut |_| ())?;
        session.query(inputs, Hooks::default(), &mut |_| ())
    };
    let ended = scope(|scope| {
        let run = &run;
        let (here, there) = (own(Party::Server), own(Party::Client));
        let server = scope.spawn(move || run(Role::Server { prepared, public }, server, here));
        let role = Role::Client { plan: plan.clone(), backend, cache: &NoCache, queries: 1 };
        let client = run(role, client, there);
        [server.join().unwrap(), client]
    });
    (ended, sent.load(Ordering::Relaxed))
}

#[test]
fn a_changed_bit_is_found_before_a_value_is_opened() {
    const PLACES: usize = 10;
    let mut by_transcript = 0;
    for party in [Party::Server, Party::Client] {
        let (honest, messages) = play(party, usize::MAX);
        for outcome in honest {
            outcome.unwrap();
        }
        // From the first message to the last.
        for at in (0..PLACES).map(|place| place * (messages - 1) / (PLACES - 1)) {
            let (ended, _) = play(party, at);
            let errors: Vec<String> = ended.iter().filter_map(|end| Some(end.as_ref().err()?.to_string())).collect();
            // The last message of a query, which opens a value, is known to be wrong by its receiver alone.
            assert!(!errors.is_empty(), "message {at} of {messages} of the {party:?}");
            by_transcript += usize::from(errors.iter().any(|error| error.starts_with("the transcripts differ")));
        }
    }
    assert!(by_transcript >= PLACES, "{by_transcript} of {}", 2 * PLACES);
}
