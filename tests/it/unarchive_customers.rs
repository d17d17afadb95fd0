//! UnarchiveCustomers.

use tonic::{Code, Status};

use crate::{
    archive_customers::{is_archived, outcomes, tenant_with_customers},
    world::{
        Client, SERVICE, TestAccount, World, assert_refused, bad_fields, customer, metadata, reason, repeat_at_once,
        request_id, unknown_id, wire,
    },
};
use clientele::grpc::pb::{self, UnarchiveCustomersRequest as Unarchiving};

/// A tenant with so many archived customers.
async fn archived(world: &World, count: i32) -> (TestAccount, Vec<String>) {
    let (acme, ids) = tenant_with_customers(world, count).await;
    for ids in ids.chunks(1_000) {
        acme.admin.archive(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    }
    (acme, ids)
}

fn unarchiving(ids: &[String]) -> Unarchiving {
    Unarchiving { customer_ids: ids.to_vec(), ..Default::default() }
}

async fn unarchive(client: &Client, request: &Unarchiving) -> Result<pb::UnarchiveCustomersResponse, Status> {
    Ok(client.customers().unarchive_customers(request.clone()).await?.into_inner())
}

#[tokio::test]
async fn unarchived_customers_are_as_they_were_before() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    acme.admin.archive(&[&ada.id]).await.unwrap();
    let colleague = acme.member(pb::Role::Member).await;

    let answer = unarchive(&colleague, &unarchiving(std::slice::from_ref(&ada.id))).await.unwrap();

    let now = acme.admin.get(&ada.id).await.unwrap();
    let outcome = pb::CustomerOutcome { customer_id: ada.id.clone(), changed: true, etag: now.etag.clone() };
    assert_eq!((answer.outcomes, answer.replayed), (vec![outcome], false));
    let as_before = pb::Customer {
        etag: now.etag.clone(),
        update_time: now.update_time,
        updated_by: now.updated_by.clone(),
        ..ada.clone()
    };
    assert_eq!(now, as_before);
    assert_ne!((&now.etag, &now.updated_by), (&ada.etag, &ada.updated_by));
}

#[tokio::test]
async fn outcomes_are_in_request_order_and_a_repeated_id_counts_once() {
    let world = World::start().await;
    let (acme, mut ids) = archived(&world, 4).await;
    ids.sort();
    let [a, b, c, d] = ids.as_slice() else { panic!("four") };
    let already = acme.admin.unarchive(&[b]).await.unwrap().outcomes.remove(0);
    let before = world.stored().await;

    let answer = acme.admin.unarchive(&[d, b, &d.to_uppercase(), a, b, c]).await.unwrap();

    assert_eq!(outcomes(&answer.outcomes), [(d.as_str(), true), (b, false), (a, true), (c, true)]);
    assert_eq!(answer.outcomes[1].etag, already.etag);
    assert_eq!(world.stored().await.events, before.events + 3);
    for outcome in &answer.outcomes {
        assert_eq!(acme.admin.get(&outcome.customer_id).await.unwrap().etag, outcome.etag);
    }
}

#[tokio::test]
async fn a_batch_has_1_to_1000_customers_and_malformed_ids_are_named_by_position() {
    let world = World::start().await;
    let (acme, ids) = archived(&world, 1_001).await;
    let before = world.stored().await;

    let mixed = [ids[0].clone(), "7".to_owned(), String::new()];
    let cases: [(&[String], &[&str]); 3] =
        [(&[], &["customer_ids"]), (&ids, &["customer_ids"]), (&mixed, &["customer_ids[1]", "customer_ids[2]"])];
    for (ids, fields) in cases {
        let refused = unarchive(&acme.admin, &unarchiving(ids)).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), fields);
    }
    assert_eq!(world.stored().await, before);

    let request = Unarchiving { request_id: request_id(), ..unarchiving(&ids[..1_000]) };
    let first = unarchive(&acme.admin, &request).await.unwrap();
    assert_eq!(first.outcomes.len(), 1_000);
    assert!(first.outcomes.iter().zip(&ids).all(|(outcome, id)| outcome.changed && outcome.customer_id == *id));
    let repeat = unarchive(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed && repeat.outcomes == first.outcomes);
    let answer: String =
        sqlx::query_scalar("select answer::text from requests").fetch_one(&mut world.sql().await).await.unwrap();
    assert!(!answer.contains("Ada") && answer.contains(&ids[999]), "only ids, outcomes and revisions");
    assert!(is_archived(&acme.admin, &ids[1_000]).await && !is_archived(&acme.admin, &ids[999]).await);
}

#[tokio::test]
async fn a_batch_changes_all_or_none_and_its_error_names_the_first_customer() {
    let world = World::start().await;
    let (acme, mut ids) = archived(&world, 20).await;
    let before = world.stored().await;
    ids[17] = unknown_id();
    ids[1] = ids[0].clone();

    let request = Unarchiving { request_id: request_id(), ..unarchiving(&ids) };
    let refused = assert_refused(unarchive(&acme.admin, &request).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[17]"));
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn unarchiving_again_and_validate_only_change_nothing() {
    let world = World::start().await;
    let (acme, ids) = archived(&world, 2).await;
    let before = world.stored().await;
    let later = Unarchiving { request_id: request_id(), ..unarchiving(&ids) };

    let would_be = unarchive(&acme.admin, &Unarchiving { validate_only: true, ..later.clone() }).await.unwrap();
    assert_eq!(outcomes(&would_be.outcomes), [(ids[0].as_str(), true), (&ids[1], true)]);
    assert!(would_be.outcomes.iter().all(|outcome| outcome.etag.is_empty()));
    assert_eq!(world.stored().await, before);
    let real = unarchive(&acme.admin, &later).await.unwrap();
    assert!(!real.replayed);

    let before = world.stored().await;
    for _ in 0..2 {
        let again = Unarchiving { request_id: request_id(), ..unarchiving(&ids) };
        let answer = unarchive(&acme.admin, &again).await.unwrap();
        assert!(!answer.replayed);
        assert_eq!(outcomes(&answer.outcomes), [(ids[0].as_str(), false), (&ids[1], false)]);
        assert_eq!(answer.outcomes[0].etag, real.outcomes[0].etag);
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::for_many_calls().await;
    let (acme, _) = tenant_with_customers(&world, 1).await;
    let north = acme.child("north").await;
    let ids = [north.admin.create(customer("Bob")).await.unwrap().id];
    north.admin.archive(&[&ids[0]]).await.unwrap();
    let request = Unarchiving { request_id: request_id(), ..unarchiving(&ids) };

    let answers = repeat_at_once(50, || {
        let (client, request) = (north.admin.clone(), request.clone());
        async move { unarchive(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.outcomes == answers[0].outcomes && answer.outcomes[0].changed));
    assert_eq!(north.admin.events(&ids[0]).await.unwrap().len(), 3);

    north.admin.archive(&[&ids[0]]).await.unwrap();
    let before = world.stored().await;
    let repeat = unarchive(&north.admin, &request).await.unwrap();
    assert!(repeat.replayed && repeat.outcomes == answers[0].outcomes);
    assert!(is_archived(&north.admin, &ids[0]).await, "a repeat does nothing");
    let twice = Unarchiving { customer_ids: [&ids[..], &ids[..]].concat(), ..request.clone() };
    for (client, other) in [(&north.admin, &twice), (&acme.admin, &request)] {
        assert_refused(unarchive(client, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn members_of_the_owner_and_above_may_unarchive() {
    let world = World::start().await;
    let (acme, ids) = archived(&world, 1).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Eve") };
    let eve = acme.admin.create(fleet).await.unwrap();
    acme.admin.archive(&[&bob.id, &eve.id]).await.unwrap();
    let before = world.stored().await;

    let viewer = north.member(pb::Role::Viewer).await;
    let refused = assert_refused(viewer.unarchive(&["7"]).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("MEMBER"));
    for (client, refusal) in [(world.operator(), "NOT_A_MEMBER"), (world.without_token(), "TOKEN_MISSING")] {
        assert_eq!(reason(&client.unarchive(&[&bob.id]).await.unwrap_err()), refusal);
    }
    let elsewhere = north.admin.unarchive(&[&bob.id, &eve.id]).await;
    let elsewhere = assert_refused(elsewhere, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    assert_eq!(metadata(&elsewhere, "field").as_deref(), Some("customer_ids[1]"));
    for (client, id) in [(&south.admin, &bob.id), (&north.admin, &ids[0]), (&globex.admin, &bob.id)] {
        let refused = assert_refused(client.unarchive(&[id]).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(client.unarchive(&[&unknown_id()]).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    assert_eq!(world.stored().await, before);

    let above = acme.member(pb::Role::Member).await;
    let service = world.subject(SERVICE).in_tenant(&acme.tenant).acting_in(&north.account);
    let mut allowed = vec![above.acting_in(&north.account), above, service];
    for role in [pb::Role::Member, pb::Role::ServiceManager, pb::Role::Admin] {
        allowed.push(north.member(role).await);
    }
    for client in allowed {
        north.admin.archive(&[&bob.id]).await.unwrap();
        assert!(client.unarchive(&[&bob.id]).await.unwrap().outcomes[0].changed);
        assert!(!is_archived(&north.admin, &bob.id).await);
    }
}
