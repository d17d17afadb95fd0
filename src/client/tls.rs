//! TLS of a client: whom it trusts, and how it shows who it is.

use std::sync::Arc;

use rustls::{client::danger::ServerCertVerifier, pki_types::TrustAnchor};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Error, Identity};

/// Which server certificates a client trusts, and the certificate that it presents.
#[derive(Clone, Debug)]
pub struct Tls {
    config: ClientTlsConfig,
    verifier: Option<Arc<dyn ServerCertVerifier>>,
}

impl Tls {
    fn of(config: ClientTlsConfig) -> Self {
        Self { config, verifier: None }
    }

    /// Trusts the certificate authorities that Mozilla trusts, as they are built in.
    #[must_use]
    pub fn mozilla_roots() -> Self {
        Self::of(ClientTlsConfig::new().with_webpki_roots())
    }

    /// Trusts the certificate authorities in this PEM alone.
    #[must_use]
    pub fn authorities(pem: impl AsRef<[u8]>) -> Self {
        Self::of(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
    }

    /// Trusts these certificate authorities alone.
    #[must_use]
    pub fn trust_anchors(anchors: Vec<TrustAnchor<'static>>) -> Self {
        Self::of(ClientTlsConfig::new().trust_anchors(anchors))
    }

    /// Trusts what this verifier accepts, as one that pins a certificate.
    #[must_use]
    pub fn verified_by(verifier: Arc<dyn ServerCertVerifier>) -> Self {
        Self { verifier: Some(verifier), ..Self::of(ClientTlsConfig::new()) }
    }

    /// Presents this certificate to the server, both in PEM: for a server with mTLS.
    #[must_use]
    pub fn identity(self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self { config: self.config.identity(Identity::from_pem(certificate, key)), ..self }
    }

    /// Expects this name in the server's certificate, instead of the address's host.
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self { config: self.config.domain_name(name), ..self }
    }

    pub(super) fn apply(self, endpoint: Endpoint) -> Result<Endpoint, Error> {
        match self.verifier {
            None => endpoint.tls_config(self.config),
            Some(verifier) => endpoint.tls_config_with_verifier(self.config, verifier),
        }
    }
}
