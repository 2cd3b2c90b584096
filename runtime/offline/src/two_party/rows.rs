//! Sums of rows of the sender, weighted by numbers of the receiver (Gilboa, CRYPTO 1999).
//!
//! Input: a transfer for each bit of each number, the lowest bit of all numbers first, numbers in `[batch, uses, inner]`;
//! the receiver's choices are the numbers' bits. The sender has rows `x[batch, inner, each]`: given, or those that the
//! transfers of each matrix's first use yield ([`yielded`]), uniform in `Z_2^bits`. Output: additive shares of
//! `sum over j of n[b, u, j]·x[b, j]`, in `[batch, uses, each]`.
//! Security: semi-honest. Message: for every use, bit by bit from the lowest, `x - (m1 - m0)` for the strings `m0`, `m1` of
//! each transfer, modulo `2^(bits - bit)`; the receiver knows one of the strings, and the other hides `x`. What a yielded
//! row would correct is zero and not sent. Price: [`Rows::share`].

use ptc_net::PeerError;
use ptc_plan::two_party::matrices::{Elements, Rows};
use ptc_ring::Share;
use ptc_ring::masks::of_bit;
use ptc_ring::pack::{pack, unpack_from};
use ptc_ring::tensor::reduce_slice;
use rayon::prelude::*;

use super::product::check_length;
use super::transfers::{BLOCK, Received, Room, Sent, window};

/// The sender's rows, where its transfers yield them.
pub fn yielded(sent: &Sent, rows: &Rows) -> Share {
    assert!(rows.elements == Elements::Yielded, "rows that are not given");
    let mut x = Share::zeros(rows.bits, rows.batch * rows.inner * rows.each);
    let of_matrix = x.data.par_chunks_mut((rows.inner * rows.each).max(1)).enumerate();
    of_matrix.for_each(|(matrix, x)| {
        let mut scratch = Scratch::new(rows);
        for (first, count) in blocks(rows) {
            let x = &mut x[first * rows.each..][..count * rows.each];
            let [zeros, ones] = scratch.both(sent, rows, number(rows, matrix * rows.uses, 0) + first, count);
            x.iter_mut().zip(ones.iter().zip(zeros)).for_each(|(x, (one, zero))| *x = one.wrapping_sub(*zero));
        }
    });
    reduce_slice(&mut x.data, rows.bits);
    x
}

/// The sender's shares; appends the message.
pub fn send(sent: &Sent, rows: &Rows, x: &Share, message: &mut Vec<u8>) -> Share {
    let start = message.len();
    message.resize(start + rows.share().bytes as usize, 0);
    let (mut rest, mut messages) = (&mut message[start..], vec![]);
    for at in 0..rows.batch * rows.uses {
        let own;
        (own, rest) = rest.split_at_mut(rows.use_bytes(at % rows.uses) as usize);
        messages.push(own);
    }
    let mut sums = Share::zeros(rows.bits, rows.batch * rows.uses * rows.each);
    let all = sums.data.par_chunks_mut(rows.each.max(1)).zip(messages).enumerate();
    all.for_each(|(at, (sums, mut message))| {
        let x = matrix_of(rows, x, at);
        let (mut scratch, mut packed) = (Scratch::new(rows), vec![]);
        for bit in 0..rows.choice_bits {
            for (first, count) in blocks(rows) {
                let x = &x[first * rows.each..][..count * rows.each];
                let [zeros, ones] = scratch.both(sent, rows, number(rows, at, bit) + first, count);
                for zeros in zeros.chunks(rows.each.max(1)) {
                    sums.iter_mut().zip(zeros).for_each(|(sum, zero)| *sum = sum.wrapping_sub(zero << bit));
                }
                if !rows.corrected(at % rows.uses, bit) {
                    continue;
                }
                let corrections = ones.iter_mut().zip(x.iter().zip(zeros));
                corrections.for_each(|(one, (x, zero))| *one = x.wrapping_sub(one.wrapping_sub(*zero)));
                packed.clear();
                pack(ones, rows.bits - bit, &mut packed);
                let own;
                (own, message) = std::mem::take(&mut message).split_at_mut(packed.len());
                own.copy_from_slice(&packed);
            }
        }
    });
    reduce_slice(&mut sums.data, rows.bits);
    sums
}

/// The receiver's numbers, in `[batch, uses, inner]`.
pub fn numbers(received: &Received, rows: &Rows) -> Share {
    let planes = received.choice_planes(rows.choice_bits as usize, rows.values());
    let data = ptc_ring::planes::from_planes(&planes, rows.choice_bits as usize, rows.values());
    Share { bits: rows.choice_bits.max(1), data }
}

/// Which choices the receiver inverts to have the numbers that it wants, in two's complement: a plane for each bit, known to
/// both.
#[derive(Clone, Copy)]
pub struct Flips<'a>(pub &'a [u64]);

impl Flips<'_> {
    /// All ones where the choice of number `at` is inverted, else zero.
    fn of(&self, rows: &Rows, bit: u32, at: usize) -> u64 {
        let plane = &self.0[bit as usize * rows.values().div_ceil(64)..];
        (window(plane, at) & 1).wrapping_neg()
    }

    /// All ones where a product counts negative: the top bit's.
    fn negative(rows: &Rows, bit: u32) -> u64 {
        u64::from(bit + 1 == rows.choice_bits).wrapping_neg()
    }
}

/// The receiver's shares, of products with its choices, or with the numbers that `flips` makes of them.
pub fn receive(received: &Received, rows: &Rows, message: &[u8], flips: Option<Flips>) -> Result<Share, PeerError> {
    check_length(message, rows.share().bytes as usize)?;
    let (mut rest, mut messages) = (message, vec![]);
    for at in 0..rows.batch * rows.uses {
        let own;
        (own, rest) = rest.split_at(rows.use_bytes(at % rows.uses) as usize);
        messages.push(own);
    }
    let mut sums = Share::zeros(rows.bits, rows.batch * rows.uses * rows.each);
    let all = sums.data.par_chunks_mut(rows.each.max(1)).zip(messages).enumerate();
    all.for_each(|(at, (sums, mut message))| {
        let mut scratch = Scratch::new(rows);
        for bit in 0..rows.choice_bits {
            let corrected = rows.corrected(at % rows.uses, bit);
            for (first, count) in blocks(rows) {
                let from = number(rows, at, bit) + first;
                let [strings, corrections] = scratch.chosen(received, rows, from, count);
                if corrected {
                    unpack_from(message, rows.bits - bit, first * rows.each, corrections);
                } else {
                    corrections.fill(0);
                }
                let each = strings.chunks(rows.each.max(1)).zip(corrections.chunks(rows.each.max(1)));
                for (place, (strings, corrections)) in each.enumerate() {
                    let chosen = of_bit(received.choices(from + place));
                    let flipped = flips.map_or(0, |flips| {
                        flips.of(rows, bit, at * rows.inner + first + place) ^ Flips::negative(rows, bit)
                    });
                    for (sum, (string, correction)) in sums.iter_mut().zip(strings.iter().zip(corrections)) {
                        let product = string.wrapping_add(correction & chosen);
                        *sum = sum.wrapping_add((product ^ flipped).wrapping_sub(flipped) << bit);
                    }
                }
            }
            if corrected {
                message = &message[rows.row_bytes(bit) as usize..];
            }
        }
    });
    reduce_slice(&mut sums.data, rows.bits);
    Ok(sums)
}

/// The sender's shares of products with the numbers that `flips` makes of the receiver's choices: a bit's product with `x` is
/// `-m0` where the choice stands, and `x + m0` where it is inverted.
pub fn flipped(sent: &Sent, rows: &Rows, x: &Share, flips: Flips) -> Share {
    let mut sums = Share::zeros(rows.bits, rows.batch * rows.uses * rows.each);
    sums.data.par_chunks_mut(rows.each.max(1)).enumerate().for_each(|(at, sums)| {
        let x = matrix_of(rows, x, at);
        let mut scratch = Scratch::new(rows);
        for bit in 0..rows.choice_bits {
            let negative = Flips::negative(rows, bit);
            for (first, count) in blocks(rows) {
                let x = &x[first * rows.each..][..count * rows.each];
                let [zeros, _] = scratch.both(sent, rows, number(rows, at, bit) + first, count);
                let each = zeros.chunks(rows.each.max(1)).zip(x.chunks(rows.each.max(1)));
                for (place, (zeros, x)) in each.enumerate() {
                    let set = flips.of(rows, bit, at * rows.inner + first + place);
                    for (sum, (zero, x)) in sums.iter_mut().zip(zeros.iter().zip(x)) {
                        let product = (x & set).wrapping_add((zero ^ !set).wrapping_sub(!set));
                        *sum = sum.wrapping_add((product ^ negative).wrapping_sub(negative) << bit);
                    }
                }
            }
        }
    });
    reduce_slice(&mut sums.data, rows.bits);
    sums
}

/// The transfer of a bit of the first number in use `at` of all matrices' uses.
fn number(rows: &Rows, at: usize, bit: u32) -> usize {
    bit as usize * rows.values() + at * rows.inner
}

/// The rows of the matrix to which use `at` belongs.
fn matrix_of<'a>(rows: &Rows, x: &'a Share, at: usize) -> &'a [u64] {
    &x.data[at / rows.uses * rows.inner * rows.each..][..rows.inner * rows.each]
}

/// Numbers that are worked on at a time: their elements are whole bytes of every correction.
fn block(rows: &Rows) -> usize {
    (BLOCK / rows.each.max(1)).next_multiple_of(8).clamp(8, BLOCK)
}

/// The numbers of one use, block by block: the first, and how many.
fn blocks(rows: &Rows) -> impl Iterator<Item = (usize, usize)> {
    let (inner, block) = (rows.inner, block(rows));
    (0..inner).step_by(block).map(move |first| (first, block.min(inner - first)))
}

/// Room for the strings of a block, and for corrections.
struct Scratch {
    room: Room,
    elements: [Share; 2],
}

impl Scratch {
    fn new(rows: &Rows) -> Scratch {
        let elements = [(); 2].map(|()| Share::zeros(rows.bits, block(rows) * rows.each));
        Scratch { room: Room::new(), elements }
    }

    /// Both strings of `count` transfers from `at` on.
    fn both(&mut self, sent: &Sent, rows: &Rows, at: usize, count: usize) -> [&mut [u64]; 2] {
        let Scratch { room, elements } = self;
        let [zeros, ones] = elements.each_mut().map(|share| &mut share.data[..count * rows.each]);
        sent.elements(at, rows.each, rows.bits, room, [zeros, ones]);
        [zeros, ones]
    }

    /// The chosen strings, and room for corrections.
    fn chosen(&mut self, received: &Received, rows: &Rows, at: usize, count: usize) -> [&mut [u64]; 2] {
        let Scratch { room, elements } = self;
        let [strings, corrections] = elements.each_mut().map(|share| &mut share.data[..count * rows.each]);
        received.elements(at, rows.each, rows.bits, room, strings);
        [strings, corrections]
    }
}
