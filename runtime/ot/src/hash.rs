//! Hashes that break correlations: AES with a fixed public key.
//!
//! `tweaked` is TMMO, `H(x, i) = pi(pi(x) ^ i) ^ pi(x)`; `circular` is `H(x) = pi(sigma(x)) ^ sigma(x)` with the linear
//! orthomorphism `sigma(h, l) = (h ^ l, h)` on halves (Guo, Katz, Wang, Yu, S&P 2020, sections 7.4 and 7.3). For `pi` an
//! ideal permutation the first is tweakable and circular correlation robust, the second circular correlation robust.
//! Each has a key of its own.
//!
//! Hashing many blocks takes consecutive tweaks. A tweak must not come twice with the same correlation `delta` and
//! related blocks; the callers count.

#[cfg(target_arch = "x86_64")]
pub(crate) mod vector;

use std::sync::LazyLock;

use aes::cipher::array::Array;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use crate::block::Block;

/// The keys of the two permutations: the first 256 bits of pi's fraction.
const TWEAKED_KEY: Block = 0x243f6a88_85a308d3_13198a2e_03707344;
const CIRCULAR_KEY: Block = 0xa4093822_299f31d0_082efa98_ec4e6c89;

/// `out[i] = H(x[i], first + i)`. Tweaks count in their low 64 bits, which must not overflow.
pub fn tweaked(x: &[Block], first: Block, out: &mut [Block]) {
    assert_eq!(x.len(), out.len(), "blocks in and out");
    check_tweaks(first, x.len());
    #[cfg(target_arch = "x86_64")]
    if vector::tweaked(x, 0, first, out) {
        return;
    }
    portable::tweaked(x, 0, first, out);
}

/// `out[i] = H(x[i] ^ delta, first + i)`.
pub fn tweaked_shifted(x: &[Block], delta: Block, first: Block, out: &mut [Block]) {
    assert_eq!(x.len(), out.len(), "blocks in and out");
    check_tweaks(first, x.len());
    #[cfg(target_arch = "x86_64")]
    if vector::tweaked(x, delta, first, out) {
        return;
    }
    portable::tweaked(x, delta, first, out);
}

/// `blocks[i] = H(blocks[i], first + i)`.
pub fn tweaked_in_place(blocks: &mut [Block], first: Block) {
    check_tweaks(first, blocks.len());
    #[cfg(target_arch = "x86_64")]
    if vector::tweaked_in_place(blocks, first) {
        return;
    }
    portable::tweaked_in_place(blocks, first);
}

/// Each block becomes `each` of them: `out[each·i + j] = H(x[i], first + each·i + j)`.
pub fn expand(x: &[Block], each: usize, first: Block, out: &mut [Block]) {
    assert_eq!(x.len() * each, out.len(), "blocks in and out");
    check_tweaks(first, out.len());
    #[cfg(target_arch = "x86_64")]
    if vector::expand(x, each, first, out) {
        return;
    }
    portable::expand(x, each, first, out);
}

/// `out[i] = H(x[i])`, the circular hash.
pub fn circular(x: &[Block], out: &mut [Block]) {
    assert_eq!(x.len(), out.len(), "blocks in and out");
    #[cfg(target_arch = "x86_64")]
    if vector::circular(x, out) {
        return;
    }
    portable::circular(x, out);
}

/// `(h, l)` to `(h ^ l, h)`: linear, and so is its sum with the identity; both are permutations.
#[inline(always)]
pub fn sigma(x: Block) -> Block {
    (x ^ x << 64) & (u64::MAX as Block) << 64 | x >> 64
}

fn check_tweaks(first: Block, count: usize) {
    assert!((first as u64).checked_add(count as u64).is_some(), "tweaks overflow");
}

/// What a processor without VAES runs, by the instructions that the `aes` crate finds.
mod portable {
    use super::*;

    static TWEAKED: LazyLock<aes::Aes128> = LazyLock::new(|| cipher(TWEAKED_KEY));
    static CIRCULAR: LazyLock<aes::Aes128> = LazyLock::new(|| cipher(CIRCULAR_KEY));

    /// Blocks that a processor with AES instructions encrypts side by side.
    pub const SIDE: usize = 16;

    pub fn cipher(key: Block) -> aes::Aes128 {
        aes::Aes128::new(&Array::from(key.to_le_bytes()))
    }

    pub fn encrypt(cipher: &aes::Aes128, blocks: &mut [Block; SIDE]) {
        let mut state = blocks.map(|block| Array::from(block.to_le_bytes()));
        cipher.encrypt_blocks(&mut state);
        *blocks = state.map(|block| Block::from_le_bytes(block.into()));
    }

    pub fn tweaked(x: &[Block], delta: Block, first: Block, out: &mut [Block]) {
        for (at, (x, out)) in x.chunks(SIDE).zip(out.chunks_mut(SIDE)).enumerate() {
            let mut side = [0; SIDE];
            side[..x.len()].copy_from_slice(x);
            side = side.map(|x| x ^ delta);
            tweak(&mut side, first + (at * SIDE) as Block);
            out.copy_from_slice(&side[..out.len()]);
        }
    }

    pub fn tweaked_in_place(blocks: &mut [Block], first: Block) {
        for (at, blocks) in blocks.chunks_mut(SIDE).enumerate() {
            let mut side = [0; SIDE];
            side[..blocks.len()].copy_from_slice(blocks);
            tweak(&mut side, first + (at * SIDE) as Block);
            blocks.copy_from_slice(&side[..blocks.len()]);
        }
    }

    fn tweak(side: &mut [Block; SIDE], first: Block) {
        encrypt(&TWEAKED, side);
        let mut inner: [Block; SIDE] = std::array::from_fn(|lane| side[lane] ^ first.wrapping_add(lane as Block));
        encrypt(&TWEAKED, &mut inner);
        side.iter_mut().zip(inner).for_each(|(x, inner)| *x ^= inner);
    }

    pub fn expand(x: &[Block], each: usize, first: Block, out: &mut [Block]) {
        let mut tweak = first;
        for (x, out) in x.chunks(SIDE).zip(out.chunks_mut((SIDE * each).max(1))) {
            let mut once = [0; SIDE];
            once[..x.len()].copy_from_slice(x);
            encrypt(&TWEAKED, &mut once);
            for (at, out) in out.chunks_mut(SIDE).enumerate() {
                let of = |lane: usize| once[((at * SIDE + lane) / each).min(SIDE - 1)];
                let mut inner: [Block; SIDE] = std::array::from_fn(|lane| of(lane) ^ tweak.wrapping_add(lane as Block));
                encrypt(&TWEAKED, &mut inner);
                out.iter_mut().enumerate().for_each(|(lane, out)| *out = inner[lane] ^ of(lane));
                tweak += out.len() as Block;
            }
        }
    }

    pub fn circular(x: &[Block], out: &mut [Block]) {
        for (x, out) in x.chunks(SIDE).zip(out.chunks_mut(SIDE)) {
            let mut side = [0; SIDE];
            side[..x.len()].copy_from_slice(x);
            let inner = side.map(sigma);
            side = inner;
            encrypt(&CIRCULAR, &mut side);
            out.iter_mut().zip(side).zip(inner).for_each(|((out, outer), inner)| *out = outer ^ inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// FIPS 197, C.1, on every block of a group.
    #[test]
    fn the_permutation_is_aes() {
        let key = Block::from_le_bytes(std::array::from_fn(|i| i as u8));
        let plain = 0x00112233_44556677_8899aabb_ccddeeff_u128.swap_bytes();
        let cipher = 0x69c4e0d8_6a7b0430_d8cdb780_70b4c55a_u128.swap_bytes();
        let mut blocks = [plain; portable::SIDE];
        portable::encrypt(&portable::cipher(key), &mut blocks);
        assert!(blocks.iter().all(|block| *block == cipher));
    }

    /// The definition, on the cipher of the `aes` crate.
    fn encrypt(key: Block, x: Block) -> Block {
        let mut block = Array::from(x.to_le_bytes());
        aes::Aes128::new(&Array::from(key.to_le_bytes())).encrypt_block(&mut block);
        Block::from_le_bytes(block.into())
    }

    fn tmmo(x: Block, tweak: Block) -> Block {
        let once = encrypt(TWEAKED_KEY, x);
        encrypt(TWEAKED_KEY, once ^ tweak) ^ once
    }

    proptest! {
        #[test]
        fn batches_hash_each_block(x in proptest::collection::vec(any::<Block>(), 0..101), delta: Block, high: u64, low: u32) {
            let first = (high as Block) << 64 | low as Block;
            let mut out = vec![0; x.len()];
            tweaked(&x, first, &mut out);
            let expected: Vec<Block> = x.iter().zip(first..).map(|(x, tweak)| tmmo(*x, tweak)).collect();
            prop_assert_eq!(&out, &expected);
            portable::tweaked(&x, 0, first, &mut out);
            prop_assert_eq!(&out, &expected);
            out.copy_from_slice(&x);
            tweaked_in_place(&mut out, first);
            prop_assert_eq!(&out, &expected);
            out.copy_from_slice(&x);
            portable::tweaked_in_place(&mut out, first);
            prop_assert_eq!(&out, &expected);

            let expected: Vec<Block> = x.iter().zip(first..).map(|(x, tweak)| tmmo(*x ^ delta, tweak)).collect();
            tweaked_shifted(&x, delta, first, &mut out);
            prop_assert_eq!(&out, &expected);
            portable::tweaked(&x, delta, first, &mut out);
            prop_assert_eq!(&out, &expected);

            let expected: Vec<Block> = x.iter().map(|x| encrypt(CIRCULAR_KEY, sigma(*x)) ^ sigma(*x)).collect();
            circular(&x, &mut out);
            prop_assert_eq!(&out, &expected);
            portable::circular(&x, &mut out);
            prop_assert_eq!(&out, &expected);
        }

        #[test]
        fn blocks_are_expanded(x in proptest::collection::vec(any::<Block>(), 0..70), each in 0usize..23, first: u32) {
            let first = first as Block;
            let expected: Vec<Block> =
                (0..x.len() * each).map(|at| tmmo(x[at / each], first + at as Block)).collect();
            let mut out = vec![0; x.len() * each];
            expand(&x, each, first, &mut out);
            prop_assert_eq!(&out, &expected);
            portable::expand(&x, each, first, &mut out);
            prop_assert_eq!(&out, &expected);
        }
    }

    /// Computed from the definition with another implementation of AES.
    #[test]
    fn known_answers() {
        let x = 0x00112233_44556677_8899aabb_ccddeeff;
        let (mut tweaked_out, mut circular_out) = ([0], [0]);
        tweaked(&[x], 5, &mut tweaked_out);
        circular(&[x], &mut circular_out);
        assert_eq!(tweaked_out, [0xe86b2878_08f9c5c4_11c94b0c_03815ac7]);
        assert_eq!(circular_out, [0xb627eb7f_2a0fc80c_9a7e3e88_70190f6c]);
    }

    #[test]
    fn sigma_is_an_orthomorphism() {
        // Linear and of full rank, and so is its sum with the identity.
        for map in [sigma, |x| sigma(x) ^ x] {
            let mut rows: Vec<Block> = (0..128).map(|bit| map(1 << bit)).collect();
            for column in 0..128 {
                let pivot = (column..128).find(|row| rows[*row] >> column & 1 == 1).expect("full rank");
                rows.swap(column, pivot);
                let pivot = rows[column];
                (column + 1..128).for_each(|row| rows[row] ^= pivot * (rows[row] >> column & 1));
            }
        }
    }

    #[test]
    #[should_panic(expected = "tweaks overflow")]
    fn tweaks_do_not_wrap() {
        tweaked_in_place(&mut [0; 2], u64::MAX as Block);
    }
}
