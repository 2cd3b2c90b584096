//! The negacyclic number-theoretic transform modulo one prime.
//!
//! The transform of `a` modulo `x^N + 1` are its values at the odd powers of a root `psi` of order `2N`, so that products
//! of polynomials are products of values. Layer `l` of the forward transform splits each of `2^l` blocks: the halves
//! `(x, y)` become `(x + w·y, x - w·y)` for the block's power `w` of `psi` (Longa and Naehrig, CANS 2016, algorithm 1), which
//! leaves value `psi^(2·r(i) + 1)` at place `i`, `r` the reversal of bits. The last six layers work on blocks of 64, as
//! squares of 8 by 8 that vector backends keep in registers and transpose half way; slots stay transposed: that of place
//! `64·b + 8·r + c` is `64·b + 8·c + r`. All backends give the same words.

#[cfg(target_arch = "x86_64")]
pub(crate) mod float;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
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
    root: u64,
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
    /// Vectors with 52-bit multipliers.
    #[cfg(target_arch = "x86_64")]
    Ifma,
    /// Vectors of doubles.
    #[cfg(target_arch = "x86_64")]
    Float,
}

/// Factors of all layers, in the backend's form: that of block `b` of `2^l` is at `2^l + b`. Values and quotients of one
/// factor lie apart.
struct Roots {
    values: Aligned,
    quotients: Aligned,
    /// Those of the last layers once more, in the order in which vectors take them.
    tail: Aligned,
}

impl Roots {
    fn new(prime: &Prime, degree: usize, root: u64, backend: Backend) -> Roots {
        let [values, quotients] = [Aligned::zeros(degree), Aligned::zeros(degree)];
        let mut roots = Roots { values, quotients, tail: Aligned::zeros(0) };
        let mut power = 1;
        for exponent in 0..degree {
            let place = reverse(exponent, degree);
            let factor = match backend {
                #[cfg(target_arch = "x86_64")]
                Backend::Float => float::factor(prime, power),
                _ => prime.factor(power),
            };
            roots.values.words_mut()[place] = factor.value;
            roots.quotients.words_mut()[place] = factor.quotient;
            power = prime.mul(power, root);
        }
        if backend != Backend::Portable {
            roots.tail = tail(degree, |place| roots.at(place));
        }
        roots
    }

    #[inline]
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
        Transform::with_root(prime, degree, root, backend)
    }

    fn with_root(prime: Prime, degree: usize, root: u64, backend: Backend) -> Transform {
        // A single block is not worth a vector.
        let backend = if degree == BLOCK { Backend::Portable } else { backend };
        let (scale, back) = (prime.inverse(degree as u64), prime.inverse(root));
        let last = prime.mul(scale, prime.pow(back, degree as u64 / 2));
        let scale = [prime.factor(scale), prime.factor(last)];
        let (forward, inverse) = (Roots::new(&prime, degree, root, backend), Roots::new(&prime, degree, back, backend));
        Transform { prime, degree, root, forward, inverse, scale, backend }
    }

    /// That of polynomials in `x^fold`: its root is this one's to that power.
    pub fn folded(&self, fold: usize) -> Transform {
        Transform::with_root(self.prime, self.degree / fold, self.prime.pow(self.root, fold as u64), self.backend)
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
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma => ifma::forward(self, words),
            #[cfg(target_arch = "x86_64")]
            Backend::Float => float::forward(self, words, 0, self.degree),
        }
    }

    /// Slots become coefficients.
    pub fn inverse(&self, words: &mut [u64]) {
        assert_eq!(words.len(), self.degree, "words of a polynomial");
        match self.backend {
            Backend::Portable => portable::inverse(self, words),
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma => ifma::inverse(self, words),
            #[cfg(target_arch = "x86_64")]
            Backend::Float => float::inverse(self, words),
        }
    }

    /// The slots `first .. first + slots.len()` of a polynomial whose coefficients vanish but for the first, reduced ones:
    /// as many as a power of two from 64 up. `first` and the length are multiples of their number. What comes out is
    /// congruent and below `2^52`, but not reduced: factors for [`crate::dot`].
    ///
    /// All layers above find zero in the other half, so that every block starts as a copy of `coefficients`.
    pub fn forward_short(&self, coefficients: &[u64], first: usize, slots: &mut [u64]) {
        let size = coefficients.len();
        assert!(size.is_power_of_two() && (BLOCK..=self.degree).contains(&size), "{size} coefficients");
        assert!(first.is_multiple_of(size) && slots.len().is_multiple_of(size), "slots of whole blocks of {size}");
        assert!(first + slots.len() <= self.degree, "slots {first} .. {}", first + slots.len());
        match self.backend {
            Backend::Portable => portable::forward_short(self, coefficients, first, slots),
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma => ifma::forward_short(self, coefficients, first, slots),
            #[cfg(target_arch = "x86_64")]
            Backend::Float => {
                slots.chunks_exact_mut(size).for_each(|block| block.copy_from_slice(coefficients));
                float::forward(self, slots, first, size);
            }
        }
    }
}

impl Backend {
    /// From the fastest down.
    pub const ALL: &[Backend] = &[
        #[cfg(target_arch = "x86_64")]
        Backend::Ifma,
        #[cfg(target_arch = "x86_64")]
        Backend::Float,
        Backend::Portable,
    ];

    /// The best that this machine has.
    pub fn fastest() -> Backend {
        Backend::ALL.iter().copied().find(|backend| backend.works()).expect("portable code works")
    }

    pub fn works(self) -> bool {
        match self {
            Backend::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma => ifma::works(),
            #[cfg(target_arch = "x86_64")]
            Backend::Float => float::works(),
        }
    }
}

/// Words of factors that a block of 64 has for its last three layers.
const TAIL_WORDS: usize = 14 * 8;

/// The factors of all blocks' last three layers, lane by row of the square: of places four apart one vector, of those two
/// apart two, of neighbours four; quotients follow each vector.
fn tail(degree: usize, root: impl Fn(usize) -> Factor) -> Aligned {
    let mut words = Aligned::zeros(degree / BLOCK * TAIL_WORDS);
    let mut vectors = words.words_mut().as_chunks_mut::<8>().0.iter_mut();
    for block in degree / BLOCK..2 * degree / BLOCK {
        for log in 0..3 {
            for column in 0..1 << log {
                let factors: [Factor; 8] = std::array::from_fn(|row| root(((block * 8 + row) << log) + column));
                for vector in [factors.map(|factor| factor.value), factors.map(|factor| factor.quotient)] {
                    *vectors.next().expect("fourteen vectors a block") = vector;
                }
            }
        }
    }
    words
}

/// Those of the block of 64 at `place`.
#[inline]
fn tail_words(roots: &Roots, degree: usize, place: usize) -> &[u64] {
    &roots.tail.words()[(place - degree / BLOCK) * TAIL_WORDS..][..TAIL_WORDS]
}

/// The slots of the polynomial in `x^fold` that has `fold` times every `fold`-th coefficient of that with `slots`, a power of
/// two: sums of neighbouring places, not reduced.
///
/// Places `fold·i ..` are the values at the roots of one `x^fold = r`, of which all other powers sum to zero.
pub fn fold(slots: &[u64], fold: usize, out: &mut [u64]) {
    assert!(fold.is_power_of_two() && slots.len() == fold * out.len(), "slots {fold} by {fold}");
    assert!(out.len().is_multiple_of(BLOCK), "whole blocks of sums");
    // Columns of a square are eight places in a row; whole vectors are added as long as they last.
    let columns = fold.min(8);
    let rows = fold / columns;
    for (at, square) in slots.chunks_exact(BLOCK).enumerate() {
        for group in 0..8 / columns {
            let mut sums = [0; 8];
            for column in square.chunks_exact(8).skip(group * columns).take(columns) {
                sums.iter_mut().zip(column).for_each(|(sum, x)| *sum += x);
            }
            for (row, sum) in sums.into_iter().enumerate() {
                let place = (at * BLOCK + 8 * row + group * columns) / fold;
                let slot = &mut out[transposed(place)];
                let first = group == 0 && (at * BLOCK + 8 * row).is_multiple_of(fold);
                *slot = if first || rows == 1 { sum } else { *slot + sum };
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prime::{RADIX_MASK, choose};
    use proptest::prelude::*;
    use ptc_ring::Seed;

    fn residues(prime: &Prime, count: usize, seed: u8) -> Vec<u64> {
        Seed::from_bytes([seed; 32]).stream(0, 0).words(count).into_iter().map(|x| x % prime.value()).collect()
    }

    /// Everything, for one prime and degree, against the portable backend.
    fn check(backend: Backend, bits: u32, degree: usize, words: &[u64]) {
        let prime = choose(degree, &[bits])[0];
        let words: Vec<u64> = words.iter().map(|x| x % prime.value()).collect();
        let portable = Transform::with_backend(prime, degree, Backend::Portable);
        let other = Transform::with_backend(prime, degree, backend);
        let (mut expected, mut found) = (words.clone(), words.clone());
        portable.forward(&mut expected);
        other.forward(&mut found);
        assert!(expected == found, "{backend:?} forward, {bits} bits, degree {degree}");
        other.inverse(&mut found);
        assert!(found == words, "{backend:?} inverse, {bits} bits, degree {degree}");
        portable.inverse(&mut expected);
        assert!(expected == words);
        for size in (6..=degree.trailing_zeros()).map(|log| 1 << log) {
            let mut padded = words[..size].to_vec();
            padded.resize(degree, 0);
            portable.forward(&mut padded);
            for first in [0, (degree - size) / size / 2 * size] {
                let mut slots = vec![0; degree - first];
                other.forward_short(&words[..size], first, &mut slots);
                assert!(slots.iter().all(|slot| *slot <= RADIX_MASK));
                slots.iter_mut().for_each(|slot| *slot = prime.reduce(*slot));
                assert!(slots == padded[first..], "{backend:?} {size} of {degree} coefficients, {bits} bits");
            }
        }
    }

    #[test]
    fn slots_are_values_at_odd_powers() {
        for degree in [64, 256] {
            let prime = choose(degree, &[50])[0];
            let transform = Transform::with_backend(prime, degree, Backend::Portable);
            let words = residues(&prime, degree, 1);
            let mut slots = words.clone();
            transform.forward(&mut slots);
            let root = prime.root(2 * degree as u64);
            for exponent in 0..degree {
                let point = prime.pow(root, 2 * exponent as u64 + 1);
                let value = words.iter().rev().fold(0, |value, x| prime.add(prime.mul(value, point), *x));
                assert_eq!(slots[slot_of(exponent, degree)], value, "at power {exponent} of degree {degree}");
            }
        }
    }

    #[test]
    fn products_of_slots_are_products_of_polynomials() {
        for backend in Backend::ALL.iter().copied().filter(|backend| backend.works()) {
            for (degree, bits) in [(2048, 36), (2048, 50), (4096, 47), (4096, 48)] {
                let prime = choose(degree, &[bits])[0];
                let transform = Transform::with_backend(prime, degree, backend);
                let (a, b) = (residues(&prime, degree, 2), residues(&prime, degree, 3));
                let mut expected = vec![0; degree];
                for (i, x) in a.iter().enumerate() {
                    for (j, y) in b.iter().enumerate() {
                        let (place, product) = ((i + j) % degree, prime.mul(*x, *y));
                        let sum = if i + j < degree { Prime::add } else { Prime::sub };
                        expected[place] = sum(&prime, expected[place], product);
                    }
                }
                let (mut x, mut y) = (a, b);
                transform.forward(&mut x);
                transform.forward(&mut y);
                x.iter_mut().zip(&y).for_each(|(x, y)| *x = prime.mul(*x, *y));
                transform.inverse(&mut x);
                assert!(x == expected, "{backend:?}, {bits} bits, degree {degree}");
            }
        }
    }

    /// Steele, Lea and Flood, OOPSLA 2014.
    fn splitmix(mut state: u64, count: usize, prime: u64) -> Vec<u64> {
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ mixed >> 31) % prime
        };
        (0..count).map(|_| next()).collect()
    }

    /// What fhe-math 0.1.1 computes (forward, pointwise product, backward), as a number of base `0x9e37_79b9_7f4a_7c15`.
    #[test]
    fn products_are_those_of_another_library() {
        for (degree, bits, value, expected) in [
            (1024, 40, 1_099_511_592_961, 0xb5d8_b670_8646_21d2),
            (4096, 36, 68_719_403_009, 0x9d8f_ec7a_196e_945e),
            (4096, 50, 1_125_899_906_826_241, 0xc12d_e8b8_b15b_1c14),
            (8192, 49, 562_949_952_847_873, 0xb0a8_ec5b_3201_9be1),
            (8192, 50, 1_125_899_906_826_241, 0x47f0_3aec_56aa_7152),
            (16384, 50, 1_125_899_904_679_937, 0x5cbf_144c_1423_54c8),
        ] {
            let prime = choose(degree, &[bits])[0];
            assert_eq!(prime.value(), value);
            for backend in Backend::ALL.iter().copied().filter(|backend| backend.works()) {
                let transform = Transform::with_backend(prime, degree, backend);
                let (mut a, mut b) = (splitmix(1, degree, value), splitmix(2, degree, value));
                transform.forward(&mut a);
                transform.forward(&mut b);
                a.iter_mut().zip(&b).for_each(|(a, b)| *a = prime.mul(*a, *b));
                transform.inverse(&mut a);
                let digest = |sum: u64, x: &u64| sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(*x);
                assert_eq!(a.iter().fold(0, digest), expected, "{backend:?}, {bits} bits, degree {degree}");
            }
        }
    }

    #[test]
    fn backends_agree_at_the_edges() {
        for backend in Backend::ALL.iter().copied().filter(|backend| backend.works()) {
            for degree in DEGREES.start().ilog2()..=DEGREES.end().ilog2() {
                let degree = 1 << degree;
                for bits in [30, 36, 43, 46, 47, 48, 50] {
                    let largest = choose(degree, &[bits])[0].value() - 1;
                    check(backend, bits, degree, &vec![largest; degree]);
                    let alternating: Vec<u64> = (0..degree).map(|at| if at % 2 == 0 { 0 } else { largest }).collect();
                    check(backend, bits, degree, &alternating);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn backends_agree(seed in any::<[u8; 32]>(), bits in 30u32..=50, log in 6u32..=14) {
            let words = Seed::from_bytes(seed).stream(0, 0).words(1 << log);
            for backend in Backend::ALL.iter().copied().filter(|backend| backend.works()) {
                check(backend, bits, 1 << log, &words);
            }
        }
    }
}
