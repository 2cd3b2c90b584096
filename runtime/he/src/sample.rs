//! Random polynomials from seeds: uniform ones, secrets, errors. Constant in time but for uniform ones, whose
//! seeds are public.

use ptc_ring::{Prg, Seed, pack};
use zeroize::Zeroizing;

use crate::basis::Basis;
use crate::polynomial::Polynomial;

/// Streams of a seed, by what they are for.
pub(crate) mod domain {
    pub const UNIFORM: u64 = 0x6865_0001;
    pub const SECRET: u64 = 0x6865_0002;
    pub const ERROR: u64 = 0x6865_0003;
}

/// Fair coins whose sum an error is, half of them counted negative: variance 10.5, deviation 3.24.
const COINS: u32 = 42;

/// The largest absolute value of an error's coefficient.
pub const LARGEST_ERROR: u64 = COINS as u64 / 2;

/// The deviation of an error's coefficient.
pub const ERROR_DEVIATION: f64 = 3.240_370_349_203_93;

/// Uniform residues: the `index`-th polynomial of a public seed, which both parties expand alike.
pub fn uniform<Form>(basis: &Basis, limbs: usize, seed: &Seed, index: u64) -> Polynomial<Form> {
    let mut stream = seed.stream(domain::UNIFORM, index);
    let mut polynomial = Polynomial::zeros(basis.degree(), limbs);
    for (prime, limb) in basis.primes().iter().zip(polynomial.iter_mut()) {
        let mut draw = |out: &mut [u64]| {
            let bytes = stream.bytes(pack::packed_len(out.len(), prime.bits()) as usize);
            pack::unpack_from(&bytes, prime.bits(), 0, out);
        };
        draw(limb);
        // The primes are close below powers of two, so that this hardly ever happens.
        for x in limb.iter_mut() {
            while *x >= prime.value() {
                draw(std::slice::from_mut(x));
            }
        }
    }
    polynomial
}

/// Uniform -1, 0, 1, but for 2^-62 (each).
pub fn ternary(stream: &mut Prg, count: usize) -> Zeroizing<Vec<i64>> {
    let words = Zeroizing::new(stream.words(count));
    Zeroizing::new(words.iter().map(|word| ((*word as u128 * 3) >> 64) as i64 - 1).collect())
}

/// Centred binomial: twenty-one coins less twenty-one.
pub fn error(stream: &mut Prg, count: usize) -> Zeroizing<Vec<i64>> {
    let words = Zeroizing::new(stream.words(count));
    let coins = (1u64 << COINS) - 1;
    // The coins that count negative are turned, which adds their number to the sum.
    Zeroizing::new(words.iter().map(|word| (word & coins).count_ones() as i64 - LARGEST_ERROR as i64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polynomial::Slots;
    use ptc_plan::two_party::parameters::{Parameters, SETS};

    const COUNT: usize = 1 << 20;

    fn stream() -> Prg {
        Seed::from_bytes([11; 32]).stream(0, 0)
    }

    #[test]
    fn errors_have_their_deviation() {
        let errors = error(&mut stream(), COUNT);
        let (sum, squares) = errors.iter().fold((0, 0), |(sum, squares), e| (sum + e, squares + e * e));
        // Seven standard deviations of the sum, and of the sum of squares.
        assert!((sum as f64).abs() < 7.0 * (10.5 * COUNT as f64).sqrt(), "sum {sum}");
        let variance = squares as f64 / COUNT as f64;
        assert!((variance - ERROR_DEVIATION * ERROR_DEVIATION).abs() < 0.11, "variance {variance}");
        assert!(errors.iter().all(|e| e.unsigned_abs() <= LARGEST_ERROR));
    }

    #[test]
    fn secrets_are_even() {
        let secret = ternary(&mut stream(), COUNT);
        for value in -1..=1 {
            let count = secret.iter().filter(|x| **x == value).count() as f64;
            assert!((count - COUNT as f64 / 3.0).abs() < 7.0 * (COUNT as f64 * 2.0 / 9.0).sqrt(), "{count} of {value}");
        }
    }

    #[test]
    fn uniform_residues_are_reduced_and_repeat() {
        for set in SETS {
            let basis = Basis::new(set);
            let seed = Seed::from_bytes([12; 32]);
            let a: Polynomial<Slots> = uniform(&basis, basis.limbs(), &seed, 5);
            assert!(a.iter().eq(uniform::<Slots>(&basis, basis.limbs(), &seed, 5).iter()));
            assert!(!a.iter().eq(uniform::<Slots>(&basis, basis.limbs(), &seed, 6).iter()));
            for (prime, limb) in basis.primes().iter().zip(a.iter()) {
                assert!(limb.iter().all(|x| *x < prime.value()));
                let mean = limb.iter().map(|x| *x as f64 / prime.value() as f64).sum::<f64>() / limb.len() as f64;
                assert!((mean - 0.5).abs() < 7.0 * (12.0 * limb.len() as f64).sqrt().recip(), "mean {mean}");
            }
        }
    }

    /// Far below its power of two, so that many draws are refused.
    #[test]
    fn refused_draws_are_replaced() {
        let basis = Basis::new(&Parameters { degree: 2048, prime_bits: &[14], kept: 1, special_bits: None });
        let a: Polynomial<Slots> = uniform(&basis, 1, &Seed::from_bytes([12; 32]), 0);
        assert_eq!(basis.primes()[0].value(), 12289);
        assert!(a.limb(0).iter().all(|x| *x < 12289));
    }
}
