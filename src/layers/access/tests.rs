use std::time::Duration;

use http::HeaderValue;
use serde_json::json;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    layers::{
        samples::{ISSUER, MUTATION, READ, code, config, reason, request, run},
        token::{
            Verifier,
            tests::{claims as token_claims, ed25519, jwks},
        },
    },
    service::{Services, readiness::Readiness},
};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn with(headers: &[(&'static str, &[u8])]) -> Request<Body> {
    let mut request = request(READ);
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    request
}

fn headers(headers: &[(&'static str, &[u8])]) -> TargetHeaders {
    TargetHeaders::take(&mut with(headers))
}

#[test]
fn the_headers_name_tenant_and_account() {
    let Target { tenant, account, .. } = headers(&[("clientele-tenant", ID.as_bytes())]).target().unwrap();
    assert_eq!((tenant.unwrap().to_string(), account), (ID.to_owned(), None));
    let Target { tenant, account, .. } =
        headers(&[("clientele-account", ID.to_uppercase().as_bytes())]).target().unwrap();
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
        let Err(Error::Invalid(violations)) = headers(header).target() else { panic!("{rule}") };
        let [violation] = violations.all() else { panic!("{violations:?}") };
        assert_eq!(violation.field, "clientele-account");
        assert!(violation.rule.text().starts_with(rule), "{violation:?}");
    }
    let Err(Error::Invalid(both)) = headers(&[("clientele-tenant", b"1"), ("clientele-account", b"2")]).target() else {
        panic!()
    };
    assert_eq!(both.all().len(), 2);
}

/// The layer without a database, with the operator "root".
fn layer() -> CheckAccess {
    let access = Services::new(&config("/".as_ref())).unwrap().access;
    CheckAccess::new(access, [Principal::new(ISSUER, "root")], Readiness::default())
}

/// A call that `verify` has let in, with this subject and an actor.
async fn verified(path: &str, subject: &str) -> Request<Body> {
    let pair = ed25519();
    let file = jwks(&[&pair]);
    let verifier = Verifier::load(&config(file.path()).identity).unwrap();
    let token = pair.sign(&token_claims(&json!({"sub": subject, "act": {"sub": "portal"}})));
    let mut request = request(path);
    request.extensions_mut().insert(verifier.verify(&token).await.unwrap());
    request
}

/// Calls as this subject; the response's headers are the identity that the handler saw.
async fn call(path: &str, subject: &str) -> Response<Body> {
    let mut request = verified(path, subject).await;
    request.headers_mut().insert("clientele-tenant", ID.parse().unwrap());
    run(layer(), request, |request| async move {
        let mut answer = Response::new(Body::empty());
        let describe = |author: &Author| {
            format!("{} {} {}", author.principal.subject(), author.actors[0].subject(), author.rpc.name())
                .parse()
                .unwrap()
        };
        assert!(request.extensions().get::<Caller>().is_none(), "there are no members without a database");
        if let Some(AccessUnavailable(failure)) = request.extensions().get() {
            assert!(matches!(**failure, Error::Unavailable { .. }));
            answer.headers_mut().insert("access-unavailable", HeaderValue::from_static("yes"));
        }
        if let Some(operator) = request.extensions().get::<Operator>() {
            answer.headers_mut().insert("operator", describe(&operator.author));
        }
        if let Some(authenticated) = request.extensions().get::<Authenticated>() {
            assert_eq!(authenticated.tenant.unwrap().to_string(), ID);
            answer.headers_mut().insert("authenticated", describe(&authenticated.author));
        }
        answer
    })
    .await
}

#[tokio::test]
async fn the_contract_decides_which_identity_a_handler_sees() {
    let anyone = call("/clientele.v1.AccessService/WhoAmI", "ada").await;
    assert_eq!(anyone.headers()["authenticated"], "ada portal clientele.v1.AccessService/WhoAmI");
    let operator = call("/clientele.v1.AccountService/CreateTenant", "root").await;
    assert_eq!(operator.headers()["operator"], "root portal clientele.v1.AccountService/CreateTenant");
    assert!(!anyone.headers().contains_key("operator") && !operator.headers().contains_key("authenticated"));
}

#[tokio::test]
async fn the_author_has_the_deadline_of_its_call() {
    let at = Instant::now() + Duration::from_secs(7);
    for deadline in [None, Some(Deadline(at))] {
        let mut request = verified("/clientele.v1.AccountService/CreateTenant", "root").await;
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(deadline);
        }
        let answer = run(layer(), request, move |request| async move {
            let author = &request.extensions().get::<Operator>().unwrap().author;
            assert_eq!(author.deadline, deadline.map(|Deadline(at)| at.into_std()));
            Response::new(Body::empty())
        });
        assert_eq!(code(&answer.await), Code::Ok);
    }
}

#[tokio::test]
async fn only_an_operator_is_admitted_where_the_contract_requires_one() {
    let refused = call("/clientele.v1.AccountService/CreateTenant", "ada").await;
    assert_eq!((code(&refused), reason(&refused).as_str()), (Code::PermissionDenied, "ROLE_TOO_LOW"));
    let status = Status::from_header_map(refused.headers()).unwrap();
    assert_eq!(status.get_details_error_info().unwrap().metadata["required_role"], "PLATFORM");
}

#[tokio::test]
async fn without_a_database_a_read_is_unavailable_with_a_time_to_retry() {
    let refused = call(READ, "ada").await;
    assert_eq!((code(&refused), reason(&refused).as_str()), (Code::Unavailable, "DATABASE_UNAVAILABLE"));
    let status = Status::from_header_map(refused.headers()).unwrap();
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn without_a_database_a_mutation_is_rejected_by_its_handler() {
    let answer = call(MUTATION, "ada").await;
    let seen: Vec<_> = answer.headers().keys().collect();
    assert_eq!(seen, ["access-unavailable"], "no identity");
}

#[tokio::test]
async fn an_identity_that_the_layer_did_not_insert_is_removed() {
    let mut health = request("/grpc.health.v1.Health/Check");
    let author = Author {
        principal: Principal::new("i", "s"),
        actors: vec![],
        workload: None,
        rpc: contract::RPCS[0],
        trace_id: String::new(),
        deadline: None,
    };
    health.extensions_mut().insert(Operator { author });
    let answer = run(layer(), health, |request| async move {
        assert!(request.extensions().get::<Operator>().is_none());
        Response::new(Body::empty())
    });
    assert_eq!(code(&answer.await), Code::Ok);
}

#[tokio::test]
async fn a_call_without_a_verified_token_is_a_fault_of_the_server() {
    let refused = run(layer(), request(READ), |_| async { panic!("served") }).await;
    assert_eq!((code(&refused), reason(&refused).as_str()), (Code::Internal, "INTERNAL"));
}
