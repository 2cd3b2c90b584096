//! A value becomes known to one party. The only function that opens a value; the executor checks that the plan lists it.
//!
//! Before the value goes, both parties tell each other a digest of everything that has gone between them, and nothing is
//! opened where the two differ; the opened value carries a tag that binds it to the digest. Parties that follow the protocol
//! never differ: this finds a wire, or somebody on it, that changes messages.
//!
//! Input: a share. Output: the value's ring words at `to`, nothing at the other. Security: semi-honest. Reveals: the value,
//! to `to`. Price: 2 rounds; 32 bytes each way, then `bits` bits an element and 32 bytes from the other party.

use ptc_net::transcript::{DIGEST, Transcript};
use ptc_net::{Channel, PeerError};
use ptc_plan::step::Party;
use ptc_ring::tensor::{Share, add_assign};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, ring_len};

/// `seen` is the channel's transcript when the step begins.
pub async fn reveal(context: &Context, x: &Share, to: Party, seen: Transcript) -> Result<Option<Vec<u64>>, PeerError> {
    let other = context.lane.exchange(seen.own().to_vec(), DIGEST).await?;
    if other != seen.others() {
        return Err(PeerError::TranscriptsDiffer);
    }
    if context.party != to {
        let mut message = Outgoing::default().ring(x.bits, &x.data).into_bytes();
        message.extend_from_slice(&seen.tag(&message));
        context.lane.exchange(message, 0).await?;
        return Ok(None);
    }
    let length = ring_len(x.len(), x.bits);
    let answer = context.lane.exchange(vec![], length + DIGEST).await?;
    let (share, tag) = answer.split_at(length);
    if tag != seen.others_tag(share) {
        return Err(PeerError::TranscriptsDiffer);
    }
    let mut value = Incoming::new(share).ring(x.bits, x.len()).unpack();
    add_assign(&mut value, &x.data, x.bits);
    Ok(Some(value))
}

/// Both parties have seen the same messages, outside of a query.
pub fn compare_transcripts(channel: &mut (impl Channel + ?Sized)) -> Result<(), PeerError> {
    let seen = channel.transcript();
    channel.send(seen.own().to_vec())?;
    let other = channel.receive(DIGEST)?;
    if other == seen.others() { Ok(()) } else { Err(PeerError::TranscriptsDiffer) }
}
