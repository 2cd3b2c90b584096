//! The sources of correlations. Today one: the dealer, a third process that sees no data and colludes with neither party.
//!
//! Seed-compressed dealing: for each query the dealer gives each party one seed, from which it expands everything uniform
//! that it holds; what depends on both parties' parts the client receives as corrections, in the order of the plan's bill.
//! This room knows no online protocol.

mod correct;
pub mod deal;
pub mod dealer;
pub mod factors;
pub mod pool;
pub mod receive;
mod seeds;
pub mod stream;
pub mod two_party;
pub mod weights;
