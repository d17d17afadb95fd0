//! The one statement that is put together: a search. What it is for many requests is read from PostgreSQL's log.

use std::collections::BTreeSet;

use clientele::{embedded::Durability, grpc::pb};
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

use super::{checker::unrestricted, statements, tables};
use crate::{
    search_naive, search_samples,
    world::{Client, World, cluster, customer, database_in, full_customer},
};

const SEARCHES: usize = 300;

/// The statements in a log of `log_statement = 'all'`: all lines but a statement's first begin with a tab.
fn logged(log: &str) -> BTreeSet<String> {
    let mut all = Vec::<String>::new();
    let mut inside = false;
    for line in log.lines() {
        match line.strip_prefix('\t') {
            Some(more) if inside => *all.last_mut().unwrap() += &format!("\n{more}"),
            Some(_) => {}
            None => {
                let statement = line.split_once("LOG:  execute ").and_then(|(_, execute)| execute.split_once(": "));
                inside = statement.is_some();
                all.extend(statement.map(|(_, text)| text.to_owned()));
            }
        }
    }
    all.into_iter().collect()
}

/// Searches, and reads the next page, so that the statement has a place to go on behind.
async fn search(client: &Client, mut request: pb::SearchCustomersRequest) {
    for page_size in [1, 50] {
        request.page_size = page_size;
        let found = client.customers().search_customers(request.clone()).await.unwrap().into_inner();
        request.page_token = found.next_page_token;
        if request.page_token.is_empty() {
            return;
        }
    }
}

#[tokio::test]
async fn every_search_restricts_every_table_of_the_tenants_to_one_tenant() {
    let cluster = cluster(Durability::Fast).await;
    let database = database_in(&cluster, "file_copy").await;
    let log_all = database.clone().options([("log_statement", "all")]);
    let world = World::start_with(database, |config| config.database.options = log_all.into()).await;
    let provider = world.tenant("provider").await;
    let reseller = provider.child("reseller").await;
    for seat in [&provider, &reseller] {
        let branch_id = seat.branch("North").await;
        let sales_person_id = seat.add("sales", pb::Role::Member).await.member_id;
        let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), branch_id, sales_person_id, ..full_customer("Ada") };
        let ids = [seat.admin.create(fleet).await.unwrap().id, seat.admin.create(customer("Adam")).await.unwrap().id];
        seat.admin.tag(&[&ids[0], &ids[1]], &["vip", "café"], &[]).await.unwrap();
    }

    let rows = search_naive::rows(&mut world.sql().await).await;
    let narrowed = reseller.admin.narrowed_to(&rows[0].id.to_string());
    let mut runner = TestRunner::deterministic();
    let requests = search_samples::request(rows);
    for count in 0..SEARCHES {
        let mut request = requests.new_tree(&mut runner).unwrap().current();
        request.include_total_size = count % 2 == 0;
        // Filters leave little to find, and then there is no second page.
        if count % 3 == 0 {
            let pb::SearchCustomersRequest { query, order_by, include_descendants, include_total_size, .. } = request;
            request = pb::SearchCustomersRequest {
                query,
                order_by,
                include_descendants,
                include_total_size,
                ..Default::default()
            };
        }
        search([&provider.admin, &reseller.admin, &narrowed][count % 3], request).await;
    }

    let log = std::fs::read_to_string(cluster.socket_dir().join("postgres.log")).unwrap();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let checked: BTreeSet<Vec<String>> = statements().iter().map(|statement| words(statement)).collect();
    let tables = tables().await;
    let mut searches = 0;
    for statement in logged(&log).iter().filter(|statement| !checked.contains(&words(statement))) {
        assert_eq!(unrestricted(statement, &tables, &[]), Ok(Vec::new()), "{statement}");
        searches += usize::from(statement.contains("from customers"));
    }
    assert!(searches > SEARCHES / 2, "{searches}");
    cluster.stop().await.unwrap();
}
