//! CreateCustomer: stored values, defaults, and unique values.

use clientele::grpc::pb;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    portals::copaco,
    world::{ISSUER, World, assert_refused, bad_fields, customer, full_customer, metadata, unknown_id},
};

#[tokio::test]
async fn a_new_customer_has_every_field_as_it_was_written() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let seller = acme.add("seller", pb::Role::Viewer).await;
    acme.add("clerk", pb::Role::Member).await;
    let clerk = world.subject("clerk").acting_in(&acme.account);
    let asked = pb::Customer { sales_person_id: seller.member_id.clone(), ..full_customer("Copaco") };

    let created = clerk.create(asked.clone()).await.unwrap();

    let by = Some(pb::Principal { issuer: ISSUER.to_owned(), subject: "clerk".to_owned() });
    let mut expected = pb::Customer {
        id: created.id.clone(),
        account_id: acme.account.clone(),
        status: pb::CustomerStatus::Active.into(),
        dms_link: pb::DmsLink::NotIntegrated.into(),
        // A member may do this.
        allowed_actions: ["UpdateCustomer", "AddPaymentMethod", "ModifyCustomerTags", "ArchiveCustomers"]
            .map(str::to_owned)
            .to_vec(),
        create_time: created.create_time,
        update_time: created.create_time,
        created_by: by.clone(),
        updated_by: by,
        etag: created.etag.clone(),
        ..asked
    };
    expected.contacts[0].contact_id.clone_from(&created.contacts[0].contact_id);
    assert_eq!(created, expected);
    assert_eq!(uuid::Uuid::parse_str(&created.id).unwrap().get_version_num(), 7);
    assert_eq!(
        uuid::Uuid::parse_str(&created.contacts[0].contact_id).unwrap().to_string(),
        created.contacts[0].contact_id
    );
    assert!(created.create_time.is_some() && !created.etag.is_empty());
    assert_eq!(clerk.get(&created.id).await.unwrap(), created);
}

#[tokio::test]
async fn the_personal_portals_example_is_accepted() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let copaco = copaco();

    let created = acme.admin.create(copaco.clone()).await.unwrap();

    let mut contacts = copaco.contacts.clone();
    contacts[0].contact_id.clone_from(&created.contacts[0].contact_id);
    contacts[0].primary = true;
    let phone = contacts[0].phone.as_mut().unwrap();
    // The number can be dialled, and is in no range that is in use: accepted, and flagged.
    (phone.e164, phone.valid) = ("+31123456789".to_owned(), false);
    assert_eq!(created.contacts, contacts, "a single contact is primary");
    assert_eq!(
        (created.name, created.legal_name, created.custom_ids, created.registration_number),
        (copaco.name, copaco.legal_name, copaco.custom_ids, copaco.registration_number)
    );
    let checked = pb::TaxId { check: pb::TaxIdCheck::ChecksumOk.into(), ..copaco.tax_ids[0].clone() };
    assert_eq!(created.tax_ids, [checked]);
    assert_eq!((created.currency.as_str(), created.industry.as_str()), ("EUR", "non-profit"));
    let coded = pb::Address {
        country: "NL".to_owned(),
        state: "NL-NB".to_owned(),
        postal_code: "5652 AW".to_owned(),
        ..copaco.primary_address.unwrap()
    };
    assert_eq!((created.primary_address, created.invalid_fields), (Some(coded), Vec::new()));
}

#[tokio::test]
async fn a_customer_with_only_a_name_is_a_normal_local_business_from_the_api() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let created = acme.admin.create(customer("Ada")).await.unwrap();
    let expected = pb::Customer {
        r#type: pb::CustomerType::Business.into(),
        service_class: pb::ServiceClass::Normal.into(),
        reach: pb::Reach::Local.into(),
        origin: pb::Origin::Api.into(),
        dms_link: pb::DmsLink::NotIntegrated.into(),
        status: pb::CustomerStatus::Active.into(),
        id: created.id.clone(),
        account_id: acme.account.clone(),
        allowed_actions: created.allowed_actions.clone(),
        create_time: created.create_time,
        update_time: created.update_time,
        created_by: created.created_by.clone(),
        updated_by: created.updated_by.clone(),
        etag: created.etag.clone(),
        ..customer("Ada")
    };
    assert_eq!(created, expected);
}

#[tokio::test]
async fn every_enum_value_is_stored() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let chosen = pb::Customer {
        r#type: pb::CustomerType::Personal.into(),
        service_class: pb::ServiceClass::Residential.into(),
        reach: pb::Reach::Fleet.into(),
        ..customer("Ada")
    };
    for origin in [pb::Origin::ControlPanel, pb::Origin::Marketplace, pb::Origin::Api, pb::Origin::Import] {
        let asked = pb::Customer { origin: origin.into(), ..chosen.clone() };
        let created = acme.admin.create(asked.clone()).await.unwrap();
        assert_eq!(
            (created.r#type, created.service_class, created.reach, created.origin),
            (asked.r#type, asked.service_class, asked.reach, asked.origin)
        );
    }
}

#[tokio::test]
async fn text_is_stored_in_one_form() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let created = acme
        .admin
        .create(pb::Customer {
            email: " Jan@Company.NL ".to_owned(),
            language: "NL-nl".to_owned(),
            primary_address: Some(pb::Address { city: " \t ".to_owned(), ..Default::default() }),
            phone: Some(pb::Phone::default()),
            ..customer("  Mu\u{308}nchen \u{a0} GmbH\n")
        })
        .await
        .unwrap();
    assert_eq!(created.name, "M\u{fc}nchen GmbH", "NFC, trimmed, runs of spaces made one");
    assert_eq!((created.email.as_str(), created.language.as_str()), ("Jan@company.nl", "nl-NL"));
    assert_eq!((created.primary_address, created.phone), (None, None), "an empty address is none");
}

#[tokio::test]
async fn output_only_fields_are_ignored() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let lies = pb::Customer {
        id: "no id".to_owned(),
        account_id: unknown_id(),
        status: pb::CustomerStatus::Rejected.into(),
        status_reason: "because".to_owned(),
        archived_at: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
        allowed_actions: vec!["Fly".to_owned()],
        missing_for_approval: vec!["wings".to_owned()],
        create_time: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
        created_by: Some(pb::Principal { issuer: "me".to_owned(), subject: "me".to_owned() }),
        etag: "mine".to_owned(),
        ..customer("Ada")
    };
    let created = acme.admin.create(lies.clone()).await.unwrap();
    assert_eq!(created.account_id, acme.account);
    assert_eq!((created.status(), created.status_reason.as_str()), (pb::CustomerStatus::Active, ""));
    assert_eq!((created.archived_at, created.missing_for_approval.len()), (None, 0));
    assert!(!created.allowed_actions.contains(&"Fly".to_owned()));
    assert_ne!((created.create_time, &created.created_by), (lies.create_time, &lies.created_by));
    assert_ne!((&created.id, &created.etag), (&lies.id, &lies.etag));
}

#[tokio::test]
async fn the_default_currency_is_the_accounts() {
    let world = World::start().await;
    let policies = pb::AccountPolicies { default_currency: Some("Euro".to_owned()), ..Default::default() };
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    assert_eq!(acme.admin.create(customer("Ada")).await.unwrap().currency, "EUR");
    let francs = pb::Customer { currency: "Swiss franc".to_owned(), ..customer("Bob") };
    assert_eq!(acme.admin.create(francs).await.unwrap().currency, "CHF");
    let heir = acme.child("heir").await;
    assert_eq!(
        heir.admin.create(customer("Cas")).await.unwrap().currency,
        "EUR",
        "copied when the account was created"
    );
}

#[tokio::test]
async fn a_new_customer_can_have_custom_ids_in_several_systems() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ids = |ids: &[(&str, &str)]| pb::Customer {
        custom_ids: ids.iter().map(|(system, id)| ((*system).to_owned(), (*id).to_owned())).collect(),
        ..customer("Ada")
    };
    let first = ids(&[("billing", "B-1"), ("default", "00123"), ("dms", "ab-C"), ("erp", "E 1")]);
    let created = acme.admin.create(first.clone()).await.unwrap();
    assert_eq!(created.custom_ids, first.custom_ids, "stored as given");

    for (taken, field) in [
        (ids(&[("erp", "e 1")]), "customer.custom_ids.erp"),
        (ids(&[("billing", "B-2"), ("dms", "AB-\u{ff23}")]), "customer.custom_ids.dms"),
        (ids(&[("default", "00123"), ("erp", "E 2")]), "customer.custom_ids.default"),
    ] {
        let refused = assert_refused(acme.admin.create(taken).await, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
        assert_eq!(metadata(&refused, "field").as_deref(), Some(field));
        let resource = refused.get_details_resource_info().unwrap();
        let named = (resource.resource_type.as_str(), resource.resource_name.as_str());
        assert_eq!(named, ("clientele.v1.Customer", created.id.as_str()));
    }
    // Leading zeros count. System and account count too.
    acme.admin.create(ids(&[("default", "123"), ("erp", "B-1"), ("billing", "E 1")])).await.unwrap();
    let other = acme.child("other").await;
    let theirs = other.admin.create(first.clone()).await.unwrap();
    assert_eq!(theirs.custom_ids, first.custom_ids);
    assert_eq!(acme.admin.get(&theirs.id).await.unwrap().custom_ids.len(), 0, "they belong to the other account");
}

#[tokio::test]
async fn an_order_reference_is_unique_in_an_account() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let order = |name: &str, reference: &str| pb::Customer { order_reference: reference.to_owned(), ..customer(name) };
    acme.admin.create(order("Ada", "Order-1")).await.unwrap();
    let twice = acme.admin.create(order("Bob", "Order-1")).await;
    assert_refused(twice, Code::AlreadyExists, "ORDER_REFERENCE_TAKEN");
    acme.admin.create(order("Bob", "order-1")).await.expect("compared exactly");
    acme.child("other").await.admin.create(order("Cas", "Order-1")).await.expect("unique per account only");
    acme.admin.create(customer("Dan")).await.unwrap();
    acme.admin.create(customer("Eva")).await.expect("an empty one is never taken");
}

#[tokio::test]
async fn a_sales_person_must_be_a_member_of_the_account_itself() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let mine = north.add("mine", pb::Role::Viewer).await.member_id;
    let strangers = [
        unknown_id(),
        acme.add("above", pb::Role::Admin).await.member_id,
        south.add("beside", pb::Role::Member).await.member_id,
        world.tenant("globex").await.add("elsewhere", pb::Role::Member).await.member_id,
    ];
    let sold_by = |member: &str| pb::Customer { sales_person_id: member.to_owned(), ..customer("Ada") };
    for stranger in strangers {
        let refused = north.admin.create(sold_by(&stranger)).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["customer.sales_person_id"]);
    }
    let created = north.admin.create(sold_by(&mine.to_uppercase())).await.unwrap();
    assert_eq!(created.sales_person_id, mine, "returned in lower case");
}

#[tokio::test]
async fn validate_only_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Account, pb::AccountPolicies::default()).await;
    let first = acme.admin.create(full_customer("Copaco")).await.unwrap();
    let before = world.rows().await;
    let validate = async |customer: pb::Customer| {
        let request = pb::CreateCustomerRequest {
            customer: Some(customer),
            request_id: crate::world::request_id(),
            validate_only: true,
            ..Default::default()
        };
        acme.admin.customers().create_customer(request).await.map(tonic::Response::into_inner)
    };

    let answer = validate(full_customer("Globex")).await.unwrap();
    let would_be = answer.customer.unwrap();
    assert!(!answer.replayed);
    assert_eq!((would_be.id.as_str(), would_be.etag.as_str()), ("", ""));
    assert_eq!(would_be.status(), pb::CustomerStatus::Active);
    assert_eq!((would_be.name.as_str(), would_be.custom_ids.len()), ("Globex", 1));

    let named = |name: &str| pb::Customer { name: name.to_owned(), ..customer("") };
    let taken = pb::Customer { order_reference: first.order_reference, ..named("Globex") };
    assert_refused(validate(taken).await, Code::AlreadyExists, "ORDER_REFERENCE_TAKEN");
    assert_refused(validate(named("copaco")).await, Code::AlreadyExists, "NAME_TAKEN");
    let taken = pb::Customer { custom_ids: first.custom_ids, ..named("Globex") };
    let refused = assert_refused(validate(taken).await, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer.custom_ids.erp"));
    let strange = pb::Customer { sales_person_id: unknown_id(), ..named("Globex") };
    assert_refused(validate(strange).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_refused(validate(named("")).await, Code::InvalidArgument, "INVALID_FIELDS");

    assert_eq!(world.rows().await, before);
    acme.admin.create(full_customer("Globex")).await.expect("nothing was stored");
}
