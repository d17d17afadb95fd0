//! `created` and `updated` of SearchCustomers are times of decision; commits can come later. A poller that looks back as the
//! contract says misses nothing.

use std::time::Duration;

use clientele::grpc::pb;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use crate::world::{Client, World, customer, database, mask, until, wait_for_locks};

/// What a poller remembers: when it polled last, and the etags that it has seen, by customer.
struct Poller {
    client: Client,
    look_back: Duration,
    polled_at: Duration,
    seen: std::collections::BTreeMap<String, String>,
}

impl Poller {
    /// A poller whose first poll reads everything.
    fn new(client: &Client, look_back: Duration) -> Self {
        Self { client: client.clone(), look_back, polled_at: Duration::ZERO, seen: Default::default() }
    }

    /// Reads what changed since the last poll, and its look-back before.
    async fn poll(&mut self) {
        let begun = now();
        let since = self.polled_at.saturating_sub(self.look_back);
        let start_time = Some(prost_types::Timestamp {
            seconds: since.as_secs().try_into().unwrap(),
            nanos: since.subsec_nanos().try_into().unwrap(),
        });
        let mut page_token = String::new();
        loop {
            let request = pb::SearchCustomersRequest {
                updated: Some(pb::TimeRange { start_time, end_time: None }),
                order_by: "update_time".to_owned(),
                page_token: std::mem::take(&mut page_token),
                ..Default::default()
            };
            let found = self.client.customers().search_customers(request).await.unwrap().into_inner();
            let customers = found.results.into_iter().filter_map(|result| result.customer);
            self.seen.extend(customers.map(|customer| (customer.id, customer.etag)));
            page_token = found.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        self.polled_at = begun;
    }
}

fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
}

/// How many calls of the server wait for a lock.
async fn waiting(world: &World) -> i64 {
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and application_name = 'clientele' and wait_event_type = 'Lock'";
    sqlx::query_scalar(waiting).fetch_one(&mut world.sql().await).await.unwrap()
}

#[tokio::test]
async fn a_poller_that_looks_back_misses_nothing_that_was_held_up_between_decision_and_commit() {
    let mut deadline = Duration::ZERO;
    let world = World::start_with(database().await, |config| {
        wait_for_locks(config);
        config.database.pool_size = 16;
        deadline = config.limits.deadline;
    })
    .await;
    let acme = world.tenant("acme").await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(acme.admin.create(customer(&format!("C {number}"))).await.unwrap().id);
    }
    let margin = Duration::from_secs(20);
    let mut patient = Poller::new(&acme.admin, deadline + margin);
    let mut hasty = Poller::new(&acme.admin, Duration::ZERO);
    patient.poll().await;
    hasty.poll().await;

    // Updates are decided, and wait for the row's lock; creations, for the rule on names.
    let mut holder: PgConnection = world.sql().await;
    sqlx::raw_sql("begin; select from customers for update; select from tenants for update")
        .execute(&mut holder)
        .await
        .unwrap();
    let mut calls = JoinSet::new();
    for id in ids.clone() {
        let client = acme.admin.clone();
        calls.spawn(async move {
            let changed = pb::Customer { id, email: "new@company.nl".to_owned(), ..customer("") };
            let request = pb::UpdateCustomerRequest {
                customer: Some(changed),
                update_mask: Some(mask(&["email"])),
                ..Default::default()
            };
            client.customers().update_customer(request).await.unwrap().into_inner().customer.unwrap()
        });
    }
    for number in 0..4 {
        let client = acme.admin.clone();
        calls.spawn(async move { client.create(customer(&format!("New {number}"))).await.unwrap() });
    }
    until("all are decided and wait", async || waiting(&world).await == 10).await;
    // Both poll while they wait, and see none of it.
    for poller in [&mut patient, &mut hasty] {
        poller.poll().await;
        assert_eq!(poller.seen.len(), ids.len());
    }
    holder.close().await.unwrap();
    let changed = calls.join_all().await;

    for poller in [&mut patient, &mut hasty] {
        poller.poll().await;
    }
    let missed = |poller: &Poller| changed.iter().filter(|now| poller.seen.get(&now.id) != Some(&now.etag)).count();
    assert_eq!(missed(&patient), 0, "with the look-back nothing is lost");
    assert_eq!(missed(&hasty), changed.len(), "without it all of them are: the look-back is needed");
    // A poll later still repeats them, and changes nothing.
    let seen = patient.seen.clone();
    patient.poll().await;
    assert_eq!(patient.seen, seen);
}
