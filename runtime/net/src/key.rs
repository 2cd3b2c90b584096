//! The keys by which two machines know each other: Ed25519 (RFC 8032), pinned, with no authority above them.
//!
//! A public key is one short line, `ptc-ed25519:` and 43 characters of base64. It travels as raw public key (RFC 7250).

use std::fmt::{self, Display};
use std::io::Read;
use std::str::FromStr;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::base64;

const PUBLIC: &str = "ptc-ed25519:";
const SECRET: &str = "ptc-ed25519-secret:";

/// Of an Ed25519 key as the subject of a certificate (RFC 8410): everything before its 32 bytes.
const SUBJECT: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Of a private key in PKCS #8 (RFC 8410): everything before its 32 bytes.
const PRIVATE: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// By whom a connection is kept. Printed as it is given to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

/// A secret key, and its public one.
pub struct Identity {
    seed: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    #[error(
        "this is no public key: one is written `{PUBLIC}` and 43 characters\nhint: the other side prints its own with `ptc keys show`"
    )]
    NotPublic,
    #[error("this is no secret key of `ptc`\nhint: `ptc keys new` makes one")]
    NotSecret,
    #[error("no randomness from the operating system")]
    Entropy,
}

impl PublicKey {
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// To read aloud: 16 groups of four digits, all of a hash of the key.
    pub fn fingerprint(&self) -> String {
        let digest =
            *blake3::Hasher::new_derive_key("ptc 2026 fingerprint of a key").update(&self.0).finalize().as_bytes();
        let group = |pair: &[u8; 2]| format!("{:04x}", u16::from_be_bytes(*pair));
        let (pairs, _) = digest.as_chunks::<2>();
        pairs.iter().map(group).collect::<Vec<_>>().join(" ")
    }

    /// The form of RFC 7250.
    pub(crate) fn subject(&self) -> Vec<u8> {
        [&SUBJECT[..], &self.0].concat()
    }

    pub(crate) fn from_subject(bytes: &[u8]) -> Option<PublicKey> {
        let key = bytes.strip_prefix(&SUBJECT)?;
        Some(PublicKey(*key.as_array()?))
    }
}

impl Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{PUBLIC}{}", base64::encode(&self.0).as_str())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        let key = text.strip_prefix(PUBLIC).and_then(base64::decode).ok_or(KeyError::NotPublic)?;
        Ok(PublicKey(*key))
    }
}

impl Identity {
    /// With randomness from the operating system.
    pub fn fresh() -> Result<Identity, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *seed).map_err(|_| KeyError::Entropy)?;
        Identity::from_seed(seed)
    }

    fn from_seed(seed: Zeroizing<[u8; 32]>) -> Result<Identity, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::NotSecret)?;
        let public = PublicKey(*pair.public_key().as_ref().as_array().ok_or(KeyError::NotSecret)?);
        Ok(Identity { seed, public })
    }

    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The one line of a key file.
    pub fn danger_to_line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{SECRET}{}\n", base64::encode(&self.seed).as_str()))
    }

    pub fn from_line(line: &str) -> Result<Identity, KeyError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let seed = line.strip_prefix(SECRET).and_then(base64::decode).ok_or(KeyError::NotSecret)?;
        Identity::from_seed(seed)
    }

    /// From a key file, through memory that is cleared.
    pub fn read(file: impl Read) -> Result<Identity, KeyError> {
        /// One short line.
        const MOST: u64 = 128;
        let mut line = Zeroizing::new(String::with_capacity(MOST as usize));
        file.take(MOST).read_to_string(&mut line).map_err(|_| KeyError::NotSecret)?;
        Identity::from_line(&line)
    }

    /// In PKCS #8.
    pub(crate) fn danger_private(&self) -> Zeroizing<[u8; 48]> {
        let mut bytes = Zeroizing::new([0; 48]);
        bytes[..PRIVATE.len()].copy_from_slice(&PRIVATE);
        bytes[PRIVATE.len()..].copy_from_slice(&*self.seed);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let identity = Identity::fresh().unwrap();
        let public = identity.public();
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(public.to_string().len(), 55);
        assert_eq!(PublicKey::from_subject(&public.subject()), Some(public));
        let again = Identity::from_line(&identity.danger_to_line()).unwrap();
        assert_eq!(again.public(), public);
        assert_eq!(public.fingerprint().len(), 79);
        assert_ne!(Identity::fresh().unwrap().public(), public);
    }

    #[test]
    fn the_public_key_is_that_of_the_standard() {
        // RFC 8032, section 7.1, test 1.
        let hex = |text: &str| -> [u8; 32] {
            std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        };
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let identity = Identity::from_seed(Zeroizing::new(seed)).unwrap();
        assert_eq!(identity.public(), PublicKey(public));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let key = Identity::fresh().unwrap().public().to_string();
        for bad in ["", "alice", &key[1..], &key[..54], &format!("{key}="), &format!("{key} "), "ptc-ed25519:ä"] {
            assert_eq!(bad.parse::<PublicKey>(), Err(KeyError::NotPublic), "{bad}");
        }
        assert!(Identity::from_line(&key).is_err());
        assert_eq!(PublicKey::from_subject(&[0; 44]), None);
    }
}
