//! Keys: the client's secret, and what it publishes of it.
//!
//! The public key is an encryption of zero, `(b, a)` with `b = e - a·s`, by which the server makes fresh ones. The key of an
//! automorphism `x -> x^g` has one pair for each prime of a packed answer: an encryption under `s` of `P·s(x^g)` modulo that
//! prime and of zero modulo the others, `P` the special prime (digits are residues: Halevi, Polyakov and Shoup, CT-RSA
//! 2019, with one special prime). All second halves come from one public seed; only first halves travel.

use ptc_net::PeerError;
use ptc_ring::{Prg, Seed};
use zeroize::Zeroizing;

use crate::automorphism;
use crate::basis::Basis;
use crate::polynomial::{Polynomial, Slots};
use crate::sample::{self, domain};
use crate::wire::{Reader, polynomial_len, read_polynomial, write_polynomial};

/// Uniform -1, 0, 1. Zeroed when it goes.
pub struct SecretKey {
    coefficients: Zeroizing<Vec<i64>>,
    slots: Zeroizing<Polynomial<Slots>>,
}

/// What the server needs of the client's key.
pub struct PublicKeys {
    pub zero: PublicKey,
    pub automorphisms: Vec<AutomorphismKey>,
}

/// An encryption of zero under the secret key, modulo the primes of a ciphertext.
pub struct PublicKey {
    pub(crate) b: Polynomial<Slots>,
    pub(crate) a: Polynomial<Slots>,
}

pub struct AutomorphismKey {
    pub power: usize,
    pub(crate) map: automorphism::SlotMap,
    /// For each prime but the special one, modulo all of the basis of keys.
    pub(crate) digits: Vec<[Polynomial<Slots>; 2]>,
}

impl SecretKey {
    pub fn fresh(basis: &Basis) -> std::io::Result<SecretKey> {
        Ok(SecretKey::from_seed(basis, &Seed::fresh()?))
    }

    pub fn from_seed(basis: &Basis, seed: &Seed) -> SecretKey {
        let coefficients = sample::ternary(&mut seed.stream(domain::SECRET, 0), basis.degree());
        SecretKey::new(basis, coefficients)
    }

    fn new(basis: &Basis, coefficients: Zeroizing<Vec<i64>>) -> SecretKey {
        let slots = Zeroizing::new(basis.forward(basis.lift(&coefficients, basis.limbs())));
        SecretKey { coefficients, slots }
    }

    /// The same secret modulo other primes.
    pub fn in_basis(&self, basis: &Basis) -> SecretKey {
        SecretKey::new(basis, self.coefficients.clone())
    }

    /// `a·s`.
    pub fn times(&self, basis: &Basis, a: &Polynomial<Slots>) -> Polynomial<Slots> {
        let mut product = a.clone();
        for ((prime, x), s) in basis.primes().iter().zip(product.iter_mut()).zip(self.slots.iter()) {
            x.iter_mut().zip(s).for_each(|(x, s)| *x = prime.mul(*x, *s));
        }
        product
    }
}

/// The message with keys for the automorphisms of `powers`.
pub fn publish(basis: &Basis, secret: &SecretKey, powers: &[usize]) -> std::io::Result<Vec<u8>> {
    let (seed, noise) = (Seed::fresh()?, Seed::fresh()?);
    let mut noise = noise.stream(domain::ERROR, 0);
    let mut message = Vec::with_capacity(published_len(basis, powers.len()));
    message.extend(seed.as_bytes());
    let a = sample::uniform(basis, basis.limbs(), &seed, 0);
    write_polynomial(basis, &zero(basis, secret, &a, &mut noise), &mut message);
    if powers.is_empty() {
        return Ok(message);
    }
    let keys = basis.keys();
    let own = secret.in_basis(keys);
    let lifted = Zeroizing::new(keys.lift(&secret.coefficients, keys.limbs()));
    let special = keys.primes()[keys.limbs() - 1].value();
    for (at, power) in powers.iter().enumerate() {
        let image = Zeroizing::new(keys.forward(automorphism::of_coefficients(keys, &lifted, *power)));
        for digit in 0..keys.limbs() - 1 {
            let a = sample::uniform(keys, keys.limbs(), &seed, place(keys, at, digit));
            let mut b = zero(keys, &own, &a, &mut noise);
            let prime = keys.primes()[digit];
            let scale = prime.factor(special);
            for (b, image) in b.limb_mut(digit).iter_mut().zip(image.limb(digit)) {
                *b = prime.add(*b, prime.mul_factor(*image, scale));
            }
            write_polynomial(keys, &b, &mut message);
        }
    }
    Ok(message)
}

/// Bytes of keys with `automorphisms` of them.
pub fn published_len(basis: &Basis, automorphisms: usize) -> usize {
    let zero = 32 + polynomial_len(basis, basis.limbs());
    if automorphisms == 0 {
        return zero;
    }
    let keys = basis.keys();
    zero + automorphisms * (keys.limbs() - 1) * polynomial_len(keys, keys.limbs())
}

pub fn read_published(basis: &Basis, powers: &[usize], message: &[u8]) -> Result<PublicKeys, PeerError> {
    let expected = published_len(basis, powers.len());
    if message.len() != expected {
        return Err(PeerError::WrongLength { expected, found: message.len() });
    }
    let mut reader = Reader::new(message);
    let seed = reader.seed()?;
    let zero = PublicKey {
        b: read_polynomial(basis, basis.limbs(), &mut reader)?,
        a: sample::uniform(basis, basis.limbs(), &seed, 0),
    };
    let mut automorphisms = vec![];
    for (at, power) in powers.iter().enumerate() {
        let keys = basis.keys();
        let mut digits = vec![];
        for digit in 0..keys.limbs() - 1 {
            let b = read_polynomial(keys, keys.limbs(), &mut reader)?;
            digits.push([b, sample::uniform(keys, keys.limbs(), &seed, place(keys, at, digit))]);
        }
        let map = automorphism::SlotMap::new(basis.degree(), *power);
        automorphisms.push(AutomorphismKey { power: *power, map, digits });
    }
    reader.finish()?;
    Ok(PublicKeys { zero, automorphisms })
}

/// Which uniform polynomial of the public seed a digit has.
fn place(keys: &Basis, automorphism: usize, digit: usize) -> u64 {
    (1 + automorphism * (keys.limbs() - 1) + digit) as u64
}

/// `e - a·s`: with `a` an encryption of zero.
pub(crate) fn zero(basis: &Basis, secret: &SecretKey, a: &Polynomial<Slots>, noise: &mut Prg) -> Polynomial<Slots> {
    let error = sample::error(noise, basis.degree());
    let mut b = basis.forward(basis.lift(&error, a.limbs()));
    subtract_product(basis, secret, a, &mut b);
    b
}

/// `b -= a·s`.
pub(crate) fn subtract_product(basis: &Basis, secret: &SecretKey, a: &Polynomial<Slots>, b: &mut Polynomial<Slots>) {
    let residues = b.iter_mut().zip(a.iter()).zip(secret.slots.iter());
    for (prime, ((b, a), s)) in basis.primes().iter().zip(residues) {
        b.iter_mut().zip(a).zip(s).for_each(|((b, a), s)| *b = prime.sub(*b, prime.mul(*a, *s)));
    }
}
