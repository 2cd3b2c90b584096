//! Where elements are in polynomials; the formulas are those of [`ptc_plan::two_party::encrypted`].

use std::ops::Range;

use ptc_plan::two_party::encrypted::{Packing, Product};
use ptc_ring::tensor::mask;

/// What the `at`-th ciphertext of a request encrypts: a window of `x`, as coefficients modulo `2^bits`.
pub fn message(product: &Product, packing: &Packing, at: usize, x: &[u64]) -> Vec<u64> {
    let blocks = packing.blocks(product);
    let degree = packing.parameters().degree;
    let batch = window(at / (blocks.rows * blocks.inner), packing.batch, product.batch);
    let rows = window(at / blocks.inner % blocks.rows, packing.rows, product.rows);
    let inner = window(at % blocks.inner, packing.inner, product.inner);
    let mut message = vec![0; degree];
    for (b, matrix) in batch.enumerate() {
        for (i, row) in rows.clone().enumerate() {
            let source = &x[(matrix * product.rows + row) * product.inner..][inner.clone()];
            let start = packing.stride * (b + packing.batch * packing.columns * i);
            for (j, value) in source.iter().enumerate() {
                match start.checked_sub(j) {
                    Some(place) => message[place] = *value,
                    None => message[degree + start - j] = value.wrapping_neg() & mask(product.bits),
                }
            }
        }
    }
    message
}

/// One product of polynomials: `X` of a block of rows with a block of columns of one matrix.
#[derive(Clone, Copy)]
pub struct Leaf {
    pub matrix: usize,
    /// Block of columns.
    pub block: usize,
}

/// The `at`-th leaf.
pub fn leaf(product: &Product, packing: &Packing, at: usize) -> Leaf {
    let blocks = packing.blocks(product).columns;
    Leaf { matrix: at / blocks, block: at % blocks }
}

impl Leaf {
    /// Ciphertexts of the request that it multiplies for the `rows`-th block of rows, one for each block of the inner axis.
    pub fn factors(self, product: &Product, packing: &Packing, rows: usize) -> Range<usize> {
        let blocks = packing.blocks(product);
        let first = (self.matrix / packing.batch * blocks.rows + rows) * blocks.inner;
        first..first + blocks.inner
    }

    /// Place of its first wanted coefficient.
    pub fn offset(self, packing: &Packing) -> usize {
        packing.stride * (self.matrix % packing.batch)
    }

    /// Signed coefficients of the weights that it multiplies with, of the `inner`-th block of that axis. `weights` are
    /// words of the ring.
    pub fn weights(self, product: &Product, packing: &Packing, inner: usize, weights: &[u64]) -> Vec<i64> {
        let inner = window(inner, packing.inner, product.inner);
        let columns = window(self.block, packing.columns, product.columns);
        let mut coefficients = vec![0; packing.spread() * columns.len()];
        let unused = 64 - product.bits;
        for (j, row) in inner.enumerate() {
            let source = &weights[(self.matrix * product.inner + row) * product.columns..][columns.clone()];
            for (k, weight) in source.iter().enumerate() {
                coefficients[packing.spread() * k + j] = (*weight << unused) as i64 >> unused;
            }
        }
        coefficients
    }
}

/// Leaves of the `group`-th group.
pub fn group(product: &Product, packing: &Packing, group: usize) -> Range<usize> {
    window(group, packing.merge, packing.leaves(product))
}

/// The wanted coefficients of an answer: of the `rows`-th block of rows and the `group`-th group of leaves, each with the
/// element of the product that it holds, in the order in which they travel.
pub fn wanted(product: &Product, packing: &Packing, rows: usize, group: usize) -> Vec<(usize, usize)> {
    let leaves = self::group(product, packing, group);
    let rows = window(rows, packing.rows, product.rows);
    let mut wanted = vec![];
    for (slot, leaf) in leaves.map(|at| leaf(product, packing, at)).enumerate() {
        // Packing moves wanted coefficients to multiples of the spread, and then each leaf to its own.
        let offset = if packing.merge > 1 { packing.spread() / packing.merge * slot } else { leaf.offset(packing) };
        for (i, row) in rows.clone().enumerate() {
            for (k, column) in window(leaf.block, packing.columns, product.columns).enumerate() {
                let place = offset + packing.spread() * (k + packing.columns * i);
                wanted.push((place, (leaf.matrix * product.rows + row) * product.columns + column));
            }
        }
    }
    wanted
}

/// The `at`-th window of `size` elements out of `length`.
fn window(at: usize, size: usize, length: usize) -> Range<usize> {
    at * size..length.min((at + 1) * size)
}
