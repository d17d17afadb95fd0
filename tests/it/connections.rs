//! Connections of clients: the limit, and silent peers.

use std::{net::SocketAddr, time::Duration};

use clientele::server::DrainOutcome;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::world::{World, connect, customer, database, until};

/// The client's preface and an empty SETTINGS frame, which a client sends first (RFC 9113, section 3.4).
pub(crate) const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Connected peers that do nothing more: one sends nothing, one stops in the middle of the preface, one starts HTTP/2
/// and then neither reads nor answers.
pub(crate) async fn stuck(address: SocketAddr) -> Vec<TcpStream> {
    let mut peers = Vec::new();
    for sent in [&HELLO[..0], &HELLO[..10], HELLO] {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(sent).await.unwrap();
        peers.push(peer);
    }
    peers
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_until_another_ends() {
    let world = World::start_with(database().await, |config| config.load.max_client_connections = 2).await;
    let address = world.server.address();
    let admin = world.tenant("acme").await.admin;
    let idle = TcpStream::connect(address).await.unwrap();

    let mut beyond = TcpStream::connect(address).await.unwrap();
    let read =
        timeout(Duration::from_secs(8), beyond.read_u8()).await.expect("it is closed before a silent peer times out");
    assert!(read.is_err(), "nothing is sent before");
    admin.create(customer("Ada")).await.unwrap();

    drop(idle);
    let again = || async { admin.over(connect(address)).create(customer("Bob")).await.is_ok() };
    until("a connection is accepted again", again).await;
}

#[tokio::test]
async fn stuck_peers_and_open_watches_do_not_delay_a_stop() {
    let world =
        World::start_with(database().await, |config| config.limits.drain_timeout = Duration::from_secs(60)).await;
    let address = world.server.address();
    let stuck = stuck(address).await;
    let request = HealthCheckRequest { service: "liveness".to_owned() };
    let mut watch = HealthClient::new(connect(address)).watch(request).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();

    assert_eq!(timeout(Duration::from_secs(20), world.server.stop()).await, Ok(DrainOutcome::Complete));
    assert!(watch.message().await.unwrap().is_none(), "the watch ended without an error");
    drop(stuck);
}
