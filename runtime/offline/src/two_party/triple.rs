//! Masks that are multiplied element by element: triples, square pairs, products of a mask of each party, and products with
//! weights.
//!
//! Input: transfers in the directions named. Output: [`Triple`], [`SquarePair`], [`CrossProduct`], [`StaticProduct`].
//! Security: semi-honest. Messages: those of [`super::product`], which reveal nothing; for weights also the server's
//! choices xor the bits of the weights, which the choices hide. Prices: [`ptc_plan::two_party::transfers`].
//!
//! [`Triple`]: ptc_correlation::types::Triple
//! [`SquarePair`]: ptc_correlation::types::SquarePair
//! [`CrossProduct`]: ptc_correlation::types::CrossProduct
//! [`StaticProduct`]: ptc_correlation::types::StaticProduct

use ptc_net::PeerError;
use ptc_plan::step::Party;
use ptc_ring::planes::to_planes;
use ptc_ring::tensor::{add_assign, mask};
use ptc_ring::transpose::transpose;
use ptc_ring::{Prg, Share};

use super::made::{Started, parse_planes, ring};
use super::product::{
    self, Shape, check_length, corrections, masked, numbers, receive, receive_flipped, send, strings,
};
use super::transfers::{Transfers, window};

/// `a0·b1` by transfers of the server, whose strings are `a0`, with choices `b1`; `a1·b0` the other way round.
pub fn triple(count: usize, each: usize, bits: u32, transfers: Transfers) -> Started {
    let shape = Shape { values: count / each.max(1), each, choice_bits: bits, bits };
    let mut message = vec![];
    let product::Product { x: a, mut share } = send(&transfers.sent, shape, &mut message);
    let b = numbers(&transfers.received, shape);
    let low = mask(bits);
    let of_rows = share.data.chunks_mut(each.max(1)).zip(a.data.chunks(each.max(1))).zip(&b.data);
    for ((share, a), b) in of_rows {
        share.iter_mut().zip(a).for_each(|(share, a)| *share = share.wrapping_add(a.wrapping_mul(*b)) & low);
    }
    Started::new(message, move |message| {
        add_assign(&mut share.data, &receive(&transfers.received, shape, message)?.data, bits);
        Ok(vec![ring(a), ring(b), ring(share)])
    })
}

/// `a² = a0² + 2·a0·a1 + a1²`: one product modulo `2^(bits - 1)`, of the server's strings and the client's choices. The top
/// bits of the shares of `a` are drawn.
pub fn square(party: Party, count: usize, bits: u32, transfers: Transfers, stream: &mut Prg) -> Started {
    let half = bits - 1;
    let shape = Shape::square(count, half);
    let top = Share { bits: 1, data: stream.ring(1, count) };
    let low = mask(bits);
    let finish = move |mut a: Share, product: Share| {
        a.data.iter_mut().zip(&top.data).for_each(|(a, top)| *a |= top << half);
        let square =
            a.data.iter().zip(&product.data).map(|(a, product)| a.wrapping_mul(*a).wrapping_add(product << 1) & low);
        let square = Share { bits, data: square.collect() };
        a.bits = bits;
        vec![ring(a), ring(square)]
    };
    match party {
        Party::Server => {
            let mut message = vec![];
            let product::Product { x, share } = send(&transfers.sent, shape, &mut message);
            Started::new(message, move |message| {
                nothing(message)?;
                Ok(finish(x, share))
            })
        }
        Party::Client => Started::new(vec![], move |message| {
            let product = receive(&transfers.received, shape, message)?;
            Ok(finish(numbers(&transfers.received, shape), product))
        }),
    }
}

/// The server's strings are its mask, the client's choices the bits of its own.
pub fn cross(party: Party, count: usize, period: usize, bits: u32, transfers: Transfers) -> Started {
    let shape = Shape { values: period, each: count / period.max(1), choice_bits: bits, bits };
    match party {
        Party::Server => {
            let mut message = vec![];
            let product::Product { x, share } = send(&transfers.sent, shape, &mut message);
            Started::new(message, move |message| {
                nothing(message)?;
                Ok(vec![ring(by_rows(x, shape)), ring(by_rows(share, shape))])
            })
        }
        Party::Client => Started::new(vec![], move |message| {
            let product = receive(&transfers.received, shape, message)?;
            Ok(vec![ring(numbers(&transfers.received, shape)), ring(by_rows(product, shape))])
        }),
    }
}

/// Weights of the server, `factor_bits` bits each: its choices are random bits `c`, the client's strings the client's mask
/// `r`. The server opens `d = c ^ w`; then a bit of the weight is `d + (1 - 2d)·c`, and its product with `r` follows from
/// that of `c`.
pub fn weighted(weights: &[u64], count: usize, bits: u32, factor_bits: u32, transfers: Transfers) -> Started {
    let shape = weight_shape(weights.len(), count, bits, factor_bits);
    let mut opened = transfers.received.choice_planes(factor_bits as usize, weights.len());
    let planes = to_planes(weights, factor_bits as usize);
    opened.iter_mut().zip(&planes).for_each(|(choice, weight)| *choice ^= weight);
    let message = opened.iter().flat_map(|word| word.to_le_bytes()).collect();
    Started::new(message, move |message| {
        let product = receive_flipped(&transfers.received, shape, message, Some(&opened))?;
        Ok(vec![ring(by_rows(product, shape))])
    })
}

/// The client's side of [`weighted`].
pub fn masked_by_weights(period: usize, count: usize, bits: u32, factor_bits: u32, transfers: Transfers) -> Started {
    let shape = weight_shape(period, count, bits, factor_bits);
    let (mut message, mut x) = (vec![], Share::zeros(bits, count));
    corrections(&transfers.sent, shape, &mut message, |at, j, block, _| {
        if j == 0 {
            x.data[at..][..block.len()].copy_from_slice(block);
        }
    });
    ptc_ring::tensor::reduce_slice(&mut x.data, bits);
    Started::new(message, move |message| {
        let stride = period.div_ceil(64);
        check_length(message, 8 * stride * factor_bits as usize)?;
        let opened = parse_planes(message);
        // A bit's product is `-m0` where `d` is zero, and `r + m0` where it is one.
        let mut share = Share::zeros(bits, count);
        strings(&transfers.sent, shape, |at, j, x, zeros, products| {
            let first = at / shape.each.max(1);
            products.copy_from_slice(zeros);
            let row = &opened[j as usize * stride..];
            masked(
                shape.each,
                |word| !window(row, first + word * 64),
                products,
                |string, inverted| {
                    *string = (*string ^ inverted).wrapping_sub(inverted);
                },
            );
            let mut added = Share { bits, data: x.to_vec() };
            masked(shape.each, |word| window(row, first + word * 64), &mut added.data, |x, set| *x &= set);
            let share = &mut share.data[at..][..x.len()];
            for (share, (product, x)) in share.iter_mut().zip(products.iter().zip(&added.data)) {
                let product = product.wrapping_add(*x) << j;
                // The top bit of two's complement counts negative.
                *share = if j + 1 == factor_bits { share.wrapping_sub(product) } else { share.wrapping_add(product) };
            }
        });
        ptc_ring::tensor::reduce_slice(&mut share.data, bits);
        Ok(vec![ring(by_rows(x, shape)), ring(by_rows(share, shape))])
    })
}

fn weight_shape(period: usize, count: usize, bits: u32, factor_bits: u32) -> Shape {
    Shape { values: period, each: count / period.max(1), choice_bits: factor_bits, bits }
}

/// From the elements of each number to rows of numbers.
fn by_rows(x: Share, shape: Shape) -> Share {
    if shape.each == 1 {
        return x;
    }
    Share { bits: x.bits, data: transpose(&x.data, shape.values, shape.each) }
}

/// A message of nothing.
pub(super) fn nothing(message: &[u8]) -> Result<(), PeerError> {
    check_length(message, 0)
}
