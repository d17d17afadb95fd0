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
    config::Jwks,
    layers::samples::{AUDIENCE, ISSUER, config},
};

/// A key of an issuer: its public part for the JWKS file, its private part to sign with.
pub(crate) struct Pair {
    public: Value,
    raw_public: Vec<u8>,
    signs: EncodingKey,
    algorithm: Algorithm,
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn ed25519() -> Pair {
    let pair = Ed25519KeyPair::generate().unwrap();
    let public = pair.public_key().as_ref().to_vec();
    let der = pair.to_pkcs8v1().unwrap();
    Pair {
        public: json!({"kty": "OKP", "crv": "Ed25519", "x": base64(&public)}),
        raw_public: public,
        signs: EncodingKey::from_ed_der(der.as_ref()),
        algorithm: Algorithm::EdDSA,
    }
}

fn p256() -> Pair {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let der = pair.to_pkcs8v1().unwrap();
    Pair {
        public: json!({"kty": "EC", "crv": "P-256", "x": base64(&point[1..33]), "y": base64(&point[33..])}),
        raw_public: point,
        signs: EncodingKey::from_ec_der(der.as_ref()),
        algorithm: Algorithm::ES256,
    }
}

fn rsa() -> Pair {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    // DER of 2048 bits has all in a fixed place: both numbers of the public key, and in PKCS #8 the key itself.
    let (modulus, exponent) = (base64(&public[9..265]), base64(&public[267..]));
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    Pair {
        public: json!({"kty": "RSA", "alg": "RS256", "use": "sig", "n": modulus, "e": exponent}),
        raw_public: public,
        signs: EncodingKey::from_rsa_der(&der.as_ref()[26..]),
        algorithm: Algorithm::RS256,
    }
}

impl Pair {
    fn named(mut self, kid: &str) -> Self {
        self.public["kid"] = json!(kid);
        self
    }

    fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid = self.public["kid"].as_str().map(str::to_owned);
        header
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.signs).unwrap()
    }
}

/// A JWKS file with these keys.
pub(crate) fn jwks(pairs: &[&Pair]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let keys: Vec<&Value> = pairs.iter().map(|pair| &pair.public).collect();
    write!(file, "{}", json!({ "keys": keys })).unwrap();
    file
}

/// A verifier of one issuer with these keys.
fn verifier(pairs: &[&Pair]) -> Verifier {
    Verifier::load(&config(jwks(pairs).path()).identity).unwrap()
}

fn now() -> i64 {
    clock::now().timestamp()
}

/// Good claims, with some replaced, or taken away by null.
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
async fn claims_that_do_not_fit_are_refused_with_their_reason() {
    let pair = ed25519();
    let verifier = verifier(&[&pair]);
    for (changes, why) in [
        (json!({"exp": now() - 31}), "it has expired"),
        (json!({"exp": null}), "it has no exp claim that can be used"),
        (json!({"exp": "soon"}), "it has no exp claim that can be used"),
        (json!({"nbf": now() + 60}), "it is not valid yet"),
        (json!({"nbf": "later"}), "its nbf claim is malformed"),
        (json!({"aud": "other"}), "it is for another audience"),
        (json!({"aud": null}), "it has no aud claim that can be used"),
        (json!({"iss": "https://else.example"}), "it is of no issuer that this server believes"),
        (json!({"iss": null}), "it is of no issuer that this server believes"),
        (json!({"iss": [ISSUER]}), "it is of no issuer that this server believes"),
        (json!({"sub": null}), "it has no sub claim that can be used"),
        (json!({"sub": 7}), "it has no sub claim that can be used"),
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
        assert_eq!(
            refusal(&verifier, &confused).await,
            "it is signed by another algorithm than its issuer's key is for"
        );

        let body = base64(claims.to_string().as_bytes());
        let unsigned = format!("{}.{body}.", base64(br#"{"alg":"none"}"#));
        assert_eq!(refusal(&verifier, &unsigned).await, "it is no signed JWT");
    }
    let rsa = rsa().named("a");
    let mut other_hash = rsa.header();
    other_hash.alg = Algorithm::RS512;
    let token = encode(&other_hash, &claims(&json!({})), &rsa.signs).unwrap();
    let why = refusal(&verifier(&[&rsa]), &token).await;
    assert_eq!(why, "it is signed by another algorithm than its issuer's key is for");
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_refused() {
    let pair = p256();
    let verifier = verifier(&[&pair]);
    let token = pair.sign(&claims(&json!({})));
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let others = base64(claims(&json!({"sub": "eve"})).to_string().as_bytes());
    assert_eq!(refusal(&verifier, &format!("{header}.{others}.{signature}")).await, "its signature does not fit");
    assert_eq!(refusal(&verifier, &p256().sign(&claims(&json!({})))).await, "its signature does not fit");
    for raw in ["", "a", "a.b.c", "..", token.split_at(token.len() / 2).0, head] {
        assert!(
            ["it is no signed JWT", "its signature does not fit"].contains(&refusal(&verifier, raw).await.as_str())
        );
    }
    assert_eq!(refusal(&verifier, &"a".repeat(8193)).await, "it has more than 8192 bytes");
    let mut critical = pair.header();
    critical.crit = Some(vec!["b64".to_owned()]);
    let token = encode(&critical, &claims(&json!({})), &pair.signs).unwrap();
    assert_eq!(refusal(&verifier, &token).await, "its header asks for extensions that this server does not know");
}

#[tokio::test]
async fn the_kid_chooses_the_key() {
    let (one, two, other) = (ed25519().named("one"), ed25519().named("two"), p256().named("other"));
    let verifier = verifier(&[&one, &two, &other]);
    for pair in [&one, &two, &other] {
        verifier.verify(&pair.sign(&claims(&json!({})))).await.unwrap();
    }
    let unknown = ed25519().named("three").sign(&claims(&json!({})));
    assert_eq!(refusal(&verifier, &unknown).await, "it names a key (kid) that its issuer does not have");

    let nameless = |pair: &Pair| encode(&Header::new(pair.algorithm), &claims(&json!({})), &pair.signs).unwrap();
    assert_eq!(refusal(&verifier, &nameless(&two)).await, "it names no key (kid), and its issuer has several");
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
async fn a_remembered_token_expires_all_the_same() {
    let pair = ed25519();
    let verifier = verifier(&[&pair]);
    let token = pair.sign(&claims(&json!({"exp": now() + 5})));
    let first = verifier.verify(&token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &verifier.verify(&token).await.unwrap()), "it was remembered");
    verifier.verify_at(now() + 30, &token).await.unwrap();
    assert!(
        matches!(verifier.verify_at(now() + 36, &token).await, Err(Error::TokenInvalid(why)) if why == "it has expired")
    );
}

#[tokio::test]
async fn a_refused_token_is_not_remembered() {
    let pair = ed25519();
    let verifier = verifier(&[&pair]);
    refusal(&verifier, &pair.sign(&claims(&json!({"exp": now() - 60})))).await;
    verifier.seen.run_pending_tasks().await;
    assert_eq!(verifier.seen.entry_count(), 0);
}

#[test]
fn a_verifier_without_issuer_or_audience_does_not_start() {
    let identity = |issuers| Identity { issuers, jwks_ca: None, operators: vec![], service_principals: vec![] };
    let error = |identity| Verifier::load(&identity).err().unwrap();
    assert_eq!(error(identity(vec![])), "no issuer of tokens is configured: nobody could call");
    let nobody = Issuer { issuer: ISSUER.into(), audience: String::new(), jwks: Jwks::File("/nowhere".into()) };
    assert!(error(identity(vec![nobody])).ends_with("issuer and audience must both be set"));
    let absent = Issuer { issuer: ISSUER.into(), audience: AUDIENCE.into(), jwks: Jwks::File("/nowhere".into()) };
    assert!(error(identity(vec![absent])).starts_with("JWKS file /nowhere: "));
}
