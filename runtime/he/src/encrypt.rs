//! Ciphertexts: made with the secret key, made fresh with the public one, opened.

use ptc_ring::{Prg, Seed};
use zeroize::Zeroizing;

use crate::basis::Basis;
use crate::keys::{PublicKey, SecretKey, subtract_product};
use crate::polynomial::{Coefficients, Polynomial, Slots};
use crate::residues;
use crate::sample;
use crate::switch::decode;

/// `c0 + c1·s = round(Q·m / 2^k) + e`.
pub struct Ciphertext<Form> {
    pub c0: Polynomial<Form>,
    pub c1: Polynomial<Form>,
}

/// First half of a fresh encryption of what `encoded` stands for, `encoded + e - a·s`; the second is `a`, the `index`-th
/// uniform polynomial of the public `seed` ([`expand`]). No index of a seed is used twice.
pub fn encrypt(
    basis: &Basis,
    secret: &SecretKey,
    mut encoded: Polynomial<Coefficients>,
    seed: &Seed,
    index: u64,
    noise: &mut Prg,
) -> Polynomial<Slots> {
    add_error(basis, &mut encoded, noise);
    let a = sample::uniform(basis, encoded.limbs(), seed, index);
    // Where the message was is what goes out.
    let mut c0 = basis.forward(encoded);
    subtract_product(basis, secret, &a, &mut c0);
    c0
}

/// The ciphertext whose first half is `c0`.
pub fn expand(basis: &Basis, c0: Polynomial<Slots>, seed: &Seed, index: u64) -> Ciphertext<Slots> {
    let c1 = sample::uniform(basis, c0.limbs(), seed, index);
    Ciphertext { c0, c1 }
}

/// A ciphertext that does not tell how it came about but by its noise: a fresh encryption of zero is added,
/// `(b·u + e0, a·u + e1)`.
pub fn refresh(
    basis: &Basis,
    public: &PublicKey,
    mut ciphertext: Ciphertext<Slots>,
    noise: &mut Prg,
) -> Ciphertext<Coefficients> {
    let limbs = ciphertext.c0.limbs();
    let u = sample::ternary(noise, basis.degree());
    let u = Zeroizing::new(basis.forward(basis.lift(&u, limbs)));
    let mut half = |c: &mut Polynomial<Slots>, key: &Polynomial<Slots>| {
        for (at, prime) in basis.primes()[..limbs].iter().enumerate() {
            residues::add_product(prime, c.limb_mut(at), key.limb(at), u.limb(at));
        }
        let mut fresh = basis.inverse(c.clone());
        add_error(basis, &mut fresh, noise);
        fresh
    };
    let c0 = half(&mut ciphertext.c0, &public.b);
    let c1 = half(&mut ciphertext.c1, &public.a);
    Ciphertext { c0, c1 }
}

fn add_error(basis: &Basis, a: &mut Polynomial<Coefficients>, noise: &mut Prg) {
    let error = sample::error(noise, basis.degree());
    basis.add_assign(a, &Zeroizing::new(basis.lift(&error, a.limbs())));
}

/// `c0 + c1·s`.
pub fn phase(basis: &Basis, secret: &SecretKey, ciphertext: &Ciphertext<Slots>) -> Polynomial<Coefficients> {
    let mut sum = secret.times(basis, &ciphertext.c1);
    basis.add_assign(&mut sum, &ciphertext.c0);
    basis.inverse(sum)
}

/// The message in `Z_2^bits`. It is the right one when the noise is below `Q / 2^(bits + 1)·(1 - 2^-50)`.
pub fn decrypt(basis: &Basis, secret: &SecretKey, ciphertext: &Ciphertext<Slots>, bits: u32) -> Vec<u64> {
    decode(basis, &Zeroizing::new(phase(basis, secret, ciphertext)), bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accumulate::dot;
    use crate::automorphism::of_coefficients;
    use crate::keys::AutomorphismKey;
    use crate::keys::{publish, published_len, read_published};
    use crate::prime::Prime;
    use crate::sample::{ERROR_DEVIATION, domain};
    use crate::switch::{drop_prime, encode, encode_wide, to_power};
    use ptc_plan::two_party::parameters::{Parameters, SETS};

    struct Fixture {
        basis: Basis,
        secret: SecretKey,
        noise: Prg,
    }

    fn fixture(set: &Parameters) -> Fixture {
        let (basis, seed) = (Basis::new(set), Seed::from_bytes([21; 32]));
        Fixture { secret: SecretKey::from_seed(&basis, &seed), noise: seed.stream(domain::ERROR, 0), basis }
    }

    impl Fixture {
        fn encrypt(&mut self, message: &[u64], bits: u32, index: u64) -> Ciphertext<Slots> {
            let seed = Seed::from_bytes([22; 32]);
            let encoded = encode(&self.basis, self.basis.limbs(), message, bits);
            let c0 = encrypt(&self.basis, &self.secret, encoded, &seed, index, &mut self.noise);
            expand(&self.basis, c0, &seed, index)
        }

        /// `log2` of the largest coefficient of the noise.
        fn noise(&self, ciphertext: &Ciphertext<Slots>, message: &[u64], bits: u32) -> f64 {
            let limbs = ciphertext.c0.limbs();
            let mut error = phase(&self.basis, &self.secret, ciphertext);
            self.basis.sub_assign(&mut error, &encode(&self.basis, limbs, message, bits));
            let signed = |prime: &Prime, x: u64| {
                let x = x as i64;
                if x > prime.value() as i64 / 2 { x - prime.value() as i64 } else { x }
            };
            let first: Vec<i64> = error.limb(0).iter().map(|x| signed(&self.basis.primes()[0], *x)).collect();
            for (prime, limb) in self.basis.primes().iter().zip(error.iter()) {
                assert!(limb.iter().zip(&first).all(|(x, e)| signed(prime, *x) == *e), "noise beyond half a prime");
            }
            let largest = first.iter().map(|e| e.unsigned_abs()).max().expect("there are coefficients");
            (largest as f64).log2()
        }
    }

    /// An encryption under `s` of the message's image under the key's automorphism: the image of `(c0, c1)` is one under
    /// `s(x^g)`, whose second half is switched.
    fn apply(basis: &Basis, key: &AutomorphismKey, ciphertext: &Ciphertext<Coefficients>) -> Ciphertext<Coefficients> {
        let image = of_coefficients(basis, &ciphertext.c1, key.power);
        let [mut c0, c1] = switch_key(basis, key, &image);
        basis.add_assign(&mut c0, &of_coefficients(basis, &ciphertext.c0, key.power));
        Ciphertext { c0, c1 }
    }

    /// An encryption under `s` of `half·s(x^g)`. The residues of `half` are multiplied with the key's pairs modulo all primes;
    /// division by the special prime leaves a small error.
    fn switch_key(
        basis: &Basis,
        key: &AutomorphismKey,
        half: &Polynomial<Coefficients>,
    ) -> [Polynomial<Coefficients>; 2] {
        let (limbs, all, degree) = (basis.limbs(), basis.key_limbs(), basis.degree());
        assert_eq!(half.limbs(), limbs, "a ciphertext modulo all primes but the special one");
        let mut digits = Polynomial::<Slots>::zeros(degree, limbs);
        let mut sums = [Polynomial::<Slots>::zeros(degree, all), Polynomial::zeros(degree, all)];
        for limb in 0..all {
            let transform = basis.transform(limb);
            for (digit, lifted) in digits.iter_mut().enumerate() {
                residues::lift(&basis.primes()[digit], half.limb(digit), transform.prime(), lifted);
                transform.forward(lifted);
            }
            let left: Vec<&[u64]> = digits.iter().collect();
            let right: Vec<&[u64]> = key.digits.iter().flatten().map(|half| half.limb(limb)).collect();
            let mut out: Vec<&mut [u64]> = sums.iter_mut().map(|sum| sum.limb_mut(limb)).collect();
            dot(transform, limbs, &left, &right, &mut out);
        }
        sums.map(|sum| {
            let mut sum = basis.inverse(sum);
            drop_prime(basis, &mut sum);
            sum
        })
    }

    /// Edges first, then whatever comes.
    fn messages(degree: usize, bits: u32) -> Vec<u64> {
        let top = u64::MAX >> (64 - bits);
        let mut message = Seed::from_bytes([23; 32]).stream(0, 0).ring(bits, degree);
        message[..6].copy_from_slice(&[0, 1 & top, top, top / 2, (top / 2 + 1) & top, (top - 1) & top]);
        message
    }

    #[test]
    fn every_width_comes_back() {
        for set in SETS {
            let mut f = fixture(set);
            for bits in (1..=64).filter(|bits| *bits + 6 < set.ciphertext_bits()) {
                let message = messages(set.degree, bits);
                let ciphertext = f.encrypt(&message, bits, bits.into());
                assert!(decrypt(&f.basis, &f.secret, &ciphertext, bits) == message, "{bits} bits, {set:?}");
                // Twenty-one, and half a unit of the encoding.
                assert!(f.noise(&ciphertext, &message, bits) < 21.6f64.log2());
            }
        }
    }

    #[test]
    fn refreshed_ciphertexts_hold_the_same() {
        for set in SETS {
            let mut f = fixture(set);
            let message = messages(set.degree, 40);
            let published = publish(&f.basis, &f.secret, &[]).unwrap();
            let keys = read_published(&f.basis, &[], &published).unwrap();
            let ciphertext = f.encrypt(&message, 40, 0);
            let before = ciphertext.c1.clone();
            let fresh = refresh(&f.basis, &keys.zero, ciphertext, &mut f.noise);
            let fresh = Ciphertext { c0: f.basis.forward(fresh.c0), c1: f.basis.forward(fresh.c1) };
            assert!(!fresh.c1.iter().eq(before.iter()));
            assert!(decrypt(&f.basis, &f.secret, &fresh, 40) == message);
            // Two products of an error with a ternary polynomial and two errors; seven deviations and a half.
            let deviation = ERROR_DEVIATION * (4.0 / 3.0 * set.degree as f64 + 2.0).sqrt();
            assert!(f.noise(&fresh, &message, 40) < (7.5 * deviation).log2());
        }
    }

    #[test]
    fn automorphisms_map_the_message() {
        for set in SETS.iter().filter(|set| set.special_bits.is_some()) {
            // Modulo the primes that packed answers have.
            let set = &Parameters { prime_bits: &set.prime_bits[..set.kept], ..*set };
            let mut f = fixture(set);
            let powers = [3, set.degree + 1, set.degree / 4 + 1];
            let published = publish(&f.basis, &f.secret, &powers).unwrap();
            assert_eq!(published.len(), published_len(&f.basis, powers.len()));
            let keys = read_published(&f.basis, &powers, &published).unwrap();
            let message = messages(set.degree, 37);
            let ciphertext = f.encrypt(&message, 37, 0);
            let ciphertext = Ciphertext { c0: f.basis.inverse(ciphertext.c0), c1: f.basis.inverse(ciphertext.c1) };
            for key in &keys.automorphisms {
                let mapped = apply(&f.basis, key, &ciphertext);
                let mapped = Ciphertext { c0: f.basis.forward(mapped.c0), c1: f.basis.forward(mapped.c1) };
                // The image of the message: residues modulo a prime are as good as those modulo a power of two.
                let image = of_coefficients(&f.basis, &encode(&f.basis, f.basis.limbs(), &message, 37), key.power);
                let image = decode(&f.basis, &image, 37);
                assert!(decrypt(&f.basis, &f.secret, &mapped, 37) == image, "x^{}", key.power);
                // Errors times digits, divided by the special prime; then half units times the secret.
                let ratio = set.prime_bits.iter().map(|bits| f64::from(*bits)).fold(0.0, f64::max)
                    - f64::from(set.special_bits.unwrap_or(0));
                let products =
                    ERROR_DEVIATION * (f.basis.limbs() as f64 * set.degree as f64 / 12.0).sqrt() * ratio.exp2();
                let rounding = (set.degree as f64 / 18.0).sqrt();
                let limit = 7.5 * products.hypot(rounding) + 22.0;
                let found = f.noise(&mapped, &image, 37);
                assert!(found < limit.log2(), "noise of {found} bits, x^{}, {set:?}", key.power);
            }
        }
    }

    #[test]
    fn smaller_moduli_hold_the_same() {
        for set in SETS {
            let mut f = fixture(set);
            let (bits, degree) = (33, set.degree);
            let message = messages(degree, bits);
            let mut ciphertext = f.encrypt(&message, bits, 0);
            // One prime less each time, while the message fits.
            for limbs in (2..f.basis.limbs()).rev() {
                let halves = [ciphertext.c0, ciphertext.c1].map(|half| {
                    let mut half = f.basis.inverse(half);
                    drop_prime(&f.basis, &mut half);
                    f.basis.forward(half)
                });
                let [c0, c1] = halves;
                ciphertext = Ciphertext { c0, c1 };
                assert_eq!(ciphertext.c0.limbs(), limbs);
                assert!(decrypt(&f.basis, &f.secret, &ciphertext, bits) == message);
                // Half units times the secret, and what was there before.
                let limit = 7.5 * (degree as f64 / 18.0).sqrt() + 22.0;
                assert!(f.noise(&ciphertext, &message, bits) < limit.log2());
            }
            // A power of two: few bits in the first half, ten more in the second.
            let (first, second) = (bits + 2, bits + 11);
            let (c0, c1) = (f.basis.inverse(ciphertext.c0), f.basis.inverse(ciphertext.c1));
            let c0 = to_power(&f.basis, &c0, first, 0..degree);
            let c1 = to_power(&f.basis, &c1, second, 0..degree);
            let c0 = f.basis.forward(encode_wide(&f.basis, 2, &c0, first));
            let c1 = f.basis.forward(encode_wide(&f.basis, 2, &c1, second));
            assert!(decrypt(&f.basis, &f.secret, &Ciphertext { c0, c1 }, bits) == message);
        }
    }

    #[test]
    fn malformed_keys_are_refused() {
        let set = SETS.iter().find(|set| set.special_bits.is_some()).unwrap();
        let f = fixture(set);
        let published = publish(&f.basis, &f.secret, &[3]).unwrap();
        assert!(read_published(&f.basis, &[3], &published[1..]).is_err());
        assert!(read_published(&f.basis, &[], &published).is_err());
        assert!(read_published(&f.basis, &[3, 5], &published).is_err());
        // Ones are more than any prime.
        let mut wrong = published;
        wrong[32..64].fill(0xff);
        assert!(read_published(&f.basis, &[3], &wrong).is_err());
    }
}
