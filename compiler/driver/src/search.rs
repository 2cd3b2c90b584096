//! Which recipes make the cheapest plan: what is built is priced exactly.
//!
//! Every other way of each decision is built by itself; those that change nothing are out. Of what is left all combinations
//! are built where these are few, else one decision after the other is settled until none changes. A way that lets a result
//! err more than [`LOOSER`] times as far is no way.

use std::collections::BTreeMap;

use ptc_cost::assign::{Fixed, assign};
use ptc_cost::objective::Objective;
use ptc_cost::predict::predict;
use ptc_cost::profile::Profile;
use ptc_passes::options::Recipes;
use ptc_plan::Plan;
use ptc_plan::file::{Choice, Trust, Way};
use ptc_plan::two_party::feasible;
use rayon::prelude::*;

use crate::recipes::{Combination, DECISIONS, Wanted, recipes};
use crate::{Problem, Whole};

/// How a build decides what the source leaves open.
#[derive(Clone, Debug, Default)]
pub struct Search {
    pub profile: Profile,
    pub objective: Objective,
    /// What is not to be chosen.
    pub making: Fixed,
    pub recipes: Wanted,
}

/// Steps that are built for the sake of combinations: 16 of a model of six layers, fewer of a larger one.
const MOST_STEPS: usize = 20_000;

/// By how much the bound of a result's error may grow.
const LOOSER: f64 = 2.0;

/// Settles recipes and making. `build` makes a plan of recipes.
pub fn search(
    search: &Search,
    build: &(dyn Fn(&Recipes) -> Result<Whole, Vec<Problem>> + Sync),
) -> Result<(Whole, Recipes), Vec<Problem>> {
    let start: Combination = search.recipes.map(|wanted| wanted.unwrap_or(0));
    let mut first = build(&recipes(&start))?;
    // Of the first plan, for comparing with others; in the end the chosen one has its own.
    let mut settled = first.generated.plan.clone();
    if settled.steps.iter().all(|step| feasible::too_large(&settled, step).is_none()) {
        assign(&mut settled, &search.profile, search.objective, search.making);
    }
    let trust = settled.trust;
    let mut found = Found { search, build, trust, first: &first.generated.plan, prices: BTreeMap::new() };
    found.prices.insert(start, found.price(first.generated.plan.clone()));
    let relevant = found.relevant(&start);
    let combinations: usize = relevant.iter().map(Vec::len).product();
    if combinations * first.generated.plan.steps.len() <= MOST_STEPS {
        found.look(all(&relevant));
    } else {
        found.descend(start, &relevant);
    }
    let best = found.best();
    let choices = found.choices(&best);
    if best != start {
        first = build(&recipes(&best))?;
    }
    first.generated.plan.choices.extend(choices);
    Ok((first, recipes(&best)))
}

struct Found<'a> {
    search: &'a Search,
    build: &'a (dyn Fn(&Recipes) -> Result<Whole, Vec<Problem>> + Sync),
    /// By which all are priced.
    trust: Trust,
    first: &'a Plan,
    /// Those that can be built; none for those that change nothing or cannot.
    prices: BTreeMap<Combination, Option<f64>>,
}

impl Found<'_> {
    /// The ways of each decision, from that of `start`, which change the plan.
    fn relevant(&mut self, start: &Combination) -> [Vec<usize>; DECISIONS.len()] {
        let mut singles = vec![];
        for (at, decision) in DECISIONS.iter().enumerate() {
            if self.search.recipes[at].is_none() {
                singles.extend((1..decision.ways.len()).map(|way| with(start, at, way)));
            }
        }
        self.look(singles);
        let mut relevant = start.map(|way| vec![way]);
        for (combination, price) in &self.prices {
            for at in (0..DECISIONS.len()).filter(|at| combination[*at] != start[*at] && price.is_some()) {
                relevant[at].push(combination[at]);
            }
        }
        relevant
    }

    /// Prices all that have none.
    fn look(&mut self, combinations: Vec<Combination>) {
        let new: Vec<Combination> =
            combinations.into_iter().filter(|combination| !self.prices.contains_key(combination)).collect();
        let this = &*self;
        let priced = |combination: &Combination| {
            let whole = (this.build)(&recipes(combination)).ok()?;
            let plan = whole.generated.plan;
            if plan.steps == this.first.steps && plan.values == this.first.values || !faithful(&plan, this.first) {
                return None;
            }
            this.price(plan)
        };
        let prices: Vec<Option<f64>> = new.par_iter().map(priced).collect();
        self.prices.extend(new.into_iter().zip(prices));
    }

    /// None for a plan whose products cannot be made.
    fn price(&self, mut plan: Plan) -> Option<f64> {
        plan.trust = self.trust;
        let possible = plan.steps.iter().all(|step| feasible::too_large(&plan, step).is_none());
        possible.then(|| self.search.objective.price(&predict(&plan, &self.search.profile)))
    }

    /// The cheapest; of equals the first.
    fn best(&self) -> Combination {
        let priced = self.prices.iter().filter_map(|(combination, price)| Some((combination, (*price)?)));
        let best = priced.min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(self.search.recipes.map(|wanted| wanted.unwrap_or(0)), |(combination, _)| *combination)
    }

    /// One decision after the other, from what each does by itself, until none changes.
    fn descend(&mut self, start: Combination, relevant: &[Vec<usize>; DECISIONS.len()]) {
        let mut together = start;
        for (at, ways) in relevant.iter().enumerate() {
            let price = |way: &usize| self.prices[&with(&start, at, *way)].unwrap_or(f64::INFINITY);
            together[at] = *ways.iter().min_by(|a, b| price(a).total_cmp(&price(b))).expect("its start");
        }
        self.look(vec![together]);
        loop {
            let best = self.best();
            let near = relevant.iter().enumerate();
            let near = near.flat_map(|(at, ways)| ways.iter().map(move |way| with(&best, at, *way)));
            self.look(near.collect());
            if self.best() == best {
                return;
            }
        }
    }

    /// For each decision that matters the way of `best`, beside the cheapest with another.
    fn choices(&self, best: &Combination) -> Vec<Choice> {
        let price = |combination: &Combination| self.prices.get(combination).copied().flatten();
        let way = |at: usize, combination: &Combination| {
            let price = price(combination)?;
            Some(Way { name: DECISIONS[at].ways[combination[at]].said.into(), price: price as u64 })
        };
        let choice = |at: usize| {
            let others = self.prices.keys().filter(|other| other[at] != best[at]);
            let other = others.filter(|other| price(other).is_some());
            let other = other.min_by(|a, b| price(a).unwrap_or(0.0).total_cmp(&price(b).unwrap_or(0.0)))?;
            let subject = DECISIONS[at].subject.to_string();
            Some(Choice { subject, chosen: way(at, best)?, runner_up: way(at, other) })
        };
        (0..DECISIONS.len()).filter_map(choice).collect()
    }
}

fn with(combination: &Combination, at: usize, way: usize) -> Combination {
    let mut other = *combination;
    other[at] = way;
    other
}

fn all(ways: &[Vec<usize>; DECISIONS.len()]) -> Vec<Combination> {
    let mut combinations = vec![Combination::default()];
    for (at, ways) in ways.iter().enumerate() {
        combinations = combinations.iter().flat_map(|so_far| ways.iter().map(|way| with(so_far, at, *way))).collect();
    }
    combinations
}

/// No result errs much further than in `first`, as far as bounds tell.
fn faithful(plan: &Plan, first: &Plan) -> bool {
    let error = |plan: &Plan, at: usize| plan.values[plan.outputs[at].value.0 as usize].error;
    (0..first.outputs.len().min(plan.outputs.len())).all(|at| match (error(plan, at), error(first, at)) {
        (Some(error), Some(allowed)) => error <= LOOSER * allowed,
        (None, Some(_)) => false,
        (_, None) => true,
    })
}
