//! What is chosen depends on what is wanted, on rings, on sizes and on the link.

use ptc_cost::assign::{EXTENSIONS, Fixed, assign};
use ptc_cost::objective::Objective;
use ptc_cost::predict::{Prediction, predict};
use ptc_cost::profile::{Profile, names};
use ptc_plan::Plan;
use ptc_plan::file::{Making, Trust};
use ptc_plan::step::{Fixed as FixedPoint, Form, Method, Step, StepOp, Value, ValueId};
use ptc_plan::two_party::transfer::Extension;
use ptc_plan::two_party::ways::methods;

/// A plan of steps one after the other, each with two factors and a result of its own.
#[derive(Default)]
struct Builder(Plan);

impl Builder {
    fn step(mut self, op: StepOp, shape: &[usize], bits: u32) -> Builder {
        let first = self.0.values.len() as u32;
        let form = if op == StepOp::And { Form::Bits } else { Form::Share(FixedPoint { bits, frac: 0 }) };
        let value = Value { name: String::new(), shape: shape.to_vec(), form, bound: None, error: None };
        self.0.values.extend([value.clone(), value.clone(), value]);
        let last = self.0.values.len() as u32 - 1;
        let round = self.0.steps.len() as u32;
        let inputs = (first..last).map(ValueId).collect();
        self.0.steps.push(Step { op, inputs, outputs: vec![ValueId(last)], round, origin: 0, method: None });
        self
    }

    fn muls(self, count: usize, bits: u32) -> Builder {
        self.step(StepOp::Mul, &[count], bits)
    }

    fn bits(self, count: usize) -> Builder {
        self.step(StepOp::And, &[count], 1)
    }

    fn matrices(self, size: usize, bits: u32) -> Builder {
        self.step(StepOp::MatMul { transpose_b: false }, &[1, size, size], bits)
    }
}

fn assigned(plan: &Plan, profile: &str, objective: Objective, fixed: Fixed) -> (Plan, Prediction) {
    let profile = Profile::built_in(profile).unwrap();
    let mut plan = plan.clone();
    assign(&mut plan, &profile, objective, fixed);
    let prediction = predict(&plan, &profile);
    (plan, prediction)
}

fn extension(plan: &Plan) -> Extension {
    match plan.trust {
        Trust::TwoParty { making } => making.extension,
        Trust::Dealer => panic!("two parties"),
    }
}

fn mixed() -> Plan {
    Builder::default().muls(1 << 16, 34).bits(1 << 18).muls(1 << 14, 24).muls(300, 37).matrices(64, 34).0
}

#[test]
fn the_link_decides_how_transfers_are_extended() {
    let plan = Builder::default().bits(4 << 20).0;
    let on = |profile| extension(&assigned(&plan, profile, Objective::Total, Fixed::default()).0);
    assert!(matches!(on("loopback"), Extension::Subfield { .. }), "{:?}", on("loopback"));
    assert_eq!(on("wan-slow"), Extension::Silent);
}

#[test]
fn the_ring_decides_how_products_are_made() {
    let method = |count: usize, bits: u32| {
        let plan = Builder::default().muls(count, bits).0;
        assigned(&plan, "lan", Objective::Total, Fixed::default()).0.steps[0].method
    };
    assert_eq!(method(1 << 17, 38), Some(Method::Encrypted));
    assert_eq!(method(1 << 17, 6), Some(Method::Transfers));
}

/// Keys, and slots that stay empty, are not worth a few products.
#[test]
fn the_size_decides_how_products_are_made() {
    let method = |count: usize| {
        let plan = Builder::default().muls(count, 34).0;
        assigned(&plan, "wan-slow", Objective::Traffic, Fixed::default()).0.steps[0].method
    };
    assert_eq!(method(64), Some(Method::Transfers));
    assert_eq!(method(1 << 17), Some(Method::Encrypted));
}

/// No other making and no other methods, of all that there are, do better at the same exchange rate.
#[test]
fn every_assignment_is_tried_on_a_small_plan() {
    let plan = Builder::default().muls(1 << 13, 34).muls(5000, 30).muls(100, 34).bits(1 << 15).0;
    let free: Vec<usize> =
        (0..plan.steps.len()).filter(|at| methods(&plan.values, &plan.steps[*at]).len() > 1).collect();
    assert!(free.len() >= 3);
    for profile in names() {
        let link = Profile::built_in(profile).unwrap();
        let (chosen, prediction) = assigned(&plan, profile, Objective::Traffic, Fixed::default());
        let Trust::TwoParty { making } = chosen.trust else { panic!("two parties") };
        for extension in EXTENSIONS {
            for set in 0..1u32 << free.len() {
                let making = Making { extension, ..making };
                let mut other = Plan { trust: Trust::TwoParty { making }, ..plan.clone() };
                for (at, step) in free.iter().enumerate() {
                    let method = if set >> at & 1 == 1 { Method::Encrypted } else { Method::Transfers };
                    other.steps[*step].method = Some(method);
                }
                let bytes = predict(&other, &link).bytes();
                // An extension's bytes are whole blocks, which the cut does not know.
                assert!(prediction.bytes() <= bytes + 64, "{profile} {extension:?} {set:b}: {bytes}");
            }
        }
    }
}

#[test]
fn each_objective_has_the_least_of_its_own() {
    let plan = mixed();
    let all = [Objective::Online, Objective::Total, Objective::Traffic];
    for profile in names() {
        let predictions = all.map(|objective| assigned(&plan, profile, objective, Fixed::default()).1);
        for (at, objective) in all.into_iter().enumerate() {
            let own = objective.price(&predictions[at]);
            let best = predictions.iter().map(|other| objective.price(other)).fold(f64::INFINITY, f64::min);
            assert!(own <= best * 1.000_001, "{profile} {objective:?}: {own} and {best}");
        }
        assert!(predictions[2].bytes() <= predictions[1].bytes());
        assert!(predictions[1].seconds() <= predictions[2].seconds());
    }
}

#[test]
fn what_is_fixed_is_not_chosen() {
    let fixed = Fixed {
        extension: Some(Extension::Subfield { bits: 2 }),
        second_bytes: Some(7_000_000),
        method: Some(Method::Transfers),
    };
    let (plan, _) = assigned(&mixed(), "wan", Objective::Total, fixed);
    let making = Making { extension: Extension::Subfield { bits: 2 }, second_bytes: 7_000_000 };
    assert_eq!(plan.trust, Trust::TwoParty { making });
    assert_eq!(plan.steps[0].method, Some(Method::Transfers));
    // A plan of two parties and a dealer leaves nothing to choose.
    let dealt = Plan { trust: Trust::Dealer, ..mixed() };
    assert_eq!(assigned(&dealt, "wan", Objective::Total, Fixed::default()).0, dealt);
}

#[test]
fn the_same_plan_is_assigned_the_same() {
    for profile in names() {
        let once = assigned(&mixed(), profile, Objective::Total, Fixed::default());
        assert_eq!(once, assigned(&mixed(), profile, Objective::Total, Fixed::default()));
        assert!(once.0.choices.iter().all(|choice| choice.runner_up.as_ref().is_some_and(|way| way.price > 0)));
    }
}
