//! What of TLS is spoken: one version, one group, one kind of signature, two ciphers.

use std::sync::Arc;

use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::ring::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256};
use rustls::crypto::ring::kx_group::X25519;
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, Connection, Error, ServerConfig, ServerConnection};

use super::verify::Pinned;
use super::{Keys, Side};
use crate::key::Identity;

/// A connection that has yet to be made.
pub fn connection(side: Side, keys: Keys, pinned: Arc<Pinned>) -> Result<Connection, Error> {
    let certified = Arc::new(certified(keys.identity)?);
    let provider = Arc::new(provider());
    match side {
        Side::Accepts => {
            let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
            let resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified));
            let mut config = builder.with_client_cert_verifier(pinned).with_cert_resolver(resolver);
            config.send_tls13_tickets = 0;
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.max_early_data_size = 0;
            Ok(ServerConnection::new(Arc::new(config))?.into())
        }
        Side::Connects => {
            let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
            let resolver = Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified));
            let pinning = builder.dangerous().with_custom_certificate_verifier(pinned);
            let mut config = pinning.with_client_cert_resolver(resolver);
            config.resumption = Resumption::disabled();
            config.enable_early_data = false;
            config.enable_sni = false;
            // Keys count, not names: this one is neither sent nor checked.
            let name = ServerName::try_from("ptc").map_err(|_| Error::General("a name".into()))?;
            Ok(ClientConnection::new(Arc::new(config), name)?.into())
        }
    }
}

pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256],
        kx_groups: vec![X25519],
        ..ring::default_provider()
    }
}

fn certified(identity: &Identity) -> Result<CertifiedKey, Error> {
    let private = identity.danger_private();
    let signer = any_eddsa_type(&PrivatePkcs8KeyDer::from(private.as_slice()))?;
    let subject = CertificateDer::from(identity.public().subject());
    Ok(CertifiedKey::new(vec![subject], signer))
}
