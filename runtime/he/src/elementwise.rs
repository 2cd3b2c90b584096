//! Elementwise products of the client's encrypted numbers with the server's own, as shares.
//!
//! Input: the client's `x`, the server's `y`, signed numbers of a ring `Z_2^bits`. Output: shares modulo `t` of the integers
//! `v + B`, `v` the sum over terms of `x·y` and `B = terms·2^(2·bits - 2)`, `t > 4·B` a product of two primes. The shares'
//! integers sum to `v + B` or to that plus `t`; as `v + B` is below `t/2`, it is the former exactly when both are
//! below `t/2`: each party has a bit, and their product is the wrap ([`Shares`]).
//!
//! A plain polynomial holds a number modulo `t` in each slot, so that polynomials multiply slot by slot. Messages: the
//! client sends fresh encryptions, which reveal nothing without its key (ring learning with errors). The server answers
//! with the sum of products less its uniform share, refreshed by an encryption of zero and flooded: the client learns its
//! share, and beyond a statistical distance of `2^-40` nothing of `y`.

use ptc_net::PeerError;
use ptc_plan::two_party::elementwise::{CIPHER_PRIMES, Elementwise, SEED_BYTES, Slotted};
use ptc_ring::tensor::{mask, wipe};
use ptc_ring::{Prg, Seed};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::accumulate::Accumulator;
use crate::basis::Basis;
use crate::encrypt::{Ciphertext, encrypt, expand, phase, refresh};
use crate::keys::{PublicKey, SecretKey};
use crate::ntt::Transform;
use crate::polynomial::{Coefficients, Polynomial, Slots};
use crate::prime::{Factor, Prime, choose};
use crate::sample::domain;
use crate::switch::{encode_wide, fraction, to_power};
use crate::wire::{Reader, read_polynomial, read_power, write_polynomial, write_power};

/// Limbs with which an answer is opened: three primes are wider than its coefficients.
const OPENING_LIMBS: usize = 3;

/// The tables of one [`Slotted`].
pub struct Slotting {
    slotted: Slotted,
    basis: Basis,
    plain: [Transform; 2],
    /// `t`.
    modulus: u128,
    /// `1/t1` modulo `t2`.
    joint: Factor,
    /// `Q` modulo `t1` and `t2`.
    scale: [Factor; 2],
    /// Modulo each prime of a ciphertext: `t1`, `t`, `-1/t`.
    of_primes: Vec<[Factor; 3]>,
}

/// What a party has of the products.
pub struct Shares {
    /// Its share of `v + B`, modulo `2^bits`.
    pub low: Vec<u64>,
    /// Whether the share's integer is below `t/2`, a plane of bits.
    pub below: Vec<u64>,
}

impl Drop for Shares {
    fn drop(&mut self) {
        wipe(&mut self.low);
        wipe(&mut self.below);
    }
}

impl Slotting {
    pub fn new(slotted: &Slotted) -> Slotting {
        let bits = [&[slotted.prime_bits; CIPHER_PRIMES][..], &slotted.plain_bits].concat();
        let chosen = choose(slotted.degree, &bits);
        let basis = Basis::new(&slotted.parameters());
        let (primes, plain) = chosen.split_at(CIPHER_PRIMES);
        assert_eq!(basis.primes(), primes, "a basis has the primes that its widths name");
        let &[first, second] = plain else { unreachable!("a plain modulus has two primes") };
        let product = |prime: &Prime| primes.iter().fold(1, |q, p| prime.mul(q, p.value() % prime.value()));
        let of_prime = |prime: &Prime| {
            let t = prime.mul(first.value() % prime.value(), second.value() % prime.value());
            [prime.factor(first.value()), prime.factor(t), prime.factor(prime.negate(prime.inverse(t)))]
        };
        Slotting {
            slotted: *slotted,
            modulus: first.value() as u128 * second.value() as u128,
            joint: second.factor(second.inverse(first.value() % second.value())),
            scale: [&first, &second].map(|prime| prime.factor(product(prime))),
            of_primes: primes.iter().map(of_prime).collect(),
            plain: [first, second].map(|prime| Transform::new(prime, slotted.degree)),
            basis,
        }
    }

    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// `t`.
    pub fn modulus(&self) -> u128 {
        self.modulus
    }

    /// Coefficients modulo `t1` and `t2` of the polynomial with these slots.
    fn interpolate(&self, mut slots: [Vec<u64>; 2]) -> [Vec<u64>; 2] {
        self.plain.iter().zip(&mut slots).for_each(|(transform, slots)| transform.inverse(slots));
        slots
    }

    /// Residues of the polynomial's centred coefficients, each times the `at`-th factor of the primes if there is one.
    fn lift(&self, coefficients: &[Vec<u64>; 2], encoded: bool) -> Polynomial<Coefficients> {
        let mut lifted = Polynomial::zeros(self.slotted.degree, CIPHER_PRIMES);
        let half = self.modulus / 2;
        let mut joined: Zeroizing<Vec<(u64, u64, u64)>> = Zeroizing::new(Vec::with_capacity(self.slotted.degree));
        for (a, b) in coefficients[0].iter().zip(&coefficients[1]) {
            let (high, value) = self.join(*a, *b);
            // All ones where the number counts as negative.
            let negative = ((half as i128 - value as i128) >> 127) as u64;
            joined.push((*a, high, negative));
        }
        for ((prime, [first, t, scale]), limb) in self.basis.primes().iter().zip(&self.of_primes).zip(lifted.iter_mut())
        {
            for (out, (low, high, negative)) in limb.iter_mut().zip(joined.iter()) {
                let value = prime.add(prime.reduce(*low), prime.mul_factor(*high, *first));
                let value = prime.sub(value, t.value & negative);
                *out = if encoded { prime.mul_factor(value, *scale) } else { value };
            }
        }
        lifted
    }

    /// The number modulo `t` with residues `a` and `b`: `a + t1·h`; `h` first.
    #[inline(always)]
    fn join(&self, a: u64, b: u64) -> (u64, u128) {
        let [first, second] = [&self.plain[0], &self.plain[1]].map(Transform::prime);
        let high = second.mul_factor(second.sub(b, second.reduce(a)), self.joint);
        (high, a as u128 + first.value() as u128 * high as u128)
    }

    /// Slots modulo `t1` and `t2` of signed numbers of `bits` bits; those beyond are zero.
    fn slots(&self, x: &[u64], bits: u32) -> [Vec<u64>; 2] {
        let signed = |x: &u64| (x << (64 - bits)) as i64 >> (64 - bits);
        [0, 1].map(|at| {
            let prime = self.plain[at].prime();
            let mut slots = vec![0; self.slotted.degree];
            slots.iter_mut().zip(x).for_each(|(slot, x)| *slot = prime.reduce_signed(signed(x)));
            slots
        })
    }

    /// `round(Q·m / t)` for the polynomial `m` with these slots: `-r/t` for the centred rest `r` of `Q·m` modulo `t`.
    fn encode(&self, mut slots: [Vec<u64>; 2]) -> Polynomial<Coefficients> {
        for ((transform, scale), slots) in self.plain.iter().zip(&self.scale).zip(&mut slots) {
            slots.iter_mut().for_each(|slot| *slot = transform.prime().mul_factor(*slot, *scale));
        }
        let coefficients = Zeroizing::new(self.interpolate(slots));
        self.lift(&coefficients, true)
    }

    /// Shares from their residues modulo `t1` and `t2`.
    fn shares(&self, [a, b]: &[Vec<u64>; 2], count: usize, bits: u32, out: (&mut [u64], &mut [u64])) {
        let half = self.modulus / 2;
        for (at, (a, b)) in a.iter().zip(b).take(count).enumerate() {
            let (_, value) = self.join(*a, *b);
            out.0[at] = value as u64 & mask(bits);
            out.1[at / 64] |= ((value as i128 - half as i128) as u128 >> 127) as u64 * (1 << (at % 64));
        }
    }
}

/// `B`, by which products are made positive.
pub fn offset(product: &Elementwise) -> u128 {
    (product.terms as u128) << (2 * product.bits - 2)
}

/// The client's request: `factors` are its vectors, one for each term.
pub fn request(
    slotting: &Slotting,
    secret: &SecretKey,
    product: &Elementwise,
    factors: &[&[u64]],
) -> std::io::Result<Vec<u8>> {
    assert!(factors.len() == product.terms && factors.iter().all(|x| x.len() == product.count), "a vector a term");
    let (seed, own) = (Seed::fresh()?, Seed::fresh()?);
    let blocks = product.ciphertexts();
    let each = |at: usize| {
        let (block, term) = (at / product.terms, at % product.terms);
        let slots = slotting.slots(block_of(slotting, factors[term], block), product.bits);
        let noise = &mut own.stream(domain::ERROR, at as u64);
        let c0 = encrypt(&slotting.basis, secret, slotting.encode(slots), &seed, at as u64, noise);
        let mut bytes = vec![];
        write_polynomial(&slotting.basis, &c0, &mut bytes);
        bytes
    };
    let ciphertexts: Vec<Vec<u8>> = (0..blocks * product.terms).into_par_iter().map(each).collect();
    let mut message = Vec::with_capacity(product.request_bytes(&slotting.slotted) as usize);
    message.extend(seed.as_bytes());
    ciphertexts.iter().for_each(|bytes| message.extend(bytes));
    Ok(message)
}

/// The server's answer to a request, and its shares: `factors` are its vectors, one for each term.
pub fn answer(
    slotting: &Slotting,
    public: &PublicKey,
    product: &Elementwise,
    message: &[u8],
    factors: &[&[u64]],
) -> Result<(Vec<u8>, Shares), PeerError> {
    assert!(factors.len() == product.terms && factors.iter().all(|y| y.len() == product.count), "a vector a term");
    let expected = product.request_bytes(&slotting.slotted) as usize;
    if message.len() != expected {
        return Err(PeerError::WrongLength { expected, found: message.len() });
    }
    let mut reader = Reader::new(message);
    let seed = reader.seed()?;
    let own = Seed::fresh().map_err(PeerError::Io)?;
    let ciphertexts = reader.take(expected - SEED_BYTES as usize)?;
    let each = ciphertexts.len() / (product.ciphertexts() * product.terms).max(1);
    let blocks: Vec<&[u8]> = ciphertexts.chunks(product.terms * each.max(1)).collect();
    let one = |(block, bytes): (usize, &&[u8])| {
        let mut noise = own.stream(domain::ERROR, block as u64);
        let sum = multiply(slotting, product, &seed, block, bytes, factors)?;
        let share = Zeroizing::new(uniform(slotting, &mut noise));
        let fresh = refresh(&slotting.basis, public, sum, &mut noise);
        Ok((respond(slotting, product, fresh, &share, &mut noise), share))
    };
    let done: Result<Vec<_>, PeerError> = blocks.par_iter().enumerate().map(one).collect();
    let mut message = Vec::with_capacity(product.answer_bytes(&slotting.slotted) as usize);
    let mut residues = vec![];
    for (bytes, share) in done? {
        message.extend(bytes);
        residues.push(share);
    }
    Ok((message, collect(slotting, product, &residues)))
}

/// The client's shares from an answer.
pub fn open(
    slotting: &Slotting,
    secret: &SecretKey,
    product: &Elementwise,
    message: &[u8],
) -> Result<Shares, PeerError> {
    let (slotted, degree) = (&slotting.slotted, slotting.slotted.degree);
    let expected = product.answer_bytes(slotted) as usize;
    if message.len() != expected {
        return Err(PeerError::WrongLength { expected, found: message.len() });
    }
    let each = expected / product.ciphertexts().max(1);
    let blocks: Vec<&[u8]> = message.chunks(each.max(1)).collect();
    let one = |bytes: &&[u8]| {
        let mut reader = Reader::new(bytes);
        let slope = read_power(degree, slotted.slope_bits, &mut reader)?;
        let body = read_power(degree, slotted.body_bits, &mut reader)?;
        let slope = encode_wide(&slotting.basis, OPENING_LIMBS, &slope, slotted.slope_bits);
        let ciphertext = Ciphertext { c0: Polynomial::zeros(degree, OPENING_LIMBS), c1: slotting.basis.forward(slope) };
        let phase = Zeroizing::new(phase(&slotting.basis, secret, &ciphertext));
        let mut residues = [vec![0; degree], vec![0; degree]];
        for (at, body) in body.iter().enumerate() {
            let number = fraction(&slotting.basis, &phase, at).wrapping_add(body << (128 - slotted.body_bits));
            let message = nearest(number, slotting.modulus);
            for (residues, transform) in residues.iter_mut().zip(&slotting.plain) {
                residues[at] = transform.prime().reduce_wide(message);
            }
        }
        slotting.plain.iter().zip(&mut residues).for_each(|(transform, residues)| transform.forward(residues));
        Ok(Zeroizing::new(residues))
    };
    let residues: Result<Vec<_>, PeerError> = blocks.par_iter().map(one).collect();
    Ok(collect(slotting, product, &residues?))
}

/// The sum over terms of the products of one block's ciphertexts, whose first halves are `bytes`.
fn multiply(
    slotting: &Slotting,
    product: &Elementwise,
    seed: &Seed,
    block: usize,
    bytes: &[u8],
    factors: &[&[u64]],
) -> Result<Ciphertext<Slots>, PeerError> {
    let (degree, basis) = (slotting.slotted.degree, &slotting.basis);
    let mut sums = [0, 1].map(|_| Vec::from_iter((0..CIPHER_PRIMES).map(|_| Accumulator::zeros(degree))));
    let mut reader = Reader::new(bytes);
    for (term, factor) in factors.iter().enumerate() {
        let c0 = read_polynomial::<Slots>(basis, CIPHER_PRIMES, &mut reader)?;
        let ciphertext = expand(basis, c0, seed, (block * product.terms + term) as u64);
        let slots = slotting.slots(block_of(slotting, factor, block), product.bits);
        let coefficients = Zeroizing::new(slotting.interpolate(slots));
        let factor = Zeroizing::new(basis.forward(slotting.lift(&coefficients, false)));
        for (sums, half) in sums.iter_mut().zip([&ciphertext.c0, &ciphertext.c1]) {
            for (limb, sum) in sums.iter_mut().enumerate() {
                sum.add_product(basis.transform(limb), half.limb(limb), factor.limb(limb));
            }
        }
    }
    let [c0, c1] = sums.map(|sums| {
        let mut polynomial = Polynomial::zeros(degree, CIPHER_PRIMES);
        for (limb, sum) in sums.iter().enumerate() {
            sum.reduce(basis.transform(limb), polynomial.limb_mut(limb));
        }
        polynomial
    });
    Ok(Ciphertext { c0, c1 })
}

/// `Enc(v) + B - share`, hidden and narrowed.
fn respond(
    slotting: &Slotting,
    product: &Elementwise,
    mut fresh: Ciphertext<Coefficients>,
    share: &[Vec<u64>; 2],
    noise: &mut Prg,
) -> Vec<u8> {
    let (slotted, degree) = (&slotting.slotted, slotting.slotted.degree);
    let offset = offset(product);
    let masked = [0, 1].map(|at| {
        let prime = slotting.plain[at].prime();
        let offset = prime.reduce_wide(offset);
        share[at].iter().map(|s| prime.sub(offset, *s)).collect()
    });
    slotting.basis.add_assign(&mut fresh.c0, &slotting.encode(masked));
    let flood = Zeroizing::new(noise.words(2 * degree));
    let half = 1 << (127 - slotted.body_bits);
    let hidden = |(at, words): (usize, &[u64; 2])| {
        let word = (words[1] as u128) << 64 | words[0] as u128;
        let flood = (word << (128 - slotted.flood_bits)) as i128 >> (128 - slotted.flood_bits);
        let number = fraction(&slotting.basis, &fresh.c0, at).wrapping_add(flood as u128);
        number.wrapping_add(half) >> (128 - slotted.body_bits)
    };
    let body: Vec<u128> = flood.as_chunks::<2>().0.iter().enumerate().map(hidden).collect();
    let slope = to_power(&slotting.basis, &fresh.c1, slotted.slope_bits, 0..degree);
    let mut bytes = vec![];
    write_power(&slope, slotted.slope_bits, &mut bytes);
    write_power(&body, slotted.body_bits, &mut bytes);
    bytes
}

/// Uniform residues modulo both primes of `t`, but for `2^-64` each.
fn uniform(slotting: &Slotting, stream: &mut Prg) -> [Vec<u64>; 2] {
    let mut residues = |transform: &Transform| {
        let words = Zeroizing::new(stream.words(2 * slotting.slotted.degree));
        let number = |pair: &[u64; 2]| (pair[1] as u128) << 64 | pair[0] as u128;
        words.as_chunks::<2>().0.iter().map(|pair| transform.prime().reduce_wide(number(pair))).collect()
    };
    let [first, second] = &slotting.plain;
    [residues(first), residues(second)]
}

fn block_of<'a>(slotting: &Slotting, x: &'a [u64], block: usize) -> &'a [u64] {
    let degree = slotting.slotted.degree;
    &x[(block * degree).min(x.len())..((block + 1) * degree).min(x.len())]
}

fn collect(slotting: &Slotting, product: &Elementwise, residues: &[Zeroizing<[Vec<u64>; 2]>]) -> Shares {
    let degree = slotting.slotted.degree;
    let mut shares = Shares { low: vec![0; product.count], below: vec![0; product.count.div_ceil(64)] };
    let blocks = shares.low.chunks_mut(degree).zip(shares.below.chunks_mut(degree / 64));
    for ((low, below), residues) in blocks.zip(residues) {
        slotting.shares(residues, low.len(), product.bits, (low, below));
    }
    shares
}

/// `round(modulus · fraction / 2^128)` modulo `modulus`, which is below `2^127`.
fn nearest(fraction: u128, modulus: u128) -> u128 {
    let halves = |x: u128| (x >> 64, x & u128::from(u64::MAX));
    let ((high, low), (wide, narrow)) = (halves(fraction), halves(modulus));
    let (below, left, right) = (low * narrow, high * narrow, low * wide);
    let middle = (below >> 64) + halves(left).1 + halves(right).1 + (1 << 63);
    let product = high * wide + halves(left).0 + halves(right).0 + (middle >> 64);
    // Constant in time: the sign of the difference decides.
    let less = product.wrapping_sub(modulus);
    let negative = ((less as i128) >> 127) as u128;
    less.wrapping_add(modulus & negative)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{publish, read_published};
    use ptc_plan::two_party::elementwise::{noise, slotted};

    fn secret_and_public(slotting: &Slotting) -> (SecretKey, PublicKey) {
        let secret = SecretKey::fresh(slotting.basis()).unwrap();
        let message = publish(slotting.basis(), &secret, &[]).unwrap();
        let public = read_published(slotting.basis(), &[], &message).unwrap().zero;
        (secret, public)
    }

    fn signed(x: u64, bits: u32) -> i128 {
        ((x << (64 - bits)) as i64 >> (64 - bits)).into()
    }

    /// Shares of `v + B` whose bits tell of the wrap; edges and any numbers.
    #[test]
    fn shares_add_up_to_products() {
        let mut stream = Seed::from_bytes([5; 32]).stream(0, 0);
        for bits in (19..=39).step_by(4) {
            let slotting = Slotting::new(&slotted(bits).unwrap());
            let (secret, public) = secret_and_public(&slotting);
            for (terms, count) in [(1, 1), (2, 8192 + 65)] {
                let product = Elementwise { count, terms, bits };
                let mut draw = || {
                    let mut x = stream.ring(bits, count);
                    let edges = [1 << (bits - 1), mask(bits), 0, (1 << (bits - 1)) - 1];
                    x.iter_mut().zip(edges).for_each(|(x, edge)| *x = edge);
                    x
                };
                let (x, y): (Vec<_>, Vec<_>) = (0..terms).map(|_| (draw(), draw())).unzip();
                let (x, y): (Vec<&[u64]>, Vec<&[u64]>) =
                    (x.iter().map(|x| &x[..]).collect(), y.iter().map(|y| &y[..]).collect());
                let asked = request(&slotting, &secret, &product, &x).unwrap();
                assert_eq!(asked.len() as u64, product.request_bytes(&slotting.slotted));
                let (answered, server) = answer(&slotting, &public, &product, &asked, &y).unwrap();
                assert_eq!(answered.len() as u64, product.answer_bytes(&slotting.slotted));
                let client = open(&slotting, &secret, &product, &answered).unwrap();
                for at in 0..count {
                    let value: i128 = x.iter().zip(&y).map(|(x, y)| signed(x[at], bits) * signed(y[at], bits)).sum();
                    let below = |shares: &Shares| shares.below[at / 64] >> (at % 64) & 1;
                    let wraps = 1 - below(&server) * below(&client);
                    let shifted = value + ((terms as i128) << (2 * bits - 2));
                    let expected = (shifted as u64).wrapping_add(wraps.wrapping_mul(slotting.modulus() as u64));
                    let found = server.low[at].wrapping_add(client.low[at]);
                    assert_eq!(
                        found & mask(bits),
                        expected & mask(bits),
                        "{at} of {count}, {bits} bits, {terms} terms"
                    );
                }
            }
        }
    }

    /// Sixteen thousand products of the largest factors, for every plain modulus: the noise is what the parameters count
    /// with or less, and what is left of the modulus is as wide as the flood wants.
    #[test]
    fn noise_stays_below_its_bound() {
        for bits in (19..=39).step_by(2) {
            let slotting = Slotting::new(&slotted(bits).unwrap());
            let (secret, _) = secret_and_public(&slotting);
            let product = Elementwise { count: slotting.slotted.degree, terms: 2, bits };
            // Least numbers, which are the largest in size, and signs in all patterns.
            let least = 1 << (bits - 1);
            let same = vec![least; product.count];
            let mixed: Vec<u64> = (0..product.count as u64).map(|at| least - ((at * 0x9e37) >> 7 & 1)).collect();
            let factors: [&[u64]; 2] = [&same, &mixed];
            let asked = request(&slotting, &secret, &product, &factors).unwrap();
            let seed = Seed::from_bytes(*asked.first_chunk().unwrap());
            let found = multiply(&slotting, &product, &seed, 0, &asked[32..], &factors).unwrap();
            let mut error = phase(&slotting.basis, &secret, &found);
            let slots = [0, 1].map(|at| {
                let prime = slotting.plain[at].prime();
                let value = |at: usize| factors.iter().map(|x| signed(x[at], bits).pow(2)).sum();
                (0..product.count).map(|at| prime.reduce_signed_wide(value(at))).collect()
            });
            slotting.basis.sub_assign(&mut error, &slotting.encode(slots));
            let size = |at| (fraction(&slotting.basis, &error, at) as i128).unsigned_abs();
            let largest = (0..product.count).map(size).max().unwrap() as f64;
            let bound =
                (noise((2 * bits + 2).into()) + 128.0 - slotting.basis.modulus_log2(CIPHER_PRIMES)).exp2() + 16.0;
            assert!(largest < bound, "{bits} bits: 2^{} of 2^{}", largest.log2(), bound.log2());
            assert!(f64::from(slotting.slotted.flood_bits) >= bound.log2() + 40.0, "{bits} bits");
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let slotting = Slotting::new(&slotted(20).unwrap());
        let (secret, public) = secret_and_public(&slotting);
        let product = Elementwise { count: 3, terms: 1, bits: 20 };
        let asked = request(&slotting, &secret, &product, &[&[1, 2, 3]]).unwrap();
        assert!(answer(&slotting, &public, &product, &asked[1..], &[&[1, 2, 3]]).is_err());
        let mut wrong = asked.clone();
        wrong[32..40].fill(0xff);
        assert!(answer(&slotting, &public, &product, &wrong, &[&[1, 2, 3]]).is_err());
        let (answered, _) = answer(&slotting, &public, &product, &asked, &[&[1, 2, 3]]).unwrap();
        assert!(open(&slotting, &secret, &product, &answered[1..]).is_err());
    }

    #[test]
    fn fractions_round_to_the_nearest_number() {
        let modulus = (1 << 77) - 123456789;
        for number in [0u128, 1, 77, modulus / 2, modulus - 1] {
            // `number / modulus` in units of 2^-128, by long division.
            let (mut rest, mut fraction) = (number, 0u128);
            for _ in 0..128 {
                rest *= 2;
                fraction = fraction << 1 | u128::from(rest >= modulus);
                rest -= modulus * u128::from(rest >= modulus);
            }
            for error in [0, 1 << 48, 1u128.wrapping_neg() << 48] {
                assert_eq!(nearest(fraction.wrapping_add(error), modulus), number);
            }
        }
    }
}
