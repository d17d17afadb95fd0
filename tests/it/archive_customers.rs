//! ArchiveCustomers: effects and errors.

use tonic::{Code, Status};

use crate::world::{
    Client, TestAccount, World, assert_refused, bad_fields, customer, manual_approval, mask, metadata, repeat_at_once,
    request_id, unknown_id, wire,
};
use clientele::grpc::pb::{self, ArchiveCustomersRequest as Archiving, CustomerOutcome, CustomerStatus};

/// A tenant with so many customers; their ids are not sorted.
pub async fn tenant_with_customers(world: &World, count: i32) -> (TestAccount, Vec<String>) {
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let ids = [vec![ada.id.clone()], world.copies(&ada.id, count - 1).await].concat();
    (acme, ids)
}

/// The outcomes of a call: id, and whether the customer changed.
pub fn outcomes(outcomes: &[CustomerOutcome]) -> Vec<(&str, bool)> {
    outcomes.iter().map(|outcome| (outcome.customer_id.as_str(), outcome.changed)).collect()
}

pub async fn is_archived(client: &Client, id: &str) -> bool {
    client.get(id).await.unwrap().archived_at.is_some()
}

fn archiving(ids: &[String]) -> Archiving {
    Archiving { customer_ids: ids.to_vec(), ..Default::default() }
}

async fn archive(client: &Client, request: &Archiving) -> Result<pb::ArchiveCustomersResponse, Status> {
    Ok(client.customers().archive_customers(request.clone()).await?.into_inner())
}

#[tokio::test]
async fn customers_of_any_status_can_be_archived_and_keep_their_status() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let mut ids = Vec::new();
    for name in ["Ada", "Bob", "Eve"] {
        ids.push(acme.admin.create(customer(name)).await.unwrap().id);
    }
    acme.admin.approve(&ids[1]).await.unwrap();
    acme.admin.reject(&ids[2], "no papers").await.unwrap();

    let answer = archive(&acme.admin, &archiving(&ids)).await.unwrap();

    assert!(!answer.replayed);
    let statuses = [CustomerStatus::Pending, CustomerStatus::Active, CustomerStatus::Rejected];
    for ((id, outcome), status) in ids.iter().zip(&answer.outcomes).zip(statuses) {
        let now = acme.admin.get(id).await.unwrap();
        assert_eq!((&outcome.customer_id, outcome.changed, &outcome.etag), (id, true, &now.etag));
        assert_eq!(now.status(), status);
        assert_eq!(now.archived_at, now.update_time);
        assert!(now.allowed_actions.contains(&"UnarchiveCustomers".to_owned()));
        assert!(!now.allowed_actions.contains(&"ArchiveCustomers".to_owned()));
        // The etag works in the next call.
        let update = pb::UpdateCustomerRequest {
            customer: Some(pb::Customer { email: "a@x.nl".to_owned(), ..now }),
            update_mask: Some(mask(&["email"])),
            etag: outcome.etag.clone(),
            ..Default::default()
        };
        acme.admin.customers().update_customer(update).await.unwrap();
    }
}

#[tokio::test]
async fn outcomes_are_in_request_order_and_a_repeated_id_counts_once() {
    let world = World::start().await;
    let (acme, mut ids) = tenant_with_customers(&world, 4).await;
    ids.sort();
    let [a, b, c, d] = ids.as_slice() else { panic!("four") };
    let already = acme.admin.archive(&[b]).await.unwrap().outcomes.remove(0);
    let since = acme.admin.get(b).await.unwrap().archived_at;

    let answer = acme.admin.archive(&[d, b, &d.to_uppercase(), a, b, &a.replace('-', ""), c]).await.unwrap();

    assert_eq!(outcomes(&answer.outcomes), [(d.as_str(), true), (b, false), (a, true), (c, true)]);
    assert_eq!(answer.outcomes[1].etag, already.etag, "a customer that was archived already does not change");
    assert_eq!(acme.admin.get(b).await.unwrap().archived_at, since);
    // The copied customers have no CREATED event.
    for id in [b, c, d] {
        let events = acme.admin.events(id).await.unwrap();
        let archived = events.iter().filter(|event| event.r#type() == pb::CustomerEventType::Archived);
        assert_eq!(archived.count(), 1);
    }
}

#[tokio::test]
async fn a_batch_has_1_to_1000_customers() {
    let world = World::start().await;
    let (acme, ids) = tenant_with_customers(&world, 1_001).await;
    let before = world.stored().await;

    for count in [0, 1_001] {
        let refused = assert_refused(
            archive(&acme.admin, &archiving(&ids[..count])).await,
            Code::InvalidArgument,
            "INVALID_FIELDS",
        );
        assert_eq!(bad_fields(&refused), ["customer_ids"]);
    }
    let one_again = vec![ids[0].clone(); 1_001];
    assert_refused(archive(&acme.admin, &archiving(&one_again)).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(world.stored().await, before);

    let one = archive(&acme.admin, &archiving(&ids[..1])).await.unwrap();
    assert_eq!(outcomes(&one.outcomes), [(ids[0].as_str(), true)]);
    let thousand = archive(&acme.admin, &archiving(&ids[1..])).await.unwrap();
    assert_eq!(thousand.outcomes.len(), 1_000);
    for (outcome, id) in thousand.outcomes.iter().zip(&ids[1..]) {
        assert!(outcome.changed && outcome.customer_id == *id);
    }
    let counts = "select count(*) filter (where archived_at is not null), count(distinct revision) from customers";
    let counts: (i64, i64) = sqlx::query_as(counts).fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(counts, (1_001, 1));
    assert_eq!(world.stored().await.events, before.events + 1_001);
}

#[tokio::test]
async fn a_batch_changes_all_or_none_and_its_error_names_the_first_customer() {
    let world = World::start().await;
    let (acme, mut ids) = tenant_with_customers(&world, 30).await;
    let south = acme.child("south").await;
    let foreign = acme.child("north").await.admin.create(customer("Bob")).await.unwrap();
    let own = south.admin.create(customer("Eve")).await.unwrap().id;
    let before = world.stored().await;
    ids[17] = unknown_id();
    ids[23] = unknown_id();

    let request = Archiving { request_id: request_id(), ..archiving(&ids) };
    let refused = assert_refused(archive(&acme.admin, &request).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[17]"));
    // Positions count in the request, including repeated ids.
    let repeated = [&ids[0], &ids[1], &ids[0], &ids[1], &ids[17]].map(String::as_str);
    let refused = assert_refused(acme.admin.archive(&repeated).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[4]"));
    // A customer of another account gets the same error as an unknown id at the same position.
    let [hidden, absent] = [foreign.id, unknown_id()];
    let hidden = south.admin.archive(&[&own, &hidden]).await.unwrap_err();
    let absent = south.admin.archive(&[&own, &absent]).await.unwrap_err();
    assert_eq!(wire(&hidden), wire(&absent), "existence must not leak");
    assert_eq!(metadata(&hidden, "field").as_deref(), Some("customer_ids[1]"));

    assert_eq!(world.stored().await, before, "nothing is archived, and the request_id is free");
}

#[tokio::test]
async fn malformed_ids_are_named_by_position() {
    let world = World::start().await;
    let (acme, ids) = tenant_with_customers(&world, 2).await;
    let before = world.stored().await;

    let mixed = [ids[0].as_str(), "7", ids[1].as_str(), "", &unknown_id()].map(str::to_owned);
    let request = Archiving { request_id: "7".to_owned(), ..archiving(&mixed) };
    let refused = assert_refused(archive(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["customer_ids[1]", "customer_ids[3]", "request_id"]);

    let hopeless = archive(&acme.admin, &archiving(&vec!["7".to_owned(); 1_000])).await;
    let refused = assert_refused(hopeless, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused)[..2], ["customer_ids[0]", "customer_ids[1]"]);
    assert!(refused.message().len() + refused.details().len() < 4_096, "clients cut trailers");
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn archiving_again_changes_nothing() {
    let world = World::start().await;
    let (acme, ids) = tenant_with_customers(&world, 3).await;
    let first = archive(&acme.admin, &archiving(&ids)).await.unwrap();
    let before = world.stored().await;

    let again = Archiving { request_id: request_id(), ..archiving(&ids) };
    for _ in 0..2 {
        let answer = archive(&acme.admin, &again).await.unwrap();
        assert!(!answer.replayed, "a call that changed nothing is not stored");
        assert!(answer.outcomes.iter().all(|outcome| !outcome.changed));
        for (now, then) in answer.outcomes.iter().zip(&first.outcomes) {
            assert_eq!((&now.customer_id, &now.etag), (&then.customer_id, &then.etag));
        }
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let (acme, ids) = tenant_with_customers(&world, 3).await;
    acme.admin.archive(&[&ids[1]]).await.unwrap();
    let before = world.stored().await;
    let later = Archiving { request_id: request_id(), ..archiving(&ids) };

    let would_be = archive(&acme.admin, &Archiving { validate_only: true, ..later.clone() }).await.unwrap();
    assert_eq!(outcomes(&would_be.outcomes), [(ids[0].as_str(), true), (&ids[1], false), (&ids[2], true)]);
    assert!(would_be.outcomes.iter().all(|outcome| outcome.etag.is_empty()) && !would_be.replayed);
    let absent = [ids[0].clone(), unknown_id()];
    let refused = archive(&acme.admin, &Archiving { validate_only: true, ..archiving(&absent) }).await;
    let refused = assert_refused(refused, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[1]"));
    assert_eq!(world.stored().await, before);

    assert!(!archive(&acme.admin, &later).await.unwrap().replayed);
    let ignored = archive(&acme.admin, &Archiving { validate_only: true, ..later }).await.unwrap();
    assert!(!ignored.replayed && ignored.outcomes.iter().all(|outcome| !outcome.changed));
}

#[tokio::test]
async fn overlapping_batches_wait_for_each_other() {
    let world = World::for_many_calls().await;
    let (acme, ids) = tenant_with_customers(&world, 20).await;
    let calls = std::sync::atomic::AtomicUsize::new(0);

    let changed: Vec<usize> = repeat_at_once(24, || {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (client, mut ids) = (acme.admin.clone(), ids.clone());
        ids.rotate_left(call % 20);
        if call.is_multiple_of(2) {
            ids.reverse();
        }
        async move {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let outcomes = match call % 3 {
                0 => client.unarchive(&ids).await.unwrap().outcomes,
                _ => client.archive(&ids).await.unwrap().outcomes,
            };
            outcomes.iter().filter(|outcome| outcome.changed).count()
        }
    })
    .await;

    let events = "select count(*) from events where type in ('ARCHIVED', 'UNARCHIVED')";
    let events: i64 = sqlx::query_scalar(events).fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(usize::try_from(events).unwrap(), changed.iter().sum::<usize>());
    assert!(changed.iter().all(|count| [0, 20].contains(count)), "all or none: {changed:?}");
}
