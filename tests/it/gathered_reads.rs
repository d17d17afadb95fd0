//! Reads of one customer that are in flight at once: they go to the database together, and each gets what it would get alone.

use std::{
    fmt::Debug,
    hash::{BuildHasher as _, RandomState},
};

use clientele::grpc::pb::{self, Reach, Role};
use tonic::{Code, Response, Status};

use crate::{
    access_look_ups::measured,
    billing::{activate, assign, chargeable, create_feature, create_plan, eur, feature, plan, set_limit},
    bounded_reads::largest,
    custom_ids::by,
    overload::locked_out,
    remove_member::{remove, removing},
    telemetry::scrape::scrape,
    world::{Client, World, at_once, customer, database, full_customer, unknown_id, until, wait_for_locks, wire},
};

/// What a read gives: the answer, or its refusal.
type Seen<T> = Result<T, (Code, String, Vec<u8>)>;

async fn read(client: Client, id: String) -> Seen<pb::Customer> {
    client.get(&id).await.map_err(|refused: Status| wire(&refused))
}

async fn look_up(client: Client, (value, system): (String, &str)) -> Seen<pb::LookupCustomerResponse> {
    let asked = pb::LookupCustomerRequest { view: pb::CustomerView::Full.into(), ..by(&value, system) };
    client.customers().lookup_customer(asked).await.map(Response::into_inner).map_err(|refused| wire(&refused))
}

/// How often rounds of gathered reads went to the database.
async fn rounds(world: &World, statement: &str) -> f64 {
    scrape(world).await.value("db_client_operation_duration_seconds_count", &[("db_query_summary", statement)])
}

/// Accounts of two tenants, their customers, and callers of every kind.
struct Mixed {
    world: World,
    /// Of customers, the last of none.
    ids: Vec<String>,
    callers: Vec<Client>,
}

impl Mixed {
    async fn start() -> Self {
        let world = measured().await;
        let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
        let dealer = acme.child("dealer").await;
        let site = dealer.child("site").await;
        let mut ids = Vec::new();
        for (at, account) in [&acme, &dealer, &site, &globex].into_iter().enumerate() {
            for reach in [Reach::Local, Reach::Fleet] {
                let name = format!("Customer {at} {}", reach.as_str_name());
                let asked = pb::Customer { reach: reach.into(), ..full_customer(&name) };
                let asked = pb::Customer { custom_ids: [("erp".to_owned(), name)].into(), ..asked };
                ids.push(account.admin.create(asked).await.unwrap().id);
            }
        }
        // What accounts below keep on customers of an account above, and what another account keeps on one below it.
        for (client, id) in [(&site.admin, &ids[1]), (&dealer.admin, &ids[1]), (&acme.admin, &ids[4])] {
            client.tag(&[id], &["ours"], &[]).await.unwrap();
        }
        // A value of several systems, and a former one.
        for (client, id, system, value) in [
            (&acme.admin, &ids[0], "crm", "7"),
            (&acme.admin, &ids[1], "dms", "7"),
            (&acme.admin, &ids[0], "dms", "8"),
            (&acme.admin, &ids[0], "dms", "9"),
            (&acme.admin, &ids[0], "shop", "9"),
            (&site.admin, &ids[1], "dms", "7"),
            (&globex.admin, &ids[6], "dms", "7"),
        ] {
            client.set_id(id, system, value).await.unwrap();
        }
        // One that more had than a round reads.
        let had = "insert into custom_ids (tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at)
                   select tenant_id, account_id, 'former' || n, 'worn', customer_id, 'worn', false, created_at
                   from custom_ids cross join generate_series(1, 150) n where value_key = '8'";
        sqlx::raw_sql(had).execute(&mut world.sql().await).await.unwrap();
        // What the statement of one customer asks functions for, and those of many by sub-selects: terms of customers from before the first
        // plan, of one that was put on another, of one with features; tags of the owner; a sales person that is gone.
        create_feature(&acme.admin, chargeable("voicemail")).await.unwrap();
        create_feature(&acme.admin, feature("caller-id")).await.unwrap();
        create_plan(&acme.admin, plan("First", &[("voicemail", 2)])).await.unwrap();
        let second = create_plan(&acme.admin, plan("Second", &[("voicemail", 3)])).await.unwrap();
        assign(&acme.admin, &ids[1], &second.id).await.unwrap();
        for (id, code) in
            [(&ids[1], "voicemail"), (&ids[2], "caller-id"), (&ids[2], "voicemail"), (&ids[5], "caller-id")]
        {
            set_limit(&acme.admin, id, Some(eur(50))).await.unwrap();
            activate(&acme.admin, id, code, 2).await.unwrap();
        }
        acme.admin.tag(&[&ids[0], &ids[1]], &["ours", "Élan"], &[]).await.unwrap();
        let sales_person_id = dealer.add("sam", Role::Member).await.member_id;
        let named = pb::Customer { id: ids[3].clone(), sales_person_id: sales_person_id.clone(), ..Default::default() };
        dealer.admin.update(named, &["sales_person_id"]).await.unwrap();
        remove(&dealer.admin, removing(&sales_person_id)).await.unwrap();
        acme.admin.archive(&[&ids[0]]).await.unwrap();
        ids.push(unknown_id());
        let callers = vec![
            acme.admin.clone(),
            acme.member(Role::Viewer).await,
            dealer.admin.clone(),
            dealer.member(Role::Member).await,
            site.admin.clone(),
            globex.admin.clone(),
            acme.admin.acting_in(&site.account),
            dealer.admin.narrowed_to(&ids[2]),
            site.admin.narrowed_to(&ids[1]),
        ];
        Self { world, ids, callers }
    }

    /// Whether every caller gets at once what it gets alone.
    async fn compare<K: Clone, T: PartialEq + Debug + Send + 'static, F: Future<Output = Seen<T>> + Send + 'static>(
        &self,
        keys: &[K],
        statement: &str,
        read: impl Fn(Client, K) -> F,
    ) {
        let mut alone = Vec::new();
        for caller in &self.callers {
            for key in keys {
                alone.push((caller.clone(), key.clone(), read(caller.clone(), key.clone()).await));
            }
        }
        let (found, absent) = alone.iter().partition::<Vec<_>, _>(|(.., seen)| seen.is_ok());
        assert!(found.len() > 20 && absent.len() > 20, "{} and {}", found.len(), absent.len());
        assert!(rounds(&self.world, statement).await < 0.5, "who is alone waits for nobody");

        // More than one round takes, in any order.
        for round in 0..5 {
            let mut asked: Vec<_> = alone.iter().chain(&alone).enumerate().collect();
            asked.sort_by_cached_key(|(at, _)| RandomState::new().hash_one((round, at)));
            let asked: Vec<_> = asked.into_iter().map(|(_, one)| one).collect();
            let reads = at_once(asked.iter().map(|(caller, key, _)| read(caller.clone(), key.clone()))).await;
            for (seen, (.., expected)) in reads.into_iter().zip(asked) {
                assert_eq!(&seen, expected);
            }
        }
        let calls = 10 * alone.len();
        let rounds = rounds(&self.world, statement).await;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let calls = calls as f64;
        assert!((1.0..calls / 4.0).contains(&rounds), "{rounds} rounds for {calls} calls");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixed_callers_get_at_once_what_each_gets_alone() {
    let mixed = Mixed::start().await;
    mixed.compare(&mixed.ids, "customers.get_gathered", read).await;
    // So does a batch, by a third statement.
    for caller in &mixed.callers {
        let mut alone = Vec::new();
        for id in &mixed.ids {
            alone.extend(read(caller.clone(), id.clone()).await.ok());
        }
        let view = pb::CustomerView::Full.into();
        let asked = pb::BatchGetCustomersRequest { customer_ids: mixed.ids.clone(), view };
        assert_eq!(caller.customers().batch_get_customers(asked).await.unwrap().into_inner().customers, alone);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixed_callers_look_up_at_once_what_each_finds_alone() {
    let mixed = Mixed::start().await;
    let names = (0..4)
        .flat_map(|at| [Reach::Local, Reach::Fleet].map(|reach| format!("customer {at} {}", reach.as_str_name())));
    let keys = names.map(|name| (name, "erp")).chain(
        [
            ("7", ""),
            ("7", "dms"),
            ("7", "crm"),
            ("8", ""),
            ("8", "dms"),
            ("9", ""),
            ("9", "shop"),
            ("never", ""),
            ("worn", ""),
            ("worn", "former7"),
        ]
        .map(|(value, system)| (value.to_owned(), system)),
    );
    let keys: Vec<_> = keys.collect();
    let ambiguous = look_up(mixed.callers[0].clone(), ("7".to_owned(), "")).await.unwrap_err();
    assert_eq!(ambiguous.0, Code::FailedPrecondition);
    assert!(look_up(mixed.callers[0].clone(), ("worn".to_owned(), "")).await.is_ok());
    mixed.compare(&keys, "customers.lookup_gathered", look_up).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_that_are_too_large_together_are_read_one_by_one() {
    let world = World::start_with(database().await, |config| {
        config.load.max_bytes_in_flight = 1024 * 1024 * 1024;
    })
    .await;
    let acme = world.tenant("acme").await;
    let first = acme.admin.create(largest("Customer 0")).await.unwrap();
    // Four megabytes and more.
    let ids: Vec<String> = std::iter::once(first.id.clone()).chain(world.copies(&first.id, 59).await).collect();
    for _ in 0..3 {
        let reads = at_once(ids.iter().map(|id| read(acme.admin.clone(), id.clone()))).await;
        for (seen, id) in reads.into_iter().zip(&ids) {
            let seen = seen.unwrap();
            assert_eq!((&seen.id, &seen.contacts), (id, &first.contacts));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_that_fails_is_read_again_one_by_one() {
    let world = World::start_with(database().await, wait_for_locks).await;
    let acme = world.tenant("acme").await;
    let mut ids = Vec::new();
    for count in 0..40 {
        ids.push(acme.admin.create(customer(&format!("Customer {count}"))).await.unwrap().id);
    }
    let mut holder = world.sql().await;
    sqlx::raw_sql("begin; lock table customers in access exclusive mode").execute(&mut holder).await.unwrap();
    let reads = ids.iter().map(|id| {
        let (client, id) = (acme.admin.clone(), id.clone());
        tokio::spawn(read(client, id))
    });
    let reads: Vec<_> = reads.collect();
    until("a read alone and a round wait", async || locked_out(&world.database).await >= 2).await;
    let ended = sqlx::query_scalar::<_, i64>(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity
         where datname = current_database() and application_name = 'clientele' and wait_event_type = 'Lock'",
    );
    assert!(ended.fetch_one(&mut holder).await.unwrap() >= 2);
    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    let mut failed = 0;
    for (read, id) in reads.into_iter().zip(&ids) {
        match read.await.unwrap() {
            Ok(seen) => assert_eq!(seen.id, *id),
            Err((code, ..)) => {
                assert_eq!(code, Code::Unavailable);
                failed += 1;
            }
        }
    }
    assert!(failed <= 1, "only what went out alone fails with its session: {failed}");
}
