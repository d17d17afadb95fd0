//! A server's answers to invalid bytes and unknown paths, and its health and reflection services.

use bytes::{Buf as _, BufMut as _, Bytes};
use tokio_stream::{StreamExt as _, iter};
use tonic::{
    Code, Request, Response, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};

use crate::world::{Client, World, assert_refused, customer, database, until};
use clientele::{
    domain::requests::contract::{Access, RPCS},
    grpc::pb,
    store::migrations,
};

/// Raw bytes.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Sends these bytes as the message of the RPC at this path.
pub async fn send(client: &Client, path: &str, message: impl Into<Bytes>) -> Result<Bytes, Status> {
    let mut grpc = Grpc::new(client.intercepted());
    grpc.ready().await.unwrap();
    grpc.unary(Request::new(message.into()), path.parse().unwrap(), Raw).await.map(Response::into_inner)
}

/// No field has the number 0.
pub const NO_MESSAGE: &[u8] = &[0, 0];

#[tokio::test]
async fn invalid_bytes_are_malformed_and_large_messages_are_too_large() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let operator = world.operator();
    for rpc in RPCS {
        let client = if rpc.access == Access::Platform { &operator } else { &acme.admin };
        let malformed = send(client, rpc.path, NO_MESSAGE).await;
        assert_refused(malformed, Code::InvalidArgument, "MESSAGE_MALFORMED");
        let large = send(client, rpc.path, vec![0; 300 * 1024]).await;
        assert_refused(large, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
        // Authentication comes before the request.
        for message in [Bytes::from_static(NO_MESSAGE), vec![0; 300 * 1024].into()] {
            let unknown = send(&world.without_token(), rpc.path, message).await;
            assert_refused(unknown, Code::Unauthenticated, "TOKEN_MISSING");
        }
    }
    acme.admin.create(customer("Ada")).await.expect("the connection still works");
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    // Field 15000, a varint: from a newer client.
    let newer = [0xc0, 0xa9, 0x07, 0x01];
    send(&acme.admin, "/clientele.v1.AccountService/GetAccount", newer.to_vec()).await.unwrap();
}

#[tokio::test]
async fn a_path_that_is_no_rpc_is_unimplemented() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for client in [&acme.admin, &world.without_token()] {
        for path in ["/clientele.v1.CustomerService/Nothing", "/clientele.v1.Nothing/Nothing"] {
            assert_refused(send(client, path, Bytes::new()).await, Code::Unimplemented, "RPC_UNKNOWN");
        }
        let elsewhere = send(client, "/other.v1.Other/Other", Bytes::new()).await.unwrap_err();
        assert_eq!(elsewhere.code(), Code::Unimplemented);
    }
}

/// The contract's services, and health and reflection.
const SERVICES: [&str; 6] = [
    "clientele.v1.AccessService",
    "clientele.v1.AccountService",
    "clientele.v1.CustomerService",
    "clientele.v1.ExchangeService",
    "clientele.v1.HistoryService",
    "grpc.health.v1.Health",
];

macro_rules! reflect {
    ($version:ident, $world:expr, $asked:ident($value:expr)) => {{
        use $version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest,
        };
        let asked = MessageRequest::$asked($value.to_owned());
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(asked) };
        match ServerReflectionClient::new($world.channel()).server_reflection_info(iter([request])).await {
            Ok(answers) => answers.into_inner().next().await.unwrap().map(|answer| answer.message_response.unwrap()),
            Err(refused) => Err(refused),
        }
    }};
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_versions_without_a_token() {
    let world = World::start().await;
    macro_rules! check_reflection {
        ($version:ident) => {{
            use $version::server_reflection_response::MessageResponse as Answer;
            let Answer::ListServicesResponse(list) = reflect!($version, world, ListServices("")).unwrap() else {
                panic!()
            };
            for name in SERVICES {
                assert!(list.service.iter().any(|service| service.name == name), "{name} in {list:?}");
            }
            // grpcurl needs the last one to show error details.
            for symbol in ["clientele.v1.Customer", "clientele.v1.Access", "google.rpc.ErrorInfo"] {
                let found = reflect!($version, world, FileContainingSymbol(symbol)).unwrap();
                assert!(matches!(found, Answer::FileDescriptorResponse(_)), "{symbol}: {found:?}");
            }
        }};
    }
    check_reflection!(v1);
    check_reflection!(v1alpha);
}

#[tokio::test]
async fn reflection_can_be_off() {
    let world = World::start_with(database().await, |config| config.reflection = false).await;
    assert_eq!(reflect!(v1, world, ListServices("")).unwrap_err().code(), Code::Unimplemented);
    assert_eq!(reflect!(v1alpha, world, ListServices("")).unwrap_err().code(), Code::Unimplemented);
}

async fn health(world: &World, service: &str) -> Result<ServingStatus, Status> {
    let asked = HealthCheckRequest { service: service.to_owned() };
    Ok(HealthClient::new(world.channel()).check(asked).await?.into_inner().status())
}

/// Waits until the server reports that it is ready.
pub async fn until_ready(world: &World) {
    until("the server is ready", async || health(world, "readiness").await.unwrap() == ServingStatus::Serving).await;
}

#[tokio::test]
async fn health_is_serving_without_a_token() {
    let world = World::start().await;
    until_ready(&world).await;
    for service in ["", "liveness", "readiness"].iter().chain(&SERVICES[..4]) {
        assert_eq!(health(&world, service).await.unwrap(), ServingStatus::Serving, "{service}");
    }
    assert_eq!(health(&world, "nothing").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_server_waits_for_its_schema_and_then_is_ready() {
    let world = unmigrated(database().await).await;
    assert_eq!(health(&world, "liveness").await.unwrap(), ServingStatus::Serving);
    for service in ["", "readiness"].iter().chain(&SERVICES[..4]) {
        assert_eq!(health(&world, service).await.unwrap(), ServingStatus::NotServing, "{service}");
    }
    let who = world.operator().access().who_am_i(pb::WhoAmIRequest::default()).await;
    assert!(who.is_err(), "there is no data yet: {who:?}");

    migrations::migrate(&world.database, || ()).await.unwrap();
    until_ready(&world).await;
    for service in [""].iter().chain(&SERVICES[..4]) {
        assert_eq!(health(&world, service).await.unwrap(), ServingStatus::Serving, "{service}");
    }
    world.tenant("acme").await;
}

/// A server on a database without a schema.
async fn unmigrated(database: sqlx::postgres::PgConnectOptions) -> World {
    use sqlx::ConnectOptions as _;
    let mut sql = database.connect().await.unwrap();
    sqlx::raw_sql("drop schema public cascade; create schema public").execute(&mut sql).await.unwrap();
    World::start_with(database, |_| ()).await
}
