//! Products that are encrypted in the query itself: how they are packed, and the keys that they need once a session.

use crate::file::Plan;
use crate::price::{FRAME_HEADER, encrypted_product};
use crate::step::{Step, StepOp};
use crate::two_party::encrypted::{self, KeySet, Packing, Product};

/// The product of `step`, if it is encrypted in the query, and its packing.
pub fn product(plan: &Plan, step: &Step) -> Option<(Product, Packing)> {
    let StepOp::EncryptedMatMul { factor_bits, making } = step.op else { return None };
    let product = encrypted_product(&plan.values, step, factor_bits);
    Some((product, encrypted::choose(&product, making)))
}

/// The keys that the client sends once a session.
pub fn keys(plan: &Plan) -> Vec<KeySet> {
    let packings: Vec<Packing> = plan.steps.iter().filter_map(|step| Some(product(plan, step)?.1)).collect();
    encrypted::key_sets(&packings)
}

/// What the client sends once a session, frame header included.
pub fn setup_bytes(plan: &Plan) -> u64 {
    match encrypted::key_bytes(&keys(plan)) {
        0 => 0,
        bytes => bytes + FRAME_HEADER,
    }
}
