//! SearchCustomers: after writes.

use clientele::{grpc::pb, store::migrations};
use tonic::Code;

use crate::{
    search_customers::{copaco, names, query},
    world::{World, assert_refused, customer, mask},
};

#[tokio::test]
async fn a_write_is_found_by_the_next_search() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(customer("First")).await.unwrap();
    assert_eq!(names(&acme.admin, query("first")).await, ["First"]);
    let renamed = pb::Customer { id: made.id.clone(), ..customer("Second") };
    acme.admin.update(renamed, &["name"]).await.unwrap();
    assert!(names(&acme.admin, query("first")).await.is_empty());
    assert_eq!(names(&acme.admin, query("second")).await, ["Second"]);
    let moved = pb::Customer { id: made.id.clone(), ..copaco() };
    acme.admin.update(moved, &["primary_address.city", "email", "phone", "tax_ids"]).await.unwrap();
    for words in ["eindhoven", "janssen", "+31402505000", "nl006486253b01"] {
        assert_eq!(names(&acme.admin, query(words)).await, ["Second"], "{words:?}");
    }
    acme.admin.archive(&[&made.id]).await.unwrap();
    assert!(names(&acme.admin, query("second")).await.is_empty());
    for archived in [pb::ArchivedFilter::Show, pb::ArchivedFilter::Only] {
        let asked = pb::SearchCustomersRequest { archived: archived.into(), ..query("second") };
        assert_eq!(names(&acme.admin, asked).await, ["Second"]);
    }
    acme.admin.unarchive(&[&made.id]).await.unwrap();
    assert_eq!(names(&acme.admin, query("second")).await, ["Second"]);
}

#[tokio::test]
async fn validated_and_refused_writes_are_not_found() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    let made = acme.admin.create(customer("First")).await.unwrap();
    acme.admin.create(customer("Taken")).await.unwrap();
    let only_checked =
        pb::CreateCustomerRequest { customer: Some(customer("Ghost")), validate_only: true, ..Default::default() };
    acme.admin.customers().create_customer(only_checked).await.unwrap();
    let update = |name: &str, validate_only| pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: made.id.clone(), email: "ghost@example.com".to_owned(), ..customer(name) }),
        update_mask: Some(mask(&["name", "email"])),
        validate_only,
        ..Default::default()
    };
    acme.admin.customers().update_customer(update("Ghost", true)).await.unwrap();
    let refused = acme.admin.customers().update_customer(update("Taken", false)).await;
    assert_refused(refused, Code::AlreadyExists, "NAME_TAKEN");
    assert!(names(&acme.admin, query("ghost")).await.is_empty());
    assert_eq!(names(&acme.admin, query("")).await, ["First", "Taken"]);
}

#[tokio::test]
async fn a_write_of_unsearched_fields_does_not_change_the_index() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, crate::world::manual_approval()).await;
    let made = acme.admin.create(copaco()).await.unwrap();
    let mut sql = world.sql().await;
    let written = "select ctid::text || xmin::text from customer_search";
    let before: String = sqlx::query_scalar(written).fetch_one(&mut sql).await.unwrap();
    acme.admin.approve(&made.id).await.unwrap();
    acme.admin.archive(&[&made.id]).await.unwrap();
    let changed = pb::Customer { currency: "Euro".to_owned(), ..made.clone() };
    acme.admin.update(changed, &["currency"]).await.unwrap();
    let after: String = sqlx::query_scalar(written).fetch_one(&mut sql).await.unwrap();
    assert_eq!(after, before);
    let renamed = pb::Customer { name: "Other".to_owned(), ..made };
    acme.admin.update(renamed, &["name"]).await.unwrap();
    let renamed: String = sqlx::query_scalar(written).fetch_one(&mut sql).await.unwrap();
    assert_ne!(renamed, before);
}

#[tokio::test]
async fn customers_from_before_the_search_are_found_after_the_migration() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for name in ["Bäckerei", "Other"] {
        let custom_ids = [("erp".to_owned(), format!("K-{name}"))].into();
        let order_reference = String::new();
        let wanted = pb::Customer { name: name.to_owned(), custom_ids, order_reference, ..copaco() };
        acme.admin.create(wanted).await.unwrap();
    }
    let mut sql = world.sql().await;
    let kept = "select to_jsonb(s) || jsonb_build_object('words', i.search_words)
                from customer_search s join custom_ids i on i.customer_id = s.customer_id order by s.doc";
    let before: Vec<serde_json::Value> = sqlx::query_scalar(kept).fetch_all(&mut sql).await.unwrap();
    assert_eq!(before.len(), 2);
    // As an older release leaves them: one without a row, one with an old text.
    sqlx::query("delete from customer_search where name = 'backerei'").execute(&mut sql).await.unwrap();
    let old = "update customer_search set version = 0, grams = '{}', id_grams = '{}', account_id = null, doc = 'old'";
    sqlx::query(old).execute(&mut sql).await.unwrap();
    sqlx::query("update custom_ids set search_words = ''").execute(&mut sql).await.unwrap();
    for words in ["backerei", "k-other"] {
        assert!(names(&acme.admin, query(words)).await.is_empty(), "{words}");
    }
    migrations::migrate(&world.database, || ()).await.unwrap();
    assert_eq!(names(&acme.admin, query("backerei")).await, ["Bäckerei"]);
    assert_eq!(names(&acme.admin, query("k-other")).await, ["Other"]);
    let after: Vec<serde_json::Value> = sqlx::query_scalar(kept).fetch_all(&mut sql).await.unwrap();
    assert_eq!(after, before);
}
