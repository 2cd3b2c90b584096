//! Plan files: any bytes are refused, or are a plan that can be priced, explained and written again.

use std::sync::OnceLock;

use ptc_plan::Plan;
use ptc_plan::encoding::VERSION;
use ptc_plan::file::{Making, Trust};
use ptc_plan::step::Party;
use ptc_plan::{bill, inline, leak, price, two_party};
use ptc_report::{Beside, explain};
use sha2::{Digest, Sha256};

use super::bytes::Bytes;
use super::every;

/// The bytes as a file, as what stands in a file between its header and its hash, and as changes to such contents.
pub fn plan(bytes: &[u8]) {
    let _ = Plan::from_bytes(bytes);
    let mut choices = Bytes::new(bytes);
    let payload = match usize::from(choices.byte()) % (1 + every::MODES.len()) {
        0 => choices.rest().to_vec(),
        which => changed(which - 1, &mut choices),
    };
    let mut file = b"ptc plan".to_vec();
    file.extend(VERSION.to_le_bytes());
    file.extend((payload.len() as u64).to_le_bytes());
    file.extend(payload);
    let hash = Sha256::digest(&file);
    file.extend(hash);
    if let Ok(plan) = Plan::from_bytes(&file) {
        consider(&plan);
    }
}

/// The contents of a true plan, with bytes set, put in or left out.
fn changed(which: usize, choices: &mut Bytes) -> Vec<u8> {
    static TRUE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let contents = TRUE.get_or_init(|| {
        let file = |trust| every::every_step(trust).to_bytes().expect("a plan of the compiler's kind");
        // Without header and hash.
        every::MODES.map(file).iter().map(|file| file[20..file.len() - 32].to_vec()).collect()
    });
    let mut payload = contents[which].clone();
    while !choices.is_empty() {
        let at = choices.below(payload.len().max(1)).min(payload.len());
        let byte = choices.byte();
        match choices.below(4) {
            0 => payload.insert(at, byte),
            1 if at < payload.len() => drop(payload.remove(at)),
            _ => payload.get_mut(at).into_iter().for_each(|old| *old = byte),
        }
    }
    payload
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
