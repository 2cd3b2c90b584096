//! Answers on their way back: made fresh, masked, flooded, rounded; and opened.
//!
//! Second halves go back modulo one or two primes just wide enough for the result, first halves as fractions of a few bits,
//! and only where they are wanted.

use ptc_net::PeerError;
use ptc_plan::two_party::encrypted::{self, Packing, Product};
use ptc_ring::{Prg, Seed, pack};
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::accumulate::dot;
use crate::aligned::Aligned;
use crate::basis::Basis;
use crate::ntt::Transform;
use crate::polynomial::{Coefficients, Polynomial};
use crate::prime::{Factor, Prime, choose};
use crate::product::keys::{ClientSet, ServerSet};
use crate::product::place::wanted;
use crate::product::weights::Sum;
use crate::residues;
use crate::sample::{self, domain};
use crate::switch::fraction;
use crate::wire::{Reader, read_power, write_power};

/// The message. `answers` has one ciphertext for each group of leaves and each block of rows.
pub fn write(
    server: &ServerSet,
    product: &Product,
    packing: &Packing,
    answers: Vec<Vec<Sum>>,
    mask: &[u64],
    noise: &Seed,
) -> Vec<u8> {
    let primes = response_primes(packing.parameters().degree, packing.response.prime_bits);
    let rows = packing.blocks(product).rows;
    let finish = |(at, answer): (usize, Sum)| {
        let mut stream = noise.stream(domain::ERROR, at as u64);
        let answer = refresh(server, answer, &mut stream);
        let wanted = wanted(product, packing, at % rows, at / rows);
        let body = body(server.kept(), product, packing, &answer, &wanted, mask, &mut stream);
        let mut second = vec![];
        for (prime, residues) in primes.iter().zip(switch_down(server.kept(), &answer.second, &primes)) {
            pack::pack(&residues, prime.bits(), &mut second);
        }
        (second, body)
    };
    let finished: Vec<_> = answers.into_iter().flatten().enumerate().collect();
    let finished: Vec<_> = finished.into_par_iter().map(finish).collect();
    let mut out = Vec::with_capacity(encrypted::response_bytes(product, packing) as usize);
    finished.iter().for_each(|(second, _)| out.extend(second));
    let bodies: Vec<u128> = finished.into_iter().flat_map(|(_, body)| body).collect();
    write_power(&bodies, packing.response.body_bits, &mut out);
    out
}

/// The primes of second halves, none or one or two of them.
fn response_primes(degree: usize, bits: [u32; 2]) -> Vec<Prime> {
    let bits: Vec<u32> = bits.into_iter().filter(|bits| *bits > 0).collect();
    choose(degree, &bits)
}

/// Adds an encryption of zero, `(b·u + e0, a·u + e1)`.
pub fn refresh(server: &ServerSet, mut answer: Sum, noise: &mut Prg) -> Sum {
    let (basis, zero) = (server.kept(), &server.public().zero);
    let limbs = answer.second.limbs();
    let u = sample::ternary(noise, basis.degree());
    let u = Zeroizing::new(basis.forward(basis.lift(&u, limbs)));
    let count = answer.body.degree();
    let errors = [count, basis.degree()].map(|count| sample::error(noise, count));
    let mut product = Aligned::zeros(basis.degree());
    let mut part = Aligned::zeros(basis.degree());
    for (limb, prime) in basis.primes()[..limbs].iter().enumerate() {
        dot(basis.transform(limb), 1, &[u.limb(limb)], &[zero.b.limb(limb)], &mut [product.words_mut()]);
        let (part, folds) = (part.words_mut(), server.kept_folds());
        folds.coefficients(basis, limb, product.words(), answer.step, &mut part[..count]);
        residues::add(prime, answer.body.limb_mut(limb), &part[..count]);
        residues::of_signed(prime, &errors[0], &mut part[..count]);
        residues::add(prime, answer.body.limb_mut(limb), &part[..count]);

        dot(basis.transform(limb), 1, &[u.limb(limb)], &[zero.a.limb(limb)], &mut [product.words_mut()]);
        basis.transform(limb).inverse(product.words_mut());
        residues::add(prime, answer.second.limb_mut(limb), product.words());
        residues::of_signed(prime, &errors[1], part);
        residues::add(prime, answer.second.limb_mut(limb), part);
    }
    product.wipe();
    part.wipe();
    answer
}

/// The wanted coefficients of a first half: as fractions of the modulus, less the mask, with the flood, rounded.
fn body(
    basis: &Basis,
    product: &Product,
    packing: &Packing,
    answer: &Sum,
    wanted: &[(usize, usize)],
    mask: &[u64],
    noise: &mut Prg,
) -> Vec<u128> {
    let response = packing.response;
    let words = Zeroizing::new(noise.words(2 * wanted.len()));
    let coefficient = |((place, element), words): (&(usize, usize), &[u64; 2])| {
        let word = u128::from(words[1]) << 64 | u128::from(words[0]);
        let unused = 128 - response.flood_bits;
        let flood = ((word << unused) as i128 >> unused) as u128;
        let mask = u128::from(mask[*element]) << (128 - product.bits);
        let hidden = fraction(basis, &answer.body, place / answer.step).wrapping_sub(mask).wrapping_add(flood);
        hidden.wrapping_add(1 << (127 - response.body_bits)) >> (128 - response.body_bits)
    };
    wanted.iter().zip(words.as_chunks::<2>().0).map(coefficient).collect()
}

/// `round(R·x / Q)` modulo each of `primes`, whose product is `R`.
fn switch_down(basis: &Basis, half: &Polynomial<Coefficients>, primes: &[Prime]) -> Vec<Vec<u64>> {
    match primes {
        [prime] => vec![switch_to_prime(basis, half, prime)],
        _ => switch_to_primes(basis, half, primes),
    }
}

/// Fractions of 64 bits are enough here: each prime's part is too small by less than three of their units, all together by
/// less than a thousandth of what is rounded to.
fn switch_to_prime(basis: &Basis, half: &Polynomial<Coefficients>, prime: &Prime) -> Vec<u64> {
    let mut fractions = vec![0u64; basis.degree()];
    let parts = basis.recombination(half.limbs()).iter().zip(basis.primes()).zip(half.iter());
    for ((part, prime), limb) in parts {
        // `2^64 / q` with as many bits of it as a word holds.
        let shift = prime.bits() - 1;
        let scale = (part.fraction >> (65 - prime.bits())) as u64;
        let mut weighted = limb.to_vec();
        residues::scale(prime, &mut weighted, part.weight);
        for (fraction, y) in fractions.iter_mut().zip(weighted) {
            *fraction = fraction.wrapping_add(((u128::from(y) * u128::from(scale)) >> shift) as u64);
        }
    }
    let modulus = u128::from(prime.value());
    let rounded = fractions.into_iter().map(|x| ((u128::from(x) * modulus + (1 << 63)) >> 64) as u64);
    rounded.map(|x| prime.once(x)).collect()
}

fn switch_to_primes(basis: &Basis, half: &Polynomial<Coefficients>, primes: &[Prime]) -> Vec<Vec<u64>> {
    let modulus: u128 = primes.iter().map(|prime| u128::from(prime.value())).product();
    let (high, low) = (modulus >> 64, modulus & u128::from(u64::MAX));
    let mut residues = vec![Vec::with_capacity(basis.degree()); primes.len()];
    for place in 0..basis.degree() {
        let x = fraction(basis, half, place);
        let (x_high, x_low) = (x >> 64, x & u128::from(u64::MAX));
        let (across, other) = (x_high * low, x_low * high);
        let carry = (u128::from(across as u64) + u128::from(other as u64) + (1 << 63)) >> 64;
        let rounded = x_high * high + (across >> 64) + (other >> 64) + carry;
        for (residues, prime) in residues.iter_mut().zip(primes) {
            residues.push(prime.reduce_wide(rounded));
        }
    }
    residues
}

/// The secret modulo the primes of second halves. Zeroed when it goes.
pub struct Opener {
    primes: Vec<OpenerPrime>,
}

struct OpenerPrime {
    transform: Transform,
    secret: Zeroizing<Vec<u64>>,
    /// The inverse of the other prime, and `floor(2^128 / q)`: what a residue adds to the fraction.
    weight: Factor,
    fraction: u128,
}

impl Opener {
    /// From the seed of the secret key.
    pub fn new(degree: usize, prime_bits: [u32; 2], seed: &Seed) -> Opener {
        let secret = sample::ternary(&mut seed.stream(domain::SECRET, 0), degree);
        let primes = response_primes(degree, prime_bits);
        let of = |prime: &Prime| {
            let transform = Transform::new(*prime, degree);
            let mut secret = Zeroizing::new(secret.iter().map(|x| prime.reduce_signed(*x)).collect::<Vec<u64>>());
            transform.forward(&mut secret);
            let others = primes.iter().filter(|other| *other != prime);
            let cofactor = others.fold(1, |product, other| prime.mul(product, prime.reduce(other.value())));
            let weight = prime.factor(prime.inverse(cofactor));
            OpenerPrime { transform, secret, weight, fraction: u128::MAX / u128::from(prime.value()) }
        };
        Opener { primes: primes.iter().map(of).collect() }
    }
}

/// The client's result.
pub fn open(client: &ClientSet, product: &Product, packing: &Packing, response: &[u8]) -> Result<Vec<u64>, PeerError> {
    let expected = encrypted::response_bytes(product, packing) as usize;
    if response.len() != expected {
        return Err(PeerError::WrongLength { expected, found: response.len() });
    }
    let opener = client.opener(packing.response.prime_bits);
    let degree = packing.parameters().degree;
    let each: usize = opener.primes.iter().map(|prime| degree / 8 * prime.transform.prime().bits() as usize).sum();
    let count = product.batch * product.rows * product.columns;
    let mut reader = Reader::new(response);
    let seconds = reader.take(packing.responses(product) * each)?;
    let bodies = read_power(count, packing.response.body_bits, &mut reader)?;
    reader.finish()?;

    let rows = packing.blocks(product).rows;
    let places: Vec<_> =
        (0..packing.responses(product)).map(|at| wanted(product, packing, at % rows, at / rows)).collect();
    let open = |(second, places): (&[u8], &Vec<(usize, usize)>)| phases(&opener, degree, second, places);
    let phases: Vec<_> = seconds.par_chunks_exact(each).zip(&places).map(open).collect::<Result<_, _>>()?;
    let mut result = vec![0; count];
    let wanted = places.iter().flatten().zip(phases.iter().flat_map(|phases| phases.iter()));
    for (((_, element), phase), body) in wanted.zip(bodies) {
        let sum = phase.wrapping_add(body << (128 - packing.response.body_bits));
        result[*element] = (sum.wrapping_add(1 << (127 - product.bits)) >> (128 - product.bits)) as u64;
    }
    Ok(result)
}

/// The fractions that a second half adds at `places`.
fn phases(
    opener: &Opener,
    degree: usize,
    mut second: &[u8],
    places: &[(usize, usize)],
) -> Result<Zeroizing<Vec<u128>>, PeerError> {
    let mut fractions = Zeroizing::new(vec![0u128; places.len()]);
    for OpenerPrime { transform, secret, weight, fraction } in &opener.primes {
        let prime = transform.prime();
        let (own, others) = second.split_at(degree / 8 * prime.bits() as usize);
        second = others;
        let mut residues = vec![0; degree];
        pack::unpack_from(own, prime.bits(), 0, &mut residues);
        if residues.iter().fold(0, |largest, x| largest.max(*x)) >= prime.value() {
            return Err(PeerError::Malformed("a residue that is not below its prime".into()));
        }
        transform.forward(&mut residues);
        residues::mul(prime, &mut residues, secret);
        transform.inverse(&mut residues);
        for (sum, (place, _)) in fractions.iter_mut().zip(places) {
            let part = prime.mul_factor(residues[*place], *weight);
            *sum = sum.wrapping_add(fraction.wrapping_mul(part.into()));
        }
        residues.zeroize();
    }
    Ok(fractions)
}
