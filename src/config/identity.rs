//! Trusted token issuers, principals with rights of their own, and the workload identity of a service mesh.

use std::{collections::HashSet, path::PathBuf};

use http::Uri;

use super::{jwks, problems::Problems, tls, token_types::TokenType};
use crate::domain::{requests::principal::Principal, values::enums::Role};

/// Trusted issuers and privileged principals.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Issuers of tokens.
    pub issuers: Vec<Issuer>,
    /// The certificate authorities for the issuers' https servers; without them the built-in Mozilla roots.
    pub jwks_ca: Option<PathBuf>,
    /// Platform operators.
    pub operators: Vec<Principal>,
    /// Principals that have a role in every tenant.
    pub service_principals: Vec<ServicePrincipal>,
}

/// One issuer of tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The tokens' `iss`.
    pub issuer: String,
    /// The audience that the tokens' `aud` must contain.
    pub audience: String,
    /// The types that the tokens may have.
    pub token_types: Vec<TokenType>,
    /// Where its public keys are.
    pub jwks: Jwks,
}

/// Where a JSON Web Key Set (RFC 7517) is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jwks {
    /// In a file.
    File(PathBuf),
    /// At an https URL.
    Url(Uri),
}

/// A principal that is a member of every tenant: an order or billing service.
#[derive(Clone, Debug)]
pub struct ServicePrincipal {
    /// The principal.
    pub principal: Principal,
    /// Its role in every tenant.
    pub role: Role,
}

/// The proxy header that names the calling workload. It is trusted only from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeshIdentity {
    /// No header is trusted.
    None,
    /// Envoy's, and so Istio's: `x-forwarded-client-cert`.
    Xfcc,
    /// Linkerd's: `l5d-client-id`.
    Linkerd,
}

impl Identity {
    /// Adds its problems.
    pub fn verify(&self, problems: &mut Problems) {
        problems.require(!self.issuers.is_empty(), || "--issuer is missing: no call could be authenticated".to_owned());
        let mut known = HashSet::new();
        for issuer in &self.issuers {
            problems
                .require(known.insert(issuer.issuer.as_str()), || format!("--issuer names {} twice", issuer.issuer));
            problems.require(!issuer.token_types.is_empty(), || {
                format!("--token-type: no type is accepted of {}; give one for it, or for all issuers", issuer.issuer)
            });
            if let Err(problem) = issuer.verify() {
                problems.0.push(format!("--issuer {}: {problem}", issuer.issuer));
            }
        }
        for operator in &self.operators {
            problems.require(known.contains(operator.issuer()), || {
                format!("--operator {}: no --issuer is {}", operator.subject(), operator.issuer())
            });
        }
        if let Some(Err(problem)) = self.jwks_ca.as_deref().map(tls::roots) {
            problems.0.push(format!("--jwks-ca-file {problem}"));
        }
        let mut named = HashSet::new();
        for ServicePrincipal { principal, .. } in &self.service_principals {
            problems.require(known.contains(principal.issuer()), || {
                format!("--service-principal {}: no --issuer is {}", principal.subject(), principal.issuer())
            });
            problems.require(named.insert(principal), || {
                format!("--service-principal names {} twice", principal.subject())
            });
        }
    }
}

impl Issuer {
    /// Checks its file of keys as a starting server does. A URL is not fetched here.
    fn verify(&self) -> Result<(), String> {
        match &self.jwks {
            Jwks::File(file) => jwks::read_file(file).map(drop),
            Jwks::Url(_) => Ok(()),
        }
    }
}
