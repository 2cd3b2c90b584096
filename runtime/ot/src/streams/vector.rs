//! Streams on AVX-512 registers.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{CHUNK, Part};
use crate::block::Block;
use crate::vector::{LANES, RoundKeys, available, broadcast, encrypt, load, store};

/// Registers of a part: as many as hide each other's latency.
const WIDE: usize = CHUNK / LANES;

type Registers = [__m512i; WIDE];

pub fn expand(keys: &[Block]) -> Option<Vec<RoundKeys>> {
    // SAFETY: the processor has the instructions.
    available().then(|| keys.iter().map(|key| unsafe { RoundKeys::expand(*key) }).collect())
}

/// For keys that `expand` made.
pub fn sums(keys: &[RoundKeys], first: usize, counter: u64, bits: &mut [Part], all: &mut Part) {
    assert!(available() && keys.len() == 1 << bits.len(), "keys of a group");
    // SAFETY: the processor has the instructions.
    unsafe { sums_body(keys, first, counter, bits, all) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn sums_body(keys: &[RoundKeys], first: usize, counter: u64, bits: &mut [Part], all: &mut Part) {
    let zero = [_mm512_setzero_si512(); WIDE];
    let lanes = _mm512_add_epi64(broadcast(Block::from(counter)), _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0));
    let counters: Registers =
        std::array::from_fn(|at| _mm512_add_epi64(lanes, broadcast(Block::from((LANES * at) as u64))));
    bits.fill([0; CHUNK]);
    all.fill(0);
    // The lowest three bits stay in registers.
    let mut low = [zero; 3];
    for (eight, keys) in keys.chunks(8).enumerate() {
        let mut sum = zero;
        for (number, key) in keys.iter().enumerate().skip(if eight == 0 { first } else { 0 }) {
            let part = encrypt(counters, &key.broadcast());
            sum = plus(sum, part);
            for bit in 0..3 {
                if number >> bit & 1 == 1 {
                    low[bit] = plus(low[bit], part);
                }
            }
        }
        for (bit, high) in bits.iter_mut().skip(3).enumerate() {
            if eight >> bit & 1 == 1 {
                store(plus(load(high), sum), high);
            }
        }
        store(plus(load(all), sum), all);
    }
    for (bits, low) in bits.iter_mut().zip(low) {
        store(low, bits);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn plus(a: Registers, b: Registers) -> Registers {
    std::array::from_fn(|at| _mm512_xor_si512(a[at], b[at]))
}
