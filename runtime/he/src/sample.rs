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
