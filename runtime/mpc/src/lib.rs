//! Online protocols, one file each, both parties in one body.
//!
//! Each is an `async fn` over typed, single-use correlations; where it waits for the other party, it lets go, and
//! [`lockstep`] gives the messages of all that wait in one round. Rounds and bytes are those of [`ptc_plan::price`],
//! exactly. This room does not know where correlations come from, nor what a plan computes.
//!
//! Security everywhere: two semi-honest parties. What is opened is masked by fresh uniform values, except in [`reveal`],
//! the only function that opens a value.

pub mod bit_to_share;
pub mod bits;
pub mod compare;
pub mod context;
pub mod encrypted_product;
pub mod exp2;
pub mod gate;
pub mod ideal;
pub mod lane;
pub mod levels;
pub mod lockstep;
pub mod matmul;
pub mod max;
pub mod mul;
pub mod rescale;
pub mod reveal;
#[cfg(doctest)]
mod single_use;
pub mod square;
pub mod static_product;
pub mod table;
mod wire;

pub use context::Context;
