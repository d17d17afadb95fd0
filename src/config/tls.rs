//! TLS by rustls on aws-lc, 1.2 and later: whom we believe when we call, and who we are when we are called.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, pem::PemObject as _},
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
