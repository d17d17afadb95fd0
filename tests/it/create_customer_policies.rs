//! What an account's policies require of a new customer and of its creator.

use clientele::grpc::pb;
use tonic::Code;

use crate::world::{
    TestAccount, World, actions, assert_refused, bad_fields, customer, full_customer, manual_approval, metadata,
    missing, requiring,
};

type Blank = fn(&mut pb::Customer);

/// Paths that a policy can require, in its own order; each with a function that clears it in a full customer.
const REQUIRED: [(&str, Blank); 24] = [
    ("primary_contact.email", |customer| customer.contacts[0].email.clear()),
    ("email", |customer| customer.email.clear()),
    ("legal_name", |customer| customer.legal_name.clear()),
    ("registration_number", |customer| customer.registration_number.clear()),
    ("tax_ids", |customer| customer.tax_ids.clear()),
    ("currency", |customer| customer.currency.clear()),
    ("industry", |customer| customer.industry.clear()),
    ("primary_address.line2", |customer| customer.primary_address.as_mut().unwrap().line2.clear()),
    ("primary_address.postal_code", |customer| customer.primary_address.as_mut().unwrap().postal_code.clear()),
    ("billing_address", |customer| customer.billing_address = None),
    ("shipping_address.country", |customer| customer.shipping_address = None),
    ("billing_email", |customer| customer.billing_email = " ".to_owned()),
    ("phone", |customer| customer.phone = Some(pb::Phone::default())),
    ("fax", |customer| customer.fax = None),
    ("order_reference", |customer| customer.order_reference.clear()),
    ("labels.segment", |customer| {
        customer.labels.clear();
        customer.labels.insert("other".to_owned(), "x".to_owned());
    }),
    ("labels", |customer| customer.labels.clear()),
    ("language", |customer| customer.language.clear()),
    ("custom_ids.erp", |customer| _ = customer.custom_ids.remove("erp")),
    ("primary_contact.first_name", |customer| customer.contacts[0].first_name.clear()),
    ("primary_contact.last_name", |customer| customer.contacts[0].last_name.clear()),
    ("primary_contact.job_title", |customer| customer.contacts[0].job_title.clear()),
    ("primary_contact.phone", |customer| customer.contacts[0].phone = None),
    ("contacts", |customer| customer.contacts.clear()),
];

fn paths() -> Vec<&'static str> {
    REQUIRED.iter().map(|(path, _)| *path).collect()
}

async fn tenant(world: &World, policies: pb::AccountPolicies) -> TestAccount {
    world.tenant_with("acme", pb::NameUniqueness::None, policies).await
}

#[tokio::test]
async fn every_required_field_must_be_filled_in() {
    let world = World::start().await;
    let acme = tenant(&world, requiring(&paths(), &[])).await;

    let refused = acme.admin.create(customer("Ada")).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_eq!(missing(&refused).unwrap(), paths().join(","), "all at once");

    for (path, blank) in REQUIRED {
        let mut asked = full_customer("Copaco");
        blank(&mut asked);
        let refused = assert_refused(acme.admin.create(asked).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
        let missing = missing(&refused).unwrap();
        let of_the_field = |missing: &str| path == missing || missing.starts_with(&format!("{path}."));
        let below_contacts = |missing: &str| path == "contacts" && missing.starts_with("primary_contact.");
        assert!(missing.split(',').any(|missing| missing == path), "{path}: {missing}");
        assert!(
            missing.split(',').all(|missing| of_the_field(missing) || below_contacts(missing)),
            "{path}: {missing}"
        );
        assert!(refused.message().contains(path), "{path}: {}", refused.message());
    }
    let created = acme.admin.create(full_customer("Copaco")).await.unwrap();
    assert_eq!(created.status(), pb::CustomerStatus::Active);
}

#[tokio::test]
async fn tax_and_registration_numbers_are_required_of_businesses_only() {
    let world = World::start().await;
    let bound = ["tax_ids", "registration_number", "email"];
    let acme = tenant(&world, requiring(&bound, &bound)).await;
    let person = pb::Customer { r#type: pb::CustomerType::Personal.into(), ..customer("Ada") };
    let refused =
        assert_refused(acme.admin.create(person.clone()).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_eq!(missing(&refused).as_deref(), Some("email"));
    let person = pb::Customer { email: "ada@company.nl".to_owned(), ..person };
    let created = acme.admin.create(person.clone()).await.unwrap();
    assert_eq!((created.status(), created.missing_for_approval.len()), (pb::CustomerStatus::Active, 0));
    let business = pb::Customer { r#type: 0, ..person };
    let refused = assert_refused(acme.admin.create(business).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_eq!(missing(&refused).as_deref(), Some("tax_ids,registration_number"));
}

#[tokio::test]
async fn invalid_fields_come_before_missing_fields_and_these_before_taken_names() {
    let world = World::start().await;
    let rule = pb::NameUniqueness::Account;
    let acme = world.tenant_with("acme", rule, requiring(&["email"], &[])).await;
    let ada = |email: &str, fax: &str| pb::Customer {
        email: email.to_owned(),
        fax: Some(pb::Phone { number: fax.to_owned(), ..Default::default() }),
        ..customer("Ada")
    };
    acme.admin.create(ada("ada@company.nl", "")).await.unwrap();
    let refused = assert_refused(acme.admin.create(ada("", "none")).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["customer.fax.number", "customer.email"], "what is missing too");
    assert_refused(acme.admin.create(ada("", "")).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_refused(acme.admin.create(ada("ada@company.nl", "")).await, Code::AlreadyExists, "NAME_TAKEN");
}

#[tokio::test]
async fn a_new_customer_is_active_once_nothing_is_missing_for_approval() {
    let world = World::start().await;
    let acme = tenant(&world, requiring(&[], &["email", "primary_contact.phone", "custom_ids.erp"])).await;
    let waits = acme.admin.create(customer("Ada")).await.unwrap();
    assert_eq!(waits.status(), pb::CustomerStatus::Pending);
    assert_eq!(waits.missing_for_approval, ["email", "primary_contact.phone", "custom_ids.erp"]);
    assert_eq!(waits.allowed_actions, actions("Update Tag Id Reject Hold Archive Transfer"));
    let whole = acme.admin.create(full_customer("Copaco")).await.unwrap();
    assert_eq!((whole.status(), whole.missing_for_approval.len()), (pb::CustomerStatus::Active, 0));
    // A PENDING customer stays PENDING when its fields are filled in: it needs an approval.
    let without_id = pb::Customer { custom_ids: [].into(), ..full_customer("Globex") };
    let waits = acme.admin.create(without_id).await.unwrap();
    assert_eq!(
        (waits.status(), waits.missing_for_approval),
        (pb::CustomerStatus::Pending, vec!["custom_ids.erp".to_owned()])
    );
}

#[tokio::test]
async fn without_auto_approve_every_new_customer_is_pending() {
    let world = World::start().await;
    let acme = tenant(&world, manual_approval()).await;
    let waits = acme.admin.create(full_customer("Copaco")).await.unwrap();
    assert_eq!((waits.status(), waits.missing_for_approval.len()), (pb::CustomerStatus::Pending, 0));
    assert_eq!(waits.allowed_actions, actions("Update Tag Id Approve Reject Hold Archive Transfer"));
    let heir = acme.child("heir").await;
    let waits = heir.admin.create(customer("Ada")).await.unwrap();
    assert_eq!(waits.status(), pb::CustomerStatus::Pending, "policies are copied when the account is created");
    let eager = pb::AccountPolicies { auto_approve: Some(true), ..Default::default() };
    let eager = acme.child_with("eager", Some(eager)).await;
    assert_eq!(eager.admin.create(customer("Ada")).await.unwrap().status(), pb::CustomerStatus::Active);
}

#[tokio::test]
async fn the_acting_accounts_policies_apply() {
    let world = World::start().await;
    let acme = tenant(&world, requiring(&["email"], &[])).await;
    let free = acme.child_with("free", Some(requiring(&[], &["phone"]))).await;
    assert_refused(acme.admin.create(customer("Ada")).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    let waits = acme.admin.acting_in(&free.account).create(customer("Ada")).await.unwrap();
    assert_eq!(waits.account_id, free.account);
    assert_eq!((waits.status(), waits.missing_for_approval), (pb::CustomerStatus::Pending, vec!["phone".to_owned()]));
}

#[tokio::test]
async fn creating_requires_the_accounts_create_role() {
    use pb::Role::{Admin, Member, ServiceManager, Viewer};
    let world = World::start().await;
    let roles = [(Viewer, "VIEWER"), (Member, "MEMBER"), (ServiceManager, "SERVICE_MANAGER"), (Admin, "ADMIN")];
    for (least, required) in roles.into_iter().skip(1) {
        let policies = pb::AccountPolicies { create_role: least.into(), ..requiring(&["email"], &[]) };
        let acme = tenant(&world, policies).await;
        for (role, _) in roles {
            let member = acme.member(role).await;
            let asked = pb::Customer { email: "a@company.nl".to_owned(), ..customer("Ada") };
            if role >= least {
                member.create(asked).await.unwrap();
                continue;
            }
            let refused = assert_refused(member.create(asked).await, Code::PermissionDenied, "ROLE_TOO_LOW");
            // The contract's least role comes first.
            let required = if role == Viewer { "MEMBER" } else { required };
            assert_eq!(metadata(&refused, "required_role").as_deref(), Some(required));
            // A caller that may not create gets no other errors, also under validate_only.
            let request = pb::CreateCustomerRequest {
                customer: Some(customer("Ada")),
                validate_only: true,
                ..Default::default()
            };
            let refused = member.customers().create_customer(request).await;
            assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        }
    }
}

#[tokio::test]
async fn creating_a_fleet_customer_requires_a_service_manager() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Ada") };
    let member = acme.member(pb::Role::Member).await;
    let refused = assert_refused(member.create(fleet.clone()).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    let manager = acme.member(pb::Role::ServiceManager).await;
    let created = manager.create(fleet.clone()).await.unwrap();
    assert_eq!(created.reach(), pb::Reach::Fleet);
    let north = acme.child("north").await;
    assert_eq!(manager.acting_in(&north.account).create(fleet).await.unwrap().account_id, north.account);
}

#[tokio::test]
async fn a_create_uses_the_current_policies() {
    let world = World::start().await;
    let acme = tenant(&world, requiring(&["fax"], &[])).await;
    // The server has now cached the account for two seconds.
    assert_refused(acme.admin.create(customer("Ada")).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    let change = r#"
        update accounts set revision = revision + 1,
            policies = policies || '{"required_to_create": [], "required_to_approve": ["email"], "auto_approve": true}'
    "#;
    sqlx::raw_sql(change).execute(&mut world.sql().await).await.unwrap();

    let created = acme.admin.create(customer("Ada")).await.unwrap();

    assert_eq!(
        (created.status(), created.missing_for_approval),
        (pb::CustomerStatus::Pending, vec!["email".to_owned()])
    );
    assert_eq!(created.allowed_actions, actions("Update Tag Id Reject Hold Archive Transfer"));
}
