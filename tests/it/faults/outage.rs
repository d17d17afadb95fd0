//! PostgreSQL is killed, and started again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use clientele::{embedded::Durability, grpc::pb};
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::world::{
    Client, World, assert_refused, at_once, cluster, customer, database_in, manual_approval, principal, request_id,
    retry_delay, rounds, unknown_id, until,
};

/// A customer of the load: created and approved by calls that can be repeated, with their answers.
#[derive(Debug)]
struct Made {
    create: pb::CreateCustomerRequest,
    created: Option<pb::Customer>,
    approve: Option<pb::ApproveCustomerRequest>,
    approved: Option<pb::Customer>,
}

impl Made {
    fn new(name: &str) -> Self {
        let (customer, request_id) = (Some(customer(name)), request_id());
        let create = pb::CreateCustomerRequest { customer, request_id, ..Default::default() };
        Self { create, created: None, approve: None, approved: None }
    }

    /// Creates and approves it, until a call fails.
    async fn make(&mut self, client: &Client) -> Result<(), Status> {
        let answer = client.customers().create_customer(self.create.clone()).await?.into_inner();
        let customer_id = answer.customer.as_ref().unwrap().id.clone();
        self.created = answer.customer;
        let approve = pb::ApproveCustomerRequest { customer_id, request_id: request_id(), ..Default::default() };
        self.approve = Some(approve.clone());
        self.approved = client.customers().approve_customer(approve).await?.into_inner().customer;
        Ok(())
    }

    /// Repeats every call: an acknowledged call gets the same answer again, any other was done or is done now.
    async fn repeat(self, client: &Client) {
        let again = client.customers().create_customer(self.create).await.unwrap().into_inner();
        if let Some(created) = &self.created {
            assert_eq!((again.customer.as_ref(), again.replayed), (Some(created), true));
        }
        let customer_id = again.customer.unwrap().id;
        let approve = self.approve.unwrap_or_else(|| pb::ApproveCustomerRequest {
            customer_id: customer_id.clone(),
            request_id: request_id(),
            ..Default::default()
        });
        assert_eq!(approve.customer_id, customer_id);
        let again = client.customers().approve_customer(approve).await.unwrap().into_inner();
        if let Some(approved) = self.approved {
            assert_eq!((again.customer, again.replayed), (Some(approved), true));
        }
    }
}

/// The progress of the load.
#[derive(Default)]
struct Progress {
    made: AtomicUsize,
    unavailable: AtomicUsize,
    stop: AtomicBool,
}

/// Makes customers until it is stopped, whatever the answers are.
async fn load(client: Client, caller: usize, progress: Arc<Progress>) -> Vec<Made> {
    let mut all = Vec::new();
    while !progress.stop.load(Ordering::Relaxed) {
        let mut one = Made::new(&format!("Customer {caller} {}", all.len()));
        match one.make(&client).await {
            Ok(()) => drop(progress.made.fetch_add(1, Ordering::Relaxed)),
            Err(refused) => {
                let refused = assert_refused::<()>(Err(refused), Code::Unavailable, "DATABASE_UNAVAILABLE");
                assert!(retry_delay(&refused).is_some(), "it had a request_id");
                progress.unavailable.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(150)).await; // as a client does after RetryInfo
            }
        }
        all.push(one);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_postgresql_under_load_loses_and_doubles_no_acknowledged_write() {
    let mut postgres = cluster(Durability::Production).await;
    let world = World::start_with(database_in(&postgres, "wal_log").await, |_| ()).await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, manual_approval()).await;
    let progress = Arc::new(Progress::default());
    let callers: Vec<_> =
        (0..8).map(|caller| load(acme.admin.over(world.channel()), caller, Arc::clone(&progress))).collect();
    let load = tokio::spawn(at_once(callers));
    let passes = async |count: &AtomicUsize, more: usize, what| {
        let enough = count.load(Ordering::Relaxed) + more;
        until(what, async || count.load(Ordering::Relaxed) >= enough).await;
    };

    for _ in 0..rounds(2) {
        passes(&progress.made, 40, "the service works").await;
        postgres.crash().await.unwrap();
        passes(&progress.unavailable, 16, "callers get DATABASE_UNAVAILABLE").await;
        postgres.restart().await.unwrap();
        passes(&progress.made, 16, "the service has recovered").await;
    }
    progress.stop.store(true, Ordering::Relaxed);
    let made: Vec<Made> = load.await.unwrap().into_iter().flatten().collect();

    let all = i64::try_from(made.len()).unwrap();
    // No more at once than the server takes: a refusal would say nothing of what was kept.
    let mut made = made.into_iter();
    while !made.as_slice().is_empty() {
        at_once(made.by_ref().take(32).map(|one| {
            let client = acme.admin.clone();
            async move { Box::pin(one.repeat(&client)).await }
        }))
        .await;
    }
    let kept: (i64, i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from customers), (select count(distinct name) from customers),
                (select count(*) from customers where status = 'ACTIVE' and revision = 2),
                (select count(*) from events where customer_id is not null),
                (select count(*) from requests where customer_id is not null)",
    )
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap();
    assert_eq!(kept, (all, all, all, 2 * all, 2 * all), "customers, names, approved, events, answers");
}

/// The answers of each kind of call without a database.
async fn unavailable(world: &World, admin: &Client) {
    let can_retry = async |answer: Result<(), Status>| {
        retry_delay(&assert_refused(answer, Code::Unavailable, "DATABASE_UNAVAILABLE")).is_some()
    };
    let read = async || admin.get(&unknown_id()).await.map(drop);
    assert!(can_retry(read().await).await, "a read can be repeated");
    let who = world.subject("whoever").access().who_am_i(pb::WhoAmIRequest::default()).await.map(drop);
    assert!(can_retry(who).await, "a read can be repeated");

    for id in [String::new(), request_id()] {
        let can_be_repeated = !id.is_empty();
        let create =
            pb::CreateCustomerRequest { customer: Some(customer("Ada")), request_id: id.clone(), ..Default::default() };
        let create = admin.customers().create_customer(create).await.map(drop);
        assert_eq!(can_retry(create).await, can_be_repeated, "CreateCustomer");

        let approve =
            pb::ApproveCustomerRequest { customer_id: unknown_id(), request_id: id.clone(), ..Default::default() };
        let approve = admin.customers().approve_customer(approve).await.map(drop);
        assert_eq!(can_retry(approve).await, can_be_repeated, "ApproveCustomer");

        let archive = pb::ArchiveCustomersRequest {
            customer_ids: vec![unknown_id()],
            request_id: id.clone(),
            ..Default::default()
        };
        let archive = admin.customers().archive_customers(archive).await.map(drop);
        assert_eq!(can_retry(archive).await, can_be_repeated, "ArchiveCustomers");

        let add = pb::AddMemberRequest {
            principal: Some(principal("bob")),
            role: pb::Role::Member.into(),
            request_id: id.clone(),
            ..Default::default()
        };
        let add = admin.access().add_member(add).await.map(drop);
        assert_eq!(can_retry(add).await, can_be_repeated, "AddMember");

        // An operator is authenticated without the database.
        let create = pb::CreateTenantRequest {
            tenant: Some(pb::Tenant { name: "more".to_owned(), ..Default::default() }),
            first_admin: Some(principal("ada")),
            request_id: id,
            ..Default::default()
        };
        let create = world.operator().accounts().create_tenant(create).await.map(drop);
        assert_eq!(can_retry(create).await, can_be_repeated, "CreateTenant");
    }
}

async fn health(world: &World, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(world.channel()).check(request).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn without_its_database_a_server_starts_reports_it_and_recovers() {
    let mut postgres = cluster(Durability::Production).await;
    let database = database_in(&postgres, "wal_log").await;
    let before = World::start_with(database.clone(), |_| ()).await;
    let acme = before.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    until("it is ready", async || health(&before, "readiness").await == ServingStatus::Serving).await;

    postgres.crash().await.unwrap();

    let world = World::start_with(database, |_| ()).await;
    for (service, status) in [
        ("liveness", ServingStatus::Serving),
        ("readiness", ServingStatus::NotServing),
        ("", ServingStatus::NotServing),
        ("clientele.v1.CustomerService", ServingStatus::NotServing),
    ] {
        assert_eq!(health(&world, service).await, status, "{service:?} of the new server");
        // Otherwise one outage would stop all replicas at once.
        assert_eq!(health(&before, service).await, ServingStatus::Serving, "{service:?} of the old server");
    }
    // One server has no cached membership and the other has.
    unavailable(&world, &world.subject("whoever").acting_in(&acme.account)).await;
    unavailable(&before, &acme.admin).await;

    postgres.restart().await.unwrap();

    until("it is ready", async || health(&world, "readiness").await == ServingStatus::Serving).await;
    world.tenant("more").await;
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), ada);
}
