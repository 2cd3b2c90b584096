//! Long tensors in blocks that stay in the first cache: correlations and messages are unpacked where they are used, and
//! nothing is written to memory but messages and results. Large ones are shared among cores.

use ptc_ring::pack::{pack, packed_len};
use ptc_ring::tensor::wipe;
use rayon::prelude::*;

/// Elements of a block: whole words of planes, whole bytes of packed elements.
pub const BLOCK: usize = 512;

/// Elements that one core takes at a time.
const CHUNK: usize = 16 * BLOCK;

/// Elements from which on the cores share the work.
const PARALLEL: usize = 8 * CHUNK;

/// Appends `count` elements, packed. `fill(first, block)` yields those from `first` on.
pub fn pack_blocks(bits: u32, count: usize, out: &mut Vec<u8>, fill: impl Fn(usize, &mut [u64]) + Sync) {
    let start = out.len();
    out.resize(start + packed_len(count, bits) as usize, 0);
    let bytes_of = |elements: usize| elements / 8 * bits as usize;
    let chunk = |(at, target): (usize, &mut [u8])| {
        let (mut block, mut packed) = ([0; BLOCK], Vec::with_capacity(8 * BLOCK + 128));
        for (i, target) in target.chunks_mut(bytes_of(BLOCK)).enumerate() {
            let first = at * CHUNK + i * BLOCK;
            let block = &mut block[..BLOCK.min(count - first)];
            fill(first, block);
            packed.clear();
            pack(block, bits, &mut packed);
            target.copy_from_slice(&packed);
        }
        wipe(&mut block);
    };
    let target = &mut out[start..];
    if count < PARALLEL {
        target.chunks_mut(bytes_of(CHUNK)).enumerate().for_each(chunk);
    } else {
        target.par_chunks_mut(bytes_of(CHUNK)).enumerate().for_each(chunk);
    }
}

/// `count` new words: `fill(first, block, scratch)` yields those from `first` on, with `N` blocks of room for itself.
pub fn map_blocks<const N: usize>(
    count: usize,
    fill: impl Fn(usize, &mut [u64], &mut [[u64; BLOCK]; N]) + Sync,
) -> Vec<u64> {
    let mut out = vec![0; count];
    let chunk = |(at, target): (usize, &mut [u64])| {
        let mut scratch = [[0; BLOCK]; N];
        for (i, block) in target.chunks_mut(BLOCK).enumerate() {
            fill(at * CHUNK + i * BLOCK, block, &mut scratch);
        }
        wipe(scratch.as_flattened_mut());
    };
    if count < PARALLEL {
        out.chunks_mut(CHUNK).enumerate().for_each(chunk);
    } else {
        out.par_chunks_mut(CHUNK).enumerate().for_each(chunk);
    }
    out
}
