//! How a token is checked with one key of its issuer.

use std::time::Duration;

use jsonwebtoken::Validation;

use crate::{
    config::{Issuer, TokenType},
    layers::jwks::Key,
};

/// The accepted clock skew.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

/// A key, and the rules for the tokens that it signed.
pub(super) struct Check {
    pub(super) key: Key,
    pub(super) validation: Validation,
    token_types: Vec<TokenType>,
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
        Self { key, validation, token_types: issuer.token_types.clone() }
    }

    /// Checks a token's type, so that nothing else that the issuer signs passes as an access token.
    ///
    /// # Errors
    /// The type, and those that are accepted.
    pub(super) fn check_type(&self, typ: Option<&str>) -> Result<(), String> {
        let found = TokenType::of_header(typ);
        if found.as_ref().is_some_and(|found| self.token_types.contains(found)) {
            return Ok(());
        }
        let found = found.map_or_else(|| "malformed".to_owned(), |found| found.to_string());
        let accepted: Vec<String> = self.token_types.iter().map(ToString::to_string).collect();
        Err(format!("its type (typ) is {found}; accepted are {}", accepted.join(", ")))
    }
}
