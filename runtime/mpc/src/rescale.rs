//! The same number in another fixed point: shift right, ring grown. Never wrong by more than a unit.
//!
//! Input: a share of `x` in `Z_2^k`, `|x| < 2^(k-2)`. Output: a share of `x / 2^s` rounded to one of its two neighbours,
//! or exactly when `2^s` divides `x`, in `Z_2^K`.
//! Correlation: bits `r0` at the server, `r1` at the client, `[r0·r1]` in `Z_2^(K-k+s)`. Security: semi-honest. Reveals:
//! nothing. Price: 1 round, one bit each way an element; free where `K <= k - s`.
//!
//! After an offset the value lies in `[0, 2^(k-1))`, so the shares' sum wraps around exactly when either share's top bit
//! is set (the known sign of SIRNN, IEEE S&P 2021, section IV-C): `w = 1 - m0·m1`, `m` the inverted top bits. Each party
//! opens `m ^ r`; `m0·m1` is then linear in `r0`, `r1` and `r0·r1`. Shifting each share rounds the sum down, or down by
//! one more; the offset is one short of a multiple of `2^s`, so that the two cases are the ceiling and the floor of `x`.

use ptc_correlation::types::Wrap;
use ptc_net::PeerError;
use ptc_plan::bill::rescale_growth;
use ptc_plan::step::{Fixed, Party};
use ptc_ring::blocks::map_blocks;
use ptc_ring::tensor::{Share, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide_bits};

pub async fn rescale(
    context: &Context,
    x: &Share,
    from: Fixed,
    to: Fixed,
    wrap: Option<Wrap>,
) -> Result<Share, PeerError> {
    let shift = from.frac.checked_sub(to.frac).expect("a rescale drops fraction bits");
    assert_eq!(x.bits, from.bits, "the ring of a rescale");
    if rescale_growth(from, to) == 0 {
        return Ok(shrink(context, x, shift, to.bits));
    }
    let wrap = wrap.expect("a rescale that grows the ring has a wrap bit");
    assert!(from.bits >= shift + 2, "a shift by {shift} in a ring of {} bits", from.bits);
    // The offset less 2^s - 1 is 2^(k-2) - 2^s, a multiple of 2^s.
    let (offset, shifted_offset) = ((1u64 << (from.bits - 2)) - 1, (1u64 << (from.bits - 2 - shift)) - 1);
    let (lift, once) = (offset.wrapping_mul(context.once()), context.once());
    let inverted = inverted_top_bits(x, lift);
    let own = hide_bits(&inverted, wrap.mask.words());
    let out = Outgoing::default().words(&own).into_bytes();
    let answer = context.lane.exchange(out, 8 * own.len()).await?;
    let other = Incoming::new(&answer).words(own.len());

    // m0·m1 = u1·m0 + u0·(m1 - u1) + (1 - 2u0)(1 - 2u1)·r0·r1: the server adds the first term, the client the second.
    // Minus one, which the server adds too, it is minus the wrap bit; that counts 2^(k - s).
    let minus_own = match context.party {
        Party::Server => 0,
        Party::Client => u64::MAX,
    };
    let place = from.bits - shift;
    let down = (1u64 << place).wrapping_add(shifted_offset).wrapping_mul(once);
    let (from_low, to_low) = (mask(from.bits), mask(to.bits));
    let data = map_blocks::<0>(x.len(), |first, out, _| {
        wrap.product.read(first, out);
        let planes = inverted[first / 64..].iter().zip(&own[first / 64..]).zip(&other[first / 64..]);
        for ((out, x), ((inverted, own), other)) in out.chunks_mut(64).zip(x.data[first..].chunks(64)).zip(planes) {
            let (plus, minus, flips) = (other & inverted, other & own & minus_own, own ^ other);
            for (at, (out, x)) in out.iter_mut().zip(x).enumerate() {
                let bit = |word: u64| word >> at & 1;
                let negative = bit(flips).wrapping_neg();
                let both = (*out ^ negative).wrapping_sub(negative).wrapping_add(bit(plus)).wrapping_sub(bit(minus));
                let shifted = (x.wrapping_add(lift) & from_low) >> shift;
                *out = shifted.wrapping_add(both << place).wrapping_sub(down) & to_low;
            }
        }
    });
    Ok(Share { bits: to.bits, data })
}

/// A wrap of the shares' sum lies above the ring that is left. Exact where `2^shift` divides, else floor or ceiling.
fn shrink(context: &Context, x: &Share, shift: u32, bits: u32) -> Share {
    let (up, low) = (mask(shift).wrapping_mul(context.once()), mask(x.bits));
    let shifted = x.data.iter().map(|v| (v.wrapping_add(up) & low) >> shift & mask(bits));
    Share { bits, data: shifted.collect() }
}

/// The top bit of each element plus `lift`, inverted, as a plane.
fn inverted_top_bits(x: &Share, lift: u64) -> Vec<u64> {
    let top = x.bits - 1;
    let bit = |value: u64| !value.wrapping_add(lift) >> top & 1;
    let plane = |chunk: &[u64]| chunk.iter().enumerate().fold(0, |word, (at, value)| word | bit(*value) << at);
    x.data.chunks(64).map(plane).collect()
}
