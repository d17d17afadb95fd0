//! Creations in one account that are in flight at once: they are written together, and each gets what it would get alone.

use std::{collections::BTreeSet, time::Duration};

use clientele::grpc::pb::{self, NameUniqueness, Role};
use tonic::{Code, Status};

use crate::{
    bounded_reads::largest,
    telemetry::scrape::scrape,
    world::{
        Client, TestAccount, World, at_once, customer, database, full_customer, mask, production_database, reason,
        request_id, unknown_id, until, wait_in_line,
    },
};

type Answered = Result<pb::CreateCustomerResponse, Status>;

/// A creation, and what becomes of it.
#[derive(Clone)]
struct Asked {
    client: Client,
    request: pb::CreateCustomerRequest,
    /// The reason of its refusal, if it is refused.
    refused: Option<&'static str>,
}

impl Asked {
    async fn call(self) -> Answered {
        Ok(self.client.customers().create_customer(self.request).await?.into_inner())
    }
}

/// How often this statement was sent, or waited for.
async fn statements(world: &World, name: &str) -> f64 {
    scrape(world).await.value("db_client_operation_duration_seconds_count", &[("db_query_summary", name)])
}

/// A creation of a customer with every field.
fn new(client: &Client, name: &str) -> Asked {
    let full = full_customer(name);
    let customer = pb::Customer { order_reference: format!("order {name}"), sales_person_id: String::new(), ..full };
    let customer = pb::Customer { branch_id: String::new(), ..customer };
    let request =
        pb::CreateCustomerRequest { customer: Some(customer), request_id: request_id(), ..Default::default() };
    Asked { client: client.clone(), request, refused: None }
}

/// A creation that is changed so that it is refused.
fn refused(client: &Client, name: &str, why: &'static str, change: impl FnOnce(&mut pb::Customer)) -> Asked {
    let mut asked = new(client, name);
    change(asked.request.customer.as_mut().unwrap());
    Asked { refused: Some(why), ..asked }
}

/// A server in which calls wait for their turn, and which counts its statements.
async fn patient_and_measured() -> World {
    World::start_with(database().await, |config| {
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
        wait_in_line(config);
        // Large messages share the window of one connection: on a slow machine the last of them takes long to arrive.
        config.load.message_timeout = Duration::from_secs(60);
    })
    .await
}

async fn strict_tenant(world: &World) -> TestAccount {
    world.tenant_with("acme", NameUniqueness::Account, pb::AccountPolicies::default()).await
}

/// The principal's subject in the event of a creation, and other parts of it.
async fn creation(client: &Client, id: &str) -> pb::CustomerEvent {
    let events = client.events(id).await.unwrap();
    let creations: Vec<_> =
        events.into_iter().filter(|event| event.r#type() == pb::CustomerEventType::Created).collect();
    assert_eq!(creations.len(), 1);
    creations.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixed_callers_create_at_once_what_each_creates_alone() {
    let world = patient_and_measured().await;
    let acme = strict_tenant(&world).await;
    let dealer = acme.child("dealer").await;
    new(&acme.admin, "Taken").call().await.unwrap();
    assert!(statements(&world, "customers.create_together").await < 0.5, "who is alone waits for nobody");

    let members = [acme.admin.clone(), acme.member(Role::Member).await, acme.member(Role::Member).await];
    let mut all = Vec::new();
    for round in 0..3 {
        for (place, client) in members.iter().enumerate() {
            for count in 0..6 {
                all.push(new(client, &format!("Customer {round} {place} {count}")));
            }
            let name = format!("Refused {round} {place}");
            all.push(refused(client, "taken", "NAME_TAKEN", |customer| {
                customer.custom_ids.clear();
                customer.order_reference.clear();
            }));
            all.push(refused(client, &name, "CUSTOM_ID_TAKEN", |customer| {
                customer.custom_ids.insert("erp".to_owned(), "taken-00123".to_owned());
            }));
            all.push(refused(client, &name, "ORDER_REFERENCE_TAKEN", |customer| {
                customer.order_reference = "order Taken".to_owned();
            }));
            all.push(refused(client, &name, "RATE_PLAN_NOT_FOUND", |customer| customer.rate_plan_id = unknown_id()));
            all.push(refused(client, &name, "INVALID_FIELDS", |customer| customer.branch_id = unknown_id()));
        }
        for count in 0..6 {
            all.push(new(&dealer.admin, &format!("Customer {round} {count}")));
        }
    }
    let answers = at_once(all.iter().cloned().map(Asked::call)).await;
    let (mut made, mut traces) = (Vec::new(), BTreeSet::new());
    for (answer, asked) in answers.into_iter().zip(&all) {
        let name = &asked.request.customer.as_ref().unwrap().name;
        match asked.refused {
            Some(why) => assert_eq!(reason(&answer.unwrap_err()), why, "{name}"),
            None => {
                let created = answer.unwrap().customer.unwrap();
                assert_eq!(&created.name, name);
                assert_eq!(asked.client.get(&created.id).await.unwrap(), created);
                let event = creation(&asked.client, &created.id).await;
                assert_eq!(event.request_id, asked.request.request_id);
                assert_eq!(event.principal, created.created_by, "each event has its own author");
                assert!(traces.insert(event.trace_id), "each creation has a trace of its own");
                made.push((asked.clone(), created));
            }
        }
    }
    assert_eq!(made.len(), 3 * (3 + 1) * 6);
    let authors: BTreeSet<_> = made.iter().map(|(_, made)| made.created_by.as_ref().unwrap().subject.clone()).collect();
    assert_eq!(authors.len(), 3);

    let repeats = at_once(made.iter().map(|(asked, _)| asked.clone().call())).await;
    for (repeat, (_, made)) in repeats.into_iter().zip(&made) {
        let repeat = repeat.unwrap();
        assert!(repeat.replayed);
        assert_eq!(repeat.customer.as_ref(), Some(made));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creations_at_once_share_statements_and_keep_their_order() {
    let world = patient_and_measured().await;
    let acme = world.tenant("acme").await;
    let clients = [acme.admin.clone(), acme.member(Role::Member).await];
    let before = statements(&world, "customers.create").await;
    let all: Vec<_> = (0..64).map(|count| new(&clients[count % 2], &format!("Customer {count}"))).collect();
    let made = at_once(all.into_iter().map(Asked::call)).await;
    assert!(made.into_iter().all(|made| made.is_ok()));
    let sent = statements(&world, "customers.create").await - before;
    assert!(sent < 63.5, "64 creations took {sent} statements");
    let mut sql = world.sql().await;
    let disordered: i64 = sqlx::query_scalar(
        "select count(*) from events created join events changed using (customer_id, xid)
         where created.type = 'CREATED' and changed.type = 'CUSTOM_IDS_CHANGED' and changed.seq < created.seq",
    )
    .fetch_one(&mut sql)
    .await
    .unwrap();
    assert_eq!(disordered, 0, "a customer is created before it changes");
}

/// Makes every row of a customer take a while, so that those that come meanwhile wait.
async fn slow_inserts(world: &World) {
    let slow =
        "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.02); return new; end';
                create trigger slow before insert on customers for each row execute function slow()";
    sqlx::raw_sql(slow).execute(&mut world.sql().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slice_whose_session_is_lost_loses_and_doubles_nothing() {
    let world = World::start_with(production_database().await, wait_in_line).await;
    let acme = world.tenant("acme").await;
    slow_inserts(&world).await;
    let all: Vec<_> = (0..40).map(|count| new(&acme.admin, &format!("Customer {count}"))).collect();
    let calls: Vec<_> = all.iter().cloned().map(|asked| tokio::spawn(asked.call())).collect();
    let sql = world.sql().await;
    // What takes longer than one row is a slice.
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
               where datname = current_database() and application_name = 'clientele' and state = 'active'
                 and clock_timestamp() - query_start > interval '60 ms'";
    let sql = tokio::sync::Mutex::new(sql);
    until("a slice is on its way", async || {
        sqlx::query_scalar::<_, i64>(end).fetch_one(&mut *sql.lock().await).await.unwrap() > 0
    })
    .await;
    let mut sql = sql.into_inner();
    for call in calls {
        if let Err(failed) = call.await.unwrap() {
            assert_eq!(failed.code(), Code::Unavailable, "{failed:?}");
        }
    }
    let repeats = at_once(all.into_iter().map(Asked::call)).await;
    assert!(repeats.into_iter().all(|repeat| repeat.is_ok()));
    let (customers, creations, answers): (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from customers), (select count(*) from events where type = 'CREATED'),
                (select count(*) from requests where customer_id is not null)",
    )
    .fetch_one(&mut sql)
    .await
    .unwrap();
    assert_eq!([customers, creations, answers], [40; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_at_the_size_limit_make_no_other_creation_fail() {
    let world = patient_and_measured().await;
    let acme = world.tenant("acme").await;
    let (large, small) = (acme.member(Role::Member).await, acme.member(Role::Member).await);
    let mut all = Vec::new();
    for count in 0..24 {
        let customer = pb::Customer {
            custom_ids: [].into(),
            order_reference: String::new(),
            ..largest(&format!("Large {count}"))
        };
        let mut asked = new(&large, "Large");
        asked.request.customer = Some(customer);
        all.push(asked);
        all.push(new(&small, &format!("Small {count}")));
    }
    let made = at_once(all.into_iter().map(Asked::call)).await;
    assert!(made.iter().all(Result::is_ok), "{:?}", made.into_iter().find_map(Result::err));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_waits_for_a_lock_fails_alone() {
    let world = World::start_with(database().await, |config| {
        config.database.lock_timeout = Duration::from_millis(300);
        wait_in_line(config);
    })
    .await;
    let acme = strict_tenant(&world).await;
    acme.admin.create(customer("Held")).await.unwrap();
    let mut holder = world.sql().await;
    let hold = "begin; update customers set name_key = 'other' where name = 'Held'";
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    let names = (0..40).map(|count| format!("Customer {count}")).chain((0..3).map(|_| "Held".to_owned()));
    let all: Vec<_> = names.map(|name| new(&acme.admin, &name)).collect();
    let answers = at_once(all.iter().rev().cloned().map(Asked::call)).await;
    for (answer, asked) in answers.into_iter().zip(all.iter().rev()) {
        match asked.request.customer.as_ref().unwrap().name.as_str() {
            "Held" => assert_eq!(reason(&answer.unwrap_err()), "CONTENDED"),
            _ => assert!(answer.is_ok(), "{answer:?}"),
        }
    }
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_changes_meanwhile_is_decided_on_anew() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let rename = |count: usize| {
        let account = pb::Account { id: acme.account.clone(), name: format!("Acme {count}"), ..Default::default() };
        let update_mask = Some(mask(&["name"]));
        pb::UpdateAccountRequest { account: Some(account), update_mask, ..Default::default() }
    };
    let mut calls = Vec::new();
    for count in 0..60 {
        let (asked, renaming) = (new(&acme.admin, &format!("Customer {count}")), rename(count));
        let admin = acme.admin.clone();
        calls.push(async move {
            if count % 10 == 5 {
                admin.accounts().update_account(renaming).await?;
            }
            asked.call().await
        });
    }
    let made = at_once(calls).await;
    for answer in made {
        // As alone: an account that changes all the time is contended.
        assert!(answer.as_ref().is_ok_and(|made| !made.replayed), "{answer:?}");
    }
}
