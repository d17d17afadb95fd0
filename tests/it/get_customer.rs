//! GetCustomer: visibility, views and allowed actions.

use clientele::grpc::pb::{self, CustomerView, Role};
use tonic::{Code, Status};

use crate::world::{
    Client, World, actions, assert_refused, bad_fields, customer, full_customer, manual_approval, requiring,
    unknown_id, wire,
};

async fn view(client: &Client, id: &str, view: CustomerView) -> Result<pb::Customer, Status> {
    let request = pb::GetCustomerRequest { customer_id: id.to_owned(), view: view.into() };
    Ok(client.customers().get_customer(request).await?.into_inner().customer.unwrap())
}

#[tokio::test]
async fn a_customer_is_read_as_it_was_written() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let created = acme.admin.create(full_customer("Copaco")).await.unwrap();
    assert_eq!(acme.admin.get(&created.id).await.unwrap(), created);
}

#[tokio::test]
async fn a_customer_of_another_reseller_does_not_exist() {
    let world = World::start().await;
    let provider = world.tenant("acme").await;
    let (north, south) = (provider.child("north").await, provider.child("south").await);
    let ada = north.admin.create(customer("Ada")).await.unwrap();

    let refused = assert_refused(south.admin.get(&ada.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let absent = assert_refused(south.admin.get(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");

    assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
}

#[tokio::test]
async fn a_customer_of_another_tenant_or_of_an_account_above_does_not_exist() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let north = acme.child("north").await;
    let ada = acme.admin.create(full_customer("Ada")).await.unwrap();
    for stranger in [&globex.admin, &north.admin] {
        let absent = assert_refused(stranger.get(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let refused = assert_refused(stranger.get(&ada.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
        let renamed = pb::Customer { id: ada.id.clone(), ..customer("Mine") };
        let refused = stranger.update(renamed.clone(), &["name"]).await;
        let refused = assert_refused(refused, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = stranger.update(pb::Customer { id: unknown_id(), ..renamed }, &["name"]).await;
        assert_eq!(wire(&refused), wire(&absent.unwrap_err()), "existence must not leak");
    }
}

#[tokio::test]
async fn the_basic_view_leaves_fields_out() {
    let world = World::start().await;
    let policies = pb::AccountPolicies { auto_approve: Some(false), ..requiring(&[], &["sales_person_id"]) };
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    let full = acme.admin.create(full_customer("Copaco")).await.unwrap();
    assert!(!full.allowed_actions.is_empty() && !full.missing_for_approval.is_empty());
    let basic = pb::Customer {
        contacts: vec![],
        billing_address: None,
        shipping_address: None,
        labels: [].into(),
        allowed_actions: vec![],
        missing_for_approval: vec![],
        ..full.clone()
    };
    assert_eq!(view(&acme.admin, &full.id, CustomerView::Basic).await.unwrap(), basic);
    assert_eq!(view(&acme.admin, &full.id, CustomerView::Unspecified).await.unwrap(), basic, "BASIC is the default");
    assert_eq!(view(&acme.admin, &full.id, CustomerView::Full).await.unwrap(), full);
}

#[tokio::test]
async fn an_id_is_accepted_in_any_uuid_syntax_and_returned_in_one() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let id = acme.admin.create(customer("Ada")).await.unwrap().id;
    for same in [id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}")] {
        assert_eq!(acme.admin.get(&same).await.unwrap().id, id);
    }
    for malformed in ["", "1", "Ada", &id[1..], &format!("{id}0"), "00000000-0000-0000-0000-000000000000"] {
        let refused = assert_refused(acme.admin.get(malformed).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["customer_id"], "{malformed}");
    }
}

#[tokio::test]
async fn an_unknown_view_and_a_malformed_id_are_reported_together() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let request = pb::GetCustomerRequest { customer_id: "1".to_owned(), view: 7 };
    let refused = acme.admin.customers().get_customer(request).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["customer_id", "view"]);
}

#[tokio::test]
async fn an_account_above_sees_what_is_below_but_not_its_custom_ids() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let branch = north.child("branch").await;
    let copaco = branch.admin.create(full_customer("Copaco")).await.unwrap();
    for above in [&acme, &north] {
        let seen = above.admin.get(&copaco.id).await.unwrap();
        assert_ne!(seen.etag, copaco.etag, "an etag belongs to the acting account");
        let expected = pb::Customer { custom_ids: [].into(), etag: seen.etag.clone(), ..copaco.clone() };
        assert_eq!(seen, expected);
    }
    let viewer = acme.member(Role::Viewer).await;
    assert_eq!(viewer.get(&copaco.id).await.unwrap().name, "Copaco", "a role also holds in every account below");
}

#[tokio::test]
async fn allowed_actions_depend_on_the_callers_role() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let admin = &acme.admin;
    let id = async |name: &str| admin.create(customer(name)).await.unwrap().id;
    let (pending, active, rejected) = (id("Pending").await, id("Active").await, id("Rejected").await);
    let (archived, resting) = (id("Archived").await, id("Resting").await);
    for id in [&active, &resting] {
        admin.approve(id).await.unwrap();
    }
    admin.reject(&rejected, "no such company").await.unwrap();
    admin.archive(&[&archived, &resting]).await.unwrap();
    let incomplete = acme.child_with("strict", Some(requiring(&[], &["email"]))).await;
    let incomplete = incomplete.admin.create(customer("Incomplete")).await.unwrap().id;

    let (viewer, member) = (acme.member(Role::Viewer).await, acme.member(Role::Member).await);
    let manager = acme.member(Role::ServiceManager).await;
    for (id, by_member, by_manager, by_admin) in [
        (
            &pending,
            "Update Tag Archive",
            "Update Tag Id Hold Archive Merge",
            "Update Tag Id Approve Reject Hold Archive Transfer Merge Erase",
        ),
        (
            &incomplete,
            "Update Tag Archive",
            "Update Tag Id Hold Archive Merge",
            "Update Tag Id Reject Hold Archive Transfer Merge Erase",
        ),
        (
            &active,
            "Update Tag Archive",
            "Update Tag Id Suspend Hold Archive Merge",
            "Update Tag Id Suspend Hold Archive Migrate Transfer Merge Erase",
        ),
        (
            &rejected,
            "Update Tag Archive",
            "Update Tag Id Hold Archive Merge",
            "Update Tag Id Approve Hold Archive Transfer Merge Erase",
        ),
        (
            &archived,
            "Update Tag Unarchive",
            "Update Tag Id Hold Unarchive Merge",
            "Update Tag Id Hold Unarchive Transfer Merge Erase",
        ),
        (
            &resting,
            "Update Tag Unarchive",
            "Update Tag Id Suspend Hold Unarchive Merge",
            "Update Tag Id Suspend Hold Unarchive Transfer Merge Erase",
        ),
    ] {
        for (client, expected) in [(&viewer, ""), (&member, by_member), (&manager, by_manager), (admin, by_admin)] {
            let expected = actions(expected);
            let seen = client.get(id).await.unwrap();
            assert_eq!(seen.allowed_actions, expected, "{} {expected:?}", seen.name);
        }
    }
}
