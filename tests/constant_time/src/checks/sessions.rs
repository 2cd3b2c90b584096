//! Whole sessions of a plan that has every kind of step: all that the two parties draw is secret, what they send is public.
//! Inputs and weights are what they are: a party looks at its own before it shares them.

use std::sync::Arc;

use ptc_exec::prepare::prepare;
use ptc_exec::public::{NoCache, select};
use ptc_exec::run::Hooks;
use ptc_exec::session::{Purpose, Role, Session};
use ptc_exec::simulate::World;
use ptc_exec::tensors::Tensors;
use ptc_kernels::Portable;
use ptc_net::memory;
use ptc_plan::file::{Making, Trust};
use ptc_plan::step::Party;

use super::wire::Wire;
use crate::entropy;

#[allow(dead_code, reason = "its own test uses the rest")]
#[path = "../../../../runtime/exec/tests/every/mod.rs"]
mod every;

pub fn alone() {
    session(Trust::TwoParty { making: Making::FAST });
}

fn session(trust: Trust) {
    let World { plan, backend, parameters, inputs } = every::world(every::every_step(trust));
    let public = Arc::new(select(&plan, &parameters));
    let prepared = prepare(plan.clone(), Party::Server, backend, parameters);
    let prepared = Arc::new(prepared.unwrap_or_else(|error| panic!("{error}")));
    let own = |party: Party| -> Tensors {
        let own = plan.inputs.iter().filter(|input| input.owner.knows(party));
        own.map(|input| (input.name.clone(), inputs[&input.name].clone())).collect()
    };
    let run = |role: Role, channel: Wire, inputs: Tensors| {
        let opened = Session::open_for(Purpose::Run { pool: None }, role, Box::new(channel), None, &mut |_| ());
        let mut session = opened.unwrap_or_else(|error| panic!("{error}"));
        let results = session.query(inputs, Hooks::default(), &mut |_| ());
        results.unwrap_or_else(|error| panic!("{error}")).len()
    };
    entropy::secret_after(0, || {
        let (server, client) = memory::pair_with_timeout(super::wire::PATIENCE);
        std::thread::scope(|scope| {
            let (plan, inputs) = (plan.clone(), own(Party::Client));
            scope.spawn(move || {
                let role = Role::Client { plan, backend: Arc::new(Portable), cache: &NoCache, queries: 1 };
                run(role, Wire(client), inputs)
            });
            run(Role::Server { prepared, public }, Wire(server), own(Party::Server));
        });
    });
}
