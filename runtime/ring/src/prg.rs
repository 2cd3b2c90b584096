//! Seeds and the generator behind every mask: AES-128 in counter mode.
//!
//! A stream's key is the seed's AES-256 applied to the block `(domain, index)`. A block cipher is a permutation, so two
//! streams of one seed never have the same key; as a pseudorandom function of 128-bit blocks its distance from random
//! is that of the switching lemma, `q^2 / 2^129` for `q` streams.

use aes::cipher::array::Array;
use aes::cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher};
use zeroize::{Zeroize, Zeroizing};

use crate::tensor::{BitShare, mask};

/// What both holders expand to the same randomness. A secret.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// From the operating system.
    pub fn fresh() -> std::io::Result<Seed> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
        Ok(Seed(bytes))
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Seed {
        Seed(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The stream `(domain, index)`: independent of every other stream of this seed.
    pub fn stream(&self, domain: u64, index: u64) -> Prg {
        let mut key = Array::from([0; 16]);
        key[..8].copy_from_slice(&domain.to_le_bytes());
        key[8..].copy_from_slice(&index.to_le_bytes());
        aes::Aes256::new(&Array::from(self.0)).encrypt_block(&mut key);
        let prg = Prg::new(key.as_ref());
        key.zeroize();
        prg
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A stream of uniform bits. Both holders of a seed draw the same as long as they make the same calls.
pub struct Prg {
    cipher: ctr::Ctr128BE<aes::Aes128>,
}

impl Prg {
    fn new(key: &[u8; 16]) -> Prg {
        Prg { cipher: ctr::Ctr128BE::new(&Array::from(*key), &Array::from([0; 16])) }
    }

    /// `count` uniform elements of the ring of `bits` bits.
    pub fn ring(&mut self, bits: u32, count: usize) -> Vec<u64> {
        assert!((1..=64).contains(&bits), "a ring of {bits} bits");
        let low = mask(bits);
        if bits <= 32 {
            // Two elements from each word drawn.
            let words = Zeroizing::new(self.words(count.div_ceil(2)));
            let mut data = vec![0; count];
            let (pairs, last) = data.as_chunks_mut::<2>();
            for (pair, word) in pairs.iter_mut().zip(words.iter()) {
                *pair = [word & low, word >> 32 & low];
            }
            if let ([last], Some(word)) = (last, words.last()) {
                *last = word & low;
            }
            return data;
        }
        let mut data = self.words(count);
        crate::tensor::reduce_slice(&mut data, bits);
        data
    }

    pub fn words(&mut self, count: usize) -> Vec<u64> {
        // A block of words at a time, so that the bytes stay in the first cache between cipher and use.
        const BLOCK: usize = 512;
        let mut data = vec![0; count];
        let mut bytes = Zeroizing::new([0u8; 8 * BLOCK]);
        for chunk in data.chunks_mut(BLOCK) {
            let bytes = &mut bytes[..8 * chunk.len()];
            bytes.fill(0);
            self.fill(bytes);
            for (word, bytes) in chunk.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
        data
    }

    /// The next `count` bytes of the stream.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes);
        bytes
    }

    pub fn bits(&mut self, len: usize) -> BitShare {
        BitShare::new(len, self.words(len.div_ceil(64)))
    }

    /// A seed of its own, for what is handed on.
    pub fn seed(&mut self) -> Seed {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        Seed(bytes)
    }

    /// Adds the key stream to zeroed `bytes`.
    fn fill(&mut self, bytes: &mut [u8]) {
        // 2^128 blocks: the end is out of reach.
        self.cipher.apply_keystream(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn hex(text: &str) -> Vec<u8> {
        let nibble = |c: u8| (c as char).to_digit(16).unwrap() as u8;
        text.as_bytes().chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
    }

    /// NIST SP 800-38A, F.5.1.
    #[test]
    fn counter_mode_matches_the_standard() {
        let key: [u8; 16] = hex("2b7e151628aed2a6abf7158809cf4f3c").try_into().unwrap();
        let counter: [u8; 16] = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").try_into().unwrap();
        let mut prg = Prg { cipher: ctr::Ctr128BE::new(&Array::from(key), &Array::from(counter)) };
        let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let cipher = hex("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
        let stream: Vec<u8> = prg.words(4).iter().flat_map(|word| word.to_le_bytes()).collect();
        let xored: Vec<u8> = plain.iter().zip(&stream).map(|(a, b)| a ^ b).collect();
        assert_eq!(xored, cipher);
    }

    /// FIPS 197, C.3 and C.1: the stream's key is AES-256 of the block, its first block AES-128 of zero.
    #[test]
    fn streams_are_keyed_by_the_seed() {
        let seed: [u8; 32] = std::array::from_fn(|i| i as u8);
        let block = hex("00112233445566778899aabbccddeeff");
        let domain = u64::from_le_bytes(block[..8].try_into().unwrap());
        let index = u64::from_le_bytes(block[8..].try_into().unwrap());
        let key: [u8; 16] = hex("8ea2b7ca516745bfeafc49904b496089").try_into().unwrap();
        let mut expected = Prg::new(&key);
        assert_eq!(Seed::from_bytes(seed).stream(domain, index).words(9), expected.words(9));
    }

    #[test]
    fn streams_differ_and_repeat() {
        let seed = Seed::from_bytes([7; 32]);
        let mut seen = HashSet::new();
        for domain in 0..20 {
            for index in 0..20 {
                let words = seed.stream(domain, index).words(2);
                assert_eq!(words, seed.stream(domain, index).words(2));
                assert!(seen.insert(words));
            }
        }
        assert!(seen.insert(Seed::from_bytes([8; 32]).stream(0, 0).words(2)));
        assert!(seen.insert(Seed::fresh().unwrap().stream(0, 0).words(2)));
    }

    #[test]
    fn draws_continue_the_stream() {
        let seed = Seed::from_bytes([3; 32]);
        let (mut whole, mut parts) = (seed.stream(1, 2), seed.stream(1, 2));
        let expected = whole.words(1400);
        let mut found = parts.words(3);
        found.extend(parts.words(1397));
        assert_eq!(found, expected);
    }

    #[test]
    fn ring_elements_fill_the_ring() {
        for bits in 1..=64 {
            let data = Seed::from_bytes([5; 32]).stream(0, 0).ring(bits, 1001);
            assert_eq!(data.len(), 1001);
            assert!(data.iter().all(|x| *x <= mask(bits)));
            for bit in 0..bits {
                let ones = data.iter().filter(|x| *x >> bit & 1 == 1).count();
                // Seven standard deviations of a fair coin.
                assert!(ones.abs_diff(500) < 111, "bit {bit} of {bits}: {ones} ones of 1001");
            }
        }
        let bits = Seed::from_bytes([5; 32]).stream(0, 0).bits(70);
        assert!(bits.words.len() == 2 && bits.words[1] <= mask(6));
    }
}
