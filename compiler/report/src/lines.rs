//! Steps gathered by source line, and by line and layer.

use std::collections::BTreeMap;

use ptc_plan::file;
use ptc_plan::leak;
use ptc_plan::step::{Form, Owner, StepOp, Value, ValueId};

use crate::facts::{Facts, ring};
use crate::prepared::Preparation;
use crate::report::{Alternative, Group, Layer, Line, Note, Part, Place, Ring, Scheme, party_name};
use crate::sums::Sum;

/// Lines in the order in which the plan first comes to them.
pub struct Gathered {
    pub lines: Vec<Line>,
    pub layers: Vec<Layer>,
    /// Approximations of values that no line produces any more.
    pub elsewhere: Vec<Note>,
    /// The line of each step.
    pub line_of: Vec<usize>,
}

pub fn gather(facts: &Facts) -> Gathered {
    let (mut drafts, mut at_place) = (vec![], BTreeMap::new());
    let line_of: Vec<usize> =
        (0..facts.steps.len()).map(|step| line_of(facts, step, &mut drafts, &mut at_place)).collect();
    let preparation = Preparation::new(facts.plan);
    for (step, &line) in line_of.iter().enumerate() {
        drafts[line].add(facts, &preparation, step);
    }
    for (step, &line) in line_of.iter().enumerate() {
        for &id in facts.step(step).outputs.iter().filter(|&&id| leaves(facts, &line_of, id, line)) {
            drafts[line].sum.know(facts, id);
        }
    }
    let elsewhere = notes(facts, &mut drafts, &at_place);
    let layers = layers(facts, &line_of);
    Gathered { lines: drafts.into_iter().map(Draft::line).collect(), layers, elsewhere, line_of }
}

/// Whether another line reads a value, or nobody does: then it is a result.
fn leaves(facts: &Facts, line_of: &[usize], id: ValueId, line: usize) -> bool {
    let users = &facts.users[id.0 as usize];
    users.is_empty() || users.iter().any(|&user| line_of[user] != line)
}

/// A line while it is gathered.
struct Draft {
    place: Option<Place>,
    text: String,
    sum: Sum,
    /// In order of appearance.
    groups: Vec<(Kind, StepOp, Sum, Vec<Alternative>)>,
    at: BTreeMap<Kind, usize>,
    notes: Vec<Note>,
}

/// What decides whether steps are shown as one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    step: &'static str,
    scheme: Scheme,
    owner: Option<&'static str>,
    from: Option<Ring>,
    ring: Option<Ring>,
}

fn line_of(
    facts: &Facts,
    step: usize,
    drafts: &mut Vec<Draft>,
    at_place: &mut BTreeMap<Option<Place>, usize>,
) -> usize {
    let place = facts.place(step);
    *at_place.entry(place.clone()).or_insert_with(|| {
        let origin = facts.plan.origins.get(facts.step(step).origin as usize);
        let text = origin.map_or(String::new(), |origin| origin.text.clone());
        drafts.push(Draft { place, text, sum: Sum::default(), groups: vec![], at: BTreeMap::new(), notes: vec![] });
        drafts.len() - 1
    })
}

impl Draft {
    fn add(&mut self, facts: &Facts, preparation: &Preparation, at: usize) {
        let step = facts.step(at);
        let kind = kind(facts, at);
        let group = *self.at.entry(kind).or_insert_with(|| {
            self.groups.push((kind, step.op.clone(), Sum::default(), vec![]));
            self.groups.len() - 1
        });
        let (_, _, sum, alternatives) = &mut self.groups[group];
        sum.add(facts, at);
        step.outputs.iter().for_each(|&id| sum.know(facts, id));
        add_alternatives(alternatives, preparation.alternatives(facts.plan, step));
        self.sum.add(facts, at);
    }

    fn line(self) -> Line {
        let group = |(kind, op, sum, alternatives): (Kind, StepOp, Sum, Vec<Alternative>)| {
            let leak = leak::leaks(&op);
            Group {
                step: kind.step,
                protocol: leak::protocol(&op),
                scheme: kind.scheme,
                owner: kind.owner,
                count: sum.count,
                from: kind.from,
                ring: kind.ring,
                range: sum.range(),
                error: sum.error(),
                elements: sum.elements,
                cost: sum.cost(),
                when: sum.rounds,
                alternatives,
                leaks_to: leak.to.map(party_name),
                because: leak.because,
            }
        };
        Line {
            place: self.place,
            text: self.text,
            cost: self.sum.cost(),
            range: self.sum.range(),
            error: self.sum.error(),
            steps: self.groups.into_iter().map(group).collect(),
            notes: self.notes,
        }
    }
}

fn add_alternatives(all: &mut Vec<Alternative>, more: Vec<Alternative>) {
    for one in more {
        match all.iter_mut().find(|other| (other.way, other.taken) == (one.way, one.taken)) {
            Some(other) => {
                other.online_bytes += one.online_bytes;
                other.offline_bytes += one.offline_bytes;
            }
            None => all.push(one),
        }
    }
}

fn layers(facts: &Facts, line_of: &[usize]) -> Vec<Layer> {
    let mut sums: Vec<(Sum, BTreeMap<usize, Sum>)> = facts.layers.iter().map(|_| Default::default()).collect();
    for (step, &line) in line_of.iter().enumerate() {
        let (all, lines) = &mut sums[facts.steps[step].layer];
        all.add(facts, step);
        lines.entry(line).or_default().add(facts, step);
    }
    let part = |(line, sum): (usize, Sum)| Part { line, cost: sum.cost() };
    let layer = |(name, (all, lines)): (&String, (Sum, BTreeMap<usize, Sum>))| Layer {
        name: name.clone(),
        steps: all.count,
        cost: all.cost(),
        lines: lines.into_iter().map(part).collect(),
    };
    facts.layers.iter().zip(sums).map(layer).collect()
}

/// Each note goes to the line whose value it is about; what is left belongs to none.
fn notes(facts: &Facts, drafts: &mut [Draft], at_place: &BTreeMap<Option<Place>, usize>) -> Vec<Note> {
    let mut elsewhere = vec![];
    let places = Named::new(facts);
    for note in &facts.plan.notes {
        let line = places.place(&note.value).and_then(|place| at_place.get(&place));
        let notes = match line {
            Some(&at) => &mut drafts[at].notes,
            None => &mut elsewhere,
        };
        add_note(notes, note);
    }
    elsewhere
}

/// Places of values by name. The parts that an approximated value becomes have its name and a suffix.
struct Named(BTreeMap<String, Option<Place>>);

impl Named {
    fn new(facts: &Facts) -> Named {
        let mut places = BTreeMap::new();
        for (at, value) in facts.plan.values.iter().enumerate() {
            if let Some(maker) = facts.maker(ValueId(at as u32)) {
                places.entry(value.name.clone()).or_insert_with(|| facts.place(maker));
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

fn kind(facts: &Facts, at: usize) -> Kind {
    let step = facts.step(at);
    let first = |ids: &[ValueId]| ids.first().map(|&id| facts.value(id));
    let from = first(&step.inputs).and_then(ring);
    let to = first(&step.outputs).and_then(ring);
    Kind {
        step: step.op.name(),
        scheme: facts.steps[at].scheme,
        owner: whose(facts, at),
        from: from.filter(|_| to.is_some() && from != to),
        ring: to.or(from),
    }
}

/// Who computes, or whose factor it is.
fn whose(facts: &Facts, at: usize) -> Option<&'static str> {
    let step = facts.step(at);
    let first = |ids: &[ValueId]| ids.first().and_then(|&id| owner(facts.value(id)));
    match step.op {
        StepOp::Clear(_) | StepOp::Encode => first(&step.outputs),
        StepOp::Share => first(&step.inputs),
        StepOp::StaticMatMul { owner, .. } | StepOp::StaticMul { owner, .. } => Some(party_name(owner)),
        StepOp::EncryptedMatMul { .. } => Some("server"),
        StepOp::Reveal { to } => Some(party_name(to)),
        _ => None,
    }
}

pub fn owner(value: &Value) -> Option<&'static str> {
    match value.form {
        Form::Clear(owner) | Form::Encoded(owner, _) => Some(match owner {
            Owner::Server => "server",
            Owner::Client => "client",
            Owner::Both => "both",
        }),
        Form::Share(_) | Form::Bits => None,
    }
}
