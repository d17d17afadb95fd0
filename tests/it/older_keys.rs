//! Rows whose keys an older release folded: `clientele migrate` brings them to today's rule and reports what collides.

use clientele::{
    grpc::pb,
    store::{
        keys::{Conflict, Rekeyed},
        migrations,
    },
};
use sqlx::{PgConnection, postgres::PgConnectOptions};
use tonic::Code;
use uuid::Uuid;

use crate::{
    create_branch::branch,
    create_tag::create as create_tag,
    custom_ids::with_custom_ids,
    processes::{clientele, output},
    update_branch,
    world::{TestAccount, World, assert_refused, customer, database, production, production_database},
};

async fn migrate(options: &PgConnectOptions) -> Rekeyed {
    migrations::migrate(options, || ()).await.unwrap().keys
}

/// An account whose customers have unique names.
async fn unique(world: &World) -> TestAccount {
    world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await
}

/// Makes it a database that was never brought to today's rule.
async fn forget(sql: &mut PgConnection) {
    sqlx::query("delete from derived_texts").execute(sql).await.unwrap();
}

/// Renames a row of `customers`, `tags` or `branches` as an older release does.
async fn rename(sql: &mut PgConnection, table: &str, id: &str, name: &str) {
    let statement = format!("update {table} set name = $2, name_key = lower($2) where id = $1");
    let id = Uuid::parse_str(id).unwrap();
    let done = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).bind(name).execute(sql).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

/// Writes a custom ID as an older release does.
async fn renumber(sql: &mut PgConnection, customer: &str, from: &str, to: &str) {
    let statement = "update custom_ids set value = $3, value_key = lower($3) where customer_id = $1 and value = $2";
    let id = Uuid::parse_str(customer).unwrap();
    let done = sqlx::query(statement).bind(id).bind(from).bind(to).execute(sql).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

async fn keys(sql: &mut PgConnection, table: &str) -> Vec<String> {
    let keys = if table == "custom_ids" { "value_key" } else { "name_key" };
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select {keys} from {table} order by 1")))
        .fetch_all(sql)
        .await
        .unwrap()
}

fn conflict(account: &TestAccount, table: &'static str, row: &str, holder: &str) -> Conflict {
    let id = |id: &str| Uuid::parse_str(id).unwrap();
    Conflict { tenant: id(&account.tenant), table, row: id(row), holder: id(holder) }
}

#[tokio::test]
async fn a_new_database_has_nothing_to_do() {
    let options = database().await;
    for _ in 0..2 {
        assert_eq!(migrate(&options).await, Rekeyed::default());
    }
}

#[tokio::test]
async fn keys_of_older_rows_get_todays_folding() {
    let world = World::start().await;
    let acme = unique(&world).await;
    let brien = acme.admin.create(with_custom_ids("One", &[("erp", "1")])).await.unwrap();
    let dash = acme.admin.create(customer("Two")).await.unwrap();
    let plain = acme.admin.create(customer("Plain Name")).await.unwrap();
    let tag = create_tag(&acme.admin, "tag").await.unwrap();
    let harbour = branch(&acme.admin, "Harbour", false).await.unwrap();
    let mut sql = world.sql().await;
    rename(&mut sql, "customers", &brien.id, "O’Brien").await;
    rename(&mut sql, "customers", &dash.id, "Smit – Zonen").await;
    rename(&mut sql, "tags", &tag.id, "KIŞ").await;
    rename(&mut sql, "branches", &harbour.id, "D’Arcy").await;
    renumber(&mut sql, &brien.id, "1", "A–1").await;
    forget(&mut sql).await;
    let revisions = "select string_agg(concat_ws(' ', id, revision, updated_at), ',' order by id) from customers";
    let before: String = sqlx::query_scalar(revisions).fetch_one(&mut sql).await.unwrap();
    assert_refused(acme.admin.lookup("A-1", "").await, Code::NotFound, "CUSTOMER_NOT_FOUND");

    let rekeyed = migrate(&world.database).await;

    assert_eq!((rekeyed.changed, rekeyed.conflicts), (4, 0), "the tag's key was right");
    assert_eq!(keys(&mut sql, "customers").await, ["o'brien", "plain name", "smit - zonen"]);
    assert_eq!(keys(&mut sql, "tags").await, ["kiş"]);
    assert_eq!(keys(&mut sql, "branches").await, ["d'arcy"]);
    assert_eq!(keys(&mut sql, "custom_ids").await, ["a-1"]);
    let after: String = sqlx::query_scalar(revisions).fetch_one(&mut sql).await.unwrap();
    assert_eq!(after, before, "nothing that a client sees has changed");
    assert_refused(acme.admin.create(customer("O'BRIEN")).await, Code::AlreadyExists, "NAME_TAKEN");
    let found = acme.admin.lookup("a-1", "").await.unwrap();
    assert_eq!((found.0, acme.admin.get(&plain.id).await.unwrap().name.as_str()), (brien.id, "Plain Name"));
    assert_eq!(migrate(&world.database).await, Rekeyed::default());
}

#[tokio::test]
async fn rows_that_are_the_same_by_the_new_rule_are_reported_and_keep_working() {
    let world = World::start().await;
    let acme = unique(&world).await;
    let north = acme.child("north").await;
    let mut sql = world.sql().await;
    let (first, second) =
        (north.admin.create(customer("O'Brien")).await.unwrap(), acme.admin.create(customer("B")).await.unwrap());
    let (one, other) = (
        acme.admin.create(with_custom_ids("C", &[("erp", "A-1")])).await.unwrap(),
        acme.admin.create(with_custom_ids("D", &[("erp", "2")])).await.unwrap(),
    );
    let (tag, same_tag) =
        (create_tag(&acme.admin, "vip-1").await.unwrap(), create_tag(&acme.admin, "t").await.unwrap());
    let (harbour, same_harbour) =
        (branch(&acme.admin, "Quay-1", false).await.unwrap(), branch(&acme.admin, "h", false).await.unwrap());
    rename(&mut sql, "customers", &second.id, "O’Brien").await;
    renumber(&mut sql, &other.id, "2", "A–1").await;
    rename(&mut sql, "tags", &same_tag.id, "vip–1").await;
    rename(&mut sql, "branches", &same_harbour.id, "Quay–1").await;
    // In another scope the same names are not taken.
    create_tag(&north.admin, "vip-1").await.unwrap();
    // More than one batch writes at once, of which one row is taken.
    for number in 0..5 {
        let made = acme.admin.create(customer(&format!("Free {number}"))).await.unwrap();
        rename(&mut sql, "customers", &made.id, &format!("Free’{number}")).await;
    }
    forget(&mut sql).await;

    let rekeyed = migrate(&world.database).await;

    assert_eq!((rekeyed.changed, rekeyed.conflicts), (5, 4), "{rekeyed:?}");
    let expected = [
        conflict(&acme, "customers", &second.id, &first.id),
        conflict(&acme, "tags", &same_tag.id, &tag.id),
        conflict(&acme, "branches", &same_harbour.id, &harbour.id),
        conflict(&acme, "custom_ids", &other.id, &one.id),
    ];
    assert_eq!(rekeyed.listed, expected);
    assert!(keys(&mut sql, "customers").await.contains(&"o’brien".to_owned()));
    assert_eq!(
        expected[0].to_string(),
        format!(
            "tenant {}, customers: {} keeps its old key, because {} has the new one",
            acme.tenant, second.id, first.id
        )
    );
    // Everything but the name can be changed, and the name to one that is free.
    let mut changed = acme.admin.get(&second.id).await.unwrap();
    changed.email = "b@example.com".to_owned();
    changed = acme.admin.update(changed, &["name", "email"]).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.email.as_str()), ("O’Brien", "b@example.com"));
    let integrated = pb::Branch { name: "Quay–1".to_owned(), dms_integrated: true, ..same_harbour };
    update_branch::update(&acme.admin, &integrated, &["dms_integrated"]).await.unwrap();
    assert_eq!(migrate(&world.database).await.listed, expected, "as long as they collide");
    let renamed = pb::Customer { id: second.id.clone(), ..customer("O’Brien 2") };
    acme.admin.update(renamed, &["name"]).await.unwrap();
    assert_eq!(migrate(&world.database).await.listed, expected[1..]);
}

#[tokio::test]
async fn the_command_prints_the_pairs_by_their_ids_alone() {
    let options = production_database().await;
    let world = World::start_with(options.clone(), |_| ()).await;
    let acme = unique(&world).await;
    let (first, second) =
        (acme.admin.create(customer("O'Brien")).await.unwrap(), acme.admin.create(customer("B")).await.unwrap());
    let mut sql = world.sql().await;
    rename(&mut sql, "customers", &second.id, "O’Brien").await;
    let third = acme.admin.create(customer("C")).await.unwrap();
    rename(&mut sql, "customers", &third.id, "D’Arcy").await;
    forget(&mut sql).await;

    let url = production().await.url(options.get_database().unwrap());
    let printed = output(clientele(&["migrate", "--database-url", &url])).await;

    let stderr = String::from_utf8(printed.stderr).unwrap();
    assert!(printed.status.success(), "{stderr}");
    for line in [
        "1 keys of names and custom IDs brought to this program's rule".to_owned(),
        conflict(&acme, "customers", &second.id, &first.id).to_string(),
        "1 keys are taken by other rows".to_owned(),
    ] {
        assert!(stderr.lines().any(|printed| printed.starts_with(&line)), "{line}: {stderr}");
    }
    assert!(!stderr.contains("Brien"), "{stderr}");
}

#[tokio::test]
async fn of_two_spellings_that_one_customer_had_the_current_one_stays() {
    let world = World::start().await;
    let acme = unique(&world).await;
    let mut sql = world.sql().await;
    for (from, to) in [("A-1", "A–1"), ("B–1", "B-1")] {
        let made = acme.admin.create(with_custom_ids(from, &[("erp", "old")])).await.unwrap();
        acme.admin.set_id(&made.id, "erp", "new").await.unwrap();
        renumber(&mut sql, &made.id, "old", from).await;
        renumber(&mut sql, &made.id, "new", to).await;
    }
    forget(&mut sql).await;

    let rekeyed = migrate(&world.database).await;

    assert_eq!((rekeyed.changed, rekeyed.conflicts), (1, 0), "{rekeyed:?}");
    let kept = "select array[value, value_key] from custom_ids where is_current order by value";
    let kept: Vec<Vec<String>> = sqlx::query_scalar(kept).fetch_all(&mut sql).await.unwrap();
    assert_eq!(kept, [["A–1", "a-1"], ["B-1", "b-1"]]);
    assert_eq!(keys(&mut sql, "custom_ids").await, ["a-1", "b-1"], "no alias is left");
}

#[tokio::test]
async fn rows_of_old_replicas_are_found_by_a_later_run_and_then_none_is_looked_at() {
    let world = World::start().await;
    let acme = unique(&world).await;
    let made = acme.admin.create(customer("One")).await.unwrap();
    let mut sql = world.sql().await;
    forget(&mut sql).await;
    assert_eq!(migrate(&world.database).await, Rekeyed::default());
    for changed in [1, 1] {
        rename(&mut sql, "customers", &made.id, "O’Brien").await;
        assert_eq!(migrate(&world.database).await.changed, changed, "within the hour every run looks");
    }
    let age = "update derived_texts set derived_at = derived_at - interval '61 minutes'";
    sqlx::query(age).execute(&mut sql).await.unwrap();
    for changed in [1, 0] {
        rename(&mut sql, "customers", &made.id, "O’Brien").await;
        assert_eq!(migrate(&world.database).await.changed, changed, "the next run is the last one");
    }
}

#[tokio::test]
async fn a_newer_programs_keys_are_left_alone() {
    let world = World::start().await;
    let acme = unique(&world).await;
    let made = acme.admin.create(customer("One")).await.unwrap();
    let mut sql = world.sql().await;
    rename(&mut sql, "customers", &made.id, "O’Brien").await;
    let newer = "update derived_texts set version = version + 1, is_settled = false";
    sqlx::query(newer).execute(&mut sql).await.unwrap();
    assert_eq!(migrate(&world.database).await, Rekeyed::default());
    assert_eq!(keys(&mut sql, "customers").await, ["o’brien"]);
}
