//! How two parties make a plan's correlations, at the least price under a profile.
//!
//! Three decisions depend on each other: how transfers are extended, how many bytes a second of computing is worth in packing
//! encrypted products, and which steps have their products encrypted. Of the first two all ways are tried. Given these, the
//! third is a minimum cut ([`crate::cut`]), since parameters need keys that are sent once whoever uses them. Then the exact
//! bytes, and the seconds predicted from them, decide.

use std::cmp::Ordering;

use ptc_plan::Plan;
use ptc_plan::bill::{Correlation, bill};
use ptc_plan::file::{Choice, Making, Trust, Way};
use ptc_plan::step::{Method, Step, StepOp, Value};
use ptc_plan::two_party::elementwise::Slotted;
use ptc_plan::two_party::encrypted::{self, KeySet, Product};
use ptc_plan::two_party::transfer::Extension;
use ptc_plan::two_party::ways::{method, methods, methods_of, preparation};
use ptc_plan::two_party::{products, slotwise};
use rayon::prelude::*;

use crate::cut::{Job, select};
use crate::objective::Objective;
use crate::offline;
use crate::predict::{Prediction, Preparation, query};
use crate::profile::Profile;

/// Every extension that there is.
pub const EXTENSIONS: [Extension; 5] = [
    Extension::Subfield { bits: 1 },
    Extension::Subfield { bits: 2 },
    Extension::Subfield { bits: 4 },
    Extension::Subfield { bits: 8 },
    Extension::Silent,
];

/// What is not to be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fixed {
    pub extension: Option<Extension>,
    pub second_bytes: Option<u32>,
    /// Of all steps that can be made so.
    pub method: Option<Method>,
}

/// One way to make all, and what it costs.
struct Candidate {
    making: Making,
    /// By step; none where there is nothing to choose.
    methods: Vec<Option<Method>>,
    price: f64,
}

/// Writes the best making and methods into a plan of two parties alone; another is left as it is.
pub fn assign(plan: &mut Plan, profile: &Profile, objective: Objective, fixed: Fixed) {
    let Trust::TwoParty { .. } = plan.trust else { return };
    let extensions = fixed.extension.map_or(EXTENSIONS.to_vec(), |extension| vec![extension]);
    let rates = fixed.second_bytes.map_or_else(|| second_bytes(profile, objective), |rate| vec![rate]);
    let makings: Vec<Making> = rates
        .iter()
        .flat_map(|&second_bytes| extensions.iter().map(move |&extension| Making { extension, second_bytes }))
        .collect();
    let online = online(plan, profile);
    let candidate = |making: &Making| {
        let methods = chosen_methods(plan, *making, profile, objective, fixed.method);
        price_of(plan, *making, methods, profile, objective, &online)
    };
    let candidates: Vec<Candidate> = makings.par_iter().map(candidate).collect();
    let best = cheapest(candidates.iter()).expect("there is always one");
    let mut choices = vec![];
    choices.extend(choice("extension of transfers", best, &candidates, |making| extension_name(making.extension)));
    choices.extend(choice("packing of encrypted matrices", best, &candidates, |making| {
        format!("a second for {} MB", f64::from(making.second_bytes) / 1e6)
    }));
    choices.extend(methods_choice(plan, best, profile, objective, &online));
    let (making, methods) = (best.making, best.methods.clone());
    put(plan, making, &methods);
    plan.choices.extend(choices);
}

/// The query's own phase: it does not depend on the making, but for products encrypted in it.
fn online(plan: &Plan, profile: &Profile) -> Prediction {
    Prediction { online: query(plan, profile), ..Prediction::default() }
}

fn put(plan: &mut Plan, making: Making, methods: &[Option<Method>]) {
    plan.trust = Trust::TwoParty { making };
    for (step, method) in plan.steps.iter_mut().zip(methods) {
        step.method = *method;
        if let StepOp::EncryptedMatMul { making: own, .. } = &mut step.op {
            *own = making;
        }
    }
}

/// What a second of a core may be worth in packing: about what the link carries meanwhile, and less where bytes are all.
fn second_bytes(profile: &Profile, objective: Objective) -> Vec<u32> {
    let carried = profile.bits_per_second[0].min(profile.bits_per_second[1]) / 8.0;
    match objective {
        Objective::Traffic => vec![250_000, 1_000_000, 4_000_000],
        // Whole numbers of millions, of which no two are the same.
        _ => {
            let mut rates: Vec<u32> = [0.125, 0.5, 1.0, 4.0]
                .map(|part| (carried * part / 1e6).clamp(1.0, 4000.0) as u32 * 1_000_000)
                .to_vec();
            rates.dedup();
            rates
        }
    }
}

fn price_of(
    plan: &Plan,
    making: Making,
    methods: Vec<Option<Method>>,
    profile: &Profile,
    objective: Objective,
    online: &Prediction,
) -> Candidate {
    let mut made = plan.clone();
    put(&mut made, making, &methods);
    let inline = plan.steps.iter().any(|step| matches!(step.op, StepOp::EncryptedMatMul { .. }));
    let online = if inline { query(&made, profile) } else { online.online };
    let preparation = Preparation::of(&made, making);
    let prediction =
        Prediction { setup: preparation.setup(&made, profile), offline: preparation.offline(profile), online };
    Candidate { making, methods, price: objective.price(&prediction) }
}

fn cheapest<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Option<&'a Candidate> {
    // Of equals the first.
    candidates.min_by(|a, b| a.price.partial_cmp(&b.price).unwrap_or(Ordering::Equal))
}

/// A choice by what `name` says of a making; none where all say the same.
fn choice(subject: &str, best: &Candidate, all: &[Candidate], name: impl Fn(&Making) -> String) -> Option<Choice> {
    let chosen = name(&best.making);
    let other = cheapest(all.iter().filter(|candidate| name(&candidate.making) != chosen))?;
    let way = |candidate: &Candidate| Way { name: name(&candidate.making), price: candidate.price as u64 };
    Some(Choice { subject: subject.into(), chosen: way(best), runner_up: Some(way(other)) })
}

pub fn extension_name(extension: Extension) -> String {
    match extension {
        Extension::Subfield { bits: 1 } | Extension::Silent => extension.name().into(),
        Extension::Subfield { bits } => format!("{} {bits}", extension.name()),
    }
}

/// Beside the better of all steps encrypted and none.
fn methods_choice(
    plan: &Plan,
    best: &Candidate,
    profile: &Profile,
    objective: Objective,
    online: &Prediction,
) -> Option<Choice> {
    let alike = |all: Method| {
        let methods = plan.steps.iter().zip(&best.methods).map(|(step, chosen)| {
            let possible = methods(&plan.values, step);
            chosen.map(|chosen| if possible.contains(&all) { all } else { chosen })
        });
        price_of(plan, best.making, methods.collect(), profile, objective, online)
    };
    let others: Vec<Candidate> = [Method::Encrypted, Method::Transfers].into_iter().map(alike).collect();
    let other = cheapest(others.iter().filter(|other| other.methods != best.methods))?;
    let way = |candidate: &Candidate| {
        let made = |by| candidate.methods.iter().filter(|method| **method == Some(by)).count();
        let name = format!("{} steps encrypted, {} by transfers", made(Method::Encrypted), made(Method::Transfers));
        Way { name, price: candidate.price as u64 }
    };
    Some(Choice { subject: "products in preparing".into(), chosen: way(best), runner_up: Some(way(other)) })
}

/// Keys that are sent once: of slots, of a set of parameters, of one of its automorphisms.
#[derive(Clone, Copy, PartialEq)]
enum Key {
    Slots(Slotted),
    Set(usize),
    Level(usize, u32),
}

impl Key {
    fn bytes(&self) -> u64 {
        let of = |set: usize, levels: Vec<u32>| encrypted::key_bytes(&[KeySet { set, levels }]);
        match *self {
            Key::Slots(slotted) => slotted.key_bytes(),
            Key::Set(set) => of(set, vec![]),
            Key::Level(set, level) => of(set, vec![level]) - of(set, vec![]),
        }
    }
}

/// The method of each step, at the least sum of bytes and of seconds at the exchange rate; none where there is no choice.
fn chosen_methods(
    plan: &Plan,
    making: Making,
    profile: &Profile,
    objective: Objective,
    fixed: Option<Method>,
) -> Vec<Option<Method>> {
    let worth = match objective {
        Objective::Traffic => 0.0,
        _ => f64::from(making.second_bytes),
    };
    let cost = |correlation: &Correlation, method: Method| {
        let preparation = preparation(correlation, method, making);
        let bytes: u64 = preparation.bytes.iter().chain(&preparation.encrypted).sum();
        let seconds = |product: &Product| encrypted::party_seconds(product, &encrypted::choose(product, making));
        let made = offline::made(correlation, method, seconds, &profile.machine);
        let extended = offline::extended(preparation.transfers, making, &profile.machine);
        let seconds = offline::add(made, extended).iter().sum::<f64>() * 1e-9;
        bytes as f64 + seconds * worth
    };
    let mut keys: Vec<Key> = vec![];
    let (mut jobs, mut of_job) = (vec![], vec![]);
    let mut methods_of_steps = vec![None; plan.steps.len()];
    for (at, step) in plan.steps.iter().enumerate() {
        let possible = methods(&plan.values, step);
        match (possible, fixed) {
            ([], _) => continue,
            (_, Some(fixed)) if possible.contains(&fixed) => methods_of_steps[at] = Some(fixed),
            (&[only], _) => methods_of_steps[at] = Some(only),
            _ => of_job.push(at),
        }
        // Keys of what leaves no choice are there for all.
        if methods_of_steps[at] != Some(Method::Transfers) {
            let needed = keys_of(&plan.values, step, making);
            let tools = needed.into_iter().map(|key| place(&mut keys, key)).collect();
            let price = |wanted: Method| price_of_step(&plan.values, step, wanted, making, &cost);
            let bare = methods_of_steps[at].is_none().then(|| price(Method::Transfers));
            jobs.push(Job { equipped: price(Method::Encrypted), bare, tools });
            if methods_of_steps[at].is_some() {
                of_job.push(at);
            }
        }
    }
    let prices: Vec<f64> =
        keys.iter().map(|key| key.bytes() as f64 * (1.0 + profile.machine.key_ns * 1e-9 * worth)).collect();
    for (at, encrypted) in of_job.into_iter().zip(select(&jobs, &prices)) {
        methods_of_steps[at] = Some(if encrypted { Method::Encrypted } else { Method::Transfers });
    }
    methods_of_steps
}

/// Of all correlations of a step, those made so that can be.
fn price_of_step(
    values: &[Value],
    step: &Step,
    wanted: Method,
    making: Making,
    cost: &impl Fn(&Correlation, Method) -> f64,
) -> f64 {
    let of = |correlation: &Correlation| {
        let possible = methods_of(correlation).contains(&wanted);
        cost(correlation, if possible { wanted } else { method(step, correlation, making) })
    };
    bill(values, step).iter().map(of).sum()
}

/// The keys that a step needs where its products are encrypted.
fn keys_of(values: &[Value], step: &Step, making: Making) -> Vec<Key> {
    let mut keys = vec![];
    for correlation in bill(values, step) {
        if !methods_of(&correlation).contains(&Method::Encrypted) {
            continue;
        }
        if let Some((_, slotted)) = slotwise(&correlation) {
            keys.push(Key::Slots(slotted));
        }
        let packings: Vec<_> =
            products(&correlation).iter().map(|product| encrypted::choose(product, making)).collect();
        for set in encrypted::key_sets(&packings) {
            keys.push(Key::Set(set.set));
            keys.extend(set.levels.iter().map(|level| Key::Level(set.set, *level)));
        }
    }
    keys
}

fn place(keys: &mut Vec<Key>, key: Key) -> usize {
    keys.iter().position(|known| *known == key).unwrap_or_else(|| {
        keys.push(key);
        keys.len() - 1
    })
}
