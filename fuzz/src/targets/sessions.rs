//! Sessions with a peer and a dealer that say anything: greetings, public parameters, masked weights, seeds, corrections,
//! every round of every step. They end with an error or with some result.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ptc_exec::prepare::{Prepared, prepare};
use ptc_exec::public::{NoCache, select};
use ptc_exec::run::Hooks;
use ptc_exec::session::calls::Call;
use ptc_exec::session::{Dial, Purpose, Role, Session};
use ptc_exec::simulate::World;
use ptc_exec::tensors::Tensors;
use ptc_exec::{RunError, dealer::Dealer};
use ptc_kernels::Portable;
use ptc_net::Channel;
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::step::Party;

use super::bytes::Bytes;
use super::every;
use super::peer::Peer;

struct Ready {
    plan: Arc<Plan>,
    prepared: Arc<Prepared>,
    public: Arc<Tensors>,
    /// By party.
    inputs: [Tensors; 2],
}

fn ready(trust: Trust) -> Ready {
    let World { plan, backend, parameters, inputs } = every::world(every::every_step(trust));
    let public = Arc::new(select(&plan, &parameters));
    let prepared = prepare(plan.clone(), Party::Server, backend, parameters);
    let prepared = Arc::new(prepared.unwrap_or_else(|error| panic!("{error}")));
    let of = |party: Party| {
        let own = plan.inputs.iter().filter(|input| input.owner.knows(party));
        own.map(|input| (input.name.clone(), inputs[&input.name].clone())).collect()
    };
    let inputs = [Party::Server, Party::Client].map(of);
    Ready { prepared, public, inputs, plan }
}

/// With a dealer, which may be as bad as the peer.
pub fn dealt(bytes: &[u8]) {
    static READY: OnceLock<Ready> = OnceLock::new();
    run(READY.get_or_init(|| ready(Trust::Dealer)), bytes);
}

/// Two parties alone: base transfers, keys, extensions, encrypted products.
pub fn alone(bytes: &[u8]) {
    static READY: OnceLock<Ready> = OnceLock::new();
    run(READY.get_or_init(|| ready(every::ALONE)), bytes);
}

fn run(ready: &Ready, bytes: &[u8]) {
    let mut choices = Bytes::new(bytes);
    let (kind, of_dealer) = (choices.byte(), choices.below(1 << 11));
    let dealer = Peer::new(choices.take(of_dealer));
    let peer = Box::new(Peer::new(choices.rest()));
    // An error or not.
    let _ = session(ready, kind, peer, dealer);
}

fn session(ready: &Ready, kind: u8, peer: Box<Peer>, dealer: Peer) -> Result<(), RunError> {
    let party = if kind & 1 == 0 { Party::Server } else { Party::Client };
    let role = match party {
        Party::Server => Role::Server { prepared: ready.prepared.clone(), public: ready.public.clone() },
        Party::Client => {
            Role::Client { plan: ready.plan.clone(), backend: Arc::new(Portable), cache: &NoCache, queries: 2 }
        }
    };
    let mut admit = || if kind & 0x80 == 0 { Ok(()) } else { Err("no room".to_string()) };
    let purpose = match kind >> 1 & 3 {
        0 => Purpose::Run { pool: None },
        1 => Purpose::Prepare,
        _ if party == Party::Client => Purpose::Ask { ahead: 1 },
        _ => Purpose::Serve { ahead: 1, admit: &mut admit },
    };
    let prepares = matches!(purpose, Purpose::Prepare);
    let asks = kind & 4 != 0;
    let mut dealer = Some(dealer);
    let mut dial = || Ok(Box::new(dealer.take().expect("one call")) as Box<dyn Channel>);
    let dial: Option<Dial> = if ready.plan.trust == Trust::Dealer { Some(&mut dial) } else { None };
    let mut session = Session::open_for(purpose, role, peer, dial, &mut |_| ())?;
    for _ in 0..2 {
        match (asks, party) {
            _ if prepares => {
                session.prepare(|_| Ok(()), &mut |_| ())?;
                continue;
            }
            (true, Party::Client) => {
                session.call(Call::Ping)?;
                session.call(Call::Query)?;
            }
            (true, Party::Server) => match session.hear(Duration::ZERO)? {
                Call::Query => {}
                Call::Prepare => session.hold(&mut |_| ())?,
                Call::Ping | Call::End => continue,
            },
            (false, _) => {}
        }
        session.query(ready.inputs[party.index()].clone(), Hooks::default(), &mut |_| ())?;
    }
    Ok(())
}

/// What a dealer hears from its guests.
pub fn guests(bytes: &[u8]) {
    static PLAN: OnceLock<Arc<Plan>> = OnceLock::new();
    let plan = PLAN.get_or_init(|| Arc::new(every::every_step(Trust::Dealer)));
    let dealer = Dealer::new(plan.clone(), Arc::new(Portable), Duration::from_secs(1));
    let mut choices = Bytes::new(bytes);
    let first = choices.below(1 << 10);
    for script in [choices.take(first), choices.rest()] {
        if let Ok(Some(pair)) = dealer.meet(Box::new(Peer::new(script))) {
            let _ = dealer.serve(pair);
        }
    }
}
