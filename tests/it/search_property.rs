//! SearchCustomers against the naive scan of `search_naive`: random customers in several accounts and scripts, random
//! searches, every page.

use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, TestRng, TestRunner},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    search_naive::{self, Place},
    search_samples::{NUMBERS, TAGS, customer, request},
    world::{Client, TestAccount, World},
};
use clientele::{grpc::pb, store::migrations};

const CUSTOMERS: usize = 200;
const SEARCHES: usize = 800;

/// A tree: the provider, two resellers, and one below the first.
struct Tree {
    seats: [TestAccount; 4],
}

impl Tree {
    fn place(&self, at: usize) -> Place {
        let above: &[usize] = match at {
            0 => &[],
            1 | 2 => &[0],
            _ => &[1, 0],
        };
        let id = |at: usize| self.seats[at].account.parse().unwrap();
        Place { account: id(at), above: above.iter().map(|at| id(*at)).collect(), narrowed: None }
    }
}

async fn plant(world: &World, runner: &mut TestRunner) -> Tree {
    let provider = world.tenant("provider").await;
    let (north, south) = (provider.child("north").await, provider.child("south").await);
    let branch_below = north.child("north-east").await;
    let tree = Tree { seats: [provider, north, south, branch_below] };
    let mut sql = world.sql().await;
    let mut members = Vec::new();
    for (at, test_account) in tree.seats.iter().enumerate() {
        members.push(test_account.add(&format!("sales-{at}"), pb::Role::Member).await.member_id);
    }
    let mut made: Vec<(usize, String)> = Vec::new();
    for count in 0..CUSTOMERS {
        let at = count % tree.seats.len();
        let mut wanted = draw(runner, &customer());
        if count % 5 == 0 {
            wanted.sales_person_id.clone_from(&members[at]);
        }
        if count % 3 == 0 {
            let value =
                draw(runner, &(select(&NUMBERS[..]), 0..40).prop_map(|(number, more)| format!("{number}{more}")));
            wanted.custom_ids = [("erp".to_owned(), format!("{value}.{count}"))].into();
        }
        made.push((at, tree.seats[at].admin.create(wanted).await.unwrap().id));
    }
    for (count, (at, id)) in made.iter().enumerate() {
        if count % 7 == 0 {
            tree.seats[*at].admin.archive(&[id]).await.unwrap();
        }
        if count % 11 == 0 {
            let suspend =
                pb::SuspendCustomerRequest { customer_id: id.clone(), reason: "late".to_owned(), ..Default::default() };
            tree.seats[*at].admin.customers().suspend_customer(suspend).await.unwrap();
        }
        if count % 13 == 0 {
            let renamed = pb::Customer { id: id.clone(), ..draw(runner, &customer()) };
            let paths = ["name", "legal_name", "primary_address", "email", "phone", "tax_ids"];
            tree.seats[*at].admin.update(renamed, &paths).await.unwrap();
        }
        // Every account that sees it may give it a custom ID and tags, privately.
        for (by, test_account) in tree.seats.iter().enumerate() {
            if (count + by) % 4 == 0 {
                keep(&mut sql, runner, test_account, id, count).await;
            }
        }
    }
    // The custom IDs were written without their words.
    sqlx::query("update customer_search set version = 0").execute(&mut sql).await.unwrap();
    migrations::migrate(&world.database, || ()).await.unwrap();
    // Some as an older release leaves them.
    let older = "update customer_search set name_sort = null where hashtext(customer_id::text) % 2 = 0";
    sqlx::query(older).execute(&mut sql).await.unwrap();
    tree
}

/// Writes an account's link to a customer, as the commands on links do.
async fn keep(
    sql: &mut PgConnection,
    runner: &mut TestRunner,
    test_account: &TestAccount,
    customer: &str,
    count: usize,
) {
    let (tenant, account): (Uuid, Uuid) = (test_account.tenant.parse().unwrap(), test_account.account.parse().unwrap());
    let customer: Uuid = customer.parse().unwrap();
    let tag = draw(runner, &select(&TAGS[..]));
    sqlx::query(
        "with tag as (
             insert into tags (tenant_id, id, account_id, name, name_key, created_at)
             values ($1, gen_random_uuid(), $2, $4, lower($4), now())
             on conflict (tenant_id, account_id, name_key) do update set name = excluded.name
             returning id
         )
         insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
         select $1, $3, $2, id from tag on conflict do nothing",
    )
    .bind(tenant)
    .bind(account)
    .bind(customer)
    .bind(tag)
    .execute(&mut *sql)
    .await
    .unwrap();
    // Few values, so that customers take values from each other; half of them are aliases.
    let (value, current) = draw(
        runner,
        &(select(&NUMBERS[..]), 0..9, any::<bool>())
            .prop_map(|(number, more, current)| (format!("{number}{more}"), current)),
    );
    let system = if count.is_multiple_of(2) { "dms" } else { "default" };
    let key = clientele::domain::values::key::Key::fold(&value);
    _ = sqlx::query(
        "insert into custom_ids (tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())",
    )
    .bind(tenant)
    .bind(account)
    .bind(system)
    .bind(key.as_str())
    .bind(customer)
    .bind(&value)
    .bind(current)
    .execute(&mut *sql)
    .await; // a value that another customer has is refused, as it should be
}

fn draw<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

/// All pages: ids with the fields that matched, and the total of each page.
async fn pages(client: &Client, request: &pb::SearchCustomersRequest) -> (Vec<(Uuid, Vec<i32>)>, Vec<i32>) {
    let (mut all, mut totals, mut request) = (Vec::new(), Vec::new(), request.clone());
    loop {
        let page = client.customers().search_customers(request.clone()).await.unwrap().into_inner();
        assert!(page.results.len() <= usize::try_from(request.page_size).unwrap());
        totals.push(page.total_size);
        assert!(!page.total_size_is_at_least);
        all.extend(
            page.results
                .into_iter()
                .map(|result| (result.customer.unwrap().id.parse().unwrap(), result.matched_fields)),
        );
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return (all, totals);
        }
    }
}

#[tokio::test]
async fn every_search_finds_what_a_scan_of_all_rows_finds_in_the_same_order() {
    let world = World::start().await;
    // The same customers and searches in every run, so that a failure repeats.
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let tree = plant(&world, &mut runner).await;
    let rows = search_naive::rows(&mut world.sql().await).await;
    assert_eq!(rows.len(), CUSTOMERS);
    let requests = request(rows.clone());
    let (mut hits, mut with_query) = (0, 0);
    for count in 0..SEARCHES {
        let at = count % tree.seats.len();
        let request = draw(&mut runner, &requests);
        // Half of them have only a query: with every filter there would be few results to compare.
        let request = if count % 2 == 0 { without_filters(request) } else { request };
        let place = tree.place(at);
        let expected = search_naive::search(&rows, &place, &request);
        let (found, totals) = pages(&tree.seats[at].admin, &request).await;
        assert_eq!(found, expected, "search {count} in account {at}: {request:?}");
        let total = i32::try_from(expected.len()).unwrap();
        assert!(totals.iter().all(|shown| *shown == total), "{totals:?}, not {total}: {request:?}");
        hits += expected.len();
        with_query += usize::from(!request.query.is_empty() && !expected.is_empty());
    }
    // The test is useful only if the searches find enough.
    assert!(hits > SEARCHES * 5 && with_query > SEARCHES / 5, "{hits} hits, {with_query} queries that find");
}

fn without_filters(request: pb::SearchCustomersRequest) -> pb::SearchCustomersRequest {
    let pb::SearchCustomersRequest { query, field, include_descendants, order_by, page_size, .. } = request;
    pb::SearchCustomersRequest {
        query,
        field,
        include_descendants,
        order_by,
        page_size,
        archived: pb::ArchivedFilter::Show.into(),
        include_total_size: true,
        ..Default::default()
    }
}
