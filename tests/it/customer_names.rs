//! Where a customer's name must be unique: at creation and when it is renamed.

use std::collections::BTreeSet;

use clientele::grpc::pb::{self, NameUniqueness};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{Client, World, assert_refused, customer, metadata};

async fn rename(client: &Client, id: &str, name: &str) -> Result<pb::Customer, Status> {
    client.update(pb::Customer { id: id.to_owned(), ..customer(name) }, &["name"]).await
}

/// The free names that the error suggests.
fn suggested(status: &Status) -> Vec<String> {
    serde_json::from_str(&metadata(status, "free_names").unwrap()).unwrap()
}

#[tokio::test]
async fn the_tenants_rule_decides_where_a_name_is_taken() {
    let world = World::start().await;
    for (rule, in_account, in_tenant) in [
        (NameUniqueness::None, false, false),
        (NameUniqueness::Account, true, false),
        (NameUniqueness::Tenant, true, true),
    ] {
        let acme = world.tenant_with("acme", rule, pb::AccountPolicies::default()).await;
        let (north, south) = (acme.child("north").await, acme.child("south").await);
        north.admin.create(customer("Copaco")).await.unwrap();
        for (client, taken) in [(&north.admin, in_account), (&south.admin, in_tenant), (&acme.admin, in_tenant)] {
            let other = client.create(customer(&format!("Other {}", uuid::Uuid::new_v4()))).await.unwrap();
            for result in [client.create(customer("copaco")).await, rename(client, &other.id, "COPACO").await] {
                if taken {
                    assert_refused(result, Code::AlreadyExists, "NAME_TAKEN");
                } else {
                    result.unwrap_or_else(|status| panic!("{rule:?}: {status:?}"));
                    break;
                }
            }
        }
        let elsewhere = world.tenant_with("globex", rule, pb::AccountPolicies::default()).await;
        elsewhere.admin.create(customer("Copaco")).await.expect("in another tenant");
    }
}

#[tokio::test]
async fn names_are_compared_folded_but_with_their_accents() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    for (name, same, different) in [
        ("Copaco B.V.", [" COPACO \u{a0} b.v. ", "\u{ff23}opaco B.V."], "Copaco BV"),
        ("Jos\u{e9}", ["JOS\u{c9}", "jose\u{301}"], "Jose"),
        ("Stra\u{df}e", ["STRASSE", "stra\u{1e9e}e"], "Strase"),
        ("\u{fb01}ets 1", ["FIETS 1", "fiets  \u{ff11}"], "fiets1"),
        ("O\u{2019}Brien", ["O'BRIEN", "o\u{b4}brien"], "OBrien"),
        ("Smit \u{2013} Zonen", ["smit - zonen", "Smit \u{2212} Zonen"], "Smit Zonen"),
        ("KI\u{15e}LA", ["k\u{131}\u{15f}la", "K\u{130}\u{15e}LA"], "KISLA"),
        ("\u{645}\u{6cc}\u{200c}\u{62e}", ["\u{645}\u{6cc}\u{62e}", "\u{645}\u{6cc}\u{200d}\u{62e}"], "\u{645}\u{6cc}"),
        ("Shop \u{2764}\u{fe0f}", ["SHOP \u{2764}", "shop \u{2764}\u{fe0e}"], "Shop"),
    ] {
        let created = acme.admin.create(customer(name)).await.unwrap();
        assert_eq!(created.name, name, "stored as written");
        for same in same {
            assert_refused(acme.admin.create(customer(same)).await, Code::AlreadyExists, "NAME_TAKEN");
        }
        let other = acme.admin.create(customer(different)).await.unwrap();
        for same in same {
            assert_refused(rename(&acme.admin, &other.id, same).await, Code::AlreadyExists, "NAME_TAKEN");
            rename(&acme.admin, &created.id, same).await.expect("its own name, in another spelling");
        }
    }
}

#[tokio::test]
async fn a_taken_name_suggests_free_ones_and_does_not_show_who_has_it() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let theirs = north.admin.create(customer("Copaco")).await.unwrap();
    for name in ["copaco 2", "Copaco 4"] {
        north.admin.create(customer(name)).await.unwrap();
    }
    let mine = south.admin.create(customer("Mine")).await.unwrap();
    let city = |city: &str| Some(pb::Address { city: city.to_owned(), ..Default::default() });
    let in_town = pb::Customer { primary_address: city("Delft"), ..customer("COPACO") };

    let created = assert_refused(south.admin.create(in_town).await, Code::AlreadyExists, "NAME_TAKEN");
    let renamed = assert_refused(rename(&south.admin, &mine.id, "COPACO").await, Code::AlreadyExists, "NAME_TAKEN");

    assert_eq!(suggested(&created), ["COPACO (Delft)", "COPACO 3", "COPACO 5"]);
    assert_eq!(suggested(&renamed), ["COPACO 3", "COPACO 5"]);
    for refused in [&created, &renamed] {
        let info = refused.get_details_error_info().unwrap();
        let keys: BTreeSet<&str> = info.metadata.keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["field", "free_names"]));
        let resource = refused.get_details_resource_info().unwrap();
        assert_eq!(resource.resource_type, "clientele.v1.Customer");
        assert_eq!([resource.resource_name, resource.owner, resource.description], ["", "", ""]);
        let text = format!("{} {}", refused.message(), String::from_utf8_lossy(refused.details()));
        for secret in [&theirs.id, &theirs.account_id, &theirs.name, &"north".to_owned()] {
            assert!(!text.contains(secret.as_str()), "{secret}: {text}");
        }
    }
    for name in suggested(&created) {
        south.admin.create(customer(&name)).await.unwrap_or_else(|status| panic!("{name} is not free: {status:?}"));
    }
    let suggestions =
        suggested(&assert_refused(south.admin.create(customer("Mine")).await, Code::AlreadyExists, "NAME_TAKEN"));
    assert_eq!(suggestions, ["Mine 2", "Mine 3", "Mine 4", "Mine 5"]);
}

#[tokio::test]
async fn suggestions_fit_into_a_name() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", NameUniqueness::Account, pb::AccountPolicies::default()).await;
    let longest = "\u{e9}".repeat(120);
    acme.admin.create(customer(&longest)).await.unwrap();
    let refused = assert_refused(acme.admin.create(customer(&longest)).await, Code::AlreadyExists, "NAME_TAKEN");
    for name in suggested(&refused) {
        acme.admin.create(customer(&name)).await.unwrap_or_else(|status| panic!("{name} is not free: {status:?}"));
    }
}

#[tokio::test]
async fn rejected_and_archived_customers_keep_their_names() {
    let world = World::start().await;
    let policies = crate::world::manual_approval();
    let acme = world.tenant_with("acme", NameUniqueness::Account, policies).await;
    let rejected = acme.admin.create(customer("Rejected")).await.unwrap();
    acme.admin.reject(&rejected.id, "no such company").await.unwrap();
    let archived = acme.admin.create(customer("Archived")).await.unwrap();
    acme.admin.archive(&[&archived.id]).await.unwrap();
    for name in ["rejected", "archived"] {
        assert_refused(acme.admin.create(customer(name)).await, Code::AlreadyExists, "NAME_TAKEN");
    }
    // A former name is free.
    rename(&acme.admin, &archived.id, "Elsewhere").await.unwrap();
    acme.admin.create(customer("Archived")).await.unwrap();
}

#[tokio::test]
async fn if_custom_id_and_name_are_both_taken_one_of_them_is_reported() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", NameUniqueness::Account, pb::AccountPolicies::default()).await;
    let ada = pb::Customer { custom_ids: [("erp".to_owned(), "1".to_owned())].into(), ..customer("Ada") };
    acme.admin.create(ada.clone()).await.unwrap();
    let refused = acme.admin.create(ada).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    match crate::world::reason(&refused).as_str() {
        "NAME_TAKEN" => assert_eq!(suggested(&refused).len(), 4),
        "CUSTOM_ID_TAKEN" => {
            assert_eq!(metadata(&refused, "field").as_deref(), Some("customer.custom_ids.erp"));
        }
        other => panic!("{other}"),
    }
}
