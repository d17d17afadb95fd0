//! Statements that are stopped: by the server's limit, or in the database from outside. The error says which, that nothing was
//! written, and what would help.

use std::time::Duration;

use clientele::grpc::pb;
use sqlx::{Connection as _, PgConnection};
use tonic::{Code, Status};

use crate::world::{
    TestAccount, World, assert_refused, customer, database, manual_approval, retry_delay, until, wait_for_locks,
};

/// A server with this limit for statements, a pending customer, and a session that holds a lock on all customers which
/// readers wait for, too.
async fn locked(limit: Duration) -> (World, TestAccount, String, PgConnection) {
    let world = World::start_with(database().await, |config| {
        wait_for_locks(config);
        config.database.statement_timeout = limit;
    })
    .await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let id = acme.admin.create(customer("Ada")).await.unwrap().id;
    let mut holder = world.sql().await;
    sqlx::raw_sql("begin; lock table customers in access exclusive mode").execute(&mut holder).await.unwrap();
    (world, acme, id, holder)
}

/// A read, a search and two mutations of one customer, one with a request_id.
async fn calls(acme: &TestAccount, id: &str) -> [Result<(), Status>; 4] {
    let search = pb::SearchCustomersRequest { query: "ada".to_owned(), ..Default::default() };
    let approve =
        |request_id| pb::ApproveCustomerRequest { customer_id: id.to_owned(), request_id, ..Default::default() };
    let mut customers = std::array::from_fn::<_, 3, _>(|_| acme.admin.customers());
    let [one, two, three] = &mut customers;
    let (get, found, approved, repeatable) = tokio::join!(
        acme.admin.get(id),
        one.search_customers(search),
        two.approve_customer(approve(String::new())),
        three.approve_customer(approve(crate::world::request_id())),
    );
    [get.map(drop), found.map(drop), approved.map(drop), repeatable.map(drop)]
}

#[tokio::test]
async fn a_statement_at_its_time_limit_says_that_nothing_was_written_and_what_would_help() {
    let (world, acme, id, holder) = locked(Duration::from_secs(1)).await;
    for stopped in calls(&acme, &id).await {
        let stopped = assert_refused(stopped, Code::DeadlineExceeded, "STATEMENT_TIMEOUT");
        assert!(stopped.message().contains("Nothing was written"), "{stopped:?}");
        assert!(stopped.message().contains("a smaller page"), "{stopped:?}");
        assert_eq!(retry_delay(&stopped), None, "the same call is likely to take as long again");
    }
    holder.close().await.unwrap();
    assert_eq!(acme.admin.get(&id).await.unwrap().status(), pb::CustomerStatus::Pending);
    assert_eq!(world.rows().await[4], 0, "no stored answer");
}

#[tokio::test]
async fn a_statement_that_an_operator_cancels_says_so_and_can_be_repeated() {
    let (world, acme, id, holder) = locked(Duration::from_secs(20)).await;
    let mut sql = world.sql().await;
    let cancel = async {
        until("four statements wait", async || {
            let waiting = "select count(*) from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut world.sql().await).await.unwrap() == 4
        })
        .await;
        let cancel = "select pg_cancel_backend(pid) from pg_stat_activity
                      where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query(cancel).execute(&mut sql).await.unwrap();
    };
    let (stopped, ()) = tokio::join!(calls(&acme, &id), cancel);
    for stopped in stopped {
        let stopped = assert_refused(stopped, Code::Aborted, "STATEMENT_CANCELLED");
        assert!(retry_delay(&stopped).is_some(), "nothing was written");
    }
    holder.close().await.unwrap();
    assert_eq!(acme.admin.events(&id).await.unwrap().len(), 1, "created, and nothing since");
    acme.admin.approve(&id).await.unwrap();
}
