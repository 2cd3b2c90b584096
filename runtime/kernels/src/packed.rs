//! The right factor of a ring product in a backend's own order.

use crate::aligned::Aligned;
use ptc_plan::kernel::Word;

pub struct Packed {
    pub word: Word,
    pub k: usize,
    pub n: usize,
    /// Names the backend and its order of panels; a product refuses any other than its own.
    pub layout: Layout,
    pub panels: Aligned,
}

/// Who packed, and in panels of how many columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    pub backend: &'static str,
    pub width: usize,
}

impl Packed {
    /// Panics when the operands of a product have other sizes.
    pub fn check(&self, layout: Layout, a: &[u64], m: usize, out: &[u64]) {
        assert_eq!(self.layout, layout, "a factor packed by another backend");
        assert_eq!(a.len(), m * self.k, "words of a left factor [{m}, {}]", self.k);
        assert_eq!(out.len(), m * self.n, "words of a product [{m}, {}]", self.n);
    }
}
