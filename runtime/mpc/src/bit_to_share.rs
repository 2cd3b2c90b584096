//! A shared bit becomes an additive share of 0 or 1, in a fixed point of choice.
//!
//! Input: a share of bits `b`. Output: a share of `b·2^frac` in `Z_2^bits`.
//! Correlation: a random bit `rho`, shared by exclusive or and additively above the fraction bits. Security: semi-honest.
//! Reveals: nothing. Price: 1 round, one bit each way an element.

use ptc_correlation::types::SharedBit;
use ptc_net::PeerError;
use ptc_plan::step::Fixed;
use ptc_ring::blocks::map_blocks;
use ptc_ring::tensor::{BitShare, Share, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, hide_bits, xor_assign};

pub async fn bit_to_share(context: &Context, b: &BitShare, to: Fixed, random: SharedBit) -> Result<Share, PeerError> {
    let mut opened = hide_bits(&b.words, random.bit.words());
    let out = Outgoing::default().words(&opened).into_bytes();
    let answer = context.lane.exchange(out, 8 * opened.len()).await?;
    let count = opened.len();
    xor_assign(&mut opened, &Incoming::new(&answer).words(count));

    // b = u ^ rho = u + (1 - 2u)·rho.
    let share = random.share;
    assert_eq!(share.len(), b.len(), "one random bit for each bit");
    let (low, once) = (mask(to.bits), context.once());
    let data = map_blocks::<0>(b.len(), |first, out, _| {
        share.read(first, out);
        for (out, opened) in out.chunks_mut(64).zip(&opened[first / 64..]) {
            for (at, out) in out.iter_mut().enumerate() {
                let bit = opened >> at & 1;
                let negative = bit.wrapping_neg();
                let sum = (*out ^ negative).wrapping_sub(negative).wrapping_add(bit & once);
                *out = sum.unbounded_shl(to.frac) & low;
            }
        }
    });
    Ok(Share { bits: to.bits, data })
}
