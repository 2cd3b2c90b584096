//! Blocks of 128 bits: what every transfer carries, and the field element that every correlation is made of.
//!
//! A block's bytes on the wire and inside a cipher are those of the number, lowest first.

use std::hint::black_box;
use std::ops::{Deref, DerefMut};

use crate::spare;

pub type Block = u128;

/// Bytes of a block on the wire.
pub const BLOCK_BYTES: usize = 16;

/// Secret blocks: zeroed when they go.
#[derive(Default)]
pub struct Blocks(Vec<Block>);

impl Blocks {
    pub fn zeros(len: usize) -> Blocks {
        Blocks(spare::take(len))
    }

    /// Takes what the vector holds; room beyond its length must hold no secret.
    pub fn new(blocks: Vec<Block>) -> Blocks {
        Blocks(blocks)
    }
}

impl Deref for Blocks {
    type Target = [Block];

    fn deref(&self) -> &[Block] {
        &self.0
    }
}

impl DerefMut for Blocks {
    fn deref_mut(&mut self) -> &mut [Block] {
        &mut self.0
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        wipe(&mut self.0);
        spare::keep(std::mem::take(&mut self.0));
    }
}

/// Zeroes secrets that are about to go.
pub fn wipe(blocks: &mut [Block]) {
    blocks.fill(0);
    zeroize::optimization_barrier(blocks);
}

/// All ones if the lowest bit is set, else zero. Who compiles does not learn that it is one of the two: it would make a
/// branch of what is chosen by it.
#[inline(always)]
pub fn spread(bit: u64) -> Block {
    black_box(((bit & 1) as Block).wrapping_neg())
}

/// Bit `at` of packed words.
#[inline(always)]
pub fn bit(words: &[u64], at: usize) -> u64 {
    words[at / 64] >> (at % 64) & 1
}
