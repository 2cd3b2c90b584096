//! The code of the noisy samples: each is the sum of ten positions of the secret.
//!
//! The matrix is public and fixed: row `r` takes the 16-bit numbers `10·r ..` of AES in counter mode under a public key.
//! Ten random reads a sample are the cost of a silent transfer: the secret's megabyte is to stay in the second cache.

#[cfg(target_arch = "x86_64")]
mod vector;

use crate::block::Block;
use crate::silent::parameters::{LOCALITY, SECRET};

/// The third 128 bits of pi's fraction; the hashes have those before.
const KEY: Block = 0x452821e6_38d01377_be5466cf_34e90c6c;

/// Rows that are made at a time.
pub const ROWS: usize = 32;
/// Blocks of the key stream behind them.
const STREAM: usize = ROWS * LOCALITY * size_of::<u16>() / size_of::<Block>();

/// Adds row `first + i` of the matrix times the secret to `samples[i]`. Rows come in whole runs of [`ROWS`].
pub fn encode(samples: &mut [Block], first: usize, secret: &[Block; SECRET]) {
    assert!(samples.len().is_multiple_of(ROWS) && first.is_multiple_of(ROWS), "rows in runs of {ROWS}");
    #[cfg(target_arch = "x86_64")]
    if vector::encode(samples, first, secret) {
        return;
    }
    portable::encode(samples, first, secret);
}

mod portable {
    use std::sync::LazyLock;

    use aes::cipher::array::Array;
    use aes::cipher::{BlockCipherEncrypt, KeyInit};

    use super::*;

    static CIPHER: LazyLock<aes::Aes128> = LazyLock::new(|| aes::Aes128::new(&Array::from(KEY.to_le_bytes())));

    pub fn encode(samples: &mut [Block], first: usize, secret: &[Block; SECRET]) {
        for (run, samples) in samples.chunks_mut(ROWS).enumerate() {
            let positions = positions(first / ROWS + run);
            for (sample, positions) in samples.iter_mut().zip(positions.as_chunks::<LOCALITY>().0) {
                *sample ^= positions.iter().fold(0, |sum, at| sum ^ secret[usize::from(*at)]);
            }
        }
    }

    pub fn positions(run: usize) -> [u16; ROWS * LOCALITY] {
        let mut stream: [_; STREAM] =
            std::array::from_fn(|at| Array::from(((run * STREAM + at) as Block).to_le_bytes()));
        CIPHER.encrypt_blocks(&mut stream);
        let mut positions = [0; ROWS * LOCALITY];
        for (positions, block) in positions.chunks_mut(8).zip(stream) {
            for (position, bytes) in positions.iter_mut().zip(block.as_chunks::<2>().0) {
                *position = u16::from_le_bytes(*bytes);
            }
        }
        positions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptc_ring::Seed;

    fn secret() -> Vec<Block> {
        let words = Seed::from_bytes([1; 32]).stream(0, 0).words(2 * SECRET);
        words.as_chunks::<2>().0.iter().map(|[low, high]| Block::from(*low) | Block::from(*high) << 64).collect()
    }

    #[test]
    fn both_bodies_agree() {
        let secret = secret();
        let secret = secret.as_slice().try_into().unwrap();
        for (first, rows) in [(0, 0), (0, 32), (64, 4096), (870_400 - 32, 32)] {
            let start: Vec<Block> = (0..rows as Block).collect();
            let (mut plain, mut fast) = (start.clone(), start);
            portable::encode(&mut plain, first, secret);
            encode(&mut fast, first, secret);
            assert!(plain == fast, "{rows} rows from {first}");
        }
    }

    /// Every position is read about as often as every other.
    #[test]
    fn positions_are_spread() {
        let mut counts = vec![0.0f64; SECRET];
        const RUNS: usize = 2048;
        for run in 0..RUNS {
            portable::positions(run).into_iter().for_each(|at| counts[usize::from(at)] += 1.0);
        }
        let mean = (RUNS * ROWS * LOCALITY) as f64 / SECRET as f64;
        let distance: f64 = counts.iter().map(|count| (count - mean).powi(2) / mean).sum();
        // Chi-square: its mean is the number of positions, its deviation the root of twice that.
        assert!((distance - SECRET as f64).abs() < 6.0 * (2.0 * SECRET as f64).sqrt(), "{distance}");
    }
}
