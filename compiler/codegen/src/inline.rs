//! Products in the query itself, for plans of a single query.
//!
//! static_matmul x, w     =>     encrypted_matmul x, w
//! After: no product by a weight of the server is prepared. Saves the opening of `x` and its preparation; costs a round, and
//! the encryption is computed while the query waits.

use ptc_plan::file::{Making, Plan};
use ptc_plan::step::{Party, StepOp};

use crate::schedule;

pub fn run(plan: &mut Plan, making: Making) {
    for step in &mut plan.steps {
        if let StepOp::StaticMatMul { owner: Party::Server, factor_bits } = step.op {
            step.op = StepOp::EncryptedMatMul { factor_bits, making };
        }
    }
    schedule::schedule(plan);
}
