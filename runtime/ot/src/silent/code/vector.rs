//! The code on AVX-512 registers: the matrix four key stream blocks at a time, sums of three in one instruction.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{KEY, ROWS, STREAM};
use crate::block::Block;
use crate::silent::parameters::{LOCALITY, SECRET};
use crate::vector::{LANES, RoundKeys, available, broadcast, encrypt};

/// Registers of key stream.
const WIDE: usize = STREAM / LANES;

pub fn encode(samples: &mut [Block], first: usize, secret: &[Block; SECRET]) -> bool {
    let available = available();
    if available {
        // SAFETY: the processor has the instructions.
        unsafe { encode_body(samples, first, secret) };
    }
    available
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,vaes,aes")]
fn encode_body(samples: &mut [Block], first: usize, secret: &[Block; SECRET]) {
    let keys = RoundKeys::expand(KEY).broadcast();
    let step = _mm512_set_epi64(0, 4, 0, 4, 0, 4, 0, 4);
    let start = broadcast((first / ROWS * STREAM) as Block);
    let mut counter = _mm512_add_epi64(start, _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0));
    let mut positions = [0u16; ROWS * LOCALITY];
    for samples in samples.as_chunks_mut::<ROWS>().0 {
        let mut stream = [counter; WIDE];
        for register in &mut stream {
            *register = counter;
            counter = _mm512_add_epi64(counter, step);
        }
        let stream = encrypt(stream, &keys);
        for (at, register) in stream.into_iter().enumerate() {
            // SAFETY: `WIDE` registers of 64 bytes are the positions.
            unsafe { _mm512_storeu_si512(positions.as_mut_ptr().cast::<__m512i>().add(at), register) };
        }
        for (sample, positions) in samples.iter_mut().zip(positions.as_chunks::<LOCALITY>().0) {
            *sample = add_row(sample, positions, secret);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn add_row(sample: &Block, at: &[u16; LOCALITY], secret: &[Block; SECRET]) -> Block {
    // SAFETY: a block is 16 bytes; the load asks for no alignment.
    let read = |block: &Block| unsafe { _mm_loadu_si128((&raw const *block).cast()) };
    let read_at = |at: u16| read(&secret[usize::from(at)]);
    let sum = |a, b, c| _mm_ternarylogic_epi64::<0b1001_0110>(a, b, c);
    // Two chains, so that neither waits for the other.
    let mut even = read(sample);
    let mut odd = _mm_xor_si128(read_at(at[0]), read_at(at[1]));
    even = sum(even, read_at(at[2]), read_at(at[3]));
    odd = sum(odd, read_at(at[4]), read_at(at[5]));
    even = sum(even, read_at(at[6]), read_at(at[7]));
    odd = sum(odd, read_at(at[8]), read_at(at[9]));
    let mut total = 0;
    // SAFETY: as above, for the store.
    unsafe { _mm_storeu_si128((&raw mut total).cast(), _mm_xor_si128(even, odd)) };
    total
}
