//! Elementwise square of shares.
//!
//! Input: a share of `x`. Output: a share of `x²` in the pair's ring, to which a wider input is reduced.
//! Correlation: `[a]`, `[a²]`. Security: semi-honest. Reveals: nothing. Price: 1 round, `bits` bits each way an element.

use ptc_correlation::types::SquarePair;
use ptc_net::PeerError;
use ptc_ring::blocks::map_blocks;
use ptc_ring::tensor::{Share, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, ring_len};

pub async fn square(context: &Context, x: &Share, pair: SquarePair) -> Result<Share, PeerError> {
    let SquarePair { a, square } = pair;
    let (bits, count) = (square.bits(), x.len());
    let out = Outgoing::default().masked(x, &a).into_bytes();
    let answer = context.lane.exchange(out, ring_len(count, bits)).await?;
    let received = Incoming::new(&answer).ring(bits, count);

    // x² = (d + a)² = d·(d + 2a) + a², of which d² is public.
    let (low, once) = (mask(bits), context.once());
    let data = map_blocks::<2>(count, |first, out, [d, a_share]| {
        let length = out.len();
        received.opened(x, &a, first, &mut d[..length], &mut a_share[..length]);
        square.read(first, out);
        for (out, (d, a)) in out.iter_mut().zip(d.iter().zip(&*a_share)) {
            let factor = d.wrapping_mul(once).wrapping_add(a << 1);
            *out = out.wrapping_add(d.wrapping_mul(factor)) & low;
        }
    });
    Ok(Share { bits, data })
}
