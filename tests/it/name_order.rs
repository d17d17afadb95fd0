//! Lists by name: the Unicode root collation, in customers, tags and branches, on one page and across pages; and the keys that
//! `clientele migrate` computes.

use clientele::{domain::values::sort_key::SortKey, grpc::pb, store::migrations};
use sqlx::PgConnection;

use crate::{
    create_branch::branch,
    create_tag::create,
    search_customers::query,
    world::{Client, World, customer},
};

/// Names in order, by what people expect of a list: symbols, digits, letters whatever their accents, other scripts.
const SORTED: [&str; 26] = [
    "—", "1st", "42", "7", "Adam", "ægir", "Anna", "cat", "Çelik", "Cem", "Eda", "Édouard", "Ee", "Lada", "Łania",
    "Lb", "Oa", "Öb", "Oc", "Z", "þórr", "Ωmega", "Яна", "가", "あ", "田中",
];

/// The same names in an order that no key has.
fn mixed() -> impl Iterator<Item = &'static str> {
    (0..SORTED.len()).map(|at| SORTED[at * 7 % SORTED.len()])
}

/// Three names with one sort key, because it is cut, in the order in which they are created.
fn tied() -> Vec<String> {
    let names: Vec<String> = ["c", "a", "b"].iter().map(|end| "\u{fdfa}".repeat(30) + end).collect();
    assert!(names.iter().all(|name| SortKey::of(name) == SortKey::of(&names[0])));
    names
}

/// All pages of customers.
async fn customers(client: &Client, order_by: &str, size: i32) -> Vec<String> {
    let mut request = pb::SearchCustomersRequest {
        order_by: order_by.to_owned(),
        page_size: size,
        include_descendants: true,
        ..query("")
    };
    let mut names = Vec::new();
    loop {
        let page = client.customers().search_customers(request.clone()).await.unwrap().into_inner();
        names.extend(page.results.into_iter().map(|result| result.customer.unwrap().name));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return names;
        }
    }
}

/// All pages of the catalogue.
async fn tags(client: &Client, size: i32) -> Vec<String> {
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListTagsRequest { page_size: size, page_token };
        let page = client.tags().list_tags(request).await.unwrap().into_inner();
        names.extend(page.tags.into_iter().map(|used| used.tag.unwrap().name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return names;
        }
    }
}

/// All pages of branches.
async fn branches(client: &Client, size: i32) -> Vec<String> {
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListBranchesRequest { page_size: size, page_token, ..Default::default() };
        let page = client.accounts().list_branches(request).await.unwrap().into_inner();
        names.extend(page.branches.into_iter().map(|branch| branch.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return names;
        }
    }
}

#[tokio::test]
async fn customers_are_listed_by_the_root_collation_and_then_by_id() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    for (at, name) in mixed().enumerate() {
        // Lists of one account, of those below it, and of FLEET customers of the one above.
        let reach = if at % 2 == 0 { pb::Reach::Fleet } else { pb::Reach::Local };
        let owner = if at % 2 == 0 { &acme } else { &north };
        owner.admin.create(pb::Customer { reach: reach.into(), ..customer(name) }).await.unwrap();
    }
    for client in [&acme.admin, &north.admin] {
        for size in [1, 4, 1_000] {
            assert_eq!(customers(client, "name", size).await, SORTED, "pages of {size}");
            assert_eq!(customers(client, "", size).await, SORTED, "pages of {size}");
        }
        let mut turned = SORTED;
        turned.reverse();
        assert_eq!(customers(client, "name desc", 4).await, turned);
    }
    // A new name has a new place.
    let made = acme.admin.create(customer("Zeeland")).await.unwrap();
    acme.admin.update(pb::Customer { id: made.id, ..customer("Élan") }, &["name"]).await.unwrap();
    let names = customers(&acme.admin, "name", 1_000).await;
    assert_eq!(names[11..=14], ["Édouard", "Ee", "Élan", "Lada"]);

    let globex = world.tenant("globex").await;
    for name in tied() {
        globex.admin.create(customer(&name)).await.unwrap();
    }
    for size in [1, 2, 3] {
        assert_eq!(customers(&globex.admin, "name", size).await, tied(), "pages of {size}");
    }
}

#[tokio::test]
async fn names_that_start_with_the_query_are_sorted_by_name_too() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for name in ["Olafsen zoo", "Öland", "Olav", "Oland", "Zoo Öland", "Zoo Olav"] {
        acme.admin.create(customer(name)).await.unwrap();
    }
    let mut request = pb::SearchCustomersRequest { page_size: 1, ..query("ola") };
    let mut names = Vec::new();
    loop {
        let page = acme.admin.customers().search_customers(request.clone()).await.unwrap().into_inner();
        names.extend(page.results.into_iter().map(|result| result.customer.unwrap().name));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["Olafsen zoo", "Oland", "Öland", "Olav", "Zoo Öland", "Zoo Olav"]);
}

#[tokio::test]
async fn tags_are_listed_by_the_root_collation_in_the_catalogue_and_on_customers() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    for name in mixed() {
        create(&acme.admin, name).await.unwrap();
    }
    for size in [1, 4, 1_000] {
        assert_eq!(tags(&acme.admin, size).await, SORTED, "pages of {size}");
    }
    // Put on in another order, by the owner and, with tags of its own, by an account below it.
    let fleet = pb::Customer { id: ada.id.clone(), reach: pb::Reach::Fleet.into(), ..customer("Ada") };
    acme.admin.update(fleet, &["reach"]).await.unwrap();
    let north = acme.child("north").await;
    let all: Vec<&str> = mixed().collect();
    for account in [&acme, &north] {
        account.admin.tag(&[&ada.id], &all[..9], &[]).await.unwrap();
        account.admin.tag(&[&ada.id], &all[9..], &[]).await.unwrap();
        let shown: Vec<String> =
            account.admin.get(&ada.id).await.unwrap().tags.into_iter().map(|tag| tag.name).collect();
        assert_eq!(shown, SORTED);
    }
    assert_eq!(tags(&north.admin, 4).await, SORTED, "those that putting them on created");
    // A new name has a new place.
    let zulu = create(&acme.admin, "zulu").await.unwrap();
    let renamed = pb::RenameTagRequest { tag_id: zulu.id, name: "Élan".to_owned(), ..Default::default() };
    acme.admin.tags().rename_tag(renamed).await.unwrap();
    assert_eq!(tags(&acme.admin, 1_000).await[11..=14], ["Édouard", "Ee", "Élan", "Lada"]);

    let globex = world.tenant("globex").await;
    for name in tied() {
        create(&globex.admin, &name).await.unwrap();
    }
    for size in [1, 2, 3] {
        assert_eq!(tags(&globex.admin, size).await, tied(), "pages of {size}");
    }
}

#[tokio::test]
async fn tags_that_a_migration_copies_are_listed_like_the_others() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let all: Vec<&str> = mixed().collect();
    acme.admin.tag(&[&ada.id], &all, &[]).await.unwrap();
    let migrating = pb::MigrateCustomerToResellerRequest {
        copy_tags: true,
        ..crate::migrate_customer_to_reseller::migrating(&ada.id)
    };
    crate::migrate_customer_to_reseller::migrate(&acme.admin, &migrating).await.unwrap();
    let account = acme.admin.get(&ada.id).await.unwrap().reseller_account_id;
    let reseller = acme.admin.acting_in(&account);
    assert_eq!(tags(&reseller, 4).await, SORTED);
}

#[tokio::test]
async fn branches_are_listed_by_the_root_collation_and_then_by_id() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for name in mixed() {
        branch(&acme.admin, name, false).await.unwrap();
    }
    for size in [1, 4, 1_000] {
        assert_eq!(branches(&acme.admin, size).await, SORTED, "pages of {size}");
    }
    let zulu = branch(&acme.admin, "zulu", false).await.unwrap();
    let renamed = pb::Branch { name: "Élan".to_owned(), ..zulu };
    crate::update_branch::update(&acme.admin, &renamed, &["name"]).await.unwrap();
    assert_eq!(branches(&acme.admin, 1_000).await[11..=14], ["Édouard", "Ee", "Élan", "Lada"]);

    let north = acme.child("north").await;
    for name in tied() {
        branch(&north.admin, &name, false).await.unwrap();
    }
    for size in [1, 2, 3] {
        assert_eq!(branches(&north.admin, size).await, tied(), "pages of {size}");
    }
}

/// The stored keys of all names.
async fn keys(sql: &mut PgConnection) -> Vec<(String, String, Vec<u8>)> {
    let keys = "select 'customers', name, name_sort from customers
                union all select 'tags', name, name_sort from tags
                union all select 'branches', name, name_sort from branches
                order by 1, 2";
    sqlx::query_as(keys).fetch_all(sql).await.unwrap()
}

/// Writes a key into every row of the tables with names.
async fn overwrite(sql: &mut PgConnection, key: &str) {
    for table in ["customers", "tags", "branches"] {
        let update = format!("update {table} set name_sort = {key}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(update)).execute(&mut *sql).await.unwrap();
    }
}

#[tokio::test]
async fn a_migration_computes_keys_that_are_missing_and_all_of_an_older_version() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for name in mixed() {
        acme.admin.create(customer(name)).await.unwrap();
        create(&acme.admin, name).await.unwrap();
        branch(&acme.admin, name, false).await.unwrap();
    }
    let mut sql = world.sql().await;
    let computed = keys(&mut sql).await;
    assert!(computed.iter().all(|(_, name, key)| SortKey::of(name).as_bytes() == key), "{computed:?}");

    // As an older release leaves them: they come first, and pages show each once.
    overwrite(&mut sql, "case when name < 'M' then '' else name_sort end").await;
    for mut listed in
        [customers(&acme.admin, "name", 3).await, tags(&acme.admin, 3).await, branches(&acme.admin, 3).await]
    {
        assert_ne!(listed, SORTED);
        listed.sort_by_key(|name| SortKey::of(name));
        assert_eq!(listed, SORTED);
    }
    migrations::migrate(&world.database, || ()).await.unwrap();
    assert_eq!(keys(&mut sql).await, computed);

    // Keys of this version are not read again.
    overwrite(&mut sql, r"'\x42'").await;
    migrations::migrate(&world.database, || ()).await.unwrap();
    assert!(keys(&mut sql).await.iter().all(|(_, _, key)| key == b"\x42"));
    // Those of an older one are.
    sqlx::query("update computed_keys set version = version - 1").execute(&mut sql).await.unwrap();
    migrations::migrate(&world.database, || ()).await.unwrap();
    assert_eq!(keys(&mut sql).await, computed);
    let version: i32 = sqlx::query_scalar("select version from computed_keys where key = 'name_sort'")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!(version, SortKey::VERSION);
}
