//! Random bits: of each party with their product, shared both ways, multiplied, and with a number that they select.
//!
//! Input: transfers in the directions named. Output: [`Wrap`], [`SharedBit`], [`BitTriple`], [`GateMask`]. Security:
//! semi-honest. Messages: of wraps and shared bits the server's correction of a difference of strings, of which the client
//! knows one; the other hides it. Gates have the same, from other bits of the strings than those used for the number. Bit
//! triples need none. Prices: [`ptc_plan::two_party::transfers`].
//!
//! [`Wrap`]: ptc_correlation::types::Wrap
//! [`SharedBit`]: ptc_correlation::types::SharedBit
//! [`BitTriple`]: ptc_correlation::types::BitTriple
//! [`GateMask`]: ptc_correlation::types::GateMask

use ptc_net::PeerError;
use ptc_plan::step::Party;
use ptc_ring::Share;
use ptc_ring::pack::{pack, packed_len, unpack};
use ptc_ring::tensor::{mask, reduce_slice};

use super::made::{Started, Words, planes, ring};
use super::product::{check_length, masked};
use super::transfers::{BLOCK, Received, Room, Sent, Transfers};
use super::triple::nothing;

/// The client's bit is its choice, the server's the lowest bit of the difference of its strings.
pub fn wrap(party: Party, count: usize, bits: u32, transfers: Transfers) -> Started {
    match party {
        Party::Server => {
            let (r0, share, message) = send_bit_product(&transfers.sent, count, bits);
            Started::new(message, move |message| {
                nothing(message)?;
                Ok(vec![planes(count, 1, r0), ring(share)])
            })
        }
        Party::Client => Started::new(vec![], move |message| {
            let share = receive_bit_product(&transfers.received, count, bits, message)?;
            Ok(vec![planes(count, 1, transfers.received.choice_planes(1, count)), ring(share)])
        }),
    }
}

/// `rho0 + rho1 - 2·rho0·rho1`, the product in the ring of one bit less.
pub fn bit_to_share(party: Party, count: usize, bits: u32, transfers: Transfers) -> Started {
    match party {
        Party::Server => {
            let (rho, product, message) = send_bit_product(&transfers.sent, count, bits - 1);
            let share = less_twice(&rho, &product, bits);
            Started::new(message, move |message| {
                nothing(message)?;
                Ok(vec![planes(count, 1, rho), ring(share)])
            })
        }
        Party::Client => Started::new(vec![], move |message| {
            let product = receive_bit_product(&transfers.received, count, bits - 1, message)?;
            let rho = transfers.received.choice_planes(1, count);
            let share = less_twice(&rho, &product, bits);
            Ok(vec![planes(count, 1, rho), ring(share)])
        }),
    }
}

/// `a = a0 ^ a1` are choices, `b` differences of strings.
pub fn and(count: usize, transfers: Transfers) -> Started {
    Started::new(vec![], move |message| {
        nothing(message)?;
        let a = transfers.received.choice_planes(1, count);
        let [b, product] = joined(&a, &transfers, 0, count, 1, &mut Room::new());
        let factors = Words::new([&a[..], &b[..]].concat());
        Ok(vec![planes(count, 2, factors), planes(count, 1, product)])
    })
}

/// Masks and shares of products of `count` choices, `choices` from `at` on, with `width` planes of differences of the same
/// transfers' strings: planes of this party's shares of the factors, then of the products.
pub fn joined(
    choices: &[u64],
    transfers: &Transfers,
    at: usize,
    count: usize,
    width: usize,
    room: &mut Room,
) -> [Words; 2] {
    let [mut zeros, mut ones] = transfers.sent.planes(at, count, width, room);
    let chosen = transfers.received.planes(at, count, width, room);
    ones.iter_mut().zip(zeros.iter()).for_each(|(one, zero)| *one ^= zero);
    // a0·b0, and shares of a1·b0, of a0·b1.
    let own = ones.iter().zip(choices.iter().cycle());
    zeros.iter_mut().zip(own.zip(chosen.iter())).for_each(|(zero, ((b, a), chosen))| *zero ^= a & b ^ chosen);
    [ones, zeros]
}

/// The server's choice in transfers of the client and the client's in those of the server are shares of `rho`. With
/// `a0 = (1 - 2·rho0)·(m1 - m0)` a share of `rho·a0` is `rho0·a0 - m0` at the sender, the chosen string at the receiver. The
/// product of both bits comes from the upper halves of the server's strings.
pub fn gate(party: Party, count: usize, bits: u32, transfers: Transfers) -> Started {
    let rho = transfers.received.choice_planes(1, count);
    let half = bits - 1;
    let (mut a, mut product, mut message) = (Share::zeros(bits, count), Share::zeros(bits, count), vec![]);
    let (mut own_product, mut corrections) = (Share::zeros(half, count), Share::zeros(half, count));
    let mut room = Room::new();
    for first in (0..count).step_by(BLOCK) {
        let length = BLOCK.min(count - first);
        let [zeros, ones] = room.both(&transfers.sent, first, length);
        let a = &mut a.data[first..][..length];
        a.iter_mut()
            .zip(zeros.iter().zip(ones))
            .for_each(|(a, (zero, one))| *a = (*one as u64).wrapping_sub(*zero as u64));
        let bits_of = |word: usize| rho[first / 64 + word];
        masked(1, bits_of, a, |a, set| *a = (*a ^ set).wrapping_sub(set));
        let product = &mut product.data[first..][..length];
        product.copy_from_slice(a);
        masked(1, bits_of, product, |product, set| *product &= set);
        product.iter_mut().zip(zeros).for_each(|(product, zero)| *product = product.wrapping_sub(*zero as u64));
        if party == Party::Server {
            let own = &mut own_product.data[first..][..length];
            own.iter_mut().zip(zeros).for_each(|(own, zero)| *own = ((zero >> 64) as u64).wrapping_neg());
            let corrections = &mut corrections.data[first..][..length];
            let upper =
                zeros.iter().zip(ones).map(|(zero, one)| ((one >> 64) as u64).wrapping_sub((zero >> 64) as u64));
            corrections.iter_mut().zip(upper).for_each(|(correction, upper)| *correction = upper.wrapping_neg());
            masked(1, bits_of, corrections, |correction, set| *correction = correction.wrapping_sub(set));
        }
    }
    reduce_slice(&mut a.data, bits);
    if party == Party::Server && half > 0 {
        pack(&corrections.data, half, &mut message);
    }
    Started::new(message, move |message| {
        if party == Party::Client {
            corrections = unpacked(message, half, count)?;
        } else {
            nothing(message)?;
        }
        let mut room = Room::new();
        for first in (0..count).step_by(BLOCK) {
            let length = BLOCK.min(count - first);
            let chosen = room.chosen(&transfers.received, first, length);
            let product = &mut product.data[first..][..length];
            product
                .iter_mut()
                .zip(chosen)
                .for_each(|(product, chosen)| *product = product.wrapping_add(*chosen as u64));
            if party == Party::Client {
                let (own, corrections) =
                    (&mut own_product.data[first..][..length], &mut corrections.data[first..][..length]);
                masked(1, |word| rho[first / 64 + word], corrections, |correction, set| *correction &= set);
                own.iter_mut().zip(chosen.iter().zip(&*corrections)).for_each(|(own, (chosen, correction))| {
                    *own = ((chosen >> 64) as u64).wrapping_add(*correction);
                });
            }
        }
        reduce_slice(&mut product.data, bits);
        let share = less_twice(&rho, &own_product, bits);
        Ok(vec![planes(count, 1, rho), ring(a), ring(share), ring(product)])
    })
}

/// A bit of a plane less twice a product of bits, in `Z_2^bits`.
fn less_twice(plane: &[u64], product: &Share, bits: u32) -> Share {
    let mut share = Share::zeros(bits, product.len());
    masked(1, |word| plane[word], &mut share.data, |share, set| *share = set & 1);
    let low = mask(bits);
    share
        .data
        .iter_mut()
        .zip(&product.data)
        .for_each(|(share, product)| *share = share.wrapping_sub(product << 1) & low);
    share
}

/// The server's bits, its share of the products in `Z_2^bits`, and the message.
fn send_bit_product(sent: &Sent, count: usize, bits: u32) -> (Words, Share, Vec<u8>) {
    let (mut share, mut corrections) = (Share::zeros(bits, count), Share::zeros(bits, count));
    let mut own = Words::new(vec![0; count.div_ceil(64)]);
    let mut room = Room::new();
    for first in (0..count).step_by(BLOCK) {
        let length = BLOCK.min(count - first);
        let [zeros, ones] = room.both(sent, first, length);
        let words = own[first / 64..].iter_mut().zip(zeros.chunks(64).zip(ones.chunks(64)));
        for (word, (zeros, ones)) in words {
            let odd = zeros.iter().zip(ones).map(|(zero, one)| (one ^ zero) as u64 & 1);
            *word = odd.enumerate().fold(0, |word, (at, bit)| word | bit << at);
        }
        let share = &mut share.data[first..][..length];
        share.iter_mut().zip(zeros).for_each(|(share, zero)| *share = (*zero as u64).wrapping_neg());
        let pairs = zeros.iter().zip(ones).map(|(zero, one)| (*one as u64).wrapping_sub(*zero as u64));
        // The bit less the difference is even: what is sent is half of it.
        let halves = pairs.map(|difference| (difference & 1).wrapping_sub(difference) >> 1);
        corrections.data[first..][..length].iter_mut().zip(halves).for_each(|(out, half)| *out = half);
    }
    reduce_slice(&mut share.data, bits);
    let mut message = vec![];
    if bits > 1 {
        pack(&corrections.data, bits - 1, &mut message);
    }
    (own, share, message)
}

fn receive_bit_product(received: &Received, count: usize, bits: u32, message: &[u8]) -> Result<Share, PeerError> {
    let mut share = unpacked(message, bits.saturating_sub(1), count)?;
    share.bits = bits;
    let mut room = Room::new();
    for first in (0..count).step_by(BLOCK) {
        let length = BLOCK.min(count - first);
        let share = &mut share.data[first..][..length];
        masked(1, |word| received.choices(first + word * 64), share, |share, set| *share = *share << 1 & set);
        let chosen = room.chosen(received, first, length);
        share.iter_mut().zip(chosen).for_each(|(share, chosen)| *share = share.wrapping_add(*chosen as u64));
    }
    reduce_slice(&mut share.data, bits);
    Ok(share)
}

/// The `count` elements of a message; in a ring of no bits there is none, and they are zero.
fn unpacked(message: &[u8], bits: u32, count: usize) -> Result<Share, PeerError> {
    check_length(message, packed_len(count, bits) as usize)?;
    if bits == 0 {
        return Ok(Share::zeros(0, count));
    }
    let data = unpack(message, bits, count).expect("the length was checked");
    Ok(Share { bits, data })
}
