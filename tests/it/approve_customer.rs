//! ApproveCustomer.

use tonic::{Code, Status};

use crate::world::{
    Client, TestAccount, World, actions, assert_refused, bad_fields, customer, full_customer, manual_approval,
    metadata, reason, repeat_at_once, request_id, requiring, unknown_id,
};
use clientele::grpc::pb::{self, ApproveCustomerRequest as Approval, CustomerStatus};

/// A tenant whose new customers are pending, and one of them.
pub async fn pending_customer(world: &World) -> (TestAccount, pb::Customer) {
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    assert_eq!(ada.status(), CustomerStatus::Pending);
    (acme, ada)
}

pub fn approval(customer: &pb::Customer) -> Approval {
    Approval { customer_id: customer.id.clone(), ..Default::default() }
}

pub async fn approve(client: &Client, request: &Approval) -> Result<pb::ApproveCustomerResponse, Status> {
    Ok(client.customers().approve_customer(request.clone()).await?.into_inner())
}

#[tokio::test]
async fn a_pending_customer_becomes_active() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let colleague = acme.member(pb::Role::Admin).await;

    let answer = approve(&colleague, &Approval { etag: ada.etag.clone(), ..approval(&ada) }).await.unwrap();

    let approved = answer.customer.unwrap();
    assert!(!answer.replayed);
    assert_eq!(approved.status(), CustomerStatus::Active);
    assert_eq!(approved.allowed_actions, actions("Update Tag Id Suspend Hold Archive Migrate Transfer Merge Erase"));
    assert_ne!(approved.etag, ada.etag);
    assert_ne!(approved.updated_by, ada.updated_by, "a colleague approved it");
    assert_eq!(approved, acme.admin.get(&ada.id).await.unwrap());
    let left_as_it_was = pb::Customer {
        status: approved.status,
        etag: approved.etag.clone(),
        allowed_actions: approved.allowed_actions.clone(),
        update_time: approved.update_time,
        updated_by: approved.updated_by.clone(),
        ..ada
    };
    assert_eq!(approved, left_as_it_was);
}

#[tokio::test]
async fn a_rejected_customer_can_be_approved_and_loses_its_reason() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    assert_eq!(acme.admin.reject(&ada.id, "no papers").await.unwrap().status_reason, "no papers");

    let approved = acme.admin.approve(&ada.id).await.unwrap();

    assert_eq!((approved.status(), approved.status_reason.as_str()), (CustomerStatus::Active, ""));
}

#[tokio::test]
async fn approving_again_changes_nothing_with_any_etag() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let approved = acme.admin.approve(&ada.id).await.unwrap();
    let before = world.stored().await;

    for etag in [String::new(), approved.etag.clone(), ada.etag.clone()] {
        let again = Approval { etag, request_id: request_id(), ..approval(&ada) };
        let answer = approve(&acme.admin, &again).await.unwrap();
        assert_eq!((answer.customer.as_ref(), answer.replayed), (Some(&approved), false));
    }
    assert_eq!(world.stored().await, before);

    acme.admin.archive(&[&ada.id]).await.unwrap();
    let archived = acme.admin.approve(&ada.id).await.unwrap();
    assert!(archived.archived_at.is_some(), "an archived customer keeps its status");
    assert_eq!(acme.admin.events(&ada.id).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_stale_etag_names_the_current_one_and_the_fields_changed_since() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let city = pb::Address { city: "Delft".to_owned(), ..Default::default() };
    let changed = pb::Customer { email: "ada@x.nl".to_owned(), primary_address: Some(city), ..ada.clone() };
    acme.admin.update(changed.clone(), &["primary_address.city"]).await.unwrap();
    let current = acme.admin.update(changed, &["email"]).await.unwrap().etag;
    let stale = Approval { etag: ada.etag.clone(), request_id: request_id(), ..approval(&ada) };
    let before = world.stored().await;

    let refused = assert_refused(approve(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("email,primary_address.city"));
    assert_eq!(metadata(&refused, "etag").as_deref(), Some(current.as_str()));
    assert_eq!(world.stored().await, before);

    // If even one of the events is gone, the changed fields are not known any more.
    let forget = "delete from events where id = (select id from events where type = 'UPDATED' order by seq limit 1)";
    sqlx::query(forget).execute(&mut world.sql().await).await.unwrap();
    let refused = assert_refused(approve(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "changed_fields"), None);
    let current = metadata(&refused, "etag").unwrap();

    let answer = approve(&acme.admin, &Approval { etag: current, ..approval(&ada) }).await.unwrap();
    assert_eq!(answer.customer.unwrap().status(), CustomerStatus::Active);
}

#[tokio::test]
async fn malformed_fields_are_all_named() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let north = acme.child("north").await;
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let from_above = acme.admin.get(&bob.id).await.unwrap();
    let before = world.stored().await;

    for id in ["", "ada", "0190", &format!("{}0", ada.id), &format!("{}\n", ada.id)] {
        let request = Approval { customer_id: id.to_owned(), request_id: "7".to_owned(), ..Default::default() };
        let refused = assert_refused(approve(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
        let mut fields = bad_fields(&refused);
        fields.sort();
        assert_eq!(fields, ["customer_id", "request_id"], "{id:?}");
    }
    let mut bent = ada.etag.clone().into_bytes();
    bent[8] ^= 1;
    let strangers = ["7", "*", &bob.etag, &from_above.etag, &ada.etag[1..], std::str::from_utf8(&bent).unwrap()];
    for etag in strangers {
        let request = Approval { etag: etag.to_owned(), ..approval(&ada) };
        let refused = assert_refused(approve(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["etag"], "{etag:?}");
    }
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn missing_required_fields_are_named() {
    let world = World::start().await;
    let required =
        ["legal_name", "tax_ids", "primary_address.city", "primary_contact.email", "labels.vip", "custom_ids.erp"];
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, requiring(&[], &required)).await;
    // The owner's policy decides, not that of the account above, in which the caller acts.
    let north = acme.child_with("north", Some(requiring(&[], &["email"]))).await;
    let custom_ids = || [("erp".to_owned(), "1".to_owned())].into();
    let ada = acme.admin.create(pb::Customer { custom_ids: custom_ids(), ..customer("Ada") }).await.unwrap();
    let private = pb::Customer { r#type: pb::CustomerType::Personal.into(), ..customer("Bob") };
    let bob = acme.admin.create(private).await.unwrap();
    let eve = north.admin.create(customer("Eve")).await.unwrap();
    let before = world.stored().await;

    let cases = [
        (&ada, "legal_name,tax_ids,primary_address.city,primary_contact.email,labels.vip"),
        (&bob, "legal_name,primary_address.city,primary_contact.email,labels.vip,custom_ids.erp"),
        (&eve, "email"),
    ];
    for (customer, missing) in cases {
        let request = Approval { request_id: request_id(), ..approval(customer) };
        let refused =
            assert_refused(approve(&acme.admin, &request).await, Code::FailedPrecondition, "REQUIREMENTS_NOT_MET");
        let mut named: Vec<_> = crate::world::missing(&refused).unwrap().split(',').map(str::to_owned).collect();
        assert_eq!(named, customer.missing_for_approval);
        let mut expected: Vec<_> = missing.split(',').collect();
        named.sort();
        expected.sort_unstable();
        assert_eq!(named, expected);
        assert!(!customer.allowed_actions.contains(&"ApproveCustomer".to_owned()));
    }
    assert_eq!(world.stored().await, before);

    let whole = pb::Customer {
        id: ada.id.clone(),
        labels: [("vip".to_owned(), "yes".to_owned())].into(),
        ..full_customer("Ada")
    };
    let filled =
        acme.admin.update(whole, &["legal_name", "tax_ids", "primary_address", "contacts", "labels"]).await.unwrap();
    assert_eq!((filled.status(), filled.missing_for_approval.len()), (CustomerStatus::Pending, 0));
    assert_eq!(acme.admin.approve(&ada.id).await.unwrap().status(), CustomerStatus::Active);
}

#[tokio::test]
async fn an_archived_customer_cannot_be_approved() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    acme.admin.reject(&bob.id, "no papers").await.unwrap();
    acme.admin.archive(&[&ada.id, &bob.id]).await.unwrap();
    let before = world.stored().await;

    for id in [&ada.id, &bob.id] {
        assert_refused(acme.admin.approve(id).await, Code::FailedPrecondition, "CUSTOMER_ARCHIVED");
    }
    assert_eq!(world.stored().await, before);

    acme.admin.unarchive(&[&ada.id, &bob.id]).await.unwrap();
    for id in [&ada.id, &bob.id] {
        assert_eq!(acme.admin.approve(id).await.unwrap().status(), CustomerStatus::Active);
    }
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    let bob = acme.admin.update(pb::Customer { email: "b@x.nl".to_owned(), ..bob }, &["email"]).await.unwrap();
    let eve = acme.admin.create(customer("Eve")).await.unwrap();
    acme.admin.archive(&[&eve.id]).await.unwrap();
    let before = world.stored().await;
    let only = |request: Approval| Approval { validate_only: true, ..request };
    let later = Approval { request_id: request_id(), etag: ada.etag.clone(), ..approval(&ada) };

    for _ in 0..2 {
        let would_be = approve(&acme.admin, &only(later.clone())).await.unwrap();
        let shown = would_be.customer.unwrap();
        assert_eq!((shown.status(), shown.id.as_str(), shown.etag.as_str()), (CustomerStatus::Active, &*ada.id, ""));
        assert!(!would_be.replayed);
    }
    let refusals = [
        (Approval { customer_id: unknown_id(), ..Default::default() }, "CUSTOMER_NOT_FOUND"),
        (Approval { etag: ada.etag.clone(), ..approval(&bob) }, "INVALID_FIELDS"),
        (approval(&eve), "CUSTOMER_ARCHIVED"),
        (Approval { etag: eve.etag.clone(), ..approval(&eve) }, "ETAG_MISMATCH"),
    ];
    for (request, expected) in refusals {
        let status = approve(&acme.admin, &only(request)).await.unwrap_err();
        assert_eq!(reason(&status), expected);
    }
    assert_eq!(world.stored().await, before);

    let real = approve(&acme.admin, &later).await.unwrap();
    assert!(!real.replayed, "validate_only does not use the request_id");
    let already = approve(&acme.admin, &only(approval(&ada))).await.unwrap().customer.unwrap();
    assert_eq!((already.status(), already.etag.as_str()), (CustomerStatus::Active, ""));
    let ignored = approve(&acme.admin, &only(Approval { etag: String::new(), ..later })).await.unwrap();
    assert!(!ignored.replayed);
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::start().await;
    let (acme, ada) = pending_customer(&world).await;
    let north = acme.child("north").await;
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let request = Approval { request_id: request_id(), ..approval(&bob) };

    // A failed call leaves the request_id free.
    north.admin.archive(&[&bob.id]).await.unwrap();
    assert_refused(approve(&north.admin, &request).await, Code::FailedPrecondition, "CUSTOMER_ARCHIVED");
    north.admin.unarchive(&[&bob.id]).await.unwrap();

    let first = approve(&north.admin, &request).await.unwrap();
    let changed = pb::Customer { email: "bob@x.nl".to_owned(), ..bob.clone() };
    north.admin.update(changed, &["email"]).await.unwrap();
    let before = world.stored().await;
    for _ in 0..3 {
        let repeat = approve(&north.admin, &request).await.unwrap();
        assert!(repeat.replayed && !first.replayed);
        assert_eq!(repeat.customer, first.customer, "as it was then");
    }
    let others = [
        (&north.admin, Approval { etag: bob.etag.clone(), ..request.clone() }),
        (&acme.admin, request.clone()),
        (&acme.admin, Approval { customer_id: ada.id.clone(), ..request.clone() }),
    ];
    for (client, other) in others {
        assert_refused(approve(client, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
    // Each principal and each RPC has request_ids of its own.
    let colleague = north.member(pb::Role::Admin).await;
    assert!(!approve(&colleague, &request).await.unwrap().replayed);
    let rejection = pb::RejectCustomerRequest {
        customer_id: bob.id.clone(),
        reason: "late".to_owned(),
        request_id: request.request_id.clone(),
        ..Default::default()
    };
    let rejected = north.admin.customers().reject_customer(rejection).await;
    assert_refused(rejected, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn fifty_concurrent_repeats_approve_once() {
    let world = World::for_many_calls().await;
    let (acme, ada) = pending_customer(&world).await;
    let request = Approval { request_id: request_id(), etag: ada.etag.clone(), ..approval(&ada) };

    let answers = repeat_at_once(50, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { approve(&client, &request).await.unwrap() }
    })
    .await;

    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let now = acme.admin.get(&ada.id).await.unwrap();
    assert!(answers.iter().all(|answer| answer.customer.as_ref() == Some(&now)));
    assert_eq!(acme.admin.events(&ada.id).await.unwrap().len(), 2);
    assert_eq!(world.stored().await.answers, 1);
}
