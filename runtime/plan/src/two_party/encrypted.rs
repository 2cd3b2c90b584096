//! Products by homomorphic encryption: windows, parameters, noise and exact bytes.
//!
//! A ciphertext holds a window of `X` in the coefficients of a polynomial modulo `x^N + 1`, a plain polynomial a window of
//! `W`, so that their product holds inner products at every `stride`-th coefficient (Cheetah, USENIX Security 2022,
//! section 3.1). With windows of `batch` matrices, `rows`, `inner <= stride` and `columns`,
//!
//! - `X[b, i, j]` is at place `stride · (b + batch·columns·i) - j` (one below zero is negated and wraps),
//! - `W[j, k]` at place `stride · batch·k + j`,
//! - `(X[b]·W)[i, k]` at place `stride · (b + batch·(k + columns·i))` of the product with the `W` of matrix `b`.
//!
//! Of a product only every `stride · batch`-th coefficient is wanted. `merge` of them are packed into one ciphertext by
//! automorphisms (Chen, Dai, Kim, Song, ACNS 2021, section 3), which needs keys for these; with `merge = 1` each goes back
//! by itself, and of its first polynomial only the wanted coefficients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crate::file::Making;
use crate::price::packed;
use crate::two_party::parameters::{Parameters, SETS};

/// `X[batch, rows, inner] · W` in `Z_2^bits`. The client encrypts `X`; the server knows `W`, one `[inner, columns]` for each
/// of the batch, of at most `factor_bits` bits as signed numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Product {
    pub batch: usize,
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
    pub bits: u32,
    pub factor_bits: u32,
}

/// How a product is cut into ciphertexts, and how wide these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Place of the parameters in [`SETS`].
    pub set: usize,
    /// Primes of the set with which products are computed; of the answers only [`Packing::kept`] are left.
    pub limbs: usize,
    pub batch: usize,
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
    pub stride: usize,
    /// Products that are packed into one answer, a power of two.
    pub merge: usize,
    pub response: Response,
}

/// The precision of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The noise that hides the weights is uniform in so many bits of a fraction of 128 bits.
    pub flood_bits: u32,
    /// Bits of the primes that the second polynomials are switched to; 0 for none.
    pub prime_bits: [u32; 2],
    /// Bits of a coefficient of the first polynomials.
    pub body_bits: u32,
}

/// Statistical security of what hides the weights, for each coefficient that goes back.
pub const HIDING_BITS: i32 = 40;

/// Bytes of the seed that stands for the second polynomials of a request.
pub const SEED_BYTES: u64 = 32;

/// Variance of a coefficient of an error.
const ERROR_VARIANCE: f64 = 10.5;
/// Of a secret's coefficient, for the bound of Hoeffding's kind: uniform -1, 0, 1 are no further out than a normal one.
const SECRET_VARIANCE: f64 = 2.0 / 3.0;
/// A sum of bounded independent terms exceeds so many deviations with probability `2·exp(-TAIL²/2) < 2^-60`.
const TAIL: f64 = 9.2;
/// The largest prime of `b >= 20` bits that a transform has is above this part of `2^b`.
pub const PRIME_FILL: f64 = 0.9;

impl Packing {
    pub fn parameters(&self) -> &'static Parameters {
        &SETS[self.set]
    }

    /// Primes of the answers before they are switched down.
    pub fn kept(&self) -> usize {
        self.limbs.min(self.parameters().kept)
    }

    /// Blocks of each axis of `product`: matrices, rows, inner, columns.
    pub fn blocks(&self, product: &Product) -> Blocks {
        Blocks {
            batch: product.batch.div_ceil(self.batch),
            rows: product.rows.div_ceil(self.rows),
            inner: product.inner.div_ceil(self.inner),
            columns: product.columns.div_ceil(self.columns),
        }
    }

    /// Ciphertexts of a request.
    pub fn requests(&self, product: &Product) -> usize {
        let blocks = self.blocks(product);
        blocks.batch * blocks.rows * blocks.inner
    }

    /// Products of polynomials, of each block of rows.
    pub fn leaves(&self, product: &Product) -> usize {
        product.batch * self.blocks(product).columns
    }

    /// Ciphertexts of an answer.
    pub fn responses(&self, product: &Product) -> usize {
        self.leaves(product).div_ceil(self.merge) * self.blocks(product).rows
    }

    /// Coefficients between those that are wanted of one product.
    pub fn spread(&self) -> usize {
        self.stride * self.batch
    }
}

/// Keys that packings need together: parameters, and the automorphisms `x -> x^(N / 2^level + 1)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// Place of the parameters in [`SETS`].
    pub set: usize,
    pub levels: Vec<u32>,
}

impl KeySet {
    pub fn parameters(&self) -> &'static Parameters {
        &SETS[self.set]
    }

    /// The automorphisms themselves.
    pub fn powers(&self) -> Vec<usize> {
        self.levels.iter().map(|level| (self.parameters().degree >> level) + 1).collect()
    }
}

/// What the client publishes before the first of `packings`.
pub fn key_sets<'a>(packings: impl IntoIterator<Item = &'a Packing>) -> Vec<KeySet> {
    let mut sets = BTreeMap::<usize, BTreeSet<u32>>::new();
    for packing in packings {
        let levels = sets.entry(packing.set).or_default();
        if packing.merge > 1 {
            let last = packing.spread().ilog2();
            levels.extend(last - packing.merge.ilog2()..last);
        }
    }
    sets.into_iter().map(|(set, levels)| KeySet { set, levels: levels.into_iter().collect() }).collect()
}

/// Of all sets together: for each a seed, a public key, and for each automorphism a polynomial for each kept prime.
pub fn key_bytes(sets: &[KeySet]) -> u64 {
    let of = |keys: &KeySet| {
        let set = keys.parameters();
        let bytes = |bits: &u32| packed(set.degree, *bits);
        let kept: u64 = set.prime_bits[..set.kept].iter().map(bytes).sum();
        let special = set.special_bits.iter().map(bytes).sum::<u64>();
        SEED_BYTES + kept + (keys.levels.len() * set.kept) as u64 * (kept + special)
    };
    sets.iter().map(of).sum()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    pub batch: usize,
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
}

/// A seed, then the first polynomials, prime by prime.
pub fn request_bytes(product: &Product, packing: &Packing) -> u64 {
    let set = packing.parameters();
    let each: u64 = set.prime_bits[..packing.limbs].iter().map(|bits| packed(set.degree, *bits)).sum();
    SEED_BYTES + packing.requests(product) as u64 * each
}

/// The second polynomials, prime by prime, then the wanted coefficients of all first ones.
pub fn response_bytes(product: &Product, packing: &Packing) -> u64 {
    let degree = packing.parameters().degree;
    let primes = packing.response.prime_bits.iter().filter(|bits| **bits > 0);
    let each: u64 = primes.map(|bits| packed(degree, *bits)).sum();
    packing.responses(product) as u64 * each + body_bytes(product.batch * product.rows * product.columns, packing)
}

/// Of the wanted coefficients: what exceeds 64 bits follows the rest.
fn body_bytes(count: usize, packing: &Packing) -> u64 {
    let bits = packing.response.body_bits;
    packed(count, bits.min(64)) + packed(count, bits.saturating_sub(64))
}

/// An upper bound of the noise in a coefficient of an answer before anything hides it, but for a probability of `2^-60`, in
/// units of 1 modulo the kept primes.
///
/// Random terms are linear in independent errors and in the secret, so that their variances add up. What does not depend
/// on them is bounded as it is. Both polynomials' roundings at an exact division are such: the second's, of at most half a
/// unit, multiply the secret.
pub fn noise(product: &Product, packing: &Packing) -> f64 {
    let set = packing.parameters();
    let degree = set.degree as f64;
    let half_secret = degree * SECRET_VARIANCE / 4.0;
    let largest = power(product.factor_bits as i32 - 1);
    let (inner, columns) = (product.inner as f64, packing.columns as f64);

    // Each coefficient of the weights multiplies an error, each of a column the rounding of a message.
    let mut variance = ERROR_VARIANCE * inner * columns * largest * largest;
    let mut fixed = 0.5 * inner * largest;
    let mut roundings = 0.0;
    for bits in &set.prime_bits[packing.kept()..packing.limbs] {
        let prime = PRIME_FILL * power(*bits as i32);
        variance /= prime * prime;
        fixed = fixed / prime + 0.5;
        // One prime is dropped at most; second halves are doubled by each level of the packing behind it.
        roundings = packing.merge as f64;
    }
    if let (Some(special), true) = (set.special_bits, packing.merge > 1) {
        // The noise that a level of the packing adds is doubled by each level behind it.
        let merge = packing.merge as f64;
        let quotient = |bits: &u32| power(*bits as i32 - special as i32) / PRIME_FILL;
        let digits: f64 = set.prime_bits[..packing.kept()].iter().map(|bits| quotient(bits) * quotient(bits)).sum();
        variance += ERROR_VARIANCE * degree * digits * (merge * merge - 1.0) / 3.0;
        fixed += 0.5 * (merge - 1.0);
        roundings += merge - 1.0;
    }
    variance += half_secret * roundings * roundings;
    // An encryption of zero: errors of the key and of the ciphertext meet polynomials of -1, 0, 1.
    variance += ERROR_VARIANCE * (2.0 * degree + 1.0);
    TAIL * variance.sqrt() + fixed
}

/// The narrowest answers that are right and hide the weights, or none where the modulus is too small.
pub fn response(product: &Product, packing: &Packing) -> Option<Response> {
    let set = packing.parameters();
    let modulus: f64 = set.prime_bits[..packing.kept()].iter().map(|bits| PRIME_FILL * power(*bits as i32)).product();
    // In units of 2^-128. Noise moves a fraction by its own size, and by what was cut off in computing it.
    let moved = noise(product, packing) / modulus * power(128) + 16.0;
    let flood_bits = (1..125).find(|bits| power(*bits) >= power(HIDING_BITS) * moved)?;
    let largest = power(127 - product.bits as i32);
    // The client computes fractions to 70 bits and more.
    let left = largest - moved - power(flood_bits - 1) - power(58);
    if left <= 0.0 {
        return None;
    }
    // Rounding the second polynomial meets the secret, rounding the first does not.
    let rounded = TAIL * (set.degree as f64 * SECRET_VARIANCE / 4.0).sqrt() / (PRIME_FILL * PRIME_FILL);
    let (count, wanted) = (packing.responses(product) * set.degree, product.batch * product.rows * product.columns);
    // The narrowest primes that leave anything for the first polynomials, and a few bits more in exchange for theirs.
    let narrowest = (product.bits.max(20)..=100).find(|bits| rounded * power(128 - *bits as i32) < left)?;
    let mut best: Option<(u64, Response)> = None;
    for bits in narrowest..=(narrowest + 6).min(100) {
        let body_left = left - rounded * power(128 - bits as i32);
        let Some(body_bits) = (product.bits..=96).find(|body| power(127 - *body as i32) <= body_left) else { continue };
        let prime_bits = if bits <= 50 { [bits, 0] } else { [bits.div_ceil(2), bits / 2] };
        let bytes = packed(count, bits) + packed(wanted, body_bits);
        if best.is_none_or(|(least, _)| bytes < least) {
            best = Some((bytes, Response { flood_bits: flood_bits as u32, prime_bits, body_bits }));
        }
    }
    best.map(|(_, response)| response)
}

/// `2^exponent`, exactly.
pub fn power(exponent: i32) -> f64 {
    assert!((-1022..1024).contains(&exponent), "2^{exponent} in a double");
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// Seconds of one core, of both parties together.
pub fn seconds(product: &Product, packing: &Packing) -> f64 {
    party_seconds(product, packing).into_iter().sum()
}

/// Seconds of one core of the server, and of the client.
///
/// Units of 10^-9 seconds at 4096 coefficients, as measured on a processor with 52-bit vector multipliers; elsewhere they
/// are larger, in much the same proportions.
pub fn party_seconds(product: &Product, packing: &Packing) -> [f64; 2] {
    const TRANSFORM: f64 = 6_000.0;
    const SHORT_TRANSFORM: f64 = 3_500.0;
    const MULTIPLY: f64 = 1_200.0;
    const SAMPLE: f64 = 8_000.0;
    const ROUND: f64 = 25_000.0;
    let set = packing.parameters();
    let blocks = packing.blocks(product);
    let (limbs, kept) = (packing.limbs as f64, packing.kept() as f64);
    let requests = packing.requests(product) as f64;
    let leaves = (packing.leaves(product) * blocks.rows) as f64;
    let responses = packing.responses(product) as f64;
    let weights = (product.batch * blocks.inner * blocks.columns) as f64;

    let asking = requests * (limbs * (4.0 * TRANSFORM + 2.0 * MULTIPLY + 2.0 * SAMPLE) + SAMPLE);
    let encoding = weights * limbs * SHORT_TRANSFORM;
    let multiplying = leaves * limbs * (blocks.inner as f64 * 2.0 * MULTIPLY + 2.0 * TRANSFORM);
    let dropping = leaves * 2.0 * (limbs - kept) * kept * MULTIPLY;
    let switch = (kept + 1.0) * ((kept + 2.0) * TRANSFORM + (2.0 * kept + 6.0) * MULTIPLY);
    let merging = (leaves - responses) * switch;
    let answering = responses * (kept * (3.0 * TRANSFORM + 4.0 * MULTIPLY) + 3.0 * SAMPLE + ROUND);
    let opening = responses * (2.0 * TRANSFORM + ROUND);
    let scale = set.degree as f64 / 4096.0;
    let deeper = (set.degree.ilog2() as f64) / 12.0;
    [encoding + multiplying + dropping + merging + answering, asking + opening].map(|ns| ns * scale * deeper * 1e-9)
}

/// The packing with which a product of a checked plan costs least.
pub fn choose(product: &Product, making: Making) -> Packing {
    find(product, making).unwrap_or_else(|| panic!("no parameters for {product:?}"))
}

/// The packing with which `product` costs least; none where it is too large for all parameters.
///
/// A model has few products, which are asked for again and again: what was found is kept.
pub fn find(product: &Product, making: Making) -> Option<Packing> {
    static FOUND: Mutex<BTreeMap<(Product, u32), Option<Packing>>> = Mutex::new(BTreeMap::new());
    /// Beyond so many a process has other worries.
    const MOST: usize = 1 << 14;
    let key = (*product, making.second_bytes);
    let known = || FOUND.lock().expect("nobody panics while keeping");
    if let Some(found) = known().get(&key) {
        return *found;
    }
    let found = search(product, making);
    let mut known = known();
    if known.len() < MOST {
        known.insert(key, found);
    }
    found
}

/// Whether there are parameters for `product`.
pub fn fits(product: &Product) -> bool {
    find(product, Making::FAST).is_some()
}

fn search(product: &Product, making: Making) -> Option<Packing> {
    let mut best: Option<(f64, Packing)> = None;
    for_each_candidate(product, |packing| {
        // Most are out of the question before their answers are known, and most others by the narrowest that may be.
        let known = asked_cost(product, &packing, making);
        if best.is_some_and(|(least, _)| known >= least || known + least_response_bytes(product, &packing) >= least) {
            return;
        }
        let Some(response) = response(product, &packing) else { return };
        let packing = Packing { response, ..packing };
        let cost = known + response_bytes(product, &packing) as f64;
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, packing));
        }
    });
    best.map(|(_, packing)| packing)
}

/// In bytes, but for those of the answers.
pub(super) fn asked_cost(product: &Product, packing: &Packing, making: Making) -> f64 {
    request_bytes(product, packing) as f64 + f64::from(making.second_bytes) * seconds(product, packing)
}

/// No answers that [`response`] finds are shorter.
pub(super) fn least_response_bytes(product: &Product, packing: &Packing) -> f64 {
    let count = packing.responses(product) * packing.parameters().degree;
    let wanted = product.batch * product.rows * product.columns;
    (packed(count, product.bits.max(20)) + packed(wanted, product.bits)) as f64
}

/// Windows of every shape that may be best, for all parameters; what their answers are is open.
pub(super) fn for_each_candidate(product: &Product, mut look: impl FnMut(Packing)) {
    let response = Response { flood_bits: 0, prime_bits: [0; 2], body_bits: 0 };
    let [batches, all_rows] = [product.batch, product.rows].map(windows);
    for (set, parameters) in SETS.iter().enumerate() {
        let degree = parameters.degree;
        let spreads = spreads(product, degree);
        for limbs in parameters.kept.min(2)..=parameters.prime_bits.len() {
            for &spread in &spreads {
                for &batch in batches.iter().filter(|batch| spread.is_multiple_of(**batch)) {
                    let stride = spread / batch;
                    let inner = stride.min(product.inner);
                    // Even blocks.
                    let inner = product.inner.div_ceil(product.inner.div_ceil(inner));
                    for &rows in all_rows.iter().filter(|rows| **rows * spread <= degree) {
                        let columns = (degree / (rows * spread)).min(product.columns);
                        let columns = product.columns.div_ceil(product.columns.div_ceil(columns));
                        let packing = Packing { set, limbs, batch, rows, inner, columns, stride, merge: 1, response };
                        look(packing);
                        if parameters.special_bits.is_none() || !spread.is_power_of_two() {
                            continue;
                        }
                        (1..=spread.ilog2()).for_each(|log| look(Packing { merge: 1 << log, ..packing }));
                    }
                }
            }
        }
    }
}

/// Distances of wanted coefficients: powers of two, and those that cut the inner axis evenly.
fn spreads(product: &Product, degree: usize) -> Vec<usize> {
    let mut spreads: Vec<usize> = windows(product.inner);
    spreads.extend((0..=degree.ilog2()).map(|log| 1 << log));
    spreads.retain(|spread| *spread <= degree);
    spreads.sort();
    spreads.dedup();
    spreads
}

/// Lengths of even blocks of `length`, from the largest down.
fn windows(length: usize) -> Vec<usize> {
    let mut windows: Vec<usize> = vec![];
    let mut blocks = 1;
    while windows.last() != Some(&1) {
        let window = length.div_ceil(blocks).max(1);
        if windows.last() != Some(&window) {
            windows.push(window);
        }
        // Fewer and fewer of the small ones.
        blocks += blocks.div_ceil(8);
        if blocks >= length {
            blocks = length.max(1);
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The products of a query of MiniLM with 32 tokens: six layers of each.
    const SMALL: [(usize, usize, usize, usize, u32, u32); 8] = [
        (1, 32, 384, 1152, 36, 17),
        (1, 32, 384, 384, 36, 17),
        (1, 32, 384, 1536, 36, 17),
        (1, 32, 1536, 384, 37, 17),
        (12, 32, 32, 32, 36, 36),
        (12, 32, 32, 32, 36, 36),
        (12, 32, 32, 32, 37, 37),
        (12, 32, 32, 32, 37, 37),
    ];

    fn product(shape: (usize, usize, usize, usize, u32, u32)) -> Product {
        let (batch, rows, inner, columns, bits, factor_bits) = shape;
        Product { batch, rows, inner, columns, bits, factor_bits }
    }

    fn bytes(product: &Product, packing: &Packing) -> u64 {
        request_bytes(product, packing) + response_bytes(product, packing)
    }

    #[test]
    fn every_product_has_a_packing_that_fits() {
        let edges = [1, 2, 3, 31, 32, 33, 768];
        for (at, bits) in (1..=64).flat_map(|bits| edges.map(|edge| (edge, bits))) {
            for factor_bits in [1, bits.min(17), bits] {
                for product in [product((1, at, 70, 9, bits, factor_bits)), product((3, 5, at, at, bits, factor_bits))]
                {
                    for making in [Making::FAST, Making::SPARING] {
                        let packing = choose(&product, making);
                        let degree = packing.parameters().degree;
                        assert!(packing.inner <= packing.stride);
                        assert!(packing.spread() * packing.rows * packing.columns <= degree);
                        assert!(packing.merge.is_power_of_two() && packing.merge <= packing.spread());
                        assert!(packing.merge == 1 || packing.spread().is_power_of_two());
                        assert!(Some(packing.response) == response(&product, &packing));
                    }
                }
            }
        }
    }

    #[test]
    fn traffic_is_small_where_it_counts() {
        let large = product((1, 128, 768, 768, 36, 17));
        let packing = choose(&large, Making::SPARING);
        assert!(bytes(&large, &packing) < 3_000_000);
        let packings = SMALL.map(|shape| choose(&product(shape), Making::SPARING));
        let layer: u64 = SMALL.iter().zip(&packings).map(|(shape, packing)| bytes(&product(*shape), packing)).sum();
        assert!(6 * layer + key_bytes(&key_sets(&packings)) < 40_000_000);
        let chosen = |at: usize| 6 * bytes(&product(SMALL[at]), &packings[at]);
        assert!((0..4).map(chosen).sum::<u64>() < 22_000_000);
    }

    /// Twelve ciphertexts each way. Up: three primes; down: one of 47 bits, and 37 bits of each result.
    #[test]
    fn bytes_are_those_of_ciphertexts() {
        let large = product((1, 128, 768, 768, 36, 17));
        let packing = choose(&large, Making::SPARING);
        assert_eq!((packing.rows, packing.inner, packing.columns, packing.merge), (128, 64, 1, 64));
        assert_eq!(request_bytes(&large, &packing), 32 + 12 * 8192 * (49 + 49 + 30) / 8);
        assert_eq!(response_bytes(&large, &packing), 12 * 8192 * 47 / 8 + 128 * 768 * 37 / 8);
        let keys = key_sets([&packing]);
        assert_eq!(keys, [KeySet { set: packing.set, levels: (0..6).collect() }]);
        assert_eq!(keys[0].powers()[..2], [8193, 4097]);
        assert_eq!(key_bytes(&keys), 32 + 8192 * 98 / 8 + 6 * 2 * 8192 * (98 + 50) / 8);
    }

    /// The modulus holds the result, one bit more for rounding, the flood and what it hides.
    #[test]
    fn answers_are_hidden_and_right() {
        for shape in SMALL {
            let product = product(shape);
            for making in [Making::FAST, Making::SPARING] {
                let packing = choose(&product, making);
                let set = packing.parameters();
                let modulus: u32 = set.prime_bits[..packing.kept()].iter().sum();
                let moved = noise(&product, &packing) / power(modulus as i32) * power(128);
                let flood = power(packing.response.flood_bits as i32);
                assert!(flood >= power(HIDING_BITS) * moved && flood < power(HIDING_BITS + 2) * (moved + 16.0));
                assert!(flood / 2.0 + moved < power(127 - product.bits as i32));
            }
        }
    }

    #[test]
    fn windows_are_even() {
        assert_eq!(windows(1), [1]);
        assert_eq!(windows(6), [6, 3, 2, 1]);
        let many = windows(3072);
        assert!(many.len() < 60 && many[0] == 3072 && many.is_sorted_by(|a, b| a > b));
    }
}
