//! Levels of trees on AVX-512 registers: one register is a row of four trees.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{GROUP, Path, Row, SIDE};
use crate::block::Block;
use crate::hash::vector::{circular_keys, circular_registers};
use crate::vector::{LANES, available, broadcast, load, store};

const _: () = assert!(SIDE == LANES);

/// Rows in flight.
const WIDE: usize = 8;

pub fn grow_level(nodes: &mut [Block], tweak: Block) -> Option<Row> {
    // SAFETY: the processor has the instructions.
    available().then(|| unsafe {
        match nodes.len() / SIDE {
            4 => grow_body::<2>(nodes, tweak),
            8 => grow_body::<4>(nodes, tweak),
            _ => grow_body::<WIDE>(nodes, tweak),
        }
    })
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn grow_body<const N: usize>(nodes: &mut [Block], tweak: Block) -> Row {
    let (keys, tweak) = (circular_keys(), broadcast(tweak));
    let mut sum = _mm512_setzero_si512();
    let (left, right) = halves::<N>(nodes);
    for (left, right) in left.zip(right) {
        let parents = load::<N>(left);
        let hashes = circular_registers(parents.map(|x| _mm512_xor_si512(x, tweak)), &keys);
        for at in 0..N {
            sum = _mm512_xor_si512(sum, hashes[at]);
            store([hashes[at]], &mut left[at * LANES..][..LANES]);
            store([_mm512_xor_si512(hashes[at], parents[at])], &mut right[at * LANES..][..LANES]);
        }
    }
    row(sum)
}

/// Runs of `N` rows of both halves.
fn halves<const N: usize>(
    nodes: &mut [Block],
) -> (impl Iterator<Item = &mut [Block]>, impl Iterator<Item = &mut [Block]>) {
    assert!(nodes.len().is_multiple_of(2 * N * LANES), "runs of {N} rows");
    let (left, right) = nodes.split_at_mut(nodes.len() / 2);
    (left.chunks_exact_mut(N * LANES), right.chunks_exact_mut(N * LANES))
}

pub fn regrow_level(nodes: &mut [Block], tweak: Block, path: &Path) -> Option<[Row; 2]> {
    // SAFETY: the processor has the instructions.
    available().then(|| unsafe {
        match nodes.len() / SIDE {
            4 => regrow_body::<2>(nodes, tweak, path),
            8 => regrow_body::<4>(nodes, tweak, path),
            _ => regrow_body::<WIDE>(nodes, tweak, path),
        }
    })
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn regrow_body<const N: usize>(nodes: &mut [Block], tweak: Block, path: &Path) -> [Row; 2] {
    let (keys, tweak) = (circular_keys(), broadcast(tweak));
    let (hidden, sibling) = (indices(path.hidden), indices(path.sibling));
    let [value] = load::<1>(&path.value);
    let one = _mm512_set1_epi64(1);
    let mut index = _mm512_setzero_si512();
    let mut sums = [_mm512_setzero_si512(); 2];
    let (left, right) = halves::<N>(nodes);
    for (left, right) in left.zip(right) {
        let mut parents = load::<N>(left);
        let mut known = [0; N];
        for at in 0..N {
            parents[at] = _mm512_mask_mov_epi64(parents[at], _mm512_cmpeq_epi64_mask(index, sibling), value);
            known[at] = _mm512_cmpneq_epi64_mask(index, hidden);
            index = _mm512_add_epi64(index, one);
        }
        let hashes = circular_registers(parents.map(|x| _mm512_xor_si512(x, tweak)), &keys);
        for at in 0..N {
            let near = _mm512_maskz_mov_epi64(known[at], hashes[at]);
            let far = _mm512_maskz_xor_epi64(known[at], hashes[at], parents[at]);
            sums = [_mm512_xor_si512(sums[0], near), _mm512_xor_si512(sums[1], far)];
            store([near], &mut left[at * LANES..][..LANES]);
            store([far], &mut right[at * LANES..][..LANES]);
        }
    }
    sums.map(|sum| row(sum))
}

pub fn seal(leaves: &mut [Block; GROUP], path: &Path) -> bool {
    let available = available();
    if available {
        // SAFETY: the processor has the instructions.
        unsafe { seal_body(leaves, path) };
    }
    available
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn seal_body(leaves: &mut [Block; GROUP], path: &Path) {
    let (hidden, sibling) = (indices(path.hidden), indices(path.sibling));
    let ([value], [end]) = (load::<1>(&path.value), load::<1>(&path.placed));
    let (one, keep) = (_mm512_set1_epi64(1), broadcast(!1));
    let mut index = _mm512_setzero_si512();
    for leaves in leaves.as_chunks_mut::<LANES>().0 {
        let [leaf] = load::<1>(leaves);
        let leaf = _mm512_and_si512(leaf, keep);
        let leaf = _mm512_mask_mov_epi64(leaf, _mm512_cmpeq_epi64_mask(index, sibling), value);
        let leaf = _mm512_mask_mov_epi64(leaf, _mm512_cmpeq_epi64_mask(index, hidden), end);
        store([leaf], leaves);
        index = _mm512_add_epi64(index, one);
    }
}

/// A tree's index in both halves of its lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn indices([a, b, c, d]: [u64; SIDE]) -> __m512i {
    _mm512_set_epi64(d as i64, d as i64, c as i64, c as i64, b as i64, b as i64, a as i64, a as i64)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn row(register: __m512i) -> Row {
    let mut row = [0; LANES];
    store([register], &mut row);
    row
}
