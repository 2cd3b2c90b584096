//! Random polynomials from seeds: uniform ones, secrets, errors, floods. Constant in time but for uniform ones, whose
//! seeds are public.

use ptc_ring::{Prg, Seed, pack};
use zeroize::Zeroizing;

use crate::basis::Basis;
use crate::polynomial::{Coefficients, Polynomial};

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
pub const ERROR_DEVIATION: f64 = 3.240_370_349_203_930_4;

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

/// Adds uniform numbers of `bits` bits, `-2^(bits - 1)` up to but without `2^(bits - 1)`, `bits <= 100`, to the
/// coefficients at `places`.
pub fn flood(
    basis: &Basis,
    a: &mut Polynomial<Coefficients>,
    stream: &mut Prg,
    bits: u32,
    places: impl IntoIterator<Item = usize> + Clone,
) {
    assert!((1..=100).contains(&bits), "a flood of {bits} bits");
    let count = places.clone().into_iter().count();
    let words = Zeroizing::new(stream.words(2 * count));
    let number = |pair: &[u64; 2]| {
        let word = (pair[1] as u128) << 64 | pair[0] as u128;
        (word << (128 - bits)) as i128 >> (128 - bits)
    };
    for (prime, limb) in basis.primes().iter().zip(a.iter_mut()) {
        for (place, pair) in places.clone().into_iter().zip(words.as_chunks::<2>().0) {
            limb[place] = prime.add(limb[place], prime.reduce_signed_wide(number(pair)));
        }
    }
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

    #[test]
    fn floods_are_as_wide_as_asked() {
        let basis = Basis::new(&Parameters { degree: 4096, prime_bits: &[36, 36, 36], kept: 3, special_bits: None });
        for bits in [1, 2, 40, 64, 65, 100] {
            let mut a = Polynomial::zeros(4096, 3);
            flood(&basis, &mut a, &mut stream(), bits, (0..4096).step_by(2));
            let sizes: Vec<f64> = (0..4096)
                .map(|place| {
                    let fraction = crate::switch::fraction(&basis, &a, place) as i128;
                    (fraction.unsigned_abs() as f64).log2() - 128.0 + basis.modulus_log2(3)
                })
                .collect();
            let largest = sizes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!((largest - f64::from(bits - 1)).abs() < 0.02, "{largest} of {bits} bits");
            // A fraction is too small by some units of 2^-128, 2^-20 here.
            assert!(sizes.iter().skip(1).step_by(2).all(|size| *size < -10.0));
        }
    }
}
