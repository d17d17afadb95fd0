//! The keys by which duplicates are found: after changes, moves, and of rows that an older release wrote.

use clientele::{grpc::pb, store::migrations};
use sqlx::PgConnection;

use crate::{
    find_duplicate_customers::{found, of, with_email},
    world::{Client, World, customer, full_customer},
};

/// How many customers the account finds by an email address.
async fn by(client: &Client, email: &str) -> usize {
    found(&of(client, with_email("", email)).await.unwrap()).len()
}

/// All keys of a customer, with the accounts.
async fn keys(sql: &mut PgConnection) -> Vec<(String, String, i64)> {
    sqlx::query_as("select customer_id::text, account_id::text, key from duplicate_keys order by 1, 2, 3")
        .fetch_all(sql)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_change_is_compared_by_the_next_call() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(with_email("Ada", "a@b.example")).await.unwrap();
    let changed = pb::Customer { email: "c@b.example".to_owned(), ..made.clone() };
    acme.admin.update(changed, &["email"]).await.unwrap();
    assert_eq!((by(&acme.admin, "a@b.example").await, by(&acme.admin, "c@b.example").await), (0, 1));
    let renamed = pb::Customer { name: "Bob".to_owned(), ..made.clone() };
    acme.admin.update(renamed, &["name"]).await.unwrap();
    assert_eq!(found(&of(&acme.admin, customer("ada")).await.unwrap()), []);
    assert_eq!(found(&of(&acme.admin, customer("bob")).await.unwrap()).len(), 1);
    // What is not compared writes no key.
    let mut sql = world.sql().await;
    let before = keys(&mut sql).await;
    let changed = pb::Customer { currency: "EUR".to_owned(), ..made };
    acme.admin.update(changed, &["currency"]).await.unwrap();
    assert_eq!(keys(&mut sql).await, before);
    let only = pb::CreateCustomerRequest {
        customer: Some(with_email("Ghost", "ghost@b.example")),
        validate_only: true,
        ..Default::default()
    };
    acme.admin.customers().create_customer(only).await.unwrap();
    assert_eq!(keys(&mut sql).await, before);
}

#[tokio::test]
async fn keys_move_with_their_customer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let site = south.child("site").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..full_customer("Copaco") };
    let made = north.admin.create(fleet).await.unwrap();
    let mut sql = world.sql().await;
    let before = keys(&mut sql).await;
    let email = made.email.as_str();
    let sees = async || {
        let mut all = Vec::new();
        for client in [&acme.admin, &north.admin, &south.admin, &site.admin] {
            all.push(by(client, email).await);
        }
        all
    };
    assert_eq!(sees().await, [1, 1, 0, 0]);
    acme.admin.transfer(&[&made.id], &south.account).await.unwrap();
    assert_eq!(sees().await, [1, 0, 1, 1], "site sees it because it is FLEET");
    acme.admin.transfer(&[&made.id], &site.account).await.unwrap();
    assert_eq!(sees().await, [1, 0, 1, 1]);
    acme.admin.transfer(&[&made.id], &acme.account).await.unwrap();
    assert_eq!(sees().await, [1, 1, 1, 1]);
    acme.admin.transfer(&[&made.id], &north.account).await.unwrap();
    assert_eq!(keys(&mut sql).await, before, "back where it was");
    let local = north.admin.create(with_email("Ada", "ada@b.example")).await.unwrap().id;
    north.admin.approve(&local).await.unwrap();
    let reseller = north.admin.migrate(&local).await.unwrap().customer.unwrap().account_id;
    for client in [&acme.admin, &north.admin, &north.admin.acting_in(&reseller)] {
        assert_eq!(by(client, "ada@b.example").await, 1);
    }
}

#[tokio::test]
async fn customers_of_an_older_release_are_found_after_the_migration() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let other = world.tenant("other").await;
    for test_account in [&acme, &north, &other] {
        let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..full_customer(&test_account.account) };
        test_account.admin.create(fleet).await.unwrap();
        test_account.admin.create(with_email("Ada", "a@b.example")).await.unwrap();
    }
    let mut sql = world.sql().await;
    let all = keys(&mut sql).await;
    assert!(all.len() > 20, "{}", all.len());
    // An older release wrote one customer without keys, changed another one, and moved a third.
    for older in [
        "delete from duplicate_keys where customer_id in (select id from customers where name = 'Ada')",
        "update duplicate_keys set key = key + 16 where key & 7 = 2 and customer_id in (select id from customers where name <> 'Ada')",
        "update duplicate_keys set account_id = gen_random_uuid() where account_id <> tenant_id",
    ] {
        sqlx::raw_sql(older).execute(&mut sql).await.unwrap();
    }
    assert_eq!(by(&north.admin, "a@b.example").await, 0);
    sqlx::raw_sql("delete from derived_texts").execute(&mut sql).await.unwrap();
    migrations::migrate(&world.database, || ()).await.unwrap();
    assert_eq!(keys(&mut sql).await, all);
    assert_eq!(by(&north.admin, "a@b.example").await, 1);
    // The next run looks again, because the older release may still write; an hour later it does not.
    sqlx::raw_sql("delete from duplicate_keys").execute(&mut sql).await.unwrap();
    migrations::migrate(&world.database, || ()).await.unwrap();
    assert_eq!(keys(&mut sql).await, all);
    let hour = "update derived_texts set derived_at = derived_at - interval '61 minutes'";
    sqlx::raw_sql(hour).execute(&mut sql).await.unwrap();
    migrations::migrate(&world.database, || ()).await.unwrap();
    sqlx::raw_sql("delete from duplicate_keys").execute(&mut sql).await.unwrap();
    migrations::migrate(&world.database, || ()).await.unwrap();
    assert_eq!(keys(&mut sql).await, []);
}
