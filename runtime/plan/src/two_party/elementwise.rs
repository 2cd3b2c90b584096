//! Elementwise products by homomorphic encryption: parameters, noise and exact bytes.
//!
//! The plain modulus `t` is a product of two primes that split the polynomial, so that a polynomial holds one number modulo
//! `t` in each of its `N` slots and products are slot by slot (Smart and Vercauteren, 2014). Numbers of the ring are taken
//! as signed integers; their products, never reduced, are shared modulo `t`, and a wrap bit brings the shares into the
//! ring. Of `x·y` with `|x|, |y| <= 2^(bits - 1)`, `terms` of which are added, `t > terms·2^(2·bits)` leaves the bit by
//! which the wrap is known (`runtime/he/src/elementwise.rs`).

use crate::bill::Correlation;
use crate::price::packed;
use crate::two_party::parameters::Parameters;

/// `sum over terms of x·y` for each of `count` elements: the client encrypts every `x`, the server knows every `y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elementwise {
    pub count: usize,
    pub terms: usize,
    /// Of the ring in which the product is wanted.
    pub bits: u32,
}

/// Ciphertexts of one plain modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slotted {
    pub degree: usize,
    /// Primes of the plain modulus.
    pub plain_bits: [u32; 2],
    /// Primes of the ciphertexts, `CIPHER_PRIMES` of them.
    pub prime_bits: u32,
    /// Bits of a coefficient of the second polynomials of answers.
    pub slope_bits: u32,
    /// Bits of a coefficient of the first polynomials of answers.
    pub body_bits: u32,
    /// The noise that hides the server's factors is uniform in so many bits of a fraction of 128 bits.
    pub flood_bits: u32,
}

pub const DEGREE: usize = 8192;

/// The widest ring that has parameters.
const WIDEST: u32 = 39;

/// Primes of a ciphertext.
pub const CIPHER_PRIMES: usize = 5;

/// Bytes of the seed that stands for the second polynomials of a request.
pub const SEED_BYTES: u64 = 32;

/// Statistical security of what hides the server's factors, for each coefficient.
const HIDING_BITS: f64 = 40.0;

/// As in [`super::encrypted`]: the variance of an error's coefficient, and how many deviations a sum exceeds with probability
/// `2^-60`.
const ERROR_VARIANCE: f64 = 10.5;
const SECRET_VARIANCE: f64 = 2.0 / 3.0;
const TAIL: f64 = 9.2;
/// `log2` of how far below its power of two a prime may be, five of them together and two.
const FILL: f64 = 0.15;

/// Widths of a ciphertext's primes.
const PRIMES: std::ops::RangeInclusive<u32> = 30..=43;

const PRIME_BITS: [[u32; CIPHER_PRIMES]; 14] = {
    let mut sets = [[0; CIPHER_PRIMES]; 14];
    let mut at = 0;
    while at < sets.len() {
        sets[at] = [*PRIMES.start() + at as u32; CIPHER_PRIMES];
        at += 1;
    }
    sets
};

impl Slotted {
    /// Of the public key, by which answers are refreshed: a seed and a polynomial.
    pub fn key_bytes(&self) -> u64 {
        SEED_BYTES + CIPHER_PRIMES as u64 * packed(self.degree, self.prime_bits)
    }

    pub fn parameters(&self) -> Parameters {
        let primes = &PRIME_BITS[(self.prime_bits - PRIMES.start()) as usize];
        Parameters { degree: self.degree, prime_bits: primes, kept: CIPHER_PRIMES, special_bits: None }
    }
}

impl Elementwise {
    /// Of `a0·b1 + a1·b0` for a triple, `a0·a1` in the ring of half the numbers for a square, `a·b` for a product of a mask of
    /// each party; of nothing else.
    pub fn of(correlation: &Correlation) -> Option<Elementwise> {
        match *correlation {
            Correlation::Mul { count, bits, .. } => Some(Elementwise { count, terms: 2, bits }),
            Correlation::Square { count, bits } if bits > 1 => Some(Elementwise { count, terms: 1, bits: bits - 1 }),
            Correlation::CrossMul { count, bits, .. } => Some(Elementwise { count, terms: 1, bits }),
            _ => None,
        }
    }

    /// Ciphertexts of an answer; of a request, `terms` times as many.
    pub fn ciphertexts(&self) -> usize {
        self.count.div_ceil(DEGREE)
    }

    pub fn request_bytes(&self, slotted: &Slotted) -> u64 {
        let each = CIPHER_PRIMES as u64 * packed(DEGREE, slotted.prime_bits);
        SEED_BYTES + (self.terms * self.ciphertexts()) as u64 * each
    }

    pub fn answer_bytes(&self, slotted: &Slotted) -> u64 {
        let wide = |bits: u32| packed(DEGREE, bits.min(64)) + packed(DEGREE, bits.saturating_sub(64));
        self.ciphertexts() as u64 * (wide(slotted.slope_bits) + wide(slotted.body_bits))
    }
}

/// Narrow parameters for products in rings of `bits` bits, whatever the number of terms; none where no modulus that is safe
/// at this degree has room. Rings of two widths share them, and so a key.
pub fn slotted(bits: u32) -> Option<Slotted> {
    let plain = 2 * bits.next_multiple_of(2).min(bits.max(WIDEST)) + 2;
    let plain_bits = [plain.div_ceil(2), plain / 2];
    // Primes that split the polynomial have more than 14 bits, and there are enough of them above 20.
    if plain_bits[1] < 20 || plain_bits[0] > 50 {
        return None;
    }
    let t = f64::from(plain);
    PRIMES.into_iter().find_map(|prime_bits| answer(prime_bits, t).map(|answer| Slotted { plain_bits, ..answer }))
}

/// Answers with ciphertexts of primes of `prime_bits` bits and a plain modulus of `t` bits.
fn answer(prime_bits: u32, t: f64) -> Option<Slotted> {
    let degree = DEGREE as f64;
    let modulus = CIPHER_PRIMES as f64 * f64::from(prime_bits) - FILL;
    // Fractions in units of 2^-128: what noise moves them by, cut-off of their computation included.
    let moved = (noise(t) + 128.0 - modulus).exp2() + 16.0;
    let flood_bits = (HIDING_BITS + moved.log2()).ceil();
    let largest = (127.0 - t).exp2();
    let left = largest - moved - (flood_bits - 1.0).exp2();
    if left <= 0.0 {
        return None;
    }
    let rounded = TAIL * (degree * SECRET_VARIANCE / 4.0).sqrt();
    let slope_bits = (40u32..=100).find(|bits| rounded * (128.0 - f64::from(*bits)).exp2() < left / 2.0)?;
    let body_bits = (20u32..=100).find(|bits| (127.0 - f64::from(*bits)).exp2() < left / 2.0)?;
    Some(Slotted {
        degree: DEGREE,
        plain_bits: [0; 2],
        prime_bits,
        slope_bits,
        body_bits,
        flood_bits: flood_bits as u32,
    })
}

/// Seconds of one core of each party, by [`crate::step::Party::index`], measured as those of [`super::encrypted::party_seconds`].
pub fn seconds(product: &Elementwise) -> [f64; 2] {
    const ASK: f64 = 600e-6;
    const OPEN: f64 = 1000e-6;
    const MULTIPLY: f64 = 450e-6;
    const ANSWER: f64 = 1500e-6;
    let (ciphertexts, terms) = (product.ciphertexts() as f64, product.terms as f64);
    [ciphertexts * (ANSWER + terms * MULTIPLY), ciphertexts * (OPEN + terms * ASK)]
}

/// `log2` of the noise of an answer before anything hides it, but for a probability of `2^-60`, with a plain modulus of `t`
/// bits, two terms: errors, and roundings of messages, times polynomials of coefficients of up to `t / 2`.
pub fn noise(t: f64) -> f64 {
    let degree = DEGREE as f64;
    let terms = 2.0;
    let random = TAIL * (terms * degree * ERROR_VARIANCE).sqrt() / 2.0;
    let roundings = terms * degree / 4.0;
    // An encryption of zero and the rounding of the mask are beyond counting beside the rest.
    t + (random + roundings + 1.0).log2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::two_party::parameters::largest_modulus_bits;

    #[test]
    fn parameters_are_within_the_standard() {
        for bits in 1..=64 {
            let Some(slotted) = slotted(bits) else { continue };
            assert_eq!(slotted.parameters().prime_bits, [slotted.prime_bits; CIPHER_PRIMES]);
            let modulus = slotted.parameters().modulus_bits();
            assert!(modulus <= largest_modulus_bits(slotted.degree).expect("a degree of the table"), "{slotted:?}");
        }
        assert!((21..=39).all(|bits| slotted(bits).is_some()));
    }
}
