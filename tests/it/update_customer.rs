//! UpdateCustomer: effects, errors and events. update_mask.rs tests its mask.

use clientele::grpc::pb::{self, NameUniqueness, Role};
use tonic::{Code, Status};

use crate::{
    rows::rows,
    world::{
        Client, ISSUER, World, assert_refused, bad_fields, customer, full_customer, mask, metadata, request_id,
        requiring, unknown_id,
    },
};

async fn validate(client: &Client, asked: pb::Customer, paths: &[&str]) -> Result<pb::Customer, Status> {
    let request = pb::UpdateCustomerRequest {
        customer: Some(asked),
        update_mask: Some(mask(paths)),
        request_id: request_id(),
        validate_only: true,
        ..Default::default()
    };
    let answer = client.customers().update_customer(request).await?.into_inner();
    assert!(!answer.replayed);
    Ok(answer.customer.unwrap())
}

#[tokio::test]
async fn an_update_changes_the_named_fields_and_records_the_principal() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.add("clerk", Role::Member).await;
    let clerk = world.subject("clerk").acting_in(&acme.account);
    let created = acme.admin.create(full_customer("Ada")).await.unwrap();
    let asked = pb::Customer { fax: None, ..pb::Customer { name: "Bob".to_owned(), ..created.clone() } };

    let updated = clerk.update(asked, &["name", "fax"]).await.unwrap();

    let expected = pb::Customer {
        name: "Bob".to_owned(),
        fax: None,
        update_time: updated.update_time,
        updated_by: Some(pb::Principal { issuer: ISSUER.to_owned(), subject: "clerk".to_owned() }),
        etag: updated.etag.clone(),
        // A member has fewer rights than the admin that created it.
        allowed_actions: updated.allowed_actions.clone(),
        ..created.clone()
    };
    assert_eq!(updated, expected);
    assert_ne!((&updated.etag, &updated.updated_by), (&created.etag, &created.updated_by));
    let seconds = |customer: &pb::Customer| customer.update_time.map(|time| (time.seconds, time.nanos)).unwrap();
    assert!(seconds(&updated) > seconds(&created));
    assert_eq!(clerk.get(&created.id).await.unwrap(), updated);

    let event = acme.admin.events(&created.id).await.unwrap().remove(0);
    assert_eq!(event.r#type(), pb::CustomerEventType::Updated);
    assert_eq!(
        (event.rpc.as_str(), &event.acting_account_id),
        ("clientele.v1.CustomerService/UpdateCustomer", &acme.account)
    );
    assert_eq!((event.principal, event.event_time), (updated.updated_by, updated.update_time));
    let fields: Vec<&str> = event.changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["fax", "name"]);
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let created = acme.admin.create(full_customer("Ada")).await.unwrap();
    let before = world.rows().await;
    let same = pb::Customer { name: " Ada ".to_owned(), email: "info@COMPANY.nl".to_owned(), ..created.clone() };
    let request = pb::UpdateCustomerRequest {
        customer: Some(same.clone()),
        update_mask: Some(mask(&["name", "email", "contacts", "labels", "primary_address.city", "sales_person_id"])),
        request_id: request_id(),
        ..Default::default()
    };
    for _ in 0..2 {
        let answer = acme.admin.customers().update_customer(request.clone()).await.unwrap().into_inner();
        assert_eq!((answer.customer.as_ref(), answer.replayed), (Some(&created), false), "with the same etag");
    }
    assert_eq!(world.rows().await, before, "no event, no stored answer");
    assert_eq!(acme.admin.get(&created.id).await.unwrap(), created);
    let would_be = validate(&acme.admin, same, &["name"]).await.unwrap();
    assert_eq!((&would_be.id, would_be.etag.as_str(), would_be.name.as_str()), (&created.id, "", "Ada"));
}

#[tokio::test]
async fn validate_only_stores_nothing() {
    let world = World::start().await;
    let policies = requiring(&["email"], &[]);
    let acme = world.tenant_with("acme", NameUniqueness::Account, policies).await;
    acme.admin.create(full_customer("Taken")).await.unwrap();
    let read = acme.admin.create(full_customer("Ada")).await.unwrap();
    let before = world.rows().await;

    let would_be =
        validate(&acme.admin, pb::Customer { name: "Bob".to_owned(), ..read.clone() }, &["name"]).await.unwrap();
    assert_eq!((&would_be.id, would_be.etag.as_str()), (&read.id, ""));
    assert_eq!((would_be.name.as_str(), &would_be.email), ("Bob", &read.email));

    let member = acme.member(Role::Member).await;
    let refusals = [
        (
            &acme.admin,
            pb::Customer { name: "TAKEN".to_owned(), ..read.clone() },
            "name",
            Code::AlreadyExists,
            "NAME_TAKEN",
        ),
        (
            &acme.admin,
            pb::Customer { order_reference: "order-Taken".to_owned(), ..read.clone() },
            "order_reference",
            Code::AlreadyExists,
            "ORDER_REFERENCE_TAKEN",
        ),
        (
            &acme.admin,
            pb::Customer { email: String::new(), ..read.clone() },
            "email",
            Code::InvalidArgument,
            "REQUIRED_FIELDS_MISSING",
        ),
        (
            &acme.admin,
            pb::Customer { sales_person_id: unknown_id(), ..read.clone() },
            "sales_person_id",
            Code::InvalidArgument,
            "INVALID_FIELDS",
        ),
        (&acme.admin, pb::Customer { id: unknown_id(), ..read.clone() }, "name", Code::NotFound, "CUSTOMER_NOT_FOUND"),
        (
            &acme.admin,
            pb::Customer { name: String::new(), ..read.clone() },
            "name",
            Code::InvalidArgument,
            "INVALID_FIELDS",
        ),
        (&member, read.clone(), "reach", Code::PermissionDenied, "ROLE_TOO_LOW"),
    ];
    for (client, asked, path, code, reason) in refusals {
        assert_refused(validate(client, asked.clone(), &[path]).await, code, reason);
        assert_refused(client.update(asked, &[path]).await, code, reason);
    }
    // Only the member was added.
    assert_eq!(world.rows().await[..3], before[..3]);
    assert_eq!(world.rows().await[4], before[4], "no stored answer");
    assert_eq!(acme.admin.get(&read.id).await.unwrap(), read);
    assert_eq!(acme.admin.events(&read.id).await.unwrap().len(), 2, "the creation and the custom ID");
}

#[tokio::test]
async fn required_fields_cannot_be_cleared() {
    let world = World::start().await;
    let required = [
        "email",
        "primary_address.city",
        "labels.segment",
        "primary_contact.phone",
        "tax_ids",
        "registration_number",
        "billing_address",
        "custom_ids.erp",
    ];
    let acme = world.tenant_with("acme", NameUniqueness::None, requiring(&required, &[])).await;
    let full = acme.admin.create(full_customer("Copaco")).await.unwrap();
    let bare = pb::Customer { id: full.id.clone(), ..Default::default() };
    let jan = pb::Contact { first_name: "Jan".to_owned(), ..Default::default() };
    for (asked, paths, missing) in [
        (bare.clone(), &["email", "fax"][..], "email"),
        (bare.clone(), &["primary_address.city"], "primary_address.city"),
        (bare.clone(), &["primary_address"], "primary_address.city"),
        (bare.clone(), &["labels.segment"], "labels.segment"),
        (bare.clone(), &["labels", "email"], "email,labels.segment"),
        (bare.clone(), &["contacts"], "primary_contact.phone"),
        (pb::Customer { contacts: vec![jan], ..bare.clone() }, &["contacts"], "primary_contact.phone"),
        (bare.clone(), &["tax_ids", "billing_address"], "tax_ids,billing_address"),
    ] {
        let refused = acme.admin.update(asked, paths).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
        assert_eq!(crate::world::missing(&refused).as_deref(), Some(missing));
    }
    assert_eq!(acme.admin.get(&full.id).await.unwrap(), full);

    // The numbers are required of businesses only: a person may clear them, and then cannot become a business.
    let person = pb::Customer { r#type: pb::CustomerType::Personal.into(), ..bare.clone() };
    let person = acme.admin.update(person, &["type", "tax_ids", "registration_number"]).await.unwrap();
    assert_eq!((person.tax_ids.len(), person.registration_number.as_str()), (0, ""));
    let business = pb::Customer { r#type: pb::CustomerType::Business.into(), ..bare };
    let refused =
        assert_refused(acme.admin.update(business, &["type"]).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_eq!(crate::world::missing(&refused).as_deref(), Some("tax_ids,registration_number"));
}

#[tokio::test]
async fn order_reference_and_sales_person_belong_to_the_owner() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    north.admin.create(pb::Customer { order_reference: "7".to_owned(), ..customer("Ada") }).await.unwrap();
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let ordered = pb::Customer { order_reference: "7".to_owned(), ..bob.clone() };
    for above in [&north.admin, &acme.admin] {
        let refused = above.update(ordered.clone(), &["order_reference"]).await;
        assert_refused(refused, Code::AlreadyExists, "ORDER_REFERENCE_TAKEN");
    }
    let sold_by = |member: String| pb::Customer { sales_person_id: member, ..bob.clone() };
    for stranger in [
        unknown_id(),
        acme.add("above", Role::Admin).await.member_id,
        south.add("beside", Role::Member).await.member_id,
    ] {
        let refused = acme.admin.update(sold_by(stranger), &["sales_person_id"]).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["customer.sales_person_id"]);
    }
    let seller = north.add("seller", Role::Viewer).await.member_id;
    let sold = acme.admin.update(sold_by(seller.clone()), &["sales_person_id"]).await.unwrap();
    assert_eq!(sold.sales_person_id, seller, "a member of the owner, in any acting account");
    let sold = acme.admin.update(sold_by(String::new()), &["sales_person_id"]).await.unwrap();
    assert_eq!(sold.sales_person_id, "");
}

#[tokio::test]
async fn an_account_above_the_owner_can_update() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let site = acme.child("north").await.child("site").await;
    let ada = site.admin.create(full_customer("Ada")).await.unwrap();
    let member = acme.member(Role::Member).await;
    let renamed = member.update(pb::Customer { name: "Bob".to_owned(), ..ada.clone() }, &["name"]).await.unwrap();
    assert_eq!((renamed.name.as_str(), &renamed.account_id), ("Bob", &site.account));
    let seen = site.admin.get(&ada.id).await.unwrap();
    assert_eq!((seen.name.as_str(), &seen.custom_ids), ("Bob", &ada.custom_ids), "the owner's custom IDs stay");
    let event = site.admin.events(&ada.id).await.unwrap().remove(0);
    assert_eq!(event.acting_account_id, acme.account, "the account in which the caller acted");
}

#[tokio::test]
async fn a_viewer_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let viewer = acme.member(Role::Viewer).await;
    let refused = viewer.update(pb::Customer { name: "Bob".to_owned(), ..ada.clone() }, &["name"]).await;
    let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("MEMBER"));
    assert_eq!(viewer.get(&ada.id).await.unwrap().name, "Ada");
}

#[tokio::test]
async fn an_update_is_possible_in_every_status_and_changes_none() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", NameUniqueness::None, crate::world::manual_approval()).await;
    let pending = acme.admin.create(customer("Pending")).await.unwrap();
    let active = acme.admin.create(customer("Active")).await.unwrap();
    let active = acme.admin.approve(&active.id).await.unwrap();
    let rejected = acme.admin.create(customer("Rejected")).await.unwrap();
    let rejected = acme.admin.reject(&rejected.id, "no such company").await.unwrap();
    acme.admin.archive(&[&rejected.id]).await.unwrap();
    for before in [pending, active, rejected] {
        let before = acme.admin.get(&before.id).await.unwrap();
        let asked = pb::Customer { id: before.id.clone(), ..full_customer(&before.name) };
        let after = acme.admin.update(asked, &["email"]).await.unwrap();
        assert_eq!(after.email, "info@company.nl");
        assert_eq!(
            (after.status, after.status_reason, after.archived_at),
            (before.status, before.status_reason, before.archived_at)
        );
    }
}

#[tokio::test]
async fn contacts_keep_their_ids_when_they_are_sent_back() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let created = acme.admin.create(full_customer("Ada")).await.unwrap();
    let piet = pb::Contact { first_name: "Piet".to_owned(), primary: true, ..Default::default() };
    let mut jan = created.contacts[0].clone();
    jan.primary = false;
    let contacts = vec![jan.clone(), piet.clone()];
    let updated = acme.admin.update(pb::Customer { contacts, ..created.clone() }, &["contacts"]).await.unwrap();
    assert_eq!(updated.contacts[0], jan);
    assert_ne!(updated.contacts[1].contact_id, "");
    assert_eq!(pb::Contact { contact_id: String::new(), ..updated.contacts[1].clone() }, piet);
    // In capitals it is the same id, and in another order the same contact.
    let capitals = updated.contacts[1].contact_id.to_uppercase();
    let contacts = vec![pb::Contact { contact_id: capitals, ..updated.contacts[1].clone() }, jan.clone()];
    let turned = acme.admin.update(pb::Customer { contacts, ..created.clone() }, &["contacts"]).await.unwrap();
    assert_eq!(turned.contacts, [updated.contacts[1].clone(), jan]);
}

#[tokio::test]
async fn a_contact_id_that_is_none_of_the_customers_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(full_customer("Ada")).await.unwrap();
    let bob = acme.admin.create(full_customer("Bob")).await.unwrap();
    let piet = pb::Contact { first_name: "Piet".to_owned(), ..Default::default() };
    let known = |id: &str| pb::Contact { contact_id: id.to_owned(), ..piet.clone() };
    let with = |contacts: Vec<pb::Contact>| pb::Customer { contacts, ..ada.clone() };
    let (hers, his) = (ada.contacts[0].clone(), bob.contacts[0].contact_id.clone());
    let before = rows(&world).await;
    // One that nobody has, and one of another customer.
    let contacts = vec![hers.clone(), known(&unknown_id()), piet.clone(), known(&his)];
    for validate_only in [false, true] {
        let asked = pb::UpdateCustomerRequest {
            customer: Some(with(contacts.clone())),
            update_mask: Some(mask(&["contacts", "name"])),
            validate_only,
            ..Default::default()
        };
        let refused = acme.admin.customers().update_customer(asked).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["customer.contacts[1].contact_id", "customer.contacts[3].contact_id"]);
    }
    assert_eq!(rows(&world).await, before);
    // The id of a contact that has been removed is one that nobody has.
    let without = acme.admin.update(with(vec![piet.clone()]), &["contacts"]).await.unwrap();
    let refused = acme.admin.update(with(vec![hers]), &["contacts"]).await;
    assert_eq!(
        bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")),
        ["customer.contacts[0].contact_id"]
    );
    let kept = acme.admin.update(with(vec![known(&without.contacts[0].contact_id)]), &["contacts"]).await.unwrap();
    assert_eq!(kept.contacts, without.contacts);
}
