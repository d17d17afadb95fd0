//! SuspendCustomer.

use clientele::grpc::pb::{self, CustomerEventType, CustomerStatus, SuspendCustomerRequest as Suspension};
use tonic::{Code, Status};

use crate::world::{
    Client, SERVICE, TestAccount, World, assert_refused, bad_fields, customer, manual_approval, metadata, reason,
    repeat_at_once, request_id, unknown_id, wire,
};

pub fn suspension(id: &str) -> Suspension {
    Suspension { customer_id: id.to_owned(), reason: "unpaid bills".to_owned(), ..Default::default() }
}

pub async fn call(client: &Client, request: &Suspension) -> Result<pb::SuspendCustomerResponse, Status> {
    Ok(client.customers().suspend_customer(request.clone()).await?.into_inner())
}

/// Suspends a customer for unpaid bills.
pub async fn suspend(client: &Client, id: &str) -> Result<pb::Customer, Status> {
    Ok(call(client, &suspension(id)).await?.customer.unwrap())
}

/// A tenant with an ACTIVE customer.
pub async fn active(world: &World) -> (TestAccount, pb::Customer) {
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    assert_eq!(ada.status(), CustomerStatus::Active);
    (acme, ada)
}

#[tokio::test]
async fn an_active_customer_becomes_suspended_for_a_reason() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let request = Suspension { reason: " unpaid   bills ".to_owned(), etag: ada.etag.clone(), ..suspension(&ada.id) };

    let answer = call(&acme.admin, &request).await.unwrap();

    let suspended = answer.customer.unwrap();
    assert!(!answer.replayed);
    assert_eq!((suspended.status(), suspended.status_reason.as_str()), (CustomerStatus::Suspended, "unpaid bills"));
    assert_eq!(suspended, acme.admin.get(&ada.id).await.unwrap());
    assert_ne!(suspended.etag, ada.etag);
    let can = |customer: &pb::Customer, action: &str| customer.allowed_actions.iter().any(|other| other == action);
    assert_eq!((can(&ada, "SuspendCustomer"), can(&ada, "ResumeCustomer")), (true, false));
    assert_eq!((can(&suspended, "SuspendCustomer"), can(&suspended, "ResumeCustomer")), (false, true));
    let event = acme.admin.events(&ada.id).await.unwrap().remove(0);
    assert_eq!((event.r#type(), event.rpc.as_str()), {
        (CustomerEventType::Suspended, "clientele.v1.CustomerService/SuspendCustomer")
    });
    let changed: Vec<_> = event.changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(changed, ["status", "status_reason"]);
}

#[tokio::test]
async fn suspending_again_changes_nothing_not_even_the_reason_with_any_etag() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let suspended = suspend(&acme.admin, &ada.id).await.unwrap();
    let before = world.stored().await;
    for etag in [String::new(), suspended.etag.clone(), ada.etag.clone()] {
        let again = Suspension { etag, reason: "fraud".to_owned(), request_id: request_id(), ..suspension(&ada.id) };
        let answer = call(&acme.admin, &again).await.unwrap();
        assert_eq!((answer.customer.as_ref(), answer.replayed), (Some(&suspended), false));
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn only_an_active_customer_can_be_suspended_archived_or_not() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let illegal = suspend(&acme.admin, &ada.id).await;
    assert_refused(illegal, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    acme.admin.reject(&ada.id, "no").await.unwrap();
    let illegal = suspend(&acme.admin, &ada.id).await;
    assert_refused(illegal, Code::FailedPrecondition, "ILLEGAL_TRANSITION");

    acme.admin.approve(&ada.id).await.unwrap();
    acme.admin.archive(&[&ada.id]).await.unwrap();
    let suspended = suspend(&acme.admin, &ada.id).await.unwrap();
    assert!(suspended.archived_at.is_some() && suspended.status() == CustomerStatus::Suspended);
    // A suspended customer can be resumed, but not approved or rejected.
    for refused in [acme.admin.approve(&ada.id).await, acme.admin.reject(&ada.id, "no").await] {
        assert_refused(refused, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    }
    let named = pb::Customer { id: ada.id.clone(), ..customer("Eve") };
    assert_eq!(acme.admin.update(named, &["name"]).await.unwrap().status(), CustomerStatus::Suspended);
}

#[tokio::test]
async fn malformed_fields_are_all_named() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let before = world.stored().await;
    let all = Suspension { customer_id: "7".to_owned(), request_id: "7".to_owned(), ..Default::default() };
    let refused = assert_refused(call(&acme.admin, &all).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["customer_id", "reason", "request_id"]);
    for unfit in ["", "  ", &"é".repeat(501), "bell\u{7}"] {
        let request = Suspension { reason: unfit.to_owned(), ..suspension(&ada.id) };
        let refused = assert_refused(call(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["reason"]);
    }
    let request = Suspension { etag: "7".to_owned(), ..suspension(&ada.id) };
    let refused = assert_refused(call(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["etag"]);
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn the_checks_have_one_order() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let north = acme.child("north").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let eve = acme.admin.create(customer("Eve")).await.unwrap();
    let bob = acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Bob") }).await.unwrap();
    let ada = acme.admin.approve(&ada.id).await.unwrap();
    acme.admin.approve(&bob.id).await.unwrap();
    let known = Suspension { request_id: request_id(), ..suspension(&ada.id) };
    call(&acme.admin, &known).await.unwrap();
    let stale = acme.admin.get(&eve.id).await.unwrap().etag;
    let renamed = pb::Customer { id: eve.id.clone(), ..customer("Eva") };
    acme.admin.update(renamed, &["name"]).await.unwrap();

    let member = acme.member(pb::Role::Member).await;
    let elsewhere = Suspension { customer_id: bob.id.clone(), ..known.clone() };
    let unknown = Suspension { reason: String::new(), ..suspension(&unknown_id()) };
    let cases = [
        ("role before shape", &member, Suspension::default(), Some("ROLE_TOO_LOW")),
        ("shape before existence", &acme.admin, unknown, Some("INVALID_FIELDS")),
        ("existence before rights", &north.admin, suspension(&ada.id), Some("CUSTOMER_NOT_FOUND")),
        ("rights before replay", &north.admin, elsewhere, Some("FLEET_OWNED_ELSEWHERE")),
        ("replay before already made", &acme.admin, Suspension { etag: ada.etag.clone(), ..known }, {
            Some("REQUEST_ID_REUSED")
        }),
        ("already made before etag", &acme.admin, Suspension { etag: ada.etag.clone(), ..suspension(&ada.id) }, None),
        ("etag before state", &acme.admin, Suspension { etag: stale, ..suspension(&eve.id) }, Some("ETAG_MISMATCH")),
        ("state", &acme.admin, suspension(&eve.id), Some("ILLEGAL_TRANSITION")),
    ];
    for (rule, client, request, expected) in cases {
        let refused = call(client, &request).await.err().map(|status| reason(&status));
        assert_eq!(refused.as_deref(), expected, "{rule}");
    }
}

#[tokio::test]
async fn a_stale_etag_names_the_fields_changed_since() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let changed = pb::Customer { email: "a@b.example".to_owned(), ..ada.clone() };
    let current = acme.admin.update(changed, &["email"]).await.unwrap();
    let stale = Suspension { etag: ada.etag, ..suspension(&ada.id) };
    let refused = assert_refused(call(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "etag").as_deref(), Some(current.etag.as_str()));
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("email"));
    call(&acme.admin, &Suspension { etag: current.etag, ..stale }).await.unwrap();
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let before = world.stored().await;
    let only = Suspension { validate_only: true, request_id: request_id(), ..suspension(&ada.id) };
    let would_be = call(&acme.admin, &only).await.unwrap().customer.unwrap();
    assert_eq!((would_be.status(), would_be.etag.as_str()), (CustomerStatus::Suspended, ""));
    let absent = call(&acme.admin, &Suspension { validate_only: true, ..suspension(&unknown_id()) }).await;
    assert_refused(absent, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(world.stored().await, before);
    assert!(!call(&acme.admin, &Suspension { validate_only: false, ..only }).await.unwrap().replayed);
}

#[tokio::test]
async fn sequential_and_concurrent_repeats_suspend_once() {
    let world = World::in_production().await;
    let (acme, ada) = active(&world).await;
    let request = Suspension { request_id: request_id(), ..suspension(&ada.id) };
    let answers = repeat_at_once(30, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.customer == answers[0].customer));
    crate::resume_customer::resume(&acme.admin, &ada.id).await.unwrap();
    let repeat = call(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed && repeat.customer == answers[0].customer, "as it was then");
    let other = Suspension { reason: "fraud".to_owned(), ..request };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().status(), CustomerStatus::Active);
}

#[tokio::test]
async fn only_a_service_manager_of_the_owner_or_above_may_suspend() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let eve = acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Eve") }).await.unwrap();
    let before = world.stored().await;
    let mut low = vec![world.subject(SERVICE).in_tenant(&acme.tenant).acting_in(&north.account)];
    for role in [pb::Role::Viewer, pb::Role::Member] {
        low.push(north.member(role).await);
    }
    for client in low {
        let refused = assert_refused(suspend(&client, &bob.id).await, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    }
    assert_refused(suspend(&north.admin, &eve.id).await, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    for (client, id) in [(&south.admin, &bob.id), (&north.admin, &ada.id), (&globex.admin, &bob.id)] {
        let refused = assert_refused(suspend(client, id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(suspend(client, &unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    assert_eq!(world.stored().await, before);
    suspend(&north.member(pb::Role::ServiceManager).await, &bob.id).await.unwrap();
    let from_below = {
        suspend(&acme.admin, &eve.id).await.unwrap();
        north.admin.get(&eve.id).await.unwrap()
    };
    assert_eq!((from_below.status(), from_below.status_reason.as_str()), (CustomerStatus::Suspended, ""));
    let event = north.admin.events(&eve.id).await.unwrap().remove(0);
    let fields: Vec<_> = event.changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["status"], "accounts below do not see the reason");
}
