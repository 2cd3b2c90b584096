//! Plan files: any bytes are refused, or are a plan that can be priced, explained and written again.

use ptc_plan::Plan;
use ptc_plan::encoding::VERSION;
use ptc_plan::file::{Making, Trust};
use ptc_plan::step::Party;
use ptc_plan::{bill, inline, leak, price, two_party};
use ptc_report::{Beside, explain};
use sha2::{Digest, Sha256};

/// The bytes as a file, and as what stands in a file between its header and its hash.
pub fn plan(bytes: &[u8]) {
    let _ = Plan::from_bytes(bytes);
    let mut file = b"ptc plan".to_vec();
    file.extend(VERSION.to_le_bytes());
    file.extend((bytes.len() as u64).to_le_bytes());
    file.extend(bytes);
    let hash = Sha256::digest(&file);
    file.extend(hash);
    if let Ok(plan) = Plan::from_bytes(&file) {
        consider(&plan);
    }
}

/// What is done with a plan before anybody runs it.
fn consider(plan: &Plan) {
    let bytes = plan.to_bytes().expect("a plan that was read can be written");
    let again = Plan::from_bytes(&bytes).expect("what was written can be read");
    assert!(again.to_bytes() == Ok(bytes), "a plan comes back as another");
    let summary = plan.summary().expect("a plan has a summary");
    assert!(ptc_plan::summary::differences(&summary, &summary).is_empty());
    price::total(plan);
    bill::offline(plan);
    bill::weight_masks(plan);
    inline::keys(plan);
    for step in &plan.steps {
        bill::bill(&plan.values, step);
        leak::messages(&plan.values, step);
        two_party::feasible::refused(plan, step);
    }
    let making = match plan.trust {
        Trust::TwoParty { making } => making,
        Trust::Dealer => Making::FAST,
    };
    if plan.steps.iter().all(|step| two_party::feasible::too_large(plan, step).is_none()) {
        two_party::price::setup(plan, making);
        two_party::price::queries(plan, making, 2);
    }
    for party in [Party::Server, Party::Client] {
        ptc_exec::statistics::predict(plan, party, 3);
        ptc_offline::pool::query_bytes(plan, party);
    }
    let report = explain(plan, &Beside::default());
    report.text();
    report.leakage_text();
    report.json();
    report.html();
}
