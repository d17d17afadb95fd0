//! request_id of CreateCustomer and UpdateCustomer: a repeat gets the stored answer, and no other call does.

use clientele::grpc::pb::{self, NameUniqueness, Role};
use tonic::{Code, Status};

use crate::world::{
    Client, TestAccount, World, assert_refused, bad_fields, customer, full_customer, mask, request_id, requiring,
};

pub async fn create(client: &Client, asked: pb::Customer, id: &str) -> Result<pb::CreateCustomerResponse, Status> {
    let request = pb::CreateCustomerRequest { customer: Some(asked), request_id: id.to_owned(), ..Default::default() };
    Ok(client.customers().create_customer(request).await?.into_inner())
}

/// Gives a customer a name.
async fn rename(client: &Client, id: &str, name: &str, request: &str) -> Result<pb::UpdateCustomerResponse, Status> {
    let request = pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: id.to_owned(), ..customer(name) }),
        update_mask: Some(mask(&["name"])),
        request_id: request.to_owned(),
        ..Default::default()
    };
    Ok(client.customers().update_customer(request).await?.into_inner())
}

/// A tenant in which names are unique.
async fn strict(world: &World) -> TestAccount {
    world.tenant_with("acme", NameUniqueness::Tenant, pb::AccountPolicies::default()).await
}

#[tokio::test]
async fn a_repeated_creation_gets_the_first_answer_even_after_a_change() {
    let world = World::start().await;
    // Names, custom IDs and orders are unique, so the repeat violates all of these keys.
    for rule in [NameUniqueness::None, NameUniqueness::Account, NameUniqueness::Tenant] {
        let acme = world.tenant_with("acme", rule, pb::AccountPolicies::default()).await;
        let request = request_id();
        let mut asked = full_customer("Copaco");
        asked.labels = (0..20).map(|number| (format!("k{number}"), "x".to_owned())).collect();

        let first = create(&acme.admin, asked.clone(), &request).await.unwrap();
        assert!(!first.replayed);
        let written = world.rows().await;
        let expected = pb::CreateCustomerResponse { replayed: true, ..first.clone() };
        for _ in 0..2 {
            assert_eq!(create(&acme.admin, asked.clone(), &request).await.unwrap(), expected);
        }
        assert_eq!(world.rows().await, written);

        let made = first.customer.unwrap();
        let changed =
            acme.admin.update(pb::Customer { name: "Bob".to_owned(), ..made.clone() }, &["name"]).await.unwrap();
        acme.admin.archive(&[&made.id]).await.unwrap();
        let again = create(&acme.admin, asked, &request).await.unwrap();
        let stored = again.customer.unwrap();
        assert!(again.replayed);
        assert_eq!(stored, made, "as it was then");
        assert_ne!(stored.etag, changed.etag);
        assert_eq!(acme.admin.get(&made.id).await.unwrap().name, "Bob", "later changes stay");
    }
}

#[tokio::test]
async fn a_repeated_update_gets_the_first_answer_even_after_a_change() {
    let world = World::start().await;
    let acme = strict(&world).await;
    let ada = acme.admin.create(full_customer("Ada")).await.unwrap();
    let request = request_id();
    let update = async || {
        let message = pb::UpdateCustomerRequest {
            customer: Some(pb::Customer { name: "Bob".to_owned(), ..ada.clone() }),
            update_mask: Some(mask(&["name"])),
            // The etag is stale as soon as the first call is done.
            etag: ada.etag.clone(),
            request_id: request.clone(),
            validate_only: false,
        };
        acme.admin.customers().update_customer(message).await.map(tonic::Response::into_inner)
    };
    let first = update().await.unwrap();
    assert!(!first.replayed);
    let expected = pb::UpdateCustomerResponse { replayed: true, ..first };
    let written = world.rows().await;
    assert_eq!(update().await.unwrap(), expected);
    assert_eq!(world.rows().await, written);

    rename(&acme.admin, &ada.id, "Cas", "").await.unwrap();
    acme.admin.create(customer("Bob")).await.expect("the name is free again");
    assert_eq!(update().await.unwrap(), expected, "as it was then");
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().name, "Cas", "later changes stay");
}

#[tokio::test]
async fn another_request_with_the_same_request_id_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let request = request_id();
    let made = create(&north.admin, full_customer("Ada"), &request).await.unwrap().customer.unwrap();
    let other = pb::Customer { fax: None, ..full_customer("Ada") };
    for (client, asked) in [
        (&north.admin, customer("Bob")),
        (&north.admin, other),
        // The same bytes, but in another account.
        (&acme.admin, full_customer("Ada")),
    ] {
        let refused = create(client, asked, &request).await;
        assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }

    let change = request_id();
    rename(&north.admin, &made.id, "Bob", &change).await.unwrap();
    let twin = north.admin.create(customer("Twin")).await.unwrap();
    for (client, id, name) in
        [(&north.admin, &made.id, "Cas"), (&north.admin, &twin.id, "Bob"), (&acme.admin, &made.id, "Bob")]
    {
        assert_refused(rename(client, id, name, &change).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
    // Also if nothing would change: the stored answer comes first.
    assert_refused(rename(&acme.admin, &made.id, "Bob", &change).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let seen = (north.admin.get(&made.id).await.unwrap().name, north.admin.get(&twin.id).await.unwrap().name);
    assert_eq!(seen, ("Bob".to_owned(), "Twin".to_owned()));
}

#[tokio::test]
async fn a_repeat_with_ids_in_another_spelling_and_with_output_only_fields_is_the_same_request() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let branch_id = acme.branch("Harbour").await;
    let asked = pb::Customer { branch_id, ..full_customer("Ada") };
    let request = request_id();
    let made = create(&acme.admin, asked.clone(), &request).await.unwrap().customer.unwrap();
    // As a client sends it that fills in its own copy of the customer meanwhile.
    let filled = pb::Customer {
        branch_id: asked.branch_id.to_uppercase(),
        id: made.id.clone(),
        account_id: made.account_id.clone(),
        etag: made.etag.clone(),
        create_time: made.create_time,
        allowed_actions: made.allowed_actions.clone(),
        ..asked.clone()
    };
    for (asked, id) in [(filled, request.replace('-', "")), (asked, format!("{{{}}}", request.to_uppercase()))] {
        let again = create(&acme.admin, asked, &id).await.unwrap();
        assert!(again.replayed && again.customer.unwrap().id == made.id);
    }
    let change = request_id();
    rename(&acme.admin, &made.id, "Bob", &change).await.unwrap();
    assert!(rename(&acme.admin, &made.id.to_uppercase(), "Bob", &change.to_uppercase()).await.unwrap().replayed);

    let archive = |ids: &[&str], request: &str| pb::ArchiveCustomersRequest {
        customer_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        request_id: request.to_owned(),
        ..Default::default()
    };
    let batch = request_id();
    acme.admin.customers().archive_customers(archive(&[&made.id], &batch)).await.unwrap();
    let again = archive(&[&format!("urn:uuid:{}", made.id)], &batch);
    assert!(acme.admin.customers().archive_customers(again).await.unwrap().into_inner().replayed);
}

#[tokio::test]
async fn a_reused_request_id_says_what_differs() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (admin, north) = (&acme.admin, acme.child("north").await);
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let request = request_id();
    let update = |name: &str, etag: &str| pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: ada.id.clone(), ..customer(name) }),
        update_mask: Some(mask(&["name"])),
        etag: etag.to_owned(),
        request_id: request.clone(),
        ..Default::default()
    };
    let call = async |client: &Client, message| client.customers().update_customer(message).await.map(drop);
    let by_north = &north.admin;
    call(by_north, update("Bob", &ada.etag)).await.unwrap();
    let now = by_north.get(&ada.id).await.unwrap().etag;
    let reused = async |client: &Client, message| {
        let refused = call(client, message).await;
        assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED").message().to_owned()
    };
    // The client read the customer again before it repeated its call.
    let message = reused(by_north, update("Bob", &now)).await;
    assert!(message.contains("with another etag; the rest is the same"), "{message}");
    let message = reused(by_north, update("Cas", &ada.etag)).await;
    assert!(message.contains("These differ: customer."), "{message}");
    let message = reused(by_north, update("Cas", "")).await;
    assert!(message.contains("These differ: customer, etag."), "{message}");
    let message = reused(admin, update("Bob", "")).await;
    assert!(message.contains("These differ: the acting account or the header clientele-customer, etag."), "{message}");
}

#[tokio::test]
async fn a_request_id_belongs_to_its_principal_rpc_and_tenant() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (request, member) = (request_id(), acme.member(Role::Member).await);
    let mine = create(&acme.admin, customer("Ada"), &request).await.unwrap();
    let theirs = create(&member, customer("Ada"), &request).await.unwrap();
    assert!(!theirs.replayed && theirs.customer.as_ref().unwrap().id != mine.customer.as_ref().unwrap().id);
    let id = mine.customer.unwrap().id;
    assert!(!rename(&acme.admin, &id, "Bob", &request).await.unwrap().replayed);
    assert!(rename(&acme.admin, &id, "Bob", &request).await.unwrap().replayed);
    // One principal, member of two tenants.
    let globex = world.tenant("globex").await;
    for tenant in [&acme, &globex] {
        tenant.add("both", Role::Member).await;
        let both = world.subject("both").acting_in(&tenant.account);
        assert!(!create(&both, customer("Ada"), &request).await.unwrap().replayed);
        assert!(create(&both, customer("Ada"), &request).await.unwrap().replayed);
    }
}

#[tokio::test]
async fn a_call_that_failed_or_changed_nothing_leaves_its_request_id_free() {
    let world = World::start().await;
    let policies = requiring(&["email"], &[]);
    let acme = world.tenant_with("acme", NameUniqueness::Tenant, policies).await;
    let taken = acme.admin.create(full_customer("Taken")).await.unwrap();
    let request = request_id();
    for (asked, code, reason) in [
        (customer(""), Code::InvalidArgument, "INVALID_FIELDS"),
        (customer("Ada"), Code::InvalidArgument, "REQUIRED_FIELDS_MISSING"),
        (full_customer("TAKEN"), Code::AlreadyExists, "NAME_TAKEN"),
        (
            pb::Customer { custom_ids: taken.custom_ids.clone(), ..full_customer("Ada") },
            Code::AlreadyExists,
            "CUSTOM_ID_TAKEN",
        ),
    ] {
        assert_refused(create(&acme.admin, asked, &request).await, code, reason);
    }
    let made = create(&acme.admin, full_customer("Ada"), &request).await.unwrap();
    assert!(!made.replayed);
    let id = made.customer.unwrap().id;
    assert_refused(rename(&acme.admin, &id, "taken", &request).await, Code::AlreadyExists, "NAME_TAKEN");
    assert!(!rename(&acme.admin, &id, "Ada", &request).await.unwrap().replayed, "already made");
    assert!(!rename(&acme.admin, &id, "Bob", &request).await.unwrap().replayed);
    assert!(rename(&acme.admin, &id, "Bob", &request).await.unwrap().replayed);
}

/// Gives an account the policies of another.
async fn take_over_policies(world: &World, to: &TestAccount, from: &TestAccount) {
    let statement = "update accounts set revision = revision + 1,
                            policies = (select policies from accounts where id = $2::uuid)
                     where id = $1::uuid";
    let taken = sqlx::query(statement).bind(&to.account).bind(&from.account).execute(&mut world.sql().await).await;
    assert_eq!(taken.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn a_repeated_creation_is_answered_after_its_rights_are_checked_and_before_its_state() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let member = acme.member(Role::Member).await;
    let request = request_id();
    let first = create(&member, customer("Ada"), &request).await.unwrap();
    let written = world.rows().await;

    let demanding = world.tenant_with("demanding", NameUniqueness::None, requiring(&["email"], &[])).await;
    take_over_policies(&world, &acme, &demanding).await;
    let new = create(&member, customer("Ada"), "").await;
    assert_refused(new, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    let repeat = create(&member, customer("Ada"), &request).await.unwrap();
    assert_eq!(repeat, pb::CreateCustomerResponse { replayed: true, ..first });
    let reused = create(&member, customer("Bob"), &request).await;
    assert_refused(reused, Code::InvalidArgument, "REQUEST_ID_REUSED");

    let admins = pb::AccountPolicies { create_role: Role::Admin.into(), ..Default::default() };
    let strict = world.tenant_with("strict", NameUniqueness::None, admins).await;
    take_over_policies(&world, &acme, &strict).await;
    let refused = create(&member, customer("Ada"), &request).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(world.rows().await[0], written[0], "no customer was created");
}

#[tokio::test]
async fn a_request_id_is_a_uuid() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    for malformed in ["1", "order 7", "00000000-0000-0000-0000-000000000000", &request_id()[1..]] {
        let created = create(&acme.admin, customer("Bob"), malformed).await.map(|_| ());
        let renamed = rename(&acme.admin, &ada.id, "Bob", malformed).await.map(|_| ());
        for refused in [created, renamed] {
            let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
            assert_eq!(bad_fields(&refused), ["request_id"], "{malformed}");
        }
    }
}

#[tokio::test]
async fn validate_only_neither_uses_a_request_id_nor_gets_a_stored_answer() {
    let world = World::start().await;
    let acme = strict(&world).await;
    let request = request_id();
    let validate = async |name: &str| {
        let message = pb::CreateCustomerRequest {
            customer: Some(customer(name)),
            request_id: request.clone(),
            validate_only: true,
            ..Default::default()
        };
        acme.admin.customers().create_customer(message).await.map(tonic::Response::into_inner)
    };
    assert!(!validate("Ada").await.unwrap().replayed);
    assert!(!create(&acme.admin, customer("Bob"), &request).await.unwrap().replayed);
    // Neither the stored answer, nor REQUEST_ID_REUSED for another body.
    assert!(!validate("Ada").await.unwrap().replayed);
    assert_refused(validate("Bob").await, Code::AlreadyExists, "NAME_TAKEN");
    assert!(create(&acme.admin, customer("Bob"), &request).await.unwrap().replayed);
}

#[tokio::test]
async fn a_repeat_is_authorized_again() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let clerk = acme.add("clerk", Role::Member).await;
    let request = request_id();
    let first = create(&world.subject("clerk").acting_in(&acme.account), customer("Ada"), &request).await.unwrap();

    let demote = "update members set role = 'VIEWER' where member_id = $1::uuid";
    let demoted = sqlx::query(demote).bind(&clerk.member_id).execute(&mut world.sql().await).await.unwrap();
    assert_eq!(demoted.rows_affected(), 1);
    // Another server, whose cache does not have the former role.
    let replica = World::start_with(world.database.clone(), |_| ()).await;
    let clerk = replica.subject("clerk").acting_in(&acme.account);
    let refused = create(&clerk, customer("Ada"), &request).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");

    sqlx::query("update members set role = 'ADMIN'").execute(&mut world.sql().await).await.unwrap();
    let replica = World::start_with(world.database.clone(), |_| ()).await;
    let clerk = replica.subject("clerk").acting_in(&acme.account);
    let again = create(&clerk, customer("Ada"), &request).await.unwrap();
    assert!(again.replayed, "all replicas use the stored answer");
    assert_eq!(again.customer.unwrap().id, first.customer.unwrap().id);
}
