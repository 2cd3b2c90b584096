//! One session: its queries, one after another, and their cost.

use ptc_exec::RunError;
use ptc_exec::run::Hooks;
use ptc_exec::session::calls::Call;
use ptc_exec::session::{Dial, Purpose, Role, Session};
use ptc_exec::statistics::{Phase, Statistics};
use ptc_net::Channel;

use crate::Server;
use crate::crowd::Entry;
use crate::numbers::{Name, Numbers};

/// Whether the client was served as it asked; not where the server stops. `queries` counts those that are done.
pub fn serve(server: &Server, client: Box<dyn Channel>, entry: &Entry, queries: &mut u32) -> Result<bool, RunError> {
    let limits = &server.limits;
    let mut admit = || entry.admit(limits.session);
    let role = Role::Server { prepared: server.prepared.clone(), public: server.public.clone() };
    let purpose = Purpose::Serve { ahead: limits.ahead, admit: &mut admit };
    let mut dial = server.dial.as_ref().map(|dial| || dial());
    let dial = dial.as_mut().map(|dial| dial as Dial);
    let mut session = Session::open_for(purpose, role, client, dial, &mut |_| ())?;
    let mut costs = Costs { numbers: &server.numbers, seen: Statistics::default() };
    costs.add(&session.statistics);
    let mut query = |session: &mut Session| -> Result<(), RunError> {
        session.query(server.inputs.clone(), Hooks::default(), &mut |_| ())?;
        server.numbers.query();
        *queries += 1;
        Ok(())
    };
    if session.ahead.is_none() {
        for _ in 0..session.queries {
            if !entry.work() {
                return Ok(false);
            }
            let asked = query(&mut session);
            costs.add(&session.statistics);
            asked?;
        }
        return Ok(true);
    }
    loop {
        if !entry.rest(limits.between) {
            return Ok(false);
        }
        let call = session.hear(limits.between)?;
        if call == Call::End {
            return Ok(true);
        }
        if !entry.work() {
            return Ok(false);
        }
        let done = match call {
            Call::Query => query(&mut session),
            Call::Prepare => session.hold(&mut |_| ()),
            Call::Ping | Call::End => Ok(()),
        };
        costs.add(&session.statistics);
        done?;
    }
}

/// Adds to the server's numbers what a session cost since they were told last.
struct Costs<'a> {
    numbers: &'a Numbers,
    seen: Statistics,
}

impl Costs<'_> {
    fn add(&mut self, now: &Statistics) {
        let phases = |statistics: &Statistics| {
            [
                (Name::Setup, statistics.setup),
                (Name::Weights, statistics.weights),
                (Name::Offline, statistics.offline),
                (Name::Online, statistics.online),
            ]
        };
        for ((name, new), (_, old)) in phases(now).into_iter().zip(phases(&self.seen)) {
            let more = Phase { traffic: new.traffic.since(old.traffic), seconds: new.seconds - old.seconds };
            if more != Phase::default() {
                self.numbers.phase(name, more);
            }
        }
        let Statistics { setup, weights, offline, online, .. } = *now;
        self.seen = Statistics { setup, weights, offline, online, ..Statistics::default() };
    }
}
