//! Whole programs: a source is built, processes run it, with and without a dealer, the right numbers come out.

#[path = "../support/mod.rs"]
mod support;

mod asked;
mod bad_input;
mod batches;
mod bounds;
mod examples;
mod explained;
mod families;
mod imports;
mod keys;
mod minilm;
mod pools;
mod programs;
mod serve;
mod variants;

use support::{Process, Workshop};

/// The dealer of a plan that was built with `--trust` and this, if it has one, and its address.
fn source(shop: &Workshop, plan: &str, trust: &str) -> (Option<Process>, Option<String>) {
    match trust {
        "dealer" => {
            let (dealer, address) = shop.dealer(plan);
            (Some(dealer), Some(address))
        }
        _ => (None, None),
    }
}
