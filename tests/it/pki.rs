//! Certificates for a test: a certificate authority and the certificates that it signs.

use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

/// An authority that nothing else trusts, and the folder with its files.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Pair {
    /// Accepts TLS connections with this certificate and these application protocols; any protocol if the list is empty.
    pub fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The file with the authority's own certificate.
    pub fn file(&self) -> PathBuf {
        let file = self.folder.path().join("ca.pem");
        fs::write(&file, self.pem()).unwrap();
        file
    }

    /// A path in the folder; the file need not exist.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for a server on this machine.
    pub fn server(&self) -> Pair {
        self.vouch(&params(vec![localhost()], ExtendedKeyUsagePurpose::ServerAuth))
    }

    /// A certificate for a server on this machine, valid from the start of one year to the start of another.
    pub fn server_in(&self, from: i32, until: i32) -> Pair {
        let mut params = params(vec![localhost()], ExtendedKeyUsagePurpose::ServerAuth);
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        self.vouch(&params)
    }

    /// A certificate for a client with these URIs.
    pub fn client(&self, uris: &[&str]) -> Pair {
        let names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()));
        let also = SanType::DnsName("client.example".try_into().unwrap());
        self.vouch(&params(names.chain([also]).collect(), ExtendedKeyUsagePurpose::ClientAuth))
    }

    fn vouch(&self, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn localhost() -> SanType {
    SanType::DnsName("localhost".try_into().unwrap())
}

fn params(names: Vec<SanType>, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.extended_key_usages = vec![usage];
    params
}
