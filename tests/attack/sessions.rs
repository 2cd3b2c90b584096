//! A client that goes through the handshake and misbehaves later: at each message in turn it leaves, or sends one byte too
//! many or too few.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ptc_exec::RunError;
use ptc_exec::dealer::Dealer;
use ptc_exec::prepare::prepare;
use ptc_exec::public::NoCache;
use ptc_exec::run::{Hooks, Results};
use ptc_exec::session::{Role, Session};
use ptc_kernels::Portable;
use ptc_net::{Channel, Counters, PeerError, memory};
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::float::FloatTensor;
use ptc_plan::step::Party;

use crate::support::example;

const IDLE: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Leave,
    Longer,
    Shorter,
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
}

fn hello() -> Arc<Plan> {
    let path = example("hello/hello.ptx");
    let text = std::fs::read_to_string(&path).unwrap();
    let built = ptc_driver::build(Path::new(&path), &text, &Default::default(), Trust::Dealer);
    let Ok(built) = built else { panic!("`hello` builds") };
    Arc::new(built.generated.plan)
}

fn weights() -> BTreeMap<String, FloatTensor> {
    BTreeMap::from([
        ("layer.weight".to_string(), FloatTensor::new(vec![3, 4], vec![0.5; 12])),
        ("layer.bias".to_string(), FloatTensor::new(vec![3], vec![0.25; 3])),
    ])
}

/// What the server says of a client whose message `at` is bent, and what the client says.
fn play(plan: &Arc<Plan>, at: usize, fault: Fault) -> (Result<Results, RunError>, Result<Results, RunError>) {
    let (server_peer, client_peer) = memory::pair_with_timeout(IDLE);
    let (server_dealer, dealer_server) = memory::pair_with_timeout(IDLE);
    let (client_dealer, dealer_client) = memory::pair_with_timeout(IDLE);
    let client_peer = Faulty { channel: Some(client_peer), left: at, fault };
    std::thread::scope(|scope| {
        let server = scope.spawn(|| -> Result<Results, RunError> {
            let prepared = prepare(plan.clone(), Party::Server, Arc::new(Portable), weights())?;
            let role = Role::Server { prepared, public: BTreeMap::new() };
            query(role, Box::new(server_peer), server_dealer, BTreeMap::new())
        });
        let client = scope.spawn(|| -> Result<Results, RunError> {
            let role = Role::Client { plan: plan.clone(), backend: Arc::new(Portable), cache: &NoCache, queries: 1 };
            let x = BTreeMap::from([("x".to_string(), FloatTensor::new(vec![4], vec![1.0, 2.0, -3.0, 0.5]))]);
            query(role, Box::new(client_peer), client_dealer, x)
        });
        scope.spawn(|| {
            let dealer = Dealer::new(plan.clone(), Arc::new(Portable), IDLE);
            // A party that never comes to the dealer leaves it with an error that is not looked at here.
            if let (Ok(None), Ok(Some(pair))) =
                (dealer.meet(Box::new(dealer_server)), dealer.meet(Box::new(dealer_client)))
            {
                let _ = dealer.serve(pair);
            }
        });
        (server.join().unwrap(), client.join().unwrap())
    })
}

fn query(
    role: Role,
    peer: Box<dyn Channel>,
    dealer: memory::Memory,
    inputs: BTreeMap<String, FloatTensor>,
) -> Result<Results, RunError> {
    let mut dealer: Option<Box<dyn Channel>> = Some(Box::new(dealer));
    let mut dial = || dealer.take().ok_or_else(|| PeerError::Closed("a second dealer".into()));
    let mut session = Session::open(role, peer, Some(&mut dial), &mut |_| ())?;
    session.query(inputs, Hooks::default(), &mut |_| ())
}

#[test]
fn an_honest_client_gets_its_answer() {
    let (server, client) = play(&hello(), 0, Fault::None);
    assert!(server.unwrap().is_empty());
    // 0.5 · (1 + 2 - 3 + 0.5) + 0.25
    let (name, result) = client.unwrap().remove(0);
    assert_eq!(name, "infer");
    result.data.iter().for_each(|x| assert!((x - 0.5).abs() < 2e-3, "{x}"));
}

#[test]
fn a_bent_message_ends_the_session_wherever_it_comes() {
    let plan = hello();
    for fault in [Fault::Leave, Fault::Longer, Fault::Shorter, Fault::Silent] {
        let mut messages = 0;
        // Until the client has no message left to bend.
        loop {
            let (server, client) = play(&plan, messages, fault);
            match server {
                Err(error) => {
                    let told = error.to_string();
                    assert!(told.contains("the peer"), "message {messages}, {fault:?}: {told}");
                }
                Ok(results) => {
                    assert!(results.is_empty());
                    // The last message of a query goes from the server to the client.
                    assert!(client.is_ok() || fault != Fault::None, "message {messages}, {fault:?}");
                    break;
                }
            }
            messages += 1;
            assert!(messages < 1000);
        }
        assert!(messages >= 4, "{fault:?}: greeting, digests and rounds are messages");
    }
}
