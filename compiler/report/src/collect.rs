//! Plan to report: steps gathered by source line.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ptc_plan::Plan;
use ptc_plan::bill;
use ptc_plan::file::{self, Trust};
use ptc_plan::inline;
use ptc_plan::leak;
use ptc_plan::price;
use ptc_plan::step::{Form, Owner, Step, StepOp, Value, ValueId};
use ptc_plan::two_party;

use crate::report::{
    Dealt, Group, Line, Made, Note, Offline, Online, Opened, Place, Protocol, Report, Revealed, Ring, Widest,
    party_name,
};

pub fn report(plan: &Plan) -> Report {
    let makers = makers(plan);
    let preparation = Preparation::new(plan);
    let (lines, notes) = lines(plan, &preparation, &makers);
    Report {
        model: plan.model.clone(),
        entry: plan.entry.clone(),
        dims: plan.dims.clone(),
        trust: match plan.trust {
            Trust::TwoParty { .. } => "two-party",
            Trust::Dealer => "dealer",
        },
        online: online(plan),
        offline: offline(plan),
        widest: widest(plan, &makers),
        revealed: plan.outputs.iter().map(|output| revealed(plan, &makers, output)).collect(),
        lines,
        notes,
        protocols: protocols(plan, &preparation),
        assumptions: assumptions(plan.trust),
    }
}

/// The step that makes each value.
fn makers(plan: &Plan) -> HashMap<ValueId, &Step> {
    plan.steps.iter().flat_map(|step| step.outputs.iter().map(move |&value| (value, step))).collect()
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

/// What each correlation costs before the query.
struct Preparation {
    trust: Trust,
    /// Bytes that frames and whole extensions add to each oblivious transfer.
    transfer_bytes: f64,
}

impl Preparation {
    fn new(plan: &Plan) -> Preparation {
        let mut preparation = Preparation { trust: plan.trust, transfer_bytes: 0.0 };
        if let Trust::TwoParty { making } = plan.trust {
            let made = |step: &Step| two_party::price::of_step(&plan.values, step, None, making);
            let transfers: usize = plan.steps.iter().flat_map(|step| made(step).transfers).sum();
            let direct: f64 = plan.steps.iter().map(|step| preparation.bytes(plan, step)).sum();
            let total: u64 = two_party::price::queries(plan, making, 1).sent.iter().sum();
            preparation.transfer_bytes = (total as f64 - direct).max(0.0) / transfers.max(1) as f64;
        }
        preparation
    }

    /// Of a step.
    fn bytes(&self, plan: &Plan, step: &Step) -> f64 {
        let Trust::TwoParty { making } = self.trust else {
            return bill::bill(&plan.values, step).iter().map(|each| each.correction_bytes() as f64).sum();
        };
        let made = two_party::price::of_step(&plan.values, step, None, making);
        let direct: u64 = made.bytes.iter().chain(&made.encrypted).sum();
        direct as f64 + self.transfer_bytes * made.transfers.iter().sum::<usize>() as f64
    }
}

fn widest(plan: &Plan, makers: &HashMap<ValueId, &Step>) -> Option<Widest> {
    let mut widest: Option<(ValueId, Ring)> = None;
    for (at, value) in plan.values.iter().enumerate() {
        if let Some(ring) = ring(value)
            && widest.is_none_or(|(_, other)| ring.bits > other.bits)
        {
            widest = Some((ValueId(at as u32), ring));
        }
    }
    let (id, ring) = widest?;
    let place = makers.get(&id).and_then(|step| place(plan, step));
    Some(Widest { value: value(plan, id).name.clone(), ring, place })
}

fn revealed(plan: &Plan, makers: &HashMap<ValueId, &Step>, output: &file::Output) -> Revealed {
    // What the output's party computes by itself leads back to what was opened.
    let mut opened = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![output.value];
    while let Some(id) = open.pop() {
        let Some(step) = makers.get(&id).filter(|_| seen.insert(id.0)) else { continue };
        match step.op {
            StepOp::Reveal { .. } => {
                let source = step.inputs.first().copied().unwrap_or(id);
                let Value { name, shape, .. } = value(plan, source);
                opened.insert(id.0, Opened { value: name.clone(), shape: shape.clone(), place: place(plan, step) });
            }
            StepOp::Clear(_) => open.extend(&step.inputs),
            _ => {}
        }
    }
    Revealed {
        output: output.name.clone(),
        to: party_name(output.to),
        shape: value(plan, output.value).shape.clone(),
        reason: output.reason.clone(),
        opened: opened.into_values().collect(),
    }
}

/// What decides whether steps are shown as one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    step: &'static str,
    owner: Option<&'static str>,
    from: Option<Ring>,
    ring: Option<Ring>,
}

/// A sum over steps.
#[derive(Default)]
struct Sum {
    count: u64,
    elements: u64,
    rounds: BTreeSet<u32>,
    sent: [u64; 2],
    prepared: f64,
}

impl Sum {
    fn add(&mut self, plan: &Plan, preparation: &Preparation, step: &Step) {
        self.count += 1;
        self.elements += elements(plan, step);
        for (at, round) in (step.round..).zip(price::rounds(&plan.values, step)) {
            self.rounds.insert(at);
            self.sent[0] += round.sent[0];
            self.sent[1] += round.sent[1];
        }
        self.prepared += preparation.bytes(plan, step);
    }

    fn join(&mut self, other: &Sum) {
        self.rounds.extend(&other.rounds);
        self.sent[0] += other.sent[0];
        self.sent[1] += other.sent[1];
        self.prepared += other.prepared;
    }
}

struct Gathered<'a> {
    place: Option<Place>,
    text: &'a str,
    /// In order of appearance.
    groups: Vec<(Kind, &'a StepOp, Sum)>,
    at: BTreeMap<Kind, usize>,
    notes: Vec<Note>,
}

fn lines(plan: &Plan, preparation: &Preparation, makers: &HashMap<ValueId, &Step>) -> (Vec<Line>, Vec<Note>) {
    let mut gathered: Vec<Gathered> = vec![];
    let mut at_place: BTreeMap<Option<Place>, usize> = BTreeMap::new();
    for step in &plan.steps {
        let place = place(plan, step);
        let at = *at_place.entry(place.clone()).or_insert_with(|| {
            let text = plan.origins.get(step.origin as usize).map_or("", |origin| &origin.text);
            gathered.push(Gathered { place, text, groups: vec![], at: BTreeMap::new(), notes: vec![] });
            gathered.len() - 1
        });
        let line = &mut gathered[at];
        let kind = kind(plan, step);
        let group = *line.at.entry(kind).or_insert_with(|| {
            line.groups.push((kind, &step.op, Sum::default()));
            line.groups.len() - 1
        });
        line.groups[group].2.add(plan, preparation, step);
    }
    let mut elsewhere = vec![];
    let origins = Named::new(plan, makers);
    for note in &plan.notes {
        let line = origins.place(&note.value).and_then(|place| at_place.get(&place));
        let notes = match line {
            Some(&at) => &mut gathered[at].notes,
            None => &mut elsewhere,
        };
        add_note(notes, note);
    }
    (gathered.into_iter().map(line).collect(), elsewhere)
}

/// Places of values by name. The parts that an approximated value becomes have its name and a suffix.
struct Named(BTreeMap<String, Option<Place>>);

impl Named {
    fn new(plan: &Plan, makers: &HashMap<ValueId, &Step>) -> Named {
        let mut places = BTreeMap::new();
        for (at, value) in plan.values.iter().enumerate() {
            if let Some(step) = makers.get(&ValueId(at as u32)) {
                places.entry(value.name.clone()).or_insert_with(|| place(plan, step));
            }
        }
        Named(places)
    }

    fn place(&self, name: &str) -> Option<Option<Place>> {
        let part = format!("{name}.");
        let parts = || self.0.range(part.clone()..).next().filter(|(other, _)| other.starts_with(&part));
        self.0.get(name).or_else(|| parts().map(|(_, place)| place)).cloned()
    }
}

fn add_note(notes: &mut Vec<Note>, note: &file::Note) {
    let same =
        |other: &&mut Note| other.recipe == note.recipe && other.bound == note.bound && other.relative == note.relative;
    match notes.iter_mut().find(same) {
        Some(other) => other.count += 1,
        None => notes.push(Note {
            value: note.value.clone(),
            count: 1,
            recipe: note.recipe.clone(),
            bound: note.bound,
            relative: note.relative,
        }),
    }
}

fn line(gathered: Gathered) -> Line {
    let mut all = Sum::default();
    gathered.groups.iter().for_each(|(_, _, sum)| all.join(sum));
    let group = |(kind, op, sum): (Kind, &StepOp, Sum)| {
        let leak = leak::leaks(op);
        Group {
            step: kind.step,
            protocol: leak::protocol(op),
            owner: kind.owner,
            count: sum.count,
            from: kind.from,
            ring: kind.ring,
            elements: sum.elements,
            rounds: sum.rounds.len() as u64,
            when: sum.rounds,
            server_bytes: sum.sent[0],
            client_bytes: sum.sent[1],
            offline_bytes: sum.prepared.round() as u64,
            leaks_to: leak.to.map(party_name),
            because: leak.because,
        }
    };
    Line {
        place: gathered.place,
        text: gathered.text.into(),
        rounds: all.rounds.len() as u64,
        server_bytes: all.sent[0],
        client_bytes: all.sent[1],
        offline_bytes: all.prepared.round() as u64,
        steps: gathered.groups.into_iter().map(group).collect(),
        notes: gathered.notes,
    }
}

fn protocols(plan: &Plan, preparation: &Preparation) -> Vec<Protocol> {
    let mut sums: BTreeMap<&'static str, (&StepOp, Sum)> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| !price::rounds(&plan.values, step).is_empty()) {
        sums.entry(step.op.name()).or_insert_with(|| (&step.op, Sum::default())).1.add(plan, preparation, step);
    }
    let protocol = |(step, (op, sum)): (&'static str, (&StepOp, Sum))| Protocol {
        step,
        protocol: leak::protocol(op),
        because: leak::leaks(op).because,
        count: sum.count,
        elements: sum.elements,
        rounds: sum.rounds.len() as u64,
        server_bytes: sum.sent[0],
        client_bytes: sum.sent[1],
        offline_bytes: sum.prepared.round() as u64,
    };
    let mut protocols: Vec<Protocol> = sums.into_iter().map(protocol).collect();
    protocols.sort_by_key(|protocol| std::cmp::Reverse(protocol.server_bytes + protocol.client_bytes));
    protocols
}

fn kind(plan: &Plan, step: &Step) -> Kind {
    let form = |ids: &[ValueId]| ids.first().map(|&id| value(plan, id));
    let owner = match step.op {
        StepOp::Clear(_) | StepOp::Encode => form(&step.outputs).and_then(owner),
        StepOp::Share => form(&step.inputs).and_then(owner),
        StepOp::StaticMatMul { owner, .. } | StepOp::StaticMul { owner, .. } => Some(party_name(owner)),
        StepOp::EncryptedMatMul { .. } => Some("server"),
        StepOp::Reveal { to } => Some(party_name(to)),
        _ => None,
    };
    let from = form(&step.inputs).and_then(ring);
    let to = form(&step.outputs).and_then(ring);
    Kind { step: step.op.name(), owner, from: from.filter(|_| to.is_some() && from != to), ring: to.or(from) }
}

fn owner(value: &Value) -> Option<&'static str> {
    match value.form {
        Form::Clear(owner) | Form::Encoded(owner, _) => Some(match owner {
            Owner::Server => "server",
            Owner::Client => "client",
            Owner::Both => "both",
        }),
        Form::Share(_) | Form::Bits => None,
    }
}

fn ring(value: &Value) -> Option<Ring> {
    match value.form {
        Form::Share(fixed) | Form::Encoded(_, fixed) => Some(fixed.into()),
        Form::Bits | Form::Clear(_) => None,
    }
}

/// Of the result; of what is compared in a tournament.
fn elements(plan: &Plan, step: &Step) -> u64 {
    let ids = if step.op == StepOp::Max { &step.inputs } else { &step.outputs };
    ids.first().map_or(0, |&id| value(plan, id).len() as u64)
}

fn value(plan: &Plan, id: ValueId) -> &Value {
    &plan.values[id.0 as usize]
}

fn place(plan: &Plan, step: &Step) -> Option<Place> {
    let origin = plan.origins.get(step.origin as usize)?;
    Some(Place { file: origin.file.clone(), line: origin.line })
}

fn assumptions(trust: Trust) -> Vec<&'static str> {
    match trust {
        Trust::TwoParty { .. } => vec![
            "Both parties follow the protocol and may look at everything they hold. One that deviates can spoil the result \
             and may learn more.",
            "Nobody else takes part. Privacy rests on ring learning with errors (128 bits), on the Diffie-Hellman problem on \
             Curve25519, on AES-128 as an ideal permutation, and, where traffic is spared, on learning parity with noise; \
             answers of products are hidden up to a statistical distance of 2^-40.",
            "Both parties know the plan: sizes, the kinds of layers, rings, and the bounds that calibration found in the \
             owner's weights and samples.",
            "The result itself tells its party what a result tells; many queries tell more about the weights.",
        ],
        Trust::Dealer => vec![
            "Both parties follow the protocol and may look at everything they hold. One that deviates can spoil the result \
             and may learn more.",
            "The dealer sees no weights, no input and no result. It makes all masks: together with either party it can \
             read the other's data, so it must collude with neither.",
            "Nobody reads along: connections are not encrypted here, and who sees the dealer's and the parties' traffic \
             can do what dealer and party together can.",
            "Masks come from AES in counter mode, so privacy is computational, 128 bits.",
            "Both parties know the plan: sizes, the kinds of layers, rings, and the bounds that calibration found in the \
             owner's weights and samples.",
            "The result itself tells its party what a result tells; many queries tell more about the weights.",
        ],
    }
}
