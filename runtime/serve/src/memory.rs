//! How much memory a session takes.

use ptc_offline::pool::query_bytes;
use ptc_plan::Plan;
use ptc_plan::step::Party;

/// What a session holds beside the model: what its queries consume, which is as large as in a pool, and room to work in.
pub fn session_bytes(plan: &Plan, ahead: u32) -> u64 {
    query_bytes(plan, Party::Server).saturating_mul(1 + u64::from(ahead))
}
