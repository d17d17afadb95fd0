//! The rows of a customer in every table after a move to another account, compared with the column "migrate, transfer"
//! of the table in migrations/README.md.

use std::collections::BTreeMap;

use crate::{
    architecture::classified,
    billing::{activate, create_feature, feature},
    custom_ids::fleet,
    migrate_customer_to_reseller::{migrate, migrating},
    payment_methods::{add, adding},
    world::{World, customer, full_customer, request_id},
};
use clientele::grpc::pb;

/// Every row of a customer, by table, as JSON, without what the keys of the indexes of searches are made with.
async fn rows_of(world: &World, customer: &str) -> BTreeMap<String, Vec<serde_json::Value>> {
    let mut sql = world.sql().await;
    let tables = "select table_name::text from information_schema.columns
                  where table_schema = 'public' and column_name = 'customer_id' order by 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut sql).await.unwrap();
    let mut all = BTreeMap::new();
    for table in tables {
        let without = match table.as_str() {
            "customer_search" => "'{account_id, ancestors, id_lexemes}'::text[]",
            "custom_ids" => "'elsewhere'",
            _ => "''",
        };
        let rows = format!(
            "select to_jsonb(t) - {without} from {table} t where customer_id = $1::uuid order by t::text collate \"C\""
        );
        let rows = match table.as_str() {
            // Its rows are the keys for each account on the path.
            "duplicate_keys" => {
                "select distinct to_jsonb(t) - 'account_id' from duplicate_keys t where customer_id = $1::uuid"
                    .to_owned()
            }
            _ => rows,
        };
        let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).bind(customer).fetch_all(&mut sql).await.unwrap();
        all.insert(table, rows);
    }
    all
}

/// A text in the README's cell of a table; the number of rows that a transfer adds, that a migration copies for the new
/// account, and that a migration adds besides.
struct Expected {
    table: &'static str,
    says: &'static str,
    moved: usize,
    copied: usize,
    migrated: usize,
}

/// For a customer with two custom IDs, an alias and one tag of the former owner, and a feature that costs nothing.
const EXPECTED: [Expected; 10] = [
    Expected { table: "custom_ids", says: "a migration copies them", moved: 0, copied: 2, migrated: 0 },
    Expected { table: "customer_links", says: "stay with their account", moved: 0, copied: 1, migrated: 0 },
    Expected { table: "customer_search", says: "move with the customer", moved: 0, copied: 0, migrated: 0 },
    Expected { table: "customer_tags", says: "a migration copies them", moved: 0, copied: 1, migrated: 0 },
    Expected { table: "duplicate_keys", says: "move with the customer", moved: 0, copied: 0, migrated: 0 },
    Expected { table: "events", says: "move with the customer", moved: 1, copied: 2, migrated: 1 },
    Expected { table: "feature_uses", says: "move with the customer", moved: 0, copied: 0, migrated: 0 },
    Expected { table: "merge_images", says: "stay", moved: 0, copied: 0, migrated: 0 },
    Expected { table: "payment_methods", says: "move with the customer", moved: 0, copied: 0, migrated: 0 },
    Expected { table: "requests", says: "stay, and age out", moved: 0, copied: 0, migrated: 1 },
];

fn names(row: &serde_json::Value, account: &str) -> bool {
    row["account_id"] == account || row["audience"] == account
}

#[tokio::test]
async fn rows_move_stay_or_are_copied_as_the_readme_says() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let create = pb::CreateCustomerRequest {
        customer: Some(full_customer("Copaco")),
        request_id: request_id(),
        ..Default::default()
    };
    let made = north.admin.customers().create_customer(create).await.unwrap().into_inner().customer.unwrap();
    north.admin.tag(&[&made.id], &["vip"], &[]).await.unwrap();
    add(&north.admin, &adding(&made.id)).await.unwrap();
    north.admin.set_id(&made.id, "dms", "K-1").await.unwrap();
    north.admin.set_id(&made.id, "dms", "K-2").await.unwrap();
    acme.admin.set_id(&made.id, "erp", "P-1").await.unwrap();
    let twin = north.admin.create(customer("Twin")).await.unwrap().id;
    north.admin.merge(&made.id, &[&twin]).await.unwrap();
    create_feature(&acme.admin, feature("caller-id")).await.unwrap();
    activate(&north.admin, &made.id, "caller-id", 1).await.unwrap();
    let before = rows_of(&world, &made.id).await;
    let empty: Vec<&String> = before.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| table).collect();
    assert!(empty.is_empty(), "the customer has a row in every table: {empty:?}");

    acme.admin.transfer(&[&made.id], &south.account).await.unwrap();
    let transferred = rows_of(&world, &made.id).await;
    acme.admin.transfer(&[&made.id], &north.account).await.unwrap();
    let back = rows_of(&world, &made.id).await;
    let copying = pb::MigrateCustomerToResellerRequest {
        copy_tags: true,
        copy_custom_ids: true,
        request_id: request_id(),
        ..migrating(&made.id)
    };
    let reseller = migrate(&acme.admin, &copying).await.unwrap().customer.unwrap().account_id;
    let migrated = rows_of(&world, &made.id).await;

    let written = classified();
    assert!(written.keys().eq(before.keys()) && EXPECTED.iter().map(|expected| expected.table).eq(before.keys()));
    for Expected { table, says, moved, copied, migrated: added } in EXPECTED {
        let text = &written[table]["migrate, transfer"];
        assert!(text.contains(says), "{table}: {text:?} does not say {says:?}");
        let was = &before[table];
        for after in [&transferred, &migrated] {
            // No row is deleted or changed.
            assert!(was.iter().all(|row| after[table].contains(row)), "{table} ({text}): a row was deleted or changed");
        }
        assert_eq!(transferred[table].len() - was.len(), moved, "{table}: rows that a transfer adds");
        let new = migrated[table].iter().filter(|row| !back[table].contains(row));
        let (copies, others): (Vec<_>, Vec<_>) = new.partition(|row| names(row, &reseller));
        assert_eq!((copies.len(), others.len()), (copied, added), "{table}: copies and other rows of a migration");
    }
}

#[tokio::test]
async fn hidden_rows_are_kept_until_the_customer_returns() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let id = acme.admin.create(fleet("Shared")).await.unwrap().id;
    north.admin.tag(&[&id], &["vip"], &[]).await.unwrap();
    acme.admin.transfer(&[&id], &south.account).await.unwrap();
    let kept = rows_of(&world, &id).await;
    for table in ["customer_links", "customer_tags"] {
        assert_eq!(kept[table].iter().filter(|row| names(row, &north.account)).count(), 1, "{table}");
    }
}
