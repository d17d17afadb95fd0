//! Callers that hang up at random moments.

use std::{sync::Arc, time::Duration};

use clientele::{grpc::pb, server::DrainOutcome};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::world::{
    Client, TestAccount, World, at_once, customer, production_database, request_id, rounds, wait_in_line,
};

/// Number of customers in a batch.
const BATCH: usize = 20;
const CALLERS: usize = 16;
/// Half as many connections as there are callers.
const CONNECTIONS: usize = CALLERS / 2;
/// A transaction that is idle for longer is abandoned.
const FORSAKEN: Duration = Duration::from_millis(1_500);

/// A server with or without its guards, and customers in batches.
struct Fixture {
    world: World,
    acme: TestAccount,
    batches: Arc<Vec<Vec<String>>>,
    /// Customers whose creation was acknowledged.
    acknowledged: Vec<Uuid>,
    /// What a creation takes on this machine while all callers call.
    usual: Duration,
}

impl Fixture {
    async fn start(discard_unfinished: bool, detach: bool) -> Self {
        let world = World::start_with(production_database().await, |config| {
            // More calls at once than sessions: on a slow machine the last of them wait for one for more than a second.
            wait_in_line(config);
            config.database.pool_size = CONNECTIONS;
            config.database.discard_unfinished = discard_unfinished;
            config.limits.detach = detach;
        })
        .await;
        let acme = world.tenant("acme").await;
        let begun = Instant::now();
        let made = at_once((0..4 * BATCH).map(|n| {
            let admin = acme.admin.clone();
            async move { create(&admin, &format!("Batched {n}")).await.unwrap() }
        }))
        .await;
        let usual = begun.elapsed() * u32::try_from(CALLERS).unwrap() / u32::try_from(made.len()).unwrap();
        let batches = made.chunks(BATCH).map(|batch| batch.iter().map(Uuid::to_string).collect()).collect();
        Self { world, acme, batches: Arc::new(batches), acknowledged: made, usual }
    }

    /// Concurrent callers that call again and again and hang up early, after a moment between a fraction of what a call takes and many
    /// times as much.
    async fn load(&mut self, calls: usize) {
        let connections: Vec<_> = (0..4).map(|_| self.world.channel()).collect();
        let usual = self.usual;
        let callers = at_once((0..CALLERS).map(|caller| {
            let client = self.acme.admin.over(connections[caller % 4].clone());
            let batches = Arc::clone(&self.batches);
            async move {
                let mut acknowledged = Vec::new();
                for _ in 0..calls / CALLERS {
                    let patience = usual * (1 << random(11)) / 64;
                    if let Ok(Some(created)) = timeout(patience, any_call(&client, &batches)).await {
                        acknowledged.push(created);
                    }
                }
                acknowledged
            }
        }));
        self.acknowledged.extend(callers.await.into_iter().flatten());
    }

    /// All problems that are left after the calls.
    async fn damage(&self) -> Vec<String> {
        let mut damage = self.sessions_left().await;
        if damage.is_empty() {
            damage = self.broken_data().await;
        }
        damage
    }

    /// Sessions of the service that are still busy after some time, and locks.
    async fn sessions_left(&self) -> Vec<String> {
        let mut sql = self.world.sql().await;
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let (busy, forsaken, locks): (i64, i64, i64) = sqlx::query_as(
                "with session as (
                     select * from pg_stat_activity
                     where datname = current_database() and application_name = 'clientele'
                 )
                 select (select count(*) from session where state <> 'idle'),
                        (select count(*) from session where state like 'idle in transaction%'
                            and clock_timestamp() - state_change > $1 * interval '1 second'),
                        (select count(*) from session join pg_locks using (pid))",
            )
            .bind(FORSAKEN.as_secs_f64())
            .fetch_one(&mut sql)
            .await
            .unwrap();
            if forsaken > 0 {
                return vec![format!("{forsaken} sessions are left in a transaction, with {locks} locks")];
            }
            if (busy, locks) == (0, 0) {
                return Vec::new();
            }
            if Instant::now() > end {
                return vec![format!("{busy} sessions are still busy, with {locks} locks")];
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Data that is incomplete, or was acknowledged and is missing.
    async fn broken_data(&self) -> Vec<String> {
        let mut sql = self.world.sql().await;
        let mut damage = Vec::new();
        for (what, query) in [
            (
                "customers without the event of their creation",
                "select count(*) from customers c where not exists (
                     select from events e
                     where e.tenant_id = c.tenant_id and e.customer_id = c.id and e.type = 'CREATED' and e.revision = 1
                 )",
            ),
            (
                "customers without the stored answer of their creation",
                "select count(*) from customers c where not exists (
                     select from requests r
                     where r.tenant_id = c.tenant_id and r.customer_id = c.id and r.rpc like '%/CreateCustomer'
                 )",
            ),
            (
                "customers with more or fewer events than changes",
                "select count(*) from customers c where c.revision <> (
                     select count(*) from events e where e.tenant_id = c.tenant_id and e.customer_id = c.id
                 )",
            ),
            (
                "events and answers without a customer",
                "select (select count(*) from events e where e.customer_id is not null and not exists (
                     select from customers c where c.tenant_id = e.tenant_id and c.id = e.customer_id
                 )) + (select count(*) from requests r where r.customer_id is not null and not exists (
                     select from customers c where c.tenant_id = r.tenant_id and c.id = r.customer_id
                 ))",
            ),
            (
                "customers that are archived although their last event is another",
                "select count(*) from customers c where (c.archived_at is not null) is distinct from coalesce((
                     select e.type = 'ARCHIVED' from events e
                     where e.tenant_id = c.tenant_id and e.customer_id = c.id order by e.seq desc limit 1
                 ), false)",
            ),
            (
                "transactions that archived a part of a batch",
                "select count(*) from (
                     select from events where type in ('ARCHIVED', 'UNARCHIVED') group by xid having count(*) <> 20
                 ) part",
            ),
        ] {
            let count: i64 = sqlx::query_scalar(query).fetch_one(&mut sql).await.unwrap();
            if count > 0 {
                damage.push(format!("{count} {what}"));
            }
        }
        let lost: i64 = sqlx::query_scalar(
            "select count(*) from unnest($1::uuid[]) made where not exists (select from customers where id = made)",
        )
        .bind(&self.acknowledged)
        .fetch_one(&mut sql)
        .await
        .unwrap();
        if lost > 0 {
            damage.push(format!("{lost} creations acknowledged and not there"));
        }
        damage
    }

    /// Asserts that every session of the pool still works, and that there are not too many.
    async fn must_serve(&self) {
        let reads = at_once(self.acknowledged.iter().take(4 * BATCH).map(|id| {
            let (admin, ids) = (self.acme.admin.clone(), [id.to_string()]);
            // Each takes a session: unlike reads of one customer they are not gathered.
            async move { admin.batch_get(&ids).await }
        }));
        for read in reads.await {
            assert_eq!(read, Some(1));
        }
        let sessions: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and application_name = 'clientele'",
        )
        .fetch_one(&mut self.world.sql().await)
        .await
        .unwrap();
        assert!(usize::try_from(sessions).unwrap() <= CONNECTIONS, "{sessions} sessions of {CONNECTIONS}");
    }

    /// The processes of PostgreSQL that serve the service's sessions: a session that is closed and made anew has another one.
    async fn backends(&self) -> Vec<i32> {
        let query = "select pid from pg_stat_activity
             where datname = current_database() and application_name = 'clientele' order by pid";
        sqlx::query_scalar(query).fetch_all(&mut self.world.sql().await).await.unwrap()
    }

    /// Callers that read and give up after a moment between none and twice what a read takes; how many did.
    async fn read_impatiently(&self, calls: usize) -> usize {
        let connections: Vec<_> = (0..4).map(|_| self.world.channel()).collect();
        let ids: Arc<Vec<String>> = Arc::new(self.acknowledged.iter().map(Uuid::to_string).collect());
        let begun = Instant::now();
        self.acme.admin.batch_get(&ids).await;
        let usual = begun.elapsed();
        let callers = at_once((0..64).map(|caller| {
            let client = self.acme.admin.over(connections[caller % 4].clone());
            let ids = Arc::clone(&ids);
            async move {
                let mut gave_up = 0;
                for _ in 0..calls / 64 {
                    let patience = usual * u32::try_from(random(200)).unwrap() / 100;
                    gave_up += usize::from(timeout(patience, client.batch_get(&ids)).await.is_err());
                }
                gave_up
            }
        }));
        callers.await.into_iter().sum()
    }

    /// Number of archivings.
    async fn archivings(&self) -> i64 {
        let query = "select count(distinct xid) from events where type in ('ARCHIVED', 'UNARCHIVED')";
        sqlx::query_scalar(query).fetch_one(&mut self.world.sql().await).await.unwrap()
    }
}

/// A number below `below`.
fn random(below: u128) -> u128 {
    Uuid::new_v4().as_u128() % below
}

async fn create(client: &Client, name: &str) -> Option<Uuid> {
    let (customer, request_id) = (Some(customer(name)), request_id());
    let request = pb::CreateCustomerRequest { customer, request_id, ..Default::default() };
    let created = client.customers().create_customer(request).await.ok()?.into_inner().customer.unwrap();
    Some(Uuid::parse_str(&created.id).unwrap())
}

/// One call during which the caller may hang up. Returns the customer if a creation was acknowledged.
async fn any_call(client: &Client, batches: &[Vec<String>]) -> Option<Uuid> {
    let batch: Vec<&str> = batches[random(4) as usize].iter().map(String::as_str).collect();
    match random(10) {
        0..4 => create(client, "Stormy").await,
        4..6 => client.archive(&batch).await.map(|_| None).ok()?,
        6..8 => client.unarchive(&batch).await.map(|_| None).ok()?,
        _ => client.get(batch[0]).await.map(|_| None).ok()?,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_hang_up_leave_no_open_transaction_no_lock_and_no_half_write() {
    let mut fixture = Fixture::start(true, true).await;
    for _ in 0..rounds(3) {
        fixture.load(320).await;
        assert_eq!(fixture.damage().await, [""; 0]);
        fixture.must_serve().await;
    }
    assert!(fixture.archivings().await > 0 && fixture.acknowledged.len() > 4 * BATCH, "the load did nothing");
    assert_eq!(fixture.world.server.stop().await, DrainOutcome::Complete, "a mutation was left running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_without_detaching_leave_no_session_in_a_transaction() {
    let mut fixture = Fixture::start(true, false).await;
    for _ in 0..rounds(2) {
        fixture.load(320).await;
        assert_eq!(fixture.damage().await, [""; 0]);
        fixture.must_serve().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_give_up_close_no_session() {
    let fixture = Fixture::start(true, true).await;
    fixture.must_serve().await;
    let before = fixture.backends().await;
    assert_eq!(before.len(), CONNECTIONS, "every session is there");
    let mut gave_up = 0;
    for _ in 0..rounds(2) {
        gave_up += fixture.read_impatiently(640).await;
    }
    assert!(gave_up > 100, "only {gave_up} callers gave up");
    assert_eq!(fixture.damage().await, [""; 0]);
    fixture.must_serve().await;
    assert_eq!(fixture.backends().await, before, "a session was closed, and another one made");
    assert_eq!(fixture.world.server.stop().await, DrainOutcome::Complete, "a read was left running");
}

/// The positive control: shows that the tests above can fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_leases_and_detaching_the_same_load_does_damage() {
    let mut fixture = Fixture::start(false, false).await;
    for _ in 0..30 {
        fixture.load(320).await;
        if !fixture.damage().await.is_empty() {
            return;
        }
    }
    panic!("no damage was found: either the load is too small or the checks find nothing");
}
