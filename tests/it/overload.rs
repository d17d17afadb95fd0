//! More calls than permits, and searches that use all their connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clientele::grpc::pb;
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::world::{
    Client, World, assert_refused, at_once, customer, database, manual_approval, repeat_at_once, retry_delay, until,
    wait_for_locks, wait_in_line,
};

/// The number of the service's sessions that wait for a lock.
pub(crate) async fn locked_out(database: &PgConnectOptions) -> i64 {
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and application_name = 'clientele' and wait_event_type = 'Lock'";
    sqlx::query_scalar(waiting).fetch_one(&mut database.connect().await.unwrap()).await.unwrap()
}

async fn search(client: Client) -> Result<usize, Status> {
    let request = pb::SearchCustomersRequest { query: "ada".to_owned(), ..Default::default() };
    Ok(client.customers().search_customers(request).await?.into_inner().results.len())
}

#[tokio::test]
async fn stuck_searches_do_not_delay_other_calls() {
    let world = World::start_with(database().await, |config| {
        wait_for_locks(config);
        config.database.search_pool_size = 2;
        config.load.max_in_flight = 4;
        wait_in_line(config);
    })
    .await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let mut holder = world.sql().await;
    sqlx::raw_sql("begin; lock table customer_search in access exclusive mode").execute(&mut holder).await.unwrap();

    // Two run, four wait for a session, two are in the queue: one principal has at most three quarters of the permits.
    let searches = tokio::spawn(repeat_at_once(20, {
        let client = acme.admin.over(world.channel());
        move || search(client.clone())
    }));
    until("all sessions of searches are stuck", async || locked_out(&world.database).await == 2).await;

    let reads = at_once((0..4).map(|_| {
        let (client, id) = (acme.admin.clone(), ada.id.clone());
        async move { client.get(&id).await }
    }));
    for read in reads.await {
        assert_eq!(read.unwrap(), ada);
    }
    assert!(!searches.is_finished() && locked_out(&world.database).await == 2, "they still are");

    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    let (found, refused): (Vec<_>, Vec<_>) = searches.await.unwrap().into_iter().partition(Result::is_ok);
    assert_eq!((found.len(), refused.len()), (8, 12));
    assert!(found.into_iter().all(|found| found.unwrap() == 1));
    for refused in refused {
        let refused = assert_refused(refused, Code::ResourceExhausted, "OVERLOADED");
        assert!(retry_delay(&refused).is_some());
    }
}

#[tokio::test]
async fn a_mutation_holds_its_permit_until_it_ends_even_if_its_caller_is_gone() {
    let world = World::start_with(database().await, |config| {
        wait_for_locks(config);
        config.load.max_in_flight = 1;
        config.load.queue_timeout = Duration::from_millis(50);
    })
    .await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let mut holder = world.sql().await;
    sqlx::raw_sql("begin; select from customers for update").execute(&mut holder).await.unwrap();
    let mutation = tokio::spawn({
        let (client, id) = (acme.admin.clone(), ada.id.clone());
        async move { client.approve(&id).await }
    });
    until("the mutation runs", async || locked_out(&world.database).await == 1).await;

    for _ in 0..2 {
        let refused = assert_refused(acme.admin.get(&ada.id).await, Code::ResourceExhausted, "OVERLOADED");
        assert!(retry_delay(&refused).is_some());
        mutation.abort();
    }
    // Health still answers SERVING.
    let request = HealthCheckRequest { service: "liveness".to_owned() };
    HealthClient::new(world.channel()).check(request).await.unwrap();

    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    until("the mutation has ended", async || acme.admin.get(&ada.id).await.is_ok()).await;
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().status(), pb::CustomerStatus::Active);
}

#[tokio::test]
async fn a_flood_of_slow_calls_by_one_principal_leaves_places_for_others() {
    let world = World::start_with(database().await, |config| {
        wait_for_locks(config);
        config.load.max_in_flight = 8;
        config.load.queue_timeout = Duration::from_millis(100);
        config.database.pool_size = 12;
    })
    .await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let newcomer = acme.member(pb::Role::Viewer).await;
    let mut holder = world.sql().await;
    sqlx::raw_sql("begin; select from customers for update").execute(&mut holder).await.unwrap();

    let turned_away = Arc::new(AtomicUsize::new(0));
    let flood = tokio::spawn(repeat_at_once(20, {
        let (client, id, turned_away) = (acme.admin.over(world.channel()), ada.id.clone(), Arc::clone(&turned_away));
        move || {
            let (client, id, turned_away) = (client.clone(), id.clone(), Arc::clone(&turned_away));
            async move {
                let approved = client.approve(&id).await;
                turned_away.fetch_add(usize::from(approved.is_err()), Ordering::Relaxed);
                approved
            }
        }
    }));
    until("the flood has its places", async || locked_out(&world.database).await == 6).await;
    for _ in 0..3 {
        assert_eq!(newcomer.get(&ada.id).await.unwrap().id, ada.id);
    }
    let refused = assert_refused(acme.admin.get(&ada.id).await, Code::ResourceExhausted, "OVERLOADED");
    assert!(retry_delay(&refused).is_some());
    assert_eq!(locked_out(&world.database).await, 6, "the flood still has them");
    // Those that still queue would get a place when the first ones end.
    until("the others are refused", async || turned_away.load(Ordering::Relaxed) == 14).await;

    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    let (approved, refused): (Vec<_>, Vec<_>) = flood.await.unwrap().into_iter().partition(Result::is_ok);
    assert_eq!((approved.len(), refused.len()), (6, 14));
    for refused in refused {
        assert_refused(refused, Code::ResourceExhausted, "OVERLOADED");
    }
}
