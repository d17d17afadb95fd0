//! Tokens: JWTs of the configured issuers. The issuer's own keys and audience decide, the key decides the algorithm,
//! and nothing in a token's header has a say but `kid`. Roles are never read from a token.

mod keys;

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::{Validation, dangerous, decode, decode_header, errors::ErrorKind};
use moka::future::Cache;
use serde::Deserialize;
use serde_json::Value;

use self::keys::Keys;
use super::jwks::Key;
use crate::{
    config::{Identity, Issuer},
    domain::requests::principal::Principal,
    error::{Error, Result},
    service::clock,
    telemetry::{self, CacheResult},
};

/// Longest token, in bytes.
pub const MAX_BYTES: usize = 8 * 1024;
/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// How many verified tokens are remembered, and for how long. A signature costs 25 to 90 µs, remembering one 1 µs.
const REMEMBERED: u64 = 10_000;
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// How often a start looks whether keys have come.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Most actors in one `act` claim.
const MAX_ACTORS: usize = 8;

/// What a token proves.
#[derive(Debug)]
pub struct Verified {
    /// Whose rights the call has.
    pub principal: Principal,
    /// Who acts for the principal, the last one first.
    pub actors: Vec<Principal>,
    /// When it expires, leeway included: seconds since 1970.
    until: i64,
}

/// What is done beside the calls, without end.
pub type Upkeep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Verifies tokens. Its clones share what they remember.
#[derive(Clone)]
pub struct Verifier {
    issuers: Arc<HashMap<String, Keys>>,
    seen: Cache<[u8; 32], CustomerRecord>,
}

/// A token that was verified, and by which keys: it is forgotten when its issuer has others.
#[derive(Clone)]
struct CustomerRecord {
    verified: Arc<Verified>,
    checks: Arc<Vec<Check>>,
}

/// A key, and what a token must hold that it signed.
struct Check {
    key: Key,
    validation: Validation,
}

impl Verifier {
    /// A verifier with the keys of every issuer.
    ///
    /// # Errors
    /// A sentence that says which issuer or file is wrong, and why.
    pub fn load(identity: &Identity) -> Result<Self, String> {
        let mut issuers = HashMap::new();
        for issuer in &identity.issuers {
            if issuer.issuer.is_empty() || issuer.audience.is_empty() {
                return Err(format!("issuer {:?}: issuer and audience must both be set", issuer.issuer));
            }
            let keys = Keys::of(issuer, identity.jwks_ca.clone())?;
            if issuers.insert(issuer.issuer.clone(), keys).is_some() {
                return Err(format!("issuer {:?} is configured twice", issuer.issuer));
            }
        }
        if issuers.is_empty() {
            return Err("no issuer of tokens is configured: nobody could call".to_owned());
        }
        let seen = Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        Ok(Self { issuers: Arc::new(issuers), seen })
    }

    /// What keeps the keys of each issuer fresh, to be run until the server ends.
    #[must_use]
    pub fn upkeep(&self) -> Vec<Upkeep> {
        self.issuers.values().cloned().map(Keys::follow).collect()
    }

    /// Waits until some issuer's keys are there, and all others were asked for once. A replica that starts while its
    /// issuer is away would refuse what those that run accept.
    pub async fn ready(&self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        for keys in self.issuers.values() {
            keys.tried().await;
        }
        while !self.issuers.values().any(|keys| keys.get().is_some()) {
            looks.tick().await;
        }
    }

    /// What the token proves.
    ///
    /// # Errors
    /// `TokenInvalid` with the reason.
    pub async fn verify(&self, token: &str) -> Result<Arc<Verified>> {
        self.verify_at(clock::now().timestamp(), token).await
    }

    async fn verify_at(&self, now: i64, token: &str) -> Result<Arc<Verified>> {
        if token.len() > MAX_BYTES {
            return Err(refused(format!("it has more than {MAX_BYTES} bytes")));
        }
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some(CustomerRecord { verified, checks }) = self.seen.get(&name).await
            && self.issuers.get(verified.principal.issuer()).is_some_and(|keys| keys.are(&checks))
        {
            telemetry::measure(|metrics| metrics.token(CacheResult::Hit));
            return if now <= verified.until { Ok(verified) } else { Err(why(&ErrorKind::ExpiredSignature)) };
        }
        let seen = self.check(token).await?;
        telemetry::measure(|metrics| metrics.token(CacheResult::Miss));
        self.seen.insert(name, seen.clone()).await;
        Ok(seen.verified)
    }

    async fn check(&self, token: &str) -> Result<CustomerRecord> {
        let header = decode_header(token).map_err(|error| why(error.kind()))?;
        if header.crit.is_some() {
            return Err(refused("its header asks for extensions that this server does not know"));
        }
        // Which issuer's keys to try. Nothing is believed before the signature.
        let claimed: Claims = dangerous::insecure_decode_claims(token).map_err(|error| why(error.kind()))?;
        let (issuer, keys) = claimed
            .iss
            .as_str()
            .and_then(|issuer| self.issuers.get_key_value(issuer))
            .ok_or_else(|| why(&ErrorKind::InvalidIssuer))?;
        let checks = keys.having(issuer, header.kid.as_deref()).await?;
        let check = choose(&checks, &header)?;
        let claims =
            decode::<Claims>(token, &check.key.verifies, &check.validation).map_err(|error| why(error.kind()))?.claims;
        let unfit = |claim: &str| why(&ErrorKind::InvalidClaimFormat(claim.to_owned()));
        let expires = claims.exp.as_f64().ok_or_else(|| unfit("exp"))?;
        let expires = Duration::try_from_secs_f64(expires).map_err(|_| unfit("exp"))?.saturating_add(LEEWAY);
        let verified = Arc::new(Verified {
            principal: Principal::new(issuer, subject(&claims.sub).ok_or_else(|| unfit("sub"))?),
            actors: actors(issuer, claims.act.as_ref())?,
            until: i64::try_from(expires.as_secs()).unwrap_or(i64::MAX),
        });
        Ok(CustomerRecord { verified, checks })
    }
}

impl Check {
    fn new(issuer: &Issuer, key: Key) -> Self {
        let mut validation = Validation::new(key.algorithm);
        // The library checks nbf only if asked, and iss and aud only of tokens that have them, unless required.
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.set_issuer(&[&issuer.issuer]);
        validation.set_audience(&[&issuer.audience]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.as_secs();
        Self { key, validation }
    }
}

/// The key that the token names, or the only one of its algorithm if it names none.
fn choose<'a>(checks: &'a [Check], header: &jsonwebtoken::Header) -> Result<&'a Check> {
    let Some(kid) = &header.kid else {
        let mut fitting = checks.iter().filter(|check| check.key.algorithm == header.alg);
        return match (fitting.next(), fitting.next()) {
            (Some(check), None) => Ok(check),
            (None, _) => Err(why(&ErrorKind::InvalidAlgorithm)),
            (Some(_), Some(_)) => Err(refused("it names no key (kid), and its issuer has several")),
        };
    };
    let named = checks.iter().find(|check| check.key.id.as_ref() == Some(kid));
    let check = named.ok_or_else(|| refused("it names a key (kid) that its issuer does not have"))?;
    if check.key.algorithm == header.alg { Ok(check) } else { Err(why(&ErrorKind::InvalidAlgorithm)) }
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
}

/// A subject that is what it reads as: one that parsing would change could pass for another.
fn subject(claim: &Value) -> Option<String> {
    let raw = claim.as_str()?;
    Principal::parse_subject(raw).ok().filter(|subject| subject == raw)
}

/// RFC 8693: the actor, in whose own `act` stands for whom it acts, and so on. An actor of no issuer is of the token's.
fn actors(issuer: &str, act: Option<&Value>) -> Result<Vec<Principal>> {
    let unfit = || why(&ErrorKind::InvalidClaimFormat("act".to_owned()));
    let mut actors = Vec::new();
    let mut next = act;
    while let Some(act) = next {
        if actors.len() == MAX_ACTORS {
            return Err(refused(format!("its act claim names more than {MAX_ACTORS} actors")));
        }
        let act = act.as_object().ok_or_else(unfit)?;
        let its_issuer = match act.get("iss") {
            None => issuer.to_owned(),
            Some(its) => {
                let raw = its.as_str().ok_or_else(unfit)?;
                Principal::parse_issuer(raw).ok().filter(|parsed| parsed == raw).ok_or_else(unfit)?
            }
        };
        let its_subject = act.get("sub").and_then(subject).ok_or_else(unfit)?;
        actors.push(Principal::new(its_issuer, its_subject));
        next = act.get("act");
    }
    Ok(actors)
}

fn refused(reason: impl Into<String>) -> Error {
    Error::TokenInvalid(reason.into())
}

/// Why, in words that hold nothing of the token.
fn why(kind: &ErrorKind) -> Error {
    refused(match kind {
        ErrorKind::ExpiredSignature => "it has expired".to_owned(),
        ErrorKind::ImmatureSignature => "it is not valid yet".to_owned(),
        ErrorKind::InvalidIssuer => "it is of no issuer that this server believes".to_owned(),
        ErrorKind::InvalidAudience => "it is for another audience".to_owned(),
        ErrorKind::InvalidSignature => "its signature does not fit".to_owned(),
        ErrorKind::InvalidAlgorithm => "it is signed by another algorithm than its issuer's key is for".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no {claim} claim that can be used"),
        ErrorKind::InvalidClaimFormat(claim) => format!("its {claim} claim is malformed"),
        _ => "it is no signed JWT".to_owned(),
    })
}

#[cfg(test)]
pub(crate) mod tests;
