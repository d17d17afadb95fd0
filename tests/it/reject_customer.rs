//! RejectCustomer.

use tonic::{Code, Status};

use crate::{
    approve_customer::pending_customer,
    world::{
        Client, SERVICE, World, actions, assert_refused, bad_fields, customer, metadata, reason, repeat_at_once,
        request_id, unknown_id, wire,
    },
};
use clientele::grpc::pb::{self, CustomerStatus, RejectCustomerRequest as Rejection};

fn rejection(customer: &pb::Customer) -> Rejection {
    Rejection { customer_id: customer.id.clone(), reason: "no papers".to_owned(), ..Default::default() }
}

async fn reject(client: &Client, request: &Rejection) -> Result<pb::RejectCustomerResponse, Status> {
    Ok(client.customers().reject_customer(request.clone()).await?.into_inner())
}

#[tokio::test]
async fn a_pending_customer_becomes_rejected_for_a_reason() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let request = Rejection { reason: "  no   papers ".to_owned(), etag: ada.etag.clone(), ..rejection(&ada) };

    let answer = reject(&acme.admin, &request).await.unwrap();

    let rejected = answer.customer.unwrap();
    assert!(!answer.replayed);
    assert_eq!((rejected.status(), rejected.status_reason.as_str()), (CustomerStatus::Rejected, "no papers"));
    assert_eq!(rejected.allowed_actions, actions("Update Tag Id Approve Hold Archive Transfer Merge Erase"));
    assert_eq!(rejected, acme.admin.get(&ada.id).await.unwrap());
    assert_ne!(rejected.etag, ada.etag);
}

#[tokio::test]
async fn rejecting_again_changes_nothing_not_even_the_reason_with_any_etag() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let rejected = acme.admin.reject(&ada.id, "no papers").await.unwrap();
    let before = world.stored().await;

    for etag in [String::new(), rejected.etag.clone(), ada.etag.clone()] {
        let again = Rejection { etag, reason: "no money".to_owned(), request_id: request_id(), ..rejection(&ada) };
        let answer = reject(&acme.admin, &again).await.unwrap();
        assert_eq!((answer.customer.as_ref(), answer.replayed), (Some(&rejected), false));
    }
    assert_eq!(world.stored().await, before);

    acme.admin.archive(&[&ada.id]).await.unwrap();
    assert_eq!(acme.admin.reject(&ada.id, "gone").await.unwrap().status_reason, "no papers");
}

#[tokio::test]
async fn an_active_or_archived_customer_cannot_be_rejected() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    acme.admin.approve(&bob.id).await.unwrap();
    acme.admin.archive(&[&ada.id]).await.unwrap();
    let before = world.stored().await;

    let active = acme.admin.reject(&bob.id, "no").await;
    assert_refused(active, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    let archived = acme.admin.reject(&ada.id, "no").await;
    assert_refused(archived, Code::FailedPrecondition, "CUSTOMER_ARCHIVED");
    assert_eq!(world.stored().await, before);

    acme.admin.unarchive(&[&ada.id]).await.unwrap();
    assert_eq!(acme.admin.reject(&ada.id, "no").await.unwrap().status(), CustomerStatus::Rejected);
}

#[tokio::test]
async fn malformed_fields_are_all_named_and_the_reason_has_limits() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let before = world.stored().await;
    let everything = Rejection { customer_id: "7".to_owned(), request_id: "7".to_owned(), ..Default::default() };
    let refused = assert_refused(reject(&acme.admin, &everything).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["customer_id", "reason", "request_id"]);

    for unfit in ["", "   ", &"é".repeat(501), "tab\u{7}bell", "left\u{202e}right", "zero\u{200b}width"] {
        let request = Rejection { reason: unfit.to_owned(), ..rejection(&ada) };
        let refused = assert_refused(reject(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["reason"], "{unfit:?}");
    }
    let request = Rejection { etag: "7".to_owned(), ..rejection(&ada) };
    let refused = assert_refused(reject(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["etag"]);
    assert_eq!(world.stored().await, before);

    let longest = "é".repeat(500);
    assert_eq!(acme.admin.reject(&ada.id, &longest).await.unwrap().status_reason, longest);
}

#[tokio::test]
async fn a_stale_etag_names_the_current_one_and_the_fields_changed_since() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let changed = pb::Customer { labels: [("vip".to_owned(), "yes".to_owned())].into(), ..ada.clone() };
    acme.admin.update(changed, &["labels.vip"]).await.unwrap();
    acme.admin.archive(&[&ada.id]).await.unwrap();
    let current = acme.admin.unarchive(&[&ada.id]).await.unwrap().outcomes[0].etag.clone();
    let stale = Rejection { etag: ada.etag.clone(), ..rejection(&ada) };

    let refused = assert_refused(reject(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "etag").as_deref(), Some(current.as_str()));
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("archived_at,labels.vip"));

    sqlx::query("delete from events").execute(&mut world.sql().await).await.unwrap();
    let refused = assert_refused(reject(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "changed_fields"), None);
    let answer = reject(&acme.admin, &Rejection { etag: current, ..stale }).await.unwrap();
    assert_eq!(answer.customer.unwrap().status(), CustomerStatus::Rejected);
}

#[tokio::test]
async fn the_checks_have_one_order() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let north = acme.child("north").await;
    let member = acme.member(pb::Role::Member).await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Bob") };
    let bob = acme.admin.create(fleet).await.unwrap();
    let eve = acme.admin.create(customer("Eve")).await.unwrap();
    acme.admin.approve(&eve.id).await.unwrap();
    let known = Rejection { request_id: request_id(), ..rejection(&ada) };
    reject(&acme.admin, &known).await.unwrap();

    let unknown = Rejection { reason: String::new(), ..rejection(&pb::Customer { id: unknown_id(), ..ada.clone() }) };
    let elsewhere = Rejection { customer_id: bob.id.clone(), ..known.clone() };
    let cases = [
        ("role before shape", &member, Rejection::default(), Some("ROLE_TOO_LOW")),
        ("shape before existence", &acme.admin, unknown, Some("INVALID_FIELDS")),
        ("existence before rights", &north.admin, rejection(&ada), Some("CUSTOMER_NOT_FOUND")),
        ("rights before replay", &north.admin, elsewhere, Some("FLEET_OWNED_ELSEWHERE")),
        (
            "replay before already made",
            &acme.admin,
            Rejection { etag: ada.etag.clone(), ..known },
            Some("REQUEST_ID_REUSED"),
        ),
        ("already made before etag", &acme.admin, Rejection { etag: ada.etag.clone(), ..rejection(&ada) }, None),
        (
            "etag before state",
            &acme.admin,
            Rejection { etag: eve.etag.clone(), ..rejection(&eve) },
            Some("ETAG_MISMATCH"),
        ),
        ("state", &acme.admin, rejection(&eve), Some("ILLEGAL_TRANSITION")),
    ];
    for (rule, client, request, expected) in cases {
        let refused = reject(client, &request).await.err().map(|status| reason(&status));
        assert_eq!(refused.as_deref(), expected, "{rule}");
    }
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    acme.admin.approve(&bob.id).await.unwrap();
    let before = world.stored().await;
    let only = |request: Rejection| Rejection { validate_only: true, ..request };
    let later = Rejection { request_id: request_id(), ..rejection(&ada) };

    let would_be = reject(&acme.admin, &only(later.clone())).await.unwrap().customer.unwrap();
    assert_eq!((would_be.status(), would_be.status_reason.as_str()), (CustomerStatus::Rejected, "no papers"));
    assert_eq!((would_be.id.as_str(), would_be.etag.as_str()), (ada.id.as_str(), ""));
    let active = reject(&acme.admin, &only(rejection(&bob))).await;
    assert_refused(active, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    let stale = reject(&acme.admin, &only(Rejection { etag: bob.etag.clone(), ..rejection(&bob) })).await;
    assert_refused(stale, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(world.stored().await, before);

    assert!(!reject(&acme.admin, &later).await.unwrap().replayed);
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::start().await;
    let (acme, _) = pending_customer(&world).await;
    let north = acme.child("north").await;
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let request = Rejection { request_id: request_id(), ..rejection(&bob) };

    let first = reject(&north.admin, &request).await.unwrap();
    north.admin.approve(&bob.id).await.unwrap();
    let before = world.stored().await;
    let repeat = reject(&north.admin, &request).await.unwrap();
    assert!(repeat.replayed && !first.replayed);
    assert_eq!(repeat.customer.as_ref().map(|customer| &customer.etag), first.customer.as_ref().map(|c| &c.etag));
    assert_eq!(repeat.customer, first.customer, "as it was then, though it is ACTIVE now");

    let other_reason = Rejection { reason: "no money".to_owned(), ..request.clone() };
    for (client, other) in [(&north.admin, &other_reason), (&acme.admin, &request)] {
        assert_refused(reject(client, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
    let colleague = north.member(pb::Role::Admin).await;
    let own = reject(&colleague, &request).await;
    assert_refused(own, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn fifty_concurrent_repeats_reject_once() {
    let world = World::for_many_calls().await;
    let (acme, ada) = pending_customer(&world).await;
    let request = Rejection { request_id: request_id(), ..rejection(&ada) };

    let answers = repeat_at_once(50, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { reject(&client, &request).await.unwrap() }
    })
    .await;

    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let now = acme.admin.get(&ada.id).await.unwrap();
    assert!(answers.iter().all(|answer| answer.customer.as_ref() == Some(&now)));
    assert_eq!(acme.admin.events(&ada.id).await.unwrap().len(), 2);
    assert_eq!(world.stored().await.answers, 1);
}

#[tokio::test]
async fn only_an_admin_of_the_owner_or_above_may_reject() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Eve") };
    let eve = acme.admin.create(fleet).await.unwrap();
    let before = world.stored().await;

    let mut low = vec![world.subject(SERVICE).in_tenant(&acme.tenant).acting_in(&north.account)];
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager] {
        low.push(north.member(role).await);
    }
    for client in low {
        let refused = assert_refused(client.reject(&bob.id, "no").await, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    assert_refused(world.operator().reject(&bob.id, "no").await, Code::PermissionDenied, "NOT_A_MEMBER");
    assert_refused(world.without_token().reject(&bob.id, "no").await, Code::Unauthenticated, "TOKEN_MISSING");
    assert_refused(north.admin.reject(&eve.id, "no").await, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    for (client, id) in [(&south.admin, &bob.id), (&north.admin, &ada.id), (&globex.admin, &bob.id)] {
        let refused = assert_refused(client.reject(id, "no").await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(client.reject(&unknown_id(), "no").await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    assert_eq!(world.stored().await, before);

    let above = acme.member(pb::Role::Admin).await;
    assert_eq!(above.reject(&bob.id, "no").await.unwrap().status(), CustomerStatus::Rejected);
}
