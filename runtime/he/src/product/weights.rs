//! Products of a request's ciphertexts with weights, in slots.

use ptc_plan::two_party::encrypted::{Packing, Product};

use crate::accumulate::dot;
use crate::aligned::Aligned;
use crate::basis::Basis;
use crate::encrypt::Ciphertext;
use crate::ntt::BLOCK;
use crate::polynomial::{Coefficients, Polynomial, Slots};
use crate::product::place;

/// Slots that are worked on at a time, at least: a run of each factor stays in the first caches.
const RUN: usize = 512;

/// For each of `leaves`, and for each block of rows, the sum over the inner axis of ciphertexts times weights.
pub fn multiply(
    basis: &Basis,
    product: &Product,
    packing: &Packing,
    factors: &[Ciphertext<Slots>],
    weights: &[u64],
    leaves: &[usize],
) -> Vec<Vec<Ciphertext<Coefficients>>> {
    let (blocks, degree, limbs) = (packing.blocks(product), basis.degree(), packing.limbs);
    let zeros = || Ciphertext { c0: Polynomial::zeros(degree, limbs), c1: Polynomial::zeros(degree, limbs) };
    let mut sums: Vec<Vec<Ciphertext<Slots>>> =
        leaves.iter().map(|_| (0..blocks.rows).map(|_| zeros()).collect()).collect();
    let leaves: Vec<_> = leaves.iter().map(|at| place::leaf(product, packing, *at)).collect();
    let size = (packing.spread() * packing.columns).next_power_of_two().max(BLOCK);
    let run = RUN.max(size).min(degree);
    let signed =
        leaves.iter().flat_map(|leaf| (0..blocks.inner).map(|inner| leaf.weights(product, packing, inner, weights)));
    let signed: Vec<Vec<i64>> = signed.collect();

    let mut reduced = vec![0; size * signed.len()];
    let mut transformed = Aligned::zeros(run * blocks.inner);
    for limb in 0..limbs {
        let transform = basis.transform(limb);
        for (to, from) in reduced.chunks_exact_mut(size).zip(&signed) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = transform.prime().reduce_signed(*from));
        }
        for first in (0..degree).step_by(run) {
            for (at, leaf) in leaves.iter().enumerate() {
                let coefficients = reduced.chunks_exact(size).skip(at * blocks.inner);
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
                let out = sums[at].iter_mut().flat_map(|sum| [&mut sum.c0, &mut sum.c1]);
                let mut out: Vec<&mut [u64]> = out.map(|c| &mut c.limb_mut(limb)[first..][..run]).collect();
                dot(transform, blocks.inner, &left, &right, &mut out);
            }
        }
    }
    let inverse = |sum: Ciphertext<Slots>| Ciphertext { c0: basis.inverse(sum.c0), c1: basis.inverse(sum.c1) };
    sums.into_iter().map(|sums| sums.into_iter().map(inverse).collect()).collect()
}
