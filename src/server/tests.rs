//! A server without a database.

use std::{num::NonZeroU32, time::Duration};

use bytes::Bytes;
use prost::Message;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    config::{Config, RateLimit},
    domain::requests::principal::Principal,
    grpc::pb::{GetCustomerRequest, WhoAmIRequest, WhoAmIResponse},
    layers::{
        samples::{ISSUER, config},
        token::tests::{KeyPair, claims, ed25519, jwks},
    },
    telemetry::{logs::Format, samples::Log},
};

const CUSTOMERS: &str = "clientele.v1.CustomerService";

/// A server, a connection to it, and the key of its trusted issuer.
async fn started() -> (RunningServer, Channel, KeyPair) {
    started_with(|_| {}).await
}

async fn started_with(change: impl FnOnce(&mut Config)) -> (RunningServer, Channel, KeyPair) {
    let pair = ed25519();
    let file = jwks(&[&pair]);
    let mut config = config(file.path());
    change(&mut config);
    let running = start(config).await.unwrap();
    let channel = Endpoint::try_from(format!("http://{}", running.address())).unwrap().connect().await.unwrap();
    (running, channel, pair)
}

/// A request with a token of this subject.
fn request_from<M>(pair: &KeyPair, subject: &str, message: M) -> Request<M> {
    let token = pair.sign(&claims(&json!({ "sub": subject })));
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

async fn health(channel: &Channel, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner().status()
}

async fn refused<M: Message + Default + 'static>(
    channel: &Channel,
    path: &'static str,
    request: Request<M>,
) -> (Code, String) {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<M, WhoAmIResponse>::default();
    let status: Status = client.unary(request, path.parse().unwrap(), codec).await.unwrap_err();
    (status.code(), status.get_details_error_info().unwrap().reason)
}

#[tokio::test]
async fn it_is_alive_and_not_ready() {
    let (running, channel, _) = started().await;
    assert_eq!(health(&channel, LIVENESS).await, ServingStatus::Serving);
    for service in ["", READINESS, CUSTOMERS] {
        assert_eq!(health(&channel, service).await, ServingStatus::NotServing, "{service:?}");
    }
    drop(channel);
    assert_eq!(running.stop().await, DrainOutcome::Complete);
}

#[tokio::test]
async fn every_authentication_error_has_its_reason_on_the_wire() {
    let (_running, channel, _) = started().await;
    let who_am_i = "/clientele.v1.AccessService/WhoAmI";
    let plain = || Request::new(WhoAmIRequest::default());
    let token_missing = (Code::Unauthenticated, "TOKEN_MISSING".to_owned());
    assert_eq!(refused(&channel, who_am_i, plain()).await, token_missing);
    let mut forged = plain();
    forged.metadata_mut().insert("authorization", "Bearer a.b.c".parse().unwrap());
    assert_eq!(refused(&channel, who_am_i, forged).await, (Code::Unauthenticated, "TOKEN_INVALID".to_owned()));
    for unknown in ["/clientele.v1.AccessService/Nothing", "/clientele.v1.Nothing/Nothing"] {
        assert_eq!(refused(&channel, unknown, plain()).await, (Code::Unimplemented, "RPC_UNKNOWN".to_owned()));
    }
}

#[tokio::test]
async fn every_error_that_tonic_makes_has_its_reason_on_the_wire() {
    let operator = |config: &mut Config| config.identity.operators = vec![Principal::new(ISSUER, "root")];
    let (_running, channel, pair) = started_with(operator).await;
    // Field 1 of ListTenants is a number, here it is a text.
    let other = GetCustomerRequest { customer_id: "ada".to_owned(), ..Default::default() };
    let malformed =
        refused(&channel, "/clientele.v1.AccountService/ListTenants", request_from(&pair, "root", other)).await;
    assert_eq!(malformed, (Code::InvalidArgument, "MESSAGE_MALFORMED".to_owned()));
    let large = GetCustomerRequest { customer_id: "a".repeat(300 * 1024), ..Default::default() };
    let too_large = refused(&channel, "/clientele.v1.AccessService/WhoAmI", request_from(&pair, "ada", large)).await;
    assert_eq!(too_large, (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned()));
}

#[tokio::test]
async fn a_database_that_never_answers_ends_in_deadline_exceeded() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let (_running, channel, pair) = started_with(|config| {
        config.database.options = PgConnectOptions::clone(&config.database.options.get()).port(port).into();
        config.limits.deadline = Duration::from_millis(50);
    })
    .await;
    let late =
        refused(&channel, "/clientele.v1.AccessService/WhoAmI", request_from(&pair, "ada", WhoAmIRequest::default()))
            .await;
    assert_eq!(late, (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
}

/// Begins a call as this subject, with so many bytes of a message that never ends, and waits for its end.
async fn half_message(running: &RunningServer, pair: &KeyPair, subject: &str, timeout: &str, bytes: usize) -> Status {
    let stream = tokio::net::TcpStream::connect(running.address()).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let calling = async {
        let token = pair.sign(&claims(&json!({ "sub": subject })));
        let request = http::Request::post("http://server/clientele.v1.CustomerService/GetCustomer")
            .header("content-type", "application/grpc")
            .header("grpc-timeout", timeout)
            .header("authorization", format!("Bearer {token}"));
        let mut client = client.ready().await.unwrap();
        let (answer, mut message) = client.send_request(request.body(()).unwrap(), false).unwrap();
        let announced = [&[0, 0, 3, 0, 0], vec![0; bytes].as_slice()].concat();
        message.send_data(Bytes::from(announced), false).unwrap();
        Status::from_header_map(answer.await.unwrap().headers()).unwrap()
    };
    tokio::select! {
        status = calling => status,
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
}

#[tokio::test]
async fn the_line_of_a_refused_or_unfinished_call_names_its_principal_and_its_peer() {
    let (log, _capturing) = Log::capture(Format::Text);
    let (running, _, pair) = started_with(|config| {
        config.limits.deadline = Duration::from_secs(20);
        config.load.message_timeout = Duration::from_millis(300);
        // A principal has a quarter, half of which a call costs at least.
        config.load.max_bytes_in_flight = 4 * 16 * 1024;
        config.load.rate_limit = Some(RateLimit { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN });
    })
    .await;
    for (subject, timeout, bytes, reason) in [
        ("slow", "20S", 10, "MESSAGE_INCOMPLETE"),
        ("hasty", "50m", 10, "DEADLINE_EXCEEDED"),
        ("large", "20S", 10_000, "OVERLOADED"),
        ("large", "20S", 10, "RATE_LIMITED"),
    ] {
        let status = half_message(&running, &pair, subject, timeout, bytes).await;
        assert_eq!(status.get_details_error_info().unwrap().reason, reason);
        let lines = log.lines();
        let line = lines.iter().find(|line| line.contains(&format!("reason=\"{reason}\""))).unwrap_or_else(|| {
            panic!("no line with {reason}: {lines:?}");
        });
        assert!(line.contains(&format!("principal=\"{ISSUER} {subject}\" peer=127.0.0.1:")), "{line}");
    }
}

#[tokio::test]
async fn stopping_ends_open_watches_and_closes_the_port() {
    let (running, channel, _) = started().await;
    let address = running.address();
    let request = HealthCheckRequest { service: LIVENESS.to_owned() };
    let mut watch = HealthClient::new(channel).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    assert_eq!(running.stop().await, DrainOutcome::Complete);
    assert!(watch.message().await.unwrap().is_none());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_address_in_use_is_reported_with_what_to_do() {
    let (running, ..) = started().await;
    let pair = ed25519();
    let file = jwks(&[&pair]);
    let mut config = config(file.path());
    config.listen = running.address();
    let error = start(config).await.err().unwrap().to_string();
    let expected = format!(
        "{} is in use: stop the process that listens there, or choose another address with --listen",
        running.address()
    );
    assert_eq!(error, expected);
}
