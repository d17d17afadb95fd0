//! Messages that are never complete, or arrive slowly: they hold the bytes that have arrived and nothing else.

use std::time::Duration;

use clientele::{config::Config, grpc::pb};
use prost::Message as _;
use tonic::{Code, Status};

use crate::{
    messages::send,
    raw::{RawCall, RawConnection, connect, half_message},
    telemetry::scrape::scrape,
    world::{Client, World, assert_refused, customer, database, retry_delay, until},
};

const GET: &str = "/clientele.v1.CustomerService/GetCustomer";
const SEARCH: &str = "/clientele.v1.CustomerService/SearchCustomers";

/// A server with metrics, whose queue is as short as `serve` has it by default.
async fn world(adjust: impl FnOnce(&mut Config)) -> World {
    World::start_with(database().await, |config| {
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
        config.load.queue_timeout = Duration::from_millis(100);
        adjust(config);
    })
    .await
}

async fn raw(world: &World) -> RawConnection {
    connect(world.server.address()).await
}

async fn metric(world: &World, name: &str) -> f64 {
    scrape(world).await.value(name, &[])
}

/// Waits until so many calls are in flight.
async fn until_in_flight(world: &World, calls: usize) {
    let calls = f64::from(u32::try_from(calls).unwrap());
    until("the calls have begun", async || (metric(world, "clientele_calls_in_flight").await - calls).abs() < 0.1)
        .await;
}

async fn until_held(world: &World, least: f64, most: f64) {
    until("memory is held", async || (least..=most).contains(&metric(world, "clientele_memory_held_bytes").await))
        .await;
}

fn answered(status: Status) -> Result<(), Status> {
    if status.code() == Code::Ok { Ok(()) } else { Err(status) }
}

async fn search(client: &Client) -> Result<usize, Status> {
    let request = pb::SearchCustomersRequest { query: "ada".to_owned(), ..Default::default() };
    Ok(client.customers().search_customers(request).await?.into_inner().results.len())
}

#[tokio::test]
async fn half_messages_on_all_streams_of_a_connection_stop_nobody() {
    let world = world(|_| ()).await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let (connection, token) = (raw(&world).await, world.keys.token("stranger"));
    let mut halves: Vec<RawCall> = Vec::new();
    for _ in 0..256 {
        halves.push(connection.half(GET, &token, 10).await);
    }
    until_in_flight(&world, 256).await;

    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), ada);
    acme.admin.create(customer("Bob")).await.unwrap();
    assert_eq!(search(&acme.admin).await.unwrap(), 1);
    until_in_flight(&world, 256).await;
    for half in halves {
        half.reset();
    }
    until_held(&world, 0.0, 0.0).await;
}

#[tokio::test]
async fn half_searches_stop_no_search() {
    let world = world(|_| ()).await;
    let acme = world.tenant("acme").await;
    acme.admin.create(customer("Ada")).await.unwrap();
    let viewer = acme.member(pb::Role::Viewer).await;
    let bearer = format!("Bearer {}", viewer.token.unwrap());
    let headers = [("authorization", bearer.as_str()), ("clientele-account", acme.account.as_str())];
    let connection = raw(&world).await;
    let mut halves = Vec::new();
    for _ in 0..40 {
        let mut half = connection.begin(SEARCH, &headers).await;
        half.send(&half_message(10));
        halves.push(half);
    }
    until_in_flight(&world, 40).await;
    assert_eq!(search(&acme.admin).await.unwrap(), 1);
    until_in_flight(&world, 40).await;
    drop(halves);
}

#[tokio::test]
async fn a_message_that_is_not_complete_in_time_ends_its_call_and_its_memory_is_free() {
    let world = world(|config| config.load.message_timeout = Duration::from_secs(2)).await;
    let half = raw(&world).await.half(GET, &world.keys.token("stranger"), 100_000).await;
    // Every byte counts four times: as received, in the decoder, decoded, parsed.
    until_held(&world, 400_000.0, 420_000.0).await;
    let refused = assert_refused(answered(half.status().await), Code::DeadlineExceeded, "MESSAGE_INCOMPLETE");
    assert!(retry_delay(&refused).is_some() && refused.message().contains("2s"), "{refused:?}");
    until_held(&world, 0.0, 0.0).await;
}

#[tokio::test]
async fn a_message_in_pieces_is_served_when_it_is_complete() {
    let world = world(|_| ()).await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let message = pb::GetCustomerRequest { customer_id: ada.id, ..Default::default() }.encode_to_vec();
    let bearer = format!("Bearer {}", acme.admin.token.as_ref().unwrap());
    let headers = [("authorization", bearer.as_str()), ("clientele-account", acme.account.as_str())];
    let mut call = raw(&world).await.begin(GET, &headers).await;
    call.send(&[0, 0, 0]);
    until_in_flight(&world, 1).await;
    call.send(&[0]);
    call.send(&[u8::try_from(message.len()).unwrap()]);
    call.finish(&message);
    answered(call.status().await).unwrap();
}

#[tokio::test]
async fn half_a_message_without_a_valid_token_is_refused_at_once() {
    let world = world(|_| ()).await;
    let connection = raw(&world).await;
    let mut half = connection.begin(GET, &[]).await;
    half.send(&half_message(10));
    assert_refused(answered(half.status().await), Code::Unauthenticated, "TOKEN_MISSING");
    let half = connection.half(GET, "a.b.c", 10).await;
    assert_refused(answered(half.status().await), Code::Unauthenticated, "TOKEN_INVALID");
}

#[tokio::test]
async fn what_exceeds_the_memory_of_one_principal_is_overloaded_at_once_and_others_are_served() {
    // A principal has a quarter: 1 MiB.
    let world = world(|config| config.load.max_bytes_in_flight = 4 << 20).await;
    let acme = world.tenant("acme").await;
    let (connection, token) = (raw(&world).await, world.keys.token("stranger"));
    let first = connection.half(GET, &token, 200_000).await;
    until_held(&world, 800_000.0, 820_000.0).await;
    let second = connection.half(GET, &token, 200_000).await;
    let refused = assert_refused(answered(second.status().await), Code::ResourceExhausted, "OVERLOADED");
    assert!(retry_delay(&refused).is_some());
    until_held(&world, 800_000.0, 820_000.0).await;

    acme.admin.create(customer("Ada")).await.unwrap();
    let large = send(&acme.admin, GET, vec![0; 200_000]).await;
    assert_refused(large, Code::InvalidArgument, "MESSAGE_MALFORMED");

    first.reset();
    until_held(&world, 0.0, 0.0).await;
    let again = send(&world.subject("stranger"), GET, vec![0; 200_000]).await;
    assert_refused(again, Code::PermissionDenied, "NOT_A_MEMBER");
}
