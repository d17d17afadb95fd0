//! TLS by rustls on aws-lc, 1.2 and later: whom we believe when we call, and who we are when we are called.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme, WantsVerifier,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// HTTP/2, as the handshake names it.
const HTTP2: &[u8] = b"h2";

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
    Ok(calling()?.with_root_certificates(roots).with_no_client_auth())
}

fn calling() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    builder.map_err(|error| format!("TLS: {error}"))
}

/// What to call one's own server with: it is believed if it shows this very certificate, whatever name that has, and is
/// shown it too.
///
/// # Errors
/// Which file is wrong, and why.
pub fn same(certificate: &Path, key: &Path) -> Result<ClientConfig, String> {
    let (chain, key) = (certificates(certificate)?, private_key(key)?);
    let known = chain.first().cloned().ok_or_else(|| format!("{} is empty", certificate.display()))?;
    let verifier = Arc::new(Same { certificate: known, provider: provider() });
    let builder = calling()?.dangerous().with_custom_certificate_verifier(verifier);
    let mut config =
        builder.with_client_auth_cert(chain, key).map_err(|error| format!("{}: {error}", certificate.display()))?;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(config)
}

/// Believes one certificate. That its key is there too is proved by the handshake's signature, as ever.
#[derive(Debug)]
struct Same {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Same {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *shown == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What to be called by.
pub struct Tls {
    /// The certificate and its key.
    pub config: Arc<ServerConfig>,
    /// When it is worth something.
    pub validity: Validity,
}

/// From when until when a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first.
    pub from: i64,
    /// The last.
    pub until: i64,
}

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
        let validity = chain.first().and_then(validity);
        let validity = validity.ok_or_else(|| format!("{} is no certificate of X.509", certificate.display()))?;
        let key_der = private_key(key)?;
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
        config.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Self { config: Arc::new(config), validity })
    }
}

fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    Some(Validity { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() })
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

/// The private key in a PEM file.
fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|_| format!("{} cannot be read, or holds no private key in PEM", file.display()))
}

/// The one cryptography: said here, as a default of the process could be anybody's.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
