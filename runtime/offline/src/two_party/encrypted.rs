//! Products of matrices, by homomorphic encryption ([`ptc_he::product`]).
//!
//! Output: [`StaticProduct`], [`CrossProduct`], [`Triple`]. The client's factor of each encrypted product is uniform, the
//! server masks the product by a uniform one, its share. Security: semi-honest. Messages: the client's encryptions, under
//! its own key; the server's answers, masked. Prices: [`ptc_plan::two_party::encrypted`].
//!
//! Of a triple each party has its own product; of both cross terms the client's factor is on the left: `a1·b0`, and the
//! transpose of `b1'·a0'`.
//!
//! [`StaticProduct`]: ptc_correlation::types::StaticProduct
//! [`CrossProduct`]: ptc_correlation::types::CrossProduct
//! [`Triple`]: ptc_correlation::types::Triple

use std::collections::BTreeMap;

use ptc_correlation::assemble::Piece as Part;
use ptc_he::product::keys::{ClientKeys, ServerKeys};
use ptc_he::product::{answer, open, request};
use ptc_kernels::Backend;
use ptc_kernels::batched::{self, Shape};
use ptc_net::PeerError;
use ptc_plan::bill::Correlation;
use ptc_plan::kernel::Word;
use ptc_plan::step::ValueId;
use ptc_plan::two_party::encrypted::{Product, request_bytes, response_bytes};
use ptc_plan::two_party::price::Packings;
use ptc_plan::two_party::products;
use ptc_ring::tensor::add_assign;
use ptc_ring::transpose::transpose;
use ptc_ring::{Prg, Share};

use super::made::ring;

/// The server's weights, as ring words.
pub type Weights<'a> = BTreeMap<u32, &'a [u64]>;

/// The client's part of a correlation, between its request and the answer.
pub struct Asked {
    correlation: Correlation,
    masks: Vec<Share>,
}

/// Draws the client's masks and encrypts them: appends a request for each product.
pub fn ask(
    correlation: &Correlation,
    keys: &ClientKeys,
    packings: &Packings,
    stream: &mut Prg,
    message: &mut Vec<u8>,
) -> Result<Asked, PeerError> {
    let masks = own_masks(correlation, [true, false], stream);
    let encrypted = match *correlation {
        Correlation::CrossMatMul { inner, columns, .. } => vec![turned(&masks[0], 1, inner, columns)],
        Correlation::MatMul { batch, inner, columns, transpose_b: false, .. } => {
            vec![masks[0].clone(), turned(&masks[1], batch, inner, columns)]
        }
        _ => masks.clone(),
    };
    for (product, factor) in products(correlation).iter().zip(&encrypted) {
        message.extend(request(keys, product, packings.of_product(product), &factor.data).map_err(PeerError::Io)?);
    }
    Ok(Asked { correlation: correlation.clone(), masks })
}

/// The client's parts, given the answers to all products: they are taken off `message`.
pub fn opened(
    asked: Asked,
    keys: &ClientKeys,
    packings: &Packings,
    backend: &dyn Backend,
    message: &mut &[u8],
) -> Result<Vec<Part>, PeerError> {
    let Asked { correlation, masks } = asked;
    let mut next = |product: &Product| -> Result<Share, PeerError> {
        let packing = packings.of_product(product);
        let answer = next_part(message, response_bytes(product, packing))?;
        Ok(Share::new(product.bits, open(keys, product, packing, answer)?))
    };
    let shares: Vec<Share> = products(&correlation).iter().map(&mut next).collect::<Result<_, _>>()?;
    Ok(together(&correlation, masks, shares, backend))
}

/// The server's answers to the requests of a correlation, which are taken off `requests`; appended to `message`. And its
/// parts.
pub fn multiply(
    correlation: &Correlation,
    keys: &ServerKeys,
    packings: &Packings,
    backend: &dyn Backend,
    weights: &Weights,
    stream: &mut Prg,
    requests: &mut &[u8],
    message: &mut Vec<u8>,
) -> Result<Vec<Part>, PeerError> {
    let masks = own_masks(correlation, [false, true], stream);
    let factors: Vec<Share> = match *correlation {
        Correlation::CrossMatMul { rows, inner, .. } => vec![turned(&masks[0], 1, rows, inner)],
        Correlation::MatMul { batch, rows, inner, columns, transpose_b, .. } => {
            let right = if transpose_b { turned(&masks[1], batch, columns, inner) } else { masks[1].clone() };
            vec![right, turned(&masks[0], batch, rows, inner)]
        }
        _ => vec![],
    };
    let mut shares = vec![];
    for (at, product) in products(correlation).iter().enumerate() {
        let packing = packings.of_product(product);
        let words = match *correlation {
            Correlation::StaticMatMul { weight, .. } => weight_of(weights, weight),
            _ => &factors[at].data,
        };
        let own = stream.ring(product.bits, product.batch * product.rows * product.columns);
        let own = Share { bits: product.bits, data: own };
        let request = next_part(requests, request_bytes(product, packing))?;
        message.extend(answer(keys, product, packing, request, words, &own.data)?);
        shares.push(own);
    }
    Ok(together(correlation, masks, shares, backend))
}

/// A weight of the plan. Panics for another value.
pub fn weight_of<'a>(weights: &Weights<'a>, weight: ValueId) -> &'a [u64] {
    weights.get(&weight.0).expect("the server gave its weights")
}

/// A party's masks: for a static product the client has one, for a product of a mask of each party each its own.
fn own_masks(correlation: &Correlation, [client, server]: [bool; 2], stream: &mut Prg) -> Vec<Share> {
    let mut draw = |bits: u32, count: usize| Share { bits, data: stream.ring(bits, count) };
    match *correlation {
        Correlation::StaticMatMul { rows, inner, bits, .. } if client => vec![draw(bits, rows * inner)],
        Correlation::StaticMatMul { .. } => vec![],
        Correlation::CrossMatMul { rows, inner, bits, .. } if server => vec![draw(bits, rows * inner)],
        Correlation::CrossMatMul { inner, columns, bits, .. } => vec![draw(bits, inner * columns)],
        Correlation::MatMul { batch, rows, inner, columns, bits, .. } => {
            vec![draw(bits, batch * rows * inner), draw(bits, batch * inner * columns)]
        }
        _ => panic!("made from transfers"),
    }
}

/// A party's parts, from its masks and its shares of the encrypted products.
fn together(correlation: &Correlation, masks: Vec<Share>, shares: Vec<Share>, backend: &dyn Backend) -> Vec<Part> {
    let mut shares = shares.into_iter();
    let mut next = || shares.next().expect("a share of each product");
    let product = match *correlation {
        Correlation::CrossMatMul { rows, columns, .. } => turned(&next(), 1, columns, rows),
        Correlation::MatMul { batch, rows, inner, columns, transpose_b, bits } => {
            let shape = Shape { batch, m: rows, k: inner, n: columns, transpose_b };
            let local = batched::product(backend, Word::for_ring(bits), shape, &masks[0].data, &masks[1].data);
            let mut sum = Share::new(bits, local);
            add_assign(&mut sum.data, &next().data, bits);
            add_assign(&mut sum.data, &turned(&next(), batch, columns, rows).data, bits);
            sum
        }
        _ => next(),
    };
    masks.into_iter().chain([product]).map(ring).collect()
}

/// Each matrix of `x[batch, rows, columns]`, transposed.
pub fn turned(x: &Share, batch: usize, rows: usize, columns: usize) -> Share {
    let mut data = Vec::with_capacity(x.len());
    (0..batch).for_each(|at| data.extend(transpose(&x.data[at * rows * columns..][..rows * columns], rows, columns)));
    Share { bits: x.bits, data }
}

/// The next `count` bytes of a message whose length was checked.
pub fn next_part<'a>(rest: &mut &'a [u8], count: u64) -> Result<&'a [u8], PeerError> {
    let (expected, found) = (count as usize, rest.len());
    let (part, after) = rest.split_at_checked(expected).ok_or(PeerError::WrongLength { expected, found })?;
    *rest = after;
    Ok(part)
}
