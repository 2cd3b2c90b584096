//! Between residues modulo `Q` and powers of two: encoding, decoding, smaller moduli.
//!
//! A fraction `x / Q` modulo 1 is held in 128 bits, from the residues alone: `x / Q` is the sum of `y_i / q_i` with
//! `y_i = x_i·(Q/q_i)^-1` modulo `q_i`. Each term is too small by less than three units, so that a sum of at most five is by
//! less than `2^4 / 2^128`. Rounded to `b <= 100` bits it differs from `2^b·x/Q` by at most `1/2 + 2^(b - 124)`.

use zeroize::Zeroizing;

use crate::basis::Basis;
use crate::polynomial::{Coefficients, Polynomial};
use crate::prime::{Factor, Prime};
use crate::residues;

/// Bits of the widest power of two that residues are rounded to.
pub const WIDEST_POWER: u32 = 100;

/// `round(Q·m / 2^bits)` modulo `Q` for `m` in `Z_2^bits`, `bits <= 64`: with `r` the centred rest of `Q·m` modulo `2^bits`,
/// that is `(Q·m - r) / 2^bits`, which modulo each prime of `Q` is `-r / 2^bits`. Coefficients beyond `message` are zero.
pub fn encode(basis: &Basis, limbs: usize, message: &[u64], bits: u32) -> Polynomial<Coefficients> {
    assert!((1..=64).contains(&bits), "messages of {bits} bits");
    assert!(message.len() <= basis.degree(), "{} coefficients", message.len());
    let modulus = basis.modulus_low(limbs) as u64;
    let rest = |m: &u64| (modulus.wrapping_mul(*m) << (64 - bits)) as i64 >> (64 - bits);
    let rests = Zeroizing::new(message.iter().map(rest).collect::<Vec<i64>>());
    let mut encoded = basis.lift(&rests, limbs);
    for (prime, limb) in basis.primes().iter().zip(encoded.iter_mut()) {
        residues::scale(prime, limb, divided_by_power(prime, bits));
    }
    encoded
}

/// The same for words of up to 100 bits.
pub fn encode_wide(basis: &Basis, limbs: usize, message: &[u128], bits: u32) -> Polynomial<Coefficients> {
    assert!((1..=WIDEST_POWER).contains(&bits), "messages of {bits} bits");
    assert!(message.len() <= basis.degree(), "{} coefficients", message.len());
    let modulus = basis.modulus_low(limbs);
    let mut encoded = Polynomial::zeros(basis.degree(), limbs);
    for (prime, limb) in basis.primes().iter().zip(encoded.iter_mut()) {
        let scale = divided_by_power(prime, bits);
        for (residue, m) in limb.iter_mut().zip(message) {
            let rest = (modulus.wrapping_mul(*m) << (128 - bits)) as i128 >> (128 - bits);
            *residue = prime.mul_factor(prime.reduce_signed_wide(rest), scale);
        }
    }
    encoded
}

/// `-1 / 2^bits`.
fn divided_by_power(prime: &Prime, bits: u32) -> Factor {
    prime.factor(prime.negate(prime.inverse(prime.pow(2, bits.into()))))
}

/// `round(2^bits·x / Q)` modulo `2^bits` for the coefficients of `a` at `places`, `Q` the product of its primes.
pub fn to_power(
    basis: &Basis,
    a: &Polynomial<Coefficients>,
    bits: u32,
    places: impl IntoIterator<Item = usize>,
) -> Vec<u128> {
    assert!((1..=WIDEST_POWER).contains(&bits), "a modulus of {bits} bits");
    let half = 1u128 << (127 - bits);
    places.into_iter().map(|place| fraction(basis, a, place).wrapping_add(half) >> (128 - bits)).collect()
}

/// `round(2^bits·x / Q)` modulo `2^bits`: the message that a ciphertext's phase is nearest to.
pub fn decode(basis: &Basis, a: &Polynomial<Coefficients>, bits: u32) -> Vec<u64> {
    assert!((1..=64).contains(&bits), "messages of {bits} bits");
    let half = 1u128 << (127 - bits);
    let message = |place| (fraction(basis, a, place).wrapping_add(half) >> (128 - bits)) as u64;
    (0..basis.degree()).map(message).collect()
}

/// `x / Q` modulo 1 in units of `2^-128`, for the coefficient `x` at `place`.
pub fn fraction(basis: &Basis, a: &Polynomial<Coefficients>, place: usize) -> u128 {
    let parts = basis.recombination(a.limbs()).iter().zip(basis.primes()).zip(a.iter());
    parts.fold(0, |sum, ((part, prime), limb)| {
        let y = prime.mul_factor(limb[place], part.weight);
        let rest = (y as u128 * part.rest as u128) >> 64;
        sum.wrapping_add(part.fraction.wrapping_mul(y as u128)).wrapping_add(rest)
    })
}

/// Divides by the last prime of `a`, with rounding, which leaves one limb less: `(x - r) / q` for the centred rest `r` of
/// `x` modulo `q`.
pub fn drop_prime(basis: &Basis, a: &mut Polynomial<Coefficients>) {
    let kept = a.limbs() - 1;
    assert!(kept > 0, "a polynomial keeps one prime");
    let last = basis.primes()[kept];
    let dropped = a.limb(kept).to_vec();
    let mut rests = vec![0; dropped.len()];
    for limb in 0..kept {
        let prime = basis.primes()[limb];
        let scale = prime.factor(prime.inverse(prime.reduce(last.value())));
        residues::lift(&last, &dropped, &prime, &mut rests);
        residues::sub_scale(&prime, a.limb_mut(limb), &rests, scale);
    }
    a.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ptc_plan::two_party::parameters::{Parameters, SETS};

    const SMALL: Parameters = Parameters { degree: 64, prime_bits: &[50, 43, 36], kept: 3, special_bits: None };

    /// Numbers of any sign, by their residues.
    fn polynomial(basis: &Basis, limbs: usize, values: &[i128]) -> Polynomial<Coefficients> {
        let mut polynomial = Polynomial::zeros(basis.degree(), limbs);
        for (prime, limb) in basis.primes().iter().zip(polynomial.iter_mut()) {
            limb.iter_mut().zip(values).for_each(|(x, value)| *x = value.rem_euclid(prime.value() as i128) as u64);
        }
        polynomial
    }

    /// `a·2^bits / q` modulo 1, times 2^128, without loss; `a < q < 2^87`.
    fn exact_fraction(a: u128, q: u128) -> u128 {
        let mut rest = a;
        (0..128).fold(0, |fraction, _| {
            rest <<= 1;
            let bit = u128::from(rest >= q);
            rest -= q * bit;
            fraction << 1 | bit
        })
    }

    #[test]
    fn every_width_is_encoded_and_decoded() {
        for set in SETS {
            let basis = Basis::new(&Parameters { degree: 64, ..*set });
            for bits in 1..=64 {
                let top = u64::MAX >> (64 - bits);
                let edges = [0, 1, top, top / 2, top / 2 + 1, top / 3, top - top / 3];
                let message: Vec<u64> = (0..64).map(|at| edges[at % edges.len()] & top).collect();
                for limbs in 1..=basis.limbs() {
                    if basis.modulus_log2(limbs) > f64::from(bits) + 1.0 {
                        let encoded = encode(&basis, limbs, &message, bits);
                        assert_eq!(decode(&basis, &encoded, bits), message, "{bits} bits, {limbs} primes");
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn rounding_is_exact(seed in proptest::collection::vec(any::<u128>(), 1..20), bits in 1u32..=100) {
            let basis = Basis::new(&SMALL);
            // Two primes together are below 2^93, whose numbers can be divided bit by bit.
            let q = basis.modulus_low(2);
            let values: Vec<i128> = seed.iter().map(|x| (x % q) as i128).collect();
            let a = polynomial(&basis, 2, &values);
            for (place, value) in values.iter().enumerate() {
                let expected = exact_fraction(*value as u128, q);
                prop_assert!(expected.wrapping_sub(fraction(&basis, &a, place)) < 16);
                let rounded = to_power(&basis, &a, bits, [place])[0];
                let back = encode_wide(&basis, 2, &[rounded], bits);
                let mut error = a.clone();
                basis.sub_assign(&mut error, &back);
                // Half a unit of the power, and half a one of the encoding.
                let distance = fraction(&basis, &error, place);
                let limit = (1u128 << (127 - bits)) + (1 << 127) / q + 64;
                prop_assert!(place > 0 || distance.min(distance.wrapping_neg()) <= limit);
            }
        }

        #[test]
        fn a_dropped_prime_divides(values in proptest::collection::vec(-(1i128 << 80)..1 << 80, 64)) {
            let basis = Basis::new(&SMALL);
            let mut a = polynomial(&basis, 3, &values);
            drop_prime(&basis, &mut a);
            prop_assert_eq!(a.limbs(), 2);
            let last = basis.primes()[2].value() as i128;
            let rounded: Vec<i128> = values.iter().map(|x| (x + last / 2).div_euclid(last)).collect();
            let expected = polynomial(&basis, 2, &rounded);
            prop_assert!(a.iter().eq(expected.iter()));
        }

        #[test]
        fn wide_words_are_encoded_like_narrow_ones(words in proptest::collection::vec(any::<u64>(), 64), bits in 1u32..=64) {
            let basis = Basis::new(&SMALL);
            let words: Vec<u64> = words.iter().map(|word| word >> (64 - bits)).collect();
            let wide: Vec<u128> = words.iter().map(|word| u128::from(*word)).collect();
            prop_assert!(encode(&basis, 3, &words, bits).iter().eq(encode_wide(&basis, 3, &wide, bits).iter()));
        }
    }
}
