//! ArchiveCustomers: rights, and repeated calls.

use tonic::{Code, Status};

use crate::{
    archive_customers::{is_archived, outcomes, tenant_with_customers},
    world::{
        Client, SERVICE, World, assert_refused, customer, full_customer, metadata, reason, repeat_at_once, request_id,
        unknown_id, wire,
    },
};
use clientele::grpc::pb::{self, ArchiveCustomersRequest as Archiving};

fn archiving(ids: &[String]) -> Archiving {
    Archiving { customer_ids: ids.to_vec(), ..Default::default() }
}

async fn archive(client: &Client, request: &Archiving) -> Result<pb::ArchiveCustomersResponse, Status> {
    Ok(client.customers().archive_customers(request.clone()).await?.into_inner())
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::start().await;
    let (acme, _) = tenant_with_customers(&world, 1).await;
    let north = acme.child("north").await;
    let mut ids = Vec::new();
    for name in ["Ada", "Bob", "Eve"] {
        ids.push(north.admin.create(customer(name)).await.unwrap().id);
    }
    north.admin.archive(&[&ids[1]]).await.unwrap();
    let request = Archiving { request_id: request_id(), ..archiving(&ids) };

    let first = archive(&north.admin, &request).await.unwrap();
    assert_eq!(outcomes(&first.outcomes), [(ids[0].as_str(), true), (&ids[1], false), (&ids[2], true)]);
    north.admin.unarchive(&[&ids[0]]).await.unwrap();
    let before = world.stored().await;

    for _ in 0..3 {
        let repeat = archive(&north.admin, &request).await.unwrap();
        assert!(repeat.replayed && !first.replayed);
        assert_eq!(repeat.outcomes, first.outcomes, "as it was then");
    }
    let mut reversed = request.clone();
    reversed.customer_ids.reverse();
    let fewer = Archiving { customer_ids: ids[..2].to_vec(), ..request.clone() };
    for (client, other) in [(&north.admin, &reversed), (&north.admin, &fewer), (&acme.admin, &request)] {
        assert_refused(archive(client, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
    assert_eq!(world.stored().await, before);
    // Each RPC and each principal has request_ids of its own.
    let unarchiving = pb::UnarchiveCustomersRequest {
        customer_ids: ids.clone(),
        request_id: request.request_id.clone(),
        ..Default::default()
    };
    assert!(!north.admin.customers().unarchive_customers(unarchiving).await.unwrap().into_inner().replayed);
    let colleague = north.member(pb::Role::Member).await;
    assert!(!archive(&colleague, &request).await.unwrap().replayed);
}

#[tokio::test]
async fn the_answer_of_a_thousand_is_stored_as_ids_outcomes_and_revisions() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let plain = pb::Customer { order_reference: String::new(), ..full_customer("Zanzibar") };
    let ada = acme.admin.create(plain).await.unwrap();
    let ids = world.copies(&ada.id, 1_000).await;
    let request = Archiving { request_id: request_id(), ..archiving(&ids) };

    let first = archive(&acme.admin, &request).await.unwrap();

    let stored = "select answer, customer_id is null as batch from requests";
    let (answer, batch): (serde_json::Value, bool) =
        sqlx::query_as(stored).fetch_one(&mut world.sql().await).await.unwrap();
    assert!(batch);
    let text = answer.to_string();
    for personal in ["Zanzibar", "company.nl", "Hoevenweg", "Janssen", "17048595", "acme-admin"] {
        assert!(!text.contains(personal), "{personal} is stored");
    }
    let outcomes = answer["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 1_000);
    for (one, id) in outcomes.iter().zip(&ids) {
        let mut keys: Vec<&String> = one.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["changed", "customer_id", "link_revision", "revision"]);
        assert_eq!(one["customer_id"], **id);
    }
    let repeat = archive(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed);
    assert_eq!(repeat.outcomes, first.outcomes);
}

#[tokio::test]
async fn fifty_concurrent_repeats_archive_once() {
    let world = World::for_many_calls().await;
    let (acme, ids) = tenant_with_customers(&world, 5).await;
    let request = Archiving { request_id: request_id(), ..archiving(&ids) };
    let before = world.stored().await;

    let answers = repeat_at_once(50, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { archive(&client, &request).await.unwrap() }
    })
    .await;

    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    for answer in &answers {
        assert_eq!(answer.outcomes, answers[0].outcomes);
        assert!(answer.outcomes.iter().all(|outcome| outcome.changed));
    }
    let after = world.stored().await;
    assert_eq!((after.events, after.answers), (before.events + 5, 1));
}

#[tokio::test]
async fn the_checks_have_one_order() {
    let world = World::start().await;
    let (acme, ids) = tenant_with_customers(&world, 2).await;
    let north = acme.child("north").await;
    let viewer = acme.member(pb::Role::Viewer).await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Bob") };
    let bob = acme.admin.create(fleet).await.unwrap();
    let known = Archiving { request_id: request_id(), ..archiving(&ids) };
    archive(&acme.admin, &known).await.unwrap();
    let named =
        |ids: &[&str]| Archiving { customer_ids: ids.iter().map(ToString::to_string).collect(), ..known.clone() };

    let unknown = unknown_id();
    let cases = [
        ("role before shape", &viewer, Archiving::default(), Some("ROLE_TOO_LOW")),
        ("shape before existence", &acme.admin, named(&[&unknown, "7"]), Some("INVALID_FIELDS")),
        ("existence before rights", &north.admin, named(&[&ids[0]]), Some("CUSTOMER_NOT_FOUND")),
        ("existence before replay", &acme.admin, named(&[&ids[0], &unknown]), Some("CUSTOMER_NOT_FOUND")),
        ("rights before replay", &north.admin, named(&[&bob.id]), Some("FLEET_OWNED_ELSEWHERE")),
        ("replay before already made", &acme.admin, named(&[&ids[0]]), Some("REQUEST_ID_REUSED")),
        ("already made", &acme.admin, archiving(&ids), None),
    ];
    for (rule, client, request, expected) in cases {
        let refused = archive(client, &request).await.err().map(|status| reason(&status));
        assert_eq!(refused.as_deref(), expected, "{rule}");
    }
}

#[tokio::test]
async fn members_of_the_owner_and_above_may_archive() {
    let world = World::start().await;
    let (acme, _) = tenant_with_customers(&world, 1).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let before = world.stored().await;

    for client in [north.member(pb::Role::Viewer).await, acme.member(pb::Role::Viewer).await] {
        let refused = assert_refused(client.archive(&[&ada.id]).await, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("MEMBER"));
    }
    assert_refused(world.operator().archive(&[&ada.id]).await, Code::PermissionDenied, "NOT_A_MEMBER");
    assert_refused(world.without_token().archive(&[&ada.id]).await, Code::Unauthenticated, "TOKEN_MISSING");
    let neighbour = south.member(pb::Role::Admin).await.acting_in(&north.account);
    assert_refused(neighbour.archive(&[&ada.id]).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    assert_eq!(world.stored().await, before);

    let above = acme.member(pb::Role::Member).await;
    let mut allowed = vec![above.acting_in(&north.account), above];
    allowed.push(world.subject(SERVICE).in_tenant(&acme.tenant).acting_in(&north.account));
    for role in [pb::Role::Member, pb::Role::ServiceManager, pb::Role::Admin] {
        allowed.push(north.member(role).await);
    }
    for client in allowed {
        let bob = north.admin.create(customer("Bob")).await.unwrap();
        assert!(client.archive(&[&bob.id]).await.unwrap().outcomes[0].changed);
        assert!(is_archived(&north.admin, &bob.id).await);
    }
}

#[tokio::test]
async fn customers_of_another_account_or_tenant_do_not_exist() {
    let world = World::start().await;
    let (acme, ids) = tenant_with_customers(&world, 1).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let before = world.stored().await;

    for (client, id) in [(&south.admin, &bob.id), (&north.admin, &ids[0]), (&globex.admin, &bob.id)] {
        let refused = assert_refused(client.archive(&[id]).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(client.archive(&[&unknown_id()]).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn only_the_owner_archives_a_fleet_customer() {
    let world = World::start().await;
    let (acme, _) = tenant_with_customers(&world, 1).await;
    let north = acme.child("north").await;
    let own = north.admin.create(customer("Ada")).await.unwrap();
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Bob") };
    let bob = acme.admin.create(fleet).await.unwrap();
    let before = world.stored().await;

    // The first in the request's order: the unknown id comes later.
    let refused = north.admin.archive(&[&own.id, &own.id, &bob.id, &unknown_id()]).await;
    let refused = assert_refused(refused, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[2]"));
    assert_eq!(world.stored().await, before);
    assert!(acme.admin.archive(&[&bob.id, &own.id]).await.unwrap().outcomes.iter().all(|outcome| outcome.changed));
}
