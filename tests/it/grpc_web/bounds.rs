//! What a connection of HTTP/1.1 may hold, and for how long: no more and no longer than one of HTTP/2.

use std::{net::SocketAddr, time::Duration};

use clientele::{config::Config, grpc::pb, server::DrainOutcome};
use http::StatusCode;
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{BINARY, GET, Page, REPORT, TEXT, getting, page, with_grpc_web};
use crate::{
    billing_report::streams::{MANY, many, until_no_stream_works},
    raw::half_message,
    telemetry::scrape::scrape,
    world::{Client, World, assert_refused, customer, database, until},
};

/// Far longer than what is waited for.
const BOUND: Duration = Duration::from_secs(9);

async fn world(adjust: impl FnOnce(&mut Config)) -> World {
    World::start_with(database().await, |config| {
        with_grpc_web(config);
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
        adjust(config);
    })
    .await
}

async fn until_held(world: &World, bytes: std::ops::RangeInclusive<f64>) {
    until("memory is held", async || bytes.contains(&scrape(world).await.value("clientele_memory_held_bytes", &[])))
        .await;
}

/// The head of a call with a body of so many bytes.
fn head(content_type: &str, client: &Client, path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: server\r\ncontent-type: {content_type}\r\nauthorization: Bearer {}\r\n\
         clientele-account: {}\r\ncontent-length: {length}\r\n\r\n",
        client.token.as_ref().unwrap(),
        client.account.as_deref().unwrap_or_default(),
    )
}

/// Reads until the server closes the connection.
async fn until_closed(mut stream: TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    // The end, or a reset where bytes were not read.
    let _ = timeout(BOUND, stream.read_to_end(&mut read)).await.expect("it is closed");
    read
}

#[tokio::test]
async fn half_a_message_ends_its_call_in_time_and_its_connection_and_stops_nobody() {
    let world = world(|config| config.load.message_timeout = Duration::from_secs(1)).await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let half = half_message(100_000);
    let mut peers = Vec::new();
    for _ in 0..4 {
        let mut peer = TcpStream::connect(world.server.address()).await.unwrap();
        let head = head(BINARY, &acme.admin, GET, half.len() + 1);
        peer.write_all(&[head.as_bytes(), &half].concat()).await.unwrap();
        peers.push(peer);
    }
    // Every byte counts four times: as received, in the decoder, decoded, parsed.
    until_held(&world, 1_600_000.0..=1_700_000.0).await;
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), ada);
    for peer in peers {
        let read = String::from_utf8(until_closed(peer).await).unwrap();
        assert!(read.starts_with("HTTP/1.1 200") && read.contains("grpc-status: 4\r\n"), "{read}");
    }
    until_held(&world, 0.0..=0.0).await;
}

#[tokio::test]
async fn half_a_message_without_a_token_is_refused_at_once() {
    let world = world(|_| ()).await;
    let mut peer = TcpStream::connect(world.server.address()).await.unwrap();
    let begun = format!("POST {GET} HTTP/1.1\r\nhost: a\r\ncontent-type: {BINARY}\r\ncontent-length: 9\r\n\r\n\0");
    peer.write_all(begun.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    timeout(BOUND, peer.read_exact(&mut answer)).await.expect("an answer before the message").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    until_closed(peer).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_or_overloads_is_refused_as_over_http_2() {
    let world = world(|config| config.load.max_bytes_in_flight = 16 << 20).await;
    let acme = world.tenant("acme").await;
    let mut page = Page::open(world.server.address()).await;
    let large = getting(&"x".repeat(300 * 1024));
    let refused = page.call(BINARY, &acme.admin, GET, &large, &[]).await;
    assert_refused(refused.result(), Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn a_large_token_is_taken_and_a_larger_head_is_refused() {
    let world = world(|_| ()).await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let mut page = Page::open(world.server.address()).await;
    let padded = page.call(BINARY, &acme.admin, GET, &getting(&ada.id), &[("x-padding", &"p".repeat(60_000))]).await;
    assert_eq!(padded.message::<pb::GetCustomerResponse>().customer.unwrap().etag, ada.etag);
    let token = Client { token: Some("t".repeat(20_000)), ..acme.admin.clone() };
    let refused = page.call(BINARY, &token, GET, &getting(&ada.id), &[]).await;
    assert_refused(refused.result(), Code::Unauthenticated, "TOKEN_TOO_LARGE");

    let padding = "p".repeat(80_000);
    let too_large =
        page.send(page::request(BINARY, &acme.admin, GET, &getting(&ada.id), &[("x-padding", &padding)])).await;
    assert_eq!(too_large.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn an_idle_connection_is_closed_also_in_the_middle_of_a_head() {
    let world = world(|config| config.connections.idle_timeout = Duration::from_millis(300)).await;
    let acme = world.tenant("acme").await;
    let mut page = Page::open(world.server.address()).await;
    page.call(BINARY, &acme.admin, GET, &getting("x"), &[]).await.result().unwrap_err();
    until("the idle connection is closed", async || page.is_closed()).await;

    let mut peer = TcpStream::connect(world.server.address()).await.unwrap();
    let message = page::frame(&getting("x").encode_to_vec());
    let call = [head(BINARY, &acme.admin, GET, message.len()).into_bytes(), message, b"POST / HT".to_vec()].concat();
    peer.write_all(&call).await.unwrap();
    // As over HTTP/2, a peer that does not react is cut off after ten more seconds.
    let closed = timeout(BOUND * 2, peer.read_to_end(&mut Vec::new())).await;
    let _ = closed.expect("half a head holds no connection");
}

#[tokio::test]
async fn connections_of_both_protocols_share_the_limit() {
    let world = world(|config| config.connections.max = 2).await;
    let address = world.server.address();
    let admin = world.tenant("acme").await.admin;
    let page = Page::open(address).await;
    let third = TcpStream::connect(address).await.unwrap();
    assert!(until_closed(third).await.is_empty());
    drop(page);
    until("a connection is accepted again", async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let message = page::frame(&getting("x").encode_to_vec());
        let call = [head(BINARY, &admin, GET, message.len()).into_bytes(), message].concat();
        // A closed connection fails one of the two.
        stream.write_all(&call).await.is_ok() && stream.read_u8().await.is_ok()
    })
    .await;
}

/// A peer whose system buffers little.
async fn slow_reader(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address).await.unwrap()
}

fn reporting(client: &Client) -> Vec<u8> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let message = BASE64_STANDARD.encode(page::frame(&pb::StreamBillingReportRequest::default().encode_to_vec()));
    [head(TEXT, client, REPORT, message.len()), message].concat().into_bytes()
}

#[tokio::test]
async fn a_peer_that_takes_nothing_of_a_stream_is_cut_off() {
    let (world, acme, _) = many(MANY, |config| {
        with_grpc_web(config);
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
        config.connections.answer_timeout = Duration::from_millis(500);
    })
    .await;
    let mut peer = slow_reader(world.server.address()).await;
    peer.write_all(&reporting(&acme.admin)).await.unwrap();
    peer.readable().await.unwrap();
    until_no_stream_works(&world).await;
    until_held(&world, 0.0..=0.0).await;
    let read = until_closed(peer).await;
    assert!(!read.ends_with(b"0\r\n\r\n"), "the end of the stream never came");
}

#[tokio::test]
async fn a_stream_that_fails_later_ends_with_its_error_in_the_trailers() {
    let (world, acme, _) = many(MANY, |config| {
        with_grpc_web(config);
        config.database.stream_timeout = Duration::from_secs(1);
    })
    .await;
    let mut peer = slow_reader(world.server.address()).await;
    peer.write_all(&reporting(&acme.admin)).await.unwrap();
    until("the stream works", async || world.server.services().sessions()[2].used == 1).await;
    until_no_stream_works(&world).await;
    // Its time is over. Now the rest is read, by a client that understands the encoding.
    let answer = read_answer(peer).await;
    let ended = assert_refused(answer.result(), Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(answer.trailers.is_some() && !answer.messages.is_empty() && ended.get_details_error_info().is_some());
}

/// The answer to what the peer has asked.
async fn read_answer(mut peer: TcpStream) -> page::Answer {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n0\r\n\r\n") {
        assert_ne!(timeout(BOUND, peer.read_buf(&mut read)).await.unwrap().unwrap(), 0, "the answer has an end");
    }
    let end_of_head = read.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let (mut chunks, mut body) = (&read[end_of_head..], Vec::new());
    loop {
        let line = chunks.windows(2).position(|end| end == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&chunks[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            break;
        }
        body.extend_from_slice(&chunks[line + 2..][..length]);
        chunks = &chunks[line + 2 + length + 2..];
    }
    page::Answer::read(http::Response::new(body.into()), true)
}

#[tokio::test]
async fn a_stopping_server_closes_idle_connections_and_those_that_have_not_begun() {
    let world = world(|_| ()).await;
    let acme = world.tenant("acme").await;
    let mut page = Page::open(world.server.address()).await;
    page.call(BINARY, &acme.admin, GET, &getting("x"), &[]).await.result().unwrap_err();
    let mut half = TcpStream::connect(world.server.address()).await.unwrap();
    half.write_all(b"POST / HTTP/1.1\r\nhost").await.unwrap();
    assert_eq!(world.server.stop().await, DrainOutcome::Complete);
    until("the idle connection is closed", async || page.is_closed()).await;
    until_closed(half).await;
}
