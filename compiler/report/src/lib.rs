//! Explain: what a plan does, costs, reveals and errs. It knows plans, and neither sources nor the runtime.

mod collect;
pub mod report;
mod text;
mod units;

use ptc_plan::Plan;

pub use report::Report;

/// Of a plan that has been checked.
pub fn explain(plan: &Plan) -> Report {
    collect::report(plan)
}
