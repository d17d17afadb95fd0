//! SearchCustomers: after writes.

use clientele::{grpc::pb, store::migrations};
use tonic::Code;

use crate::{
    custom_ids::fleet,
    search_customers::{copaco, in_field, names, query},
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
    let kept =
        "select to_jsonb(s) || jsonb_build_object('words', i.search_words, 'lexemes', i.lexemes, 'bucket', i.bucket)
                from customer_search s join custom_ids i on i.customer_id = s.customer_id order by s.doc";
    let before: Vec<serde_json::Value> = sqlx::query_scalar(kept).fetch_all(&mut sql).await.unwrap();
    assert_eq!(before.len(), 2);
    // As an older release leaves them: one without a row, one with an old text.
    sqlx::query("delete from customer_search where name = 'backerei'").execute(&mut sql).await.unwrap();
    let old = "update customer_search set version = 0, lexemes = '', id_lexemes = '', account_id = null,
               ancestors = null, doc = 'old'";
    sqlx::query(old).execute(&mut sql).await.unwrap();
    sqlx::query("update custom_ids set search_words = '', lexemes = '', bucket = 0").execute(&mut sql).await.unwrap();
    for words in ["backerei", "k-other"] {
        assert!(names(&acme.admin, query(words)).await.is_empty(), "{words}");
    }
    migrations::migrate(&world.database, || ()).await.unwrap();
    assert_eq!(names(&acme.admin, query("backerei")).await, ["Bäckerei"]);
    assert_eq!(names(&acme.admin, query("k-other")).await, ["Other"]);
    let after: Vec<serde_json::Value> = sqlx::query_scalar(kept).fetch_all(&mut sql).await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_custom_id_of_another_account_costs_its_own_row() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let id = acme.admin.create(fleet("Alpha")).await.unwrap().id;
    acme.admin.create(fleet("Beta")).await.unwrap();
    let mut sql = world.sql().await;
    let text = "select ctid::text || xmin::text from customer_search order by name";
    let before: Vec<String> = sqlx::query_scalar(text).fetch_all(&mut sql).await.unwrap();
    north.admin.set_id(&id, "erp", "N-17").await.unwrap();
    south.admin.set_id(&id, "erp", "S-17").await.unwrap();
    let after: Vec<String> = sqlx::query_scalar(text).fetch_all(&mut sql).await.unwrap();
    assert_eq!(after, before);
    for (account, own, other) in [(&north, "n-17", "s-17"), (&south, "s-17", "n-17")] {
        assert_eq!(names(&account.admin, query(own)).await, ["Alpha"]);
        assert_eq!(names(&account.admin, in_field(pb::SearchField::Number, own)).await, ["Alpha"]);
        assert!(names(&account.admin, query(other)).await.is_empty());
    }
    // A new name is in another part of the order.
    acme.admin.update(pb::Customer { id: id.clone(), ..fleet("Zulu") }, &["name"]).await.unwrap();
    assert_eq!(names(&north.admin, query("n-17")).await, ["Zulu"]);
    assert_eq!(names(&north.admin, query("n-17 zulu")).await, ["Zulu"]);
    assert_eq!(names(&north.admin, query("")).await, ["Beta", "Zulu"]);
}

#[tokio::test]
async fn a_custom_id_is_found_whoever_owns_the_customer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let id = north.admin.create(customer("Alpha")).await.unwrap().id;
    north.admin.create(customer("Beta")).await.unwrap();
    north.admin.set_id(&id, "erp", "N-17").await.unwrap();
    acme.admin.set_id(&id, "erp", "P-17").await.unwrap();
    let below = |words: &str| pb::SearchCustomersRequest { include_descendants: true, ..query(words) };
    assert_eq!(names(&acme.admin, below("p-17")).await, ["Alpha"]);
    assert_eq!(names(&acme.admin, below("alpha p-17")).await, ["Alpha"]);
    assert_eq!(names(&north.admin, query("alpha n-17")).await, ["Alpha"]);
    for owner in [&acme, &south, &north] {
        acme.admin.transfer(&[&id], &owner.account).await.unwrap();
        assert_eq!(names(&acme.admin, below("p-17")).await, ["Alpha"]);
        assert_eq!(names(&acme.admin, below("alpha p-17")).await, ["Alpha"]);
        let is_own = owner.account == acme.account;
        assert_eq!(names(&acme.admin, query("p-17")).await.len(), usize::from(is_own));
        let is_norths = owner.account == north.account;
        assert_eq!(names(&north.admin, query("alpha n-17")).await.len(), usize::from(is_norths));
    }
}

/// The words of one token can be in different places, however long the query is.
#[tokio::test]
async fn a_word_with_punctuation_is_found_in_text_and_custom_id_together() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let id = north.admin.create(customer("Acme Holding Group")).await.unwrap().id;
    acme.admin.set_id(&id, "erp", "4711").await.unwrap();
    let below = |words: &str| pb::SearchCustomersRequest { include_descendants: true, ..query(words) };
    for words in [
        "acme-4711",
        "holding acme-4711",
        "group holding acme 4711",
        "holding group acme-4711",
        "group acme-4711 holding",
    ] {
        assert_eq!(names(&acme.admin, below(words)).await, ["Acme Holding Group"], "{words}");
    }
}

/// Old custom IDs have no limit, and what the index has of a customer does.
#[tokio::test]
async fn the_newest_custom_ids_of_very_many_are_found() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let id = acme.admin.create(customer("Alpha")).await.unwrap().id;
    acme.admin.set_id(&id, "erp", "K-1").await.unwrap();
    let mut sql = world.sql().await;
    let many = "update customer_search set id_lexemes = id_lexemes || array_to_tsvector(array(
                    select 'wold' || n from generate_series(1, 10000) n
                ))";
    sqlx::query(many).execute(&mut sql).await.unwrap();
    for (number, limit) in [("K-2", 5_010), ("K-3", 5_020)] {
        acme.admin.set_id(&id, "erp", number).await.unwrap();
        assert_eq!(names(&acme.admin, query(number)).await, ["Alpha"]);
        assert_eq!(names(&acme.admin, query("K-1")).await, ["Alpha"], "an old one");
        let kept: i32 =
            sqlx::query_scalar("select length(id_lexemes) from customer_search").fetch_one(&mut sql).await.unwrap();
        assert!(kept <= limit, "{kept}");
    }
}

#[tokio::test]
async fn an_account_between_provider_and_owner_finds_all_below_it() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let (leaf, deeper) = (north.child("leaf").await, north.child("leaf").await.child("deeper").await);
    for (account, name) in [(&acme, "Ada"), (&north, "Bob"), (&leaf, "Cid"), (&deeper, "Dan"), (&south, "Eve")] {
        account.admin.create(customer(name)).await.unwrap();
        account.admin.create(customer(&format!("{name} Ltd"))).await.unwrap();
    }
    let below = |words: &str| pb::SearchCustomersRequest { include_descendants: true, ..query(words) };
    assert_eq!(names(&north.admin, below("ltd")).await, ["Bob Ltd", "Cid Ltd", "Dan Ltd"]);
    let all = ["Bob", "Bob Ltd", "Cid", "Cid Ltd", "Dan", "Dan Ltd"];
    assert_eq!(names(&north.admin, below("")).await, all);
    let by_time = pb::SearchCustomersRequest { order_by: "create_time".to_owned(), ..below("") };
    assert_eq!(names(&north.admin, by_time).await, all);
    let moved = acme.admin.create(customer("Fay Ltd")).await.unwrap().id;
    acme.admin.transfer(&[&moved], &deeper.account).await.unwrap();
    assert_eq!(names(&north.admin, below("ltd")).await, ["Bob Ltd", "Cid Ltd", "Dan Ltd", "Fay Ltd"]);
    assert!(names(&south.admin, below("fay")).await.is_empty());
}
