//! A change of the tenant's rule on names while others hold its customers.

use clientele::grpc::pb::NameUniqueness as Rule;
use sqlx::Connection as _;
use tonic::Code;

use crate::{
    name_rule::set_rule,
    world::{World, assert_refused, customer, until},
};

/// When the statement that waits for a customer's lock began; none if there is none.
const WAITING: &str = "select query_start::text from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%set name_scope = case%'";

#[tokio::test]
async fn a_customer_that_somebody_holds_longer_than_a_lock_is_waited_for_does_not_end_the_change() {
    let world = World::in_production_with(|_| ()).await;
    let acme = world.tenant("acme").await;
    // More than one statement writes: the customer that is held is in the last one.
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    sqlx::query(
        "insert into customers
         select copy.* from customers c, generate_series(1, 1500) as n,
              lateral jsonb_populate_record(c, jsonb_build_object(
                  'id', '00000000-0000-7000-8000-' || lpad(n::text, 12, '0'), 'name', 'C' || n, 'name_key', 'c' || n
              )) as copy",
    )
    .execute(&mut world.sql().await)
    .await
    .unwrap();
    let mut sql = world.sql().await;
    let mut holder = sql.begin().await.unwrap();
    sqlx::query("select from customers where id = $1::uuid for update")
        .bind(&ada.id)
        .execute(&mut *holder)
        .await
        .unwrap();
    let changing = tokio::spawn({
        let (client, account) = (acme.admin.clone(), acme.account.clone());
        async move { set_rule(&client, &account, Rule::Tenant).await }
    });
    let waiting = async || {
        let found: Option<String> = sqlx::query_scalar(WAITING).fetch_optional(&mut world.sql().await).await.unwrap();
        found
    };
    until("the change waits for the customer", async || waiting().await.is_some()).await;
    let first = waiting().await;
    until("it tries again", async || waiting().await.is_some_and(|later| Some(later) != first)).await;

    // Meanwhile others are told to come again.
    let refused = acme.admin.create(customer("Bob")).await;
    assert_refused(refused, Code::Aborted, "CONTENDED");
    holder.rollback().await.unwrap();
    changing.await.unwrap().unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from customers where name_scope is distinct from tenant_id")
        .fetch_one(&mut world.sql().await)
        .await
        .unwrap();
    assert_eq!(left, 0, "all customers follow the rule");
}
