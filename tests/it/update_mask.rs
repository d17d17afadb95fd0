//! UpdateCustomer's mask: valid and invalid paths, and clearing.

use clientele::{
    domain::fields::field::Field,
    grpc::pb::{self, Role},
};
use strum::VariantArray as _;
use tonic::{Code, Status};

use crate::world::{Client, TestAccount, World, assert_refused, bad_fields, customer, full_customer, mask, unknown_id};

/// The paths of all fields that a client may write.
fn writable() -> Vec<&'static str> {
    Field::VARIANTS.iter().map(|field| field.name()).collect()
}

/// An update of every field of a customer.
async fn every_field(acme: &TestAccount, id: &str) -> pb::Customer {
    pb::Customer {
        id: id.to_owned(),
        r#type: pb::CustomerType::Personal.into(),
        service_class: pb::ServiceClass::Residential.into(),
        reach: pb::Reach::Fleet.into(),
        sales_person_id: acme.add("seller", Role::Viewer).await.member_id,
        branch_id: acme.branch("Harbour").await,
        ..full_customer("Copaco")
    }
}

async fn refused(client: &Client, asked: pb::Customer, paths: &[&str]) -> Status {
    assert_refused(client.update(asked, paths).await, Code::InvalidArgument, "INVALID_FIELDS")
}

fn with_labels(id: &str, labels: &[(&str, &str)]) -> pb::Customer {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    pb::Customer { id: id.to_owned(), labels, ..Default::default() }
}

#[tokio::test]
async fn every_field_can_be_set_and_every_optional_field_cleared() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let bare = acme.admin.create(customer("Ada")).await.unwrap();
    let asked = every_field(&acme, &bare.id).await;

    let full = acme.admin.update(asked.clone(), &writable()).await.unwrap();

    let mut expected = pb::Customer {
        account_id: bare.account_id.clone(),
        status: bare.status,
        // The mask does not name them; the origin stays.
        custom_ids: [].into(),
        origin: bare.origin,
        // A FLEET customer cannot be migrated.
        allowed_actions: full.allowed_actions.clone(),
        dms_link: bare.dms_link,
        create_time: bare.create_time,
        update_time: full.update_time,
        created_by: bare.created_by.clone(),
        updated_by: bare.updated_by.clone(),
        etag: full.etag.clone(),
        ..asked
    };
    expected.contacts[0].contact_id.clone_from(&full.contacts[0].contact_id);
    assert_eq!(full, expected);

    let never_empty = ["type", "service_class", "reach", "name"];
    let empty = pb::Customer { id: bare.id.clone(), ..Default::default() };
    for path in never_empty {
        assert_eq!(bad_fields(&refused(&acme.admin, empty.clone(), &[path]).await), [format!("customer.{path}")]);
    }
    let clearable: Vec<&str> = writable().into_iter().filter(|path| !never_empty.contains(path)).collect();
    let cleared = acme.admin.update(empty, &clearable).await.unwrap();
    let expected = pb::Customer {
        r#type: full.r#type,
        service_class: full.service_class,
        reach: full.reach,
        name: full.name,
        allowed_actions: full.allowed_actions,
        update_time: cleared.update_time,
        etag: cleared.etag.clone(),
        ..bare
    };
    assert_eq!(cleared, expected);
}

#[tokio::test]
async fn each_field_can_be_named_by_itself() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let bare = acme.admin.create(customer("Ada")).await.unwrap();
    let asked = every_field(&acme, &bare.id).await;
    for path in writable() {
        acme.admin.update(asked.clone(), &[path]).await.unwrap();
        let changes = acme.admin.events(&bare.id).await.unwrap().remove(0).changes;
        let foreign = changes.iter().find(|change| change.field.split('.').next() != Some(path));
        assert!(!changes.is_empty() && foreign.is_none(), "{path}: {changes:?}");
    }
}

#[tokio::test]
async fn paths_other_than_writable_fields_are_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(full_customer("Ada")).await.unwrap();
    for path in [
        // Empty, everything, and unknown paths.
        "",
        "*",
        "nickname",
        "Name",
        "name ",
        " name",
        "name,email",
        "customer.name",
        "primaryAddress",
        // Output only, or fixed at creation.
        "id",
        "account_id",
        "custom_ids",
        "custom_ids.erp",
        "origin",
        "status",
        "status_reason",
        "archived_at",
        "allowed_actions",
        "missing_for_approval",
        "create_time",
        "update_time",
        "created_by",
        "updated_by",
        "etag",
        // Fields without parts, or without these parts.
        "name.first",
        "contacts.0",
        "contacts[0]",
        "contacts[0].email",
        "contacts.email",
        "primary_contact.email",
        "tax_ids.value",
        "tax_ids[0]",
        "phone.number",
        "fax.extension",
        "primary_address.",
        "primary_address.street",
        "primary_address.city.name",
        "primary_address.*",
        "labels.",
        "labels.*",
        "labels.TIER",
        "labels.a b",
    ] {
        let refused = refused(&acme.admin, ada.clone(), &["email", path]).await;
        assert_eq!(bad_fields(&refused), ["update_mask.paths[1]"], "{path:?}");
    }
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), ada);
}

#[tokio::test]
async fn a_mask_names_1_to_100_paths() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let hundred_and_one = vec!["name"; 101];
    for update_mask in [None, Some(mask(&[])), Some(mask(&hundred_and_one))] {
        let request = pb::UpdateCustomerRequest { customer: Some(ada.clone()), update_mask, ..Default::default() };
        let refused = acme.admin.customers().update_customer(request).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["update_mask"]);
    }
    let asked = pb::Customer { name: "Bob".to_owned(), ..ada };
    assert_eq!(
        acme.admin.update(asked, &hundred_and_one[1..]).await.unwrap().name,
        "Bob",
        "a repeated path counts once"
    );
}

#[tokio::test]
async fn a_field_is_named_as_a_whole_or_in_part() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(full_customer("Ada")).await.unwrap();
    for paths in [
        ["primary_address", "primary_address.city"],
        ["shipping_address.line1", "shipping_address"],
        ["labels", "labels.tier"],
        ["labels.tier", "labels"],
    ] {
        assert_eq!(bad_fields(&refused(&acme.admin, ada.clone(), &paths).await), ["update_mask.paths[1]"], "{paths:?}");
    }
    let apart =
        ["primary_address", "billing_address.city", "shipping_address.city", "shipping_address.state", "labels.tier"];
    let empty = pb::Customer { id: ada.id, ..Default::default() };
    let updated = acme.admin.update(empty, &apart).await.unwrap();
    let (billing, shipping) = (updated.billing_address.unwrap(), updated.shipping_address.unwrap());
    assert_eq!((updated.primary_address, billing.city.as_str()), (None, ""));
    assert_eq!([shipping.city.as_str(), shipping.state.as_str(), shipping.line1.as_str()], ["", "", "Havenkade 21"]);
}

#[tokio::test]
async fn a_line_of_an_address_is_set_and_cleared_by_itself() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let bare = acme.admin.create(customer("Ada")).await.unwrap();
    let line = |text: &str| {
        let address = pb::Address { city: text.to_owned(), state: "not named".to_owned(), ..Default::default() };
        pb::Customer { id: bare.id.clone(), billing_address: Some(address), ..Default::default() }
    };
    let set = acme.admin.update(line("Delft"), &["billing_address.city"]).await.unwrap();
    let delft = pb::Address { city: "Delft".to_owned(), ..Default::default() };
    assert_eq!(set.billing_address, Some(delft));
    let refused = refused(&acme.admin, line("a\nb"), &["billing_address.city"]).await;
    assert_eq!(bad_fields(&refused), ["customer.billing_address.city"]);
    let cleared = acme.admin.update(line(" "), &["billing_address.city"]).await.unwrap();
    assert_eq!(cleared.billing_address, None, "an empty address is none");
}

#[tokio::test]
async fn a_label_is_set_and_cleared_by_its_key() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let id = acme.admin.create(with_labels("", &[("kept", "x"), ("tier", "silver")])).await.unwrap_err();
    assert_eq!(bad_fields(&id), ["customer.name"]);
    let ada = acme
        .admin
        .create(pb::Customer { name: "Ada".to_owned(), ..with_labels("", &[("kept", "x"), ("tier", "silver")]) });
    let id = ada.await.unwrap().id;
    let labels = async |asked: &[(&str, &str)], paths: &[&str]| {
        acme.admin.update(with_labels(&id, asked), paths).await.unwrap().labels
    };
    let expect = |labels: &[(&str, &str)]| with_labels("", labels).labels;

    let set =
        labels(&[("tier", "gold"), ("example.com/new_key-1", "1")], &["labels.tier", "labels.example.com/new_key-1"]);
    assert_eq!(set.await, expect(&[("kept", "x"), ("tier", "gold"), ("example.com/new_key-1", "1")]));
    let cleared = labels(&[("kept", "ignored")], &["labels.tier", "labels.never"]).await;
    assert_eq!(cleared, expect(&[("kept", "x"), ("example.com/new_key-1", "1")]));
    let refused = refused(&acme.admin, with_labels(&id, &[("tier", "a\u{200b}")]), &["labels.tier"]).await;
    assert_eq!(bad_fields(&refused), ["customer.labels.tier"]);
    assert_eq!(
        labels(&[("only", "y")], &["labels"]).await,
        expect(&[("only", "y")]),
        "as a whole, other labels are removed"
    );
}

#[tokio::test]
async fn a_label_above_the_limit_is_refused_unless_another_is_removed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let keys: Vec<String> = (0..50).map(|number| format!("k{number}")).collect();
    let fifty: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "x")).collect();
    let id = acme.admin.create(pb::Customer { name: "Ada".to_owned(), ..with_labels("", &fifty) }).await.unwrap().id;
    let one_more = with_labels(&id, &[("new", "x")]);
    let refused = refused(&acme.admin, one_more.clone(), &["name", "labels.new"]).await;
    assert_eq!(bad_fields(&refused), ["customer.name", "customer.labels"], "all that is wrong in one answer");
    let refused = self::refused(&acme.admin, one_more.clone(), &["labels.new"]).await;
    assert_eq!(bad_fields(&refused), ["customer.labels"]);
    let swapped = acme.admin.update(one_more, &["labels.new", "labels.k7"]).await.unwrap();
    assert!(swapped.labels.len() == 50 && swapped.labels.contains_key("new"), "{:?}", swapped.labels);
}

#[tokio::test]
async fn every_error_of_the_named_fields_is_reported_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let bad = pb::Customer {
        id: "42".to_owned(),
        name: String::new(),
        email: "none".to_owned(),
        billing_email: "none".to_owned(),
        reach: 42,
        fax: Some(pb::Phone { number: "none".to_owned(), extension: "x".to_owned(), ..Default::default() }),
        contacts: vec![pb::Contact::default()],
        ..Default::default()
    };
    let request = pb::UpdateCustomerRequest {
        customer: Some(bad.clone()),
        update_mask: Some(mask(&["fax", "nickname", "name", "email", "reach", "contacts"])),
        request_id: "7".to_owned(),
        ..Default::default()
    };
    let refused = acme.admin.customers().update_customer(request).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    let expected = [
        "customer.contacts[0]",
        "customer.email",
        "customer.fax.extension",
        "customer.fax.number",
        "customer.id",
        "customer.name",
        "customer.reach",
        "request_id",
        "update_mask.paths[1]",
    ];
    assert_eq!(fields, expected);
    // Fields that the mask does not name are not checked.
    let language = pb::Customer { id: ada.id.clone(), language: "nl".to_owned(), ..bad };
    assert_eq!(acme.admin.update(language, &["language"]).await.unwrap().language, "nl");

    let request = pb::UpdateCustomerRequest { update_mask: Some(mask(&["email"])), ..Default::default() };
    let refused = acme.admin.customers().update_customer(request).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["customer.id"], "a request without a customer");
    let absent = acme.admin.update(pb::Customer { id: unknown_id(), ..customer("Ada") }, &["nickname"]).await;
    assert_refused(absent, Code::InvalidArgument, "INVALID_FIELDS");
}
