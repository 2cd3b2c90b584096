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

use ptc_correlation::types::{CrossProduct, StaticProduct};
use ptc_kernels::Packed;
use ptc_net::PeerError;
use ptc_plan::kernel::Word;
use ptc_plan::step::Party;
use ptc_ring::tensor::{Share, add_assign, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide, ring_len};

/// `x[.., inner] · w[inner, columns]` for the server's `w`, which it has packed for the word of the product's ring.
pub async fn server_matrix(
    context: &Context,
    x: &Share,
    w: Option<&Packed>,
    correlation: StaticProduct,
) -> Result<Share, PeerError> {
    server_factor(context, x, correlation, |opened, bits, product| {
        let w = w.expect("the server holds its weights");
        *product = matrix(context, opened, bits, w, std::mem::replace(product, Share::zeros(bits, 0)));
    })
    .await
}

/// `x[i] · w[i % w.len()]` for the server's `w`.
pub async fn server_elementwise(
    context: &Context,
    x: &Share,
    w: Option<&[u64]>,
    correlation: StaticProduct,
) -> Result<Share, PeerError> {
    server_factor(context, x, correlation, |opened, _, product| {
        add_elementwise(product, opened, w.expect("the server holds its weights"));
    })
    .await
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
    client_factor(context, x, w, inner * columns, correlation, |left, right, product| {
        let bits = product.bits;
        let packed = context.backend.pack(Word::for_ring(bits), inner, columns, right);
        *product = matrix(context, left, bits, &packed, std::mem::replace(product, Share::zeros(bits, 0)));
    })
    .await
}

/// `x[i] · w[i % period]` for the client's `w`.
pub async fn client_elementwise(
    context: &Context,
    x: &Share,
    w: Option<&[u64]>,
    period: usize,
    correlation: CrossProduct,
) -> Result<Share, PeerError> {
    client_factor(context, x, w, period, correlation, |left, right, product| add_elementwise(product, left, right))
        .await
}

/// `multiply` adds the server's product to its share.
async fn server_factor(
    context: &Context,
    x: &Share,
    correlation: StaticProduct,
    multiply: impl FnOnce(&[u64], u32, &mut Share),
) -> Result<Share, PeerError> {
    match correlation {
        StaticProduct::Client { mask, product } => {
            let hidden = hide(x, &mask.unpack());
            let out = Outgoing::default().ring(product.bits(), &hidden).into_bytes();
            context.lane.exchange(out, 0).await?;
            Ok(product.unpack())
        }
        StaticProduct::Server { product } => {
            let bits = product.bits();
            let answer = context.lane.exchange(vec![], ring_len(x.len(), bits)).await?;
            let mut opened = Incoming::new(&answer).ring(bits, x.len());
            add_assign(&mut opened, &x.data, bits);
            let mut product = product.unpack();
            multiply(&opened, bits, &mut product);
            Ok(product)
        }
    }
}

/// `multiply` adds the product of this party's two factors to its share.
async fn client_factor(
    context: &Context,
    x: &Share,
    w: Option<&[u64]>,
    factors: usize,
    correlation: CrossProduct,
    multiply: impl FnOnce(&[u64], &[u64], &mut Share),
) -> Result<Share, PeerError> {
    let (own, mut product) = (correlation.mask.unpack(), correlation.product.unpack());
    let bits = product.bits;
    match context.party {
        Party::Server => {
            let out = Outgoing::default().ring(bits, &hide(x, &own)).into_bytes();
            let answer = context.lane.exchange(out, ring_len(factors, bits)).await?;
            multiply(&own.data, &Incoming::new(&answer).ring(bits, factors), &mut product);
        }
        Party::Client => {
            let w = Share::new(bits, w.expect("the client holds its factor").to_vec());
            let out = Outgoing::default().ring(bits, &hide(&w, &own)).into_bytes();
            let answer = context.lane.exchange(out, ring_len(x.len(), bits)).await?;
            let mut opened = Incoming::new(&answer).ring(bits, x.len());
            add_assign(&mut opened, &x.data, bits);
            multiply(&opened, &w.data, &mut product);
        }
    }
    Ok(product)
}

/// `left · w + plus`.
fn matrix(context: &Context, left: &[u64], bits: u32, w: &Packed, plus: Share) -> Share {
    let rows = left.len() / w.k.max(1);
    let mut product = Share::zeros(bits, rows * w.n);
    context.backend.product(left, rows, w, &mut product.data);
    add_assign(&mut product.data, &plus.data, bits);
    product
}

fn add_elementwise(product: &mut Share, x: &[u64], w: &[u64]) {
    assert_eq!(product.len(), x.len(), "elements of a product");
    let low = mask(product.bits);
    let period = w.len().max(1);
    for (product, x) in product.data.chunks_mut(period).zip(x.chunks(period)) {
        for ((product, x), w) in product.iter_mut().zip(x).zip(w) {
            *product = product.wrapping_add(x.wrapping_mul(*w)) & low;
        }
    }
}
