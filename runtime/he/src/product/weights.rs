//! Products of a request's ciphertexts with weights, in slots.

use ptc_plan::two_party::encrypted::{Packing, Product};
use zeroize::Zeroizing;

use crate::accumulate::dot;
use crate::aligned::Aligned;
use crate::basis::Basis;
use crate::encrypt::Ciphertext;
use crate::ntt::BLOCK;
use crate::polynomial::{Coefficients, Polynomial, Slots};
use crate::product::fold::Folds;
use crate::product::place;
use crate::residues;

/// Slots of each factor that are worked on at a time, at most.
const RUN: usize = 512;

/// Slots of all factors of a leaf that are worked on at a time: they stay in the second cache.
const HELD: usize = 1 << 16;

/// A ciphertext of whose first half some coefficients are known, of which some are wanted.
pub struct Sum {
    /// Every `step`-th coefficient of the first half.
    pub body: Polynomial<Coefficients>,
    pub step: usize,
    pub second: Polynomial<Coefficients>,
}

/// For each of `leaves`, and for each block of rows, the sum over the inner axis of ciphertexts times weights.
pub fn multiply(
    basis: &Basis,
    folds: &Folds,
    product: &Product,
    packing: &Packing,
    factors: &[Ciphertext<Slots>],
    weights: &[u64],
    leaves: &[usize],
) -> Vec<Vec<Sum>> {
    let (blocks, degree, limbs) = (packing.blocks(product), basis.degree(), packing.limbs);
    let step = folds.step(packing.stride);
    let zeros =
        || Sum { body: Polynomial::zeros(degree / step, limbs), step, second: Polynomial::zeros(degree, limbs) };
    let mut sums: Vec<Vec<Sum>> = leaves.iter().map(|_| (0..blocks.rows).map(|_| zeros()).collect()).collect();
    let leaves: Vec<_> = leaves.iter().map(|at| place::leaf(product, packing, *at)).collect();
    let size = (packing.spread() * packing.columns).next_power_of_two().max(BLOCK);
    let halves = 2 * blocks.rows * blocks.inner;
    let run = (HELD / halves.next_power_of_two()).clamp(BLOCK, RUN).max(size).min(degree);
    let of_leaf = |leaf: &place::Leaf| {
        let leaf = *leaf;
        (0..blocks.inner).map(move |inner| Zeroizing::new(leaf.weights(product, packing, inner, weights)))
    };
    let signed: Vec<Zeroizing<Vec<i64>>> = leaves.iter().flat_map(of_leaf).collect();

    let mut reduced = Aligned::zeros(size * signed.len());
    let mut transformed = Aligned::zeros(run * blocks.inner);
    // First halves of all sums, modulo one prime.
    let mut bodies = Aligned::zeros(degree * leaves.len() * blocks.rows);
    for limb in 0..limbs {
        let transform = basis.transform(limb);
        for (to, from) in reduced.words_mut().chunks_exact_mut(size).zip(&signed) {
            residues::of_signed(transform.prime(), from, &mut to[..from.len()]);
        }
        for first in (0..degree).step_by(run) {
            let bodies = bodies.words_mut().chunks_exact_mut(degree * blocks.rows);
            for ((at, leaf), bodies) in leaves.iter().enumerate().zip(bodies) {
                let coefficients = reduced.words().chunks_exact(size).skip(at * blocks.inner);
                for (slots, coefficients) in transformed.words_mut().chunks_exact_mut(run).zip(coefficients) {
                    transform.forward_short(coefficients, first, slots);
                }
                let right: Vec<&[u64]> = transformed.words().chunks_exact(run).collect();
                let mut left = vec![];
                for rows in 0..blocks.rows {
                    let factors = &factors[leaf.factors(product, packing, rows)];
                    left.extend(factors.iter().map(|factor| &factor.c0.limb(limb)[first..][..run]));
                    left.extend(factors.iter().map(|factor| &factor.c1.limb(limb)[first..][..run]));
                }
                let mut out: Vec<&mut [u64]> = vec![];
                for (sum, body) in sums[at].iter_mut().zip(bodies.chunks_exact_mut(degree)) {
                    out.extend([&mut body[first..][..run], &mut sum.second.limb_mut(limb)[first..][..run]]);
                }
                dot(transform, blocks.inner, &left, &right, &mut out);
            }
        }
        for (sum, body) in sums.iter_mut().flatten().zip(bodies.words().chunks_exact(degree)) {
            folds.coefficients(basis, limb, body, step, sum.body.limb_mut(limb));
            transform.inverse(sum.second.limb_mut(limb));
        }
    }
    reduced.wipe();
    transformed.wipe();
    sums
}
