//! The plan file's bytes.
//!
//! | bytes | |
//! |---|---|
//! | 8 | `ptc plan` |
//! | 4 | version, little endian |
//! | 8 | length of the payload, little endian |
//! | | payload: the [`Plan`] in postcard's form |
//! | 32 | SHA-256 of everything before |
//!
//! What [`Plan::from_bytes`] returns has been checked: every index, shape, ring, kernel and round fits.

use sha2::{Digest, Sha256};

use crate::check::check;
use crate::file::Plan;

/// Goes up with every change of the format or of what a step means.
pub const VERSION: u32 = 3;

/// A plan holds no weights; the largest public tables stay far below this.
pub const MAX_BYTES: usize = 256 << 20;

const MAGIC: &[u8; 8] = b"ptc plan";
const HEADER: usize = 20;
const TRAILER: usize = 32;

/// Why bytes are no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("this is not a plan file: it does not start with `ptc plan`\nhint: `ptc build model.ptx` writes one")]
    NotAPlan,
    #[error("the plan has format version {found}, this program reads version {VERSION}\nhint: build it again")]
    Version { found: u32 },
    #[error("a plan of {found} bytes is larger than the limit of {MAX_BYTES} bytes")]
    TooLarge { found: u64 },
    #[error("the plan is cut short: it has {found} of {expected} bytes\nhint: copy or build it again")]
    CutShort { expected: u64, found: u64 },
    #[error("the plan is damaged: its SHA-256 does not match its contents\nhint: copy or build it again")]
    Damaged,
    #[error("the plan cannot be read: {0}\nhint: build it again")]
    Malformed(String),
    /// It can be read, but says something that no compiler would.
    #[error("the plan is not valid: {0}\nhint: build it again")]
    Invalid(String),
}

impl Plan {
    pub fn to_bytes(&self) -> Result<Vec<u8>, PlanError> {
        let payload = postcard::to_stdvec(self).map_err(|error| PlanError::Malformed(error.to_string()))?;
        let mut bytes = Vec::with_capacity(HEADER + payload.len() + TRAILER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&payload);
        let hash = Sha256::digest(&bytes);
        bytes.extend_from_slice(&hash);
        match bytes.len() {
            length if length > MAX_BYTES => Err(PlanError::TooLarge { found: length as u64 }),
            _ => Ok(bytes),
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Plan, PlanError> {
        let (&magic, rest) = bytes.split_first_chunk::<8>().ok_or(PlanError::NotAPlan)?;
        if magic != *MAGIC {
            return Err(PlanError::NotAPlan);
        }
        let found = bytes.len() as u64;
        let least = PlanError::CutShort { expected: (HEADER + TRAILER) as u64, found };
        let (&version, rest) = rest.split_first_chunk::<4>().ok_or(least.clone())?;
        match u32::from_le_bytes(version) {
            VERSION => {}
            found => return Err(PlanError::Version { found }),
        }
        let (&length, rest) = rest.split_first_chunk::<8>().ok_or(least)?;
        let expected = u64::from_le_bytes(length).saturating_add((HEADER + TRAILER) as u64);
        if expected > MAX_BYTES as u64 {
            return Err(PlanError::TooLarge { found: expected });
        }
        match rest.split_last_chunk::<TRAILER>() {
            Some((payload, trailer)) if expected == found => {
                let covered = &bytes[..HEADER + payload.len()];
                if Sha256::digest(covered).as_slice() != trailer {
                    return Err(PlanError::Damaged);
                }
                decode(payload)
            }
            _ if found < expected => Err(PlanError::CutShort { expected, found }),
            _ => Err(PlanError::Malformed(format!("{} bytes follow its end", found - expected))),
        }
    }
}

fn decode(payload: &[u8]) -> Result<Plan, PlanError> {
    let (plan, rest): (Plan, _) =
        postcard::take_from_bytes(payload).map_err(|error| PlanError::Malformed(error.to_string()))?;
    if !rest.is_empty() {
        return Err(PlanError::Malformed(format!("{} bytes of its payload have no meaning", rest.len())));
    }
    check(&plan).map_err(PlanError::Invalid)?;
    Ok(plan)
}

#[cfg(test)]
pub(crate) mod tests;
