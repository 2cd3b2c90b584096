//! Keys: the client's secret, and what it publishes of it.
//!
//! The public key is an encryption of zero, `(b, a)` with `b = e - a·s`, by which the server makes fresh ones. The key of an
//! automorphism `x -> x^g` has one pair for each prime of a ciphertext: an encryption under `s` of `P·s(x^g)` modulo that
//! prime and of zero modulo the others, `P` the special prime (digits are residues: Halevi, Polyakov and Shoup, CT-RSA
//! 2019, with one special prime). All second halves come from one public seed; only first halves travel.

use ptc_net::PeerError;
use ptc_ring::{Prg, Seed};
use zeroize::Zeroizing;

use crate::automorphism;
use crate::basis::Basis;
use crate::polynomial::{Polynomial, Slots};
use crate::prime::Prime;
use crate::residues;
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
    /// For each prime of a ciphertext, modulo all.
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
        let slots = Zeroizing::new(basis.forward(basis.lift(&coefficients, basis.key_limbs())));
        SecretKey { coefficients, slots }
    }

    /// `a·s`.
    pub fn times(&self, basis: &Basis, a: &Polynomial<Slots>) -> Polynomial<Slots> {
        let mut product = a.clone();
        for ((prime, x), s) in basis.primes().iter().zip(product.iter_mut()).zip(self.slots.iter()) {
            residues::mul(prime, x, s);
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
    let limbs = basis.key_limbs();
    let lifted = Zeroizing::new(basis.lift(&secret.coefficients, limbs));
    for (at, power) in powers.iter().enumerate() {
        let image = Zeroizing::new(basis.forward(automorphism::of_coefficients(basis, &lifted, *power)));
        for digit in 0..basis.limbs() {
            let a = sample::uniform(basis, limbs, &seed, place(basis, at, digit));
            let mut b = zero(basis, secret, &a, &mut noise);
            let prime = &basis.primes()[digit];
            let mut raised = Zeroizing::new(image.limb(digit).to_vec());
            residues::scale(prime, &mut raised, prime.factor(special(basis).value()));
            residues::add(prime, b.limb_mut(digit), &raised);
            write_polynomial(basis, &b, &mut message);
        }
    }
    Ok(message)
}

/// Bytes of keys with `automorphisms` of them.
pub fn published_len(basis: &Basis, automorphisms: usize) -> usize {
    let digits = automorphisms * basis.limbs();
    32 + polynomial_len(basis, basis.limbs()) + digits * polynomial_len(basis, basis.key_limbs())
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
        let mut digits = vec![];
        for digit in 0..basis.limbs() {
            let b = read_polynomial(basis, basis.key_limbs(), &mut reader)?;
            digits.push([b, sample::uniform(basis, basis.key_limbs(), &seed, place(basis, at, digit))]);
        }
        automorphisms.push(AutomorphismKey { power: *power, digits });
    }
    reader.finish()?;
    Ok(PublicKeys { zero, automorphisms })
}

/// Which uniform polynomial of the public seed a digit has.
fn place(basis: &Basis, automorphism: usize, digit: usize) -> u64 {
    (1 + automorphism * basis.limbs() + digit) as u64
}

/// The prime by which products with keys are divided.
pub(crate) fn special(basis: &Basis) -> &Prime {
    basis.primes().get(basis.limbs()).expect("parameters with a special prime")
}

/// `e - a·s`: with `a` an encryption of zero.
fn zero(basis: &Basis, secret: &SecretKey, a: &Polynomial<Slots>, noise: &mut Prg) -> Polynomial<Slots> {
    let error = sample::error(noise, basis.degree());
    let mut b = basis.forward(basis.lift(&error, a.limbs()));
    subtract_product(basis, secret, a, &mut b);
    b
}

/// `b -= a·s`.
pub(crate) fn subtract_product(basis: &Basis, secret: &SecretKey, a: &Polynomial<Slots>, b: &mut Polynomial<Slots>) {
    let limbs = b.iter_mut().zip(a.iter()).zip(secret.slots.iter());
    let mut product = Zeroizing::new(vec![0; basis.degree()]);
    for (prime, ((b, a), s)) in basis.primes().iter().zip(limbs) {
        product.copy_from_slice(a);
        residues::mul(prime, &mut product, s);
        residues::sub(prime, b, &product);
    }
}
