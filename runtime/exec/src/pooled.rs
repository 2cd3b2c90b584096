//! What binds a pool of prepared correlations to a plan at one party.

use std::path::Path;

use ptc_offline::pool::key::Key;
use ptc_offline::pool::{Pool, Vacant, Writer};
use ptc_plan::Plan;
use ptc_plan::bill::weight_masks;
use ptc_plan::step::Party;
use sha2::{Digest, Sha256};

use crate::error::RunError;
use crate::prepare::Prepared;
use crate::session::Session;
use crate::source::words;

/// The pool of this plan and party in a folder.
pub fn open(path: &Path, key: &Key, plan: &Plan, party: Party) -> Result<Pool, RunError> {
    Ok(Pool::open(path, key, &plan.hash()?, party)?)
}

/// A pool for the queries of `session`, which prepares.
pub fn start(vacant: Vacant, key: &Key, session: &Session) -> Result<Writer, RunError> {
    let prepared = session.prepared();
    let plan = prepared.plan.hash()?;
    Ok(vacant.start(key, plan, prepared.party, session.id, session.queries, weights(prepared))?)
}

/// Of the encoded weights that correlations depend on: the server's. The client has none.
pub fn weights(prepared: &Prepared) -> [u8; 32] {
    if prepared.party == Party::Client {
        return [0; 32];
    }
    let mut digest = Sha256::new();
    for mask in weight_masks(&prepared.plan) {
        let mut bytes = [0; 4096];
        for words in words(prepared, mask.weight).chunks(bytes.len() / 8) {
            let bytes = &mut bytes[..8 * words.len()];
            bytes.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
            digest.update(bytes);
        }
    }
    digest.finalize().into()
}
