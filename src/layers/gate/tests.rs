use http::HeaderValue;

use super::*;
use crate::layers::samples::{READ, request};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn with(headers: &[(&'static str, &[u8])]) -> Request<Body> {
    let mut request = request(READ);
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    request
}

fn claims(headers: &[(&'static str, &[u8])]) -> Claims {
    Claims::take(&mut with(headers))
}

#[test]
fn a_bearer_token_is_read_whatever_the_schemes_case() {
    for header in ["Bearer t.o.k", "bearer t.o.k", "BEARER  t.o.k "] {
        assert_eq!(claims(&[("authorization", header.as_bytes())]).token().unwrap(), "t.o.k");
    }
    assert!(matches!(claims(&[]).token(), Err(Error::TokenMissing)));
}

#[test]
fn an_authorization_that_is_no_single_bearer_token_is_refused() {
    for (headers, why) in [
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
        assert!(matches!(claims(headers).token(), Err(Error::TokenInvalid(said)) if said == why), "{why}");
    }
}

#[test]
fn the_headers_name_tenant_and_account() {
    let (tenant, account) = claims(&[("clientele-tenant", ID.as_bytes())]).acting().unwrap();
    assert_eq!((tenant.unwrap().to_string(), account), (ID.to_owned(), None));
    let (tenant, account) = claims(&[("clientele-account", ID.to_uppercase().as_bytes())]).acting().unwrap();
    assert_eq!((tenant, account.unwrap().to_string()), (None, ID.to_owned()));
}

#[test]
fn every_malformed_header_is_a_violation_of_its_name() {
    for (header, rule) in [
        (&[("clientele-account", b"acme".as_slice())][..], "must be a UUID"),
        (&[("clientele-account", b"")], "must be a UUID"),
        (&[("clientele-account", b"\xff")], "must be printable ASCII"),
        (&[("clientele-account", ID.as_bytes()), ("clientele-account", ID.as_bytes())], "must be given once"),
    ] {
        let Err(Error::Invalid(violations)) = claims(header).acting() else { panic!("{rule}") };
        let [violation] = violations.all() else { panic!("{violations:?}") };
        assert_eq!(violation.field, "clientele-account");
        assert!(violation.rule.text().starts_with(rule), "{violation:?}");
    }
    let Err(Error::Invalid(both)) = claims(&[("clientele-tenant", b"1"), ("clientele-account", b"2")]).acting() else {
        panic!()
    };
    assert_eq!(both.all().len(), 2);
}

#[test]
fn nothing_further_in_sees_the_token() {
    let mut request = with(&[("authorization", b"Bearer t.o.k"), ("x", b"y")]);
    Claims::take(&mut request);
    assert!(!request.headers().contains_key("authorization") && request.headers().contains_key("x"));
}
