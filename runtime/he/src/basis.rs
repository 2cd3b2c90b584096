//! A basis: the ring `Z_Q[x] / (x^N + 1)` for `Q` a product of primes, with the tables of each.
//!
//! The primes of ciphertexts come first; the one that only keys for automorphisms have comes last. A polynomial may have
//! the residues of the first few primes only.

use ptc_plan::two_party::parameters::Parameters;

use crate::ntt::{Backend, Transform};
use crate::polynomial::{Coefficients, Polynomial, Slots, zip_assign};
use crate::prime::{Factor, Prime, choose};
use crate::residues;

pub struct Basis {
    degree: usize,
    limbs: usize,
    primes: Vec<Prime>,
    transforms: Vec<Transform>,
    /// For polynomials of 1, 2, ... limbs.
    recombination: Vec<Vec<Recombination>>,
}

/// One prime's part in a number that is given by residues modulo a product `Q`.
///
/// `x / Q = sum of y_i / q_i` modulo 1, where `y_i = x_i · (Q/q_i)^-1` modulo `q_i`.
pub(crate) struct Recombination {
    /// `(Q/q_i)^-1` modulo `q_i`.
    pub weight: Factor,
    /// `floor(2^128 / q_i)`.
    pub fraction: u128,
    /// `floor(2^64 · (2^128 mod q_i) / q_i)`.
    pub rest: u64,
}

impl Basis {
    pub fn new(parameters: &Parameters) -> Basis {
        Basis::with_backend(parameters, Backend::fastest())
    }

    pub fn with_backend(parameters: &Parameters, backend: Backend) -> Basis {
        let bits: Vec<u32> = parameters.prime_bits.iter().chain(&parameters.special_bits).copied().collect();
        let primes = choose(parameters.degree, &bits);
        let (degree, limbs) = (parameters.degree, parameters.prime_bits.len());
        let transforms = primes.iter().map(|prime| Transform::with_backend(*prime, degree, backend)).collect();
        let recombination = (1..=primes.len()).map(|limbs| recombination(&primes[..limbs])).collect();
        Basis { degree, limbs, primes, transforms, recombination }
    }

    pub fn degree(&self) -> usize {
        self.degree
    }

    /// Primes of a ciphertext.
    pub fn limbs(&self) -> usize {
        self.limbs
    }

    /// Primes of a key for an automorphism: those of a ciphertext and the special one, where the parameters have one.
    pub fn key_limbs(&self) -> usize {
        self.primes.len()
    }

    pub fn primes(&self) -> &[Prime] {
        &self.primes
    }

    pub fn transform(&self, limb: usize) -> &Transform {
        &self.transforms[limb]
    }

    pub(crate) fn recombination(&self, limbs: usize) -> &[Recombination] {
        &self.recombination[limbs - 1]
    }

    /// The product of the first `limbs` primes modulo `2^128`, which is what encoding needs of it.
    pub fn modulus_low(&self, limbs: usize) -> u128 {
        self.primes[..limbs].iter().fold(1, |product, prime| product.wrapping_mul(prime.value() as u128))
    }

    /// `log2` of the product of the first `limbs` primes.
    pub fn modulus_log2(&self, limbs: usize) -> f64 {
        self.primes[..limbs].iter().map(|prime| (prime.value() as f64).log2()).sum()
    }

    pub fn forward(&self, mut a: Polynomial<Coefficients>) -> Polynomial<Slots> {
        self.transforms.iter().zip(a.iter_mut()).for_each(|(transform, limb)| transform.forward(limb));
        a.into_form()
    }

    pub fn inverse(&self, mut a: Polynomial<Slots>) -> Polynomial<Coefficients> {
        self.transforms.iter().zip(a.iter_mut()).for_each(|(transform, limb)| transform.inverse(limb));
        a.into_form()
    }

    /// Residues of signed numbers; coefficients beyond them are zero.
    pub fn lift(&self, values: &[i64], limbs: usize) -> Polynomial<Coefficients> {
        assert!(values.len() <= self.degree, "{} coefficients", values.len());
        let mut lifted = Polynomial::zeros(self.degree, limbs);
        for (prime, limb) in self.primes.iter().zip(lifted.iter_mut()) {
            residues::of_signed(prime, values, &mut limb[..values.len()]);
        }
        lifted
    }

    pub fn add_assign<Form>(&self, a: &mut Polynomial<Form>, b: &Polynomial<Form>) {
        zip_assign(&self.primes, a, b, residues::add);
    }

    pub fn sub_assign<Form>(&self, a: &mut Polynomial<Form>, b: &Polynomial<Form>) {
        zip_assign(&self.primes, a, b, residues::sub);
    }

    /// `a · factor`.
    pub fn scale<Form>(&self, a: &mut Polynomial<Form>, factor: i64) {
        for (prime, limb) in self.primes.iter().zip(a.iter_mut()) {
            let factor = prime.factor(prime.reduce_signed(factor));
            residues::scale(prime, limb, factor);
        }
    }

    /// `a · x^shift`, `shift < 2N`: coefficients that pass the end come back negated.
    pub fn shift(&self, a: &Polynomial<Coefficients>, shift: usize) -> Polynomial<Coefficients> {
        let mut shifted = Polynomial::zeros(self.degree, a.limbs());
        for ((prime, from), to) in self.primes.iter().zip(a.iter()).zip(shifted.iter_mut()) {
            let (low, negated) = (shift % self.degree, shift / self.degree % 2 == 1);
            let (whole, wrapped) = from.split_at(self.degree - low);
            let copy = |to: &mut [u64], from: &[u64], negated: bool| match negated {
                true => to.iter_mut().zip(from).for_each(|(to, from)| *to = prime.negate(*from)),
                false => to.copy_from_slice(from),
            };
            copy(&mut to[low..], whole, negated);
            copy(&mut to[..low], wrapped, !negated);
        }
        shifted
    }
}

fn recombination(primes: &[Prime]) -> Vec<Recombination> {
    let of = |at: usize| {
        let prime = &primes[at];
        let others = primes.iter().enumerate().filter(|(other, _)| *other != at);
        let cofactor = others.fold(1, |product, (_, other)| prime.mul(product, prime.reduce(other.value())));
        let q = prime.value() as u128;
        // `2^128` is one more than the largest word of that width, and no multiple of `q`.
        let fraction = u128::MAX / q;
        let rest = ((u128::MAX % q + 1) << 64) / q;
        Recombination { weight: prime.factor(prime.inverse(cofactor)), fraction, rest: rest as u64 }
    };
    (0..primes.len()).map(of).collect()
}
