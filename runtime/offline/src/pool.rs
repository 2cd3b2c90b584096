//! Correlations prepared ahead, on disk: for one plan, one pair of parties and one set of weights.
//!
//! | file | what it holds |
//! |---|---|
//! | `header` | what the pool is for: plan, party, the session that made it, a digest of the weights |
//! | `query-00000012` | all that this party consumes in query 12 |
//! | `lock` | held by the process that fills or uses the pool |
//!
//! A query's file is gone, durably, before anything from it is used: a process that ends at any moment wastes a query at
//! most and never uses one twice. Files come under their names only when they are complete. Both parties say which
//! queries they still have when they meet, and take the common ones from the lowest on ([`common`]).
//!
//! Files are sealed by AES-128-GCM, each under its own key, which follows from the owner's key file, a fresh salt of the
//! pool and the query's number; they are bound to the plan, the party, the pool and the query. Whoever copies the folder
//! learns its header and sizes alone. Whoever can write to it could bring back a used query, so a folder open to others is
//! refused; a restored backup does the same, so pools must not be backed up.

mod error;
mod folder;
mod header;
pub mod key;
mod query;
mod seal;

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ptc_correlation::Supply;
use ptc_plan::Plan;
use ptc_plan::step::Party;
use ptc_ring::Seed;

pub use error::PoolError;
use folder::Folder;
pub use header::Header;
use key::{Key, Keys};
use seal::{Opener, Sealer, sealed_bytes};

/// Queries of one pool.
pub const MAX_QUERIES: u32 = 1 << 16;

const HEADER: &str = "header";

/// A folder that holds nothing yet, for this process alone.
pub struct Vacant {
    folder: Folder,
}

/// A pool that is being filled.
pub struct Writer {
    folder: Folder,
    header: Header,
    keys: Keys,
    next: u32,
}

/// A pool of this process alone.
pub struct Pool {
    folder: Folder,
    header: Header,
    keys: Keys,
    /// Of the server's encoded weights; zeros at the client.
    weights: [u8; 32],
    left: Range<u32>,
}

/// The queries that a party still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub id: [u8; 32],
    pub first: u32,
    pub end: u32,
}

/// Bytes on disk of one query of `party`.
pub fn query_bytes(plan: &Plan, party: Party) -> u64 {
    sealed_bytes(query::bytes(plan, party))
}

/// What `ptc pool` tells.
pub struct Status {
    pub header: Header,
    pub left: Range<u32>,
}

/// The queries that both parties have, in pools that the same session made; none where that is so for no query.
pub fn common(own: Option<Offer>, other: Option<Offer>) -> Range<u32> {
    match (own, other) {
        (Some(own), Some(other)) if own.id == other.id => {
            let (first, end) = (own.first.max(other.first), own.end.min(other.end));
            first..end.max(first)
        }
        _ => 0..0,
    }
}

/// Makes the folder, or takes an empty one.
pub fn reserve(path: &Path) -> Result<Vacant, PoolError> {
    let folder = Folder::make(path)?;
    match folder.names()?.iter().any(|name| name != folder::LOCK) {
        true => Err(PoolError::NotEmpty { path: path.into() }),
        false => Ok(Vacant { folder }),
    }
}

/// Without the key, so without proof that nobody has changed the header.
pub fn status(path: &Path) -> Result<Status, PoolError> {
    let (header, _) = read_header(path)?;
    let left = left(&folder::names(path)?);
    Ok(Status { header, left })
}

impl Vacant {
    /// `id` is the session in which both parties fill their pools; `weights` the digest of what the pool is bound to.
    pub fn start(
        self,
        key: &Key,
        plan: [u8; 32],
        party: Party,
        id: [u8; 32],
        queries: u32,
        weights: [u8; 32],
    ) -> Result<Writer, PoolError> {
        let fresh = Seed::fresh().map_err(PoolError::Entropy)?;
        let salt = *fresh.as_bytes().first_chunk().expect("a seed is longer than a salt");
        let header = Header { plan, party, id, queries, salt };
        let keys = key.derive(&salt);
        let mut bytes = header.to_bytes().to_vec();
        let mut sealer = Sealer::new(&mut bytes, keys.header(), header.to_bytes(), None, weights.len() as u64);
        sealer.write(&weights).and_then(|()| sealer.finish()).expect("memory takes what is written");
        self.folder.write(HEADER, |file| file.write_all(&bytes))?;
        Ok(Writer { folder: self.folder, header, keys, next: 0 })
    }
}

impl Writer {
    /// The next query's.
    pub fn put(&mut self, plan: &Plan, supply: Supply) -> Result<(), PoolError> {
        let Writer { folder, header, keys, next } = self;
        let (index, party) = (*next, header.party);
        folder.write(&query_name(index), |file| {
            let mut out = BufWriter::new(file);
            let length = query::bytes(plan, party);
            let mut sealer = Sealer::new(&mut out, keys.query(index), header.to_bytes(), Some(index), length);
            query::write(plan, party, supply, |bytes| sealer.write(bytes))?;
            sealer.finish()?;
            out.flush()
        })?;
        *next += 1;
        Ok(())
    }
}

impl Pool {
    /// The pool of this plan and party.
    pub fn open(path: &Path, key: &Key, plan: &[u8; 32], party: Party) -> Result<Pool, PoolError> {
        let folder = Folder::open(path)?;
        let (header, sealed) = read_header(path)?;
        if header.plan != *plan {
            return Err(PoolError::OtherPlan { path: path.into() });
        }
        if header.party != party {
            return Err(PoolError::OtherParty { path: path.into(), party: header.party.index() });
        }
        let keys = key.derive(&header.salt);
        let mut weights = [0; 32];
        let mut opener = Opener::new(sealed.as_slice(), keys.header(), header.to_bytes(), None, weights.len() as u64);
        opener.fill(&mut weights).map_err(|_| PoolError::OtherKey { path: path.join(HEADER) })?;
        let left = left(&folder.names()?);
        Ok(Pool { folder, header, keys, weights, left })
    }

    /// The pool was made for these weights.
    pub fn check_weights(&self, digest: &[u8; 32]) -> Result<(), PoolError> {
        match self.weights == *digest {
            true => Ok(()),
            false => Err(PoolError::OtherWeights { path: self.folder.path.clone() }),
        }
    }

    pub fn offer(&self) -> Offer {
        Offer { id: self.header.id, first: self.left.start, end: self.left.end }
    }

    /// What query `index` consumes. Its file is gone before this returns, and so are those of all queries before it, which
    /// the other party no longer has.
    pub fn take(&mut self, plan: &Plan, index: u32) -> Result<Supply, PoolError> {
        if !self.left.contains(&index) {
            return Err(PoolError::Missing { path: self.folder.path.join(query_name(index)) });
        }
        let supply = self.read(plan, index)?;
        let passed: Vec<String> = (self.left.start..=index).map(query_name).collect();
        self.folder.remove(&passed)?;
        self.left.start = index + 1;
        Ok(supply)
    }

    fn read(&self, plan: &Plan, index: u32) -> Result<Supply, PoolError> {
        let path = self.folder.path.join(query_name(index));
        let failed = |error| PoolError::Read { path: path.clone(), error };
        let file = File::open(&path).map_err(failed)?;
        let (found, length) = (file.metadata().map_err(failed)?.len(), query::bytes(plan, self.header.party));
        let expected = sealed_bytes(length);
        if found != expected {
            return Err(PoolError::Length { path, expected, found });
        }
        let mut opener = Opener::new(file, self.keys.query(index), self.header.to_bytes(), Some(index), length);
        query::read(plan, self.header.party, |bytes| opener.fill(bytes)).map_err(|error| match error {
            seal::Failure::Forged => PoolError::Forged { path: path.clone() },
            seal::Failure::Io(error) => failed(error),
        })
    }
}

/// The header, and what is sealed in its file.
fn read_header(path: &Path) -> Result<(Header, Vec<u8>), PoolError> {
    let path: PathBuf = path.join(HEADER);
    let failed = |error| PoolError::NoHeader { path: path.clone(), error };
    let mut bytes = vec![];
    let limit = Header::BYTES as u64 + sealed_bytes(32);
    File::open(&path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 != limit {
        return Err(PoolError::Header { path, problem: "has another length" });
    }
    let sealed = bytes.split_off(Header::BYTES);
    match Header::from_bytes(&bytes) {
        Ok(header) => Ok((header, sealed)),
        Err(problem) => Err(PoolError::Header { path, problem }),
    }
}

/// The lowest query that is there, and those that follow it without a gap.
fn left(names: &[String]) -> Range<u32> {
    let mut indices: Vec<u32> = names.iter().filter_map(|name| query_index(name)).collect();
    indices.sort_unstable();
    let first = indices.first().copied().unwrap_or(0);
    let run = (first..).zip(&indices).take_while(|(expected, found)| expected == *found).count();
    first..first + run as u32
}

fn query_name(index: u32) -> String {
    format!("query-{index:08}")
}

fn query_index(name: &str) -> Option<u32> {
    let index = name.strip_prefix("query-")?.parse().ok().filter(|index| *index < MAX_QUERIES)?;
    (query_name(index) == name).then_some(index)
}

#[cfg(test)]
mod tests;
