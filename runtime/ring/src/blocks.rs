//! Long tensors in blocks that stay in the first cache: what is packed is unpacked where it is used, and nothing is
//! written to memory but messages and results. Large ones are shared among cores.

use rayon::prelude::*;

use crate::pack::{pack, packed_len};
use crate::tensor::wipe;

/// Elements of a block: whole words of planes, whole bytes of packed elements.
pub const BLOCK: usize = 512;

/// Elements that one core takes at a time.
const CHUNK: usize = 16 * BLOCK;

/// Elements from which on the cores share the work.
const PARALLEL: usize = 8 * CHUNK;

/// Whether one core does it all: there is one, or waking another costs more.
fn alone(count: usize) -> bool {
    count < PARALLEL || rayon::current_num_threads() == 1
}

/// Appends `count` elements, packed: `fill(first, block, scratch)` yields those from `first` on, not necessarily reduced,
/// with `N` blocks of room for itself.
pub fn pack_blocks<const N: usize>(
    bits: u32,
    count: usize,
    out: &mut Vec<u8>,
    fill: impl Fn(usize, &mut [u64], &mut [[u64; BLOCK]; N]) + Sync,
) {
    let start = out.len();
    out.resize(start + packed_len(count, bits) as usize, 0);
    let bytes_of = |elements: usize| elements / 8 * bits as usize;
    let chunk = |(at, target): (usize, &mut [u8])| {
        let (mut block, mut scratch, mut packed) = ([0; BLOCK], [[0; BLOCK]; N], Vec::with_capacity(8 * BLOCK + 128));
        for (i, target) in target.chunks_mut(bytes_of(BLOCK)).enumerate() {
            let first = at * CHUNK + i * BLOCK;
            let block = &mut block[..BLOCK.min(count - first)];
            fill(first, block, &mut scratch);
            packed.clear();
            pack(block, bits, &mut packed);
            target.copy_from_slice(&packed);
        }
        wipe(&mut block);
        wipe(scratch.as_flattened_mut());
    };
    let target = &mut out[start..];
    if alone(count) {
        target.chunks_mut(bytes_of(CHUNK)).enumerate().for_each(chunk);
    } else {
        target.par_chunks_mut(bytes_of(CHUNK)).enumerate().for_each(chunk);
    }
}

/// The same, not packed and not reduced.
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
    if alone(count) {
        out.chunks_mut(CHUNK).enumerate().for_each(chunk);
    } else {
        out.par_chunks_mut(CHUNK).enumerate().for_each(chunk);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::unpack;

    #[test]
    fn blocks_join() {
        for count in [0, 1, 7, BLOCK, BLOCK + 1, CHUNK - 1, PARALLEL + CHUNK / 2 + 3] {
            let expected: Vec<u64> = (0..count as u64).map(|i| i * 5 % 8191).collect();
            let fill = |first: usize, out: &mut [u64], [scratch]: &mut [[u64; BLOCK]; 1]| {
                scratch.iter_mut().enumerate().for_each(|(i, word)| *word = (first + i) as u64 * 5 % 8191);
                out.copy_from_slice(&scratch[..out.len()]);
            };
            assert_eq!(map_blocks(count, fill), expected);
            let mut bytes = vec![9; 3];
            pack_blocks(13, count, &mut bytes, fill);
            assert_eq!(unpack(&bytes[3..], 13, count).unwrap(), expected);
        }
    }
}
