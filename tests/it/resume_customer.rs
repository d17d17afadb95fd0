//! ResumeCustomer.

use clientele::grpc::pb::{self, CustomerEventType, CustomerStatus, ResumeCustomerRequest as Resumption};
use tonic::{Code, Status};

use crate::{
    suspend_customer::{active, suspend},
    world::{
        Client, World, assert_refused, bad_fields, customer, manual_approval, metadata, repeat_at_once, request_id,
        unknown_id, wire,
    },
};

fn resumption(id: &str) -> Resumption {
    Resumption { customer_id: id.to_owned(), ..Default::default() }
}

async fn call(client: &Client, request: &Resumption) -> Result<pb::ResumeCustomerResponse, Status> {
    Ok(client.customers().resume_customer(request.clone()).await?.into_inner())
}

/// Resumes a customer.
pub async fn resume(client: &Client, id: &str) -> Result<pb::Customer, Status> {
    Ok(call(client, &resumption(id)).await?.customer.unwrap())
}

#[tokio::test]
async fn a_suspended_customer_becomes_active_and_its_reason_is_gone() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let suspended = suspend(&acme.admin, &ada.id).await.unwrap();
    let resumed = call(&acme.admin, &Resumption { etag: suspended.etag.clone(), ..resumption(&ada.id) }).await.unwrap();
    let resumed = resumed.customer.unwrap();
    assert_eq!((resumed.status(), resumed.status_reason.as_str()), (CustomerStatus::Active, ""));
    assert_eq!(resumed, acme.admin.get(&ada.id).await.unwrap());
    let event = acme.admin.events(&ada.id).await.unwrap().remove(0);
    assert_eq!(event.r#type(), CustomerEventType::Resumed);

    let before = world.stored().await;
    for etag in [String::new(), ada.etag, suspended.etag] {
        let again = Resumption { etag, request_id: request_id(), ..resumption(&ada.id) };
        let answer = call(&acme.admin, &again).await.unwrap();
        assert_eq!((answer.customer.as_ref(), answer.replayed), (Some(&resumed), false), "already resumed");
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn an_archived_customer_can_be_resumed_and_a_pending_or_rejected_one_cannot() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    assert_refused(resume(&acme.admin, &ada.id).await, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    acme.admin.reject(&ada.id, "no").await.unwrap();
    assert_refused(resume(&acme.admin, &ada.id).await, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    acme.admin.approve(&ada.id).await.unwrap();
    suspend(&acme.admin, &ada.id).await.unwrap();
    acme.admin.archive(&[&ada.id]).await.unwrap();
    let resumed = resume(&acme.admin, &ada.id).await.unwrap();
    assert!(resumed.archived_at.is_some() && resumed.status() == CustomerStatus::Active);
}

#[tokio::test]
async fn malformed_fields_and_stale_etags_are_refused() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    suspend(&acme.admin, &ada.id).await.unwrap();
    let before = world.stored().await;
    let all = Resumption { customer_id: "7".to_owned(), request_id: "7".to_owned(), ..Default::default() };
    let refused = assert_refused(call(&acme.admin, &all).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused).len(), 2);
    let stale = Resumption { etag: ada.etag.clone(), ..resumption(&ada.id) };
    let refused = assert_refused(call(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("status,status_reason"));
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn validate_only_changes_nothing_and_repeats_resume_once() {
    let world = World::in_production().await;
    let (acme, ada) = active(&world).await;
    suspend(&acme.admin, &ada.id).await.unwrap();
    let before = world.stored().await;
    let request = Resumption { request_id: request_id(), ..resumption(&ada.id) };
    let would_be = call(&acme.admin, &Resumption { validate_only: true, ..request.clone() }).await.unwrap();
    assert_eq!(would_be.customer.unwrap().status(), CustomerStatus::Active);
    assert_eq!(world.stored().await, before);

    let answers = repeat_at_once(30, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    suspend(&acme.admin, &ada.id).await.unwrap();
    let repeat = call(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed && repeat.customer == answers[0].customer, "as it was then");
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().status(), CustomerStatus::Suspended);
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    let other = call(&acme.admin, &Resumption { customer_id: bob.id, ..request }).await;
    assert_refused(other, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn only_a_service_manager_of_the_owner_or_above_may_resume() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let eve = acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Eve") }).await.unwrap();
    for id in [&ada.id, &eve.id] {
        suspend(&acme.admin, id).await.unwrap();
    }
    for role in [pb::Role::Viewer, pb::Role::Member] {
        let refused = resume(&acme.member(role).await, &ada.id).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    }
    assert_refused(resume(&north.admin, &eve.id).await, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    for client in [&north.admin, &south.admin, &globex.admin] {
        let refused = assert_refused(resume(client, &ada.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(resume(client, &unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    let manager = acme.member(pb::Role::ServiceManager).await;
    assert_eq!(resume(&manager, &ada.id).await.unwrap().status(), CustomerStatus::Active);
}
