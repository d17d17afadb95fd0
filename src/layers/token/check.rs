//! How a token is checked with one key of its issuer.

use std::time::Duration;

use jsonwebtoken::Validation;

use crate::config::{Issuer, jwks::Key};

/// The accepted clock skew.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

/// A key, and the rules for the tokens that it signed.
pub(super) struct Check {
    pub(super) key: Key,
    pub(super) validation: Validation,
}

impl Check {
    pub(super) fn new(issuer: &Issuer, key: Key) -> Self {
        let mut validation = Validation::new(key.algorithm);
        // The library checks nbf only on request, and iss and aud only if present, unless they are required.
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.set_issuer(&[&issuer.issuer]);
        validation.set_audience(&[&issuer.audience]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.as_secs();
        Self { key, validation }
    }
}
