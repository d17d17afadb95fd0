//! Health and reflection, which anybody may call without a token: how many calls may be open, and how large a message may be.

use clientele::config::Connections;
use tonic::{Code, Status, Streaming};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

use crate::{
    frames::{Frames, HEADERS, RST_STREAM},
    world::{World, assert_refused, connect, customer, database, until},
};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
/// An empty message.
const EMPTY: &[u8] = &[0; 5];

async fn watch(client: &mut HealthClient<tonic::transport::Channel>) -> Result<Streaming<HealthCheckResponse>, Status> {
    let request = HealthCheckRequest { service: "liveness".to_owned() };
    client.watch(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_connection_has_16_health_watches_and_the_next_when_one_has_ended() {
    let world = World::start().await;
    let mut client = HealthClient::new(connect(world.server.address()));
    let mut watches = Vec::new();
    for _ in 0..16 {
        let mut watch = watch(&mut client).await.unwrap();
        watch.message().await.unwrap().unwrap();
        watches.push(watch);
    }
    assert_refused(watch(&mut client).await, Code::ResourceExhausted, "OVERLOADED");
    watch(&mut HealthClient::new(connect(world.server.address()))).await.expect("another connection has its own");
    let acme = world.tenant("acme").await;
    acme.admin.over(connect(world.server.address())).create(customer("Ada")).await.unwrap();

    watches.pop();
    until("there is a place again", async || watch(&mut client.clone()).await.is_ok()).await;
}

/// Opens a call without a token. Returns whether it stays open.
async fn opens(frames: &mut Frames, path: &str) -> bool {
    let call = frames.call(path, &[]).await;
    if path == WATCH {
        frames.data(call, EMPTY, true).await;
    }
    let answer = frames.until(HEADERS, call).await.expect("an answer");
    if answer.ends() {
        frames.send(RST_STREAM, 0, call, &[0, 0, 0, 8]).await;
    }
    !answer.ends()
}

#[tokio::test]
async fn a_peer_has_as_many_health_watches_and_reflection_calls_as_connections() {
    let world = World::start_with(database().await, |config| {
        config.connections = Connections { max_per_peer: 3, exempt: Vec::new(), ..config.connections.clone() };
    })
    .await;
    let address = world.server.address();
    let mut first = Frames::connect_from([127, 0, 0, 2], address).await;
    let mut second = Frames::connect_from([127, 0, 0, 2], address).await;
    assert!(opens(&mut first, WATCH).await);
    assert!(opens(&mut first, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo").await);
    assert!(opens(&mut second, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo").await);
    for path in [WATCH, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"] {
        assert!(!opens(&mut second, path).await, "{path}");
    }
    let mut other = Frames::connect_from([127, 0, 0, 3], address).await;
    assert!(opens(&mut other, WATCH).await, "another peer");
    drop(first);
    let second = tokio::sync::Mutex::new(second);
    let again = || async { opens(&mut *second.lock().await, WATCH).await };
    until("the places of the ended connection are free", again).await;
}

#[tokio::test]
async fn a_message_beyond_64_kib_is_refused_when_its_head_has_arrived() {
    let world = World::start().await;
    let mut frames = Frames::connect(world.server.address()).await;
    let size = |bytes: u32| [&[0][..], &bytes.to_be_bytes()].concat();
    for path in [CHECK, WATCH] {
        let call = frames.call(path, &[]).await;
        frames.data(call, &size(64 * 1024 + 1), false).await;
        assert!(frames.until(HEADERS, call).await.unwrap().ends(), "{path}");
    }
    // One of 60 KiB is taken: the name of a service that there is not.
    let call = frames.call(CHECK, &[]).await;
    let name = vec![b'x'; 60 * 1024 - 4];
    let message = [&size(60 * 1024)[..], &[0x0a, 0xfc, 0xdf, 0x03], &name].concat();
    for part in message.chunks(16 * 1024) {
        frames.data(call, part, false).await;
    }
    frames.data(call, &[], true).await;
    assert!(frames.until(HEADERS, call).await.unwrap().ends());
    assert!(frames.is_alive().await);
}
