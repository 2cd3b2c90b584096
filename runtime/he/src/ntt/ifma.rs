//! The transform in vectors of eight words, with 52-bit multipliers.
//!
//! A product `w·y` less a multiple of the prime is below `2·p` for any `y` below `2^52`. Words only count modulo `2^52`:
//! multipliers see nothing above, so that sums may leave what they like there. For primes below `2^47` no word of the
//! forward transform reaches `2^52` in fifteen layers, each of which adds at most `2·p`; wider ones are kept below `4·p`.
//!
//! Up to four layers are taken in one pass over memory, and the last six, of blocks of 64, in registers.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{BLOCK, Roots, Transform, tail_words};
use crate::prime::{Factor, Prime, RADIX_BITS, RADIX_MASK};

/// Bits of the widest primes whose words need no reduction between layers.
const LOOSE_BITS: u32 = 47;

/// Layers of blocks of 64.
const TAIL_LAYERS: u32 = BLOCK.ilog2();

pub fn works() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma")
}

pub fn forward(transform: &Transform, words: &mut [u64]) {
    assert!(works() && words.len() == transform.degree, "a machine with 52-bit multipliers");
    // SAFETY: the machine has what the functions need, as asserted; the words are those of the whole polynomial.
    unsafe {
        let at = words.as_mut_ptr();
        match transform.prime.bits() <= LOOSE_BITS {
            true => forward_block::<false, true>(transform, at, at, transform.degree, 1),
            false => forward_block::<true, true>(transform, at, at, transform.degree, 1),
        }
    }
}

pub fn forward_short(transform: &Transform, coefficients: &[u64], first: usize, slots: &mut [u64]) {
    let size = coefficients.len();
    assert!(works() && size.is_multiple_of(BLOCK), "a machine with 52-bit multipliers, whole blocks");
    assert!(first.is_multiple_of(size) && first + slots.len() <= transform.degree, "slots of the polynomial");
    let place = (transform.degree + first) / size;
    if size == BLOCK {
        let (from, to, count) = (coefficients.as_ptr(), slots.as_mut_ptr(), slots.len() / BLOCK);
        // SAFETY: the machine has what the functions need, as asserted; there are `count` blocks at places from `place` on,
        // all of which start from the same 64 coefficients.
        unsafe {
            match transform.prime.bits() <= LOOSE_BITS {
                true => forward_tails::<false, false>(transform, from, 0, to, count, place),
                false => forward_tails::<true, false>(transform, from, 0, to, count, place),
            }
        }
        return;
    }
    for (at, block) in slots.chunks_exact_mut(size).enumerate() {
        // SAFETY: the machine has what the functions need, as asserted; a block is as long as `coefficients`, and its
        // place is below twice the blocks of this size, for all of which there are factors.
        unsafe {
            let (from, to) = (coefficients.as_ptr(), block.as_mut_ptr());
            match transform.prime.bits() <= LOOSE_BITS {
                true => forward_block::<false, false>(transform, from, to, size, place + at),
                false => forward_block::<true, false>(transform, from, to, size, place + at),
            }
        }
    }
}

pub fn inverse(transform: &Transform, words: &mut [u64]) {
    assert!(works() && words.len() == transform.degree, "a machine with 52-bit multipliers");
    // SAFETY: the machine has what the functions need, as asserted; the words are those of the whole polynomial.
    unsafe { inverse_block(transform, words.as_mut_ptr(), transform.degree, 1) }
}

#[derive(Clone, Copy)]
pub(crate) struct Constants {
    prime: __m512i,
    /// `2^52 - p`.
    negated: __m512i,
    twice: __m512i,
    mask: __m512i,
    /// The quotient of the factor 1.
    one: __m512i,
    /// `2^52` and `2^104`.
    radix: Factors,
    square: Factors,
}

#[derive(Clone, Copy)]
pub(crate) struct Factors {
    value: __m512i,
    quotient: __m512i,
}

impl Constants {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn new(prime: &Prime) -> Constants {
        let all = |word: u64| _mm512_set1_epi64(word as i64);
        Constants {
            prime: all(prime.value()),
            negated: all((1 << RADIX_BITS) - prime.value()),
            twice: all(2 * prime.value()),
            mask: all(RADIX_MASK),
            one: all((1 << RADIX_BITS) / prime.value()),
            radix: broadcast(prime.radix()),
            square: broadcast(prime.radix_square()),
        }
    }

    /// `factor·y` modulo the prime, below `2·p`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn multiply(&self, y: __m512i, factor: Factors) -> __m512i {
        let zero = _mm512_setzero_si512();
        let quotient = _mm512_madd52hi_epu64(zero, y, factor.quotient);
        let product = _mm512_madd52lo_epu64(zero, y, factor.value);
        _mm512_and_si512(_mm512_madd52lo_epu64(product, quotient, self.negated), self.mask)
    }

    /// Below `limit`, of words below twice that.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn once(&self, x: __m512i, limit: __m512i) -> __m512i {
        _mm512_min_epu64(x, _mm512_sub_epi64(x, limit))
    }

    /// Of reduced words.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn add(&self, x: __m512i, y: __m512i) -> __m512i {
        self.once(_mm512_add_epi64(x, y), self.prime)
    }

    /// Of reduced words.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn sub(&self, x: __m512i, y: __m512i) -> __m512i {
        let difference = _mm512_sub_epi64(x, y);
        _mm512_min_epu64(difference, _mm512_add_epi64(difference, self.prime))
    }

    /// `factor·y`, reduced.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn multiply_whole(&self, y: __m512i, factor: Factors) -> __m512i {
        self.once(self.multiply(y, factor), self.prime)
    }

    /// Any word modulo `2^52`, reduced.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn reduce(&self, x: __m512i) -> __m512i {
        let quotient = _mm512_madd52hi_epu64(_mm512_setzero_si512(), x, self.one);
        let rest = _mm512_and_si512(_mm512_madd52lo_epu64(x, quotient, self.negated), self.mask);
        self.once(rest, self.prime)
    }

    /// `low + 2^52·high` of any words, reduced.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn reduce_sum(&self, low: __m512i, high: __m512i) -> __m512i {
        let high = _mm512_add_epi64(high, _mm512_srli_epi64::<RADIX_BITS>(low));
        let top = _mm512_srli_epi64::<RADIX_BITS>(high);
        let parts = _mm512_add_epi64(self.multiply(high, self.radix), self.multiply(top, self.square));
        // Below `5·p`.
        let sum = _mm512_add_epi64(parts, self.reduce(low));
        let sum = self.once(self.once(sum, _mm512_add_epi64(self.twice, self.twice)), self.twice);
        self.once(sum, self.prime)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn split<const TIGHT: bool>(&self, x: &mut __m512i, y: &mut __m512i, factor: Factors) {
        if TIGHT {
            let product = self.multiply(*y, factor);
            let kept = self.once(*x, self.twice);
            *x = _mm512_add_epi64(kept, product);
            *y = _mm512_sub_epi64(_mm512_add_epi64(kept, self.twice), product);
        } else {
            let quotient = _mm512_madd52hi_epu64(_mm512_setzero_si512(), *y, factor.quotient);
            let sum = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(*x, *y, factor.value), quotient, self.negated);
            *y = _mm512_sub_epi64(_mm512_add_epi64(_mm512_add_epi64(*x, *x), self.twice), sum);
            *x = sum;
        }
    }

    /// Words below `2·p` stay so.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn join(&self, x: &mut __m512i, y: &mut __m512i, factor: Factors) {
        let (sum, difference) = self.sum(*x, *y);
        *x = self.once(sum, self.twice);
        *y = self.multiply(difference, factor);
    }

    /// `x + y` and `x - y`, below `4·p`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn sum(&self, x: __m512i, y: __m512i) -> (__m512i, __m512i) {
        (_mm512_add_epi64(x, y), _mm512_sub_epi64(_mm512_add_epi64(x, self.twice), y))
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn broadcast(factor: Factor) -> Factors {
    Factors { value: _mm512_set1_epi64(factor.value as i64), quotient: _mm512_set1_epi64(factor.quotient as i64) }
}

/// # Safety
/// Eight words can be read at `at`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) unsafe fn load(at: *const u64) -> __m512i {
    // SAFETY: as the caller promises; alignment is not asked for.
    unsafe { _mm512_loadu_si512(at.cast()) }
}

/// # Safety
/// Eight words can be written at `at`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) unsafe fn store(at: *mut u64, words: __m512i) {
    // SAFETY: as the caller promises; alignment is not asked for.
    unsafe { _mm512_storeu_si512(at.cast(), words) }
}

/// Of block `b` of layer `l` of a pass, for `at = 2^l + b`; the pass is over a block that has a place in the tables, which hold
/// its layers. A macro like those
/// below, because functions are not always taken in place, which costs a fourth of a transform.
macro_rules! pass_factor {
    ($roots:expr, $place:expr, $at:expr) => {{
        let (roots, at): (&Roots, usize) = ($roots, $at);
        let layer = at.ilog2();
        let place = ($place << layer) + at - (1 << layer);
        let value = *roots.values.words().get_unchecked(place);
        broadcast(Factor { value, quotient: *roots.quotients.words().get_unchecked(place) })
    }};
}

/// Names for the factors of three layers.
macro_rules! three_layers {
    (|$at:ident| $factor:expr, $first:ident, $low:ident, $high:ident, [$p0:ident, $p1:ident, $p2:ident, $p3:ident]) => {
        three_layers!(@ |$at| $factor, $first 1, $low 2, $high 3, $p0 4, $p1 5, $p2 6, $p3 7);
    };
    (@ |$at:ident| $factor:expr, $($name:ident $place:literal),*) => {
        $(let $name = { let $at: usize = $place; $factor };)*
    };
}

/// Three layers of eight rows; the factor is that of block `b` of layer `l` for `at = 2^l + b`.
macro_rules! split_rows {
    ($tight:ident, $constants:expr, $rows:expr, |$at:ident| $factor:expr) => {{
        let (constants, [a, b, c, d, e, f, g, h]) = (&$constants, &mut $rows);
        three_layers!(|$at| $factor, first, low, high, [p0, p1, p2, p3]);
        constants.split::<$tight>(a, e, first);
        constants.split::<$tight>(b, f, first);
        constants.split::<$tight>(c, g, first);
        constants.split::<$tight>(d, h, first);
        constants.split::<$tight>(a, c, low);
        constants.split::<$tight>(b, d, low);
        constants.split::<$tight>(e, g, high);
        constants.split::<$tight>(f, h, high);
        constants.split::<$tight>(a, b, p0);
        constants.split::<$tight>(c, d, p1);
        constants.split::<$tight>(e, f, p2);
        constants.split::<$tight>(g, h, p3);
    }};
}

/// The same backwards.
macro_rules! join_rows {
    ($constants:expr, $rows:expr, |$at:ident| $factor:expr) => {{
        let (constants, [a, b, c, d, e, f, g, h]) = (&$constants, &mut $rows);
        three_layers!(|$at| $factor, first, low, high, [p0, p1, p2, p3]);
        constants.join(a, b, p0);
        constants.join(c, d, p1);
        constants.join(e, f, p2);
        constants.join(g, h, p3);
        constants.join(a, c, low);
        constants.join(b, d, low);
        constants.join(e, g, high);
        constants.join(f, h, high);
        constants.join(a, e, first);
        constants.join(b, f, first);
        constants.join(c, g, first);
        constants.join(d, h, first);
    }};
}

/// Layers of the next pass over a block of `size > 64`: passes share what is above the last six. Parts that are whole pages
/// apart meet in the same set of the first cache, which has room for eight.
fn pass_layers(size: usize) -> u32 {
    let above = size.ilog2() - TAIL_LAYERS;
    match above {
        0..=4 => above,
        _ => (above - 4).clamp(2, 3),
    }
}

/// All layers of a block of more than 64, from `from` to `to`, which may be the same. Slots are reduced, or else below `2^52`.
///
/// # Safety
/// `size` words can be read at `from` and written at `to`; `place` is that of a block of `size` in the tables.
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn forward_block<const TIGHT: bool, const REDUCED: bool>(
    transform: &Transform,
    from: *const u64,
    to: *mut u64,
    size: usize,
    place: usize,
) {
    // SAFETY: passes and blocks work inside the `size` words; the parts of a block have the places below it.
    unsafe {
        let layers = pass_layers(size);
        match layers {
            1 => forward_pass::<TIGHT, 1, 2>(transform, from, to, size, place),
            2 => forward_pass::<TIGHT, 2, 4>(transform, from, to, size, place),
            3 => forward_pass::<TIGHT, 3, 8>(transform, from, to, size, place),
            _ => forward_pass::<TIGHT, 4, 16>(transform, from, to, size, place),
        }
        if size >> layers == BLOCK {
            return forward_tails::<TIGHT, REDUCED>(transform, to, BLOCK, to, 1 << layers, place << layers);
        }
        for part in 0..1 << layers {
            let at = to.add(part * (size >> layers));
            forward_block::<TIGHT, REDUCED>(transform, at, at, size >> layers, (place << layers) + part);
        }
    }
}

/// `LAYERS` layers of a block, whose parts are `PARTS = 2^LAYERS`.
///
/// # Safety
/// As for [`forward_block`]; a part has at least eight words.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn forward_pass<const TIGHT: bool, const LAYERS: usize, const PARTS: usize>(
    transform: &Transform,
    from: *const u64,
    to: *mut u64,
    size: usize,
    place: usize,
) {
    let constants = Constants::new(&transform.prime);
    let mut factors = [broadcast(Factor::default()); PARTS];
    for at in 1..PARTS {
        // SAFETY: the places of a block's first layers are in the tables.
        factors[at] = unsafe { pass_factor!(&transform.forward, place, at) };
    }
    let part = size / PARTS;
    for at in (0..part).step_by(8) {
        // SAFETY: each part has `part` words, of which eight at `at` are left.
        unsafe {
            let mut words: [__m512i; PARTS] = [_mm512_setzero_si512(); PARTS];
            for k in 0..PARTS {
                words[k] = load(from.add(k * part + at));
            }
            for layer in 0..LAYERS {
                let half = PARTS >> (layer + 1);
                for block in 0..1 << layer {
                    let factor = factors[(1 << layer) + block];
                    for k in 0..half {
                        let (mut x, mut y) = (words[2 * block * half + k], words[(2 * block + 1) * half + k]);
                        constants.split::<TIGHT>(&mut x, &mut y, factor);
                        (words[2 * block * half + k], words[(2 * block + 1) * half + k]) = (x, y);
                    }
                }
            }
            for k in 0..PARTS {
                store(to.add(k * part + at), words[k]);
            }
        }
    }
}

/// The last six layers of `count` blocks in a row. The next block's words are `step` behind at `from`, where 0 starts each
/// from the same.
///
/// # Safety
/// There are so many blocks at `from` and `to`, and they have places from `place` on.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn forward_tails<const TIGHT: bool, const REDUCED: bool>(
    transform: &Transform,
    from: *const u64,
    step: usize,
    to: *mut u64,
    count: usize,
    place: usize,
) {
    let constants = Constants::new(&transform.prime);
    for block in 0..count {
        let (place, tail) = (place + block, tail_words(&transform.forward, transform.degree, place + block).as_ptr());
        // SAFETY: eight rows of eight words, and a block's factors.
        unsafe {
            let (from, to) = (from.add(block * step), to.add(block * BLOCK));
            let mut rows = [_mm512_setzero_si512(); 8];
            for row in 0..8 {
                rows[row] = load(from.add(8 * row));
            }
            split_rows!(TIGHT, constants, rows, |at| pass_factor!(&transform.forward, place, at));
            transpose(&mut rows);
            split_rows!(TIGHT, constants, rows, |at| tail_factor(tail, at));
            for row in 0..8 {
                let words = match REDUCED {
                    true => constants.reduce(rows[row]),
                    false => _mm512_and_si512(rows[row], constants.mask),
                };
                store(to.add(8 * row), words);
            }
        }
    }
}

/// # Safety
/// `tail` points to a block's words, `at` is 1 to 7.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn tail_factor(tail: *const u64, at: usize) -> Factors {
    // SAFETY: as the caller promises, seven vectors of values and quotients.
    unsafe { Factors { value: load(tail.add(16 * at - 16)), quotient: load(tail.add(16 * at - 8)) } }
}

/// Rows become columns.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn transpose(rows: &mut [__m512i; 8]) {
    let [a, b, c, d, e, f, g, h] = *rows;
    // Pairs of rows, word by word.
    let pair = |x, y| (_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y));
    let ((ab0, ab1), (cd0, cd1), (ef0, ef1), (gh0, gh1)) = (pair(a, b), pair(c, d), pair(e, f), pair(g, h));
    // Quarters 0 and 2 of two pairs, then 1 and 3.
    let even = |x, y| _mm512_shuffle_i64x2::<0b10_00_10_00>(x, y);
    let odd = |x, y| _mm512_shuffle_i64x2::<0b11_01_11_01>(x, y);
    let column = |upper, lower| (even(upper, lower), odd(upper, lower));
    let (p0, p1) = (even(ab0, cd0), even(ef0, gh0));
    let (q0, q1) = (odd(ab0, cd0), odd(ef0, gh0));
    let (r0, r1) = (even(ab1, cd1), even(ef1, gh1));
    let (s0, s1) = (odd(ab1, cd1), odd(ef1, gh1));
    let (c0, c4) = column(p0, p1);
    let (c2, c6) = column(q0, q1);
    let (c1, c5) = column(r0, r1);
    let (c3, c7) = column(s0, s1);
    *rows = [c0, c1, c2, c3, c4, c5, c6, c7];
}

/// All layers of a block backwards. The whole polynomial's last one scales and reduces.
///
/// # Safety
/// As for [`forward_block`].
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn inverse_block(transform: &Transform, words: *mut u64, size: usize, place: usize) {
    // SAFETY: as in `forward_block`.
    unsafe {
        let layers = pass_layers(size);
        if size >> layers == BLOCK {
            inverse_tails(transform, words, 1 << layers, place << layers);
        } else {
            for part in 0..1 << layers {
                inverse_block(transform, words.add(part * (size >> layers)), size >> layers, (place << layers) + part);
            }
        }
        match (layers, place) {
            (1, 1) => inverse_pass::<true, 1, 2>(transform, words, size, place),
            (2, 1) => inverse_pass::<true, 2, 4>(transform, words, size, place),
            (3, 1) => inverse_pass::<true, 3, 8>(transform, words, size, place),
            (_, 1) => inverse_pass::<true, 4, 16>(transform, words, size, place),
            (1, _) => inverse_pass::<false, 1, 2>(transform, words, size, place),
            (2, _) => inverse_pass::<false, 2, 4>(transform, words, size, place),
            (3, _) => inverse_pass::<false, 3, 8>(transform, words, size, place),
            _ => inverse_pass::<false, 4, 16>(transform, words, size, place),
        }
    }
}

/// # Safety
/// As for [`forward_pass`].
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn inverse_pass<const LAST: bool, const LAYERS: usize, const PARTS: usize>(
    transform: &Transform,
    words: *mut u64,
    size: usize,
    place: usize,
) {
    let constants = Constants::new(&transform.prime);
    let mut factors = [broadcast(Factor::default()); PARTS];
    for at in 1..PARTS {
        // SAFETY: as in `forward_pass`.
        factors[at] = unsafe { pass_factor!(&transform.inverse, place, at) };
    }
    let scale = transform.scale.map(|factor| broadcast(factor));
    let part = size / PARTS;
    for at in (0..part).step_by(8) {
        // SAFETY: as in `forward_pass`.
        unsafe {
            let mut values: [__m512i; PARTS] = [_mm512_setzero_si512(); PARTS];
            for k in 0..PARTS {
                values[k] = load(words.add(k * part + at));
            }
            for layer in (0..LAYERS).rev() {
                let half = PARTS >> (layer + 1);
                for block in 0..1 << layer {
                    let factor = factors[(1 << layer) + block];
                    for k in 0..half {
                        let (mut x, mut y) = (values[2 * block * half + k], values[(2 * block + 1) * half + k]);
                        if LAST && layer == 0 {
                            let (sum, difference) = constants.sum(x, y);
                            x = constants.multiply_whole(sum, scale[0]);
                            y = constants.multiply_whole(difference, scale[1]);
                        } else {
                            constants.join(&mut x, &mut y, factor);
                        }
                        (values[2 * block * half + k], values[(2 * block + 1) * half + k]) = (x, y);
                    }
                }
            }
            for k in 0..PARTS {
                store(words.add(k * part + at), values[k]);
            }
        }
    }
}

/// # Safety
/// As for [`forward_tails`].
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn inverse_tails(transform: &Transform, words: *mut u64, count: usize, place: usize) {
    let constants = Constants::new(&transform.prime);
    for block in 0..count {
        let (place, tail) = (place + block, tail_words(&transform.inverse, transform.degree, place + block).as_ptr());
        // SAFETY: as in `forward_tails`.
        unsafe {
            let words = words.add(block * BLOCK);
            let mut rows = [_mm512_setzero_si512(); 8];
            for row in 0..8 {
                rows[row] = load(words.add(8 * row));
            }
            join_rows!(constants, rows, |at| tail_factor(tail, at));
            transpose(&mut rows);
            join_rows!(constants, rows, |at| pass_factor!(&transform.inverse, place, at));
            for row in 0..8 {
                store(words.add(8 * row), rows[row]);
            }
        }
    }
}
