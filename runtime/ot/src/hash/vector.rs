//! The hashes on AVX-512 registers. Every function says whether it ran.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::sync::LazyLock;

use super::{CIRCULAR_KEY, TWEAKED_KEY};
use crate::block::Block;
use crate::vector::{LANES, RoundKeys, available, broadcast, encrypt, load, sigma, store};

/// Registers in flight.
const WIDE: usize = 4;

// SAFETY: read only after `available()`.
static TWEAKED: LazyLock<RoundKeys> = LazyLock::new(|| unsafe { RoundKeys::expand(TWEAKED_KEY) });
// SAFETY: as above.
static CIRCULAR: LazyLock<RoundKeys> = LazyLock::new(|| unsafe { RoundKeys::expand(CIRCULAR_KEY) });

pub fn tweaked(x: &[Block], delta: Block, first: Block, out: &mut [Block]) -> bool {
    let available = available();
    if available {
        // SAFETY: the processor has the instructions.
        unsafe { tweaked_body(x, delta, first, out) };
    }
    available
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn tweaked_body(x: &[Block], delta: Block, first: Block, out: &mut [Block]) {
    let (keys, delta) = (TWEAKED.broadcast(), broadcast(delta));
    let mut tweak = tweaks(first);
    let (x, x_rest) = x.as_chunks::<{ WIDE * LANES }>();
    let (out, out_rest) = out.as_chunks_mut::<{ WIDE * LANES }>();
    for (x, out) in x.iter().zip(out) {
        let x = load::<WIDE>(x).map(|x| _mm512_xor_si512(x, delta));
        store(tmmo(x, &mut tweak, &keys), out);
    }
    for (x, out) in x_rest.chunks(LANES).zip(out_rest.chunks_mut(LANES)) {
        let mut padded = [0; LANES];
        padded[..x.len()].copy_from_slice(x);
        let x = load::<1>(&padded).map(|x| _mm512_xor_si512(x, delta));
        store(tmmo(x, &mut tweak, &keys), &mut padded);
        out.copy_from_slice(&padded[..out.len()]);
    }
}

pub fn tweaked_in_place(blocks: &mut [Block], first: Block) -> bool {
    let available = available();
    if available {
        // SAFETY: the processor has the instructions.
        unsafe { tweaked_in_place_body(blocks, first) };
    }
    available
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn tweaked_in_place_body(blocks: &mut [Block], first: Block) {
    let keys = TWEAKED.broadcast();
    let mut tweak = tweaks(first);
    let (whole, rest) = blocks.as_chunks_mut::<{ WIDE * LANES }>();
    for blocks in whole {
        store(tmmo(load::<WIDE>(blocks), &mut tweak, &keys), blocks);
    }
    for blocks in rest.chunks_mut(LANES) {
        let mut padded = [0; LANES];
        padded[..blocks.len()].copy_from_slice(blocks);
        store(tmmo(load::<1>(&padded), &mut tweak, &keys), &mut padded);
        blocks.copy_from_slice(&padded[..blocks.len()]);
    }
}

/// `first`, `first + 1`, `first + 2`, `first + 3`.
#[inline]
#[target_feature(enable = "avx512f")]
fn tweaks(first: Block) -> __m512i {
    _mm512_add_epi64(broadcast(first), _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0))
}

/// Hashes with the tweaks that follow, and moves on.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,vaes")]
fn tmmo<const N: usize>(x: [__m512i; N], tweak: &mut __m512i, keys: &[__m512i; 11]) -> [__m512i; N] {
    let step = _mm512_set_epi64(0, 4, 0, 4, 0, 4, 0, 4);
    let once = encrypt(x, keys);
    let inner = once.map(|once| {
        let inner = _mm512_xor_si512(once, *tweak);
        *tweak = _mm512_add_epi64(*tweak, step);
        inner
    });
    let twice = encrypt(inner, keys);
    std::array::from_fn(|at| _mm512_xor_si512(twice[at], once[at]))
}

pub fn expand(x: &[Block], each: usize, first: Block, out: &mut [Block]) -> bool {
    let available = available();
    if available {
        // SAFETY: the processor has the instructions.
        unsafe { expand_body(x, each, first, out) };
    }
    available
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn expand_body(x: &[Block], each: usize, first: Block, out: &mut [Block]) {
    const BATCH: usize = WIDE * LANES;
    let keys = TWEAKED.broadcast();
    let mut tweak = first;
    let mut once = [0; BATCH];
    let mut at = 0;
    for x in x.chunks(BATCH) {
        once[..x.len()].copy_from_slice(x);
        store(encrypt(load::<WIDE>(&once), &keys), &mut once);
        for once in &once[..x.len()] {
            let once = broadcast(*once);
            let (whole, rest) = out[at..at + each].as_chunks_mut::<LANES>();
            // Neighbours are independent of each other: the processor runs them side by side.
            for out in whole {
                store([masked(once, tweak, &keys)], out);
                tweak += LANES as Block;
            }
            if !rest.is_empty() {
                let mut padded = [0; LANES];
                store([masked(once, tweak, &keys)], &mut padded);
                rest.copy_from_slice(&padded[..rest.len()]);
                tweak += rest.len() as Block;
            }
            at += each;
        }
    }
    crate::block::wipe(&mut once);
}

/// The hash of a block whose encryption is `once`, with four tweaks.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,vaes")]
fn masked(once: __m512i, tweak: Block, keys: &[__m512i; 11]) -> __m512i {
    let [twice] = encrypt([_mm512_xor_si512(once, tweaks(tweak))], keys);
    _mm512_xor_si512(twice, once)
}

pub fn circular(x: &[Block], out: &mut [Block]) -> bool {
    let available = available();
    if available {
        // SAFETY: the processor has the instructions.
        unsafe { circular_body(x, out) };
    }
    available
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn circular_body(x: &[Block], out: &mut [Block]) {
    let keys = circular_keys();
    let (x, x_rest) = x.as_chunks::<{ WIDE * LANES }>();
    let (out, out_rest) = out.as_chunks_mut::<{ WIDE * LANES }>();
    for (x, out) in x.iter().zip(out) {
        store(circular_registers(load::<WIDE>(x), &keys), out);
    }
    for (x, out) in x_rest.chunks(LANES).zip(out_rest.chunks_mut(LANES)) {
        let mut padded = [0; LANES];
        padded[..x.len()].copy_from_slice(x);
        store(circular_registers(load::<1>(&padded), &keys), &mut padded);
        out.copy_from_slice(&padded[..out.len()]);
    }
}

/// The key of [`circular_registers`].
#[inline]
#[target_feature(enable = "avx512f")]
pub fn circular_keys() -> [__m512i; 11] {
    CIRCULAR.broadcast()
}

/// The circular hash of `4 · N` blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,vaes")]
pub fn circular_registers<const N: usize>(x: [__m512i; N], keys: &[__m512i; 11]) -> [__m512i; N] {
    let inner = x.map(|x| sigma(x));
    let outer = encrypt(inner, keys);
    std::array::from_fn(|at| _mm512_xor_si512(outer[at], inner[at]))
}
