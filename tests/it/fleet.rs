//! FLEET customers: visible to every account below their owner; only the owner and the accounts above it may change them.

use clientele::grpc::pb::{self, Reach, Role};
use tonic::Code;

use crate::world::{
    TestAccount, World, assert_refused, customer, full_customer, metadata, requiring, unknown_id, wire,
};

fn fleet(name: &str) -> pb::Customer {
    pb::Customer { reach: Reach::Fleet.into(), ..full_customer(name) }
}

/// A provider, an account below it, and an account below that one.
async fn chain(world: &World) -> [TestAccount; 3] {
    let policies = pb::AccountPolicies { auto_approve: Some(false), ..requiring(&[], &["language"]) };
    let provider = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    let dealer = provider.child("dealer").await;
    let site = dealer.child("site").await;
    [provider, dealer, site]
}

#[tokio::test]
async fn an_account_below_the_owner_reads_only_what_it_may() {
    let world = World::start().await;
    let [provider, dealer, site] = chain(&world).await;
    let seller = provider.add("seller", Role::Member).await.member_id;
    let asked = pb::Customer { sales_person_id: seller, ..fleet("Copaco") };
    let id = provider.admin.create(asked).await.unwrap().id;
    provider.admin.reject(&id, "a secret of ours").await.unwrap();
    provider.admin.archive(&[&id]).await.unwrap();
    let owned = provider.admin.get(&id).await.unwrap();

    for below in [&dealer, &site] {
        let seen = below.admin.get(&owned.id).await.unwrap();
        let expected = pb::Customer {
            id: owned.id.clone(),
            account_id: provider.account.clone(),
            r#type: owned.r#type,
            service_class: owned.service_class,
            reach: Reach::Fleet.into(),
            name: owned.name.clone(),
            legal_name: owned.legal_name.clone(),
            registration_number: owned.registration_number.clone(),
            tax_ids: owned.tax_ids.clone(),
            primary_address: owned.primary_address.clone(),
            shipping_address: owned.shipping_address.clone(),
            contacts: owned.contacts.clone(),
            email: owned.email.clone(),
            phone: owned.phone.clone(),
            fax: owned.fax.clone(),
            status: pb::CustomerStatus::Rejected.into(),
            archived_at: owned.archived_at,
            create_time: owned.create_time,
            update_time: owned.update_time,
            etag: seen.etag.clone(),
            dms_link: pb::DmsLink::NotIntegrated.into(),
            allowed_actions: seen.allowed_actions.clone(),
            // All other fields are empty: the currency, the industry, billing, the sales person, the origin, the order,
            // labels, the language, the reason, the fields missing for approval, the authors, and the owner's custom
            // IDs.
            ..Default::default()
        };
        assert_eq!(seen, expected);
        assert!(!seen.etag.is_empty() && seen.archived_at.is_some() && !seen.contacts.is_empty());
        let request = pb::GetCustomerRequest { customer_id: owned.id.clone(), view: pb::CustomerView::Basic.into() };
        let basic = below.admin.customers().get_customer(request).await.unwrap().into_inner().customer.unwrap();
        assert_eq!(
            basic,
            pb::Customer { contacts: vec![], shipping_address: None, allowed_actions: vec![], ..expected }
        );
        assert!(
            seen.allowed_actions.iter().all(|name| ["ModifyCustomerTags", "UpdateCustomId"].contains(&name.as_str()))
        );
    }
    let hidden = [
        (owned.currency.is_empty(), "currency"),
        (owned.industry.is_empty(), "industry"),
        (owned.billing_address.is_none(), "billing_address"),
        (owned.billing_email.is_empty(), "billing_email"),
        (owned.sales_person_id.is_empty(), "sales_person_id"),
        (owned.origin == 0, "origin"),
        (owned.order_reference.is_empty(), "order_reference"),
        (owned.labels.is_empty(), "labels"),
        (owned.language.is_empty(), "language"),
        (owned.status_reason.is_empty(), "status_reason"),
        (owned.allowed_actions.is_empty(), "allowed_actions"),
        (owned.created_by.is_none(), "created_by"),
        (owned.updated_by.is_none(), "updated_by"),
        (owned.custom_ids.is_empty(), "custom_ids"),
    ];
    for (empty, field) in hidden {
        assert!(!empty, "the owner sees {field}");
    }
}

#[tokio::test]
async fn an_account_below_the_owner_does_not_see_what_approval_requires() {
    let world = World::start().await;
    let [provider, dealer, _] = chain(&world).await;
    let asked = pb::Customer { language: String::new(), ..fleet("Copaco") };
    let owned = provider.admin.create(asked).await.unwrap();
    assert_eq!(owned.missing_for_approval, ["language"]);
    assert_eq!(dealer.admin.get(&owned.id).await.unwrap().missing_for_approval.len(), 0);
}

#[tokio::test]
async fn an_account_below_the_owner_changes_nothing() {
    let world = World::start().await;
    let [provider, dealer, site] = chain(&world).await;
    let owned = provider.admin.create(fleet("Copaco")).await.unwrap();
    let (member, viewer) = (dealer.member(Role::Member).await, dealer.member(Role::Viewer).await);
    let before = world.rows().await;
    for below in [&dealer.admin, &site.admin, &member] {
        for (asked, path) in [
            (customer("Mine"), "name"),
            // Not even calls that would change nothing, or that also need a higher role.
            (customer("Copaco"), "name"),
            (pb::Customer { reach: Reach::Local.into(), ..customer("") }, "reach"),
        ] {
            let asked = pb::Customer { id: owned.id.clone(), ..asked };
            let refused = below.update(asked, &[path]).await;
            assert_refused(refused, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
        }
        let request = pb::UpdateCustomerRequest {
            customer: Some(pb::Customer { id: owned.id.clone(), ..customer("Mine") }),
            update_mask: Some(crate::world::mask(&["name"])),
            validate_only: true,
            etag: below.get(&owned.id).await.unwrap().etag,
            request_id: String::new(),
        };
        let refused = below.customers().update_customer(request).await;
        assert_refused(refused, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    }
    let refused = viewer.update(pb::Customer { id: owned.id.clone(), ..customer("Mine") }, &["name"]).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(provider.admin.get(&owned.id).await.unwrap(), owned);
    assert_eq!(world.rows().await, before);
}

#[tokio::test]
async fn siblings_of_the_owner_do_not_see_a_fleet_customer() {
    let world = World::start().await;
    let [provider, dealer, site] = chain(&world).await;
    let rival = provider.child("rival").await;
    let rivals_site = rival.child("site").await;
    let owned = dealer.admin.create(fleet("Copaco")).await.unwrap();
    let local = dealer.admin.create(customer("Ada")).await.unwrap();
    assert_eq!(site.admin.get(&owned.id).await.unwrap().name, "Copaco");
    for (stranger, id) in [
        (&rival, &owned.id),
        (&rivals_site, &owned.id),
        (&rival, &local.id),
        (&site, &local.id),
        (&world.tenant("globex").await, &owned.id),
    ] {
        let refused = assert_refused(stranger.admin.get(id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(stranger.admin.get(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
}

#[tokio::test]
async fn reach_is_set_by_a_service_manager_of_the_owner_or_above() {
    let world = World::start().await;
    let [provider, dealer, site] = chain(&world).await;
    let owned = dealer.admin.create(customer("Ada")).await.unwrap();
    let reaching = |reach: Reach| pb::Customer { id: owned.id.clone(), reach: reach.into(), ..customer("Bob") };
    let member = dealer.member(Role::Member).await;
    // Naming the field requires the role, whether its value changes or not.
    for reach in [Reach::Fleet, Reach::Local] {
        let refused = member.update(reaching(reach), &["name", "reach"]).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    }
    assert_refused(site.admin.get(&owned.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");

    let manager = dealer.member(Role::ServiceManager).await;
    assert_eq!(manager.update(reaching(Reach::Fleet), &["reach"]).await.unwrap().reach(), Reach::Fleet);
    assert_eq!(site.admin.get(&owned.id).await.unwrap().name, "Ada");
    assert_eq!(
        member.update(reaching(Reach::Local), &["name"]).await.unwrap().name,
        "Bob",
        "other fields need no higher role"
    );

    let above = provider.member(Role::ServiceManager).await;
    assert_eq!(above.update(reaching(Reach::Local), &["reach"]).await.unwrap().reach(), Reach::Local);
    let refused = assert_refused(site.admin.get(&owned.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(wire(&refused), wire(&site.admin.get(&unknown_id()).await.unwrap_err()));
}
