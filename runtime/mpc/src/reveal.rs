//! A value becomes known to one party. The only function that opens a value; the executor checks that the plan lists it.
//!
//! Input: a share. Output: the value's ring words at `to`, nothing at the other. Security: semi-honest. Reveals: the value,
//! to `to`. Price: 1 round, `bits` bits an element from the other party.

use ptc_net::PeerError;
use ptc_plan::step::Party;
use ptc_ring::tensor::{Share, add_assign};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, ring_len};

pub async fn reveal(context: &Context, x: &Share, to: Party) -> Result<Option<Vec<u64>>, PeerError> {
    if context.party != to {
        context.lane.exchange(Outgoing::default().ring(x.bits, &x.data).into_bytes(), 0).await?;
        return Ok(None);
    }
    let answer = context.lane.exchange(vec![], ring_len(x.len(), x.bits)).await?;
    let mut value = Incoming::new(&answer).ring(x.bits, x.len()).unpack();
    add_assign(&mut value, &x.data, x.bits);
    Ok(Some(value))
}
