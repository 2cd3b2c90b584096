//! Leaves become answers: wanted coefficients of many ciphertexts are packed into one.
//!
//! Of `2^l` ciphertexts the wanted coefficients are at multiples of the spread `T`. Two of them, `A` and `B`, become
//! `A + x^t·B + f(A - x^t·B)` with `t = 2^v = T/2` and the automorphism `f: x -> x^(N/t + 1)`, which turns the sign of `x^i` for
//! odd multiples `i` of `t` and keeps that for even ones: at even multiples `A` is doubled and `x^t·B` cancels, at odd ones
//! it is the other way round. The next level packs at `T/4`, and so on. All coefficients were divided by the number of
//! doublings beforehand, modulo the odd modulus, so that they end as they were.

use ptc_plan::two_party::encrypted::{Packing, Product};
use rayon::prelude::*;

use crate::automorphism::of_coefficients;
use crate::encrypt::{Ciphertext, switch_key};
use crate::polynomial::{Coefficients, Polynomial, Slots};
use crate::product::keys::ServerSet;
use crate::product::place;
use crate::product::weights::multiply;
use crate::switch::drop_prime;

/// Leaves that are multiplied together, so that the request's ciphertexts are read once for all of them.
const TOGETHER: usize = 8;

/// For each group of leaves, one ciphertext for each block of rows.
pub fn answers(
    server: &ServerSet,
    product: &Product,
    packing: &Packing,
    factors: &[Ciphertext<Slots>],
    weights: &[u64],
) -> Vec<Vec<Ciphertext<Coefficients>>> {
    let job = Job { server, product, packing, factors, weights };
    if packing.merge > 1 {
        let groups = 0..packing.leaves(product).div_ceil(packing.merge);
        let pack = |group| {
            let leaves = place::group(product, packing, group);
            let width = leaves.len().next_power_of_two();
            pack(&job, leaves.collect(), width, width)
        };
        return groups.into_par_iter().map(pack).collect();
    }
    let leaves: Vec<usize> = (0..packing.leaves(product)).collect();
    // Small pieces share out better, large ones read less.
    let together = (leaves.len() / (4 * rayon::current_num_threads())).clamp(1, TOGETHER);
    leaves.par_chunks(together).flat_map_iter(|leaves| job.leaves(leaves, 1)).collect()
}

struct Job<'a> {
    server: &'a ServerSet,
    product: &'a Product,
    packing: &'a Packing,
    factors: &'a [Ciphertext<Slots>],
    weights: &'a [u64],
}

impl Job<'_> {
    /// Products modulo the kept primes, divided by `doublings`, wanted coefficients first at place 0 if they are packed.
    fn leaves(&self, leaves: &[usize], doublings: usize) -> Vec<Vec<Ciphertext<Coefficients>>> {
        let (basis, kept) = (self.server.product(), self.server.kept());
        let products = multiply(basis, self.product, self.packing, self.factors, self.weights, leaves);
        let place = |at: usize| place::leaf(self.product, self.packing, at).offset(self.packing);
        let finish = |at: usize, mut half: Polynomial<Coefficients>| {
            while half.limbs() > self.packing.kept() {
                drop_prime(basis, &mut half);
            }
            if doublings > 1 {
                for (prime, limb) in kept.primes().iter().zip(half.iter_mut()) {
                    let inverse = prime.factor(prime.inverse(doublings as u64));
                    limb.iter_mut().for_each(|x| *x = prime.mul_factor(*x, inverse));
                }
            }
            match place(at) {
                0 => half,
                _ if self.packing.merge == 1 => half,
                // Backwards: forwards by what is missing to a whole turn.
                place => basis.shift(&half, 2 * basis.degree() - place),
            }
        };
        let whole = |(at, sums): (&usize, Vec<Ciphertext<Coefficients>>)| {
            sums.into_iter().map(|sum| Ciphertext { c0: finish(*at, sum.c0), c1: finish(*at, sum.c1) }).collect()
        };
        leaves.iter().zip(products).map(whole).collect()
    }
}

/// The leaves packed into one ciphertext for each block of rows. `width` is a power of two that is not below their number.
fn pack(job: &Job, leaves: Vec<usize>, width: usize, doublings: usize) -> Vec<Ciphertext<Coefficients>> {
    if leaves.len() <= TOGETHER {
        let products = job.leaves(&leaves, doublings).into_iter().map(Some).collect();
        return pack_products(job, products, width);
    }
    let half = |odd: usize| leaves.iter().copied().skip(odd).step_by(2).collect();
    let (even, odd) = (half(0), half(1));
    let (even, odd) = rayon::join(|| pack(job, even, width / 2, doublings), || pack(job, odd, width / 2, doublings));
    join(job, even, Some(odd), width)
}

fn pack_products(
    job: &Job,
    mut products: Vec<Option<Vec<Ciphertext<Coefficients>>>>,
    width: usize,
) -> Vec<Ciphertext<Coefficients>> {
    if width == 1 {
        return products.pop().flatten().expect("one leaf");
    }
    let half = |odd: usize, products: &mut Vec<Option<Vec<Ciphertext<Coefficients>>>>| {
        products.iter_mut().skip(odd).step_by(2).map(Option::take).collect::<Vec<_>>()
    };
    let (even, odd) = (half(0, &mut products), half(1, &mut products));
    let even = pack_products(job, even, width / 2);
    let odd = if odd.is_empty() { None } else { Some(pack_products(job, odd, width / 2)) };
    join(job, even, odd, width)
}

/// The last level of packing `width` leaves. With nothing at the odd places, what is at the even ones is doubled all the same.
fn join(
    job: &Job,
    even: Vec<Ciphertext<Coefficients>>,
    odd: Option<Vec<Ciphertext<Coefficients>>>,
    width: usize,
) -> Vec<Ciphertext<Coefficients>> {
    let basis = job.server.kept();
    let double = |mut half: Polynomial<Coefficients>| {
        basis.scale(&mut half, 2);
        half
    };
    let Some(odd) = odd else {
        return even.into_iter().map(|sum| Ciphertext { c0: double(sum.c0), c1: double(sum.c1) }).collect();
    };
    let shift = job.packing.spread() / width;
    let power = basis.degree() / shift + 1;
    let key = job.server.public().automorphisms.iter().find(|key| key.power == power);
    let key = key.expect("keys were made for this packing");
    let pair = |(even, odd): (Ciphertext<Coefficients>, Ciphertext<Coefficients>)| {
        let halves = |mut even: Polynomial<Coefficients>, odd: &Polynomial<Coefficients>| {
            let odd = basis.shift(odd, shift);
            let mut difference = even.clone();
            basis.sub_assign(&mut difference, &odd);
            basis.add_assign(&mut even, &odd);
            (even, difference)
        };
        let (mut c0, d0) = halves(even.c0, &odd.c0);
        let (mut c1, d1) = halves(even.c1, &odd.c1);
        let [k0, k1] = switch_key(basis, key, &of_coefficients(basis, &d1, power));
        basis.add_assign(&mut c0, &of_coefficients(basis, &d0, power));
        basis.add_assign(&mut c0, &k0);
        basis.add_assign(&mut c1, &k1);
        Ciphertext { c0, c1 }
    };
    even.into_iter().zip(odd).map(pair).collect()
}
