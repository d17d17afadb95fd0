//! The rights to approve and reject, and the order of all checks.

use tonic::{Code, Status};

use crate::{
    approve_customer::{approval, approve, pending_customer},
    world::{SERVICE, World, assert_refused, customer, metadata, reason, request_id, unknown_id, wire},
};
use clientele::grpc::pb::{self, ApproveCustomerRequest as Approval, CustomerStatus};

#[tokio::test]
async fn the_checks_have_one_order() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let north = acme.child("north").await;
    let member = acme.member(pb::Role::Member).await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Bob") };
    let bob = acme.admin.create(fleet).await.unwrap();
    let eve = acme.admin.create(customer("Eve")).await.unwrap();
    let known = Approval { request_id: request_id(), ..approval(&ada) };
    approve(&acme.admin, &known).await.unwrap();
    let outcome = |result: Result<_, Status>| result.map(|_: pb::ApproveCustomerResponse| ()).map_err(|e| reason(&e));
    let refused = |reason: &str| Err(reason.to_owned());

    let role_before_shape = approve(&member, &Approval::default()).await;
    assert_eq!(outcome(role_before_shape), refused("ROLE_TOO_LOW"));
    let shape_before_existence = Approval { etag: "7".to_owned(), customer_id: unknown_id(), ..Default::default() };
    assert_eq!(outcome(approve(&acme.admin, &shape_before_existence).await), refused("INVALID_FIELDS"));
    let existence_before_rights = approve(&north.admin, &approval(&ada)).await;
    assert_eq!(outcome(existence_before_rights), refused("CUSTOMER_NOT_FOUND"));
    let rights_before_replay = Approval { customer_id: bob.id.clone(), ..known.clone() };
    assert_eq!(outcome(approve(&north.admin, &rights_before_replay).await), refused("FLEET_OWNED_ELSEWHERE"));
    let replay_before_already_made = Approval { etag: ada.etag.clone(), ..known };
    assert_eq!(outcome(approve(&acme.admin, &replay_before_already_made).await), refused("REQUEST_ID_REUSED"));
    let already_made_before_etag = Approval { etag: ada.etag.clone(), ..approval(&ada) };
    assert_eq!(outcome(approve(&acme.admin, &already_made_before_etag).await), Ok(()));
    acme.admin.archive(&[&eve.id]).await.unwrap();
    let etag_before_state = Approval { etag: eve.etag.clone(), ..approval(&eve) };
    assert_eq!(outcome(approve(&acme.admin, &etag_before_state).await), refused("ETAG_MISMATCH"));
    assert_eq!(outcome(approve(&acme.admin, &approval(&eve)).await), refused("CUSTOMER_ARCHIVED"));
}

#[tokio::test]
async fn only_an_admin_may_approve() {
    let world = World::start().await;
    let (acme, _) = pending_customer(&world).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let before = world.stored().await;
    let service = world.subject(SERVICE).in_tenant(&acme.tenant).acting_in(&north.account);
    let mut low = vec![service];
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager] {
        low.push(north.member(role).await);
        low.push(acme.member(role).await.acting_in(&north.account));
    }

    for client in low {
        let refused = assert_refused(client.approve(&ada.id).await, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    let neighbour = south.member(pb::Role::Admin).await.acting_in(&north.account);
    assert_refused(neighbour.approve(&ada.id).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    assert_refused(world.operator().approve(&ada.id).await, Code::PermissionDenied, "NOT_A_MEMBER");
    assert_refused(world.without_token().approve(&ada.id).await, Code::Unauthenticated, "TOKEN_MISSING");
    assert_eq!(world.stored().await, before);

    let above = acme.member(pb::Role::Admin).await;
    for client in [north.member(pb::Role::Admin).await, above.acting_in(&north.account), above] {
        let bob = north.admin.create(customer("Bob")).await.unwrap();
        assert_eq!(client.approve(&bob.id).await.unwrap().status(), CustomerStatus::Active);
    }
}

#[tokio::test]
async fn a_customer_of_another_account_or_tenant_does_not_exist() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let before = world.stored().await;

    for (client, id) in [(&south.admin, &bob.id), (&north.admin, &ada.id), (&globex.admin, &bob.id)] {
        let refused = assert_refused(client.approve(id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(client.approve(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn an_account_below_the_owner_of_a_fleet_customer_cannot_approve_it() {
    let world = World::start().await;
    let (acme, _) = pending_customer(&world).await;
    let north = acme.child("north").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Bob") };
    let bob = acme.admin.create(fleet).await.unwrap();
    let before = world.stored().await;

    let refused = assert_refused(north.admin.approve(&bob.id).await, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    assert_eq!(metadata(&refused, "field"), None, "a call on one customer names no position");
    assert_eq!(world.stored().await, before);
    assert_eq!(acme.admin.approve(&bob.id).await.unwrap().status(), CustomerStatus::Active);
}
