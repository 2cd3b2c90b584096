//! Plan to report.

use std::collections::BTreeMap;

use ptc_plan::Plan;
use ptc_plan::bill;
use ptc_plan::file::{self, Trust};
use ptc_plan::inline;
use ptc_plan::leak;
use ptc_plan::price;
use ptc_plan::step::ValueId;
use ptc_plan::two_party;

use crate::facts::{Facts, ring};
use crate::leakage::leakage;
use crate::lines::{Gathered, gather};
use crate::measured::measured;
use crate::report::{
    Choice, Cost, Dealt, Made, Offline, Online, Protocol, Report, Ring, SCHEMA, StepRow, Times, Way, Widest,
};
use crate::sums::{Sum, range};

pub fn report(facts: &Facts) -> Report {
    let plan = facts.plan;
    let Gathered { lines, layers, elsewhere, line_of } = gather(facts);
    Report {
        schema: SCHEMA,
        model: plan.model.clone(),
        entry: plan.entry.clone(),
        dims: plan.dims.iter().cloned().chain(plan.batch.map(|batch| ("batch".into(), batch.into()))).collect(),
        trust: match plan.trust {
            Trust::TwoParty { .. } => "two-party",
            Trust::Dealer => "dealer",
        },
        online: online(plan),
        offline: offline(plan),
        times: facts.beside.times.as_ref().map(|times| Times {
            profile: times.profile.clone(),
            online_us: times.online_us,
            offline_us: times.offline_us,
            once_us: times.once_us,
        }),
        widest: widest(facts),
        choices: plan.choices.iter().map(choice).collect(),
        layers,
        measured: measured(facts, &line_of, lines.len()),
        lines,
        notes: elsewhere,
        protocols: protocols(facts),
        leakage: leakage(facts),
        steps: (0..plan.steps.len()).map(|at| row(facts, at, line_of[at])).collect(),
    }
}

fn online(plan: &Plan) -> Online {
    let (total, schedule) = price::total(plan);
    let payload: u64 = schedule.iter().flat_map(|round| round.sent).sum();
    let [server_bytes, client_bytes] = total.sent;
    Online { rounds: total.rounds, server_bytes, client_bytes, header_bytes: server_bytes + client_bytes - payload }
}

fn offline(plan: &Plan) -> Offline {
    let Trust::TwoParty { making } = plan.trust else {
        let offline = bill::offline(plan);
        return Offline::Dealer(Dealt {
            dealer_to_server_bytes: offline.dealer_to_server,
            dealer_to_client_bytes: offline.dealer_to_client,
            dealer_to_server_once_bytes: offline.dealer_to_server_once,
            server_to_client_once_bytes: offline.server_to_client_once,
        });
    };
    let (once, query) = (two_party::price::setup(plan, making), two_party::price::queries(plan, making, 1));
    let (mut transfers, mut products) = ([0; 2], 0);
    for batch in two_party::piece::batches(plan, making) {
        products += batch.products().len() as u64;
        for (sum, share) in transfers.iter_mut().zip(batch.transfers()) {
            *sum += share.transfers as u64;
        }
    }
    Offline::TwoParty(Made {
        rounds: query.rounds,
        server_bytes: query.sent[0],
        client_bytes: query.sent[1],
        server_transfers: transfers[0],
        client_transfers: transfers[1],
        extension: making.extension.name(),
        encrypted_products: products,
        once_rounds: once.rounds,
        server_once_bytes: once.sent[0],
        client_once_bytes: once.sent[1] + inline::setup_bytes(plan),
    })
}

fn choice(choice: &file::Choice) -> Choice {
    let way = |way: &file::Way| Way { name: way.name.clone(), price: way.price };
    Choice {
        subject: choice.subject.clone(),
        chosen: way(&choice.chosen),
        runner_up: choice.runner_up.as_ref().map(way),
    }
}

fn widest(facts: &Facts) -> Option<Widest> {
    let mut widest: Option<(ValueId, Ring)> = None;
    for (at, value) in facts.plan.values.iter().enumerate() {
        if let Some(ring) = ring(value)
            && widest.is_none_or(|(_, other)| ring.bits > other.bits)
        {
            widest = Some((ValueId(at as u32), ring));
        }
    }
    let (id, ring) = widest?;
    let place = facts.maker(id).and_then(|at| facts.place(at));
    Some(Widest { value: facts.value(id).name.clone(), ring, place })
}

fn protocols(facts: &Facts) -> Vec<Protocol> {
    let mut sums: BTreeMap<&'static str, (usize, Sum)> = BTreeMap::new();
    for at in (0..facts.steps.len()).filter(|&at| !facts.steps[at].rounds.is_empty()) {
        sums.entry(facts.step(at).op.name()).or_insert_with(|| (at, Sum::default())).1.add(facts, at);
    }
    let protocol = |(step, (at, sum)): (&'static str, (usize, Sum))| Protocol {
        step,
        protocol: leak::protocol(&facts.step(at).op),
        because: leak::leaks(&facts.step(at).op).because,
        count: sum.count,
        elements: sum.elements,
        cost: sum.cost(),
    };
    let mut protocols: Vec<Protocol> = sums.into_iter().map(protocol).collect();
    protocols.sort_by_key(|protocol| std::cmp::Reverse(protocol.cost.online_bytes()));
    protocols
}

fn row(facts: &Facts, at: usize, line: usize) -> StepRow {
    let (step, of) = (facts.step(at), &facts.steps[at]);
    let first = step.outputs.first().map(|&id| facts.value(id));
    let mut inputs: Vec<usize> = step.inputs.iter().filter_map(|&id| facts.maker(id)).collect();
    inputs.sort();
    inputs.dedup();
    let cost: Cost = {
        let mut sum = Sum::default();
        sum.add(facts, at);
        sum.cost()
    };
    StepRow {
        step: step.op.name(),
        scheme: of.scheme,
        value: first.map_or(String::new(), |value| value.name.clone()),
        shape: first.map_or(vec![], |value| value.shape.clone()),
        ring: first.and_then(ring),
        range: first.and_then(|value| value.bound).map(range),
        error: first.and_then(|value| value.error),
        layer: of.layer,
        line,
        round: step.round,
        after: of.after,
        inputs,
        each_round: of.rounds.iter().map(|round| round.sent).collect(),
        cost,
    }
}
