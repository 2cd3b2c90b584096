//! Shares and the arithmetic a party does on its own.
//!
//! `Share` and `BitShare` are secrets: they cannot be printed or compared, and they are zeroed when they go. Shapes live
//! in the plan; here a tensor is a flat list.

use ptc_plan::step::Party;

/// One party's additive share of a tensor: `x = x0 + x1 mod 2^bits`.
#[derive(Clone)]
pub struct Share {
    pub bits: u32,
    pub data: Vec<u64>,
}

/// One party's exclusive-or share of `len` bits.
#[derive(Clone)]
pub struct BitShare {
    pub len: usize,
    pub words: Vec<u64>,
}

/// The low `bits` bits, `bits <= 64`.
#[inline(always)]
pub fn mask(bits: u32) -> u64 {
    debug_assert!(bits <= 64, "a ring of {bits} bits");
    if bits == 0 { 0 } else { u64::MAX >> (64 - bits) }
}

impl Share {
    /// The data are reduced here, so that any words may come in.
    pub fn new(bits: u32, mut data: Vec<u64>) -> Share {
        reduce_slice(&mut data, bits);
        Share { bits, data }
    }

    pub fn zeros(bits: u32, len: usize) -> Share {
        Share { bits, data: vec![0; len] }
    }

    /// A value that `owner` knows, as `party`'s share: the owner holds the value, the other zero.
    pub fn of_owner(bits: u32, value: &[u64], owner: Party, party: Party) -> Share {
        if owner == party { Share::new(bits, value.to_vec()) } else { Share::zeros(bits, value.len()) }
    }

    pub fn len(&self) -> usize {
        self.data.len()
    }

    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The words themselves, for what continues to be a share under another name.
    pub fn into_data(mut self) -> Vec<u64> {
        std::mem::take(&mut self.data)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        wipe(&mut self.data);
    }
}

impl BitShare {
    pub fn zeros(len: usize) -> BitShare {
        BitShare { len, words: vec![0; len.div_ceil(64)] }
    }

    /// `words` hold at least `len` bits; bits beyond are cleared.
    pub fn new(len: usize, mut words: Vec<u64>) -> BitShare {
        assert!(words.len() >= len.div_ceil(64), "{} words cannot hold {len} bits", words.len());
        words.truncate(len.div_ceil(64));
        clear_tail(&mut words, len);
        BitShare { len, words }
    }

    /// Bit `i` is the lowest bit of `values[i]`.
    pub fn from_values(values: &[u64]) -> BitShare {
        let word = |chunk: &[u64]| chunk.iter().enumerate().fold(0, |word, (at, value)| word | (value & 1) << at);
        BitShare { len: values.len(), words: values.chunks(64).map(word).collect() }
    }

    /// One word of 0 or 1 for each bit.
    pub fn to_values(&self) -> Vec<u64> {
        let mut values = vec![0; self.len];
        for (chunk, word) in values.chunks_mut(64).zip(&self.words) {
            for (at, value) in chunk.iter_mut().enumerate() {
                *value = word >> at & 1;
            }
        }
        values
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn into_words(mut self) -> Vec<u64> {
        std::mem::take(&mut self.words)
    }
}

impl Drop for BitShare {
    fn drop(&mut self) {
        wipe(&mut self.words);
    }
}

/// Zeroes what nobody reads again, by vector stores that the compiler may not leave out.
pub fn wipe(words: &mut [u64]) {
    words.fill(0);
    zeroize::optimization_barrier(words);
}

/// Bits of the last word beyond `len` become zero.
pub fn clear_tail(words: &mut [u64], len: usize) {
    if !len.is_multiple_of(64)
        && let Some(last) = words.last_mut()
    {
        *last &= mask((len % 64) as u32);
    }
}

/// To the ring of `bits` bits, in place.
pub fn reduce_slice(data: &mut [u64], bits: u32) {
    let low = mask(bits);
    if low != u64::MAX {
        data.iter_mut().for_each(|x| *x &= low);
    }
}

/// To a smaller ring: both parties drop high bits.
pub fn reduce(x: &Share, bits: u32) -> Share {
    assert!(bits <= x.bits, "a share of {} bits cannot be read in a ring of {bits}", x.bits);
    let low = mask(bits);
    map(bits, &x.data, |v| v & low)
}

/// `x >> by` in the ring of `bits - by` bits: right to one unit.
pub fn shift_right(x: &Share, by: u32) -> Share {
    assert!(by < x.bits, "a shift by {by} leaves nothing of {} bits", x.bits);
    map(x.bits - by, &x.data, |v| v >> by)
}

pub fn add(x: &Share, y: &Share) -> Share {
    same_ring(x, y);
    let low = mask(x.bits);
    zip(x.bits, &x.data, &y.data, |a, b| a.wrapping_add(b) & low)
}

pub fn subtract(x: &Share, y: &Share) -> Share {
    same_ring(x, y);
    let low = mask(x.bits);
    zip(x.bits, &x.data, &y.data, |a, b| a.wrapping_sub(b) & low)
}

pub fn negate(x: &Share) -> Share {
    let low = mask(x.bits);
    map(x.bits, &x.data, |a| a.wrapping_neg() & low)
}

/// `x · by`, `by` public.
pub fn scale(x: &Share, by: u64) -> Share {
    let low = mask(x.bits);
    map(x.bits, &x.data, |a| a.wrapping_mul(by) & low)
}

/// `x + value`, `value` public: it enters the sharing once, at the server.
pub fn add_public(x: &Share, value: &[u64], party: Party) -> Share {
    if party == Party::Client {
        return x.clone();
    }
    let low = mask(x.bits);
    zip(x.bits, &x.data, value, |a, b| a.wrapping_add(b) & low)
}

/// `x + value` with one public value for all elements.
pub fn add_constant(x: &Share, value: u64, party: Party) -> Share {
    if party == Party::Client {
        return x.clone();
    }
    let low = mask(x.bits);
    map(x.bits, &x.data, |a| a.wrapping_add(value) & low)
}

/// `x += y`, for values that are already opened or masked.
pub fn add_assign(x: &mut [u64], y: &[u64], bits: u32) {
    assert_eq!(x.len(), y.len(), "lengths of a sum");
    let low = mask(bits);
    x.iter_mut().zip(y).for_each(|(a, b)| *a = a.wrapping_add(*b) & low);
}

/// `x -= y`.
pub fn subtract_assign(x: &mut [u64], y: &[u64], bits: u32) {
    assert_eq!(x.len(), y.len(), "lengths of a difference");
    let low = mask(bits);
    x.iter_mut().zip(y).for_each(|(a, b)| *a = a.wrapping_sub(*b) & low);
}

pub fn xor(x: &BitShare, y: &BitShare) -> BitShare {
    assert_eq!(x.len, y.len, "lengths of an exclusive or");
    BitShare { len: x.len, words: x.words.iter().zip(&y.words).map(|(a, b)| a ^ b).collect() }
}

/// The server inverts its share.
pub fn not(x: &BitShare, party: Party) -> BitShare {
    match party {
        Party::Client => x.clone(),
        Party::Server => BitShare::new(x.len, x.words.iter().map(|word| !word).collect()),
    }
}

fn same_ring(x: &Share, y: &Share) {
    assert_eq!(x.bits, y.bits, "shares of two rings");
}

#[inline(always)]
fn map(bits: u32, x: &[u64], f: impl Fn(u64) -> u64) -> Share {
    Share { bits, data: x.iter().map(|&a| f(a)).collect() }
}

#[inline(always)]
fn zip(bits: u32, x: &[u64], y: &[u64], f: impl Fn(u64, u64) -> u64) -> Share {
    assert_eq!(x.len(), y.len(), "lengths of two operands");
    Share { bits, data: x.iter().zip(y).map(|(&a, &b)| f(a, b)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_follow_the_ring(bits in 1u32..=64, x: [u64; 2], y: [u64; 2], by: u64) {
            let share = |words: [u64; 2], at: usize| Share::new(bits, vec![words[at]]);
            let opened = |f: &dyn Fn(usize, Party) -> Share| {
                let parties = [f(0, Party::Server), f(1, Party::Client)];
                for party in &parties {
                    assert!(party.bits == bits && party.data[0] <= mask(bits));
                }
                parties[0].data[0].wrapping_add(parties[1].data[0]) & mask(bits)
            };
            let (a, b) = (x[0].wrapping_add(x[1]), y[0].wrapping_add(y[1]));
            let check = |f: &dyn Fn(usize, Party) -> Share, expected: u64| assert_eq!(opened(f), expected & mask(bits));
            check(&|p, _| add(&share(x, p), &share(y, p)), a.wrapping_add(b));
            check(&|p, _| subtract(&share(x, p), &share(y, p)), a.wrapping_sub(b));
            check(&|p, _| negate(&share(x, p)), a.wrapping_neg());
            check(&|p, _| scale(&share(x, p), by), a.wrapping_mul(by));
            check(&|p, party| add_constant(&share(x, p), by, party), a.wrapping_add(by));
            check(&|p, party| add_public(&share(x, p), &[by], party), a.wrapping_add(by));
            check(&|_, party| Share::of_owner(bits, &[by], Party::Client, party), by);
        }

        #[test]
        fn bits_come_back(values in proptest::collection::vec(0u64..2, 0..200)) {
            let bits = BitShare::from_values(&values);
            prop_assert_eq!(bits.to_values(), values.clone());
            let inverted: Vec<u64> = values.iter().map(|v| 1 - v).collect();
            prop_assert_eq!(not(&bits, Party::Server).to_values(), inverted);
            prop_assert_eq!(not(&bits, Party::Client).to_values(), values.clone());
            prop_assert_eq!(xor(&bits, &bits).to_values(), vec![0; values.len()]);
        }
    }

    #[test]
    fn shifting_both_shares_errs_by_at_most_one_unit() {
        for (x, r) in [(1000u64, 7u64), (1000, 1023), (0, 1), (65535, 40000)] {
            let shares = [Share::new(16, vec![x.wrapping_sub(r)]), Share::new(16, vec![r])];
            let [x0, x1] = shares.each_ref().map(|share| shift_right(share, 4));
            let error = (x >> 4).wrapping_sub(x0.data[0] + x1.data[0]) & mask(12);
            assert!(error <= 1, "{x} with mask {r} errs by {error}");
        }
    }
}
