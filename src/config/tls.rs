//! TLS by rustls on aws-lc, 1.2 and later: whom we believe when we call, and who we are when we are called.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

/// What to call with: a server is believed whose chain ends in the file, or without one in the authorities that
/// browsers trust.
///
/// # Errors
/// What is wrong with the file.
pub fn client(authorities: Option<&Path>) -> Result<ClientConfig, String> {
    let roots = match authorities {
        Some(file) => roots(file)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// What to be called by.
pub struct Tls(pub Arc<ServerConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a certificate and its key")
    }
}

impl Tls {
    /// The certificate's chain and its key, in PEM. With authorities every client must have a certificate that ends in
    /// one of them.
    ///
    /// # Errors
    /// Which file is wrong, and why; nothing of what it holds.
    pub fn read(certificate: &Path, key: &Path, client_authorities: Option<&Path>) -> Result<Self, String> {
        let chain = certificates(certificate)?;
        let key_der = PrivateKeyDer::from_pem_file(key)
            .map_err(|_| format!("{} cannot be read, or holds no private key in PEM", key.display()))?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| format!("TLS: {error}"))?;
        let builder = match client_authorities {
            Some(file) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots(file)?.into(), provider()).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| format!("{}: {error}", file.display()))?)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key_der)
            .map_err(|error| format!("{} and {}: {error}", certificate.display(), key.display()))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// The authorities in a file.
pub(super) fn roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(roots)
}

/// The certificates in a PEM file: at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let broken = |error: rustls::pki_types::pem::Error| format!("{}: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(broken)?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(broken)?;
    if certificates.is_empty() {
        Err(format!("{} holds no certificate in PEM", file.display()))
    } else {
        Ok(certificates)
    }
}

/// The one cryptography: said here, as a default of the process could be anybody's.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
