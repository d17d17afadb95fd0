//! Calls that exceed a deadline: the caller's or the server's, the error, and the result of the write.

use std::time::Duration;

use clientele::{config::Config, grpc::pb};
use sqlx::{Connection as _, PgConnection};
use tokio::{runtime::Builder, sync::oneshot, task::spawn_blocking, time::Instant};
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::world::{
    Client, TestAccount, World, assert_refused, connect, customer, database, manual_approval, mask, request_id,
    retry_delay, until, wait_for_locks,
};

/// A server, a pending customer, and another session that has locked the customer's row.
struct Locked {
    world: World,
    acme: TestAccount,
    ada: pb::Customer,
    holder: PgConnection,
}

impl Locked {
    async fn start(adjust: impl FnOnce(&mut Config)) -> Self {
        let world = World::start_with(database().await, adjust).await;
        let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
        let ada = acme.admin.create(customer("Ada")).await.unwrap();
        let mut holder = world.sql().await;
        sqlx::raw_sql("begin").execute(&mut holder).await.unwrap();
        let locked =
            sqlx::query("select from customers where id = $1 for update").bind(Uuid::parse_str(&ada.id).unwrap());
        assert_eq!(locked.execute(&mut holder).await.unwrap().rows_affected(), 1);
        Self { world, acme, ada, holder }
    }

    fn approve(&self, request_id: &str) -> pb::ApproveCustomerRequest {
        let (customer_id, request_id) = (self.ada.id.clone(), request_id.to_owned());
        pb::ApproveCustomerRequest { customer_id, request_id, ..Default::default() }
    }

    async fn status(&self) -> pb::CustomerStatus {
        self.acme.admin.get(&self.ada.id).await.unwrap().status()
    }

    /// Waits until so many calls wait for the lock.
    async fn waits(&self, calls: i64) {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and application_name = 'clientele' and wait_event_type = 'Lock'";
        until("calls wait for the lock", async || {
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut self.world.sql().await).await.unwrap() == calls
        })
        .await;
    }
}

/// Makes a call from a client whose clock is stopped. tonic's client reads `grpc-timeout` too; otherwise it would give
/// up by itself at about the moment when the server answers.
async fn by_the_servers_clock<T, F>(locked: &Locked, call: impl FnOnce(Client) -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (client, address) = (locked.acme.admin.clone(), locked.world.server.address());
    let own_clock = move || {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            // A stopped clock jumps forward when there is nothing to do, but not while a blocking task runs.
            let (done, held) = oneshot::channel::<()>();
            let hold = spawn_blocking(move || held.blocking_recv());
            let answer = call(client.over(connect(address))).await;
            drop(done);
            let _ = hold.await;
            answer
        })
    };
    spawn_blocking(own_clock).await.unwrap()
}

/// Approves with this header `grpc-timeout`.
async fn approve_within(locked: &Locked, timeout: &'static str) -> Result<(), Status> {
    let mut request = Request::new(locked.approve(""));
    request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
    by_the_servers_clock(locked, async |client| client.customers().approve_customer(request).await.map(drop)).await
}

#[tokio::test]
async fn a_callers_deadline_is_kept_and_the_mutation_still_finishes() {
    let mut locked = Locked::start(wait_for_locks).await;
    for timeout in ["200m", "150000u", "+90m"] {
        let started = Instant::now();
        let refused = approve_within(&locked, timeout).await;
        let refused = assert_refused(refused, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        assert_eq!(retry_delay(&refused), None, "a write may still take place");
        assert!(started.elapsed() < Duration::from_secs(10), "{timeout}: {:?}", started.elapsed());
    }
    assert_eq!(locked.status().await, pb::CustomerStatus::Pending);

    locked.waits(3).await;
    sqlx::raw_sql("commit").execute(&mut locked.holder).await.unwrap();

    until("the mutation is done", async || locked.status().await == pb::CustomerStatus::Active).await;
    assert_eq!(locked.acme.admin.events(&locked.ada.id).await.unwrap().len(), 2, "created, and approved once");
}

#[tokio::test]
async fn the_servers_deadline_limits_callers_without_one_or_with_a_longer_one() {
    let locked = Locked::start(|config| {
        wait_for_locks(config);
        config.limits.deadline = Duration::from_millis(300);
    })
    .await;
    let started = Instant::now();
    let refused = locked.acme.admin.approve(&locked.ada.id).await;
    assert_refused(refused, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert_refused(approve_within(&locked, "1H").await, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(started.elapsed() >= Duration::from_millis(600), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_read_does_not_wait_for_a_lock_and_may_have_a_short_deadline() {
    let locked = Locked::start(wait_for_locks).await;
    let mut request = Request::new(pb::GetCustomerRequest { customer_id: locked.ada.id.clone(), view: 0 });
    request.set_timeout(Duration::from_secs(5));
    let read = locked.acme.admin.customers().get_customer(request).await.unwrap().into_inner().customer.unwrap();
    assert_eq!(read.id, locked.ada.id);
}

#[tokio::test]
async fn a_lock_that_somebody_else_holds_is_contended_with_and_without_a_request_id() {
    let locked = Locked::start(|config| config.database.lock_timeout = Duration::from_millis(200)).await;
    let customers = || locked.acme.admin.customers();
    for id in [String::new(), request_id()] {
        let update = pb::UpdateCustomerRequest {
            customer: Some(pb::Customer { name: "Bob".to_owned(), ..locked.ada.clone() }),
            update_mask: Some(mask(&["name"])),
            request_id: id.clone(),
            ..Default::default()
        };
        let reject = pb::RejectCustomerRequest {
            customer_id: locked.ada.id.clone(),
            reason: "no".to_owned(),
            request_id: id.clone(),
            ..Default::default()
        };
        let archive = pb::ArchiveCustomersRequest {
            customer_ids: vec![locked.ada.id.clone()],
            request_id: id.clone(),
            ..Default::default()
        };
        for refused in [
            customers().approve_customer(locked.approve(&id)).await.map(drop),
            customers().update_customer(update).await.map(drop),
            customers().reject_customer(reject).await.map(drop),
            customers().archive_customers(archive).await.map(drop),
        ] {
            let refused = assert_refused(refused, Code::Aborted, "CONTENDED");
            assert!(retry_delay(&refused).is_some(), "nothing was written, so the same bytes can be sent again");
        }
    }
    assert_eq!(locked.acme.admin.get(&locked.ada.id).await.unwrap(), locked.ada);
}

#[tokio::test]
async fn a_create_that_waits_for_the_rule_on_names_is_contended() {
    let locked = Locked::start(|config| config.database.lock_timeout = Duration::from_millis(200)).await;
    let mut sql = locked.world.sql().await;
    sqlx::raw_sql("begin; select from tenants for update").execute(&mut sql).await.unwrap();
    assert_refused(locked.acme.admin.create(customer("Bob")).await, Code::Aborted, "CONTENDED");
    sql.close().await.unwrap();
    locked.acme.admin.create(customer("Bob")).await.unwrap();
}

#[tokio::test]
async fn when_all_connections_are_busy_a_call_waits_and_is_then_overloaded() {
    let wait = Duration::from_millis(300);
    let mut locked = Locked::start(|config| {
        wait_for_locks(config);
        config.database.pool_size = 2;
        config.database.pool_timeout = wait;
    })
    .await;
    let busy = [(), ()].map(|()| {
        let (client, id) = (locked.acme.admin.clone(), locked.ada.id.clone());
        tokio::spawn(async move { client.approve(&id).await })
    });
    locked.waits(2).await;

    let more = pb::CreateCustomerRequest { customer: Some(customer("Bob")), ..Default::default() };
    let started = Instant::now();
    for refused in [
        locked.acme.admin.get(&locked.ada.id).await.map(drop),
        locked.acme.admin.customers().create_customer(more).await.map(drop),
        locked.acme.admin.accounts().get_account(pb::GetAccountRequest::default()).await.map(drop),
    ] {
        let refused = assert_refused(refused, Code::ResourceExhausted, "OVERLOADED");
        assert!(retry_delay(&refused).is_some_and(|delay| !delay.is_zero()));
    }
    assert!(started.elapsed() >= 3 * wait && started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());

    sqlx::raw_sql("commit").execute(&mut locked.holder).await.unwrap();
    for done in busy {
        assert_eq!(done.await.unwrap().unwrap().status(), pb::CustomerStatus::Active);
    }
    locked.acme.admin.get(&locked.ada.id).await.unwrap();
}
