//! A shared bit times a shared number.
//!
//! Input: a share of bits `b`, a share of `x`. Output: a share of `b·x` in the correlation's ring.
//! Correlation: a random bit `rho` shared both ways, `[a]`, `[rho·a]`. Security: semi-honest. Reveals: nothing. Price: 1
//! round, `bits + 1` bits each way an element.

use ptc_correlation::types::GateMask;
use ptc_net::PeerError;
use ptc_ring::blocks::map_blocks;
use ptc_ring::tensor::{BitShare, Share, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide_bits, ring_len, xor_assign};

pub async fn gate(context: &Context, b: &BitShare, x: &Share, gate: GateMask) -> Result<Share, PeerError> {
    assert_eq!(b.len(), x.len(), "one bit for each element");
    let GateMask { bit, share, mask: a, product } = gate;
    let (bits, count) = (product.bits(), x.len());
    let mut opened = hide_bits(&b.words, bit.words());
    let words = opened.len();
    let out = Outgoing::default().words(&opened).masked(x, &a).into_bytes();
    let answer = context.lane.exchange(out, 8 * words + ring_len(count, bits)).await?;
    let mut answer = Incoming::new(&answer);
    xor_assign(&mut opened, &answer.words(words));
    let received = answer.ring(bits, count);

    // b·x = u·x + (1 - 2u)·rho·x, and rho·x = rho·d + rho·a.
    let low = mask(bits);
    let data = map_blocks::<2>(count, |first, out, [d, rho]| {
        let length = out.len();
        received.opened(x, &a, first, &mut d[..length], &mut rho[..length]);
        share.read(first, &mut rho[..length]);
        product.read(first, out);
        let own = x.data[first..].chunks(64).zip(rho.chunks(64));
        let planes = own.zip(d.chunks(64)).zip(&opened[first / 64..]);
        for (out, (((x, rho), d), opened)) in out.chunks_mut(64).zip(planes) {
            for (at, (((out, d), x), rho)) in out.iter_mut().zip(d).zip(x).zip(rho).enumerate() {
                let negative = (opened >> at & 1).wrapping_neg();
                let masked = out.wrapping_add(rho.wrapping_mul(*d));
                *out = (masked ^ negative).wrapping_sub(negative).wrapping_add(x & negative) & low;
            }
        }
    });
    Ok(Share { bits, data })
}
