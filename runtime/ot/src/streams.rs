//! Streams of many keys, and their sums: AES-128 in counter mode, the counter lowest byte first.
//!
//! The keys of a group are numbered `0..2^bits`. What an extension needs is for each bit of a number the sum of the
//! streams whose number has it set, and the sum of all.

#[cfg(target_arch = "x86_64")]
mod vector;

use aes::cipher::array::Array;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use crate::block::Block;

/// Blocks of a stream that are made at a time.
pub const CHUNK: usize = 16;

/// Part of one stream, or of a sum of some.
pub type Part = [Block; CHUNK];

/// The key schedules of some groups.
pub enum Streams {
    #[cfg(target_arch = "x86_64")]
    Vector(Vec<crate::vector::RoundKeys>),
    Portable(Vec<aes::Aes128>),
}

impl Streams {
    pub fn new(keys: &[Block]) -> Streams {
        #[cfg(target_arch = "x86_64")]
        if let Some(keys) = vector::expand(keys) {
            return Streams::Vector(keys);
        }
        Streams::portable(keys)
    }

    fn portable(keys: &[Block]) -> Streams {
        Streams::Portable(keys.iter().map(|key| aes::Aes128::new(&Array::from(key.to_le_bytes()))).collect())
    }

    /// The sums of group `group`, from block `counter` on: for each of the `bits` of a number, and of all. The streams
    /// before number `first` are left out.
    pub fn sums(&self, group: usize, first: usize, counter: u64, bits: &mut [Part], all: &mut Part) {
        let keys = group << bits.len()..(group + 1) << bits.len();
        match self {
            #[cfg(target_arch = "x86_64")]
            Streams::Vector(streams) => vector::sums(&streams[keys], first, counter, bits, all),
            Streams::Portable(streams) => sums(&streams[keys], first, counter, bits, all),
        }
    }
}

fn sums(streams: &[aes::Aes128], first: usize, counter: u64, bits: &mut [Part], all: &mut Part) {
    bits.fill([0; CHUNK]);
    all.fill(0);
    for (number, stream) in streams.iter().enumerate().skip(first) {
        let mut part = std::array::from_fn(|at| Array::from(Block::from(counter + at as u64).to_le_bytes()));
        stream.encrypt_blocks(&mut part);
        let part: Part = part.map(|block: aes::Block| Block::from_le_bytes(block.into()));
        add(all, &part);
        bits.iter_mut().enumerate().filter(|(bit, _)| number >> bit & 1 == 1).for_each(|(_, sum)| add(sum, &part));
    }
}

fn add(sum: &mut Part, part: &Part) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum ^= part);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the cipher of FIPS 197, by the `aes` crate.
    #[test]
    fn a_stream_is_aes_of_the_counter() {
        let key = Block::from_le_bytes(std::array::from_fn(|i| i as u8));
        let mut block = Array::from(3u128.to_le_bytes());
        aes::Aes128::new(&Array::from(key.to_le_bytes())).encrypt_block(&mut block);
        for streams in [Streams::new(&[0, key]), Streams::portable(&[0, key])] {
            let (mut bits, mut all) = ([[0; CHUNK]], [0; CHUNK]);
            streams.sums(0, 0, 1, &mut bits, &mut all);
            assert!(bits[0][2] == Block::from_le_bytes(block.into()));
        }
    }

    #[test]
    fn sums_follow_the_definition_in_both_bodies() {
        let words = ptc_ring::Seed::from_bytes([9; 32]).stream(0, 0).words(1 << 9);
        let keys: Vec<Block> = words.iter().map(|word| Block::from(*word) * 0x1_0001_0003_0000_0005).collect();
        let (fast, plain) = (Streams::new(&keys), Streams::portable(&keys));
        let alone: Vec<aes::Aes128> =
            keys.iter().map(|key| aes::Aes128::new(&Array::from(key.to_le_bytes()))).collect();
        for (bits, group, first) in (1..=8).flat_map(|bits| [(bits, 0, 0), (bits, 1, 1)]) {
            let counter = 77 + group as u64;
            let (mut expected, mut total) = (vec![[0; CHUNK]; bits], [0; CHUNK]);
            for number in first..1 << bits {
                for at in 0..CHUNK {
                    let mut block = Array::from(Block::from(counter + at as u64).to_le_bytes());
                    alone[group << bits | number].encrypt_block(&mut block);
                    let block = Block::from_le_bytes(block.into());
                    total[at] ^= block;
                    (0..bits).filter(|bit| number >> bit & 1 == 1).for_each(|bit| expected[bit][at] ^= block);
                }
            }
            for streams in [&fast, &plain] {
                let (mut found, mut all) = (vec![[1; CHUNK]; bits], [2; CHUNK]);
                streams.sums(group, first, counter, &mut found, &mut all);
                assert!(found == expected && all == total, "groups of {bits} bits");
            }
        }
    }
}
