//! The keys of a session, one for each set of parameters in use.

use std::sync::{Arc, Mutex};

use ptc_net::PeerError;
use ptc_plan::two_party::encrypted::{self, KeySet};
use ptc_plan::two_party::parameters::Parameters;
use ptc_ring::Seed;

use crate::basis::Basis;
use crate::keys::{PublicKeys, SecretKey, publish, published_len, read_published};
use crate::product::fold::Folds;
use crate::product::respond::Opener;

/// The client's: secret. Zeroed when they go.
pub struct ClientKeys {
    sets: Vec<ClientSet>,
}

/// The server's: public keys of the client.
pub struct ServerKeys {
    sets: Vec<ServerSet>,
}

pub struct ClientSet {
    keys: KeySet,
    bases: Bases,
    secret: SecretKey,
    /// The same for answers.
    kept_secret: SecretKey,
    seed: Seed,
    openers: Mutex<Vec<([u32; 2], Arc<Opener>)>>,
}

pub struct ServerSet {
    bases: Bases,
    /// For the bases of products and of answers.
    folds: [Folds; 2],
    public: PublicKeys,
    set: usize,
}

/// The primes that products are computed with; those that answers keep, and the special one. The former begin with the
/// latter's.
struct Bases {
    product: Basis,
    kept: Basis,
}

impl Bases {
    fn new(set: &Parameters) -> Bases {
        let product = Basis::new(&Parameters { special_bits: None, kept: set.prime_bits.len(), ..*set });
        let kept = Basis::new(&Parameters { prime_bits: &set.prime_bits[..set.kept], ..*set });
        assert!(product.primes().starts_with(&kept.primes()[..set.kept]), "primes in common");
        Bases { product, kept }
    }
}

impl ClientKeys {
    pub fn fresh(sets: &[KeySet]) -> std::io::Result<ClientKeys> {
        let fresh = |keys: &KeySet| {
            let (bases, seed) = (Bases::new(keys.parameters()), Seed::fresh()?);
            let secret = SecretKey::from_seed(&bases.product, &seed);
            let kept_secret = SecretKey::from_seed(&bases.kept, &seed);
            Ok(ClientSet { keys: keys.clone(), bases, secret, kept_secret, seed, openers: Mutex::new(vec![]) })
        };
        Ok(ClientKeys { sets: sets.iter().map(fresh).collect::<std::io::Result<_>>()? })
    }

    /// The message that [`ServerKeys::read`] takes.
    pub fn publish(&self) -> std::io::Result<Vec<u8>> {
        let mut out = vec![];
        for set in &self.sets {
            out.extend(publish(&set.bases.kept, &set.kept_secret, &set.keys.powers())?);
        }
        Ok(out)
    }

    pub(crate) fn set(&self, set: usize) -> &ClientSet {
        self.sets.iter().find(|keys| keys.keys.set == set).expect("keys were made for this packing")
    }
}

impl ServerKeys {
    pub fn read(sets: &[KeySet], message: &[u8]) -> Result<ServerKeys, PeerError> {
        let expected = encrypted::key_bytes(sets) as usize;
        if message.len() != expected {
            return Err(PeerError::WrongLength { expected, found: message.len() });
        }
        let mut rest = message;
        let mut read = |keys: &KeySet| {
            let (bases, powers) = (Bases::new(keys.parameters()), keys.powers());
            let wrong = PeerError::WrongLength { expected, found: message.len() };
            let (own, others) = rest.split_at_checked(published_len(&bases.kept, powers.len())).ok_or(wrong)?;
            rest = others;
            let public = read_published(&bases.kept, &powers, own)?;
            let folds = [&bases.product, &bases.kept].map(Folds::new);
            Ok(ServerSet { bases, folds, public, set: keys.set })
        };
        let sets = sets.iter().map(&mut read).collect::<Result<_, PeerError>>()?;
        Ok(ServerKeys { sets })
    }

    pub(crate) fn set(&self, set: usize) -> &ServerSet {
        self.sets.iter().find(|keys| keys.set == set).expect("keys were made for this packing")
    }
}

impl ClientSet {
    pub fn product(&self) -> &Basis {
        &self.bases.product
    }

    pub fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// Modulo the primes of answers.
    #[cfg(test)]
    pub fn kept_secret(&self) -> &SecretKey {
        &self.kept_secret
    }

    /// What opens answers modulo primes of so many bits.
    pub fn opener(&self, prime_bits: [u32; 2]) -> Arc<Opener> {
        let mut openers = self.openers.lock().expect("nobody panics while openers are made");
        if let Some((_, opener)) = openers.iter().find(|(bits, _)| *bits == prime_bits) {
            return opener.clone();
        }
        let opener = Arc::new(Opener::new(self.bases.kept.degree(), prime_bits, &self.seed));
        openers.push((prime_bits, opener.clone()));
        opener
    }
}

impl ServerSet {
    pub fn product(&self) -> &Basis {
        &self.bases.product
    }

    /// Of answers.
    pub fn kept(&self) -> &Basis {
        &self.bases.kept
    }

    pub fn folds(&self) -> &Folds {
        &self.folds[0]
    }

    pub fn kept_folds(&self) -> &Folds {
        &self.folds[1]
    }

    pub fn public(&self) -> &PublicKeys {
        &self.public
    }
}
