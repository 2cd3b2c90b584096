//! Polynomials modulo `x^N + 1` and modulo some primes of a basis: residues prime by prime.
//!
//! The type tells whether residues are of coefficients or of slots (values at roots, in the transform's order).

use std::marker::PhantomData;

use zeroize::Zeroize;

use crate::aligned::Aligned;
use crate::prime::Prime;

/// Marks residues of coefficients.
pub enum Coefficients {}

/// Marks residues of values.
pub enum Slots {}

/// Residues modulo the first `limbs` primes of a basis, all reduced. What holds a secret goes into `Zeroizing`.
pub struct Polynomial<Form> {
    words: Aligned,
    degree: usize,
    limbs: usize,
    form: PhantomData<Form>,
}

impl<Form> Polynomial<Form> {
    pub fn zeros(degree: usize, limbs: usize) -> Polynomial<Form> {
        Polynomial { words: Aligned::zeros(degree * limbs), degree, limbs, form: PhantomData }
    }

    pub fn degree(&self) -> usize {
        self.degree
    }

    /// How many primes of its basis it has residues of.
    pub fn limbs(&self) -> usize {
        self.limbs
    }

    pub fn limb(&self, at: usize) -> &[u64] {
        &self.words.words()[at * self.degree..][..self.degree]
    }

    /// Whoever writes keeps residues reduced.
    pub fn limb_mut(&mut self, at: usize) -> &mut [u64] {
        &mut self.words.words_mut()[at * self.degree..][..self.degree]
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.words.words().chunks_exact(self.degree)
    }

    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u64]> {
        self.words.words_mut().chunks_exact_mut(self.degree)
    }

    /// Forgets the residues of all but the first `limbs` primes: what is left is the polynomial modulo their product.
    pub fn truncate(&mut self, limbs: usize) {
        assert!((1..=self.limbs).contains(&limbs), "{limbs} limbs of {}", self.limbs);
        self.words.truncate(limbs * self.degree);
        self.limbs = limbs;
    }

    /// The same words under another form, which the caller has brought them into.
    pub(crate) fn into_form<Other>(self) -> Polynomial<Other> {
        Polynomial { words: self.words, degree: self.degree, limbs: self.limbs, form: PhantomData }
    }
}

impl<Form> Clone for Polynomial<Form> {
    fn clone(&self) -> Self {
        Polynomial { words: self.words.clone(), degree: self.degree, limbs: self.limbs, form: PhantomData }
    }
}

impl<Form> Zeroize for Polynomial<Form> {
    fn zeroize(&mut self) {
        self.words.wipe();
    }
}

/// `operation(prime, a, b)` for the residues of each prime.
pub(crate) fn zip_assign<Form>(
    primes: &[Prime],
    a: &mut Polynomial<Form>,
    b: &Polynomial<Form>,
    operation: impl Fn(&Prime, &mut [u64], &[u64]),
) {
    assert!((a.degree, a.limbs) == (b.degree, b.limbs) && a.limbs <= primes.len(), "polynomials of one basis");
    for ((prime, a), b) in primes.iter().zip(a.iter_mut()).zip(b.iter()) {
        operation(prime, a, b);
    }
}
