//! Masks for the carry of a comparison and their products.
//!
//! Input: transfers of the server for each low bit and each pair of the tree, of the client for each pair. Output:
//! [`Comparison`]. Security: semi-honest. Message: of the server, six bits for each digit of two bits; each is hidden by
//! bits of strings that the client did not choose, a bit of a string comes in one of them only. Price: see
//! [`ptc_plan::two_party::transfers`].
//!
//! The client's mask `beta` of a bit is its choice, the server's mask `alpha` the lowest bit in which the strings differ,
//! so that the strings' own bit is a share of `alpha·beta`. Other products of one mask of the client are transferred by
//! further bits of the strings with a correction each. For `alpha0·beta1·beta0` the strings of both bits are put together
//! to one transfer of four: the message for `(0, 0)` is what its pad yields, the other three are sent. The pairs of the
//! tree are bit triples, see [`super::bits`].
//!
//! [`Comparison`]: ptc_correlation::types::Comparison

use ptc_correlation::carry::carry_layout;
use ptc_plan::bill::leaf_products;
use ptc_plan::step::Party;

use super::bits::joined;
use super::made::{Started, Words, parse_planes, planes};
use super::product::check_length;
use super::transfers::{Received, Room, Sent, Transfers};
use super::triple::nothing;

/// Bits of a string that a leaf uses: the product with the mask of the same bit, with the other bit's mask, with both masks
/// of the server (the lower bit's strings only), and two pads of the transfer of four.
const LEAF_BITS: usize = 5;

/// Corrections of a digit of two bits.
const CORRECTIONS: usize = 6;

pub fn comparison(party: Party, count: usize, bits: u32, mut transfers: Transfers) -> Started {
    let low = bits as usize - 1;
    let stride = count.div_ceil(64);
    let digits = low / 2;
    // All planes have room before they come: a secret is not moved.
    let [of_masks, of_products] = planes_of(bits);
    let mut masks = Words::with_capacity(of_masks * stride);
    let mut products = Words::with_capacity(of_products * stride);
    match party {
        Party::Server => {
            let own = transfers.sent.take(low * count);
            let message = send_leaves(&own, count, low, &mut masks, &mut products);
            Started::new(message, move |message| {
                nothing(message)?;
                tree(count, bits, &transfers, &mut masks, &mut products);
                Ok(parts(count, bits, masks, products))
            })
        }
        Party::Client => {
            let other = transfers.received.take(low * count);
            Started::new(vec![], move |message| {
                check_length(message, 8 * stride * CORRECTIONS * digits)?;
                let corrections = parse_planes(message);
                receive_leaves(&other, count, low, &corrections, &mut masks, &mut products);
                tree(count, bits, &transfers, &mut masks, &mut products);
                Ok(parts(count, bits, masks, products))
            })
        }
    }
}

fn parts(count: usize, bits: u32, masks: Words, products: Words) -> Vec<ptc_correlation::assemble::Piece> {
    let [of_masks, of_products] = planes_of(bits);
    vec![planes(count, of_masks, masks), planes(count, of_products, products)]
}

/// Planes of masks and of products.
fn planes_of(bits: u32) -> [usize; 2] {
    let levels = carry_layout(bits);
    let of_tree = |each: usize| levels.iter().map(|level| each * level.pairs - 1).sum::<usize>();
    [bits as usize - 1 + of_tree(3), leaf_products(bits) + of_tree(2)]
}

/// Appends planes of `alpha` and of shares of products; the message.
fn send_leaves(sent: &Sent, count: usize, low: usize, masks: &mut Words, products: &mut Words) -> Vec<u8> {
    let (stride, mut message) = (count.div_ceil(64), vec![]);
    let mut room = Room::new();
    for at in (0..low).step_by(2) {
        if at + 1 == low {
            let [zeros, ones] = sent.planes(at * count, count, 1, &mut room);
            masks.extend(zeros.iter().zip(&*ones).map(|(zero, one)| zero ^ one));
            products.extend(zeros.iter().copied());
            continue;
        }
        let [lower_zeros, lower_ones] = sent.planes(at * count, count, LEAF_BITS, &mut room);
        let [upper_zeros, upper_ones] = sent.planes((at + 1) * count, count, LEAF_BITS - 1, &mut room);
        let plane = |planes: &[u64], bit: usize, i: usize| planes[bit * stride + i];
        let lower = |i: usize| {
            [plane(&lower_zeros, 0, i) ^ plane(&lower_ones, 0, i), plane(&upper_zeros, 0, i) ^ plane(&upper_ones, 0, i)]
        };
        for which in 0..2 {
            masks.extend((0..stride).map(|i| lower(i)[which]));
        }
        let products = products.more(CORRECTIONS * stride);
        let mut sent = [(); CORRECTIONS].map(|()| Vec::with_capacity(stride));
        for i in 0..stride {
            let [alpha0, alpha1] = lower(i);
            let (z0, o0) = (|bit| plane(&lower_zeros, bit, i), |bit| plane(&lower_ones, bit, i));
            let (z1, o1) = (|bit| plane(&upper_zeros, bit, i), |bit| plane(&upper_ones, bit, i));
            // The pad of `(beta1, beta0)`: bit `2 + beta0` of the upper string, bit `3 + beta1` of the lower one.
            let share = z1(2) ^ z0(3);
            let corrections = [
                alpha1 ^ z0(1) ^ o0(1),
                alpha0 ^ z1(1) ^ o1(1),
                alpha1 & alpha0 ^ z0(2) ^ o0(2),
                share ^ z1(3) ^ o0(3),
                share ^ o1(2) ^ z0(4),
                share ^ o1(3) ^ o0(4) ^ alpha0,
            ];
            sent.iter_mut().zip(corrections).for_each(|(plane, word)| plane.push(word));
            let shares = [z1(0), z0(0), z0(1), z1(1), z0(2), share];
            shares.into_iter().enumerate().for_each(|(which, word)| products[which * stride + i] = word);
        }
        message.extend(sent.iter().flatten().flat_map(|word| word.to_le_bytes()));
    }
    message
}

/// Appends planes of `beta` and of shares of products.
fn receive_leaves(
    received: &Received,
    count: usize,
    low: usize,
    corrections: &[u64],
    masks: &mut Words,
    products: &mut Words,
) {
    let stride = count.div_ceil(64);
    masks.extend(received.choice_planes(low, count).iter().copied());
    let mut room = Room::new();
    for at in (0..low).step_by(2) {
        if at + 1 == low {
            products.extend(received.planes(at * count, count, 1, &mut room).iter().copied());
            continue;
        }
        let lower = received.planes(at * count, count, LEAF_BITS, &mut room);
        let upper = received.planes((at + 1) * count, count, LEAF_BITS - 1, &mut room);
        let corrections = &corrections[at / 2 * CORRECTIONS * stride..];
        let products = products.more(CORRECTIONS * stride);
        for i in 0..stride {
            let (s0, s1) = (|bit: usize| lower[bit * stride + i], |bit: usize| upper[bit * stride + i]);
            let (beta0, beta1) = (masks[at * stride + i], masks[(at + 1) * stride + i]);
            let correction = |which: usize| corrections[which * stride + i];
            let pad = s1(2) & !beta0 ^ s1(3) & beta0 ^ s0(3) & !beta1 ^ s0(4) & beta1;
            let four = !beta1 & beta0 & correction(3) ^ beta1 & !beta0 & correction(4) ^ beta1 & beta0 & correction(5);
            let shares = [
                s1(0),
                s0(0),
                s0(1) ^ beta0 & correction(0),
                s1(1) ^ beta1 & correction(1),
                s0(2) ^ beta0 & correction(2),
                pad ^ four,
            ];
            shares.into_iter().enumerate().for_each(|(which, word)| products[which * stride + i] = word);
        }
    }
}

/// The tree's pairs: choices are `a`; differences of strings `b` and, but for a level's lowest pair, `c`.
fn tree(count: usize, bits: u32, transfers: &Transfers, masks: &mut Words, products: &mut Words) {
    let pairs: usize = carry_layout(bits).iter().map(|level| level.pairs).sum();
    let choices = transfers.received.choice_planes(pairs, count);
    let mut choices = choices.chunks(count.div_ceil(64).max(1));
    let mut room = Room::new();
    let mut at = 0;
    for level in carry_layout(bits) {
        for pair in 0..level.pairs {
            let a = choices.next().unwrap_or_default();
            let width = if pair == 0 { 1 } else { 2 };
            let [factors, both] = joined(a, transfers, at, count, width, &mut room);
            masks.extend(a.iter().chain(&*factors).copied());
            products.extend(both.iter().copied());
            at += count;
        }
    }
}
