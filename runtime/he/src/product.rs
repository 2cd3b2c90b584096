//! Products of a matrix that the client encrypts with one that the server knows.
//!
//! Input: client `X[batch, rows, inner]` in `Z_2^bits`, server `W[inner, columns]`, one for each of the batch, and a uniform
//! mask `s[batch, rows, columns]`. Output: client `X·W - s`. Windows and places: [`encrypted`].
//! Security: semi-honest. The server sees encryptions under the client's key. Of the answer the client sees the masked
//! product and its noise, which is hidden by noise that is `2^40` times larger for each coefficient; an encryption of zero
//! under the public key makes the second halves fresh. Reveals: nothing. Price: one message each way,
//! [`encrypted::request_bytes`] and [`encrypted::response_bytes`].

mod fold;
pub mod keys;
mod merge;
mod place;
mod respond;
mod weights;

use ptc_net::PeerError;
use ptc_plan::two_party::encrypted::{self, Packing, Product};
use ptc_ring::Seed;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::basis::Basis;
use crate::encrypt::{Ciphertext, encrypt, expand};
use crate::polynomial::{Polynomial, Slots};
use crate::product::keys::{ClientKeys, ServerKeys};
use crate::residues;
use crate::sample::domain;
use crate::switch::encode;
use crate::wire::{Reader, read_polynomial, write_polynomial};

/// The client's message: `x`, encrypted.
pub fn request(keys: &ClientKeys, product: &Product, packing: &Packing, x: &[u64]) -> std::io::Result<Vec<u8>> {
    assert_eq!(x.len(), product.batch * product.rows * product.inner, "elements of the left factor");
    let client = keys.set(packing.set);
    let (seed, noise) = (Seed::fresh()?, Seed::fresh()?);
    let basis = client.product();
    let each = |at: usize| {
        let message = Zeroizing::new(place::message(product, packing, at, x));
        let encoded = encode(basis, packing.limbs, &message, product.bits);
        let noise = &mut noise.stream(domain::ERROR, at as u64);
        encrypt(basis, client.secret(), encoded, &seed, at as u64, noise)
    };
    let encrypted: Vec<_> = (0..packing.requests(product)).into_par_iter().map(each).collect();
    let mut out = Vec::with_capacity(encrypted::request_bytes(product, packing) as usize);
    out.extend(seed.as_bytes());
    encrypted.iter().for_each(|c0| write_polynomial(client.product(), c0, &mut out));
    Ok(out)
}

/// The server's message: the product, masked. `weights` and `mask` are words of the ring.
pub fn answer(
    keys: &ServerKeys,
    product: &Product,
    packing: &Packing,
    request: &[u8],
    weights: &[u64],
    mask: &[u64],
) -> Result<Vec<u8>, PeerError> {
    assert_eq!(weights.len(), product.batch * product.inner * product.columns, "elements of the right factor");
    assert_eq!(mask.len(), product.batch * product.rows * product.columns, "elements of the mask");
    let server = keys.set(packing.set);
    let factors = read(keys, product, packing, request)?;
    let noise = Seed::fresh().map_err(PeerError::Io)?;
    let answers = merge::answers(server, product, packing, &factors, weights);
    Ok(respond::write(server, product, packing, answers, mask, &noise))
}

/// The client's result.
pub fn open(keys: &ClientKeys, product: &Product, packing: &Packing, response: &[u8]) -> Result<Vec<u64>, PeerError> {
    respond::open(keys.set(packing.set), product, packing, response)
}

/// The ciphertexts of a request.
fn read(
    keys: &ServerKeys,
    product: &Product,
    packing: &Packing,
    request: &[u8],
) -> Result<Vec<Ciphertext<Slots>>, PeerError> {
    let expected = encrypted::request_bytes(product, packing) as usize;
    if request.len() != expected {
        return Err(PeerError::WrongLength { expected, found: request.len() });
    }
    let basis = keys.set(packing.set).product();
    let mut reader = Reader::new(request);
    let seed = reader.seed()?;
    let first = (0..packing.requests(product)).map(|_| read_polynomial(basis, packing.limbs, &mut reader));
    let first: Vec<_> = first.collect::<Result<_, _>>()?;
    reader.finish()?;
    let whole = |(at, c0)| {
        let mut whole = expand(basis, c0, &seed, at as u64);
        if packing.merge > 1 {
            halve(basis, &mut whole.c1, packing.merge);
        }
        whole
    };
    Ok(first.into_par_iter().enumerate().map(whole).collect())
}

/// Divides by the doublings of packing.
fn halve(basis: &Basis, half: &mut Polynomial<Slots>, doublings: usize) {
    for (prime, limb) in basis.primes().iter().zip(half.iter_mut()) {
        let scale = prime.factor(prime.inverse(doublings as u64));
        residues::scale(prime, limb, scale);
    }
}

#[cfg(test)]
mod tests;
