//! Trees on AVX-512 registers: a register is a node of four trees.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{LANES, Next, SIDE};
use crate::block::Block;
use crate::hash::vector::{circular_keys, circular_registers};
use crate::vector::{available, load, store};

/// Whether it ran.
pub fn grow_chunk(depth: u32, leaves: &mut [Block], positions: Option<&[[u64; LANES]]>, next: &mut Next) -> bool {
    let available = available();
    if available {
        // SAFETY: the processor has the instructions.
        unsafe { grow_chunk_body(depth, leaves, positions, next) };
    }
    available
}

/// What is added to nodes of one level, in every lane to those at one position.
#[derive(Clone, Copy)]
struct Missing {
    blocks: __m512i,
    positions: __m512i,
    /// The bits of a node's number that tell its parent.
    parent: __m512i,
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn grow_chunk_body(depth: u32, leaves: &mut [Block], positions: Option<&[[u64; LANES]]>, next: &mut Next) {
    let keys = circular_keys();
    let groups = leaves.len() / (LANES << depth);
    assert!(groups <= SIDE, "{groups} groups at a time");
    let zero = _mm512_setzero_si512();
    let mut missing = [Missing { blocks: zero, positions: zero, parent: zero }; SIDE];
    for (missing, positions) in missing.iter_mut().zip(positions.unwrap_or_default()) {
        let [a, b, c, d] = positions.map(|position| position as i64);
        missing.positions = _mm512_set_epi64(d, d, c, c, b, b, a, a);
    }
    // Groups inside: their small levels are independent of each other, and the processor runs them side by side.
    for level in 1..depth as usize {
        for (group, nodes) in leaves.chunks_exact_mut(LANES << depth).enumerate() {
            let (parents, rest) = nodes.split_at_mut(LANES << level);
            let right = &mut rest[..LANES << level];
            let missing = &mut missing[group];
            missing.parent = _mm512_set1_epi64((1 << (level - 1)) - 1);
            let sum = match positions {
                Some(_) if level == 1 => widen::<2>(parents, right, |_, x| x, &keys),
                Some(_) => widen::<4>(parents, right, |at, x| added(*missing, at, x), &keys),
                None if level == 1 => widen::<2>(parents, right, |_, x| x, &keys),
                None => widen::<4>(parents, right, |_, x| x, &keys),
            };
            let mut blocks = [0; LANES];
            store([sum], &mut blocks);
            [missing.blocks] = load(&next(level + 1, group, blocks));
        }
    }
    if positions.is_none() || depth == 1 {
        return;
    }
    for (nodes, mut missing) in leaves.chunks_exact_mut(LANES << depth).zip(missing) {
        missing.parent = _mm512_set1_epi64((1 << (depth - 1)) - 1);
        for (at, node) in nodes.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let [x] = load(node);
            store([added(missing, at as i64, x)], node);
        }
    }
}

/// Parents become their left children, `right` the right ones; the left ones' sum. `correct` is given each parent's number.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,vaes")]
fn widen<const N: usize>(
    parents: &mut [Block],
    right: &mut [Block],
    correct: impl Fn(i64, __m512i) -> __m512i,
    keys: &[__m512i; 11],
) -> __m512i {
    let mut sum = _mm512_setzero_si512();
    let mut number = 0;
    for (parents, right) in parents.chunks_exact_mut(LANES * N).zip(right.chunks_exact_mut(LANES * N)) {
        let x = load::<N>(parents);
        let x: [__m512i; N] = std::array::from_fn(|at| correct(number + at as i64, x[at]));
        let left = circular_registers(x, keys);
        for left in left {
            sum = _mm512_xor_si512(sum, left);
        }
        store::<N>(std::array::from_fn(|at| _mm512_xor_si512(x[at], left[at])), right);
        store(left, parents);
        number += N as i64;
    }
    sum
}

#[inline]
#[target_feature(enable = "avx512f")]
fn added(missing: Missing, number: i64, x: __m512i) -> __m512i {
    let differ = _mm512_xor_si512(_mm512_set1_epi64(number), missing.positions);
    let on_path = _mm512_testn_epi64_mask(differ, missing.parent);
    _mm512_mask_xor_epi64(x, on_path, x, missing.blocks)
}
