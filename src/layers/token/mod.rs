//! Tokens: JWTs of the configured issuers. A token is checked with its issuer's keys and audience; the key decides the
//! algorithm. Of the token's header only `kid` is used, and `typ` once the signature is verified. Roles are never read from a token.

mod check;
mod keys;

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::{dangerous, decode, decode_header, errors::ErrorKind};
use moka::future::Cache;
use serde::Deserialize;
use serde_json::Value;

pub use self::keys::KeyRefresh;
use self::{
    check::{Check, LEEWAY, check_type},
    keys::Keys,
};
use crate::{
    config::Identity,
    domain::{access::invitation::EmailClaim, requests::principal::Principal, values::email::Email},
    error::{Error, Result},
    service::clock,
    telemetry::{self, CacheResult},
};

/// Maximum length of a token, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// Size and lifetime of the cache of verified tokens. Verifying a signature takes 25 to 90 µs, a cache hit 1 µs.
const CACHE_CAPACITY: u64 = 10_000;
const CACHE_TTL: Duration = Duration::from_secs(60);
/// How long a server that starts waits for the first fetches of keys before it says that they are missing.
const FIRST_FETCHES: Duration = Duration::from_secs(2);
/// Maximum actors in one `act` claim.
const MAX_ACTORS: usize = 8;

/// The identity that a token proves. `layers/verify` puts it into the request's extensions.
#[derive(Debug)]
pub struct Verified {
    /// The principal whose rights the call has.
    pub principal: Arc<Principal>,
    /// The actors on the principal's behalf, the last one first.
    pub actors: Vec<Principal>,
    /// The email address that it claims; none if it claims none, or what is no address.
    pub email: Option<EmailClaim>,
    /// The expiry including leeway, in seconds since 1970.
    expires_at: i64,
}

#[cfg(test)]
impl Verified {
    /// The identity of a subject, as a valid token would prove it.
    pub(super) fn sample(subject: &str) -> Arc<Self> {
        let principal = Arc::new(Principal::new(super::samples::ISSUER, subject));
        Arc::new(Self { principal, actors: Vec::new(), email: None, expires_at: i64::MAX })
    }
}

/// Verifies tokens. Clones share the cache.
#[derive(Clone)]
pub struct Verifier {
    issuers: Arc<HashMap<String, Keys>>,
    cache: Cache<[u8; 32], CachedToken>,
}

/// A verified token and the keys that verified it. The entry is invalid when its issuer has other keys.
#[derive(Clone)]
struct CachedToken {
    verified: Arc<Verified>,
    checks: Arc<Vec<Check>>,
}

impl Verifier {
    /// Makes a verifier with the keys of every issuer.
    ///
    /// # Errors
    /// A sentence that says which issuer or file is wrong, and why.
    pub fn load(identity: &Identity) -> Result<Self, String> {
        let mut issuers = HashMap::new();
        for issuer in &identity.issuers {
            if issuer.issuer.is_empty() || issuer.audience.is_empty() {
                return Err(format!("issuer {:?}: issuer and audience must both be set", issuer.issuer));
            }
            let keys = Keys::load(issuer, identity.jwks_ca.clone())?;
            if issuers.insert(issuer.issuer.clone(), keys).is_some() {
                return Err(format!("issuer {:?} is configured twice", issuer.issuer));
            }
        }
        if issuers.is_empty() {
            return Err("no token issuer is configured: no call could be authenticated".to_owned());
        }
        let cache = Cache::builder().max_capacity(CACHE_CAPACITY).time_to_live(CACHE_TTL).build();
        Ok(Self { issuers: Arc::new(issuers), cache })
    }

    /// Returns the tasks that keep the keys of each issuer fresh. Run them until the server ends.
    #[must_use]
    pub fn key_refreshes(&self) -> Vec<KeyRefresh> {
        self.issuers.values().cloned().map(Keys::refresh).collect()
    }

    /// The issuers for whose keys a server that starts waits: those whose first fetch has not ended, or all if none has keys. A
    /// replica that starts while its issuer is down would otherwise reject tokens that the running replicas accept. It gives the
    /// first fetches a moment to end.
    pub async fn unavailable_issuers(&self) -> Option<Vec<String>> {
        let first_fetches = async {
            for keys in self.issuers.values() {
                keys.first_fetch().await;
            }
        };
        let ended = tokio::time::timeout(FIRST_FETCHES, first_fetches).await.is_ok();
        if ended && self.issuers.values().any(|keys| keys.get().is_some()) {
            return None;
        }
        let without = self.issuers.iter().filter(|(_, keys)| keys.get().is_none());
        let mut without: Vec<String> = without.map(|(issuer, _)| issuer.clone()).collect();
        without.sort();
        Some(without)
    }

    /// Verifies a token and returns the identity that it proves.
    ///
    /// # Errors
    /// `TokenTooLarge`; `TokenInvalid` with the reason; `IssuerUnavailable` if the issuer's keys could not be fetched.
    pub async fn verify(&self, token: &str) -> Result<Arc<Verified>> {
        self.verify_at(clock::now().timestamp(), token).await
    }

    async fn verify_at(&self, now: i64, token: &str) -> Result<Arc<Verified>> {
        if token.len() > MAX_BYTES {
            return Err(Error::TokenTooLarge);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some(CachedToken { verified, checks }) = self.cache.get(&hash).await
            && self.issuers.get(verified.principal.issuer()).is_some_and(|keys| keys.are_current(&checks))
        {
            telemetry::measure(|metrics| metrics.token_accepted(CacheResult::Hit));
            return if now <= verified.expires_at { Ok(verified) } else { Err(rejected(&ErrorKind::ExpiredSignature)) };
        }
        let checked = self.check(token).await?;
        telemetry::measure(|metrics| metrics.token_accepted(CacheResult::Miss));
        self.cache.insert(hash, checked.clone()).await;
        Ok(checked.verified)
    }

    async fn check(&self, token: &str) -> Result<CachedToken> {
        let header = decode_header(token).map_err(|error| rejected(error.kind()))?;
        if header.crit.is_some() {
            return Err(invalid("its header requires extensions (crit) that this server does not support"));
        }
        // The unverified issuer only selects the keys. Nothing else is used before the signature is verified.
        let unverified: Claims = dangerous::insecure_decode_claims(token).map_err(|error| rejected(error.kind()))?;
        let (issuer, keys) = unverified
            .iss
            .as_str()
            .and_then(|issuer| self.issuers.get_key_value(issuer))
            .ok_or_else(|| rejected(&ErrorKind::InvalidIssuer))?;
        let checks = keys.with_kid(issuer, header.kid.as_deref()).await?;
        let check = select_key(&checks, &header)?;
        let decoded = decode::<Claims>(token, &check.key.decoding, &check.validation);
        let claims = decoded.map_err(|error| rejected(error.kind()))?.claims;
        check_type(&check.token_types, header.typ.as_deref()).map_err(invalid)?;
        let malformed = |claim: &str| rejected(&ErrorKind::InvalidClaimFormat(claim.to_owned()));
        let expires = claims.exp.as_f64().ok_or_else(|| malformed("exp"))?;
        let expires = Duration::try_from_secs_f64(expires).map_err(|_| malformed("exp"))?.saturating_add(LEEWAY);
        let verified = Arc::new(Verified {
            principal: Arc::new(Principal::new(issuer, subject(&claims.sub).ok_or_else(|| malformed("sub"))?)),
            actors: actors(issuer, claims.act.as_ref())?,
            email: email(&claims),
            expires_at: i64::try_from(expires.as_secs()).unwrap_or(i64::MAX),
        });
        Ok(CachedToken { verified, checks })
    }
}

/// Selects the key that the token names, or the only key of its algorithm if it names none.
fn select_key<'a>(checks: &'a [Check], header: &jsonwebtoken::Header) -> Result<&'a Check> {
    let Some(kid) = &header.kid else {
        let mut candidates = checks.iter().filter(|check| check.key.algorithm == header.alg);
        return match (candidates.next(), candidates.next()) {
            (Some(check), None) => Ok(check),
            (None, _) => Err(rejected(&ErrorKind::InvalidAlgorithm)),
            (Some(_), Some(_)) => Err(invalid("it has no kid, and its issuer has several keys")),
        };
    };
    let named = checks.iter().find(|check| check.key.id.as_ref() == Some(kid));
    let check = named.ok_or_else(|| invalid("its issuer has no key with this kid"))?;
    if check.key.algorithm == header.alg { Ok(check) } else { Err(rejected(&ErrorKind::InvalidAlgorithm)) }
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    iss: Value,
    #[serde(default)]
    sub: Value,
    #[serde(default)]
    exp: Value,
    act: Option<Value>,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    email_verified: Value,
}

/// The claimed email address. Nothing but an invitation depends on it, so a malformed one rejects no token. Some issuers write
/// `email_verified` as a text.
fn email(claims: &Claims) -> Option<EmailClaim> {
    let email = Email::parse(claims.email.as_str()?).ok()?;
    let verified = claims.email_verified == Value::Bool(true) || claims.email_verified.as_str() == Some("true");
    Some(EmailClaim { email, verified })
}

/// Returns a valid subject. One that parsing would change is rejected, because it could impersonate another.
fn subject(claim: &Value) -> Option<String> {
    let raw = claim.as_str()?;
    Principal::parse_subject(raw).ok().filter(|subject| subject == raw)
}

/// Returns the chain of actors (RFC 8693): an actor's own `act` names the actor before it. An actor without an issuer has the
/// token's issuer.
fn actors(issuer: &str, act: Option<&Value>) -> Result<Vec<Principal>> {
    let malformed = || rejected(&ErrorKind::InvalidClaimFormat("act".to_owned()));
    let mut actors = Vec::new();
    let mut next = act;
    while let Some(act) = next {
        if actors.len() == MAX_ACTORS {
            return Err(invalid(format!("its act claim names more than {MAX_ACTORS} actors")));
        }
        let act = act.as_object().ok_or_else(malformed)?;
        let actor_issuer = match act.get("iss") {
            None => issuer.to_owned(),
            Some(named) => {
                let raw = named.as_str().ok_or_else(malformed)?;
                Principal::parse_issuer(raw).ok().filter(|parsed| parsed == raw).ok_or_else(malformed)?
            }
        };
        let actor_subject = act.get("sub").and_then(subject).ok_or_else(malformed)?;
        actors.push(Principal::new(actor_issuer, actor_subject));
        next = act.get("act");
    }
    Ok(actors)
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::TokenInvalid(reason.into())
}

/// Returns the error for the library's error. Its text contains nothing of the token.
fn rejected(kind: &ErrorKind) -> Error {
    invalid(match kind {
        ErrorKind::ExpiredSignature => "it has expired".to_owned(),
        ErrorKind::ImmatureSignature => "it is not valid yet".to_owned(),
        ErrorKind::InvalidIssuer => "its issuer is not trusted".to_owned(),
        ErrorKind::InvalidAudience => "it is for another audience".to_owned(),
        ErrorKind::InvalidSignature => "its signature is invalid".to_owned(),
        ErrorKind::InvalidAlgorithm => "its algorithm is not that of the issuer's key".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("its {claim} claim is missing or has a wrong type"),
        ErrorKind::InvalidClaimFormat(claim) => format!("its {claim} claim is malformed"),
        _ => "it is not a signed JWT".to_owned(),
    })
}

#[cfg(test)]
pub(crate) mod tests;
