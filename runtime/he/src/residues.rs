//! Loops over residues of one prime, in vectors where the machine has 52-bit multipliers.
//!
//! All residues are reduced, before and after. Both ways give the same words.

use crate::prime::{Factor, Prime};

#[cfg(target_arch = "x86_64")]
mod ifma;
mod portable;

/// `a += b`.
pub fn add(prime: &Prime, a: &mut [u64], b: &[u64]) {
    assert_eq!(a.len(), b.len(), "as many residues");
    #[cfg(target_arch = "x86_64")]
    if ifma::fits(a.len()) {
        return ifma::add(prime, a, b);
    }
    portable::add(prime, a, b);
}

/// `a -= b`.
pub fn sub(prime: &Prime, a: &mut [u64], b: &[u64]) {
    assert_eq!(a.len(), b.len(), "as many residues");
    #[cfg(target_arch = "x86_64")]
    if ifma::fits(a.len()) {
        return ifma::sub(prime, a, b);
    }
    portable::sub(prime, a, b);
}

/// `a *= b`.
pub fn mul(prime: &Prime, a: &mut [u64], b: &[u64]) {
    assert_eq!(a.len(), b.len(), "as many residues");
    #[cfg(target_arch = "x86_64")]
    if ifma::fits(a.len()) {
        return ifma::mul(prime, a, b);
    }
    portable::mul(prime, a, b);
}

/// `sum += a·b`.
pub fn add_product(prime: &Prime, sum: &mut [u64], a: &[u64], b: &[u64]) {
    assert!(sum.len() == a.len() && a.len() == b.len(), "as many residues");
    #[cfg(target_arch = "x86_64")]
    if ifma::fits(a.len()) {
        return ifma::add_product(prime, sum, a, b);
    }
    portable::add_product(prime, sum, a, b);
}

/// `a *= factor`.
pub fn scale(prime: &Prime, a: &mut [u64], factor: Factor) {
    #[cfg(target_arch = "x86_64")]
    if ifma::fits(a.len()) {
        return ifma::scale(prime, a, factor);
    }
    portable::scale(prime, a, factor);
}

/// `a = (a - b)·factor`.
pub fn sub_scale(prime: &Prime, a: &mut [u64], b: &[u64], factor: Factor) {
    assert_eq!(a.len(), b.len(), "as many residues");
    #[cfg(target_arch = "x86_64")]
    if ifma::fits(a.len()) {
        return ifma::sub_scale(prime, a, b, factor);
    }
    portable::sub_scale(prime, a, b, factor);
}

/// Residues modulo `from`, centred, become residues modulo `to`.
pub fn lift(from: &Prime, residues: &[u64], to: &Prime, out: &mut [u64]) {
    assert_eq!(residues.len(), out.len(), "as many residues");
    #[cfg(target_arch = "x86_64")]
    if ifma::fits(out.len()) {
        return ifma::lift(from, residues, to, out);
    }
    portable::lift(from, residues, to, out);
}

/// Signed numbers become residues.
pub fn of_signed(prime: &Prime, values: &[i64], out: &mut [u64]) {
    assert_eq!(values.len(), out.len(), "as many residues");
    #[cfg(target_arch = "x86_64")]
    if ifma::fits(out.len()) {
        return ifma::of_signed(prime, values, out);
    }
    portable::of_signed(prime, values, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prime::choose;
    use proptest::prelude::*;

    type Loop = fn(&Prime, &Prime, &mut [u64], &[u64], &[u64], Factor);

    fn signed(words: &[u64]) -> Vec<i64> {
        words.iter().map(|word| *word as i64).collect()
    }

    /// Each loop, by itself and word by word.
    const LOOPS: &[(Loop, Loop)] = &[
        (|p, _, a, b, _, _| add(p, a, b), |p, _, a, b, _, _| portable::add(p, a, b)),
        (|p, _, a, b, _, _| sub(p, a, b), |p, _, a, b, _, _| portable::sub(p, a, b)),
        (|p, _, a, b, _, _| mul(p, a, b), |p, _, a, b, _, _| portable::mul(p, a, b)),
        (|p, _, a, b, c, _| add_product(p, a, b, c), |p, _, a, b, c, _| portable::add_product(p, a, b, c)),
        (|p, _, a, _, _, f| scale(p, a, f), |p, _, a, _, _, f| portable::scale(p, a, f)),
        (|p, _, a, b, _, f| sub_scale(p, a, b, f), |p, _, a, b, _, f| portable::sub_scale(p, a, b, f)),
        (|p, q, a, b, _, _| lift(p, b, q, a), |p, q, a, b, _, _| portable::lift(p, b, q, a)),
        (|p, q, a, b, _, _| lift(q, b, p, a), |p, q, a, b, _, _| portable::lift(q, b, p, a)),
    ];

    proptest! {
        #[test]
        fn vectors_do_as_words_do(words in proptest::collection::vec(any::<u64>(), 72), bits in 30u32..=50, other in 30u32..=50) {
            let primes = choose(64, &[bits, other]);
            let [prime, other] = [&primes[0], &primes[1]];
            // Small enough for both primes, edges among them.
            let limit = prime.value().min(other.value());
            let mut words: Vec<u64> = words.iter().map(|word| word % limit).collect();
            words[..4].copy_from_slice(&[0, limit - 1, limit / 2, limit / 2 + 1]);
            words[24..28].copy_from_slice(&[limit - 1, limit - 1, 0, limit / 2]);
            let (a, b, c) = (&words[..24], &words[24..48], &words[48..]);
            let factor = prime.factor(words[71]);
            for (at, (fast, plain)) in LOOPS.iter().enumerate() {
                let (mut found, mut expected) = (a.to_vec(), a.to_vec());
                fast(prime, other, &mut found, b, c, factor);
                plain(prime, other, &mut expected, b, c, factor);
                prop_assert_eq!(found, expected, "loop {}", at);
            }
        }

        #[test]
        fn signed_numbers_are_reduced(mut words in proptest::collection::vec(any::<u64>(), 24), bits in 30u32..=50) {
            let prime = choose(64, &[bits])[0];
            let p = prime.value();
            words[..8].copy_from_slice(&[0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, p, p.wrapping_neg(), (1 << 63) + 1]);
            let values = signed(&words);
            let mut found = vec![0; 24];
            of_signed(&prime, &values, &mut found);
            let expected: Vec<u64> = values.iter().map(|x| x.rem_euclid(p as i64) as u64).collect();
            prop_assert_eq!(&found, &expected);
            portable::of_signed(&prime, &values, &mut found);
            prop_assert_eq!(&found, &expected);
        }
    }
}
