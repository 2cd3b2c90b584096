//! Look-up of public tables at a private index (one-time truth tables: Ishai et al., TCC 2013, section 3).
//!
//! Input: a share of `x`. Output: for each table, a share of its entry `(x >> shift) mod 2^index_bits`, in its own ring;
//! the index may be one below, as both parties shift their shares.
//! Correlation: `[r]`, and shares of the tables rotated by `r`. Security: semi-honest. Reveals: nothing. Price: 1 round,
//! `index_bits` bits each way an element, whatever the number of tables.

use ptc_correlation::types::RotatedTables;
use ptc_net::PeerError;
use ptc_ring::tensor::{Share, add_assign, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, ring_len};

pub async fn table(context: &Context, x: &Share, shift: u32, rotated: RotatedTables) -> Result<Vec<Share>, PeerError> {
    let bits = rotated.index_bits;
    let mut index = masked_index(x, shift, &rotated.rotation.unpack());
    let out = Outgoing::default().ring(bits, &index).into_bytes();
    let answer = context.lane.exchange(out, ring_len(index.len(), bits)).await?;
    add_assign(&mut index, &Incoming::new(&answer).ring(bits, x.len()), bits);
    Ok(rotated.tables.into_iter().map(|table| table.pick(1 << bits, &index)).collect())
}

/// This party's share of the index, plus its share of the rotation.
pub(crate) fn masked_index(x: &Share, shift: u32, rotation: &Share) -> Vec<u64> {
    assert_eq!(x.len(), rotation.len(), "one rotation for each element");
    assert!(x.bits >= shift + rotation.bits, "an index of {} bits above {shift} of {}", rotation.bits, x.bits);
    let low = mask(rotation.bits);
    x.data.iter().zip(&rotation.data).map(|(x, r)| (x >> shift).wrapping_add(*r) & low).collect()
}
