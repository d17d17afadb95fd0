//! How a token is checked with one key of its issuer.

use std::time::Duration;

use jsonwebtoken::Validation;

use crate::config::{Issuer, TokenType, jwks::Key};

/// The accepted clock skew.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

/// A key, and the rules for the tokens that it signed.
pub(super) struct Check {
    pub(super) key: Key,
    pub(super) validation: Validation,
    pub(super) token_types: Vec<TokenType>,
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
}

/// Checks a token's type, so that nothing else that the issuer signs passes as an access token.
///
/// # Errors
/// The type, and those that are accepted.
pub(super) fn check_type(accepted: &[TokenType], typ: Option<&str>) -> Result<(), String> {
    let found = TokenType::of_header(typ);
    if found.as_ref().is_some_and(|found| accepted.contains(found)) {
        return Ok(());
    }
    let found = found.map_or_else(|| "malformed".to_owned(), |found| found.to_string());
    let accepted: Vec<String> = accepted.iter().map(ToString::to_string).collect();
    Err(format!("its type (typ) is {found}; accepted are {}", accepted.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_accepted_types_are_accepted() {
        let usual = TokenType::usual();
        for good in [None, Some("JWT"), Some("jwt"), Some("at+jwt"), Some("application/at+jwt"), Some("AT+JWT")] {
            assert_eq!(check_type(&usual, good), Ok(()), "{good:?}");
        }
        for bad in ["logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt", "id_token", "none"] {
            let why = format!("its type (typ) is {bad}; accepted are at+jwt, jwt, none");
            assert_eq!(check_type(&usual, Some(bad)), Err(why));
        }
        // A text that is no type is not repeated.
        let why = "its type (typ) is malformed; accepted are at+jwt, jwt, none";
        assert_eq!(check_type(&usual, Some("x\n{}")), Err(why.to_owned()));

        let strict = &usual[..1];
        assert_eq!(check_type(strict, Some("at+jwt")), Ok(()));
        for (bad, name) in [(None, "none"), (Some("JWT"), "jwt")] {
            assert_eq!(check_type(strict, bad), Err(format!("its type (typ) is {name}; accepted are at+jwt")));
        }
    }
}
