//! ReleaseHold.

use clientele::grpc::pb::{self, CustomerEventType, ReleaseHoldRequest as Releasing};
use tonic::{Code, Status};

use crate::{
    place_hold::place,
    suspend_customer::active,
    world::{
        Client, World, assert_refused, at_once, bad_fields, customer, metadata, repeat_at_once, request_id, unknown_id,
        wire,
    },
};

fn releasing(id: &str, hold: &str) -> Releasing {
    Releasing { customer_id: id.to_owned(), hold_id: hold.to_owned(), ..Default::default() }
}

async fn call(client: &Client, request: &Releasing) -> Result<pb::ReleaseHoldResponse, Status> {
    Ok(client.customers().release_hold(request.clone()).await?.into_inner())
}

async fn release(client: &Client, id: &str, hold: &str) -> Result<pb::Customer, Status> {
    Ok(call(client, &releasing(id, hold)).await?.customer.unwrap())
}

#[tokio::test]
async fn a_released_hold_is_gone_and_the_others_stay() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    for kind in ["orders", "bills", "orders"] {
        place(&acme.admin, &ada.id, kind).await.unwrap();
    }
    let before = acme.admin.get(&ada.id).await.unwrap();
    let request =
        Releasing { etag: before.etag.clone(), ..releasing(&ada.id, &before.holds[1].hold_id.to_uppercase()) };
    let released = call(&acme.admin, &request).await.unwrap().customer.unwrap();
    assert_eq!(released.holds, [before.holds[0].clone(), before.holds[2].clone()]);
    assert_eq!(released, acme.admin.get(&ada.id).await.unwrap());
    let event = acme.admin.events(&ada.id).await.unwrap().remove(0);
    assert_eq!(event.r#type(), CustomerEventType::HoldReleased);
    assert_eq!(event.changes[0].field, format!("holds.{}", before.holds[1].hold_id));

    // A hold that does not exist was released already.
    let stored = world.stored().await;
    for hold in [before.holds[1].hold_id.clone(), unknown_id()] {
        let again = Releasing { etag: before.etag.clone(), request_id: request_id(), ..releasing(&ada.id, &hold) };
        let answer = call(&acme.admin, &again).await.unwrap();
        assert_eq!((answer.customer.as_ref(), answer.replayed), (Some(&released), false));
    }
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    release(&acme.admin, &bob.id, &before.holds[0].hold_id).await.unwrap();
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), released, "a hold of another customer is not released");
    assert_eq!(world.stored().await.answers, stored.answers);
}

#[tokio::test]
async fn concurrent_releases_of_all_holds_succeed() {
    let world = World::in_production().await;
    let (acme, ada) = active(&world).await;
    for number in 0..12 {
        place(&acme.admin, &ada.id, &format!("kind-{number}")).await.unwrap();
    }
    let holds = acme.admin.get(&ada.id).await.unwrap().holds;
    let calls = holds.into_iter().map(|hold| {
        let (client, id) = (acme.admin.clone(), ada.id.clone());
        async move { release(&client, &id, &hold.hold_id).await }
    });
    for released in at_once(calls).await {
        released.unwrap();
    }
    assert!(acme.admin.get(&ada.id).await.unwrap().holds.is_empty());
}

#[tokio::test]
async fn malformed_fields_and_stale_etags_are_refused() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let held = place(&acme.admin, &ada.id, "orders").await.unwrap();
    let before = world.stored().await;
    let all = Releasing { customer_id: "7".to_owned(), request_id: "7".to_owned(), ..Default::default() };
    let refused = assert_refused(call(&acme.admin, &all).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["customer_id", "hold_id", "request_id"]);
    let stale = Releasing { etag: ada.etag, ..releasing(&ada.id, &held.holds[0].hold_id) };
    let refused = assert_refused(call(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "etag").as_deref(), Some(held.etag.as_str()));
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn validate_only_changes_nothing_and_repeats_get_the_stored_answer() {
    let world = World::in_production().await;
    let (acme, ada) = active(&world).await;
    let held = place(&acme.admin, &ada.id, "orders").await.unwrap();
    let before = world.stored().await;
    let request = Releasing { request_id: request_id(), ..releasing(&ada.id, &held.holds[0].hold_id) };
    let would_be = call(&acme.admin, &Releasing { validate_only: true, ..request.clone() }).await.unwrap();
    assert!(would_be.customer.unwrap().holds.is_empty());
    assert_eq!(world.stored().await, before);

    let answers = repeat_at_once(30, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    place(&acme.admin, &ada.id, "bills").await.unwrap();
    let repeat = call(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed && repeat.customer == answers[0].customer, "as it was then");
    let other = Releasing { hold_id: unknown_id(), ..request };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn only_a_service_manager_of_the_owner_or_above_releases_holds() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let (north, globex) = (acme.child("north").await, world.tenant("globex").await);
    let eve = acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Eve") }).await.unwrap();
    let hold = place(&acme.admin, &ada.id, "orders").await.unwrap().holds.remove(0).hold_id;
    for role in [pb::Role::Viewer, pb::Role::Member] {
        let refused = release(&acme.member(role).await, &ada.id, &hold).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    }
    let below = release(&north.admin, &eve.id, &hold).await;
    assert_refused(below, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    for client in [&north.admin, &globex.admin] {
        let refused = assert_refused(release(client, &ada.id, &hold).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(release(client, &unknown_id(), &hold).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    let manager = acme.member(pb::Role::ServiceManager).await;
    assert!(release(&manager, &ada.id, &hold).await.unwrap().holds.is_empty());
}
