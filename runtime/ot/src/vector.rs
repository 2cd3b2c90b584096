//! AES on AVX-512 registers, four blocks in each.
//!
//! The building blocks of this room's vector bodies. Each of those lies beside its portable twin, says whether the
//! processor has what it needs, and is held against the twin bit by bit.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use crate::block::{Block, wipe};

/// Blocks in a register.
pub const LANES: usize = 4;

/// Whether this processor has VAES and AVX-512.
#[inline]
pub fn available() -> bool {
    is_x86_feature_detected!("vaes")
        && is_x86_feature_detected!("aes")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// The eleven round keys of AES-128. A secret unless its key is a constant.
pub struct RoundKeys([Block; 11]);

impl Drop for RoundKeys {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl RoundKeys {
    /// The key schedule of FIPS 197, section 5.2.
    #[target_feature(enable = "aes,avx2")]
    pub fn expand(key: Block) -> RoundKeys {
        let mut keys = [key; 11];
        keys[1] = next_key::<0x01>(keys[0]);
        keys[2] = next_key::<0x02>(keys[1]);
        keys[3] = next_key::<0x04>(keys[2]);
        keys[4] = next_key::<0x08>(keys[3]);
        keys[5] = next_key::<0x10>(keys[4]);
        keys[6] = next_key::<0x20>(keys[5]);
        keys[7] = next_key::<0x40>(keys[6]);
        keys[8] = next_key::<0x80>(keys[7]);
        keys[9] = next_key::<0x1b>(keys[8]);
        keys[10] = next_key::<0x36>(keys[9]);
        RoundKeys(keys)
    }

    /// Each round key in all four lanes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn broadcast(&self) -> [__m512i; 11] {
        self.0.map(|key| broadcast(key))
    }
}

#[inline]
#[target_feature(enable = "aes,avx2")]
fn next_key<const CONSTANT: i32>(key: Block) -> Block {
    let word = _mm_extract_epi32::<3>(_mm_aeskeygenassist_si128::<CONSTANT>(register(key))) as u32;
    // Each word is the sum of its predecessors and the substituted one: a prefix sum over four words.
    let key = key ^ key << 32;
    let key = key ^ key << 64;
    key ^ ((word as Block) * 0x0000_0001_0000_0001_0000_0001_0000_0001)
}

#[inline]
#[target_feature(enable = "avx2")]
fn register(block: Block) -> __m128i {
    _mm_set_epi64x((block >> 64) as i64, block as i64)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub fn broadcast(block: Block) -> __m512i {
    _mm512_broadcast_i32x4(register(block))
}

/// Encrypts `N` registers side by side: a round's latency is hidden behind the other registers.
#[inline]
#[target_feature(enable = "avx512f,vaes")]
pub fn encrypt<const N: usize>(mut state: [__m512i; N], keys: &[__m512i; 11]) -> [__m512i; N] {
    for register in &mut state {
        *register = _mm512_xor_si512(*register, keys[0]);
    }
    for key in &keys[1..10] {
        for register in &mut state {
            *register = _mm512_aesenc_epi128(*register, *key);
        }
    }
    for register in &mut state {
        *register = _mm512_aesenclast_epi128(*register, keys[10]);
    }
    state
}

/// The linear map of `hash::sigma` on each lane.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub fn sigma(x: __m512i) -> __m512i {
    let swapped = _mm512_shuffle_epi32::<0b01_00_11_10>(x);
    _mm512_mask_xor_epi64(swapped, 0b1010_1010, swapped, x)
}

/// `N` registers from memory. The slice holds exactly `4 · N` blocks.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn load<const N: usize>(blocks: &[Block]) -> [__m512i; N] {
    assert_eq!(blocks.len(), LANES * N, "blocks of {N} registers");
    // SAFETY: the slice holds `N` times 64 bytes; the load asks for no alignment.
    std::array::from_fn(|at| unsafe { _mm512_loadu_si512(blocks.as_ptr().add(LANES * at).cast()) })
}

#[inline]
#[target_feature(enable = "avx512f")]
pub fn store<const N: usize>(registers: [__m512i; N], blocks: &mut [Block]) {
    assert_eq!(blocks.len(), LANES * N, "blocks of {N} registers");
    for (at, register) in registers.into_iter().enumerate() {
        // SAFETY: the slice holds `N` times 64 bytes; the store asks for no alignment.
        unsafe { _mm512_storeu_si512(blocks.as_mut_ptr().add(LANES * at).cast(), register) };
    }
}
