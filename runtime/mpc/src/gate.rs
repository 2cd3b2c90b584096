//! A shared bit times a shared number.
//!
//! Input: a share of bits `b`, a share of `x`. Output: a share of `b·x` in the correlation's ring.
//! Correlation: a random bit `rho` shared both ways, `[a]`, `[rho·a]`. Security: semi-honest. Reveals: nothing. Price: 1
//! round, `bits + 1` bits each way an element.

use ptc_correlation::types::GateMask;
use ptc_net::PeerError;
use ptc_ring::tensor::{BitShare, Share, add_assign, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide, hide_bits, ring_len, xor_assign};

pub async fn gate(context: &Context, b: &BitShare, x: &Share, gate: GateMask) -> Result<Share, PeerError> {
    assert_eq!(b.len(), x.len(), "one bit for each element");
    let (a, rho, mut product) = (gate.mask.unpack(), gate.share.unpack(), gate.product.unpack());
    let bits = product.bits;
    let mut opened = hide_bits(&b.words, gate.bit.words());
    let mut d = hide(x, &a);
    let out = Outgoing::default().words(&opened).ring(bits, &d).into_bytes();
    let count = opened.len();
    let answer = context.lane.exchange(out, 8 * count + ring_len(d.len(), bits)).await?;
    let mut answer = Incoming::new(&answer);
    xor_assign(&mut opened, &answer.words(count));
    add_assign(&mut d, &answer.ring(bits, x.len()), bits);

    // b·x = u·x + (1 - 2u)·rho·x, and rho·x = rho·d + rho·a.
    let low = mask(bits);
    let own = x.data.chunks(64).zip(rho.data.chunks(64));
    for (((products, d), (x, rho)), &opened) in product.data.chunks_mut(64).zip(d.chunks(64)).zip(own).zip(&opened) {
        for (at, (((product, d), x), rho)) in products.iter_mut().zip(d).zip(x).zip(rho).enumerate() {
            let negative = (opened >> at & 1).wrapping_neg();
            let masked = product.wrapping_add(rho.wrapping_mul(*d));
            *product = (masked ^ negative).wrapping_sub(negative).wrapping_add(x & negative) & low;
        }
    }
    Ok(product)
}
