//! Ciphertexts: made with the secret key, made fresh with the public one, mapped by automorphisms, opened.

use ptc_ring::{Prg, Seed};
use zeroize::Zeroizing;

use crate::accumulate::Accumulator;
use crate::basis::Basis;
use crate::keys::{AutomorphismKey, PublicKey, SecretKey, subtract_product};
use crate::polynomial::{Coefficients, Polynomial, Slots};
use crate::sample;
use crate::switch::{decode, drop_prime, encode};

/// `c0 + c1·s = round(Q·m / 2^k) + e`.
pub struct Ciphertext<Form> {
    pub c0: Polynomial<Form>,
    pub c1: Polynomial<Form>,
}

/// First half of a fresh encryption of `message` in `Z_2^bits`; the second is the `index`-th uniform polynomial of the
/// public `seed` ([`expand`]). No index of a seed is used twice. Coefficients beyond `message` are zero.
pub fn encrypt(
    basis: &Basis,
    secret: &SecretKey,
    message: &[u64],
    bits: u32,
    seed: &Seed,
    index: u64,
    noise: &mut Prg,
) -> Polynomial<Slots> {
    let mut sum = Zeroizing::new(encode(basis, basis.limbs(), message, bits));
    let error = sample::error(noise, basis.degree());
    for (prime, limb) in basis.primes().iter().zip(sum.iter_mut()) {
        limb.iter_mut().zip(error.iter()).for_each(|(x, e)| *x = prime.add(*x, prime.reduce_signed(*e)));
    }
    let a = sample::uniform(basis, basis.limbs(), seed, index);
    let mut c0 = basis.forward((*sum).clone());
    subtract_product(basis, secret, &a, &mut c0);
    c0
}

/// The ciphertext whose first half is `c0`.
pub fn expand(basis: &Basis, c0: Polynomial<Slots>, seed: &Seed, index: u64) -> Ciphertext<Slots> {
    let c1 = sample::uniform(basis, c0.limbs(), seed, index);
    Ciphertext { c0, c1 }
}

/// A ciphertext that does not tell how it came about but by its noise: a fresh encryption of zero is added,
/// `(b·u + e0, a·u + e1)`.
pub fn refresh(
    basis: &Basis,
    public: &PublicKey,
    mut ciphertext: Ciphertext<Slots>,
    noise: &mut Prg,
) -> Ciphertext<Coefficients> {
    let limbs = ciphertext.c0.limbs();
    let u = sample::ternary(noise, basis.degree());
    let u = Zeroizing::new(basis.forward(basis.lift(&u, limbs)));
    let mut half = |c: &mut Polynomial<Slots>, key: &Polynomial<Slots>| {
        for (at, prime) in basis.primes()[..limbs].iter().enumerate() {
            let factors = key.limb(at).iter().zip(u.limb(at));
            c.limb_mut(at).iter_mut().zip(factors).for_each(|(c, (k, u))| *c = prime.add(*c, prime.mul(*k, *u)));
        }
        let mut fresh = basis.inverse(c.clone());
        let error = sample::error(noise, basis.degree());
        for (prime, limb) in basis.primes().iter().zip(fresh.iter_mut()) {
            limb.iter_mut().zip(error.iter()).for_each(|(x, e)| *x = prime.add(*x, prime.reduce_signed(*e)));
        }
        fresh
    };
    let c0 = half(&mut ciphertext.c0, &public.b);
    let c1 = half(&mut ciphertext.c1, &public.a);
    Ciphertext { c0, c1 }
}

/// `c0 + c1·s`.
pub fn phase(basis: &Basis, secret: &SecretKey, ciphertext: &Ciphertext<Slots>) -> Polynomial<Coefficients> {
    let mut sum = ciphertext.c0.clone();
    let mut negated = ciphertext.c1.clone();
    basis.negate(&mut negated);
    subtract_product(basis, secret, &negated, &mut sum);
    basis.inverse(sum)
}

/// The message in `Z_2^bits`. It is the right one when the noise is below `Q / 2^(bits + 1)·(1 - 2^-50)`.
pub fn decrypt(basis: &Basis, secret: &SecretKey, ciphertext: &Ciphertext<Slots>, bits: u32) -> Vec<u64> {
    decode(basis, &Zeroizing::new(phase(basis, secret, ciphertext)), bits)
}

/// An encryption under `s` of the message's image under the key's automorphism.
///
/// The image of `(c0, c1)` is an encryption under `s(x^g)`. Its second half is cut into its residues, which are multiplied
/// with the key's pairs modulo all primes; division by the special prime leaves a small error.
pub fn apply(basis: &Basis, key: &AutomorphismKey, ciphertext: &Ciphertext<Slots>) -> Ciphertext<Slots> {
    let (limbs, all, degree) = (basis.limbs(), basis.key_limbs(), basis.degree());
    assert_eq!(ciphertext.c0.limbs(), limbs, "a ciphertext modulo all primes but the special one");
    let image = key.map.apply(&ciphertext.c1);
    let digits = basis.inverse(image.clone());
    let mut switched = [Polynomial::<Slots>::zeros(degree, all), Polynomial::zeros(degree, all)];
    let mut lifted = vec![0; degree];
    for limb in 0..all {
        let (prime, transform) = (basis.primes()[limb], basis.transform(limb));
        let mut sums = [Accumulator::zeros(degree), Accumulator::zeros(degree)];
        for (digit, pair) in key.digits.iter().enumerate() {
            let slots = if digit == limb {
                image.limb(limb)
            } else {
                let from = basis.primes()[digit];
                let half = from.value() / 2;
                let shift = prime.reduce(half);
                for (to, x) in lifted.iter_mut().zip(digits.limb(digit)) {
                    *to = prime.sub(prime.reduce(from.once(*x + half)), shift);
                }
                transform.forward(&mut lifted);
                &lifted
            };
            for (sum, key) in sums.iter_mut().zip(pair) {
                sum.add_product(transform, slots, key.limb(limb));
            }
        }
        for (sum, out) in sums.iter().zip(&mut switched) {
            sum.reduce(transform, out.limb_mut(limb));
        }
    }
    let [c0, c1] = switched.map(|sum| {
        let mut sum = basis.inverse(sum);
        drop_prime(basis, &mut sum);
        basis.forward(sum)
    });
    let mut mapped = key.map.apply(&ciphertext.c0);
    basis.add_assign(&mut mapped, &c0);
    Ciphertext { c0: mapped, c1 }
}
