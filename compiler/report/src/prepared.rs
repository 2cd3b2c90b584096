//! What a step costs before the query, and by what it is made.

use ptc_plan::Plan;
use ptc_plan::bill;
use ptc_plan::file::Trust;
use ptc_plan::price;
use ptc_plan::step::{Method, Party, Step, StepOp};
use ptc_plan::two_party;
use ptc_plan::two_party::encrypted;
use ptc_plan::two_party::ways::{self, methods};

use crate::report::Alternative;

/// What each correlation costs before the query.
pub struct Preparation {
    trust: Trust,
    /// Bytes that frames and whole extensions add to each oblivious transfer.
    each_transfer: f64,
}

/// What the correlations of a step cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prepared {
    /// From the dealer to the client, or between the two parties, both ways.
    pub bytes: f64,
    /// Of them ciphertexts, and what transfers take.
    pub encrypted_bytes: f64,
    pub transfer_bytes: f64,
    /// A dealer makes them.
    pub dealt: bool,
}

impl Preparation {
    pub fn new(plan: &Plan) -> Preparation {
        let mut preparation = Preparation { trust: plan.trust, each_transfer: 0.0 };
        if let Trust::TwoParty { making } = plan.trust {
            let all = || plan.steps.iter().map(|step| two_party::price::of_step(&plan.values, step, None, making));
            let direct: f64 = all().map(|made| preparation.made(&made).bytes).sum();
            let transfers: usize = all().flat_map(|made| made.transfers).sum();
            let total: u64 = two_party::price::queries(plan, making, 1).sent.iter().sum();
            preparation.each_transfer = (total as f64 - direct).max(0.0) / transfers.max(1) as f64;
        }
        preparation
    }

    pub fn step(&self, plan: &Plan, step: &Step) -> Prepared {
        let Trust::TwoParty { making } = self.trust else {
            let all = bill::bill(&plan.values, step);
            let bytes = all.iter().map(|each| each.correction_bytes() as f64).sum();
            return Prepared { bytes, dealt: !all.is_empty(), ..Prepared::default() };
        };
        self.made(&two_party::price::of_step(&plan.values, step, None, making))
    }

    fn made(&self, made: &ways::Preparation) -> Prepared {
        let encrypted_bytes = made.encrypted.iter().sum::<u64>() as f64;
        let transfers = made.transfers.iter().sum::<usize>() as f64;
        let transfer_bytes = made.bytes.iter().sum::<u64>() as f64 + self.each_transfer * transfers;
        Prepared { bytes: encrypted_bytes + transfer_bytes, encrypted_bytes, transfer_bytes, dealt: false }
    }
}

impl Preparation {
    /// The ways in which a step could be made, the one that is taken among them; none where there is no choice.
    pub fn alternatives(&self, plan: &Plan, step: &Step) -> Vec<Alternative> {
        let Trust::TwoParty { making } = self.trust else { return vec![] };
        let online: u64 = price::rounds(&plan.values, step).iter().flat_map(|round| round.sent).sum();
        let way = |way, taken, online_bytes, offline_bytes: f64| Alternative {
            way,
            taken,
            online_bytes,
            offline_bytes: offline_bytes.round() as u64,
        };
        if let StepOp::StaticMatMul { owner: Party::Server, factor_bits } = step.op {
            let product = price::encrypted_product(&plan.values, step, factor_bits);
            let packing = encrypted::choose(&product, making);
            let bytes = encrypted::request_bytes(&product, &packing) + encrypted::response_bytes(&product, &packing);
            let prepared = self.step(plan, step).bytes;
            return vec![way("prepared", true, online, prepared), way("in the query", false, bytes, 0.0)];
        }
        let taken = self.step(plan, step);
        let made = |method: &Method| {
            let made = self.made(&two_party::price::of_step(&plan.values, step, Some(*method), making));
            let by_encryption = taken.encrypted_bytes > 0.0;
            match method {
                Method::Encrypted => way("by encryption", by_encryption, online, made.bytes),
                Method::Transfers => way("by transfers", !by_encryption, online, made.bytes),
            }
        };
        match methods(&plan.values, step) {
            several @ [_, _, ..] => several.iter().map(made).collect(),
            _ => vec![],
        }
    }
}
