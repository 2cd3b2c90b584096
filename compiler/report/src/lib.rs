//! Explain: what a plan does, costs, leaks and errs. It knows plans, and neither sources nor the runtime.
//!
//! [`explain`] gathers everything into a [`Report`], which has a form as text, as JSON and as a page; [`why`] gives
//! the reasons for one source line.

pub mod beside;
mod collect;
mod facts;
mod html;
mod layers;
pub mod leakage;
mod lines;
pub mod measured;
mod merged;
mod prepared;
pub mod report;
mod sums;
mod text;
pub mod trace;
pub mod units;
mod ways;
pub mod why;

use ptc_plan::Plan;

pub use beside::Beside;
pub use report::Report;

/// Of a plan that has been checked.
pub fn explain(plan: &Plan, beside: &Beside) -> Report {
    collect::report(&facts::Facts::of(plan, beside))
}

/// Why a source line (`LINE` or `FILE:LINE`) became what it is.
pub fn why(plan: &Plan, beside: &Beside, line: &str) -> Result<why::Why, why::WhyError> {
    let facts = facts::Facts::of(plan, beside);
    why::why(&facts, &lines::gather(&facts), line)
}
