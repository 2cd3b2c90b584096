//! What the compiler predicts is what a session counts: the same rounds and bytes, of every phase, for every way to build.

use std::path::Path;

use ptc_cost::objective::Objective;
use ptc_cost::predict::{Phase, predict};
use ptc_cost::profile::{Profile, names};
use ptc_driver::Request;
use ptc_driver::recipes::parse;
use ptc_driver::search::Search;
use ptc_exec::statistics;
use ptc_net::Counters;
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::step::Party;

fn plan(model: &str, trust: Trust, search: Search) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(model).join(format!("{model}.ptx"));
    let text = std::fs::read_to_string(&path).unwrap();
    let request = Request { search: Some(search), ..Request::default() };
    match ptc_driver::build(&path, &text, &request, trust) {
        Ok(built) => built.generated.plan,
        Err(failure) => panic!("{:?}", failure.diagnostics),
    }
}

/// Of both parties together, as each counts its own.
fn check(phase: &Phase, counted: [Counters; 2], dealt: bool) {
    assert_eq!(phase.rounds, counted[0].rounds);
    if dealt {
        let received: u64 = counted.iter().map(|counters| counters.received).sum();
        assert_eq!(phase.sent[0] + phase.sent[1] + phase.dealt, received);
    } else {
        assert_eq!(phase.sent, counted.map(|counters| counters.sent));
        assert_eq!(phase.dealt, 0);
    }
}

#[test]
fn rounds_and_bytes_are_those_of_a_session() {
    for name in names() {
        let profile = Profile::built_in(name).unwrap();
        for objective in [Objective::Online, Objective::Total, Objective::Traffic] {
            for trust in [Trust::default(), Trust::Dealer] {
                let search = Search { profile: profile.clone(), objective, ..Search::default() };
                let plan = plan("hello", trust, search);
                let predicted = predict(&plan, &profile);
                let counted = [Party::Server, Party::Client].map(|party| statistics::predict(&plan, party, 1));
                let dealt = trust == Trust::Dealer;
                check(&predicted.setup, counted.map(|counted| counted.weights), dealt);
                check(&predicted.offline, counted.map(|counted| counted.offline), dealt);
                check(&predicted.online, counted.map(|counted| counted.online), false);
            }
        }
    }
}

#[test]
fn recipes_that_are_asked_for_are_taken() {
    let search = |recipes: &str| Search { recipes: parse(recipes).unwrap(), ..Search::default() };
    let first = plan("hello", Trust::default(), search("rounds=narrow"));
    assert!(first.choices.iter().all(|choice| choice.subject != "truncations"));
    assert_eq!(first, plan("hello", Trust::default(), search("rounds=narrow")));
}
