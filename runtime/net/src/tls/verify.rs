//! Whether the peer's key is one that this side lets in. The key is looked at only after the peer has proved that it holds
//! it, so that a name in an error is never a name that somebody borrowed.

use std::sync::{Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::key::PublicKey;

/// The keys of one handshake.
#[derive(Debug)]
pub struct Pinned {
    allowed: Vec<PublicKey>,
    algorithms: WebPkiSupportedAlgorithms,
    /// Proved, and not let in.
    stranger: Mutex<Option<PublicKey>>,
}

impl Pinned {
    pub fn new(allowed: Vec<PublicKey>, algorithms: WebPkiSupportedAlgorithms) -> Pinned {
        Pinned { allowed, algorithms, stranger: Mutex::new(None) }
    }

    pub fn stranger(&self) -> Option<PublicKey> {
        *self.stranger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn proved(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = key(certificate)?;
        let subject = SubjectPublicKeyInfoDer::from(certificate.as_ref());
        let valid = verify_tls13_signature_with_raw_key(message, &subject, signature, &self.algorithms)?;
        if self.allowed.contains(&key) {
            return Ok(valid);
        }
        *self.stranger.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        Err(CertificateError::ApplicationVerificationFailure.into())
    }
}

fn key(certificate: &CertificateDer) -> Result<PublicKey, Error> {
    PublicKey::from_subject(certificate).ok_or(CertificateError::BadEncoding.into())
}

const SCHEMES: [SignatureScheme; 1] = [SignatureScheme::ED25519];

/// No earlier version is spoken.
fn earlier() -> Error {
    Error::General("a signature of TLS 1.2".into())
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        key(certificate).map(|_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(earlier())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proved(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        key(certificate).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(earlier())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proved(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
