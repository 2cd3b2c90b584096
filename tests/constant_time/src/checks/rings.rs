//! Shares over `Z_2^k`.

use std::hint::black_box;

use ptc_plan::step::{Fixed, Party};
use ptc_ring::pack::{pack, unpack, unpack_from};
use ptc_ring::planes::{from_planes, to_planes};
use ptc_ring::tensor::{self, BitShare, Share};
use ptc_ring::{Seed, fixed as fixed_point};

use crate::valgrind::secret;

/// Odd, so that whatever goes in blocks has a rest.
const COUNT: usize = 203;

pub fn secret_words(count: usize) -> Vec<u64> {
    let mut words = vec![3; count];
    secret(&mut words);
    words
}

pub fn secret_share(bits: u32, count: usize) -> Share {
    Share::new(bits, secret_words(count))
}

pub fn secret_bits(count: usize) -> BitShare {
    BitShare::new(count, secret_words(count.div_ceil(64)))
}

pub fn secret_seed() -> Seed {
    let mut bytes = [7; 32];
    secret(&mut bytes);
    Seed::from_bytes(bytes)
}

pub fn arithmetic() {
    for bits in [1, 7, 31, 32, 33, 63, 64] {
        let (x, y) = (secret_share(bits, COUNT), secret_share(bits, COUNT));
        black_box((tensor::add(&x, &y), tensor::subtract(&x, &y), tensor::negate(&x), tensor::scale(&x, 5)));
        black_box((tensor::reduce(&x, 1), tensor::add_constant(&x, 9, Party::Server)));
        black_box(tensor::add_public(&x, &[1; COUNT], Party::Server));
        if bits > 3 {
            black_box(tensor::shift_right(&x, 3));
        }
        let mut sum = secret_words(COUNT);
        tensor::add_assign(&mut sum, &y.data, bits);
        tensor::subtract_assign(&mut sum, &y.data, bits);
        black_box(sum);
        for party in [Party::Server, Party::Client] {
            black_box(Share::of_owner(bits, &secret_words(COUNT), Party::Server, party));
        }
    }
    let (x, y) = (secret_bits(COUNT), secret_bits(COUNT));
    black_box((tensor::xor(&x, &y), tensor::not(&x, Party::Server)));
    black_box((x.to_values(), BitShare::from_values(&secret_words(COUNT))));
}

pub fn packing() {
    for bits in 1..=64 {
        let mut bytes = vec![];
        pack(&secret_share(bits, COUNT).data, bits, &mut bytes);
        black_box(unpack(&bytes, bits, COUNT).is_ok());
        let mut some = vec![0; 60];
        unpack_from(&bytes, bits, 64, &mut some);
        black_box(some);
    }
}

pub fn planes() {
    for bits in [1, 2, 33, 64] {
        let planes = to_planes(&secret_share(bits, COUNT).data, bits as usize);
        black_box(from_planes(&planes, bits as usize, COUNT));
    }
}

pub fn generator() {
    let seed = secret_seed();
    for bits in [1, 32, 33, 64] {
        black_box(seed.stream(1, 2).ring(bits, COUNT));
    }
    let mut stream = seed.stream(3, 4);
    black_box((stream.words(COUNT), stream.bytes(COUNT), stream.bits(COUNT), stream.seed()));
}

pub fn fixed() {
    let fixed = Fixed { bits: 37, frac: 12 };
    black_box(fixed_point::decode(&secret_share(37, COUNT).data, fixed));
    black_box(secret_words(COUNT).iter().map(|x| fixed_point::to_signed(*x, 37)).collect::<Vec<_>>());
}
