//! The product of shared bits (Beaver, CRYPTO '91, over `GF(2)`). Exclusive or and negation are local, in the ring room.
//!
//! Input: shares of bits `x`, `y`. Output: a share of `x·y`. Correlation: `[a]`, `[b]`, `[a·b]`. Security: semi-honest.
//! Reveals: nothing. Price: 1 round, two bits each way an element.

use ptc_correlation::types::BitTriple;
use ptc_net::PeerError;
use ptc_ring::tensor::BitShare;

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide_bits, xor_assign};

pub async fn and(context: &Context, x: &BitShare, y: &BitShare, triple: BitTriple) -> Result<BitShare, PeerError> {
    assert_eq!(x.len(), y.len(), "bits of a product");
    let (a, b) = (triple.factors.plane(0), triple.factors.plane(1));
    let (mut d, mut e) = (hide_bits(&x.words, a), hide_bits(&y.words, b));
    let out = Outgoing::default().words(&d).words(&e).into_bytes();
    let answer = context.lane.exchange(out, 16 * d.len()).await?;
    let mut answer = Incoming::new(&answer);
    let count = d.len();
    xor_assign(&mut d, &answer.words(count));
    xor_assign(&mut e, &answer.words(count));

    let once = context.once().wrapping_neg();
    let opened = d.iter().zip(&e);
    let words = opened.zip(a.iter().zip(b)).zip(triple.product.plane(0));
    let words = words.map(|(((d, e), (a, b)), ab)| d & (b ^ e & once) ^ a & e ^ ab);
    Ok(BitShare::new(x.len(), words.collect()))
}
