//! How much memory a session takes.
//!
//! An estimate from the plan, meant as a bound. What queries consume is exact: it is held as a pool would hold it. What making it
//! takes was measured on servers of the examples: from 2 MB for a plan of few transfers to 230 MB where batches are full.

use ptc_offline::pool::query_bytes;
use ptc_plan::Plan;
use ptc_plan::file::Trust;
use ptc_plan::step::Party;
use ptc_plan::two_party::piece::{BATCH_WORK, Piece, batches};

/// Buffers, threads, keys.
const BASE_BYTES: u64 = 8 << 20;

/// Batches that are on their way at the same time.
const BATCHES: usize = 3;

/// Blocks, strings and messages of one transfer, while it is on its way.
const TRANSFER_BYTES: u64 = 48;

/// What a session holds at most beside the model: what one query and those prepared ahead consume, and room to work in.
pub fn session_bytes(plan: &Plan, ahead: u32) -> u64 {
    let held = query_bytes(plan, Party::Server).saturating_mul(1 + u64::from(ahead));
    let work = match plan.trust {
        Trust::Dealer => 0,
        Trust::TwoParty { making } => {
            batches(plan, making).iter().flat_map(|batch| &batch.pieces).map(Piece::work).fold(0, usize::saturating_add)
        }
    };
    BASE_BYTES + held + TRANSFER_BYTES * work.min(BATCHES * BATCH_WORK) as u64
}
