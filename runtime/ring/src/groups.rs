//! Groups of eight packed elements, which start and end at whole bytes: what packing does between the ends.
//!
//! With the width known to the compiler, offsets and shifts are constants and a group is a few vector operations.

/// Bytes read beyond the start of a group.
pub const WINDOW: usize = 72;

/// Bytes written beyond the end of a group.
pub const SPILL: usize = 8;

/// Fills groups of `out` from groups of `bits` bytes. The last has `WINDOW` bytes from its start on.
pub fn load(bits: u32, bytes: &[u8], out: &mut [[u64; 8]]) {
    LOAD[bits as usize - 1](bytes, out);
}

/// Writes groups of `bits` bytes, and up to `SPILL` arbitrary bytes behind the last.
pub fn store(bits: u32, data: &[[u64; 8]], bytes: &mut [u8]) {
    STORE[bits as usize - 1](data, bytes);
}

fn load_groups<const BITS: usize>(bytes: &[u8], out: &mut [[u64; 8]]) {
    let low = u64::MAX >> (64 - BITS);
    for (at, group) in out.iter_mut().enumerate() {
        let window: &[u8; WINDOW] = bytes[at * BITS..].first_chunk().expect("a window for each group");
        let word = |i: usize| u64::from_le_bytes(*window[8 * i..].first_chunk().expect("eight bytes"));
        let words: [u64; 9] = std::array::from_fn(word);
        let lower: [u64; 8] = std::array::from_fn(|j| words[j * BITS / 64]);
        let upper: [u64; 8] = std::array::from_fn(|j| words[j * BITS / 64 + 1]);
        // Else the compiler works on eight groups side by side, and gathers and scatters.
        std::hint::black_box(());
        *group = std::array::from_fn(|j| {
            let from = j * BITS % 64;
            (lower[j] >> from | upper[j] << 1 << (63 - from)) & low
        });
    }
}

fn store_groups<const BITS: usize>(data: &[[u64; 8]], bytes: &mut [u8]) {
    let low = u64::MAX >> (64 - BITS);
    for (at, group) in data.iter().enumerate() {
        let window = &mut bytes[at * BITS..][..BITS + SPILL];
        let (mut word, mut filled, mut next) = (0, 0, 0);
        for value in group {
            let value = value & low;
            word |= value << filled;
            filled += BITS;
            if filled >= 64 {
                window[next..][..8].copy_from_slice(&word.to_le_bytes());
                next += 8;
                filled -= 64;
                word = if filled == 0 { 0 } else { value >> (BITS - filled) };
            }
        }
        window[next..][..8].copy_from_slice(&word.to_le_bytes());
    }
}

macro_rules! widths {
    ($groups:ident) => {
        widths!($groups: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35
            36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64)
    };
    ($groups:ident: $($bits:literal)*) => { [$($groups::<$bits>),*] };
}

type Load = fn(&[u8], &mut [[u64; 8]]);
type Store = fn(&[[u64; 8]], &mut [u8]);

/// By width, from one bit on.
static LOAD: [Load; 64] = widths!(load_groups);
static STORE: [Store; 64] = widths!(store_groups);
