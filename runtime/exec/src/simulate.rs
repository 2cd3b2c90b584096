//! Both parties, and the dealer where the plan has one, in one process: the same code as between machines, over memory, with
//! every value opened beside what its step should have made of its inputs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ptc_kernels::Backend;
use ptc_net::{Channel, PeerError, memory};
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::float::FloatTensor;
use ptc_plan::step::{Form, Party, ValueId};
use ptc_ring::tensor::{BitShare, add_assign};

use crate::dealer::Dealer;
use crate::error::RunError;
use crate::prepare::prepare;
use crate::protocol::opened;
use crate::public::{NoCache, select};
use crate::run::{Hooks, Results};
use crate::session::{Dial, Role, Session};
use crate::statistics::Statistics;
use crate::tensors::Tensors;
use crate::value::Held;

mod ideal;

/// What a simulation is given: everything.
pub struct World {
    pub plan: Arc<Plan>,
    pub backend: Arc<dyn Backend>,
    pub parameters: Tensors,
    pub inputs: Tensors,
}

/// One opened value.
pub struct Seen<'a> {
    pub step: usize,
    pub value: ValueId,
    pub tensor: &'a FloatTensor,
    /// How it differs from its step's ideal functionality, if it does.
    pub fault: Option<String>,
}

/// What each party got and spent, by [`Party::index`].
pub struct Simulated {
    pub results: [Results; 2],
    pub statistics: [Statistics; 2],
}

/// Steps that one party may be ahead of the other's report.
const AHEAD: usize = 64;

/// A value as one party reports it.
pub(crate) enum Report {
    Absent,
    Clear(FloatTensor),
    /// A share, bits as words of 0 and 1, or encoded words that both parties or one of them know.
    Words(Vec<u64>),
}

type Reports = (Option<usize>, Vec<(ValueId, Report)>);

/// Runs one query. `see` is shown every value that a step of the query makes, in order.
pub fn simulate(world: World, see: &mut dyn FnMut(Seen)) -> Result<Simulated, RunError> {
    let World { plan, backend, parameters, inputs } = world;
    let (to_server, to_client) = memory::pair();
    let [to_dealer, dealer_s] = match plan.trust {
        Trust::Dealer => {
            let ((server, dealer_server), (client, dealer_client)) = (memory::pair(), memory::pair());
            [Some([server, client]), Some([dealer_server, dealer_client])]
        }
        Trust::TwoParty { .. } => [None, None],
    };
    let [server_dealer, client_dealer] = to_dealer.map_or([None, None], |both| both.map(Some));
    let dealing = || match dealer_s {
        Some(parties) => deal(&plan, &backend, parties),
        None => Ok(()),
    };
    let (tell_server, server_reports) = sync_channel(AHEAD);
    let (tell_client, client_reports) = sync_channel(AHEAD);
    let party = |party: Party, peer, dealer, tell| Actor {
        party,
        plan: plan.clone(),
        backend: backend.clone(),
        parameters: known(&plan.parameters, |p| (&p.path, p.owner), party, &parameters),
        inputs: known(&plan.inputs, |i| (&i.name, i.owner), party, &inputs),
        peer,
        dealer,
        tell,
    };
    let server = party(Party::Server, to_client, server_dealer, tell_server);
    let client = party(Party::Client, to_server, client_dealer, tell_client);
    drop(parameters);
    thread::scope(|scope| {
        let server = scope.spawn(move || server.play());
        let client = scope.spawn(move || client.play());
        let dealing = scope.spawn(dealing);
        compare(&plan, server_reports, client_reports, see);
        let outcomes = (join(server), join(client), join(dealing));
        match outcomes {
            (Ok((server, own)), Ok((client, other)), Ok(())) => {
                Ok(Simulated { results: [server, client], statistics: [own, other] })
            }
            (server, client, dealing) => Err(cause([server.err(), client.err(), dealing.err()])),
        }
    })
}

fn deal(plan: &Arc<Plan>, backend: &Arc<dyn Backend>, parties: [memory::Memory; 2]) -> Result<(), RunError> {
    let dealer = Dealer::new(plan.clone(), backend.clone(), std::time::Duration::from_secs(60));
    for party in parties {
        if let Some(pair) = dealer.meet(Box::new(party))? {
            dealer.serve(pair)?;
        }
    }
    Ok(())
}

fn join<T>(handle: thread::ScopedJoinHandle<T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// When one thread fails, the others lose their peer: the first other reason is the cause.
fn cause(errors: [Option<RunError>; 3]) -> RunError {
    let mut errors: Vec<RunError> = errors.into_iter().flatten().collect();
    let lost = |error: &RunError| {
        matches!(error, RunError::Peer(PeerError::Closed(_)) | RunError::Dealer(PeerError::Closed(_)))
    };
    let at = errors.iter().position(|error| !lost(error)).unwrap_or(0);
    errors.swap_remove(at)
}

/// The tensors that `party` brings.
fn known<T>(
    declared: &[T],
    describe: impl Fn(&T) -> (&String, ptc_plan::step::Owner),
    party: Party,
    all: &Tensors,
) -> Tensors {
    let own = declared.iter().map(describe).filter(|(_, owner)| owner.knows(party));
    own.filter_map(|(name, _)| Some((name.clone(), all.get(name)?.clone()))).collect()
}

struct Actor {
    party: Party,
    plan: Arc<Plan>,
    backend: Arc<dyn Backend>,
    parameters: Tensors,
    inputs: Tensors,
    peer: memory::Memory,
    dealer: Option<memory::Memory>,
    tell: SyncSender<Reports>,
}

impl Actor {
    fn play(self) -> Result<(Results, Statistics), RunError> {
        let Actor { party, plan, backend, parameters, inputs, peer, dealer, tell } = self;
        let role = match party {
            Party::Server => {
                let public = select(&plan, &parameters);
                Role::Server {
                    prepared: Arc::new(prepare(plan, party, backend, parameters)?),
                    public: Arc::new(public),
                }
            }
            Party::Client => Role::Client { plan, backend, cache: &NoCache, queries: 1 },
        };
        let mut dealer = dealer.map(Some);
        let mut dial = dealer.as_mut().map(|channel| {
            || -> Result<Box<dyn Channel>, PeerError> {
                Ok(Box::new(channel.take().ok_or_else(|| PeerError::Closed("a second dealer".into()))?))
            }
        });
        let dial = dial.as_mut().map(|dial| dial as Dial);
        let mut session = Session::open(role, Box::new(peer), dial, &mut |_| ())?;
        let prepared = session.prepared();
        let fixed = prepared
            .values
            .iter()
            .enumerate()
            .filter_map(|(id, held)| Some((ValueId(id as u32), report(held.as_ref()?))));
        // The other end is gone only when the comparison has ended; then nobody misses a report.
        let _ = tell.send((None, fixed.collect()));
        let mut watch = |step: usize, outputs: &[(ValueId, Held)]| {
            let _ = tell.send((Some(step), outputs.iter().map(|(id, held)| (*id, report(held))).collect()));
        };
        let hooks = Hooks { progress: None, danger_watch: Some(&mut watch) };
        let results = session.query(inputs, hooks, &mut |_| ())?;
        Ok((results, session.statistics))
    }
}

fn report(held: &Held) -> Report {
    match held {
        Held::Absent => Report::Absent,
        Held::Clear(tensor) => Report::Clear(FloatTensor::clone(tensor)),
        Held::Encoded(encoded) => Report::Words(encoded.data.clone()),
        Held::Share(share) => Report::Words(share.data.clone()),
        Held::Bits(bits) => Report::Words(BitShare::to_values(bits)),
    }
}

/// A value with both sides put together.
pub(crate) enum Open {
    Clear(FloatTensor),
    Words(Vec<u64>),
}

fn join_reports(plan: &Plan, id: ValueId, server: Report, client: Report) -> Option<Open> {
    let value = &plan.values[id.0 as usize];
    match (value.form, server, client) {
        (Form::Share(fixed), Report::Words(mut own), Report::Words(other)) => {
            add_assign(&mut own, &other, fixed.bits);
            Some(Open::Words(own))
        }
        (Form::Bits, Report::Words(own), Report::Words(other)) => {
            Some(Open::Words(own.iter().zip(&other).map(|(a, b)| a ^ b).collect()))
        }
        (_, Report::Words(words), _) | (_, Report::Absent, Report::Words(words)) => Some(Open::Words(words)),
        (_, Report::Clear(tensor), _) | (_, Report::Absent, Report::Clear(tensor)) => Some(Open::Clear(tensor)),
        (_, Report::Absent, Report::Absent) => None,
    }
}

/// Both parties report the same steps in the same order, until both are done or one has failed.
fn compare(plan: &Plan, server: Receiver<Reports>, client: Receiver<Reports>, see: &mut dyn FnMut(Seen)) {
    let mut uses = vec![0u32; plan.values.len()];
    plan.steps.iter().flat_map(|step| &step.inputs).for_each(|id| uses[id.0 as usize] += 1);
    let mut open: HashMap<u32, Open> = HashMap::new();
    while let (Ok((step, own)), Ok((_, other))) = (server.recv(), client.recv()) {
        let mut other: HashMap<u32, Report> = other.into_iter().map(|(id, report)| (id.0, report)).collect();
        let mut outputs = vec![];
        for (id, own) in own {
            let other = other.remove(&id.0).unwrap_or(Report::Absent);
            if let Some(value) = join_reports(plan, id, own, other) {
                outputs.push((id, value));
            }
        }
        // What only the client prepared.
        outputs.extend(other.into_iter().filter_map(|(id, report)| {
            let id = ValueId(id);
            Some((id, join_reports(plan, id, Report::Absent, report)?))
        }));
        if let Some(step) = step {
            judge(plan, step, &open, &outputs, see);
            for id in &plan.steps[step].inputs {
                uses[id.0 as usize] -= 1;
                if uses[id.0 as usize] == 0 {
                    open.remove(&id.0);
                }
            }
        }
        open.extend(outputs.into_iter().map(|(id, value)| (id.0, value)));
    }
}

fn judge(plan: &Plan, step: usize, open: &HashMap<u32, Open>, outputs: &[(ValueId, Open)], see: &mut dyn FnMut(Seen)) {
    let inputs: Option<Vec<&Open>> = plan.steps[step].inputs.iter().map(|id| open.get(&id.0)).collect();
    let values: Vec<&Open> = outputs.iter().map(|(_, value)| value).collect();
    let fault = inputs.and_then(|inputs| ideal::fault(plan, &plan.steps[step], &inputs, &values));
    for (id, value) in outputs {
        let declared = &plan.values[id.0 as usize];
        let fault = fault.clone();
        match value {
            Open::Clear(tensor) => see(Seen { step, value: *id, tensor, fault }),
            Open::Words(words) => {
                let form = match declared.form {
                    Form::Encoded(_, fixed) => Form::Share(fixed),
                    form => form,
                };
                see(Seen { step, value: *id, tensor: &opened(declared.shape.clone(), words, form), fault });
            }
        }
    }
}
