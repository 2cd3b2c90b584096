//! Batched matrix product of shares (Beaver's elementwise product, with matrices).
//!
//! Input: shares of `x[batch, m, k]` and `y[batch, k, n]`, or `y[batch, n, k]` transposed. Output: a share of `x·y` in the
//! triple's ring, to which wider inputs are reduced.
//! Correlation: `[a]`, `[b]`, `[a·b]`. Security: semi-honest. Reveals: nothing. Price: 1 round, `bits` bits each way for
//! each element of `x` and of `y`.

use ptc_correlation::types::Triple;
use ptc_kernels::batched::{self, Shape};
use ptc_net::PeerError;
use ptc_plan::kernel::Word;
use ptc_plan::step::Party;
use ptc_ring::tensor::{Share, add_assign};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide, ring_len};

pub async fn matmul(context: &Context, x: &Share, y: &Share, shape: Shape, triple: Triple) -> Result<Share, PeerError> {
    let (a, mut b, mut product) = (triple.a.unpack(), triple.b.unpack(), triple.product.unpack());
    let bits = product.bits;
    let (mut d, mut e) = (hide(x, &a), hide(y, &b));
    let out = Outgoing::default().ring(bits, &d).ring(bits, &e).into_bytes();
    let answer = context.lane.exchange(out, ring_len(d.len(), bits) + ring_len(e.len(), bits)).await?;
    let mut answer = Incoming::new(&answer);
    add_assign(&mut d, &answer.ring(bits, x.len()), bits);
    add_assign(&mut e, &answer.ring(bits, y.len()), bits);

    // x·y = (d + a)·(e + b), of which d·e is public.
    if context.party == Party::Server {
        add_assign(&mut b.data, &e, bits);
    }
    let multiply = |x: &[u64], y: &[u64]| batched::product(&*context.backend, Word::for_ring(bits), shape, x, y);
    add_assign(&mut product.data, &multiply(&d, &b.data), bits);
    add_assign(&mut product.data, &multiply(&a.data, &e), bits);
    Ok(product)
}
