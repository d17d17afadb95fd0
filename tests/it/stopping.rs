//! A server that stops, as after SIGTERM.

use std::{net::SocketAddr, time::Duration};

use clientele::{grpc::pb, server::DrainOutcome};
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use uuid::Uuid;

use crate::world::{Client, World, connect, customer, database, manual_approval, until, wait_for_locks};

/// A drain limit that is longer than the drain in any test here.
const BOUND: Duration = Duration::from_secs(8);

/// A server with a running mutation, which waits for a row that another session has locked.
struct Busy {
    world: World,
    database: PgConnectOptions,
    address: SocketAddr,
    admin: Client,
    ada: String,
    holder: PgConnection,
    mutation: JoinHandle<Result<pb::Customer, Status>>,
}

impl Busy {
    async fn start(drain: Duration) -> Self {
        let world = World::start_with(database().await, |config| {
            wait_for_locks(config);
            config.limits.drain_timeout = drain;
        })
        .await;
        let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
        let ada = acme.admin.create(customer("Ada")).await.unwrap().id;
        let mut holder = world.sql().await;
        sqlx::raw_sql("begin; select from customers for update").execute(&mut holder).await.unwrap();
        let (client, id) = (acme.admin.over(world.channel()), ada.clone());
        let mutation = tokio::spawn(async move { client.approve(&id).await });
        until("the mutation runs", || waits(&world.database)).await;
        let (database, address) = (world.database.clone(), world.server.address());
        Self { world, database, address, admin: acme.admin, ada, holder, mutation }
    }
}

/// Whether a call waits for a lock.
async fn waits(database: &PgConnectOptions) -> bool {
    let mut sql = database.connect().await.unwrap();
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and application_name = 'clientele' and wait_event_type = 'Lock'";
    sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut sql).await.unwrap() > 0
}

/// The customer's status and its events, as the database has them.
async fn kept(database: &PgConnectOptions, id: &str) -> (String, i64) {
    let query =
        "select status, (select count(*) from events e where e.customer_id = c.id) from customers c where id = $1";
    let mut sql = database.connect().await.unwrap();
    sqlx::query_as(query).bind(Uuid::parse_str(id).unwrap()).fetch_one(&mut sql).await.unwrap()
}

#[tokio::test]
async fn a_stopping_server_finishes_running_calls_and_takes_no_new_ones() {
    let mut busy = Busy::start(BOUND).await;
    let request = HealthCheckRequest { service: "readiness".to_owned() };
    let mut watch = HealthClient::new(busy.world.channel()).watch(request).await.unwrap().into_inner();
    while watch.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}

    let stopped = tokio::spawn(busy.world.server.stop());

    let mut last = ServingStatus::Serving;
    while let Ok(Some(answer)) = timeout(BOUND, watch.message()).await.expect("the watch ends").map_err(drop) {
        last = answer.status();
    }
    assert_eq!(last, ServingStatus::NotServing);
    until("no connection is accepted", async || TcpStream::connect(busy.address).await.is_err()).await;
    // Also on an existing connection.
    let refused = busy.admin.get(&busy.ada).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(!stopped.is_finished() && !busy.mutation.is_finished(), "the mutation runs");

    sqlx::raw_sql("commit").execute(&mut busy.holder).await.unwrap();

    assert_eq!(busy.mutation.await.unwrap().unwrap().status(), pb::CustomerStatus::Active);
    assert_eq!(stopped.await.unwrap(), DrainOutcome::Complete);
    assert_eq!(kept(&busy.database, &busy.ada).await, ("ACTIVE".to_owned(), 2));
}

#[tokio::test]
async fn during_the_drain_delay_health_is_not_serving_and_calls_still_succeed() {
    let world = World::start_with(database().await, |config| config.limits.drain_delay = 100 * BOUND).await;
    let address = world.server.address();
    let admin = world.tenant("acme").await.admin;
    let health_of = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        HealthClient::new(connect(address)).check(request).await.unwrap().into_inner().status()
    };
    until("it is ready", async || health_of("readiness").await == ServingStatus::Serving).await;

    let stopping = tokio::spawn(world.server.stop());

    until("health is NOT_SERVING", async || health_of("readiness").await == ServingStatus::NotServing).await;
    assert_eq!(health_of("liveness").await, ServingStatus::Serving);
    admin.over(connect(address)).create(customer("Ada")).await.unwrap();
    assert!(!stopping.is_finished());

    stopping.abort();
    until("no connection is accepted", async || TcpStream::connect(address).await.is_err()).await;
}

#[tokio::test]
async fn a_stopping_server_finishes_a_mutation_whose_caller_is_gone() {
    let mut busy = Busy::start(BOUND).await;
    busy.mutation.abort();
    assert!(busy.mutation.await.unwrap_err().is_cancelled());
    let stopped = tokio::spawn(busy.world.server.stop());
    until("no connection is accepted", async || TcpStream::connect(busy.address).await.is_err()).await;
    assert!(!stopped.is_finished());

    sqlx::raw_sql("commit").execute(&mut busy.holder).await.unwrap();

    assert_eq!(stopped.await.unwrap(), DrainOutcome::Complete);
    assert_eq!(kept(&busy.database, &busy.ada).await, ("ACTIVE".to_owned(), 2));
}

#[tokio::test]
async fn calls_that_do_not_end_in_time_are_cut_off() {
    let busy = Busy::start(Duration::from_millis(300)).await;
    assert_eq!(timeout(BOUND, busy.world.server.stop()).await, Ok(DrainOutcome::TimedOut));
    drop(busy.holder);
}

#[tokio::test]
async fn idle_connections_and_watches_do_not_delay_a_stop() {
    let world = World::start().await;
    let admin = world.tenant("acme").await.admin;
    let ada = admin.create(customer("Ada")).await.unwrap();
    let mut watches = Vec::new();
    for service in ["", "liveness", "readiness", "clientele.v1.CustomerService"] {
        let channel = connect(world.server.address());
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut watch = HealthClient::new(channel).watch(request).await.unwrap().into_inner();
        watch.message().await.unwrap().unwrap();
        watches.push(watch);
    }

    admin.get(&ada.id).await.unwrap();

    assert_eq!(timeout(BOUND, world.server.stop()).await, Ok(DrainOutcome::Complete));
    drop(watches);
}
