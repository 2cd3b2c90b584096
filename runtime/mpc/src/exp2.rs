//! `2^x`.
//!
//! Input: a share of `x` with `frac` fraction bits, `-2^range_bits <= x <= 1`. Output: a share of `2^x` with
//! `factor_frac + table_frac` fraction bits in `exp.ring`.
//! Correlation: a rotated table, a cross product of masks, a triple. Security: semi-honest. Reveals: nothing. Price: 2
//! rounds; each way `index_bits + ring + factor_frac` bits an element, then `2·ring`.
//!
//! With `base = 2^step_bits`, each party writes its share as `base·i + r`, `0 <= r < base`. Then
//! `2^x = 2^r0 · 2^r1 · 2^(base·(i0 + i1))`: two private factors, whose product needs one opening of each, and a power for
//! which `(i0 + i1) mod 2^index_bits` is looked up. The sum of shares may wrap around the ring; the index wraps around with
//! it, so that the table reads an index `I > 0` as `I - 2^index_bits`.

use ptc_correlation::types::PowerMask;
use ptc_net::PeerError;
use ptc_plan::step::{Exp2, Party};
use ptc_ring::blocks::map_blocks;
use ptc_ring::tensor::{Share, mask};

use crate::context::Context;
use crate::mul::mul;
use crate::table::Index;
use crate::wire::{Incoming, Outgoing, ring_len};

pub async fn exp2(
    context: &Context,
    x: &Share,
    frac: u32,
    exp: Exp2,
    correlation: PowerMask,
) -> Result<Share, PeerError> {
    let (count, bits, wide) = (x.len(), exp.index_bits, exp.ring + exp.factor_frac);
    let PowerMask { table, factors, triple } = correlation;
    let index = Index { x, shift: exp.step_bits + frac, rotation: &table.rotation };
    let private = |first: usize, block: &mut [u64]| private_factors(&x.data[first..], frac, exp, block);
    let factor = Share { bits: wide, data: map_blocks::<0>(count, |first, block, _| private(first, block)) };
    let out = Outgoing::default().filled(bits, count, |first, block| index.fill(first, block));
    let out = out.masked(&factor, &factors.mask).into_bytes();
    let answer = context.lane.exchange(out, ring_len(count, bits) + ring_len(count, wide)).await?;
    let mut answer = Incoming::new(&answer);
    let power = index.look_up(answer.ring(bits, count), table.tables.first().expect("a power has one table"));

    // F0·F1 with F0 - a and F1 - b opened: a·(F1 - b) + [a·b] at the server, (F0 - a)·F1 + [a·b] at the client. Shifted at
    // each party; the server first adds what makes the result the ceiling or the floor.
    let (received, low, party) = (answer.ring(wide, count), mask(wide), context.party);
    let product = map_blocks::<2>(count, |first, out, [own, opened]| {
        let (own, opened) = (&mut own[..out.len()], &mut opened[..out.len()]);
        let up = match party {
            Party::Server => {
                factors.mask.read(first, own);
                mask(exp.factor_frac)
            }
            Party::Client => {
                own.copy_from_slice(&factor.data[first..][..own.len()]);
                0
            }
        };
        received.read(first, opened);
        factors.product.read(first, out);
        for (out, (own, opened)) in out.iter_mut().zip(own.iter().zip(&*opened)) {
            *out = (out.wrapping_add(own.wrapping_mul(*opened)).wrapping_add(up) & low) >> exp.factor_frac;
        }
    });
    mul(context, &Share { bits: exp.ring, data: product }, &power, triple).await
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
            let exp = Exp2 { index_bits: 4, step_bits, factor_frac, table_frac: 16, ring: 32 };
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
