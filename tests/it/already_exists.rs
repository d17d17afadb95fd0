//! ALREADY_EXISTS names what has the value, archived or not, if the acting account sees it: nobody is left with a value that
//! it can neither use nor find.

use clientele::grpc::pb::{self, NameUniqueness};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    custom_ids::{change, narrowed, upsert, with_custom_ids},
    world::{TestAccount, World, assert_refused, customer, mask, principal},
};

fn named(refused: &Status) -> String {
    refused.get_details_resource_info().unwrap().resource_name
}

fn assert_names<T: std::fmt::Debug>(result: Result<T, Status>, reason: &str, id: &str) {
    let refused = assert_refused(result, Code::AlreadyExists, reason);
    assert_eq!(named(&refused), id, "{reason}: {}", refused.message());
}

/// A customer with everything that is unique.
fn unique(name: &str, number: &str) -> pb::Customer {
    pb::Customer { order_reference: format!("order-{number}"), ..with_custom_ids(name, &[("erp", number)]) }
}

async fn strict(world: &World, rule: NameUniqueness) -> TestAccount {
    world.tenant_with("acme", rule, pb::AccountPolicies::default()).await
}

#[tokio::test]
async fn a_taken_value_names_the_customer_that_has_it_archived_or_not() {
    let world = World::start().await;
    let acme = strict(&world, NameUniqueness::Account).await;
    let admin = &acme.admin;
    let ada = admin.create(unique("Ada", "1")).await.unwrap().id;
    let bob = admin.create(unique("Bob", "2")).await.unwrap().id;
    for archived in [false, true] {
        if archived {
            admin.archive(&[&ada]).await.unwrap();
        }
        // In a creation.
        assert_names(admin.create(customer("ADA")).await, "NAME_TAKEN", &ada);
        assert_names(admin.create(with_custom_ids("New", &[("erp", "1")])).await, "CUSTOM_ID_TAKEN", &ada);
        let order = pb::Customer { order_reference: "order-1".to_owned(), ..customer("New") };
        assert_names(admin.create(order).await, "ORDER_REFERENCE_TAKEN", &ada);
        // In a change.
        let changed = |name: &str| pb::Customer { id: bob.clone(), ..unique(name, "1") };
        assert_names(admin.update(changed("ada"), &["name"]).await, "NAME_TAKEN", &ada);
        assert_names(admin.update(changed("Bob"), &["order_reference"]).await, "ORDER_REFERENCE_TAKEN", &ada);
        assert_names(admin.set(change(&bob, "erp", "1")).await, "CUSTOM_ID_TAKEN", &ada);
        let only = pb::UpdateCustomIdRequest { validate_only: true, ..change(&bob, "erp", "1") };
        assert_names(admin.set(only).await, "CUSTOM_ID_TAKEN", &ada);
        // In an upsert, of a new customer and of one that exists.
        assert_names(
            admin.upsert(upsert(with_custom_ids("Ada", &[("default", "9")]), &["name"])).await,
            "NAME_TAKEN",
            &ada,
        );
        let existing = pb::Customer { id: bob.clone(), ..with_custom_ids("Bob", &[("erp", "1")]) };
        assert_names(admin.upsert(upsert(existing, &["name"])).await, "CUSTOM_ID_TAKEN", &ada);
    }
    // The way on: what was refused is found, and can be used.
    admin.unarchive(&[&ada]).await.unwrap();
    assert_eq!(admin.get(&ada).await.unwrap().name, "Ada");
}

#[tokio::test]
async fn a_customer_out_of_sight_is_not_named() {
    let world = World::start().await;
    let acme = strict(&world, NameUniqueness::Tenant).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let ada = north.admin.create(customer("Ada")).await.unwrap().id;
    // A sibling does not see it; the account above does.
    assert_names(south.admin.create(customer("Ada")).await, "NAME_TAKEN", "");
    assert_names(acme.admin.create(customer("Ada")).await, "NAME_TAKEN", &ada);
    // A FLEET customer of the account above is seen by both.
    let shared = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Shared") };
    let shared = acme.admin.create(shared).await.unwrap().id;
    assert_names(south.admin.create(customer("Shared")).await, "NAME_TAKEN", &shared);
    // A call that is narrowed to one customer is told of no other.
    let bob = north.admin.create(with_custom_ids("Bob", &[("erp", "1")])).await.unwrap().id;
    let request = pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: bob.clone(), ..customer("Ada") }),
        update_mask: Some(mask(&["name"])),
        ..Default::default()
    };
    let refused = north.admin.customers().update_customer(narrowed(request, &bob)).await;
    assert_names(refused, "NAME_TAKEN", "");
    let refused = north.admin.customers().update_custom_id(narrowed(change(&ada, "erp", "1"), &ada)).await;
    assert_names(refused, "CUSTOM_ID_TAKEN", "");
}

#[tokio::test]
async fn a_transfer_and_a_revert_name_the_customer_that_is_in_the_way() {
    let world = World::start().await;
    let acme = strict(&world, NameUniqueness::Account).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let there = south.admin.create(unique("Ada", "1")).await.unwrap().id;
    south.admin.archive(&[&there]).await.unwrap();
    let name = north.admin.create(customer("ada")).await.unwrap().id;
    let order = pb::Customer { order_reference: "order-1".to_owned(), ..customer("Bob") };
    let order = north.admin.create(order).await.unwrap().id;
    for (id, reason) in [(&name, "NAME_TAKEN"), (&order, "ORDER_REFERENCE_TAKEN")] {
        assert_names(acme.admin.transfer(&[id], &south.account).await, reason, &there);
        let only = pb::TransferCustomersRequest {
            customer_ids: vec![id.clone()],
            account_id: south.account.clone(),
            validate_only: true,
            ..Default::default()
        };
        let preview = acme.admin.customers().transfer_customers(only).await.unwrap().into_inner();
        assert_eq!(preview.blockers[0].taken_by_customer_id, there, "{reason}");
    }
    // Two of one batch are in each other's way.
    let twin = acme.admin.create(customer("Bob")).await.unwrap().id;
    let free = acme.child("free").await;
    assert_names(acme.admin.transfer(&[&order, &twin], &free.account).await, "NAME_TAKEN", &order);

    let moved = acme.admin.create(customer("Cas")).await.unwrap().id;
    let first_admin = Some(principal("cas"));
    let migrate =
        pb::MigrateCustomerToResellerRequest { customer_id: moved.clone(), first_admin, ..Default::default() };
    acme.admin.customers().migrate_customer_to_reseller(migrate).await.unwrap();
    let taker = acme.admin.create(customer("Cas")).await.unwrap().id;
    let revert = pb::RevertCustomerMigrationRequest { customer_id: moved, ..Default::default() };
    assert_names(acme.admin.customers().revert_customer_migration(revert).await, "NAME_TAKEN", &taker);
}

#[tokio::test]
async fn a_tag_a_branch_and_a_member_that_exist_are_named() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let admin = &acme.admin;
    let tag = |name: &str| pb::CreateTagRequest { name: name.to_owned(), ..Default::default() };
    let vip = admin.tags().create_tag(tag("vip")).await.unwrap().into_inner().tag.unwrap().id;
    let other = admin.tags().create_tag(tag("other")).await.unwrap().into_inner().tag.unwrap().id;
    assert_names(admin.tags().create_tag(tag("VIP")).await, "TAG_EXISTS", &vip);
    let rename = pb::RenameTagRequest { tag_id: other, name: "Vip".to_owned(), ..Default::default() };
    assert_names(admin.tags().rename_tag(rename).await, "TAG_EXISTS", &vip);

    let harbour = acme.branch("Harbour").await;
    let airport = acme.branch("Airport").await;
    let branch = |id: &str| Some(pb::Branch { id: id.to_owned(), name: "harbour".to_owned(), ..Default::default() });
    let create = pb::CreateBranchRequest { branch: branch(""), ..Default::default() };
    assert_names(admin.accounts().create_branch(create).await, "BRANCH_EXISTS", &harbour);
    let update =
        pb::UpdateBranchRequest { branch: branch(&airport), update_mask: Some(mask(&["name"])), ..Default::default() };
    assert_names(admin.accounts().update_branch(update).await, "BRANCH_EXISTS", &harbour);

    let max = acme.add("max", pb::Role::Viewer).await.member_id;
    let again =
        pb::AddMemberRequest { principal: Some(principal("max")), role: pb::Role::Admin.into(), ..Default::default() };
    assert_names(admin.access().add_member(again).await, "MEMBER_EXISTS", &max);
}
