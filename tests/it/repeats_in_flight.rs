//! Concurrent creates with one request_id: one is executed, the others get its answer or REQUEST_IN_FLIGHT.

use std::time::Duration;

use clientele::{
    config::Config,
    grpc::pb::{self, NameUniqueness},
};
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    repeats::create,
    world::{
        World, assert_refused, customer, database, full_customer, manual_approval, reason, request_id, wait_for_locks,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_concurrent_repeats_make_one_customer() {
    let world = World::start().await;
    for rule in [NameUniqueness::None, NameUniqueness::Tenant] {
        let acme = world.tenant_with("acme", rule, pb::AccountPolicies::default()).await;
        // Without custom IDs, the only unique key of the first tenant's customer is that of the request itself.
        let asked = if rule == NameUniqueness::None { customer("Copaco") } else { full_customer("Copaco") };
        let before = world.rows().await;
        let request = request_id();
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let (client, asked, request) = (acme.admin.clone(), asked.clone(), request.clone());
            calls.spawn(async move { create(&client, asked, &request).await });
        }
        let mut ids = std::collections::HashSet::new();
        let mut fresh = 0;
        for result in calls.join_all().await {
            match result {
                Ok(answer) => {
                    fresh += usize::from(!answer.replayed);
                    ids.insert(answer.customer.unwrap().id);
                }
                Err(status) => {
                    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "REQUEST_IN_FLIGHT"));
                    assert!(status.get_details_retry_info().is_some());
                }
            }
        }
        assert_eq!((ids.len(), fresh), (1, 1));
        let after = world.rows().await;
        assert_eq!((after[0] - before[0], after[4] - before[4]), (1, 1), "customers and stored answers");
        let again = create(&acme.admin, asked, &request).await.unwrap();
        assert!(again.replayed && ids.contains(&again.customer.unwrap().id));
    }
}

#[tokio::test]
async fn while_the_first_call_runs_a_repeat_is_in_flight() {
    let patient = |config: &mut Config| config.database.lock_timeout = Duration::from_secs(3);
    let world = World::start_with(database().await, patient).await;
    let acme = world.tenant("acme").await;
    let request = request_id();
    create(&acme.admin, customer("Ada"), &request).await.unwrap();
    // The first call between its write and its commit: its row in `requests` exists, but no other session sees it.
    let mut first = world.sql().await;
    let mut row = world.sql().await;
    sqlx::raw_sql("create temporary table kept as select * from requests; delete from requests")
        .execute(&mut first)
        .await
        .unwrap();
    sqlx::raw_sql("begin; insert into requests select * from kept").execute(&mut first).await.unwrap();
    let unseen: i64 = sqlx::query_scalar("select count(*) from requests").fetch_one(&mut row).await.unwrap();
    assert_eq!(unseen, 0);
    let customers = world.rows().await[0];

    let refused =
        assert_refused(create(&acme.admin, customer("Ada"), &request).await, Code::Aborted, "REQUEST_IN_FLIGHT");
    assert!(refused.get_details_retry_info().is_some(), "the same bytes may succeed");

    let waiting = tokio::spawn({
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { create(&client, customer("Ada"), &request).await }
    });
    let waits = "select exists (
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
    )";
    crate::world::until("the repeat waits for the first call", async || {
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut world.sql().await).await.unwrap()
    })
    .await;
    sqlx::raw_sql("commit").execute(&mut first).await.unwrap();
    assert!(waiting.await.unwrap().unwrap().replayed, "the first call ended soon enough");
    assert_eq!(world.rows().await[0], customers);
}

#[tokio::test]
async fn while_this_server_runs_the_first_call_a_repeat_waits_and_is_in_flight() {
    let world = World::start_with(database().await, |config| {
        wait_for_locks(config);
        // The first call has one session. Repeats need none to wait, and one to find who calls.
        config.database.pool_size = 2;
    })
    .await;
    let acme = world.tenant_with("acme", NameUniqueness::None, manual_approval()).await;
    let id = acme.admin.create(customer("Ada")).await.unwrap().id;
    let approve = |request: &str| {
        let (client, customer_id, request_id) = (acme.admin.clone(), id.clone(), request.to_owned());
        async move {
            let request = pb::ApproveCustomerRequest { customer_id, request_id, ..Default::default() };
            client.customers().approve_customer(request).await.map(tonic::Response::into_inner)
        }
    };
    let mut holder = world.sql().await;
    sqlx::raw_sql("begin; select from customers for update").execute(&mut holder).await.unwrap();
    let request = request_id();
    let first = tokio::spawn(approve(&request));
    let waits = "select exists (
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
    )";
    crate::world::until("the first call waits for the row", async || {
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut world.sql().await).await.unwrap()
    })
    .await;
    for spelled in [request.clone(), request.to_uppercase()] {
        let refused = assert_refused(approve(&spelled).await, Code::Aborted, "REQUEST_IN_FLIGHT");
        assert!(refused.get_details_retry_info().is_some(), "the same bytes may succeed");
    }
    let repeats = JoinSet::from_iter((0..4).map(|_| approve(&request)));
    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    assert!(!first.await.unwrap().unwrap().replayed);
    for repeat in repeats.join_all().await {
        match repeat {
            Ok(answer) => assert!(answer.replayed),
            Err(status) => assert_eq!(reason(&status), "REQUEST_IN_FLIGHT"),
        }
    }
    assert!(approve(&request).await.unwrap().replayed);
}
