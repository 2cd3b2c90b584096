//! What a pool is for, in clear; every file of the pool is bound to it.

use ptc_plan::step::Party;

const MAGIC: [u8; 8] = *b"ptc pool";
const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The plan's hash.
    pub plan: [u8; 32],
    pub party: Party,
    /// The session that made the pools of both parties.
    pub id: [u8; 32],
    /// As many were to be made.
    pub queries: u32,
    /// Of the derivation of keys.
    pub salt: [u8; 16],
}

impl Header {
    pub const BYTES: usize = 8 + 4 + 32 + 1 + 32 + 4 + 16;

    pub fn to_bytes(&self) -> [u8; Header::BYTES] {
        let party = [self.party.index() as u8];
        let parts: [&[u8]; 7] =
            [&MAGIC, &VERSION.to_le_bytes(), &self.plan, &party, &self.id, &self.queries.to_le_bytes(), &self.salt];
        parts.concat().try_into().expect("the fields have these lengths together")
    }

    /// Or what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Header, &'static str> {
        let mut fields = Fields(bytes);
        if fields.next()? != MAGIC {
            return Err("is no header of a pool");
        }
        if u32::from_le_bytes(fields.next()?) != VERSION {
            return Err("is of another version");
        }
        let plan = fields.next()?;
        let party = match fields.next()? {
            [0] => Party::Server,
            [1] => Party::Client,
            _ => return Err("names no party"),
        };
        let (id, queries, salt) = (fields.next()?, u32::from_le_bytes(fields.next()?), fields.next()?);
        match fields.0 {
            [] => Ok(Header { plan, party, id, queries, salt }),
            _ => Err("has another length"),
        }
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (field, rest) = self.0.split_first_chunk().ok_or("has another length")?;
        self.0 = rest;
        Ok(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_a_header_or_an_error() {
        let header = Header { plan: [1; 32], party: Party::Client, id: [2; 32], queries: 7, salt: [3; 16] };
        let bytes = header.to_bytes();
        assert_eq!(Header::from_bytes(&bytes), Ok(header));
        for at in 0..bytes.len() {
            assert_eq!(Header::from_bytes(&bytes[..at]), Err("has another length"));
            let mut changed = bytes;
            changed[at] ^= 0x80;
            if let Ok(found) = Header::from_bytes(&changed) {
                assert_eq!(found.to_bytes(), changed);
            }
        }
        assert_eq!(Header::from_bytes(&[&bytes[..], &[0]].concat()), Err("has another length"));
    }
}
