//! Products by a weight of the server, with nothing prepared: the client's share is encrypted in the query.
//!
//! Input: a share of `x`; the weight `w` at the server. Output: a share of `x·w` in `Z_2^bits`, to which a wider `x` is
//! reduced. The client sends `Enc(x1)`, the server answers `Enc(x1·w - s)` for a fresh uniform `s` and has `x0·w + s`.
//! Correlation: none; the client's keys of the session. Security: semi-honest. The server sees encryptions under the
//! client's key; the client sees its own product under a uniform mask, with noise that is hidden by far more of it
//! ([`ptc_he::product`]). Reveals: nothing. Price: 2 rounds, one ciphertext message each way
//! ([`ptc_plan::two_party::encrypted`]).

use ptc_he::product::keys::{ClientKeys, ServerKeys};
use ptc_he::product::{answer, open, request};
use ptc_kernels::Packed as Factor;
use ptc_net::PeerError;
use ptc_plan::two_party::encrypted::{self, Packing, Product};
use ptc_ring::Seed;
use ptc_ring::tensor::{Share, add_assign, reduce};

use crate::context::Context;

pub async fn client(
    context: &Context,
    keys: &ClientKeys,
    (product, packing): (Product, Packing),
    x: &Share,
) -> Result<Share, PeerError> {
    let own = reduce(x, product.bits);
    let request = request(keys, &product, &packing, &own.data).map_err(PeerError::Io)?;
    context.lane.exchange(request, 0).await?;
    let answer = context.lane.exchange(vec![], encrypted::response_bytes(&product, &packing) as usize).await?;
    Ok(Share::new(product.bits, open(keys, &product, &packing, &answer)?))
}

/// `w` as words of the ring, and packed for the kernels.
pub async fn server(
    context: &Context,
    keys: &ServerKeys,
    (product, packing): (Product, Packing),
    x: &Share,
    w: (&[u64], &Factor),
) -> Result<Share, PeerError> {
    let Product { rows, columns, bits, .. } = product;
    let mask = Seed::fresh().map_err(PeerError::Io)?.stream(0, 0).ring(bits, rows * columns);
    let mask = Share::new(bits, mask);
    // While the client encrypts.
    let mut own = vec![0; rows * columns];
    context.backend.product(&reduce(x, bits).data, rows, w.1, &mut own);
    add_assign(&mut own, &mask.data, bits);
    let own = Share { bits, data: own };
    let request = context.lane.exchange(vec![], encrypted::request_bytes(&product, &packing) as usize).await?;
    let answer = answer(keys, &product, &packing, &request, w.0, &mask.data)?;
    context.lane.exchange(answer, 0).await?;
    Ok(own)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ptc_kernels::{Backend, Portable};
    use ptc_net::{Channel, memory};
    use ptc_plan::file::Making;
    use ptc_plan::kernel::Word;
    use ptc_plan::price::FRAME_HEADER;
    use ptc_plan::step::Party;

    use super::*;
    use crate::lockstep;

    fn uniform(seed: u8, bits: u32, count: usize) -> Vec<u64> {
        Seed::from_bytes([seed; 32]).stream(0, 0).ring(bits, count)
    }

    fn check(product: Product, wide: u32) {
        let Product { rows, inner, columns, bits, factor_bits, .. } = product;
        let packing = encrypted::choose(&product, Making::FAST);
        let (x0, x1) = (uniform(1, wide, rows * inner), uniform(2, wide, rows * inner));
        // Signed numbers of `factor_bits` bits.
        let half = 1u64 << (factor_bits - 1);
        let w: Vec<u64> = uniform(3, factor_bits, inner * columns).iter().map(|w| w.wrapping_sub(half)).collect();
        let factor = Portable.pack(Word::for_ring(bits), inner, columns, &w);
        let sets = encrypted::key_sets([&packing]);
        let keys = ClientKeys::fresh(&sets).unwrap();
        let public = ServerKeys::read(&sets, &keys.publish().unwrap()).unwrap();
        let whole: Vec<u64> = x0.iter().zip(&x1).map(|(a, b)| a.wrapping_add(*b)).collect();
        let mut expected = vec![0; rows * columns];
        Portable.product(&Share::new(bits, whole).data, rows, &factor, &mut expected);
        let context = |party, lane| Context { party, lane, backend: Arc::new(Portable) };

        let (a, b) = memory::pair();
        let other = std::thread::spawn(move || {
            let body = |lane| async move {
                client(&context(Party::Client, lane), &keys, (product, packing), &Share::new(wide, x1)).await
            };
            let (share, channel) = lockstep::run(b, body).unwrap();
            (share.into_data(), channel.counters())
        });
        let body = |lane| async move {
            server(&context(Party::Server, lane), &public, (product, packing), &Share::new(wide, x0), (&w, &factor))
                .await
        };
        let (share, _) = lockstep::run(a, body).unwrap();
        let (mut sum, counters) = other.join().unwrap();
        add_assign(&mut sum, &share.data, bits);
        assert_eq!(sum, Share::new(bits, expected).into_data(), "{product:?}");
        assert_eq!(counters.rounds, 2);
        assert_eq!(counters.sent, encrypted::request_bytes(&product, &packing) + FRAME_HEADER);
        assert_eq!(counters.received, encrypted::response_bytes(&product, &packing) + FRAME_HEADER);
    }

    #[test]
    fn shares_add_up_to_the_product() {
        for (rows, inner, columns) in [(1, 1, 1), (3, 17, 5), (8, 64, 40)] {
            for (bits, factor_bits, wide) in [(37, 17, 37), (20, 12, 33), (64, 20, 64)] {
                check(Product { batch: 1, rows, inner, columns, bits, factor_bits }, wide);
            }
        }
    }
}
