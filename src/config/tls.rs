//! TLS 1.2 and later, by rustls on aws-lc: the configuration of clients and of the server.

use std::{fmt, fs, path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The protocols' names in ALPN.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Makes a client configuration that trusts the file's certificate authorities, or without a file the built-in Mozilla
/// roots.
///
/// # Errors
/// What is wrong with the file.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS: {error}"))?;
    Ok(builder.with_root_certificates(trusted(ca_file)?).with_no_client_auth())
}

/// The file's certificate authorities, or without a file the built-in Mozilla roots.
///
/// # Errors
/// What is wrong with the file.
pub fn trusted(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    match ca_file {
        Some(file) => roots(file),
        None => Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
    }
}

/// What a client of this machine's own server needs.
pub struct OwnServer {
    /// Trusts exactly the server's certificate, whatever name that has.
    pub verifier: Arc<dyn ServerCertVerifier>,
    /// The same certificate, in PEM, to present as the client's.
    pub certificate: Vec<u8>,
    /// Its key, in PEM.
    pub key: Vec<u8>,
}

impl OwnServer {
    /// Reads the server's certificate and its key.
    ///
    /// # Errors
    /// Which file is wrong, and why; the file's content is not repeated.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let pinned = certificates(certificate)?.into_iter().next();
        let pinned = pinned.ok_or_else(|| format!("{} is empty", certificate.display()))?;
        private_key(key)?;
        let read = |file: &Path| fs::read(file).map_err(|error| format!("{}: {error}", file.display()));
        Ok(Self {
            verifier: Arc::new(PinnedCertificate { certificate: pinned, provider: provider() }),
            certificate: read(certificate)?,
            key: read(key)?,
        })
    }
}

/// Trusts one certificate. The handshake's signature still proves that the server has its key.
#[derive(Debug)]
struct PinnedCertificate {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedCertificate {
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

/// The server's TLS configuration.
pub struct Tls {
    /// The certificate and its key, for HTTP/2 alone.
    pub config: Arc<ServerConfig>,
    /// The same, for HTTP/1.1 too.
    pub config_with_http1: Arc<ServerConfig>,
    /// When the certificate is valid.
    pub validity: Validity,
}

/// A certificate's validity period, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// `notBefore`.
    pub not_before: i64,
    /// `notAfter`.
    pub not_after: i64,
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a certificate and its key")
    }
}

impl Tls {
    /// Reads the certificate's chain and its key, in PEM. With `client_ca` every client must present a certificate of one
    /// of these authorities.
    ///
    /// # Errors
    /// Which file is wrong, and why; the file's content is not repeated.
    pub fn read(certificate: &Path, key: &Path, client_ca: Option<&Path>) -> Result<Self, String> {
        let chain = certificates(certificate)?;
        let validity = chain.first().and_then(validity);
        let validity = validity.ok_or_else(|| format!("{} is not an X.509 certificate", certificate.display()))?;
        let key_der = private_key(key)?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| format!("TLS: {error}"))?;
        let builder = match client_ca {
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
        let mut config_with_http1 = config.clone();
        config_with_http1.alpn_protocols.push(HTTP1.to_vec());
        Ok(Self { config: Arc::new(config), config_with_http1: Arc::new(config_with_http1), validity })
    }
}

fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    Some(Validity { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() })
}

/// Reads the certificate authorities in a PEM file.
pub(super) fn roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(roots)
}

/// Reads the certificates in a PEM file: at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let invalid = |error: rustls::pki_types::pem::Error| format!("{}: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(invalid)?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(invalid)?;
    if certificates.is_empty() {
        Err(format!("{} contains no certificate in PEM", file.display()))
    } else {
        Ok(certificates)
    }
}

/// Reads the private key in a PEM file.
fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|_| format!("{} cannot be read, or contains no private key in PEM", file.display()))
}

/// The cryptography of all TLS. It is named here, because any dependency could set the process-wide default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
