//! The negacyclic number-theoretic transform modulo one prime.
//!
//! The transform of `a` modulo `x^N + 1` are its values at the odd powers of a root `psi` of order `2N`, so that products
//! of polynomials are products of values. Layer `l` of the forward transform splits each of `2^l` blocks: the halves
//! `(x, y)` become `(x + w·y, x - w·y)` for the block's power `w` of `psi` (Longa and Naehrig, CANS 2016, algorithm 1), which
//! leaves value `psi^(2·r(i) + 1)` at place `i`, `r` the reversal of bits. The last six layers work on blocks of 64, as
//! squares of 8 by 8 that vector backends keep in registers and transpose half way; slots stay transposed: that of place
//! `64·b + 8·r + c` is `64·b + 8·c + r`. All backends give the same words.

mod portable;

use crate::aligned::Aligned;
use crate::prime::{Factor, Prime};

/// Places of a block that ends as a transposed square.
pub const BLOCK: usize = 64;

/// Degrees with a transform.
pub const DEGREES: std::ops::RangeInclusive<usize> = 64..=32768;

/// Tables of one prime and one degree.
pub struct Transform {
    prime: Prime,
    degree: usize,
    forward: Roots,
    inverse: Roots,
    /// `1/N`, and that times the inverse transform's last root.
    scale: [Factor; 2],
    backend: Backend,
}

/// How transforms are computed; all give the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Portable,
}

/// Factors of all layers: that of block `b` of `2^l` is at `2^l + b`. Values and quotients of one factor lie apart.
struct Roots {
    values: Aligned,
    quotients: Aligned,
}

impl Roots {
    fn new(prime: &Prime, degree: usize, root: u64) -> Roots {
        let mut roots = Roots { values: Aligned::zeros(degree), quotients: Aligned::zeros(degree) };
        let mut power = 1;
        for exponent in 0..degree {
            let place = reverse(exponent, degree);
            let factor = prime.factor(power);
            roots.values.words_mut()[place] = factor.value;
            roots.quotients.words_mut()[place] = factor.quotient;
            power = prime.mul(power, root);
        }
        roots
    }

    fn at(&self, place: usize) -> Factor {
        Factor { value: self.values.words()[place], quotient: self.quotients.words()[place] }
    }
}

impl Transform {
    pub fn new(prime: Prime, degree: usize) -> Transform {
        Transform::with_backend(prime, degree, Backend::fastest())
    }

    pub fn with_backend(prime: Prime, degree: usize, backend: Backend) -> Transform {
        assert!(degree.is_power_of_two() && DEGREES.contains(&degree), "a transform of degree {degree}");
        assert!(backend.works(), "{backend:?} does not run on this machine");
        let root = prime.root(2 * degree as u64);
        let inverse = Roots::new(&prime, degree, prime.inverse(root));
        let scale = prime.inverse(degree as u64);
        let last = prime.mul(scale, inverse.at(1).value);
        let scale = [prime.factor(scale), prime.factor(last)];
        Transform { prime, degree, forward: Roots::new(&prime, degree, root), inverse, scale, backend }
    }

    pub fn prime(&self) -> &Prime {
        &self.prime
    }

    pub fn degree(&self) -> usize {
        self.degree
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Reduced coefficients become slots.
    pub fn forward(&self, words: &mut [u64]) {
        assert_eq!(words.len(), self.degree, "words of a polynomial");
        match self.backend {
            Backend::Portable => portable::forward(self, words),
        }
    }

    /// Slots become coefficients.
    pub fn inverse(&self, words: &mut [u64]) {
        assert_eq!(words.len(), self.degree, "words of a polynomial");
        match self.backend {
            Backend::Portable => portable::inverse(self, words),
        }
    }

    /// The slots `first .. first + slots.len()` of a polynomial whose coefficients vanish but for the first, reduced ones:
    /// as many as a power of two from 64 up. `first` and the length are multiples of their number.
    ///
    /// All layers above find zero in the other half, so that every block starts as a copy of `coefficients`.
    pub fn forward_short(&self, coefficients: &[u64], first: usize, slots: &mut [u64]) {
        let size = coefficients.len();
        assert!(size.is_power_of_two() && (BLOCK..=self.degree).contains(&size), "{size} coefficients");
        assert!(first.is_multiple_of(size) && slots.len().is_multiple_of(size), "slots of whole blocks of {size}");
        assert!(first + slots.len() <= self.degree, "slots {first} .. {}", first + slots.len());
        match self.backend {
            Backend::Portable => portable::forward_short(self, coefficients, first, slots),
        }
    }
}

impl Backend {
    pub const ALL: [Backend; 1] = [Backend::Portable];

    /// The best that this machine has.
    pub fn fastest() -> Backend {
        Backend::Portable
    }

    pub fn works(self) -> bool {
        match self {
            Backend::Portable => true,
        }
    }
}

/// The slot that holds the value at `psi^(2·exponent + 1)`.
pub fn slot_of(exponent: usize, degree: usize) -> usize {
    transposed(reverse(exponent, degree))
}

/// `place` in its transposed square; an involution.
fn transposed(place: usize) -> usize {
    place & !(BLOCK - 1) | (place & 7) << 3 | place >> 3 & 7
}

/// The bits of `place < size` in reverse.
fn reverse(place: usize, size: usize) -> usize {
    place.reverse_bits() >> (usize::BITS - size.trailing_zeros())
}
