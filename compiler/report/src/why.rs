//! The reasons for what one source line became, each with what it rests on.

use std::collections::{BTreeMap, VecDeque};

use ptc_plan::bound::Grade;
use ptc_plan::file::Input;
use ptc_plan::step::{Form, Owner, StepOp, ValueId};
use serde::Serialize;

use crate::facts::{Facts, ring};
use crate::lines::{Gathered, owner};
use crate::report::{Alternative, Line, Place};
use crate::sums::range;
use crate::units::{counted, error, interval, number, off, shorten, size, spot};
use crate::ways::{Ways, ways};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    pub schema: u32,
    pub place: Option<Place>,
    pub text: String,
    pub reasons: Vec<Reason>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    pub about: &'static str,
    pub said: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WhyError {
    #[error("`{0}` is no line\nhint: give `LINE` or `FILE:LINE`, for example `nn.ptx:12`")]
    NoLine(String),
    #[error("no step of the plan comes from `{asked}`\nhint: lines with steps: {known}")]
    NoSteps { asked: String, known: String },
    #[error("`{asked}` is a line of several files\nhint: give one of {known}")]
    Several { asked: String, known: String },
}

/// Steps of the line in one layer, which stand for those in the others.
struct Here<'a> {
    line: &'a Line,
    steps: Vec<usize>,
    /// The last result on shares, or the last result.
    result: Option<ValueId>,
}

pub fn why(facts: &Facts, gathered: &Gathered, asked: &str) -> Result<Why, WhyError> {
    let at = find(&gathered.lines, asked)?;
    let line = &gathered.lines[at];
    let all: Vec<usize> = (0..facts.steps.len()).filter(|&step| gathered.line_of[step] == at).collect();
    let secret = |&&step: &&usize| facts.step(step).outputs.iter().any(|&id| shared(facts, id));
    let layer = all.iter().find(secret).or(all.first()).map(|&step| facts.steps[step].layer);
    let steps: Vec<usize> = all.iter().copied().filter(|&step| Some(facts.steps[step].layer) == layer).collect();
    let outputs = || steps.iter().rev().flat_map(|&step| &facts.step(step).outputs).copied();
    let result = outputs().find(|&id| shared(facts, id)).or(outputs().next());
    let here = Here { line, steps, result };
    let reasons = [
        ("became", became(facts, &here, &all)),
        ("secret", secrecy(facts, &here)),
        ("range", bound(facts, &here)),
        ("ring", rings(facts, &here)),
        ("error", errors(facts, &here)),
        ("protocol", protocols(&here)),
        ("rounds", rounds(facts, &here)),
        ("chosen", choices(facts, &here)),
    ];
    let reasons = reasons.into_iter().filter(|(_, said)| !said.is_empty());
    Ok(Why {
        schema: crate::report::SCHEMA,
        place: line.place.clone(),
        text: line.text.clone(),
        reasons: reasons.map(|(about, said)| Reason { about, said }).collect(),
    })
}

fn find(lines: &[Line], asked: &str) -> Result<usize, WhyError> {
    let (file, number) = match asked.rsplit_once(':') {
        Some((file, number)) => (Some(file), number),
        None => (None, asked),
    };
    let number: u32 = number.trim().parse().map_err(|_| WhyError::NoLine(asked.into()))?;
    let of_file = |place: &Place| {
        file.is_none_or(|file| {
            place.file == file || place.file.strip_suffix(file).is_some_and(|rest| rest.ends_with('/'))
        })
    };
    let places = || lines.iter().enumerate().filter_map(|(at, line)| Some((at, line.place.as_ref()?)));
    let found: Vec<(usize, &Place)> = places().filter(|(_, place)| place.line == number && of_file(place)).collect();
    match found.as_slice() {
        [(at, _)] => Ok(*at),
        [] => {
            let mut near: Vec<&Place> = places().map(|(_, place)| place).filter(|place| of_file(place)).collect();
            if near.is_empty() {
                near = places().map(|(_, place)| place).collect();
            }
            near.sort_by_key(|place| (place.line.abs_diff(number), place.file.clone()));
            Err(WhyError::NoSteps { asked: asked.into(), known: listed(near.iter().map(|place| spot(place)), 8) })
        }
        several => Err(WhyError::Several {
            asked: asked.into(),
            known: listed(several.iter().map(|(_, place)| format!("`{}`", spot(place))), 8),
        }),
    }
}

fn listed(mut all: impl Iterator<Item = String>, shown: usize) -> String {
    let first: Vec<String> = all.by_ref().take(shown).collect();
    match all.count() {
        0 => first.join(", "),
        rest => format!("{} and {rest} more", first.join(", ")),
    }
}

fn shared(facts: &Facts, id: ValueId) -> bool {
    matches!(facts.value(id).form, Form::Share(_) | Form::Bits)
}

/// A value, where it is made.
fn named(facts: &Facts, id: ValueId) -> String {
    let name = shorten(&facts.value(id).name, 60);
    match facts.maker(id).and_then(|maker| facts.place(maker)) {
        Some(place) => format!("`{name}` ({})", spot(&place)),
        None => format!("`{name}`"),
    }
}

fn became(facts: &Facts, here: &Here, all: &[usize]) -> Vec<String> {
    let mut layers: Vec<usize> = all.iter().map(|&step| facts.steps[step].layer).collect();
    layers.sort();
    layers.dedup();
    let names = listed(layers.iter().map(|&layer| format!("`{}`", facts.layers[layer])), 3);
    let kinds = |steps: &[usize]| {
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        steps.iter().for_each(|&step| *kinds.entry(facts.step(step).op.name()).or_default() += 1);
        listed(kinds.into_iter().map(|(name, count)| format!("{count} x {name}")), 12)
    };
    let cost = &here.line.cost;
    let mut said = vec![
        format!("{} steps in {names}: {}", all.len(), kinds(all)),
        format!(
            "{} ({} on the longest chain), {} online, {} before",
            counted(cost.rounds, "round"),
            number(cost.critical_rounds),
            size(cost.online_bytes()),
            size(cost.offline_bytes)
        ),
    ];
    if let (true, Some(&step)) = (layers.len() > 1, here.steps.first()) {
        said.push(format!("what follows is about `{}`", facts.layers[facts.steps[step].layer]));
    }
    said
}

/// Why no party may see it: from each of them, the shortest way of something that it alone knows.
fn secrecy(facts: &Facts, here: &Here) -> Vec<String> {
    let Some(result) = here.result else { return vec![] };
    let ways = [Owner::Client, Owner::Server].map(|party| (party, way_from(facts, party, result)));
    let mut said = vec![match (&ways[0].1, &ways[1].1, shared(facts, result)) {
        (Some(_), Some(_), true) => "it depends on both parties' data, so it is shared and neither sees it".to_string(),
        (Some(_), Some(_), false) => "it was opened on the way, as the source declares".into(),
        (_, _, true) => "it is shared because what it is combined with is".into(),
        _ => {
            let who = owner(facts.value(result)).unwrap_or("both");
            let alone = if who == "both" { "both parties" } else { who };
            format!("it is not secret to its owner: computed in the clear by {alone}")
        }
    }];
    for (party, way) in ways {
        let party = if party == Owner::Client { "client" } else { "server" };
        if let Some(way) = way {
            said.push(format!("from the {party}: {}", way.join(" -> ")));
        }
    }
    said
}

/// Hops of a way that are shown: the first, and the last before the goal.
const HOPS: usize = 7;

/// The shortest way to `goal` from an input or a parameter of `party`, by place.
fn way_from(facts: &Facts, party: Owner, goal: ValueId) -> Option<Vec<String>> {
    let (mut next, mut open) = (BTreeMap::new(), VecDeque::from([goal]));
    next.insert(goal.0, None);
    while let Some(id) = open.pop_front() {
        let Some(maker) = facts.maker(id) else {
            match source(facts, party, id) {
                Some(source) => return Some(told(facts, source, id, &next)),
                None => continue,
            }
        };
        for &input in &facts.step(maker).inputs {
            next.entry(input.0).or_insert_with(|| {
                open.push_back(input);
                Some(id)
            });
        }
    }
    None
}

/// What a party brings: an input or a parameter that it alone knows.
fn source(facts: &Facts, party: Owner, id: ValueId) -> Option<String> {
    let plan = facts.plan;
    let input = |input: &&Input| input.value == id && input.owner == party;
    if let Some(input) = plan.inputs.iter().find(input) {
        return Some(format!("input `{}`", input.name));
    }
    let parameter = plan.parameters.iter().find(|parameter| parameter.value == id && parameter.owner == party)?;
    Some(format!("weight `{}`", shorten(&parameter.path, 60)))
}

fn told(facts: &Facts, source: String, from: ValueId, next: &BTreeMap<u32, Option<ValueId>>) -> Vec<String> {
    let mut hops: Vec<String> = vec![source];
    let mut place: Option<Place> = None;
    let mut at = from;
    while let Some(Some(id)) = next.get(&at.0) {
        let here = facts.maker(*id).and_then(|maker| facts.place(maker));
        if here != place {
            hops.push(named(facts, *id));
            place = here;
        }
        at = *id;
    }
    if hops.len() > HOPS {
        let last = hops.split_off(hops.len() - HOPS / 2);
        hops.truncate(HOPS - HOPS / 2);
        hops.push("...".into());
        hops.extend(last);
    }
    hops
}

fn bound(facts: &Facts, here: &Here) -> Vec<String> {
    let Some((id, bound)) = here.result.and_then(|id| Some((id, facts.value(id).bound?))) else { return vec![] };
    let known = range(bound);
    let sign = if known.sign == "either" { "of either sign".to_string() } else { known.sign.to_string() };
    let mut said = vec![format!("{} is {}, {sign}", named(facts, id), interval(&known))];
    said.push(match bound.grade {
        Grade::Proved => "proved: it follows from what it is computed from".into(),
        Grade::Calibrated => "calibrated: `ptc calibrate` saw it on samples; the margin is in it".into(),
        Grade::Assumed => {
            "assumed: no samples were seen, so the default limits hold; `ptc calibrate` tells more".into()
        }
        Grade::Gated => "of the elements that a later gate keeps; the others may hold anything".to_string(),
    });
    if bound.grade == Grade::Proved {
        for (ground, value) in grounds(facts, id) {
            let known = range(value);
            said.push(format!("it rests on {}, {}, {}", named(facts, ground), interval(&known), known.grade));
        }
    }
    said
}

/// The nearest values before a proved one whose bounds were not proved, or that come from outside.
fn grounds(facts: &Facts, id: ValueId) -> Vec<(ValueId, ptc_plan::bound::Bound)> {
    const SHOWN: usize = 3;
    let (mut found, mut open, mut seen) = (vec![], VecDeque::from([id]), std::collections::BTreeSet::new());
    while let Some(id) = open.pop_front() {
        let Some(maker) = facts.maker(id) else { continue };
        for &input in &facts.step(maker).inputs {
            if !seen.insert(input.0) {
                continue;
            }
            match facts.value(input).bound {
                Some(bound) if bound.grade != Grade::Proved || facts.maker(input).is_none() => {
                    found.push((input, bound))
                }
                _ => open.push_back(input),
            }
            if found.len() == SHOWN {
                return found;
            }
        }
    }
    found
}

/// Its ring, what its range needs, and which of its users asks for more.
fn rings(facts: &Facts, here: &Here) -> Vec<String> {
    let Some((id, own)) = here.result.and_then(|id| Some((id, ring(facts.value(id))?))) else { return vec![] };
    let mut said =
        vec![format!("{} lives in {own}: {} bits, {} of them behind the point", named(facts, id), own.bits, own.frac)];
    let needed = facts.value(id).bound.map(|bound| bits_of(bound.max_abs(), own.frac));
    if let Some(needed) = needed {
        said.push(format!("its range alone needs {needed} bits, sign included"));
    }
    let mut users: Vec<(u32, String)> = vec![];
    for &user in &facts.users[id.0 as usize] {
        let step = facts.step(user);
        let result = step.outputs.first().and_then(|&id| ring(facts.value(id)));
        let place = facts.place(user).map_or(String::new(), |place| format!(" at {}", spot(&place)));
        let asks = match (&step.op, result) {
            (StepOp::Compare { .. } | StepOp::Max | StepOp::Reveal { .. }, _) | (_, None) => own,
            (_, Some(result)) => result,
        };
        users.push((asks.bits, format!("`{}`{place} computes in {asks}", step.op.name())));
    }
    users.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    users.dedup();
    let wider = needed.is_some_and(|needed| own.bits > needed);
    for (at, (bits, user)) in users.iter().take(3).enumerate() {
        let asks = if at == 0 && wider && *bits >= own.bits { ": this user asks for the ring" } else { "" };
        said.push(format!("{user}{asks}"));
    }
    said
}

/// Bits of a ring in which numbers up to `largest` have `frac` bits behind the point, and a sign.
fn bits_of(largest: f64, frac: u32) -> u32 {
    let whole = (largest * 2f64.powi(frac as i32)).max(1.0).log2().floor() + 2.0;
    if whole.is_finite() { whole.min(64.0) as u32 } else { 64 }
}

fn errors(facts: &Facts, here: &Here) -> Vec<String> {
    let mut said = vec![];
    for note in &here.line.notes {
        said.push(format!("`{}` by {}: {}", note.value, note.recipe, off(note.bound, note.relative)));
    }
    if let Some((id, bound)) = here.result.and_then(|id| Some((id, facts.value(id).error?))) {
        said.push(format!(
            "{} lies within {} of the exact computation, all before it included",
            named(facts, id),
            error(bound)
        ));
    }
    said
}

fn protocols(here: &Here) -> Vec<String> {
    let mut seen: Vec<&str> = vec![];
    let mut said = vec![];
    for group in here.line.steps.iter().filter(|group| group.cost.rounds > 0) {
        if seen.contains(&group.step) {
            continue;
        }
        seen.push(group.step);
        said.push(format!("{}: {}; {}", group.step, group.protocol, group.because));
    }
    for Ways { step, taken, other, .. } in ways(&here.line.steps) {
        said.push(format!("{step} is made {}; the next best way: {}", price(&taken), price(&other)));
    }
    if said.is_empty() {
        said.push("no message: each party computes on what it has".into());
    }
    said
}

fn price(one: &Alternative) -> String {
    match one.online_bytes {
        0 => format!("{}, {} before the query", one.way, size(one.offline_bytes)),
        online => format!("{}, {} before the query and {} in it", one.way, size(one.offline_bytes), size(online)),
    }
}

/// What it waits for, step by step, and who waits for it.
fn rounds(facts: &Facts, here: &Here) -> Vec<String> {
    const SHOWN: usize = 5;
    let Some(&first) = here.steps.iter().find(|&&step| !facts.steps[step].rounds.is_empty()) else { return vec![] };
    let last = here.steps.iter().map(|&step| facts.end(step)).max().unwrap_or(0);
    let start = facts.step(first).round;
    let critical = |&step: &usize| facts.steps[step].critical && !facts.steps[step].rounds.is_empty();
    let chain = match here.steps.iter().any(critical) {
        true => "on the longest chain",
        false => "beside the longest chain",
    };
    let mut said = vec![format!("it takes part in {}, {chain}", between(start, last))];
    let (mut at, mut shown) = (facts.steps[first].after, 0);
    while let Some(step) = at.filter(|_| shown < SHOWN) {
        if !facts.steps[step].rounds.is_empty() {
            let value = facts.step(step).outputs.first().map_or(String::new(), |&id| named(facts, id));
            let when = between(facts.step(step).round, facts.end(step));
            said.push(format!("it waits for {value}, `{}` in {when}", facts.step(step).op.name()));
            shown += 1;
        }
        at = facts.steps[step].after;
    }
    let waits = (0..facts.steps.len()).find(|&step| {
        !here.steps.contains(&step) && facts.steps[step].after.is_some_and(|after| here.steps.contains(&after))
    });
    if let Some(value) = waits.and_then(|step| facts.step(step).outputs.first()) {
        said.push(format!("{} waits for it", named(facts, *value)));
    }
    said
}

/// From one round to before another.
fn between(from: u32, to: u32) -> String {
    if to <= from + 1 { format!("round {from}") } else { format!("rounds {from} to {}", to - 1) }
}

/// Decisions for the whole plan that speak of what the line does.
fn choices(facts: &Facts, here: &Here) -> Vec<String> {
    let line = here.line;
    let speaks = |subject: &str| {
        let mut words = subject.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3);
        words.any(|word| line.text.contains(word) || line.steps.iter().any(|group| group.step.contains(word)))
    };
    let said = |choice: &ptc_plan::file::Choice| {
        let next = choice
            .runner_up
            .as_ref()
            .map_or(String::new(), |way| format!("; next {} at {}", way.name, number(way.price)));
        format!(
            "{}: {} at {}{next} (of the whole plan)",
            choice.subject,
            choice.chosen.name,
            number(choice.chosen.price)
        )
    };
    facts.plan.choices.iter().filter(|choice| speaks(&choice.subject)).map(said).collect()
}

impl Why {
    pub fn text(&self) -> String {
        crate::text::why(self)
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("text keys have a form in JSON") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_a_sign_and_room_for_the_largest() {
        for (largest, frac, bits) in [(0.0, 0, 2), (1.0, 0, 2), (1.9, 12, 14), (2.0, 12, 15), (f64::INFINITY, 12, 64)] {
            assert_eq!(bits_of(largest, frac), bits, "{largest} {frac}");
        }
    }
}
