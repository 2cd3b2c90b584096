//! Many small products side by side: the heads of attention.

use rayon::prelude::*;

use crate::Backend;
use crate::blocks::Output;
use ptc_plan::kernel::Word;
use ptc_ring::transpose::transpose;

/// `a[batch, m, k] · b[batch, k, n]`; with `transpose_b`, `b` is `[batch, n, k]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub batch: usize,
    pub m: usize,
    pub k: usize,
    pub n: usize,
    pub transpose_b: bool,
}

/// The products, `[batch, m, n]`.
pub fn product(backend: &dyn Backend, word: Word, shape: Shape, a: &[u64], b: &[u64]) -> Vec<u64> {
    let Shape { batch, m, k, n, .. } = shape;
    assert_eq!(a.len(), batch * m * k, "words of left factors {shape:?}");
    assert_eq!(b.len(), batch * k * n, "words of right factors {shape:?}");
    let mut out = vec![0; batch * m * n];
    let output = Output::new(&mut out);
    let one = |at: usize| {
        // SAFETY: each index of the batch has its own part.
        let out = unsafe { output.part(at * m * n..(at + 1) * m * n) };
        let b = &b[at * k * n..(at + 1) * k * n];
        let packed = match shape.transpose_b {
            true => backend.pack(word, k, n, &transpose(b, n, k)),
            false => backend.pack(word, k, n, b),
        };
        backend.product(&a[at * m * k..(at + 1) * m * k], m, &packed, out);
    };
    if batch * m * k * n < 1 << 16 {
        (0..batch).for_each(one);
    } else {
        (0..batch).into_par_iter().for_each(one);
    }
    out
}
