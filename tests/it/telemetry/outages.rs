//! A collector that is down, slow or dead loses spans; it delays no call, and a stopping server by at most three seconds.

use std::time::{Duration, Instant};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use super::{
    collector::Collector,
    scrape::{Scrape, scrape},
};
use crate::{
    pki::{Authority, Pair},
    world::{World, customer, database, until},
};

/// Three seconds for the collector, and three more for a busy machine.
const BOUND: Duration = Duration::from_secs(6);
const CALLS: usize = 40;

/// A server that records all traces and sends them to this address.
async fn watched(endpoint: &str) -> World {
    World::start_with(database().await, |config| {
        config.telemetry.otlp_endpoint = Some(endpoint.to_owned());
        config.telemetry.sample_ratio = 1.0;
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await
}

/// Calls succeed; then the server stops in time.
async fn calls_and_stops(world: World) {
    calls(&world).await;
    stops(world).await;
}

async fn calls(world: &World) {
    let admin = world.tenant("acme").await.admin;
    for number in 0..CALLS {
        let made = admin.create(customer(&format!("Ada {number}"))).await.unwrap();
        admin.get(&made.id).await.unwrap();
    }
}

async fn stops(world: World) {
    let stopping = Instant::now();
    world.server.stop().await;
    let took = stopping.elapsed();
    assert!(took < BOUND, "stopping took {took:?}");
}

fn spans(scrape: &Scrape, lost: bool) -> f64 {
    let of = |labels: &[(&str, &str)]| scrape.value("otel_sdk_exporter_span_exported_total", labels);
    let lost_ones = of(&[("error_type", "export_failed")]);
    if lost { lost_ones } else { of(&[]) - lost_ones }
}

#[tokio::test]
async fn a_collector_behind_tls_gets_spans_only_if_its_certificate_is_trusted() {
    let (collector, authority) = (Collector::start().await, Authority::new());
    let port = behind_tls(&authority.server(), collector.endpoint.trim_start_matches("http://").to_owned()).await;
    let watched = async |believed: &Authority| {
        let believed = believed.file();
        World::start_with(database().await, |config| {
            config.telemetry.otlp_endpoint = Some(format!("https://localhost:{port}"));
            config.telemetry.otlp_ca = Some(believed);
            config.telemetry.sample_ratio = 1.0;
        })
        .await
    };
    calls_and_stops(watched(&Authority::new()).await).await;
    assert!(collector.spans().is_empty());
    calls_and_stops(watched(&authority).await).await;
    assert!(collector.spans().len() > CALLS);
}

/// A port that forwards TLS connections to an address.
async fn behind_tls(pair: &Pair, address: String) -> u16 {
    let acceptor = pair.acceptor(&["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                let mut outside = acceptor.accept(stream).await?;
                let mut inside = TcpStream::connect(address).await?;
                copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    port
}

#[tokio::test]
async fn a_collector_that_is_down_delays_no_call_and_lost_spans_are_counted() {
    // A port that is bound, so that no other process gets it, and on which nothing listens.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let world = watched(&format!("http://{}", held.local_addr().unwrap())).await;
    calls(&world).await;
    until("lost spans are counted", async || spans(&scrape(&world).await, true) > 0.0).await;
    stops(world).await;
}

#[tokio::test]
async fn a_collector_that_never_answers_delays_no_call() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let holding = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    calls_and_stops(watched(&endpoint).await).await;
    holding.abort();
}

#[tokio::test]
async fn a_collector_that_dies_loses_only_spans_that_it_did_not_get() {
    let collector = Collector::start().await;
    let world = watched(&collector.endpoint).await;
    calls(&world).await;
    until("spans arrive", async || !collector.spans().is_empty()).await;
    until("they are counted", async || spans(&scrape(&world).await, false) > 0.0).await;
    drop(collector);
    calls_and_stops_again(world).await;
}

/// The same in the existing tenant.
async fn calls_and_stops_again(world: World) {
    let admin = world.tenant("globex").await.admin;
    for number in 0..CALLS {
        admin.create(customer(&format!("Bob {number}"))).await.unwrap();
    }
    stops(world).await;
}

#[tokio::test]
async fn a_dropped_server_does_not_wait_for_a_collector() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = watched(&format!("http://{}", silent.local_addr().unwrap())).await;
    calls(&world).await;
    let dropping = Instant::now();
    drop(world);
    assert!(dropping.elapsed() < BOUND, "dropping took {:?}", dropping.elapsed());
}
