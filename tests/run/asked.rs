//! Sessions whose client asks its queries one by one: results, and exactly the predicted rounds and bytes, however many of
//! them were prepared ahead.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ptc_exec::RunError;
use ptc_exec::dealer::Dealer;
use ptc_exec::prepare::prepare;
use ptc_exec::public::NoCache;
use ptc_exec::run::Hooks;
use ptc_exec::session::calls::{Call, Count};
use ptc_exec::session::{Dial, Purpose, Role, Session};
use ptc_exec::statistics::{Statistics, predict_asked};
use ptc_kernels::Portable;
use ptc_net::{Channel, PeerError, memory};
use ptc_plan::Plan;
use ptc_plan::file::{Making, Trust};
use ptc_plan::float::FloatTensor;
use ptc_plan::step::Party;

use crate::support::example;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

fn hello(trust: Trust) -> Arc<Plan> {
    let path = example("hello/hello.ptx");
    let text = std::fs::read_to_string(&path).unwrap();
    let built = ptc_driver::build(Path::new(&path), &text, &Default::default(), trust);
    let Ok(built) = built else { panic!("`hello` builds") };
    Arc::new(built.generated.plan)
}

fn input() -> BTreeMap<String, FloatTensor> {
    BTreeMap::from([("x".to_string(), FloatTensor::new(vec![4], vec![1.0, 2.0, -3.0, 0.5]))])
}

/// What a party's session came to.
type Ended = Result<(Statistics, Count), RunError>;

fn open<'a>(
    role: Role<'a>,
    purpose: Purpose<'a>,
    peer: memory::Memory,
    dealer: Option<memory::Memory>,
) -> Result<Session, RunError> {
    let mut dealer = dealer.map(Some);
    let mut dial = dealer.as_mut().map(|channel| {
        || -> Result<Box<dyn Channel>, PeerError> { Ok(Box::new(channel.take().expect("one dealer is dialled once"))) }
    });
    let dial = dial.as_mut().map(|dial| dial as Dial);
    Session::open_for(purpose, role, Box::new(peer), dial, &mut |_| ())
}

fn serve(plan: &Arc<Plan>, ahead: u32, peer: memory::Memory, dealer: Option<memory::Memory>) -> Ended {
    let weights = BTreeMap::from([
        ("layer.weight".to_string(), FloatTensor::new(vec![3, 4], vec![0.5; 12])),
        ("layer.bias".to_string(), FloatTensor::new(vec![3], vec![0.25; 3])),
    ]);
    let prepared = prepare(plan.clone(), Party::Server, Arc::new(Portable), weights)?;
    let role = Role::Server { prepared: Arc::new(prepared), public: Arc::default() };
    let mut session = open(role, Purpose::Serve { ahead, admit: &mut || Ok(()) }, peer, dealer)?;
    loop {
        match session.hear(PATIENCE)? {
            Call::End => return Ok((session.statistics, session.calls)),
            Call::Query => assert!(session.query(BTreeMap::new(), Hooks::default(), &mut |_| ())?.is_empty()),
            Call::Prepare => session.hold(&mut |_| ())?,
            Call::Ping => {}
        }
    }
}

fn ask(plan: &Arc<Plan>, calls: &[Call], peer: memory::Memory, dealer: Option<memory::Memory>) -> Ended {
    let role = Role::Client { plan: plan.clone(), backend: Arc::new(Portable), cache: &NoCache, queries: 6 };
    let mut session = open(role, Purpose::Ask { ahead: 2 }, peer, dealer)?;
    for &call in calls {
        session.call(call)?;
        match call {
            Call::Query => {
                let result = session.query(input(), Hooks::default(), &mut |_| ())?;
                // 0.5 · (1 + 2 - 3 + 0.5) + 0.25
                result[0].1.data.iter().for_each(|x| assert!((x - 0.5).abs() < 2e-3, "{x}"));
            }
            Call::Prepare => session.hold(&mut |_| ())?,
            Call::Ping | Call::End => {}
        }
    }
    Ok((session.statistics, session.calls))
}

/// The server's end, and the client's.
fn play(trust: Trust, ahead: u32, calls: &[Call]) -> [Ended; 2] {
    let plan = &hello(trust);
    let (a, b) = memory::pair();
    let dealt = trust == Trust::Dealer;
    let ((server_dealer, mut dealer_server), (client_dealer, mut dealer_client)) = (memory::pair(), memory::pair());
    std::thread::scope(|scope| {
        let server = scope.spawn(move || serve(plan, ahead, a, dealt.then_some(server_dealer)));
        let client = scope.spawn(move || ask(plan, calls, b, dealt.then_some(client_dealer)));
        if dealt {
            scope.spawn(move || {
                let dealer = Dealer::new(plan.clone(), Arc::new(Portable), PATIENCE);
                let _ = dealer.meet(Box::new(dealer_server));
                if let Ok(Some(pair)) = dealer.meet(Box::new(dealer_client)) {
                    // It deals for all that were announced, and sees that the parties leave before.
                    let _ = dealer.serve(pair);
                }
            });
        } else {
            // Nobody takes them.
            let _ = (dealer_server.send(vec![]), dealer_client.send(vec![]));
        }
        [server.join().unwrap(), client.join().unwrap()]
    })
}

#[test]
fn what_is_asked_costs_what_is_predicted() {
    use Call::{End, Ping, Prepare, Query};
    let modes = [Trust::TwoParty { making: Making::FAST }, Trust::TwoParty { making: Making::SPARING }, Trust::Dealer];
    for trust in modes {
        for calls in [
            &[Ping, End][..],
            &[Query, Query, End],
            &[Prepare, Query, Query, Ping, Prepare, Prepare, Query, End],
            &[Prepare, Prepare, Query, Query, Query, Prepare, End],
        ] {
            let plan = hello(trust);
            let count = |call: Call| calls.iter().filter(|&&other| other == call).count() as u32;
            for (party, ended) in [Party::Server, Party::Client].into_iter().zip(play(trust, 5, calls)) {
                let (statistics, held) = ended.unwrap_or_else(|error| panic!("{trust:?} {calls:?}: {error}"));
                assert_eq!((statistics.queries, held.held), (count(Query), count(Prepare)));
                let predicted = predict_asked(&plan, party, statistics.queries, held);
                for (name, phase, expected) in [
                    ("weights", statistics.weights, predicted.weights),
                    ("offline", statistics.offline, predicted.offline),
                    ("online", statistics.online, predicted.online),
                ] {
                    assert_eq!(phase.traffic, expected, "{name} of {party:?} in {trust:?} {calls:?}");
                }
            }
        }
    }
}

#[test]
fn a_client_that_asks_for_more_than_it_may_is_refused() {
    let told = |ahead: u32, calls: &[Call]| {
        let [server, _] = play(Trust::default(), ahead, calls);
        server.err().expect("the server ends the session").to_string()
    };
    // The client keeps to what was agreed on; one that does not is not believed.
    let error = play(Trust::default(), 1, &[Call::Prepare, Call::Prepare])[0].as_ref().err().map(|e| e.to_string());
    assert!(error.is_some_and(|error| error.contains("the peer")));
    assert!(told(2, &[Call::Query; 7]).contains("the session has 6 queries, and another is asked"));
}
