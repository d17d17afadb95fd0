use http::HeaderValue;
use serde_json::json;

use super::*;
use crate::{
    domain::requests::principal::Principal,
    layers::{
        samples::{ISSUER, MUTATION, READ, code, config, reason, request, run},
        token::tests::{claims, ed25519, jwks},
    },
};

fn with(headers: &[(&'static str, &[u8])]) -> Request<Body> {
    let mut request = request(READ);
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    request
}

fn token_of(headers: &[(&'static str, &[u8])]) -> Result<String> {
    bearer(&take_token(&mut with(headers))).map(str::to_owned)
}

#[test]
fn a_bearer_token_is_read_whatever_the_schemes_case() {
    for header in ["Bearer t.o.k", "bearer t.o.k", "BEARER  t.o.k "] {
        assert_eq!(token_of(&[("authorization", header.as_bytes())]).unwrap(), "t.o.k");
    }
    assert!(matches!(token_of(&[]), Err(Error::TokenMissing)));
}

#[test]
fn an_authorization_that_is_not_a_single_bearer_token_is_rejected() {
    for (sent, why) in [
        (
            &[("authorization", b"Basic YTpi".as_slice())][..],
            "the header authorization must be Bearer, a space and the token",
        ),
        (&[("authorization", b"t.o.k")], "the header authorization must be Bearer, a space and the token"),
        (
            &[("authorization", b"Bearer a"), ("authorization", b"Bearer b")],
            "the header authorization must be given once",
        ),
        (&[("authorization", b"Bearer \xe4")], "the header authorization must be printable ASCII"),
    ] {
        assert!(matches!(token_of(sent), Err(Error::TokenInvalid(found)) if found == why), "{why}");
    }
}

#[test]
fn the_token_is_removed_from_the_request() {
    let mut request = with(&[("authorization", b"Bearer t.o.k"), ("x", b"y")]);
    take_token(&mut request).unwrap();
    assert!(!request.headers().contains_key("authorization") && request.headers().contains_key("x"));
}

#[tokio::test]
async fn a_call_goes_on_with_its_principal_and_without_a_valid_token_not_at_all() {
    let pair = ed25519();
    let file = jwks(&[&pair]);
    let layer = VerifyToken::new(Verifier::load(&config(file.path()).identity).unwrap());
    let token = pair.sign(&claims(&json!({"sub": "ada"})));
    for path in [READ, MUTATION] {
        let mut valid = request(path);
        valid.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let answer = run(layer.clone(), valid, |request| async move {
            assert_eq!(share_of(&request).as_deref(), Some(&Principal::new(ISSUER, "ada")));
            Response::new(Body::empty())
        });
        assert_eq!(code(&answer.await), Code::Ok);
        let refused = run(layer.clone(), request(path), |_| async { panic!("served") }).await;
        assert_eq!((code(&refused), reason(&refused).as_str()), (Code::Unauthenticated, "TOKEN_MISSING"));
    }
}

#[tokio::test]
async fn an_identity_that_the_layer_did_not_insert_is_removed() {
    let pair = ed25519();
    let file = jwks(&[&pair]);
    let verifier = Verifier::load(&config(file.path()).identity).unwrap();
    let forged = verifier.verify(&pair.sign(&claims(&json!({"sub": "root"})))).await.unwrap();
    let mut health = request("/grpc.health.v1.Health/Check");
    health.extensions_mut().insert(forged);
    let answer = run(VerifyToken::new(verifier), health, |request| async move {
        assert!(share_of(&request).is_none());
        Response::new(Body::empty())
    });
    assert_eq!(code(&answer.await), Code::Ok);
}

#[tokio::test]
async fn an_unknown_path_of_the_package_is_never_served() {
    let pair = ed25519();
    let file = jwks(&[&pair]);
    let layer = VerifyToken::new(Verifier::load(&config(file.path()).identity).unwrap());
    let refused = run(layer, request("/clientele.v1.CustomerService/Drop"), |_| async { panic!("served") }).await;
    assert_eq!((code(&refused), reason(&refused).as_str()), (Code::Unimplemented, "RPC_UNKNOWN"));
}
