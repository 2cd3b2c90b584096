//! Leaves become answers: wanted coefficients of many ciphertexts are packed into one.
//!
//! Of `2^l` ciphertexts the wanted coefficients are at multiples of the spread `T`. Two of them, `A` and `B`, become
//! `A + x^t·B + f(A - x^t·B)` with `t = 2^v = T/2` and the automorphism `f: x -> x^(N/t + 1)`, which turns the sign of `x^i` for
//! odd multiples `i` of `t` and keeps that for even ones: at even multiples `A` is doubled and `x^t·B` cancels, at odd ones
//! it is the other way round. The next level packs at `T/4`, and so on.
//!
//! Second halves were divided by the number of doublings beforehand, modulo the odd modulus, so that they end as they
//! were. First halves are not switched to another key: of theirs only the wanted coefficients are ever looked at, where
//! all this comes to moving them to their places. What the keys add to them is divided by nothing, so it is doubled at
//! every later level.

use ptc_plan::two_party::encrypted::{Packing, Product};
use rayon::prelude::*;

use crate::accumulate::dot;
use crate::aligned::Aligned;
use crate::automorphism::of_coefficients;
use crate::encrypt::Ciphertext;
use crate::keys::AutomorphismKey;
use crate::polynomial::{Coefficients, Polynomial, Slots};
use crate::prime::Prime;
use crate::product::keys::ServerSet;
use crate::product::place;
use crate::product::weights::{Sum, multiply};
use crate::residues;
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
) -> Vec<Vec<Sum>> {
    let job = Job { server, product, packing, factors, weights };
    if packing.merge > 1 {
        let groups = 0..packing.leaves(product).div_ceil(packing.merge);
        let pack = |group| pack(&job, place::group(product, packing, group).collect(), packing.merge);
        return groups.into_par_iter().map(pack).collect();
    }
    let leaves: Vec<usize> = (0..packing.leaves(product)).collect();
    // Small pieces share out better, large ones read less.
    let together = (leaves.len() / (4 * rayon::current_num_threads())).clamp(1, TOGETHER);
    leaves.par_chunks(together).flat_map_iter(|leaves| job.products(leaves)).collect()
}

struct Job<'a> {
    server: &'a ServerSet,
    product: &'a Product,
    packing: &'a Packing,
    factors: &'a [Ciphertext<Slots>],
    weights: &'a [u64],
}

impl Job<'_> {
    /// Products modulo the kept primes.
    fn products(&self, leaves: &[usize]) -> Vec<Vec<Sum>> {
        let Job { server, product, packing, factors, weights } = *self;
        let mut products = multiply(server.product(), server.folds(), product, packing, factors, weights, leaves);
        for sum in products.iter_mut().flatten() {
            while sum.second.limbs() > packing.kept() {
                drop_prime(server.product(), &mut sum.body);
                drop_prime(server.product(), &mut sum.second);
            }
        }
        products
    }

    /// The same to be packed: wanted coefficients are those at multiples of the spread, and no others are kept of first
    /// halves.
    fn leaves(&self, leaves: &[usize]) -> Vec<Vec<Sum>> {
        let (basis, spread) = (self.server.kept(), self.packing.spread());
        let align = |at: &usize, sum: Sum| {
            let offset = place::leaf(self.product, self.packing, *at).offset(self.packing);
            let mut body = Polynomial::zeros(basis.degree() / spread, sum.body.limbs());
            for (to, from) in body.iter_mut().zip(sum.body.iter()) {
                let wanted = from.iter().skip(offset / sum.step).step_by(spread / sum.step);
                to.iter_mut().zip(wanted).for_each(|(to, from)| *to = *from);
            }
            let second = match offset {
                0 => sum.second,
                // Backwards: forwards by what is missing to a whole turn.
                _ => basis.shift(&sum.second, 2 * basis.degree() - offset),
            };
            Sum { body, step: spread, second }
        };
        let products = self.products(leaves);
        let align_all = |(at, sums): (&usize, Vec<Sum>)| sums.into_iter().map(|sum| align(at, sum)).collect();
        leaves.iter().zip(products).map(align_all).collect()
    }
}

/// The leaves packed into one ciphertext for each block of rows. `width` is a power of two that is not below their number.
fn pack(job: &Job, leaves: Vec<usize>, width: usize) -> Vec<Sum> {
    if leaves.len() <= TOGETHER {
        return pack_products(job, job.leaves(&leaves).into_iter().map(Some).collect(), width);
    }
    let half = |odd: usize| leaves.iter().copied().skip(odd).step_by(2).collect();
    let (even, odd) = (half(0), half(1));
    let (even, odd) = rayon::join(|| pack(job, even, width / 2), || pack(job, odd, width / 2));
    join(job, even, Some(odd), width)
}

fn pack_products(job: &Job, mut products: Vec<Option<Vec<Sum>>>, width: usize) -> Vec<Sum> {
    if width == 1 {
        return products.pop().flatten().expect("one leaf");
    }
    let mut half = |odd: usize| products.iter_mut().skip(odd).step_by(2).map(Option::take).collect::<Vec<_>>();
    let (even, odd) = (half(0), half(1));
    let even = pack_products(job, even, width / 2);
    let odd = if odd.is_empty() { None } else { Some(pack_products(job, odd, width / 2)) };
    join(job, even, odd, width)
}

/// The last level of packing `width` leaves. With nothing at the odd places, what is at the even ones is doubled all the same.
fn join(job: &Job, even: Vec<Sum>, odd: Option<Vec<Sum>>, width: usize) -> Vec<Sum> {
    let basis = job.server.kept();
    let step = job.packing.spread() / width;
    let Some(odd) = odd else {
        let double = |mut sum: Sum| {
            basis.scale(&mut sum.second, 2);
            Sum { body: interleave(&sum.body, None), step, second: sum.second }
        };
        return even.into_iter().map(double).collect();
    };
    let power = basis.degree() / step + 1;
    let key = job.server.public().automorphisms.iter().find(|key| key.power == power);
    let key = key.expect("keys were made for this packing");
    let pair = |(even, odd): (Sum, Sum)| {
        let mut second = even.second;
        let mut difference = second.clone();
        let halves = second.iter_mut().zip(difference.iter_mut()).zip(odd.second.iter());
        for (prime, ((even, difference), odd)) in basis.primes().iter().zip(halves) {
            butterfly(prime, even, difference, odd, step);
        }
        let (mut added, switched) = switch(job.server, key, &of_coefficients(basis, &difference, power), step);
        basis.add_assign(&mut second, &switched);
        let mut body = interleave(&even.body, Some(&odd.body));
        let doublings = (job.packing.merge / width) as u64;
        for ((prime, to), from) in basis.primes().iter().zip(body.iter_mut()).zip(added.iter_mut()) {
            residues::scale(prime, from, prime.factor(doublings));
            residues::add(prime, to, from);
        }
        Sum { body, step, second }
    };
    even.into_iter().zip(odd).map(pair).collect()
}

/// `even` becomes `even + x^step·odd`, `difference`, which is `even` too, `even - x^step·odd`.
fn butterfly(prime: &Prime, even: &mut [u64], difference: &mut [u64], odd: &[u64], step: usize) {
    // The last coefficients wrap, negated.
    let (whole, wrapped) = odd.split_at(odd.len() - step);
    residues::add(prime, &mut even[step..], whole);
    residues::sub(prime, &mut even[..step], wrapped);
    residues::sub(prime, &mut difference[step..], whole);
    residues::add(prime, &mut difference[..step], wrapped);
}

/// Coefficients of `even` and `odd` by turns.
fn interleave(even: &Polynomial<Coefficients>, odd: Option<&Polynomial<Coefficients>>) -> Polynomial<Coefficients> {
    let mut both = Polynomial::zeros(2 * even.degree(), even.limbs());
    for limb in 0..even.limbs() {
        let pairs = both.limb_mut(limb).as_chunks_mut::<2>().0;
        pairs.iter_mut().zip(even.limb(limb)).for_each(|(pair, x)| pair[0] = *x);
        if let Some(odd) = odd {
            pairs.iter_mut().zip(odd.limb(limb)).for_each(|(pair, x)| pair[1] = *x);
        }
    }
    both
}

/// An encryption under the secret of `image` times the secret's own image; of the first half every `step`-th coefficient.
fn switch(
    server: &ServerSet,
    key: &AutomorphismKey,
    image: &Polynomial<Coefficients>,
    step: usize,
) -> (Polynomial<Coefficients>, Polynomial<Coefficients>) {
    let (basis, folds) = (server.kept(), server.kept_folds());
    let (limbs, all, degree) = (basis.limbs(), basis.key_limbs(), basis.degree());
    let folded = folds.step(step);
    let mut digits = Polynomial::<Slots>::zeros(degree, limbs);
    let mut slots = Aligned::zeros(degree);
    let mut body = Polynomial::zeros(degree / folded, all);
    let mut second = Polynomial::zeros(degree, all);
    for limb in 0..all {
        let transform = basis.transform(limb);
        for (digit, lifted) in digits.iter_mut().enumerate() {
            residues::lift(&basis.primes()[digit], image.limb(digit), transform.prime(), lifted);
            transform.forward(lifted);
        }
        let left: Vec<&[u64]> = digits.iter().collect();
        let right: Vec<&[u64]> = key.digits.iter().flatten().map(|half| half.limb(limb)).collect();
        dot(transform, limbs, &left, &right, &mut [slots.words_mut(), second.limb_mut(limb)]);
        folds.coefficients(basis, limb, slots.words(), folded, body.limb_mut(limb));
        transform.inverse(second.limb_mut(limb));
    }
    drop_prime(basis, &mut second);
    drop_prime(basis, &mut body);
    if folded < step {
        let mut fewer = Polynomial::zeros(degree / step, limbs);
        for (to, from) in fewer.iter_mut().zip(body.iter()) {
            to.iter_mut().zip(from.iter().step_by(step / folded)).for_each(|(to, from)| *to = *from);
        }
        body = fewer;
    }
    (body, second)
}
