//! Many concurrent callers on the same record, on a PostgreSQL with production settings.

mod rule;

use clientele::grpc::pb;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::world::{World, assert_refused, at_once, customer, manual_approval, mask, metadata, rounds};

/// The customer's revision, and the number of its events.
async fn revision_and_events(world: &World, id: &str) -> (i64, i64) {
    sqlx::query_as(
        "select revision, (select count(*) from events e where e.tenant_id = c.tenant_id and e.customer_id = c.id)
         from customers c where id = $1",
    )
    .bind(Uuid::parse_str(id).unwrap())
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_64_callers_with_one_etag_succeeds_and_the_others_get_etag_mismatch() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let connections = [world.channel(), world.channel(), world.channel(), world.channel()];

    let answers = at_once((0..64).map(|caller| {
        let (client, etag) = (acme.admin.over(connections[caller % 4].clone()), ada.etag.clone());
        let changed = pb::Customer { id: ada.id.clone(), legal_name: format!("Ada {caller}"), ..Default::default() };
        async move {
            let (customer, update_mask) = (Some(changed), Some(mask(&["legal_name"])));
            let request = pb::UpdateCustomerRequest { customer, update_mask, etag, ..Default::default() };
            Ok(client.customers().update_customer(request).await?.into_inner().customer.unwrap())
        }
    }))
    .await;

    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    let [won] = &won[..] else { panic!("{} callers won", won.len()) };
    let now = acme.admin.get(&ada.id).await.unwrap();
    assert_eq!(won.as_ref().unwrap(), &now, "no other call wrote");
    assert_eq!(lost.len(), 63);
    for refused in lost {
        let refused = assert_refused(refused, Code::Aborted, "ETAG_MISMATCH");
        assert_eq!(metadata(&refused, "etag").as_ref(), Some(&now.etag));
        assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("legal_name"));
    }
    assert_eq!(revision_and_events(&world, &ada.id).await, (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_32_writers_without_an_etag_succeed_and_nothing_is_lost() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let connections = [world.channel(), world.channel()];

    // Eight fields, and twenty-four labels.
    let mut writes: Vec<(pb::Customer, String)> = (0..24)
        .map(|n| {
            let labels = [(format!("k{n}"), n.to_string())].into();
            (pb::Customer { labels, ..Default::default() }, format!("labels.k{n}"))
        })
        .collect();
    let field = |path: &str, change: fn(&mut pb::Customer)| {
        let mut customer = pb::Customer::default();
        change(&mut customer);
        (customer, path.to_owned())
    };
    writes.extend([
        field("legal_name", |customer| "Ada B.V.".clone_into(&mut customer.legal_name)),
        field("industry", |customer| "wholesale".clone_into(&mut customer.industry)),
        field("currency", |customer| "EUR".clone_into(&mut customer.currency)),
        field("email", |customer| "ada@example.com".clone_into(&mut customer.email)),
        field("billing_email", |customer| "bills@example.com".clone_into(&mut customer.billing_email)),
        field("registration_number", |customer| "17048595".clone_into(&mut customer.registration_number)),
        field("order_reference", |customer| "order 7".clone_into(&mut customer.order_reference)),
        field("primary_address.city", |customer| {
            customer.primary_address = Some(pb::Address { city: "Eindhoven".to_owned(), ..Default::default() });
        }),
    ]);
    assert_eq!(writes.len(), 32);

    let answers = at_once(writes.into_iter().enumerate().map(|(n, (mut customer, path))| {
        let client = acme.admin.over(connections[n % 2].clone());
        customer.id.clone_from(&ada.id);
        async move { client.update(customer, &[&path]).await }
    }))
    .await;
    for answer in answers {
        answer.unwrap();
    }

    let now = acme.admin.get(&ada.id).await.unwrap();
    assert_eq!(now.labels, (0..24).map(|n| (format!("k{n}"), n.to_string())).collect());
    assert_eq!(
        [&now.legal_name, &now.industry, &now.currency, &now.email, &now.billing_email, &now.registration_number],
        ["Ada B.V.", "wholesale", "EUR", "ada@example.com", "bills@example.com", "17048595"],
    );
    assert_eq!((now.order_reference.as_str(), now.primary_address.unwrap().city.as_str()), ("order 7", "Eindhoven"));
    assert_eq!(revision_and_events(&world, &ada.id).await, (33, 33));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_200_creates_of_one_name_wins_and_the_others_get_name_taken() {
    let world = World::in_production().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    let north = acme.child("north").await;
    let accounts = [north.child("north-east").await, acme.child("south").await, north, acme];
    let connections = [world.channel(), world.channel(), world.channel()];
    // Folded, these are the same name.
    let names = ["Ada Stores", "ADA STORES", "ada  stores", "Ａda stores"];

    let answers = at_once((0..200).map(|n| {
        let client = accounts[n % 4].admin.over(connections[n % 3].clone());
        async move { client.create(customer(names[n / 4 % 4])).await }
    }))
    .await;

    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 199));
    for refused in lost {
        let refused = assert_refused(refused, Code::AlreadyExists, "NAME_TAKEN");
        let free = metadata(&refused, "free_names").unwrap();
        assert!(free.to_lowercase().contains("stores 2"), "{free}");
    }
    let customers: i64 =
        sqlx::query_scalar("select count(*) from customers").fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(customers, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_200_creates_with_one_custom_id_wins_and_the_others_get_its_field() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let connections = [world.channel(), world.channel(), world.channel()];

    let answers = at_once((0..200).map(|n| {
        let client = acme.admin.over(connections[n % 3].clone());
        let value = if n % 2 == 0 { "Erp-007" } else { "eRP-007" };
        let own = format!("{n}");
        let custom_ids = [("erp", value), ("billing", &own)].map(|(system, id)| (system.to_owned(), id.to_owned()));
        let customer = pb::Customer { custom_ids: custom_ids.into(), ..customer(&format!("Ada {n}")) };
        async move { client.create(customer).await }
    }))
    .await;

    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 199));
    for refused in lost {
        let refused = assert_refused(refused, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
        assert_eq!(metadata(&refused, "field").as_deref(), Some("customer.custom_ids.erp"));
    }
    let kept: (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from customers), (select count(*) from custom_ids), (select count(*) from customer_links)",
    )
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap();
    assert_eq!(kept, (1, 2, 1), "the calls that lost left nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_name_the_same_customers_in_opposite_orders_all_succeed() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(acme.admin.create(customer(&format!("Customer {n}"))).await.unwrap().id);
    }
    for _ in 0..rounds(3) {
        let answers = at_once((0..12).map(|n| {
            let client = acme.admin.over(world.channel());
            // The first twenty or the last twenty, forwards or backwards.
            let mut ids = ids[if n % 2 == 0 { 0..20 } else { 10..30 }].to_vec();
            if n % 4 < 2 {
                ids.reverse();
            }
            async move {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                match n % 3 {
                    0 => client.unarchive(&ids).await.map(|answer| answer.outcomes),
                    _ => client.archive(&ids).await.map(|answer| answer.outcomes),
                }
            }
        }))
        .await;
        for answer in answers {
            assert_eq!(answer.unwrap().len(), 20);
        }
    }
    for id in &ids {
        let (revision, events) = revision_and_events(&world, id).await;
        assert_eq!(revision, events, "{id}");
        let archived = acme.admin.get(id).await.unwrap().archived_at.is_some();
        let last = acme.admin.events(id).await.unwrap()[0].r#type();
        assert_eq!(archived, last == pb::CustomerEventType::Archived);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_concurrent_approval_wins_over_a_rejection_and_the_history_has_their_order() {
    use pb::CustomerEventType::{Approved, Created, Rejected};

    let world = World::in_production().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    for round in 0..rounds(10) {
        let ada = acme.admin.create(customer("Ada")).await.unwrap();
        assert_eq!(ada.status(), pb::CustomerStatus::Pending);
        let calls =
            [true, false, round % 2 == 0].map(|approves| {
                let (client, id) = (acme.admin.over(world.channel()), ada.id.clone());
                async move {
                    if approves { (true, client.approve(&id).await) } else { (false, client.reject(&id, "no").await) }
                }
            });
        let mut rejected = false;
        for (approves, answer) in at_once(calls).await {
            match answer {
                Ok(_) => rejected |= !approves,
                Err(refused) => {
                    assert!(!approves, "a rejected customer can be approved: {refused:?}");
                    assert_refused::<Status>(Err(refused), Code::FailedPrecondition, "ILLEGAL_TRANSITION");
                }
            }
        }
        let events = acme.admin.events(&ada.id).await.unwrap();
        let types: Vec<_> = events.iter().map(pb::CustomerEvent::r#type).collect();
        assert_eq!(types, if rejected { vec![Approved, Rejected, Created] } else { vec![Approved, Created] });
        assert_eq!(acme.admin.get(&ada.id).await.unwrap().status(), pb::CustomerStatus::Active);
    }
}
