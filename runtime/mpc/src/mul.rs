//! Elementwise product of shares (Beaver, CRYPTO '91, section 2).
//!
//! Input: shares of `x` and of `y`; `y` has one element for each element of `x`, or one for each row of `x`'s last axis.
//! Output: a share of `x·y` in the triple's ring, to which wider inputs are reduced.
//! Correlation: `[a]`, `[b]`, `[a·b]`. Security: semi-honest. Reveals: nothing. Price: 1 round, `bits` bits each way for
//! each element of `x` and of `y`.

use ptc_correlation::Packed;
use ptc_correlation::types::Triple;
use ptc_net::PeerError;
use ptc_ring::blocks::map_blocks;
use ptc_ring::tensor::{Share, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, Received, ring_len};

pub async fn mul(context: &Context, x: &Share, y: &Share, triple: Triple) -> Result<Share, PeerError> {
    let Triple { a, b, product } = triple;
    let (bits, count) = (product.bits(), x.len());
    assert_eq!(count, product.len(), "one triple for each element");
    let out = Outgoing::default().masked(x, &a).masked(y, &b).into_bytes();
    let answer = context.lane.exchange(out, ring_len(count, bits) + ring_len(y.len(), bits)).await?;
    let mut answer = Incoming::new(&answer);
    let (from_x, from_y) = (answer.ring(bits, count), answer.ring(bits, y.len()));

    // x·y = (d + a)(e + b), of which d·e is public.
    let (low, once) = (mask(bits), context.once());
    let rows = Rows::of(count, y, &b, from_y);
    let data = map_blocks::<4>(count, |first, out, [d, a_share, e, b_share]| {
        let length = out.len();
        from_x.opened(x, &a, first, &mut d[..length], &mut a_share[..length]);
        rows.fill(first, &mut e[..length], &mut b_share[..length]);
        product.read(first, out);
        let factors = d.iter().zip(&*e).zip(a_share.iter().zip(&*b_share));
        for (out, ((d, e), (a, b))) in out.iter_mut().zip(factors) {
            let factor = b.wrapping_add(e.wrapping_mul(once));
            *out = out.wrapping_add(d.wrapping_mul(factor)).wrapping_add(a.wrapping_mul(*e)) & low;
        }
    });
    Ok(Share { bits, data })
}

/// `e` and `b` for the elements of `x`.
enum Rows<'a> {
    Each(&'a Share, &'a Packed, Received<'a>),
    /// One for each row of so many elements.
    Repeated(usize, Vec<u64>, Share),
}

impl<'a> Rows<'a> {
    fn of(count: usize, y: &'a Share, b: &'a Packed, received: Received<'a>) -> Rows<'a> {
        if y.len() == count {
            return Rows::Each(y, b, received);
        }
        let each = count / y.len().max(1);
        assert_eq!(each * y.len(), count, "`y` has one element for each row of `x`");
        let (mut e, mut share) = (vec![0; y.len()], Share::zeros(b.bits(), y.len()));
        received.opened(y, b, 0, &mut e, &mut share.data);
        Rows::Repeated(each, e, share)
    }

    fn fill(&self, first: usize, e: &mut [u64], b: &mut [u64]) {
        match self {
            Rows::Each(y, shares, received) => received.opened(y, shares, first, e, b),
            Rows::Repeated(each, opened, shares) => {
                let mut at = 0;
                while at < e.len() {
                    let (row, inside) = ((first + at) / each, (first + at) % each);
                    let end = e.len().min(at + each - inside);
                    e[at..end].fill(opened[row]);
                    b[at..end].fill(shares.data[row]);
                    at = end;
                }
            }
        }
    }
}
