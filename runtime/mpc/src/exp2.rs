//! `2^x`.
//!
//! Input: a share of `x` with `frac` fraction bits, `-octaves <= x <= 1`. Output: a share of `2^x` with `result_frac`
//! fraction bits in `exp.ring`, right to a unit of `factor_frac` beside 1 and to two of its own.
//! Correlation: unit vectors of bits, a cross product of masks, gates, in three rounds a wrap bit. Security: semi-honest.
//! Reveals: nothing. Price: 2 or 3 rounds; each way `index_bits` and the product's bits an element, in three rounds then 1,
//! then `ring + 1` a shift.
//!
//! With `base = 2^step_bits`, each party writes its share as `base·i + r`, `0 <= r < base`. Then
//! `2^x = 2^r0 · 2^r1 · 2^(base·(i0 + i1))`: two private factors, whose product needs one opening of each, and a shift to
//! the right by `-base·(i0 + i1)`, of which there are few that leave anything. The sum of shares may wrap around the ring;
//! the index `(i0 + i1) mod 2^index_bits` wraps around with it. The index's unit vector tells for each shift whether it is
//! the index's, and gates keep that one of the shifted products: each stays below 2 where it is kept, so their ring is
//! narrow. Shifts are local in a ring that is wider by as many bits. The product is opened in such a ring at once; or in one
//! that just holds it, and as it is known to be positive, one wrap bit grows that ring.

use ptc_correlation::types::{CrossProduct, GateMask, RotatedTables, Wrap};
use ptc_net::PeerError;
use ptc_plan::step::{Exp2, Fixed, Party};
use ptc_ring::blocks::map_blocks;
use ptc_ring::tensor::{BitShare, Share, mask};

use crate::context::Context;
use crate::gate::gate;
use crate::rescale::rescale;
use crate::table::Index;
use crate::wire::{Incoming, Outgoing, ring_len};

/// What [`exp2`] consumes.
pub struct Masks {
    /// Unit vectors of bits.
    pub units: RotatedTables,
    /// Of the parties' private factors.
    pub factors: CrossProduct,
    /// In three rounds.
    pub wrap: Option<Wrap>,
    /// For each shift one for each element.
    pub gates: GateMask,
}

pub async fn exp2(context: &Context, x: &Share, frac: u32, exp: Exp2, masks: Masks) -> Result<Share, PeerError> {
    let (count, bits, product) = (x.len(), exp.index_bits, exp.product());
    let Masks { units, factors, wrap, gates } = masks;
    let [units_of_bits] = &units.tables[..] else { panic!("one table of unit vectors") };
    let index = Index { x, shift: exp.step_bits + frac, rotation: &units.rotation };
    let private = |first: usize, block: &mut [u64]| private_factors(&x.data[first..], frac, exp, block);
    let factor = Share { bits: product.bits, data: map_blocks::<0>(count, |first, block, _| private(first, block)) };
    let out = Outgoing::default().filled(bits, count, |first, block| index.fill(first, block));
    let out = out.masked(&factor, &factors.mask).into_bytes();
    let answer = context.lane.exchange(out, ring_len(count, bits) + ring_len(count, product.bits)).await?;
    let mut answer = Incoming::new(&answer);
    let received = answer.ring(bits, count);
    // Index `I > 0` stands for `I - 2^index_bits` steps: a shift by `place` steps is that of index `-place`.
    let mut kept = Share { bits: 1, data: vec![] };
    let chosen = (0..exp.shifts()).map(|place| index.look_up(received, units_of_bits, u64::from(place)));
    chosen.for_each(|bits| kept.data.extend_from_slice(&bits.data));

    // F0·F1 with F0 - a and F1 - b opened: a·(F1 - b) + [a·b] at the server, (F0 - a)·F1 + [a·b] at the client. Where a wrap
    // bit follows, the server takes half of the largest off, so that the rest has a sign that is known after an offset.
    let (received, low, party) = (answer.ring(product.bits, count), mask(product.bits), context.party);
    let half = wrap.as_ref().map_or(0, |_| 1u64 << (product.bits - 2));
    let centre = half.wrapping_mul(context.once());
    let data = map_blocks::<2>(count, |first, out, [own, opened]| {
        let (own, opened) = (&mut own[..out.len()], &mut opened[..out.len()]);
        match party {
            Party::Server => factors.mask.read(first, own),
            Party::Client => own.copy_from_slice(&factor.data[first..][..own.len()]),
        }
        received.read(first, opened);
        factors.product.read(first, out);
        for (out, (own, opened)) in out.iter_mut().zip(own.iter().zip(&*opened)) {
            *out = out.wrapping_add(own.wrapping_mul(*opened)).wrapping_sub(centre) & low;
        }
    });
    let power = Share { bits: product.bits, data };
    let (power, from) = match wrap {
        None => (power, product),
        Some(wrap) => (rescale(context, &power, product, exp.unshifted(), Some(wrap)).await?, exp.unshifted()),
    };
    let shifted = shifted(context, &power, from, centre >> (product.frac - from.frac), exp);
    let gated = gate(context, &BitShare::from_values(&kept.data), &shifted, gates).await?;
    let mut sum = Share::zeros(exp.ring, count);
    for one in gated.data.chunks(count.max(1)) {
        sum.data.iter_mut().zip(one).for_each(|(sum, one)| *sum = sum.wrapping_add(*one) & mask(exp.ring));
    }
    Ok(sum)
}

/// `power + centre` shifted to each place, one after the other.
fn shifted(context: &Context, power: &Share, from: Fixed, centre: u64, exp: Exp2) -> Share {
    let mut shifted = Share { bits: exp.ring, data: Vec::with_capacity(power.len() * exp.shifts() as usize) };
    for place in 0..exp.shifts() {
        let shift = (place << exp.step_bits) + from.frac - exp.result_frac;
        // What makes each shift come out as the ceiling or the floor.
        let up = mask(shift).wrapping_mul(context.once()).wrapping_add(centre);
        let one = |power: &u64| (power.wrapping_add(up) & mask(from.bits)) >> shift & mask(exp.ring);
        shifted.data.extend(power.data.iter().map(one));
    }
    shifted
}

/// `2^r` for the low `step_bits + frac` bits `r` of each element, with `factor_frac` fraction bits. Without a branch or an
/// index: the elements are secret. Right to half a unit, and `2^(factor_frac + 2^step_bits - 30)` units of the polynomial.
fn private_factors(x: &[u64], frac: u32, exp: Exp2, out: &mut [u64]) {
    let octaves = 1 << exp.step_bits;
    assert!(frac <= 32 && exp.factor_frac + octaves <= 29, "factors of {octaves} octaves, {} bits", exp.factor_frac);
    let (low, frac_low, up) = (mask(exp.step_bits + frac), mask(frac), 32 - frac);
    let factor = |x: &u64| {
        let rest = x & low;
        let power = fraction_power((rest & frac_low) << up);
        // Between 2^32 and 2^33, to be shifted right by four bits or more.
        let down = 32 - u64::from(exp.factor_frac) - (rest >> frac);
        (power + (1 << (down - 1))) >> down
    };
    out.iter_mut().zip(x).for_each(|(out, x)| *out = factor(x));
}

/// `2^(t / 2^32) · 2^32` for `t < 2^32`, within four units: `1 + t·q(t)`, `q` the minimax polynomial of degree 6 (maximal
/// error `2^-33.9`), in 32-bit products.
#[inline(always)]
fn fraction_power(t: u64) -> u64 {
    const Q: [u64; 7] = [2977044493, 1031764452, 238392929, 41290999, 5766528, 615169, 92725];
    let times = |x: u64| (x * t + (1 << 31)) >> 32;
    let q = Q[..6].iter().rev().fold(Q[6], |sum, coefficient| times(sum) + coefficient);
    times(q) + (1 << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_right_to_half_a_unit() {
        for (step_bits, frac, factor_frac) in [(2, 12, 13), (3, 16, 13), (3, 20, 20), (0, 32, 16), (1, 0, 18)] {
            let exp = Exp2 { index_bits: 4, step_bits, factor_frac, result_frac: 16, ring: 32, rounds: 3 };
            let end = 1u64 << (step_bits + frac);
            let x: Vec<u64> = (0..end).step_by((end / 5000 + 1) as usize).chain([end - 1]).collect();
            let mut found = vec![0; x.len()];
            private_factors(&x, frac, exp, &mut found);
            for (x, found) in x.iter().zip(found) {
                let expected = (*x as f64 / (frac as f64).exp2() + factor_frac as f64).exp2();
                let polynomial = ((factor_frac + (1 << step_bits)) as f64 - 30.0).exp2();
                assert!((found as f64 - expected).abs() <= 0.5 + polynomial, "{x} with {exp:?}: {found}, {expected}");
            }
        }
    }
}
