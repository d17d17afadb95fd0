//! PlaceHold.

use clientele::grpc::pb::{self, CustomerEventType, PlaceHoldRequest as Placing};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    suspend_customer::{active, suspend},
    world::{
        Client, World, assert_refused, at_once, bad_fields, customer, manual_approval, metadata, repeat_at_once,
        request_id, unknown_id, wire,
    },
};

fn placing(id: &str, kind: &str) -> Placing {
    let reason = format!("{kind} are not drained");
    Placing { customer_id: id.to_owned(), kind: kind.to_owned(), reason, ..Default::default() }
}

async fn call(client: &Client, request: &Placing) -> Result<pb::PlaceHoldResponse, Status> {
    Ok(client.customers().place_hold(request.clone()).await?.into_inner())
}

/// Places a hold of a kind.
pub async fn place(client: &Client, id: &str, kind: &str) -> Result<pb::Customer, Status> {
    Ok(call(client, &placing(id, kind)).await?.customer.unwrap())
}

#[tokio::test]
async fn holds_are_listed_oldest_first_with_principal_and_time() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let billing = acme.member(pb::Role::ServiceManager).await;
    let first = place(&billing, &ada.id, "open-orders").await.unwrap();
    let second = call(&acme.admin, &Placing { etag: first.etag.clone(), ..placing(&ada.id, "open-orders") }).await;
    let second = second.unwrap().customer.unwrap();

    assert_eq!(second, acme.admin.get(&ada.id).await.unwrap());
    assert_eq!(
        (first.holds.len(), second.holds.len()),
        (1, 2),
        "every call places a hold, of the same or another kind"
    );
    assert_eq!(second.holds[0], first.holds[0]);
    let hold = &second.holds[1];
    assert_eq!((hold.kind.as_str(), hold.reason.as_str()), ("open-orders", "open-orders are not drained"));
    assert!(Uuid::parse_str(&hold.hold_id).is_ok() && hold.hold_id != first.holds[0].hold_id);
    assert_eq!(hold.create_time, second.update_time);
    assert_eq!(hold.placed_by, second.updated_by);
    assert_ne!(first.holds[0].placed_by, hold.placed_by);
    let event = acme.admin.events(&ada.id).await.unwrap().remove(0);
    assert_eq!(event.r#type(), CustomerEventType::HoldPlaced);
    let fields: Vec<_> = event.changes.iter().map(|change| change.field.clone()).collect();
    assert_eq!(fields, [format!("holds.{}", hold.hold_id)]);
    assert!(second.allowed_actions.contains(&"ReleaseHold".to_owned()));
    assert!(!ada.allowed_actions.contains(&"ReleaseHold".to_owned()));

    let request = pb::GetCustomerRequest { customer_id: ada.id, view: pb::CustomerView::Basic.into() };
    let basic = acme.admin.customers().get_customer(request).await.unwrap().into_inner().customer.unwrap();
    assert!(basic.holds.is_empty(), "BASIC leaves them out");
}

#[tokio::test]
async fn a_customer_of_any_status_can_have_up_to_20_holds() {
    let world = World::in_production().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    place(&acme.admin, &ada.id, "pending").await.unwrap();
    acme.admin.reject(&ada.id, "no").await.unwrap();
    place(&acme.admin, &ada.id, "rejected").await.unwrap();
    acme.admin.approve(&ada.id).await.unwrap();
    suspend(&acme.admin, &ada.id).await.unwrap();
    place(&acme.admin, &ada.id, "suspended").await.unwrap();
    acme.admin.archive(&[&ada.id]).await.unwrap();
    place(&acme.admin, &ada.id, "archived").await.unwrap();

    // Concurrent calls lose no hold and do not exceed the limit.
    let calls = (0..24).map(|number| {
        let (client, id) = (acme.admin.clone(), ada.id.clone());
        async move { place(&client, &id, &format!("kind-{number}")).await }
    });
    let placed = at_once(calls).await;
    assert_eq!(placed.iter().filter(|placed| placed.is_ok()).count(), 16);
    for refused in placed.into_iter().filter(Result::is_err) {
        assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    }
    let now = acme.admin.get(&ada.id).await.unwrap();
    assert_eq!(now.holds.len(), 20);
    assert!(!now.allowed_actions.contains(&"PlaceHold".to_owned()));
}

#[tokio::test]
async fn malformed_fields_and_stale_etags_are_refused() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let renamed = pb::Customer { id: ada.id.clone(), ..customer("Eve") };
    let current = acme.admin.update(renamed, &["name"]).await.unwrap();
    let before = world.stored().await;
    let all = Placing { customer_id: "7".to_owned(), request_id: "7".to_owned(), ..Default::default() };
    let refused = assert_refused(call(&acme.admin, &all).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["customer_id", "kind", "reason", "request_id"]);
    let long = Placing { kind: "k".repeat(64), reason: "r".repeat(501), ..placing(&ada.id, "") };
    let refused = assert_refused(call(&acme.admin, &long).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["kind", "reason"]);
    let stale = Placing { etag: ada.etag.clone(), ..placing(&ada.id, "orders") };
    let refused = assert_refused(call(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "etag").as_deref(), Some(current.etag.as_str()));
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("name"));
    assert_eq!(world.stored().await, before);
    let longest = Placing { kind: "k".repeat(63), reason: "é".repeat(500), ..placing(&ada.id, "") };
    call(&acme.admin, &longest).await.unwrap();
}

#[tokio::test]
async fn validate_only_changes_nothing_and_repeats_place_one_hold() {
    let world = World::in_production().await;
    let (acme, ada) = active(&world).await;
    let before = world.stored().await;
    let request = Placing { request_id: request_id(), ..placing(&ada.id, "orders") };
    let would_be = call(&acme.admin, &Placing { validate_only: true, ..request.clone() }).await.unwrap();
    assert_eq!(would_be.customer.unwrap().holds.len(), 1);
    assert_eq!(world.stored().await, before);

    let answers = repeat_at_once(30, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.customer == answers[0].customer));
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().holds.len(), 1);
    let other = Placing { reason: "another".to_owned(), ..request };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn only_a_service_manager_of_the_owner_or_above_places_holds_and_accounts_below_do_not_see_them() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let (north, globex) = (acme.child("north").await, world.tenant("globex").await);
    let eve = acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Eve") }).await.unwrap();
    for role in [pb::Role::Viewer, pb::Role::Member] {
        let refused = place(&acme.member(role).await, &ada.id, "orders").await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    }
    let below = place(&north.admin, &eve.id, "orders").await;
    assert_refused(below, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    for client in [&north.admin, &globex.admin] {
        let refused = assert_refused(place(client, &ada.id, "o").await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(place(client, &unknown_id(), "o").await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    place(&acme.admin, &eve.id, "orders").await.unwrap();
    assert!(north.admin.get(&eve.id).await.unwrap().holds.is_empty());
    let events = north.admin.events(&eve.id).await.unwrap();
    assert!(events.iter().all(|event| event.r#type() != CustomerEventType::HoldPlaced), "{events:?}");
}
