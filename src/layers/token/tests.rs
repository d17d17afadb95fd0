use std::io::Write as _;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tempfile::NamedTempFile;

use super::*;
use crate::{
    config::{Issuer, Jwks, TokenType},
    layers::samples::{AUDIENCE, ISSUER, config},
};

/// A key pair of an issuer: the public key for the JWKS file, the private key to sign with.
pub(crate) struct KeyPair {
    public: Value,
    raw_public: Vec<u8>,
    signing: EncodingKey,
    algorithm: Algorithm,
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn ed25519() -> KeyPair {
    let pair = Ed25519KeyPair::generate().unwrap();
    let public = pair.public_key().as_ref().to_vec();
    let der = pair.to_pkcs8v1().unwrap();
    KeyPair {
        public: json!({"kty": "OKP", "crv": "Ed25519", "x": base64(&public)}),
        raw_public: public,
        signing: EncodingKey::from_ed_der(der.as_ref()),
        algorithm: Algorithm::EdDSA,
    }
}

fn p256() -> KeyPair {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let der = pair.to_pkcs8v1().unwrap();
    KeyPair {
        public: json!({"kty": "EC", "crv": "P-256", "x": base64(&point[1..33]), "y": base64(&point[33..])}),
        raw_public: point,
        signing: EncodingKey::from_ec_der(der.as_ref()),
        algorithm: Algorithm::ES256,
    }
}

fn rsa() -> KeyPair {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    // In DER of 2048 bits everything has a fixed offset: both numbers of the public key, and in PKCS #8 the key itself.
    let (modulus, exponent) = (base64(&public[9..265]), base64(&public[267..]));
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    KeyPair {
        public: json!({"kty": "RSA", "alg": "RS256", "use": "sig", "n": modulus, "e": exponent}),
        raw_public: public,
        signing: EncodingKey::from_rsa_der(&der.as_ref()[26..]),
        algorithm: Algorithm::RS256,
    }
}

impl KeyPair {
    fn with_kid(mut self, kid: &str) -> Self {
        self.public["kid"] = json!(kid);
        self
    }

    fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid = self.public["kid"].as_str().map(str::to_owned);
        header
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.signing).unwrap()
    }
}

/// A JWKS file with these keys.
pub(crate) fn jwks(pairs: &[&KeyPair]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let keys: Vec<&Value> = pairs.iter().map(|pair| &pair.public).collect();
    write!(file, "{}", json!({ "keys": keys })).unwrap();
    file
}

/// A verifier of one issuer with these keys.
fn verifier(pairs: &[&KeyPair]) -> Verifier {
    Verifier::load(&config(jwks(pairs).path()).identity).unwrap()
}

fn now() -> i64 {
    clock::now().timestamp()
}

/// Valid claims with changes; null removes a claim.
pub(crate) fn claims(changes: &Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": now() + 600});
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
            value => claims[key] = value.clone(),
        }
    }
    claims
}

async fn refusal(verifier: &Verifier, token: &str) -> String {
    match verifier.verify(token).await {
        Err(Error::TokenInvalid(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_of_each_algorithm_proves_its_subject() {
    for pair in [rsa(), p256(), ed25519()] {
        let verified =
            verifier(&[&pair]).verify(&pair.sign(&claims(&json!({"aud": ["other", AUDIENCE]})))).await.unwrap();
        assert_eq!(verified.principal, Principal::new(ISSUER, "ada"));
        assert!(verified.actors.is_empty());
    }
}

#[tokio::test]
async fn invalid_claims_are_rejected_with_their_reason() {
    let pair = ed25519();
    let verifier = verifier(&[&pair]);
    for (changes, why) in [
        (json!({"exp": now() - 31}), "it has expired"),
        (json!({"exp": null}), "its exp claim is missing or has a wrong type"),
        (json!({"exp": "soon"}), "its exp claim is missing or has a wrong type"),
        (json!({"nbf": now() + 60}), "it is not valid yet"),
        (json!({"nbf": "later"}), "its nbf claim is malformed"),
        (json!({"aud": "other"}), "it is for another audience"),
        (json!({"aud": null}), "its aud claim is missing or has a wrong type"),
        (json!({"iss": "https://else.example"}), "its issuer is not trusted"),
        (json!({"iss": null}), "its issuer is not trusted"),
        (json!({"iss": [ISSUER]}), "its issuer is not trusted"),
        (json!({"sub": null}), "its sub claim is missing or has a wrong type"),
        (json!({"sub": 7}), "its sub claim is missing or has a wrong type"),
        (json!({"sub": ""}), "its sub claim is malformed"),
        (json!({"sub": " ada"}), "its sub claim is malformed"),
        (json!({"sub": "a\u{202e}da"}), "its sub claim is malformed"),
        (json!({"sub": "a".repeat(256)}), "its sub claim is malformed"),
    ] {
        assert_eq!(refusal(&verifier, &pair.sign(&claims(&changes))).await, why, "{changes}");
    }
    let clocks_apart = claims(&json!({"exp": now() - 20, "nbf": now() + 20}));
    verifier.verify(&pair.sign(&clocks_apart)).await.unwrap();
}

#[tokio::test]
async fn the_key_decides_the_algorithm() {
    for pair in [rsa(), p256(), ed25519()] {
        let verifier = verifier(&[&pair]);
        let claims = claims(&json!({}));

        let public_as_secret = EncodingKey::from_secret(&pair.raw_public);
        let confused = encode(&Header::new(Algorithm::HS256), &claims, &public_as_secret).unwrap();
        assert_eq!(refusal(&verifier, &confused).await, "its algorithm is not that of the issuer's key");

        let body = base64(claims.to_string().as_bytes());
        let unsigned = format!("{}.{body}.", base64(br#"{"alg":"none"}"#));
        assert_eq!(refusal(&verifier, &unsigned).await, "it is not a signed JWT");
    }
    let rsa = rsa().with_kid("a");
    let mut other_hash = rsa.header();
    other_hash.alg = Algorithm::RS512;
    let token = encode(&other_hash, &claims(&json!({})), &rsa.signing).unwrap();
    let why = refusal(&verifier(&[&rsa]), &token).await;
    assert_eq!(why, "its algorithm is not that of the issuer's key");
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_rejected() {
    let pair = p256();
    let verifier = verifier(&[&pair]);
    let token = pair.sign(&claims(&json!({})));
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let others = base64(claims(&json!({"sub": "eve"})).to_string().as_bytes());
    assert_eq!(refusal(&verifier, &format!("{header}.{others}.{signature}")).await, "its signature is invalid");
    assert_eq!(refusal(&verifier, &p256().sign(&claims(&json!({})))).await, "its signature is invalid");
    for raw in ["", "a", "a.b.c", "..", token.split_at(token.len() / 2).0, head] {
        assert!(
            ["it is not a signed JWT", "its signature is invalid"].contains(&refusal(&verifier, raw).await.as_str())
        );
    }
    assert_eq!(refusal(&verifier, &"a".repeat(8193)).await, "it has more than 8192 bytes");
    let mut critical = pair.header();
    critical.crit = Some(vec!["b64".to_owned()]);
    let token = encode(&critical, &claims(&json!({})), &pair.signing).unwrap();
    assert_eq!(
        refusal(&verifier, &token).await,
        "its header requires extensions (crit) that this server does not support"
    );
}

#[tokio::test]
async fn the_kid_chooses_the_key() {
    let (one, two, other) = (ed25519().with_kid("one"), ed25519().with_kid("two"), p256().with_kid("other"));
    let verifier = verifier(&[&one, &two, &other]);
    for pair in [&one, &two, &other] {
        verifier.verify(&pair.sign(&claims(&json!({})))).await.unwrap();
    }
    let unknown = ed25519().with_kid("three").sign(&claims(&json!({})));
    assert_eq!(refusal(&verifier, &unknown).await, "its issuer has no key with this kid");

    let nameless = |pair: &KeyPair| encode(&Header::new(pair.algorithm), &claims(&json!({})), &pair.signing).unwrap();
    assert_eq!(refusal(&verifier, &nameless(&two)).await, "it has no kid, and its issuer has several keys");
    verifier.verify(&nameless(&other)).await.unwrap();
}

#[tokio::test]
async fn the_actors_of_an_act_claim_come_last_one_first() {
    let pair = ed25519();
    let verifier = verifier(&[&pair]);
    let act = json!({"act": {"sub": "support", "act": {"sub": "portal", "iss": "https://portal.example"}}});
    let verified = verifier.verify(&pair.sign(&claims(&act))).await.unwrap();
    assert_eq!(verified.principal, Principal::new(ISSUER, "ada"));
    assert_eq!(
        verified.actors,
        [Principal::new(ISSUER, "support"), Principal::new("https://portal.example", "portal")]
    );

    let chain = |length| {
        (0..length).fold(Value::Null, |inner, _| match inner {
            Value::Null => json!({"sub": "relay"}),
            inner => json!({"sub": "relay", "act": inner}),
        })
    };
    let eight = verifier.verify(&pair.sign(&claims(&json!({"act": chain(8)})))).await.unwrap();
    assert_eq!(eight.actors.len(), 8);
    let nine = pair.sign(&claims(&json!({"act": chain(9)})));
    assert_eq!(refusal(&verifier, &nine).await, "its act claim names more than 8 actors");
    for act in [
        json!("support"),
        json!({}),
        json!({"sub": ""}),
        json!({"sub": "a", "iss": "b c"}),
        json!({"sub": "a", "act": 1}),
    ] {
        let token = pair.sign(&claims(&json!({ "act": act })));
        assert_eq!(refusal(&verifier, &token).await, "its act claim is malformed");
    }
}

#[tokio::test]
async fn a_cached_token_still_expires() {
    let pair = ed25519();
    let verifier = verifier(&[&pair]);
    let token = pair.sign(&claims(&json!({"exp": now() + 5})));
    let first = verifier.verify(&token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &verifier.verify(&token).await.unwrap()), "it was cached");
    verifier.verify_at(now() + 30, &token).await.unwrap();
    assert!(
        matches!(verifier.verify_at(now() + 36, &token).await, Err(Error::TokenInvalid(why)) if why == "it has expired")
    );
}

#[tokio::test]
async fn a_rejected_token_is_not_cached() {
    let pair = ed25519();
    let verifier = verifier(&[&pair]);
    refusal(&verifier, &pair.sign(&claims(&json!({"exp": now() - 60})))).await;
    verifier.cache.run_pending_tasks().await;
    assert_eq!(verifier.cache.entry_count(), 0);
}

#[test]
fn a_verifier_without_issuer_or_audience_does_not_start() {
    let identity = |issuers| Identity { issuers, jwks_ca: None, operators: vec![], service_principals: vec![] };
    let error = |identity| Verifier::load(&identity).err().unwrap();
    assert_eq!(error(identity(vec![])), "no token issuer is configured: no call could be authenticated");
    let absent = Issuer {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        token_types: TokenType::usual(),
        jwks: Jwks::File("/nowhere".into()),
    };
    let without_audience = Issuer { audience: String::new(), ..absent.clone() };
    assert!(error(identity(vec![without_audience])).ends_with("issuer and audience must both be set"));
    assert!(error(identity(vec![absent])).starts_with("JWKS file /nowhere: "));
}
