//! Products by a factor that one party knows: a weight of the server, or a value of the client.
//!
//! Input: a share of `x`; the factor `w` at its owner. Output: a share of `x·w` in the correlation's ring, to which a wider
//! `x` is reduced. Security: semi-honest. Reveals: nothing.
//!
//! A factor of the server is masked once a session, offline. Correlation: `r` and `c1` at the client, `s0` at the server,
//! `r·w = c1 + s0`. The client sends `x1 - r`; the server has `(x0 + x1 - r)·w + s0`, the client `c1`. Price: 1 round,
//! `bits` bits an element of `x`, one way.
//!
//! A factor of the client belongs to the query. Correlation: `a` at the server, `b` at the client, `[a·b]`. The server opens
//! `e = x0 - a`, the client `f = w - b`; as `x·w = (e + x1)·w + a·f + a·b`, each party has one product. Price: 1 round,
//! `bits` bits an element of `x` one way, of `w` the other.

use ptc_correlation::Packed;
use ptc_correlation::types::{CrossProduct, StaticProduct};
use ptc_kernels::Packed as Factor;
use ptc_net::PeerError;
use ptc_plan::kernel::Word;
use ptc_plan::step::Party;
use ptc_ring::blocks::map_blocks;
use ptc_ring::tensor::{Share, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, Received, ring_len};

/// `x[.., inner] · w[inner, columns]` for the server's `w`, which it has packed for the word of the product's ring.
pub async fn server_matrix(
    context: &Context,
    x: &Share,
    w: Option<&Factor>,
    correlation: StaticProduct,
) -> Result<Share, PeerError> {
    let multiply = |opened: &[u64]| matrix(context, opened, w.expect("the server holds its weights"));
    server_factor(context, x, correlation, multiply).await
}

/// `x[i] · w[i % w.len()]` for the server's `w`.
pub async fn server_elementwise(
    context: &Context,
    x: &Share,
    w: Option<&[u64]>,
    correlation: StaticProduct,
) -> Result<Share, PeerError> {
    let multiply = |opened: &[u64]| elementwise(opened, w.expect("the server holds its weights"));
    server_factor(context, x, correlation, multiply).await
}

/// `x[.., inner] · w[inner, columns]` for the client's `w`.
pub async fn client_matrix(
    context: &Context,
    x: &Share,
    w: Option<&[u64]>,
    inner: usize,
    columns: usize,
    correlation: CrossProduct,
) -> Result<Share, PeerError> {
    let word = Word::for_ring(correlation.product.bits());
    let multiply = |x: &[u64], w: &[u64]| matrix(context, x, &context.backend.pack(word, inner, columns, w));
    client_factor(context, x, w, inner * columns, correlation, multiply).await
}

/// `x[i] · w[i % period]` for the client's `w`.
pub async fn client_elementwise(
    context: &Context,
    x: &Share,
    w: Option<&[u64]>,
    period: usize,
    correlation: CrossProduct,
) -> Result<Share, PeerError> {
    client_factor(context, x, w, period, correlation, elementwise).await
}

async fn server_factor(
    context: &Context,
    x: &Share,
    correlation: StaticProduct,
    multiply: impl FnOnce(&[u64]) -> Vec<u64>,
) -> Result<Share, PeerError> {
    match correlation {
        StaticProduct::Client { mask, product } => {
            context.lane.exchange(Outgoing::default().masked(x, &mask).into_bytes(), 0).await?;
            Ok(product.unpack())
        }
        StaticProduct::Server { product } => {
            let bits = product.bits();
            let answer = context.lane.exchange(vec![], ring_len(x.len(), bits)).await?;
            let opened = opened(x, Incoming::new(&answer).ring(bits, x.len()), bits);
            Ok(plus(multiply(&opened), &product))
        }
    }
}

async fn client_factor(
    context: &Context,
    x: &Share,
    w: Option<&[u64]>,
    factors: usize,
    correlation: CrossProduct,
    multiply: impl FnOnce(&[u64], &[u64]) -> Vec<u64>,
) -> Result<Share, PeerError> {
    let CrossProduct { mask: own, product } = correlation;
    let bits = product.bits();
    match context.party {
        Party::Server => {
            let out = Outgoing::default().masked(x, &own).into_bytes();
            let answer = context.lane.exchange(out, ring_len(factors, bits)).await?;
            let opened = Incoming::new(&answer).ring(bits, factors).unpack();
            Ok(plus(multiply(&own.unpack().data, &opened), &product))
        }
        Party::Client => {
            let w = Share::new(bits, w.expect("the client holds its factor").to_vec());
            let out = Outgoing::default().masked(&w, &own).into_bytes();
            let answer = context.lane.exchange(out, ring_len(x.len(), bits)).await?;
            let opened = opened(x, Incoming::new(&answer).ring(bits, x.len()), bits);
            Ok(plus(multiply(&opened, &w.data), &product))
        }
    }
}

/// `x1 - r` or `x0 - a` of the other party, and this party's share.
fn opened(x: &Share, received: Received, bits: u32) -> Vec<u64> {
    let low = mask(bits);
    map_blocks::<0>(x.len(), |first, out, _| {
        received.read(first, out);
        out.iter_mut().zip(&x.data[first..]).for_each(|(out, x)| *out = out.wrapping_add(*x) & low);
    })
}

/// A product, not reduced, and this party's share of the masks'.
fn plus(product: Vec<u64>, share: &Packed) -> Share {
    assert_eq!(product.len(), share.len(), "elements of a product");
    let low = mask(share.bits());
    let data = map_blocks::<0>(product.len(), |first, out, _| {
        share.read(first, out);
        out.iter_mut().zip(&product[first..]).for_each(|(out, x)| *out = out.wrapping_add(*x) & low);
    });
    Share { bits: share.bits(), data }
}

fn matrix(context: &Context, left: &[u64], w: &Factor) -> Vec<u64> {
    let rows = left.len() / w.k.max(1);
    let mut product = vec![0; rows * w.n];
    context.backend.product(left, rows, w, &mut product);
    product
}

fn elementwise(x: &[u64], w: &[u64]) -> Vec<u64> {
    let mut product = x.to_vec();
    for row in product.chunks_mut(w.len().max(1)) {
        row.iter_mut().zip(w).for_each(|(x, w)| *x = x.wrapping_mul(*w));
    }
    product
}
