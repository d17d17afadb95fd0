//! Connections of clients: how many, how many of one peer, silent and idle ones; and what one connection may do.

use std::{net::SocketAddr, time::Duration};

use clientele::{config::Connections, server::DrainOutcome};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    frames::{END, Frames, GOAWAY, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, connect_from},
    world::{World, connect, customer, database, until},
};

/// The client's preface and an empty SETTINGS frame, which a client sends first (RFC 9113, section 3.4).
pub(crate) const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Far longer than what is waited for.
const BOUND: Duration = Duration::from_secs(8);

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

/// Asserts that the server closes this connection at once, without a word.
async fn assert_closed(mut connection: TcpStream) {
    let read = timeout(BOUND, connection.read_u8()).await.expect("it is closed before a silent peer times out");
    assert!(read.is_err(), "nothing is sent before");
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_until_another_ends() {
    let world = World::start_with(database().await, |config| config.connections.max = 2).await;
    let address = world.server.address();
    let admin = world.tenant("acme").await.admin;
    let idle = TcpStream::connect(address).await.unwrap();

    assert_closed(TcpStream::connect(address).await.unwrap()).await;
    admin.create(customer("Ada")).await.unwrap();

    drop(idle);
    let again = || async { admin.over(connect(address)).create(customer("Bob")).await.is_ok() };
    until("a connection is accepted again", again).await;
}

#[tokio::test]
async fn one_peer_cannot_take_all_connections_unless_it_is_a_trusted_proxy() {
    const GREEDY: [u8; 4] = [127, 0, 0, 2];
    const PROXY: [u8; 4] = [127, 0, 0, 3];
    const OTHER: [u8; 4] = [127, 0, 0, 4];
    let world = World::start_with(database().await, |config| {
        let proxy = "127.0.0.3/32".parse().unwrap();
        config.connections = Connections { max: 8, max_per_peer: 2, exempt: vec![proxy], ..config.connections.clone() };
    })
    .await;
    let address = world.server.address();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut frames = Frames::connect_from(GREEDY, address).await;
        assert!(frames.is_alive().await);
        held.push(frames);
    }
    for _ in 0..8 {
        assert_closed(connect_from(GREEDY, address).await).await;
    }
    for from in [OTHER, PROXY, PROXY, PROXY, PROXY] {
        let mut frames = Frames::connect_from(from, address).await;
        assert!(frames.is_alive().await, "{from:?}");
        held.push(frames);
    }
    // The ended connection makes room for one of the same peer.
    held.remove(0);
    until("the peer may connect again", async || Frames::connect_from(GREEDY, address).await.is_alive().await).await;
}

#[tokio::test]
async fn a_connection_without_a_call_gets_goaway_and_one_with_an_open_call_stays() {
    let world = World::start_with(database().await, |config| {
        config.connections.idle_timeout = Duration::from_millis(300);
    })
    .await;
    let address = world.server.address();
    let mut busy = Frames::connect(address).await;
    let watch = busy.call("/grpc.health.v1.Health/Watch", &[]).await;
    busy.data(watch, &[0; 5], true).await;
    busy.until(HEADERS, watch).await.expect("the watch begins");

    // Two, one after the other: the first is as old as the watch, the second was idle while the watch was open.
    for _ in 0..2 {
        let mut idle = Frames::connect(address).await;
        timeout(BOUND, async {
            while idle.next().await.expect("GOAWAY before the end").kind != GOAWAY {}
            while idle.next().await.is_some() {}
        })
        .await
        .expect("it is closed");
    }
    assert!(busy.is_alive().await, "its watch is open");
    busy.send(RST_STREAM, 0, watch, &[0, 0, 0, 8]).await;
    timeout(BOUND, async { while busy.next().await.is_some_and(|frame| frame.kind != GOAWAY) {} }).await.unwrap();
}

#[tokio::test]
async fn a_connection_has_small_windows_and_a_number_of_streams() {
    let world = World::start_with(database().await, |config| config.connections.max_streams = 3).await;
    let mut frames = Frames::connect(world.server.address()).await;
    let (mut settings, mut window) = (Vec::new(), 65_535);
    while settings.is_empty() || window == 65_535 {
        let frame = frames.next().await.expect("SETTINGS and WINDOW_UPDATE");
        match frame.kind {
            SETTINGS if frame.flags != END => settings = frame.payload,
            WINDOW_UPDATE => window += u32::from_be_bytes(frame.payload.try_into().unwrap()),
            _ => {}
        }
    }
    let setting = |id: u16| {
        let found = settings.chunks(6).find(|setting| setting[..2] == id.to_be_bytes());
        found.map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap()))
    };
    assert_eq!(window, 128 * 1024, "of the connection");
    assert_eq!([3, 4, 5, 6].map(setting), [Some(3), Some(65_535), Some(16_384), Some(73_728)]);

    // Three calls whose messages do not end; a fourth is refused unprocessed.
    for _ in 0..3 {
        frames.call("/clientele.v1.CustomerService/GetCustomer", &[]).await;
    }
    let fourth = frames.call("/clientele.v1.CustomerService/GetCustomer", &[]).await;
    assert_eq!(frames.until(RST_STREAM, fourth).await.unwrap().payload, [0, 0, 0, 7], "REFUSED_STREAM");
}

#[tokio::test]
async fn what_arrives_after_an_early_refusal_does_not_add_up_to_the_connections_end() {
    let world = World::start().await;
    let mut frames = Frames::connect(world.server.address()).await;
    for round in 0..1_500 {
        // Without a token it is refused before its message has arrived.
        let refused = frames.call("/clientele.v1.CustomerService/GetCustomer", &[]).await;
        let answer = frames.until(HEADERS, refused).await.expect("an answer");
        assert!(answer.ends(), "{answer:?}");
        // A client that does not look at answers before it has sent its message.
        frames.data(refused, &[0; 100], false).await;
        frames.data(refused, &[0; 100], true).await;
        if round % 100 == 0 {
            assert!(frames.is_alive().await, "after {round} refusals");
        }
    }
    assert!(frames.is_alive().await);
}

#[tokio::test]
async fn calls_that_are_refused_while_they_still_send_take_no_window_from_others() {
    let world = World::start().await;
    let mut frames = Frames::connect(world.server.address()).await;
    for _ in 0..20 {
        // The whole window of a stream, and it never ends; the client resets it.
        let refused = frames.call("/clientele.v1.CustomerService/GetCustomer", &[]).await;
        frames.until(HEADERS, refused).await.expect("an answer");
        for _ in 0..3 {
            frames.data(refused, &[0; 16 * 1024], false).await;
        }
        frames.send(RST_STREAM, 0, refused, &[0, 0, 0, 8]).await;
        assert!(frames.is_alive().await);
    }
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
