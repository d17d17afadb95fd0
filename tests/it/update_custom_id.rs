//! UpdateCustomId: effects and rights.

use clientele::grpc::pb::{self, Role};
use tonic::Code;

use crate::{
    custom_ids::{assert_consistent, change, fleet, narrowed, with_custom_ids, written},
    world::{World, assert_refused, bad_fields, customer, metadata, requiring, unknown_id, wire},
};

#[tokio::test]
async fn a_custom_id_is_set_changed_and_cleared() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = acme.admin.create(customer("Ada")).await.unwrap();

    let set = acme.admin.set_id(&before.id, "erp", " 00Ab-7 ").await.unwrap();
    assert_eq!(set.custom_ids, [("erp".to_owned(), "00Ab-7".to_owned())].into());
    assert_ne!(set.etag, before.etag);
    assert_eq!(acme.admin.get(&before.id).await.unwrap(), set);
    // Nothing else changes, not even the time of the last change.
    let expected = pb::Customer { etag: set.etag.clone(), custom_ids: set.custom_ids.clone(), ..before };
    assert_eq!(set, expected);

    let changed = acme.admin.set_id(&set.id, "erp", "8").await.unwrap();
    assert_eq!(changed.custom_ids, [("erp".to_owned(), "8".to_owned())].into());
    let cleared = acme.admin.set_id(&set.id, "erp", "").await.unwrap();
    assert!(cleared.custom_ids.is_empty());
    assert_eq!(acme.admin.get(&set.id).await.unwrap(), cleared);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn each_system_has_its_own_and_an_empty_system_is_default() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("billing", "b-1")])).await.unwrap();
    for (system, id) in [("erp", "1"), ("dms", "1"), ("", "1")] {
        acme.admin.set_id(&ada.id, system, id).await.unwrap();
    }
    let ids = acme.admin.get(&ada.id).await.unwrap().custom_ids;
    let expected = with_custom_ids("", &[("billing", "b-1"), ("erp", "1"), ("dms", "1"), ("default", "1")]).custom_ids;
    assert_eq!(ids, expected);
    let cleared = acme.admin.set_id(&ada.id, "default", "").await.unwrap();
    assert_eq!(cleared.custom_ids.len(), 3);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_change_to_the_same_value_writes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "abc")])).await.unwrap();
    let before = written(&world).await;
    for (system, id) in [("erp", "abc"), ("erp", " abc"), ("dms", "")] {
        assert_eq!(acme.admin.set_id(&ada.id, system, id).await.unwrap(), ada);
    }
    assert_eq!(written(&world).await, before);
}

#[tokio::test]
async fn a_change_of_case_alone_changes_the_value_and_leaves_no_alias() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "abc")])).await.unwrap();
    let changed = acme.admin.set_id(&ada.id, "erp", "ABC").await.unwrap();
    assert_eq!(changed.custom_ids["erp"], "ABC");
    assert_ne!(changed.etag, ada.etag);
    for spelling in ["abc", "ABC", "Abc"] {
        assert_eq!(acme.admin.lookup(spelling, "erp").await.unwrap(), (ada.id.clone(), false));
    }
    let rows = written(&world).await;
    assert_eq!(rows.iter().filter(|row| row.starts_with("custom_ids ")).count(), 1, "{rows:?}");
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_value_that_another_customer_has_is_refused_in_any_case() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.admin.create(with_custom_ids("Ada", &[("erp", "x-1")])).await.unwrap();
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    let before = written(&world).await;
    let taken = assert_refused(acme.admin.set_id(&bob.id, "erp", "X-1").await, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
    assert_eq!(metadata(&taken, "field").as_deref(), Some("custom_id"));
    assert!(!taken.message().contains("Ada") && !taken.message().to_lowercase().contains("x-1"), "{taken:?}");
    assert_eq!(written(&world).await, before);
    // The value is free in another system and in another account.
    acme.admin.set_id(&bob.id, "dms", "x-1").await.unwrap();
    let south = acme.child("south").await;
    let eve = south.admin.create(with_custom_ids("Eve", &[("erp", "x-1")])).await.unwrap();
    assert_eq!(eve.custom_ids["erp"], "x-1");
}

#[tokio::test]
async fn a_local_customer_requires_the_acting_accounts_custom_id_role() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "1")])).await.unwrap();
    let (member, manager) = (acme.member(Role::Member).await, acme.member(Role::ServiceManager).await);
    let before = written(&world).await;
    for (system, id) in [("dms", "5"), ("erp", "2"), ("erp", ""), ("erp", "1")] {
        let refused = member.set_id(&ada.id, system, id).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    }
    assert_eq!(written(&world).await, before);
    for (system, id) in [("dms", "5"), ("erp", "2"), ("erp", "")] {
        manager.set_id(&ada.id, system, id).await.unwrap();
    }
    let viewer = acme.member(Role::Viewer).await;
    let refused = assert_refused(viewer.set_id(&ada.id, "erp", "9").await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("MEMBER"));
}

#[tokio::test]
async fn the_policy_is_the_acting_accounts_not_the_owners() {
    let world = World::start().await;
    let by_member = |role: Role| pb::AccountPolicies { custom_id_role: role.into(), ..Default::default() };
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, by_member(Role::Member)).await;
    let strict = acme.child_with("strict", Some(by_member(Role::Admin))).await;
    let ada = strict.admin.create(customer("Ada")).await.unwrap();
    let above = acme.member(Role::Member).await;
    // The same member acts in one account and in the other.
    assert_eq!(above.set_id(&ada.id, "erp", "1").await.unwrap().custom_ids["erp"], "1");
    let here = above.acting_in(&strict.account);
    let refused = assert_refused(here.set_id(&ada.id, "erp", "1").await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
}

#[tokio::test]
async fn on_a_fleet_customer_a_member_sets_a_missing_id_and_a_manager_changes_one() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("dealer").await;
    let ada = acme.admin.create(fleet("Ada")).await.unwrap();
    let (member, manager) = (dealer.member(Role::Member).await, dealer.member(Role::ServiceManager).await);

    let seen = member.set_id(&ada.id, "dms", "77").await.unwrap();
    assert_eq!(seen.custom_ids["dms"], "77");
    assert_eq!(member.set_id(&ada.id, "dms", "77").await.unwrap(), seen, "the same value changes nothing");
    assert_eq!(member.set_id(&ada.id, "erp", "").await.unwrap(), seen);
    for id in ["78", "", "77 "] {
        let answer = member.set_id(&ada.id, "dms", id).await;
        if id.trim() == "77" {
            answer.unwrap();
        } else {
            let refused = assert_refused(answer, Code::PermissionDenied, "ROLE_TOO_LOW");
            assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
        }
    }
    assert_eq!(manager.set_id(&ada.id, "dms", "78").await.unwrap().custom_ids["dms"], "78");
    assert!(manager.set_id(&ada.id, "dms", "").await.unwrap().custom_ids.is_empty());
    assert_eq!(member.set_id(&ada.id, "dms", "79").await.unwrap().custom_ids["dms"], "79", "it was cleared before");
    // A member of the owner may also set a missing custom ID of a FLEET customer.
    let own = acme.member(Role::Member).await;
    assert_eq!(own.set_id(&ada.id, "erp", "o-1").await.unwrap().custom_ids.len(), 1);
    assert_refused(own.set_id(&ada.id, "erp", "o-2").await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_consistent(&world).await;
}

#[tokio::test]
async fn each_account_has_its_own_id_of_a_customer_and_sees_no_other() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let ada = acme.admin.create(fleet("Ada")).await.unwrap();
    let seen = south.admin.get(&ada.id).await.unwrap();
    let (by_owner, by_north) = (
        acme.admin.set_id(&ada.id, "erp", "owner-1").await.unwrap(),
        north.admin.set_id(&ada.id, "erp", "north-1").await.unwrap(),
    );
    assert_eq!(by_owner.custom_ids["erp"], "owner-1");
    assert_eq!(by_north.custom_ids["erp"], "north-1");
    assert_eq!(by_north.currency, "", "an account below reads only the fields that it may");
    // South does not see the custom IDs of other accounts, and they do not change its etag.
    assert_eq!(south.admin.get(&ada.id).await.unwrap(), seen);
    let request = pb::UpdateCustomIdRequest { etag: seen.etag, ..change(&ada.id, "erp", "owner-1") };
    assert_eq!(south.admin.set(request).await.unwrap().customer.unwrap().custom_ids["erp"], "owner-1");
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), by_owner);
    // The account above a LOCAL customer's owner can also have a custom ID of its own.
    let eve = north.admin.create(with_custom_ids("Eve", &[("erp", "n-2")])).await.unwrap();
    assert_eq!(acme.admin.set_id(&eve.id, "erp", "a-2").await.unwrap().custom_ids["erp"], "a-2");
    assert_eq!(north.admin.get(&eve.id).await.unwrap(), eve);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn for_an_account_that_cannot_see_it_the_customer_does_not_exist() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south, other) = (acme.child("north").await, acme.child("south").await, world.tenant("globex").await);
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let before = written(&world).await;
    for stranger in [&south.admin, &other.admin] {
        let refused = assert_refused(stranger.set_id(&ada.id, "erp", "1").await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = stranger.set_id(&unknown_id(), "erp", "1").await.unwrap_err();
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    // The same for a call that is narrowed to another customer.
    let eve = north.admin.create(customer("Eve")).await.unwrap();
    let refused = north.admin.customers().update_custom_id(narrowed(change(&ada.id, "erp", "1"), &eve.id)).await;
    let refused = assert_refused(refused, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let absent = north.admin.customers().update_custom_id(narrowed(change(&unknown_id(), "erp", "1"), &eve.id)).await;
    assert_eq!(wire(&refused), wire(&absent.unwrap_err()));
    let after = written(&world).await;
    assert_eq!(after.len(), before.len() + 2, "Eve and her event");
    north.admin.customers().update_custom_id(narrowed(change(&ada.id, "erp", "1"), &ada.id)).await.unwrap();
}

#[tokio::test]
async fn every_error_is_reported_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let request = pb::UpdateCustomIdRequest {
        customer_id: "7".to_owned(),
        system: "ERP".to_owned(),
        custom_id: "x".repeat(256),
        request_id: "no".to_owned(),
        ..Default::default()
    };
    let refused = assert_refused(acme.admin.set(request).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["request_id", "customer_id", "system", "custom_id"]);
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let foreign = pb::UpdateCustomIdRequest { etag: "made-up".to_owned(), ..change(&ada.id, "erp", "1") };
    let refused = assert_refused(acme.admin.set(foreign).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["etag"]);
}

#[tokio::test]
async fn an_account_has_at_most_20_custom_ids_of_a_customer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let systems: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    let ids: Vec<(&str, &str)> = systems.iter().map(|system| (system.as_str(), "1")).collect();
    let ada = acme.admin.create(with_custom_ids("Ada", &ids)).await.unwrap();
    let refused = acme.admin.set_id(&ada.id, "one-more", "1").await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["custom_id"]);
    acme.admin.set_id(&ada.id, "s0", "").await.unwrap();
    acme.admin.set_id(&ada.id, "one-more", "1").await.unwrap();
}

#[tokio::test]
async fn only_the_owner_must_keep_required_custom_ids() {
    let world = World::start().await;
    let policies = requiring(&["custom_ids.dms"], &[]);
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    let ada =
        acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..with_custom_ids("Ada", &[("dms", "1")]) });
    let ada = ada.await.unwrap();
    let refused = acme.admin.set_id(&ada.id, "dms", "").await;
    let refused = assert_refused(refused, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_eq!(metadata(&refused, "missing_fields").as_deref(), Some("customer.custom_ids.dms"));
    acme.admin.set_id(&ada.id, "dms", "2").await.unwrap();
    let dealer = acme.child("dealer").await;
    dealer.admin.set_id(&ada.id, "dms", "d-1").await.unwrap();
    dealer.admin.set_id(&ada.id, "dms", "").await.unwrap();
}

#[tokio::test]
async fn allowed_actions_include_it_only_where_it_would_succeed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("dealer").await;
    let (local, fleet) =
        (acme.admin.create(customer("Ada")).await.unwrap(), acme.admin.create(fleet("Eve")).await.unwrap());
    for (client, id, expected) in [
        (acme.member(Role::Viewer).await, &local.id, false),
        (acme.member(Role::Member).await, &local.id, false),
        (acme.member(Role::ServiceManager).await, &local.id, true),
        (acme.member(Role::Viewer).await, &fleet.id, false),
        (acme.member(Role::Member).await, &fleet.id, true),
        (dealer.member(Role::Member).await, &fleet.id, true),
    ] {
        let allowed = client.get(id).await.unwrap().allowed_actions;
        assert_eq!(allowed.contains(&"UpdateCustomId".to_owned()), expected, "{allowed:?}");
    }
    assert_eq!(dealer.admin.get(&fleet.id).await.unwrap().allowed_actions, ["ModifyCustomerTags", "UpdateCustomId"]);
}
