//! The kernel interface and its portable implementation.
//!
//! A backend computes on ring words that one party holds: shares, masked values, weights. It knows no protocol and no
//! wire. Kernels are described as data in the plan; [`Portable`] interprets them, a compiled backend must give the same
//! words, bit for bit.

#![allow(unsafe_code)]

use ptc_plan::kernel::{Elementwise, Word};

pub mod aligned;
pub mod batched;
pub mod blocks;
pub mod check;
pub mod packed;
mod portable;

pub use packed::Packed;
pub use portable::Portable;

pub trait Backend: Send + Sync {
    fn name(&self) -> &str;

    /// The right factor `b[k, n]`, row-major, in the backend's own order: once for many products.
    fn pack(&self, word: Word, k: usize, n: usize, b: &[u64]) -> Packed;

    /// `out[m, n] = a[m, k] · b[k, n]` modulo `2^32` or `2^64`, the word of `b`. Modulo `2^32` the low halves of the
    /// inputs count and the high halves of the output are zero.
    fn product(&self, a: &[u64], m: usize, b: &Packed, out: &mut [u64]);

    /// Makes `kernel` ready before the clock of a query runs. Nothing to do for a backend that interprets.
    fn warm(&self, _kernel: &Elementwise) {}

    /// One tensor of `len` words for each output of `kernel`, which has passed its own check. Panics when an input's
    /// length does not fit its access; [`check::inputs`] tells beforehand.
    fn elementwise(&self, kernel: &Elementwise, inputs: &[&[u64]], len: usize, is_server: bool) -> Vec<Vec<u64>>;
}
