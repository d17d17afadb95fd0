//! UpsertCustomer: matching, creates, updates and rights.

use clientele::grpc::pb::{self, CustomerEventType, Reach, Role, UpsertResult};
use tonic::Code;

use crate::{
    custom_ids::{assert_consistent, fleet, narrowed, upsert, with_custom_ids, written},
    world::{World, assert_refused, bad_fields, customer, full_customer, metadata, requiring, unknown_id, wire},
};

#[tokio::test]
async fn a_customer_is_created_then_unchanged_then_updated() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let wanted = pb::Customer { email: "a@b.example".to_owned(), ..with_custom_ids("Ada", &[("erp", "1")]) };
    let paths = &["email", "name"];

    let (made, result) = acme.admin.upsert(upsert(wanted.clone(), paths)).await.unwrap();
    assert_eq!(result, UpsertResult::Created);
    assert_eq!(acme.admin.get(&made.id).await.unwrap(), made);
    assert_eq!((made.name.as_str(), made.email.as_str(), &made.custom_ids), ("Ada", "a@b.example", &wanted.custom_ids));

    let before = written(&world).await;
    let (same, result) = acme.admin.upsert(upsert(wanted.clone(), paths)).await.unwrap();
    assert_eq!((same, result), (made.clone(), UpsertResult::Unchanged));
    assert_eq!(written(&world).await, before);

    let wanted = pb::Customer { email: "c@d.example".to_owned(), language: "nl".to_owned(), ..wanted };
    let (changed, result) = acme.admin.upsert(upsert(wanted, &["email"])).await.unwrap();
    assert_eq!(result, UpsertResult::Updated);
    assert_eq!((changed.id.as_str(), changed.email.as_str()), (made.id.as_str(), "c@d.example"));
    assert_eq!(changed.language, "", "the mask does not name it");
    assert_eq!(acme.admin.get(&made.id).await.unwrap(), changed);
    let types: Vec<_> = acme.admin.events(&made.id).await.unwrap().iter().map(pb::CustomerEvent::r#type).collect();
    let expected = [CustomerEventType::Updated, CustomerEventType::CustomIdsChanged, CustomerEventType::Created];
    assert_eq!(types, expected);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_repeated_full_record_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let paths: Vec<&str> = "type service_class reach name legal_name registration_number tax_ids currency industry \
        primary_address billing_address shipping_address contacts email billing_email phone fax order_reference labels \
        language"
        .split_whitespace()
        .collect();
    let (made, result) = acme.admin.upsert(upsert(full_customer("Copaco"), &paths)).await.unwrap();
    assert_eq!(result, UpsertResult::Created);
    // Not even the contacts, which come without their ids.
    let again = acme.admin.upsert(upsert(full_customer("Copaco"), &paths)).await.unwrap();
    assert_eq!(again, (made, UpsertResult::Unchanged));
}

#[tokio::test]
async fn a_contact_id_must_be_one_of_the_customer_that_is_found() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let sent = |contact_id: &str| {
        let jan = pb::Contact { contact_id: contact_id.to_owned(), first_name: "Jan".to_owned(), ..Default::default() };
        upsert(pb::Customer { contacts: vec![jan], ..with_custom_ids("Ada", &[("erp", "1")]) }, &["contacts"])
    };
    let refused = async |contact_id: &str| {
        let refused = acme.admin.upsert(sent(contact_id)).await;
        bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS"))
    };
    // It would create the customer, which has no contacts yet.
    assert_eq!(refused(&unknown_id()).await, ["customer.contacts[0].contact_id"]);
    let (made, _) = acme.admin.upsert(sent("")).await.unwrap();
    assert_eq!(refused(&unknown_id()).await, ["customer.contacts[0].contact_id"]);
    let again = acme.admin.upsert(sent(&made.contacts[0].contact_id)).await.unwrap();
    assert_eq!(again, (made, UpsertResult::Unchanged));
}

#[tokio::test]
async fn the_system_may_be_named_or_is_the_only_one_or_default() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(with_custom_ids("Ada", &[("erp", "1"), ("default", "2")])).await.unwrap();
    for (ids, system) in [
        (&[("erp", "1")][..], ""),
        (&[("erp", "1"), ("dms", "3")], "erp"),
        (&[("default", "2"), ("billing", "4")], ""),
        (&[("default", "2"), ("billing", "4")], "default"),
    ] {
        let request =
            pb::UpsertCustomerRequest { system: system.to_owned(), ..upsert(with_custom_ids("Ada", ids), &["name"]) };
        let (found, _) = acme.admin.upsert(request).await.unwrap();
        assert_eq!(found.id, made.id, "{ids:?} {system:?}");
    }
    // The other custom IDs were set too.
    let ids = acme.admin.get(&made.id).await.unwrap().custom_ids;
    assert_eq!(ids, with_custom_ids("", &[("erp", "1"), ("default", "2"), ("dms", "3"), ("billing", "4")]).custom_ids);
    for (ids, system) in [(&[("erp", "1"), ("dms", "3")][..], ""), (&[("erp", "1")], "dms"), (&[], ""), (&[], "erp")] {
        let request =
            pb::UpsertCustomerRequest { system: system.to_owned(), ..upsert(with_custom_ids("Ada", ids), &["name"]) };
        let refused = assert_refused(acme.admin.upsert(request).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["customer.custom_ids"], "{ids:?} {system:?}");
    }
}

#[tokio::test]
async fn fields_and_custom_ids_change_together_or_not_at_all() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(with_custom_ids("Ada", &[("erp", "aB")])).await.unwrap();
    acme.admin.create(with_custom_ids("Bob", &[("dms", "taken")])).await.unwrap();
    let request = |dms: &str| {
        let customer =
            pb::Customer { email: "a@b.example".to_owned(), ..with_custom_ids("Ada", &[("erp", "AB"), ("dms", dms)]) };
        pb::UpsertCustomerRequest { system: "erp".to_owned(), ..upsert(customer, &["email"]) }
    };
    let before = written(&world).await;
    let refused = assert_refused(acme.admin.upsert(request("Taken")).await, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer.custom_ids.dms"));
    assert_eq!(written(&world).await, before);

    let (changed, result) = acme.admin.upsert(request("free")).await.unwrap();
    assert_eq!((result, changed.email.as_str()), (UpsertResult::Updated, "a@b.example"));
    // The custom ID by which it was found keeps its spelling.
    assert_eq!(changed.custom_ids, with_custom_ids("", &[("erp", "aB"), ("dms", "free")]).custom_ids);
    assert_eq!(acme.admin.get(&made.id).await.unwrap(), changed);
    assert_eq!(acme.admin.upsert(request("free")).await.unwrap(), (changed, UpsertResult::Unchanged));
    assert_consistent(&world).await;
}

#[tokio::test]
async fn an_alias_does_not_match() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let old = acme.admin.create(with_custom_ids("Ada", &[("erp", "1")])).await.unwrap();
    acme.admin.set_id(&old.id, "erp", "2").await.unwrap();
    let (new, result) = acme.admin.upsert(upsert(with_custom_ids("Ada", &[("erp", "1")]), &["name"])).await.unwrap();
    assert_eq!(result, UpsertResult::Created);
    assert_ne!(new.id, old.id);
    assert_eq!(acme.admin.lookup("1", "").await.unwrap(), (new.id, false));
}

#[tokio::test]
async fn an_id_finds_a_customer_and_never_creates_one() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let made = north.admin.create(customer("Ada")).await.unwrap();
    // Fields that a create requires are not required here, not even a name.
    let wanted = |id: &str| pb::Customer {
        id: id.to_owned(),
        email: "a@b.example".to_owned(),
        ..with_custom_ids("", &[("erp", "1"), ("dms", "2")])
    };
    let (changed, result) = north.admin.upsert(upsert(wanted(&made.id), &["email"])).await.unwrap();
    assert_eq!((result, changed.id.as_str(), changed.custom_ids.len()), (UpsertResult::Updated, made.id.as_str(), 2));
    assert_eq!(
        north.admin.upsert(upsert(wanted(&made.id), &["email"])).await.unwrap(),
        (changed, UpsertResult::Unchanged)
    );
    let before = written(&world).await;
    let absent = wire(&north.admin.upsert(upsert(wanted(&unknown_id()), &["email"])).await.unwrap_err());
    let refused = south.admin.upsert(upsert(wanted(&made.id), &["email"])).await;
    assert_eq!(wire(&assert_refused(refused, Code::NotFound, "CUSTOMER_NOT_FOUND")), absent);
    let both = pb::UpsertCustomerRequest { system: "erp".to_owned(), ..upsert(wanted(&made.id), &["email"]) };
    let refused = assert_refused(north.admin.upsert(both).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["system"]);
    assert_eq!(written(&world).await, before);
}

#[tokio::test]
async fn accounts_do_not_find_each_others_customers() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south, other) = (acme.child("north").await, acme.child("south").await, world.tenant("globex").await);
    let request = || upsert(with_custom_ids("Ada", &[("erp", "1")]), &["name"]);
    let mut ids = Vec::new();
    for client in [&north.admin, &south.admin, &acme.admin, &other.admin] {
        let (made, result) = client.upsert(request()).await.unwrap();
        assert_eq!(result, UpsertResult::Created);
        ids.push(made.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn every_error_is_reported_at_once_and_only_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let broken = pb::Customer { email: "nowhere".to_owned(), ..with_custom_ids("", &[("erp", "\u{7}")]) };
    let request =
        pb::UpsertCustomerRequest { request_id: "no".to_owned(), ..upsert(broken, &["email", "status", "custom_ids"]) };
    let refused = assert_refused(acme.admin.upsert(request).await, Code::InvalidArgument, "INVALID_FIELDS");
    let expected = [
        "request_id",
        "customer.name",
        "customer.custom_ids.erp",
        "customer.email",
        "update_mask.paths[1]",
        "update_mask.paths[2]",
    ];
    assert_eq!(bad_fields(&refused), expected);
    for request in
        [upsert(with_custom_ids("Ada", &[("erp", "1")]), &[]), upsert(with_custom_ids("Ada", &[("erp", "1")]), &["*"])]
    {
        let refused = assert_refused(acme.admin.upsert(request).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert!(bad_fields(&refused)[0].starts_with("update_mask"));
    }
    let refused = acme.admin.upsert(pb::UpsertCustomerRequest::default()).await;
    assert_eq!(bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")), ["customer"]);
}

#[tokio::test]
async fn each_part_requires_the_role_of_its_own_rpc() {
    let world = World::start().await;
    let policies = pb::AccountPolicies { create_role: Role::ServiceManager.into(), ..Default::default() };
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    let (member, manager) = (acme.member(Role::Member).await, acme.member(Role::ServiceManager).await);
    let viewer = acme.member(Role::Viewer).await;
    let wanted = |email: &str, ids| pb::Customer { email: email.to_owned(), ..with_custom_ids("Ada", ids) };
    let request = |email: &str, ids| pb::UpsertCustomerRequest {
        system: "erp".to_owned(),
        ..upsert(wanted(email, ids), &["email"])
    };
    let one = &[("erp", "1")][..];
    let low = |answer, role: &str| {
        let refused = assert_refused(answer, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some(role));
    };
    low(viewer.upsert(request("a@b.example", one)).await, "MEMBER");
    low(member.upsert(request("a@b.example", one)).await, "SERVICE_MANAGER");
    assert_eq!(manager.upsert(request("a@b.example", one)).await.unwrap().1, UpsertResult::Created);
    // A member may change fields and send the matching custom ID; setting another one requires a manager.
    assert_eq!(member.upsert(request("c@d.example", one)).await.unwrap().1, UpsertResult::Updated);
    let two = &[("erp", "1"), ("dms", "2")][..];
    low(member.upsert(request("e@f.example", two)).await, "SERVICE_MANAGER");
    assert_eq!(manager.upsert(request("e@f.example", two)).await.unwrap().1, UpsertResult::Updated);
    assert_eq!(member.upsert(request("g@h.example", two)).await.unwrap().1, UpsertResult::Updated);
    // The reach also requires a manager.
    let reach = pb::Customer { reach: Reach::Fleet.into(), ..wanted("", one) };
    low(member.upsert(upsert(reach.clone(), &["reach"])).await, "SERVICE_MANAGER");
    assert_eq!(manager.upsert(upsert(reach, &["reach"])).await.unwrap().1, UpsertResult::Updated);
}

#[tokio::test]
async fn an_account_below_the_owner_cannot_change_fields_of_a_fleet_customer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("dealer").await;
    let made = acme.admin.create(fleet("Ada")).await.unwrap();
    dealer.admin.set_id(&made.id, "dms", "1").await.unwrap();
    let before = written(&world).await;
    for name in ["Ada", "Eve"] {
        let refused = dealer.admin.upsert(upsert(with_custom_ids(name, &[("dms", "1")]), &["name"])).await;
        assert_refused(refused, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    }
    assert_eq!(written(&world).await, before);
}

#[tokio::test]
async fn creation_policies_apply_to_creates_and_updates() {
    let world = World::start().await;
    let policies = requiring(&["email", "custom_ids.erp"], &[]);
    let acme = world.tenant_with("acme", pb::NameUniqueness::Account, policies).await;
    let refused = acme.admin.upsert(upsert(with_custom_ids("Ada", &[("dms", "1")]), &["name"])).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_eq!(metadata(&refused, "missing_fields").as_deref(), Some("customer.email,customer.custom_ids.erp"));
    let ada = pb::Customer { email: "a@b.example".to_owned(), ..with_custom_ids("Ada", &[("erp", "1")]) };
    acme.admin.upsert(upsert(ada.clone(), &["email"])).await.unwrap();
    let refused = acme.admin.upsert(upsert(with_custom_ids("Ada", &[("erp", "1")]), &["email"])).await;
    assert_refused(refused, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    // A name that another customer has is taken, for creates and updates.
    let second = |name: &str| pb::Customer {
        name: name.to_owned(),
        ..pb::Customer { custom_ids: with_custom_ids("", &[("erp", "2")]).custom_ids, ..ada.clone() }
    };
    assert_refused(acme.admin.upsert(upsert(second("ADA"), &["name"])).await, Code::AlreadyExists, "NAME_TAKEN");
    acme.admin.upsert(upsert(second("Bob"), &["name"])).await.unwrap();
    let refused = acme.admin.upsert(upsert(second("ADA"), &["name"])).await;
    let refused = assert_refused(refused, Code::AlreadyExists, "NAME_TAKEN");
    assert!(metadata(&refused, "free_names").unwrap().contains("ADA 2"), "{refused:?}");
}

#[tokio::test]
async fn a_narrowed_call_changes_its_customer_and_creates_none() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "1")])).await.unwrap();
    acme.admin.create(with_custom_ids("Bob", &[("erp", "2")])).await.unwrap();
    let call = async |erp: &str| {
        let customer = pb::Customer { email: "a@b.example".to_owned(), ..with_custom_ids("New", &[("erp", erp)]) };
        acme.admin.customers().upsert_customer(narrowed(upsert(customer, &["email"]), &ada.id)).await
    };
    let done = call("1").await.unwrap().into_inner();
    assert_eq!((done.customer.as_ref().unwrap().id.as_str(), done.result()), (&*ada.id, UpsertResult::Updated));
    let before = written(&world).await;
    // Bob does not exist for the narrowed call, nor does a customer with the custom ID 3.
    let refused = assert_refused(call("2").await, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
    assert_eq!(wire(&refused), wire(&call("3").await.unwrap_err()));
    assert_eq!(written(&world).await, before);
}
