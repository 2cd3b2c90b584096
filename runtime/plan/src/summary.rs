//! What two parties tell each other about their plans before a session, so that a difference has a name.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encoding::{PlanError, VERSION};
use crate::file::{Making, Plan, Trust};

pub type Hash = [u8; 32];

/// Hashes of a plan's parts, beside what a person recognises it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub version: u32,
    pub model: String,
    pub entry: String,
    pub dims: Vec<(String, u64)>,
    pub trust: Trust,
    /// Name, number of items and hash of each part.
    pub parts: Vec<(String, u64, Hash)>,
}

/// A summary from a peer may have this many bytes.
pub const MAX_SUMMARY: usize = 64 << 10;

impl Plan {
    /// Of the plan's whole contents.
    pub fn hash(&self) -> Result<Hash, PlanError> {
        digest(self)
    }

    pub fn summary(&self) -> Result<Summary, PlanError> {
        let parts = vec![
            part("values", &self.values)?,
            part("parameters", &self.parameters)?,
            part("inputs", &self.inputs)?,
            part("constants", &self.constants)?,
            part("kernels", &self.kernels)?,
            part("steps", &self.steps)?,
            part("outputs", &self.outputs)?,
            part("origins", &self.origins)?,
            part("notes", &self.notes)?,
        ];
        Ok(Summary {
            version: VERSION,
            model: self.model.clone(),
            entry: self.entry.clone(),
            dims: self.dims.clone(),
            trust: self.trust,
            parts,
        })
    }
}

impl Summary {
    pub fn to_bytes(&self) -> Result<Vec<u8>, PlanError> {
        postcard::to_stdvec(self).map_err(|error| PlanError::Malformed(error.to_string()))
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Summary, PlanError> {
        match postcard::take_from_bytes(bytes) {
            Ok((summary, [])) => Ok(summary),
            Ok(_) => Err(PlanError::Malformed("a summary with bytes behind its end".into())),
            Err(error) => Err(PlanError::Malformed(error.to_string())),
        }
    }
}

/// What differs, most telling first; empty when nothing does.
pub fn differences(here: &Summary, peer: &Summary) -> Vec<String> {
    let mut found = vec![];
    let mut compare = |what: &str, here: String, peer: String| {
        if here != peer {
            // The peer's text is printed to a terminal.
            found.push(format!("{what} is {here} here and {} at the peer", peer.escape_debug()));
        }
    };
    compare("the format version", here.version.to_string(), peer.version.to_string());
    compare("the model", here.model.clone(), peer.model.clone());
    compare("the entry", here.entry.clone(), peer.entry.clone());
    for (name, size) in &here.dims {
        match peer.dims.iter().find(|(other, _)| other == name) {
            Some((_, other)) => compare(&format!("dim {name}"), size.to_string(), other.to_string()),
            None => compare(&format!("dim {name}"), size.to_string(), "unknown".into()),
        }
    }
    for (name, size) in &peer.dims {
        if here.dims.iter().all(|(other, _)| other != name) {
            compare(&format!("dim {}", name.escape_debug()), "unknown".into(), size.to_string());
        }
    }
    compare("the trust mode", told(here.trust), told(peer.trust));
    if here.parts.len() != peer.parts.len() {
        compare("the number of parts", here.parts.len().to_string(), peer.parts.len().to_string());
    }
    for ((name, count, hash), (other_name, other_count, other_hash)) in here.parts.iter().zip(&peer.parts) {
        if name != other_name {
            compare("a part", name.clone(), other_name.clone());
        } else if count != other_count {
            compare(&format!("the number of {name}"), count.to_string(), other_count.to_string());
        } else if hash != other_hash {
            found.push(format!("the {name} differ"));
            return found;
        }
    }
    found
}

fn told(trust: Trust) -> String {
    match trust {
        Trust::Dealer => "a dealer".into(),
        Trust::TwoParty { making: Making { extension, second_bytes } } => {
            format!("two parties alone ({} transfers, a second for {second_bytes} bytes)", extension.name())
        }
    }
}

fn part<T: Serialize>(name: &str, items: &[T]) -> Result<(String, u64, Hash), PlanError> {
    Ok((name.into(), items.len() as u64, digest(items)?))
}

fn digest<T: Serialize + ?Sized>(data: &T) -> Result<Hash, PlanError> {
    let bytes = postcard::to_stdvec(data).map_err(|error| PlanError::Malformed(error.to_string()))?;
    Ok(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::tests::example;

    fn check(change: impl Fn(&mut Plan), expected: &[&str]) {
        let here = example();
        let mut peer = here.clone();
        change(&mut peer);
        let there = Summary::from_bytes(&peer.summary().unwrap().to_bytes().unwrap()).unwrap();
        assert_eq!(differences(&here.summary().unwrap(), &there), expected);
        assert_eq!(here.hash().unwrap() == peer.hash().unwrap(), expected.is_empty());
    }

    #[test]
    fn what_differs_is_named() {
        check(|_| {}, &[]);
        check(|plan| plan.dims[0].1 = 128, &["dim S is 32 here and 128 at the peer"]);
        check(|plan| plan.dims.clear(), &["dim S is 32 here and unknown at the peer"]);
        check(|plan| plan.model = "Other\u{1b}".into(), &["the model is Example here and Other\\u{1b} at the peer"]);
        check(|plan| plan.kernels.clear(), &["the number of kernels is 1 here and 0 at the peer"]);
        check(|plan| plan.parameters[0].limit = 9.0, &["the parameters differ"]);
        check(
            |plan| {
                plan.entry = "other".into();
                plan.steps[0].round = 9;
            },
            &["the entry is infer here and other at the peer", "the steps differ"],
        );
    }

    #[test]
    fn a_summary_from_a_peer_is_checked() {
        let bytes = example().summary().unwrap().to_bytes().unwrap();
        assert!(bytes.len() < MAX_SUMMARY);
        for end in 0..bytes.len() {
            assert!(Summary::from_bytes(&bytes[..end]).is_err());
        }
        assert!(Summary::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    }
}
