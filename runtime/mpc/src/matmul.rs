//! Batched matrix product of shares (Beaver's elementwise product, with matrices).
//!
//! Input: shares of `x[batch, m, k]` and `y[batch, k, n]`, or `y[batch, n, k]` transposed. Output: a share of `x·y` in the
//! triple's ring, to which wider inputs are reduced.
//! Correlation: `[a]`, `[b]`, `[a·b]`. Security: semi-honest. Reveals: nothing. Price: 1 round, `bits` bits each way for
//! each element of `x` and of `y`.

use ptc_correlation::Packed;
use ptc_correlation::types::Triple;
use ptc_kernels::batched::{self, Shape};
use ptc_net::PeerError;
use ptc_plan::kernel::Word;
use ptc_plan::step::Party;
use ptc_ring::tensor::{Share, add_assign, reduce_slice};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, Received, ring_len};

pub async fn matmul(context: &Context, x: &Share, y: &Share, shape: Shape, triple: Triple) -> Result<Share, PeerError> {
    let bits = triple.product.bits();
    let out = Outgoing::default().masked(x, &triple.a).masked(y, &triple.b).into_bytes();
    let answer = context.lane.exchange(out, ring_len(x.len(), bits) + ring_len(y.len(), bits)).await?;
    let mut answer = Incoming::new(&answer);
    let (d, a) = opened(x, triple.a, answer.ring(bits, x.len()));
    let (e, mut b) = opened(y, triple.b, answer.ring(bits, y.len()));
    let mut product = triple.product.unpack();

    // x·y = (d + a)·(e + b), of which d·e is public.
    if context.party == Party::Server {
        add_assign(&mut b.data, &e, bits);
    }
    let multiply = |x: &[u64], y: &[u64]| batched::product(&*context.backend, Word::for_ring(bits), shape, x, y);
    add_assign(&mut product.data, &multiply(&d, &b.data), bits);
    add_assign(&mut product.data, &multiply(&a.data, &e), bits);
    Ok(product)
}

/// `x` behind its mask, and this party's share of the mask.
fn opened(x: &Share, mask: Packed, received: Received) -> (Vec<u64>, Share) {
    let (mut opened, mut share) = (vec![0; x.len()], Share::zeros(mask.bits(), x.len()));
    received.opened(x, &mask, 0, &mut opened, &mut share.data);
    reduce_slice(&mut opened, mask.bits());
    (opened, share)
}
