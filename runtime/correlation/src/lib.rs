//! Correlated randomness as one party holds it, single-use by type.
//!
//! This room knows no protocol and no source. A correlation is taken by value, cannot be copied, printed or compared, and
//! is zeroed when it goes. Both parties hold the same types; what differs between them is said at the field. What each
//! correlation promises is written in [`ptc_plan::bill`].
//!
//! ```compile_fail,E0382
//! fn twice(pair: ptc_correlation::types::SquarePair) -> [ptc_correlation::types::SquarePair; 2] {
//!     [pair, pair]
//! }
//! ```

pub mod assemble;
pub mod carry;
pub mod packed;
pub mod supply;
pub mod types;

pub use packed::{Packed, Planes};
pub use supply::Supply;
