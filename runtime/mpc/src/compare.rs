//! Comparison of a shared number with a public one.
//!
//! Input: a share of `x` in `Z_2^k`, a threshold `t`, `|x - t| < 2^(k-1)`. Output: a share of the bit `x < t`.
//! Correlation: masks of both parties' bits and products of masks. Security: semi-honest. Reveals: nothing. Price: `k - 1`
//! bits each way an element in one round, then three bits less one for each pair of a tree of `ceil((k-1)/2)` leaves, one
//! round a level.
//!
//! `x < t` is the sign of `y = x - t`: the top bits of both shares, and the carry of the low `k - 1` bits into them. The
//! low bits are cut into digits of two. A digit's generate and propagate are polynomials in both parties' bits (as in
//! CrypTFlow2, CCS 2020, section 3.1, for look-ups instead of products); they are linear in the opened bits, their products
//! and the correlated products of masks. Digits are joined by `(G, P) = (G1 ^ P1·G0, P1·P0)` on bit triples. All of it
//! works on planes, 64 elements a word.

use ptc_correlation::carry::{CarryLevel, carry_layout};
use ptc_correlation::types::Comparison;
use ptc_net::PeerError;
use ptc_plan::step::Party;
use ptc_ring::planes::to_planes;
use ptc_ring::tensor::{BitShare, Share, add_constant};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide_bits, xor_assign};

pub async fn compare(
    context: &Context,
    x: &Share,
    threshold: i64,
    correlation: Comparison,
) -> Result<BitShare, PeerError> {
    let bits = correlation.bits;
    assert_eq!(x.bits, bits, "the ring of a comparison");
    let y = add_constant(x, (threshold as u64).wrapping_neg(), context.party);
    let stride = x.len().div_ceil(64);
    let planes = to_planes(&y.data, bits as usize);
    let (low, top) = planes.split_at((bits as usize - 1) * stride);
    if low.is_empty() {
        return Ok(BitShare::new(x.len(), top.to_vec()));
    }

    let own = hide_bits(low, &correlation.masks.words()[..low.len()]);
    let out = Outgoing::default().words(&own).into_bytes();
    let answer = context.lane.exchange(out, 8 * own.len()).await?;
    let other = Incoming::new(&answer).words(own.len());
    let mut digits = leaves(context.party, stride, low, &own, &other, &correlation);
    for level in carry_layout(bits) {
        digits = join(context, stride, digits, level, &correlation).await?;
    }

    let mut less = std::mem::take(&mut digits[0].generate);
    xor_assign(&mut less, top);
    Ok(BitShare::new(x.len(), less))
}

/// Shares of whether a digit makes a carry, and of whether it passes one on. The lowest digit has no use for the latter.
struct Digit {
    generate: Vec<u64>,
    propagate: Vec<u64>,
}

/// Digits from the lowest up. `low` are this party's bits; `own` and `other` are what both opened.
///
/// With bits `p`, `q` of the two parties, `G = p1·q1 ^ p1·p0·q0 ^ p0·q1·q0` and `P = p1·p0 ^ q1·q0 ^ p1·q0 ^ p0·q1`. A
/// product `p·q` is `p·v ^ u·beta ^ alpha·beta` for opened `u = p ^ alpha`, `v = q ^ beta`: the server has the first term,
/// the client the second. Of `p1·p0·q0` the server has `p1·p0·v0`, the client `u1·u0·beta0`, and the rest,
/// `u1·(alpha0·beta0) ^ u0·(alpha1·beta0) ^ alpha1·alpha0·beta0`, is linear in shares.
fn leaves(
    party: Party,
    stride: usize,
    low: &[u64],
    own: &[u64],
    other: &[u64],
    correlation: &Comparison,
) -> Vec<Digit> {
    let masks = &correlation.masks.words()[..low.len()];
    // By which this party multiplies what the other opened.
    let factors = match party {
        Party::Server => low,
        Party::Client => masks,
    };
    // The products of masks as this party sees them: its own digit's upper bit times the other's lower, and so on.
    let [own_cross, other_cross, own_triple, other_triple] = match party {
        Party::Server => [2, 3, 4, 5],
        Party::Client => [3, 2, 5, 4],
    };
    let plane = |bit: usize| bit * stride..(bit + 1) * stride;
    let mut digits = vec![];
    for at in (0..low.len() / stride).step_by(2) {
        let product = |which: usize| correlation.products.plane(3 * at + which);
        let (lower, upper) = (plane(at), plane(at + 1));
        if upper.end > low.len() {
            // A top digit of one bit: `G = p·q`, `P = p ^ q`.
            let generate = products(&factors[lower.clone()], &other[lower.clone()], product(0));
            digits.push(Digit { generate, propagate: low[lower].to_vec() });
            continue;
        }
        let (s0, s1) = (&low[lower.clone()], &low[upper.clone()]);
        let (f0, f1) = (&factors[lower.clone()], &factors[upper.clone()]);
        let (u0, u1) = (&own[lower.clone()], &own[upper.clone()]);
        let (v0, v1) = (&other[lower.clone()], &other[upper]);
        let mask = &masks[lower];
        let (both_upper, both_lower) = (product(0), product(1));
        let (own_cross, other_cross) = (product(own_cross), product(other_cross));
        let (own_triple, other_triple) = (product(own_triple), product(other_triple));
        let generate = (0..stride).map(|i| {
            let upper = f1[i] & v1[i] ^ both_upper[i];
            let own = s1[i] & s0[i] & v0[i] ^ u1[i] & both_lower[i] ^ u0[i] & own_cross[i] ^ own_triple[i];
            let other = v1[i] & v0[i] & mask[i] ^ v1[i] & both_lower[i] ^ v0[i] & other_cross[i] ^ other_triple[i];
            upper ^ own ^ other
        });
        let generate = generate.collect();
        let propagate = match at {
            0 => vec![],
            _ => (0..stride)
                .map(|i| s1[i] & s0[i] ^ f1[i] & v0[i] ^ own_cross[i] ^ f0[i] & v1[i] ^ other_cross[i])
                .collect(),
        };
        digits.push(Digit { generate, propagate });
    }
    digits
}

/// `x·y ^ z`, word by word.
fn products(x: &[u64], y: &[u64], z: &[u64]) -> Vec<u64> {
    x.iter().zip(y).zip(z).map(|((x, y), z)| x & y ^ z).collect()
}

/// One level of the tree: neighbours are joined, an odd top digit passes through.
async fn join(
    context: &Context,
    stride: usize,
    mut digits: Vec<Digit>,
    level: CarryLevel,
    correlation: &Comparison,
) -> Result<Vec<Digit>, PeerError> {
    let passed = if digits.len() % 2 == 1 { digits.pop() } else { None };
    assert_eq!(digits.len(), 2 * level.pairs, "digits of a level");
    let masks = |pair: usize| 3 * pair - usize::from(pair > 0) + level.first_mask;
    let products = |pair: usize| 2 * pair - usize::from(pair > 0) + level.first_product;

    // Opened for each pair: the upper propagate, the lower generate, and but for the lowest pair the lower propagate.
    let mut opened = Vec::with_capacity((3 * level.pairs - 1) * stride);
    for (pair, [lower, upper]) in digits.as_chunks::<2>().0.iter().enumerate() {
        let first = masks(pair);
        for (offset, plane) in [&upper.propagate, &lower.generate, &lower.propagate].into_iter().enumerate() {
            if !plane.is_empty() {
                let mask = correlation.masks.plane(first + offset);
                opened.extend(plane.iter().zip(mask).map(|(x, a)| x ^ a));
            }
        }
    }
    let out = Outgoing::default().words(&opened).into_bytes();
    let answer = context.lane.exchange(out, 8 * opened.len()).await?;
    let count = opened.len();
    xor_assign(&mut opened, &Incoming::new(&answer).words(count));

    let once = context.once().wrapping_neg();
    let mut opened = opened.chunks(stride);
    let mut next = || opened.next().expect("as many planes as were opened");
    let mut joined = vec![];
    for pair in 0..level.pairs {
        let (first, product) = (masks(pair), products(pair));
        let mask = |offset: usize| correlation.masks.plane(first + offset);
        let (d, a) = (next(), mask(0));
        let multiply = |e: &[u64], b: &[u64], ab: &[u64], plus: &[u64]| -> Vec<u64> {
            (0..stride).map(|i| plus[i] ^ d[i] & (b[i] ^ e[i] & once) ^ a[i] & e[i] ^ ab[i]).collect()
        };
        let generate = multiply(next(), mask(1), correlation.products.plane(product), &digits[2 * pair + 1].generate);
        let propagate = match pair {
            0 => vec![],
            _ => multiply(next(), mask(2), correlation.products.plane(product + 1), &vec![0; stride]),
        };
        joined.push(Digit { generate, propagate });
    }
    joined.extend(passed);
    Ok(joined)
}
