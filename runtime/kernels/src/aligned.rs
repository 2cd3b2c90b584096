//! Words on a cache line's boundary, as vector instructions like them.

use ptc_ring::tensor::wipe;

/// Zeroed when it goes: it holds weights and shares.
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

impl Aligned {
    /// `len` words, all zero.
    pub fn zeros(len: usize) -> Aligned {
        Aligned { lines: vec![Line([0; 8]); len.div_ceil(8)], len }
    }

    pub fn words(&self) -> &[u64] {
        // SAFETY: `Line` is eight words without padding, and `lines` holds at least `len` of them, initialised.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub fn words_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `words`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    /// The same memory as half words; little-endian machines hold the low half first.
    pub fn halves(&self) -> &[u32] {
        // SAFETY: a word is two half words, whose alignment is smaller; every bit pattern is one.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len * 2) }
    }

    pub fn halves_mut(&mut self) -> &mut [u32] {
        // SAFETY: as in `halves`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len * 2) }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        wipe(self.words_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_agree() {
        let mut buffer = Aligned::zeros(11);
        assert_eq!(buffer.words().as_ptr() as usize % 64, 0);
        buffer.words_mut().iter_mut().enumerate().for_each(|(at, word)| *word = at as u64 * 0x1_0000_0003);
        let halves: Vec<u32> = (0..11).flat_map(|at| [at * 3, at]).collect();
        assert_eq!(buffer.halves(), halves);
        buffer.halves_mut()[21] = 7;
        assert_eq!(buffer.words()[10], 7 << 32 | 30);
        assert!(Aligned::zeros(0).words().is_empty());
    }
}
