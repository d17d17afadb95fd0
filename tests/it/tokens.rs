//! Tokens and their header.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clientele::{config::TokenType, grpc::pb};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tonic::{Code, Request, Status};

use crate::world::{AUDIENCE, Client, ISSUER, Keys, World, assert_refused, now};

/// The claims of a valid token of `max`, with these claims changed, or removed if null.
pub fn claims(change: &Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "max", "exp": now() + 60});
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

async fn who(client: &Client) -> Result<pb::WhoAmIResponse, Status> {
    Ok(client.access().who_am_i(pb::WhoAmIRequest::default()).await?.into_inner())
}

#[tokio::test]
async fn an_invalid_token_is_refused() {
    let world = World::start().await;
    let sign = |change: Value| world.keys.sign(claims(&change));
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let good = sign(json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let payload = part(claims(&json!({})));
    let jwks: Value = serde_json::from_slice(&std::fs::read(world.keys.jwks()).unwrap()).unwrap();
    let public = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    let by_public_key = {
        let header = Header { kid: Some("tests".to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims(&json!({})), &EncodingKey::from_secret(&public)).unwrap()
    };
    for (what, token) in [
        ("nothing", String::new()),
        ("garbage", "a.b.c".to_owned()),
        ("expired", sign(json!({"exp": now() - 60}))),
        ("no expiry", sign(json!({"exp": null}))),
        ("not valid yet", sign(json!({"nbf": now() + 120}))),
        ("another audience", sign(json!({"aud": "billing"}))),
        ("no audience", sign(json!({"aud": null}))),
        ("another issuer", sign(json!({"iss": "https://other.example"}))),
        ("no issuer", sign(json!({"iss": null}))),
        ("no subject", sign(json!({"sub": null}))),
        ("an empty subject", sign(json!({"sub": ""}))),
        ("a subject that reads as another", sign(json!({"sub": "operator\u{200b}"}))),
        ("a subject that is no text", sign(json!({"sub": 7}))),
        ("an act that is no object", sign(json!({"act": "portal"}))),
        ("another's signature", Keys::new().sign(claims(&json!({})))),
        ("other claims under the signature", format!("{}.{payload}.{signature}", part(json!({"alg": "EdDSA"})))),
        ("a signature cut short", good[..good.len() - 2].to_owned()),
        ("no signature", format!("{signed}.")),
        ("alg none", format!("{}.{payload}.", part(json!({"alg": "none"})))),
        ("alg none, signed", format!("{}.{payload}.{signature}", part(json!({"alg": "none", "kid": "tests"})))),
        ("the public key as a secret", by_public_key),
        ("more than a header takes", format!("{good}{}", "A".repeat(8 * 1024))),
    ] {
        let refused = assert_refused(who(&world.bearer(token)).await, Code::Unauthenticated, "TOKEN_INVALID");
        assert!(!refused.message().contains("sub") || what.contains("subject"), "{what}: {}", refused.message());
    }
    for change in [json!({}), json!({"aud": ["billing", AUDIENCE]}), json!({"nbf": now()}), json!({"exp": now() - 5})] {
        // The last one is within the allowed clock difference.
        let identity = who(&world.bearer(sign(change))).await.unwrap();
        assert_eq!(identity.principal.unwrap().subject, "max");
    }
}

#[tokio::test]
async fn only_tokens_of_the_accepted_types_are_accepted() {
    let world = World::start().await;
    let strict = World::start_with(world.database.clone(), |config| {
        config.identity.issuers[0].token_types = vec![TokenType::of_header(Some("at+jwt")).unwrap()];
    })
    .await;
    let of = |world: &World, typ: Option<&str>| world.bearer(world.keys.sign_as(typ, claims(&json!({}))));
    // What identity providers call their access tokens.
    for typ in [None, Some("JWT"), Some("jwt"), Some("at+jwt"), Some("AT+JWT"), Some("application/at+jwt")] {
        who(&of(&world, typ)).await.unwrap();
        let at = typ.is_some_and(|typ| typ.to_lowercase().ends_with("at+jwt"));
        let strictly = who(&of(&strict, typ)).await;
        match at {
            true => drop(strictly.unwrap()),
            false => drop(assert_refused(strictly, Code::Unauthenticated, "TOKEN_INVALID")),
        }
    }
    // Nothing is said of the type of a token that the issuer did not sign.
    let forged = world.bearer(Keys::new().sign_as(Some("logout+jwt"), claims(&json!({}))));
    let refused = assert_refused(who(&forged).await, Code::Unauthenticated, "TOKEN_INVALID");
    assert!(refused.message().contains("its signature is invalid"), "{}", refused.message());
    // What else an issuer signs with the same keys, for the same audience.
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt", "oauth-authz-req+jwt", "none", ""]
    {
        for world in [&world, &strict] {
            let refused = who(&of(world, Some(typ))).await;
            let refused = assert_refused(refused, Code::Unauthenticated, "TOKEN_INVALID");
            let said = if typ.is_empty() { "malformed" } else { typ };
            assert!(refused.message().contains(&format!("its type (typ) is {said};")), "{}", refused.message());
        }
    }
}

#[tokio::test]
async fn the_authorization_header_has_one_form() {
    let world = World::start().await;
    let token = world.keys.token("max");
    let with = async |values: &[String]| {
        let mut request = Request::new(pb::WhoAmIRequest::default());
        for value in values {
            request.metadata_mut().append("authorization", value.parse().unwrap());
        }
        world.without_token().access().who_am_i(request).await
    };
    for good in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER  {token}")] {
        with(&[good]).await.unwrap();
    }
    for bad in [token.clone(), format!("Basic {token}"), format!("Bearer{token}"), "Bearer".to_owned()] {
        assert_refused(with(&[bad]).await, Code::Unauthenticated, "TOKEN_INVALID");
    }
    let twice = [format!("Bearer {token}"), format!("Bearer {}", world.keys.token("eve"))];
    assert_refused(with(&twice).await, Code::Unauthenticated, "TOKEN_INVALID");
    assert_refused(with(&[]).await, Code::Unauthenticated, "TOKEN_MISSING");
}
