//! Tensors over `Z_2^k`, fixed point, bit packing, bit planes and the generator behind every mask.
//!
//! Ring data are `u64` words that hold values modulo `2^bits`, reduced: the high bits are zero. Bits are packed 64 to a
//! word, element 0 lowest, unused high bits of the last word zero. This room knows no protocol and no channel.

pub mod blocks;
pub mod fixed;
mod groups;
pub mod masks;
pub mod pack;
pub mod planes;
pub mod prg;
pub mod tensor;
pub mod transpose;

pub use prg::{Prg, Seed};
pub use tensor::{BitShare, Share};
