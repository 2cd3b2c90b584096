//! Memory of large blocks of secrets, kept for those that follow.
//!
//! What goes is zeroed, and what comes is asked for zeroed: in between the memory stays here. Given back to the system it
//! would have to be faulted in and cleared again, at half the price of the transfers that it holds.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::block::Block;

/// Blocks from which on it pays: a mebibyte.
const LARGE: usize = 1 << 16;
/// Blocks that are kept at most: 256 mebibytes.
const LIMIT: usize = 1 << 24;

static SPARE: Mutex<Spare> = Mutex::new(Spare::new());

/// `len` zeroed blocks.
pub fn take(len: usize) -> Vec<Block> {
    if len < LARGE {
        return vec![0; len];
    }
    let kept = SPARE.lock().unwrap_or_else(PoisonError::into_inner).take(len);
    let mut blocks = kept.unwrap_or_else(|| vec![0; rounded(len)]);
    blocks.truncate(len);
    blocks
}

/// Keeps the memory of zeroed blocks.
pub fn keep(blocks: Vec<Block>) {
    if blocks.capacity() >= LARGE {
        SPARE.lock().unwrap_or_else(PoisonError::into_inner).keep(blocks);
    }
}

/// Few lengths, so that what follows fits what went.
fn rounded(len: usize) -> usize {
    len.next_multiple_of(len.next_power_of_two() / 8)
}

struct Spare {
    /// Oldest first. All memory is zero and within the vectors' lengths.
    kept: VecDeque<Vec<Block>>,
    blocks: usize,
}

impl Spare {
    const fn new() -> Spare {
        Spare { kept: VecDeque::new(), blocks: 0 }
    }

    /// The smallest that holds `len`, unless more than a third of it would lie idle.
    fn take(&mut self, len: usize) -> Option<Vec<Block>> {
        let fits = self.kept.iter().enumerate().filter(|(_, blocks)| (len..=len + len / 2).contains(&blocks.len()));
        let (at, _) = fits.min_by_key(|(_, blocks)| blocks.len())?;
        let blocks = self.kept.remove(at)?;
        self.blocks -= blocks.len();
        Some(blocks)
    }

    fn keep(&mut self, mut blocks: Vec<Block>) {
        blocks.resize(blocks.capacity(), 0);
        self.blocks += blocks.len();
        self.kept.push_back(blocks);
        while self.blocks > LIMIT {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.blocks -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_fits_is_used_again() {
        let mut spare = Spare::new();
        for len in [300_000, 100_000, 200_000] {
            spare.keep(vec![0; len]);
        }
        assert!(spare.take(300_001).is_none() && spare.take(60_000).is_none());
        for (len, found) in
            [(90_000, Some(100_000)), (90_000, None), (150_000, Some(200_000)), (250_000, Some(300_000))]
        {
            assert_eq!(spare.take(len).map(|blocks| blocks.len()), found, "room for {len}");
        }
        assert_eq!(spare.blocks, 0);
    }

    #[test]
    fn the_oldest_goes_when_much_is_kept() {
        let mut spare = Spare::new();
        for at in 1..=20 {
            spare.keep(vec![0; LIMIT / 8 + at]);
            assert!(spare.blocks <= LIMIT);
        }
        assert_eq!(spare.kept.len(), 7);
        assert_eq!(spare.kept.back().map(Vec::len), Some(LIMIT / 8 + 20));
    }

    #[test]
    fn blocks_come_zeroed() {
        for _ in 0..3 {
            for len in [10, LARGE, LARGE + 5000, 3 * LARGE] {
                let mut blocks = crate::block::Blocks::zeros(len);
                assert!(blocks.len() == len && blocks.iter().all(|block| *block == 0));
                blocks.fill(7);
            }
        }
    }
}
