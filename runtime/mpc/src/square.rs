//! Elementwise square of shares.
//!
//! Input: a share of `x`. Output: a share of `x²` in the pair's ring, to which a wider input is reduced.
//! Correlation: `[a]`, `[a²]`. Security: semi-honest. Reveals: nothing. Price: 1 round, `bits` bits each way an element.

use ptc_correlation::types::SquarePair;
use ptc_net::PeerError;
use ptc_ring::tensor::{Share, add_assign, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide, ring_len};

pub async fn square(context: &Context, x: &Share, pair: SquarePair) -> Result<Share, PeerError> {
    let (a, mut square) = (pair.a.unpack(), pair.square.unpack());
    let bits = square.bits;
    let mut d = hide(x, &a);
    let out = Outgoing::default().ring(bits, &d).into_bytes();
    let answer = context.lane.exchange(out, ring_len(d.len(), bits)).await?;
    add_assign(&mut d, &Incoming::new(&answer).ring(bits, x.len()), bits);

    // x² = (d + a)² = d·(d + 2a) + a², of which d² is public.
    let (low, once) = (mask(bits), context.once());
    for ((aa, &d), &a) in square.data.iter_mut().zip(&d).zip(&a.data) {
        let factor = d.wrapping_mul(once).wrapping_add(a << 1);
        *aa = aa.wrapping_add(d.wrapping_mul(factor)) & low;
    }
    Ok(square)
}
