//! A server whose database is not there: what it does by itself.

use std::io::Write as _;

use tempfile::NamedTempFile;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus as Told, health_client::HealthClient};
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    grpc::pb::{WhoAmIRequest, WhoAmIResponse},
    layers::samples::config,
};

const CUSTOMERS: &str = "clientele.v1.CustomerService";

fn with_a_key() -> NamedTempFile {
    let mut jwks = NamedTempFile::new().unwrap();
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}"#;
    write!(jwks, r#"{{"keys":[{key}]}}"#).unwrap();
    jwks
}

async fn started() -> (Running, Channel) {
    let jwks = with_a_key();
    let running = start(config(jwks.path())).await.unwrap();
    let channel = Endpoint::try_from(format!("http://{}", running.address())).unwrap().connect().await.unwrap();
    (running, channel)
}

async fn health(channel: &Channel, service: &str) -> Told {
    let asked = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel.clone()).check(asked).await.unwrap().into_inner().status()
}

async fn refused(channel: &Channel, path: &'static str, request: Request<WhoAmIRequest>) -> (Code, String) {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<WhoAmIRequest, WhoAmIResponse>::default();
    let status: Status = client.unary(request, path.parse().unwrap(), codec).await.unwrap_err();
    (status.code(), status.get_details_error_info().unwrap().reason)
}

#[tokio::test]
async fn it_is_alive_and_not_ready() {
    let (running, channel) = started().await;
    assert_eq!(health(&channel, LIVENESS).await, Told::Serving);
    for service in ["", READINESS, CUSTOMERS] {
        assert_eq!(health(&channel, service).await, Told::NotServing, "{service:?}");
    }
    drop(channel);
    assert_eq!(running.stop().await, Drained::Whole);
}

#[tokio::test]
async fn every_refusal_of_the_gate_has_its_reason_on_the_wire() {
    let (_running, channel) = started().await;
    let who_am_i = "/clientele.v1.AccessService/WhoAmI";
    let plain = || Request::new(WhoAmIRequest {});
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
async fn stopping_ends_open_watches_and_closes_the_port() {
    let (running, channel) = started().await;
    let address = running.address();
    let asked = HealthCheckRequest { service: LIVENESS.to_owned() };
    let mut watch = HealthClient::new(channel).watch(asked).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), Told::Serving);
    assert_eq!(running.stop().await, Drained::Whole);
    assert!(watch.message().await.unwrap().is_none());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_address_in_use_is_named_with_what_to_do() {
    let (running, _channel) = started().await;
    let jwks = with_a_key();
    let mut config = config(jwks.path());
    config.listen = running.address();
    let said = start(config).await.err().unwrap().to_string();
    let wanted =
        format!("{} is in use: stop what listens there, or choose another address with --listen", running.address());
    assert_eq!(said, wanted);
}
