//! Products of the sender's random elements with the receiver's random bits, weighted (Gilboa, CRYPTO 1999).
//!
//! Input: for each of `values` numbers a transfer for each of its `choice_bits` bits, the lowest bit of all numbers first;
//! the receiver's choices are the numbers' bits. Each number has `each` elements `x` of the sender, in order. Output: `x`,
//! uniform in `Z_2^bits`, at the sender, and additive shares of every element times its number.
//! Security: semi-honest. Message: for the bits from the second on `x - (m1 - m0)` for the strings `m0`, `m1` of the bit's
//! transfers, modulo `2^(bits - bit)`; the receiver knows one of the strings, and the other hides `x`. For the lowest
//! bit that difference is `x` itself and nothing is sent. Price: [`ptc_plan::two_party::product`].

use ptc_net::PeerError;
use ptc_ring::Share;
use ptc_ring::masks::Masks;
use ptc_ring::pack::{pack, packed_len, unpack_from};
use ptc_ring::tensor::reduce_slice;

use super::transfers::{BLOCK, Received, Room, Sent, window};

#[derive(Clone, Copy)]
pub struct Shape {
    pub values: usize,
    /// Elements of each number.
    pub each: usize,
    pub choice_bits: u32,
    pub bits: u32,
}

impl Shape {
    /// For numbers and elements of one ring, one of each.
    pub fn square(count: usize, bits: u32) -> Shape {
        Shape { values: count, each: 1, choice_bits: bits, bits }
    }

    pub fn count(&self) -> usize {
        self.values * self.each
    }

    /// Bits of a correction for bit `at`.
    fn width(&self, at: u32) -> u32 {
        self.bits - at
    }

    /// Where the corrections of bit `at` start, in bytes.
    fn row(&self, at: u32) -> usize {
        (1..at).map(|j| packed_len(self.count(), self.width(j)) as usize).sum()
    }

    /// Of the message.
    pub fn bytes(&self) -> usize {
        self.row(self.choice_bits.max(1))
    }

    /// Numbers that are worked on at a time: their elements are whole bytes of every row.
    fn block(&self) -> usize {
        (BLOCK / self.each.max(1)).next_multiple_of(8).clamp(8, BLOCK)
    }
}

/// What the sender has.
pub struct Product {
    pub x: Share,
    pub share: Share,
}

/// The sender's part; appends the message.
pub fn send(sent: &Sent, shape: Shape, message: &mut Vec<u8>) -> Product {
    assert!(shape.choice_bits <= shape.bits, "a factor wider than the ring");
    let (mut x, mut share) = (Share::zeros(shape.bits, shape.count()), Share::zeros(shape.bits, shape.count()));
    corrections(sent, shape, message, |at, j, own, zeros| {
        let (x, share) = (&mut x.data[at..][..own.len()], &mut share.data[at..][..own.len()]);
        if j == 0 {
            x.copy_from_slice(own);
        }
        share.iter_mut().zip(zeros).for_each(|(share, zero)| *share = share.wrapping_sub(zero << j));
    });
    reduce_slice(&mut x.data, shape.bits);
    reduce_slice(&mut share.data, shape.bits);
    Product { x, share }
}

/// The message alone; `see(element, bit, x, m0)` for every block of elements and bit.
pub fn corrections(sent: &Sent, shape: Shape, message: &mut Vec<u8>, mut see: impl FnMut(usize, u32, &[u64], &[u64])) {
    let start = message.len();
    message.resize(start + shape.bytes(), 0);
    let mut packed = vec![];
    strings(sent, shape, |at, j, x, zeros, ones| {
        see(at, j, x, zeros);
        if j > 0 {
            let width = shape.width(j);
            ones.iter_mut().zip(x.iter().zip(zeros)).for_each(|(one, (x, zero))| {
                *one = x.wrapping_sub(one.wrapping_sub(*zero));
            });
            packed.clear();
            pack(ones, width, &mut packed);
            message[start + shape.row(j) + at / 8 * width as usize..][..packed.len()].copy_from_slice(&packed);
        }
    });
}

/// `see(element, bit, x, m0, m1)` for every block of elements and bit, not reduced.
pub fn strings(sent: &Sent, shape: Shape, mut see: impl FnMut(usize, u32, &[u64], &[u64], &mut [u64])) {
    let Shape { values, each, choice_bits, bits } = shape;
    let elements = shape.block() * each;
    let (mut room, mut scratch) = (Room::new(), [(); 3].map(|()| Share::zeros(bits, elements)));
    for first in (0..values).step_by(shape.block()) {
        let length = shape.block().min(values - first) * each;
        let [x, zeros, ones] = scratch.each_mut().map(|share| &mut share.data[..length]);
        for j in 0..choice_bits {
            let at = j as usize * values + first;
            sent.elements(at, each, bits, &mut room, [zeros, ones]);
            if j == 0 {
                x.iter_mut().zip(zeros.iter().zip(&*ones)).for_each(|(x, (zero, one))| *x = one.wrapping_sub(*zero));
            }
            see(first * each, j, x, zeros, ones);
        }
    }
}

/// The receiver's numbers.
pub fn numbers(received: &Received, shape: Shape) -> Share {
    let planes = received.choice_planes(shape.choice_bits as usize, shape.values);
    let data = ptc_ring::planes::from_planes(&planes, shape.choice_bits as usize, shape.values);
    Share { bits: shape.choice_bits.max(1), data }
}

/// The receiver's part of the message's products.
pub fn receive(received: &Received, shape: Shape, message: &[u8]) -> Result<Share, PeerError> {
    receive_flipped(received, shape, message, None)
}

/// The same where bits are inverted: planes of `flips`, one for each bit of the numbers, tell which products of a bit
/// count negative; the top bit's weight is negative.
pub fn receive_flipped(
    received: &Received,
    shape: Shape,
    message: &[u8],
    flips: Option<&[u64]>,
) -> Result<Share, PeerError> {
    let Shape { values, each, choice_bits, bits } = shape;
    check_length(message, shape.bytes())?;
    let mut share = Share::zeros(bits, shape.count());
    let elements = shape.block() * each;
    let (mut room, mut scratch) = (Room::new(), [(); 2].map(|()| Share::zeros(bits, elements)));
    for first in (0..values).step_by(shape.block()) {
        let numbers = shape.block().min(values - first);
        let [strings, corrections] = scratch.each_mut().map(|scratch| &mut scratch.data[..numbers * each]);
        let share = &mut share.data[first * each..][..numbers * each];
        for j in 0..choice_bits {
            let at = j as usize * values + first;
            received.elements(at, each, bits, &mut room, strings);
            if j > 0 {
                unpack_from(&message[shape.row(j)..], shape.width(j), first * each, corrections);
                masked(
                    each,
                    |word| received.choices(at + word * 64),
                    corrections,
                    |correction, chosen| {
                        *correction &= chosen;
                    },
                );
                strings.iter_mut().zip(&*corrections).for_each(|(string, c)| *string = string.wrapping_add(*c));
            }
            if let Some(flips) = flips {
                let row = &flips[j as usize * values.div_ceil(64)..];
                masked(
                    each,
                    |word| window(row, first + word * 64),
                    strings,
                    |string, flipped| {
                        *string = (*string ^ flipped).wrapping_sub(flipped);
                    },
                );
                if j + 1 == choice_bits {
                    strings.iter_mut().for_each(|string| *string = string.wrapping_neg());
                }
            }
            share.iter_mut().zip(&*strings).for_each(|(share, string)| *share = share.wrapping_add(string << j));
        }
    }
    reduce_slice(&mut share.data, bits);
    Ok(share)
}

/// Calls `with` on every element and a word of ones if its number's bit is set, else of zeros.
pub fn masked(each: usize, bits: impl Fn(usize) -> u64, elements: &mut [u64], with: impl Fn(&mut u64, u64)) {
    let mut masks = Masks::new();
    for (word, elements) in elements.chunks_mut(64 * each.max(1)).enumerate() {
        let masks = masks.of_bits(bits(word));
        if each == 1 {
            elements.iter_mut().zip(masks).for_each(|(x, set)| with(x, *set));
            continue;
        }
        for (elements, set) in elements.chunks_mut(each.max(1)).zip(masks) {
            elements.iter_mut().for_each(|x| with(x, *set));
        }
    }
}

pub fn check_length(message: &[u8], expected: usize) -> Result<(), PeerError> {
    let found = message.len();
    if found == expected { Ok(()) } else { Err(PeerError::WrongLength { expected, found }) }
}
