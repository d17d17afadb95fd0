//! Large batches have permits of their own: a flood of them leaves sessions and processors to all other calls.

use std::time::Duration;

use clientele::grpc::pb;
use tonic::{Code, Request};

use crate::{
    modify_customer_tags::{pair, tagging},
    world::{Client, World, assert_refused, database, until},
};

/// A server that runs one large batch at once, and waits long for locks.
async fn world() -> World {
    World::start_with(database().await, |config| {
        config.database.pool_size = 8;
        config.database.lock_timeout = Duration::from_secs(19);
        config.database.statement_timeout = Duration::from_secs(20);
    })
    .await
}

fn batch(ids: &[String], tag: &str) -> pb::ModifyCustomerTagsRequest {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    tagging(&ids, &[tag], &[])
}

async fn tag_within(
    client: &Client,
    batch: pb::ModifyCustomerTagsRequest,
    time: Duration,
) -> Result<(), tonic::Status> {
    let mut request = Request::new(batch);
    request.set_timeout(time);
    client.customers().modify_customer_tags(request).await.map(drop)
}

#[tokio::test]
async fn one_large_batch_runs_for_eight_sessions_and_the_next_waits_or_is_overloaded_while_small_ones_pass() {
    let world = world().await;
    let (acme, ada, bob) = pair(&world).await;
    let (first, second) = (world.copies(&ada.id, 201).await, world.copies(&ada.id, 201).await);
    let other = acme.member(pb::Role::Member).await;
    // A batch with a new tag would also lock the account's lists.
    acme.admin.tag(&[&ada.id], &["first", "second", "small", "one", "two"], &[]).await.unwrap();
    let mut lock = world.sql().await;
    sqlx::raw_sql("begin").execute(&mut lock).await.unwrap();
    let id: uuid::Uuid = first[0].parse().unwrap();
    sqlx::query("select from customers where id = $1 for update").bind(id).execute(&mut lock).await.unwrap();

    // The first has the permit and waits for the lock.
    let running = tokio::spawn({
        let (admin, first) = (acme.admin.clone(), batch(&first, "first"));
        async move { tag_within(&admin, first, Duration::from_secs(30)).await }
    });
    until("the first batch waits for the lock", || async {
        let waits =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut world.sql().await).await.unwrap() == 1
    })
    .await;
    // The second gets none in half of its time. A batch of 200 rows needs none.
    let refused = tag_within(&other, batch(&second, "second"), Duration::from_secs(1)).await;
    let refused = assert_refused(refused, Code::ResourceExhausted, "OVERLOADED");
    assert!(tonic_types::StatusExt::get_details_retry_info(&refused).is_some());
    tag_within(&other, batch(&second[..200], "small"), Duration::from_secs(20)).await.unwrap();
    other.tag(&[&bob.id], &["small"], &[]).await.unwrap();
    // It counts what is written: 101 customers with two tags.
    let ids: Vec<&str> = second[..101].iter().map(String::as_str).collect();
    let refused = tag_within(&other, tagging(&ids, &["one", "two"], &[]), Duration::from_secs(1)).await;
    assert_refused(refused, Code::ResourceExhausted, "OVERLOADED");
    let archive = pb::ArchiveCustomersRequest { customer_ids: second.clone(), ..Default::default() };
    let mut archive = Request::new(archive);
    archive.set_timeout(Duration::from_secs(1));
    assert_refused(other.customers().archive_customers(archive).await, Code::ResourceExhausted, "OVERLOADED");
    let to = acme.child("north").await.account;
    let transfer = pb::TransferCustomersRequest { customer_ids: second.clone(), account_id: to, ..Default::default() };
    let mut transfer = Request::new(transfer);
    transfer.set_timeout(Duration::from_secs(1));
    assert_refused(acme.admin.customers().transfer_customers(transfer).await, Code::ResourceExhausted, "OVERLOADED");

    // With time, it waits until the first has ended.
    let waiting = tokio::spawn({
        let (other, second) = (other.clone(), batch(&second, "second"));
        async move { tag_within(&other, second, Duration::from_secs(30)).await }
    });
    sqlx::raw_sql("rollback").execute(&mut lock).await.unwrap();
    running.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
}
