//! Between residues modulo `Q` and powers of two: encoding, decoding, smaller moduli.
//!
//! A fraction `x / Q` modulo 1 is held in 128 bits, from the residues alone: `x / Q` is the sum of `y_i / q_i` with
//! `y_i = x_i·(Q/q_i)^-1` modulo `q_i`. Each term is too small by less than three units, so that a sum of at most five is by
//! less than `2^4 / 2^128`. Rounded to `b <= 100` bits it differs from `2^b·x/Q` by at most `1/2 + 2^(b - 124)`.

use crate::basis::Basis;
use crate::polynomial::{Coefficients, Polynomial};
use crate::prime::{Factor, Prime};

/// Bits of the widest power of two that residues are rounded to.
pub const WIDEST_POWER: u32 = 100;

/// `round(Q·m / 2^bits)` modulo `Q` for `m` in `Z_2^bits`, `bits <= 64`: with `r` the centred rest of `Q·m` modulo `2^bits`,
/// that is `(Q·m - r) / 2^bits`, which modulo each prime of `Q` is `-r / 2^bits`. Coefficients beyond `message` are zero.
pub fn encode(basis: &Basis, limbs: usize, message: &[u64], bits: u32) -> Polynomial<Coefficients> {
    assert!((1..=64).contains(&bits), "messages of {bits} bits");
    assert!(message.len() <= basis.degree(), "{} coefficients", message.len());
    let modulus = basis.modulus_low(limbs) as u64;
    let mut encoded = Polynomial::zeros(basis.degree(), limbs);
    for (prime, limb) in basis.primes().iter().zip(encoded.iter_mut()) {
        let scale = divided_by_power(prime, bits);
        for (residue, m) in limb.iter_mut().zip(message) {
            let rest = (modulus.wrapping_mul(*m) << (64 - bits)) as i64 >> (64 - bits);
            *residue = prime.mul_factor(prime.reduce_signed(rest), scale);
        }
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
    for limb in 0..kept {
        let prime = basis.primes()[limb];
        let scale = prime.factor(prime.inverse(prime.reduce(last.value())));
        for (x, rest) in a.limb_mut(limb).iter_mut().zip(&dropped) {
            // The centred rest plus the dropped prime's half, less that half.
            let half = last.value() / 2;
            let raised = prime.reduce(last.once(rest + half));
            let rest = prime.sub(raised, prime.reduce(half));
            *x = prime.mul_factor(prime.sub(*x, rest), scale);
        }
    }
    a.truncate(kept);
}
