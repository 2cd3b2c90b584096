//! A party that misbehaves at each message of a session in turn, with and without a dealer: it leaves, falls silent, sends
//! a byte too many or too few, far too much, or something else of the right length.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ptc_exec::RunError;
use ptc_exec::dealer::Dealer;
use ptc_exec::prepare::prepare;
use ptc_exec::public::NoCache;
use ptc_exec::run::{Hooks, Results};
use ptc_exec::session::{Dial, Role, Session};
use ptc_kernels::Portable;
use ptc_net::{Channel, Counters, PeerError, Transcript, memory};
use ptc_plan::Plan;
use ptc_plan::file::{Making, Trust};
use ptc_plan::float::FloatTensor;
use ptc_plan::step::Party;

use crate::support::example;

/// Far more than honest parties take between two messages here.
const IDLE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Leave,
    Longer,
    Shorter,
    /// Many times what is expected.
    Huge,
    /// Other bytes, as many.
    Garbage,
    Silent,
}

/// An honest channel up to message `at`.
struct Faulty {
    channel: Option<memory::Memory>,
    left: usize,
    fault: Fault,
}

impl Faulty {
    fn bend(&mut self, mut message: Vec<u8>) -> Option<Vec<u8>> {
        if message.is_empty() {
            return Some(message);
        }
        if self.left > 0 || self.fault == Fault::None {
            self.left = self.left.saturating_sub(1);
            return Some(message);
        }
        match self.fault {
            Fault::Leave => {
                self.channel = None;
                return None;
            }
            Fault::Silent => return None,
            Fault::Longer => message.push(0),
            Fault::Shorter => {
                message.pop();
            }
            Fault::Huge => message.resize(message.len() + (8 << 20), 7),
            Fault::Garbage => message.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(167).wrapping_add(101)),
            Fault::None => {}
        }
        self.fault = Fault::None;
        Some(message)
    }

    fn inner(&mut self) -> Result<&mut memory::Memory, PeerError> {
        self.channel.as_mut().ok_or(PeerError::Closed("nothing".into()))
    }
}

impl Channel for Faulty {
    fn exchange(&mut self, out: Vec<u8>, expect: usize) -> Result<Vec<u8>, PeerError> {
        match self.bend(out) {
            Some(out) => self.inner()?.exchange(out, expect),
            None => self.inner()?.exchange(vec![], expect),
        }
    }

    fn send(&mut self, message: Vec<u8>) -> Result<(), PeerError> {
        match self.bend(message) {
            Some(message) => self.inner()?.send(message),
            None => Ok(()),
        }
    }

    fn receive(&mut self, limit: usize) -> Result<Vec<u8>, PeerError> {
        self.inner()?.receive(limit)
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), PeerError> {
        self.inner()?.set_patience(patience)
    }

    fn counters(&self) -> Counters {
        self.channel.as_ref().map_or(Counters::default(), |channel| channel.counters())
    }

    fn transcript(&self) -> Transcript {
        self.channel.as_ref().map_or(memory::pair().0.transcript(), |channel| channel.transcript())
    }

    fn binding(&self) -> ptc_net::channel::Binding {
        self.channel.as_ref().map_or(Default::default(), |channel| channel.binding())
    }
}

fn hello(trust: Trust) -> Arc<Plan> {
    let path = example("hello/hello.ptx");
    let text = std::fs::read_to_string(&path).unwrap();
    let built = ptc_driver::build(Path::new(&path), &text, &Default::default(), trust);
    let Ok(built) = built else { panic!("`hello` builds") };
    Arc::new(built.generated.plan)
}

fn weights() -> BTreeMap<String, FloatTensor> {
    BTreeMap::from([
        ("layer.weight".to_string(), FloatTensor::new(vec![3, 4], vec![0.5; 12])),
        ("layer.bias".to_string(), FloatTensor::new(vec![3], vec![0.25; 3])),
    ])
}

type Outcome = Result<Results, RunError>;

/// What server and client say when message `at` of the party `bent` has a fault.
fn play(plan: &Arc<Plan>, bent: Party, at: usize, fault: Fault) -> [Outcome; 2] {
    let honest = |channel| Faulty { channel: Some(channel), left: usize::MAX, fault: Fault::None };
    let (server_peer, client_peer) = memory::pair_with_timeout(IDLE);
    let (mut server_peer, mut client_peer) = (honest(server_peer), honest(client_peer));
    let culprit = if bent == Party::Server { &mut server_peer } else { &mut client_peer };
    (culprit.left, culprit.fault) = (at, fault);
    let dealt = plan.trust == Trust::Dealer;
    let (server_dealer, dealer_server) = memory::pair_with_timeout(IDLE);
    let (client_dealer, dealer_client) = memory::pair_with_timeout(IDLE);
    std::thread::scope(|scope| {
        let server = scope.spawn(move || -> Outcome {
            let prepared = prepare(plan.clone(), Party::Server, Arc::new(Portable), weights())?;
            let role = Role::Server { prepared: Arc::new(prepared), public: Arc::default() };
            query(role, Box::new(server_peer), dealt.then_some(server_dealer), BTreeMap::new())
        });
        let client = scope.spawn(move || -> Outcome {
            let role = Role::Client { plan: plan.clone(), backend: Arc::new(Portable), cache: &NoCache, queries: 1 };
            let x = BTreeMap::from([("x".to_string(), FloatTensor::new(vec![4], vec![1.0, 2.0, -3.0, 0.5]))]);
            query(role, Box::new(client_peer), dealt.then_some(client_dealer), x)
        });
        if dealt {
            scope.spawn(move || {
                let dealer = Dealer::new(plan.clone(), Arc::new(Portable), IDLE);
                // A party that never comes to the dealer leaves it with an error that is not looked at here.
                if let (Ok(None), Ok(Some(pair))) =
                    (dealer.meet(Box::new(dealer_server)), dealer.meet(Box::new(dealer_client)))
                {
                    let _ = dealer.serve(pair);
                }
            });
        }
        // A panic is no way to end a session.
        [server.join().unwrap(), client.join().unwrap()]
    })
}

fn query(
    role: Role,
    peer: Box<dyn Channel>,
    dealer: Option<memory::Memory>,
    inputs: BTreeMap<String, FloatTensor>,
) -> Outcome {
    let mut dealer = dealer.map(Some);
    let mut dial = dealer.as_mut().map(|channel| {
        || -> Result<Box<dyn Channel>, PeerError> { Ok(Box::new(channel.take().expect("one dealer is dialled once"))) }
    });
    let dial = dial.as_mut().map(|dial| dial as Dial);
    let mut session = Session::open(role, peer, dial, &mut |_| ())?;
    session.query(inputs, Hooks::default(), &mut |_| ())
}

const MODES: [Trust; 3] =
    [Trust::TwoParty { making: Making::FAST }, Trust::TwoParty { making: Making::SPARING }, Trust::Dealer];

#[test]
fn honest_parties_get_their_answer() {
    for trust in MODES {
        let [server, client] = play(&hello(trust), Party::Client, 0, Fault::None);
        assert!(server.unwrap().is_empty());
        // 0.5 · (1 + 2 - 3 + 0.5) + 0.25
        let (name, result) = client.unwrap().remove(0);
        assert_eq!(name, "infer");
        result.data.iter().for_each(|x| assert!((x - 0.5).abs() < 2e-3, "{x}"));
    }
}

/// An error says who did what; parties with a dealer may lose each other at the dealer's.
fn check_told(error: &RunError, place: &str) {
    let told = error.to_string();
    let causes = [
        "the peer",
        "the dealer",
        "the public values that the two parties hold differ",
        "the two sides mean different sessions",
        "the transcripts differ",
    ];
    assert!(causes.iter().any(|cause| told.contains(cause)), "{place}: {told}");
}

/// Bends each message of a party in turn; how many there are.
fn check_faults(trust: Trust, bent: Party, fault: Fault) -> usize {
    let plan = hello(trust);
    let own = bent.other().index();
    // Until the party has no message left to bend.
    for at in 0..1000 {
        match &play(&plan, bent, at, fault)[own] {
            Err(error) => check_told(error, &format!("{trust:?}, message {at} of the {bent:?}, {fault:?}")),
            Ok(_) => return at,
        }
    }
    panic!("a session has fewer messages");
}

#[test]
fn a_bent_message_ends_the_session_wherever_it_comes() {
    for trust in MODES {
        for bent in [Party::Server, Party::Client] {
            let counts = [Fault::Leave, Fault::Longer, Fault::Shorter, Fault::Huge]
                .map(|fault| check_faults(trust, bent, fault));
            // Greeting, digests and rounds are messages, and so are those that make correlations.
            let least = if trust == Trust::Dealer { 4 } else { 8 };
            assert!(counts.iter().all(|&count| count >= least), "{trust:?} {bent:?}: {counts:?}");
        }
    }
}

#[test]
fn silence_ends_the_session_wherever_it_comes() {
    std::thread::scope(|scope| {
        for trust in MODES {
            for bent in [Party::Server, Party::Client] {
                scope.spawn(move || check_faults(trust, bent, Fault::Silent));
            }
        }
    });
}

/// What cannot be told from honest bytes spoils the result; everything else is an error. Nobody panics or hangs.
#[test]
fn garbage_is_an_error_or_a_wrong_result() {
    for trust in MODES {
        let plan = hello(trust);
        for bent in [Party::Server, Party::Client] {
            let count = check_faults(trust, bent, Fault::Leave);
            for at in 0..count {
                for outcome in play(&plan, bent, at, Fault::Garbage) {
                    if let Err(error) = outcome {
                        check_told(&error, &format!("{trust:?}, message {at} of the {bent:?}"));
                    }
                }
            }
        }
    }
}
