//! Elementwise product of shares (Beaver, CRYPTO '91, section 2).
//!
//! Input: shares of `x` and of `y`; `y` has one element for each element of `x`, or one for each row of `x`'s last axis.
//! Output: a share of `x·y` in the triple's ring, to which wider inputs are reduced.
//! Correlation: `[a]`, `[b]`, `[a·b]`. Security: semi-honest. Reveals: nothing. Price: 1 round, `bits` bits each way for
//! each element of `x` and of `y`.

use ptc_correlation::types::Triple;
use ptc_net::PeerError;
use ptc_ring::tensor::{Share, add_assign, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide, ring_len};

pub async fn mul(context: &Context, x: &Share, y: &Share, triple: Triple) -> Result<Share, PeerError> {
    let (a, b, mut product) = (triple.a.unpack(), triple.b.unpack(), triple.product.unpack());
    let bits = product.bits;
    let (mut d, mut e) = (hide(x, &a), hide(y, &b));
    let out = Outgoing::default().ring(bits, &d).ring(bits, &e).into_bytes();
    let answer = context.lane.exchange(out, ring_len(d.len(), bits) + ring_len(e.len(), bits)).await?;
    let mut answer = Incoming::new(&answer);
    add_assign(&mut d, &answer.ring(bits, x.len()), bits);
    add_assign(&mut e, &answer.ring(bits, y.len()), bits);

    // x·y = (d + a)(e + b), of which d·e is public.
    let (low, once) = (mask(bits), context.once());
    let share = |d: u64, e: u64, a: u64, b: u64, ab: u64| {
        let factor = b.wrapping_add(e.wrapping_mul(once));
        ab.wrapping_add(d.wrapping_mul(factor)).wrapping_add(a.wrapping_mul(e)) & low
    };
    let each = x.len() / y.len().max(1);
    if each == 1 {
        let opened = d.iter().zip(&e);
        for (((ab, (&d, &e)), &a), &b) in product.data.iter_mut().zip(opened).zip(&a.data).zip(&b.data) {
            *ab = share(d, e, a, b, *ab);
        }
    } else if each > 1 {
        assert_eq!(each * y.len(), x.len(), "`y` has one element for each row of `x`");
        let rows = product.data.chunks_mut(each).zip(d.chunks(each)).zip(a.data.chunks(each));
        for (((ab, d), a), (&e, &b)) in rows.zip(e.iter().zip(&b.data)) {
            for ((ab, &d), &a) in ab.iter_mut().zip(d).zip(a) {
                *ab = share(d, e, a, b, *ab);
            }
        }
    }
    Ok(product)
}
