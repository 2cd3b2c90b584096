//! Parameter sets of the encryption, and the bounds that make them safe.

/// Polynomials of `degree` coefficients modulo a product of primes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    pub degree: usize,
    /// Bits of the primes of a ciphertext, each the largest that is left below that power of two.
    pub prime_bits: &'static [u32],
    /// Primes, from the first, that answers have left when they are packed and hidden; keys are for these.
    pub kept: usize,
    /// Bits of the prime that keys for automorphisms have besides; without it there are none.
    pub special_bits: Option<u32>,
}

impl Parameters {
    /// Bits of all primes together, the one of the keys included: what the security depends on.
    pub fn modulus_bits(&self) -> u32 {
        self.prime_bits.iter().sum::<u32>() + self.special_bits.unwrap_or(0)
    }

    /// Bits of a polynomial of a ciphertext for each coefficient.
    pub fn ciphertext_bits(&self) -> u32 {
        self.prime_bits.iter().sum()
    }
}

/// Every set in use; one test holds them against [`largest_modulus_bits`], another works at their limits.
pub const SETS: &[Parameters] = &[
    Parameters { degree: 4096, prime_bits: &[50, 50], kept: 2, special_bits: None },
    Parameters { degree: 4096, prime_bits: &[36, 36, 36], kept: 3, special_bits: None },
    Parameters { degree: 8192, prime_bits: &[49, 49, 30], kept: 2, special_bits: Some(50) },
    Parameters { degree: 8192, prime_bits: &[49, 49, 49], kept: 3, special_bits: Some(50) },
    Parameters { degree: 8192, prime_bits: &[50, 50, 50, 50], kept: 4, special_bits: None },
];

/// The widest modulus with which a secret of uniform -1, 0, 1 and errors of deviation 3.2 resist 2^128 classical steps
/// (Homomorphic Encryption Security Standard, 2018, table 1).
pub fn largest_modulus_bits(degree: usize) -> Option<u32> {
    match degree {
        1024 => Some(27),
        2048 => Some(54),
        4096 => Some(109),
        8192 => Some(218),
        16384 => Some(438),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_within_the_standard() {
        for set in SETS {
            let largest = largest_modulus_bits(set.degree).expect("a degree of the table");
            assert!(set.modulus_bits() <= largest, "{set:?}: {} bits", set.modulus_bits());
            assert!(set.prime_bits.iter().chain(&set.special_bits).all(|bits| (30..=50).contains(bits)), "{set:?}");
            // Digits of the keys are residues of the primes, and their errors are divided by the special prime.
            assert!(
                set.special_bits.is_none_or(|special| set.prime_bits.iter().all(|bits| *bits <= special)),
                "{set:?}"
            );
        }
    }
}
