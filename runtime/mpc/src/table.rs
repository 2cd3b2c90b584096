//! Look-up of public tables at a private index (one-time truth tables: Ishai et al., TCC 2013, section 3).
//!
//! Input: a share of `x`. Output: for each table, a share of its entry `(x >> shift) mod 2^index_bits`, in its own ring;
//! the index may be one below, as both parties shift their shares.
//! Correlation: `[r]`, and shares of the tables rotated by `r`. Security: semi-honest. Reveals: nothing. Price: 1 round,
//! `index_bits` bits each way an element, whatever the number of tables.

use ptc_correlation::Packed;
use ptc_correlation::types::RotatedTables;
use ptc_net::PeerError;
use ptc_ring::blocks::map_blocks;
use ptc_ring::tensor::{Share, mask};

use crate::context::Context;
use crate::wire::{Incoming, Outgoing, Received, ring_len};

pub async fn table(context: &Context, x: &Share, shift: u32, rotated: RotatedTables) -> Result<Vec<Share>, PeerError> {
    let (bits, count) = (rotated.index_bits, x.len());
    let index = Index { x, shift, rotation: &rotated.rotation };
    let out = Outgoing::default().filled(bits, count, |first, block| index.fill(first, block)).into_bytes();
    let answer = context.lane.exchange(out, ring_len(count, bits)).await?;
    let received = Incoming::new(&answer).ring(bits, count);
    Ok(rotated.tables.iter().map(|table| index.look_up(received, table, 0)).collect())
}

/// This party's share of an index, `x >> shift`, plus its share of the rotation.
pub(crate) struct Index<'a> {
    pub x: &'a Share,
    pub shift: u32,
    pub rotation: &'a Packed,
}

impl Index<'_> {
    /// Shares from `first` on, not reduced.
    pub fn fill(&self, first: usize, block: &mut [u64]) {
        let Index { x, shift, rotation } = *self;
        assert_eq!(x.len(), rotation.len(), "one rotation for each element");
        assert!(x.bits >= shift + rotation.bits(), "{} bits above {shift} of {}", rotation.bits(), x.bits);
        rotation.read(first, block);
        block.iter_mut().zip(&x.data[first..]).for_each(|(r, x)| *r = r.wrapping_add(x >> shift));
    }

    /// The opened indices: plus their rotations, modulo the length of a table.
    pub fn opened(&self, received: Received) -> Vec<u64> {
        let low = mask(self.rotation.bits());
        map_blocks::<1>(self.x.len(), |first, index, [other]| {
            let other = &mut other[..index.len()];
            self.fill(first, index);
            received.read(first, other);
            index.iter_mut().zip(&*other).for_each(|(own, other)| *own = own.wrapping_add(*other) & low);
        })
    }

    /// The entries `beyond` the opened indices.
    pub fn look_up(&self, received: Received, table: &Packed, beyond: u64) -> Share {
        let (low, entries) = (mask(self.rotation.bits()), 1 << self.rotation.bits());
        assert_eq!(table.len(), entries * self.x.len(), "a table for each element");
        let data = map_blocks::<2>(self.x.len(), |first, out, [index, other]| {
            let (index, other) = (&mut index[..out.len()], &mut other[..out.len()]);
            self.fill(first, index);
            received.read(first, other);
            index.iter_mut().zip(&*other).for_each(|(own, other)| *own = own.wrapping_add(*other + beyond) & low);
            table.pick(entries, first, index, out);
        });
        Share { bits: table.bits(), data }
    }
}
