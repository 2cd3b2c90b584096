//! Explain: what a plan does, costs, leaks and errs. It knows plans, and neither sources nor the runtime.
//!
//! [`explain`] gathers everything into a [`Report`], which has a form as text and as JSON.

pub mod beside;
mod collect;
mod facts;
mod layers;
pub mod leakage;
mod lines;
pub mod measured;
mod prepared;
pub mod report;
mod sums;
mod text;
pub mod trace;
mod units;

use ptc_plan::Plan;

pub use beside::Beside;
pub use report::Report;

/// Of a plan that has been checked.
pub fn explain(plan: &Plan, beside: &Beside) -> Report {
    collect::report(&facts::Facts::of(plan, beside))
}

/// What anybody learns, and nothing else.
pub fn leakage_text(report: &Report) -> String {
    text::leakage(report)
}
