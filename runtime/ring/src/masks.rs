//! Words of ones or zeros that secret bits choose by.
//!
//! Who compiles must not learn that a mask is one of these two: it would choose by a branch, or by an address, which is what a
//! mask is there to avoid. So masks pass through [`black_box`] before they are used.

use std::hint::black_box;

use zeroize::Zeroizing;

/// All ones if the lowest bit is set, else zero.
#[inline(always)]
pub fn of_bit(bit: u64) -> u64 {
    black_box((bit & 1).wrapping_neg())
}

/// Masks of 64 bits at a time, in room that is wiped when it goes.
pub struct Masks(Zeroizing<[u64; 64]>);

impl Masks {
    pub fn new() -> Masks {
        Masks(Zeroizing::new([0; 64]))
    }

    /// Of the bits of a word, lowest first.
    #[inline]
    pub fn of_bits(&mut self, bits: u64) -> &[u64; 64] {
        self.0.iter_mut().enumerate().for_each(|(at, mask)| *mask = (bits >> at & 1).wrapping_neg());
        black_box(&mut *self.0)
    }
}

impl Default for Masks {
    fn default() -> Masks {
        Masks::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_all_ones_or_zero() {
        assert_eq!([0, 1, 2, 3, u64::MAX].map(of_bit), [0, u64::MAX, 0, u64::MAX, u64::MAX]);
        let mut masks = Masks::new();
        for bits in [0, u64::MAX, 0x8000_0000_0000_0001, 0x0123_4567_89ab_cdef] {
            let found = masks.of_bits(bits);
            assert!((0..64).all(|at| found[at] == if bits >> at & 1 == 1 { u64::MAX } else { 0 }), "{bits:x}");
        }
    }
}
