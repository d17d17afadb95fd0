//! SearchCustomers: pages.

use std::collections::{BTreeMap, HashMap};

use clientele::grpc::pb;
use tonic::Code;
use uuid::Uuid;

use crate::{
    search_customers::{in_field, names, query, search},
    world::{Client, World, assert_refused, customer},
};

#[tokio::test]
async fn a_page_token_is_bound_to_its_search_and_account() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let child = acme.child("child").await;
    for name in ["Ada 1", "Ada 2", "Ada 3"] {
        acme.admin.create(customer(name)).await.unwrap();
    }
    let first = search(&acme.admin, pb::SearchCustomersRequest { page_size: 1, ..query("ada") }).await.unwrap();
    let token = first.next_page_token;
    let next =
        |request: pb::SearchCustomersRequest| pb::SearchCustomersRequest { page_token: token.clone(), ..request };
    let bigger = pb::SearchCustomersRequest { page_size: 9, view: 2, include_total_size: true, ..query("ADA") };
    assert_eq!(names(&acme.admin, next(bigger)).await, ["Ada 2", "Ada 3"]);
    for other in [
        query("adam"),
        query(""),
        in_field(pb::SearchField::Name, "ada"),
        pb::SearchCustomersRequest { include_descendants: true, ..query("ada") },
        pb::SearchCustomersRequest { order_by: "name".to_owned(), ..query("ada") },
        pb::SearchCustomersRequest { archived: pb::ArchivedFilter::Show.into(), ..query("ada") },
        pb::SearchCustomersRequest { statuses: vec![2], ..query("ada") },
    ] {
        let refused = search(&acme.admin, next(other)).await;
        assert_refused(refused, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    assert_refused(search(&child.admin, next(query("ada"))).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let forged = pb::SearchCustomersRequest { page_token: "x".repeat(60), ..query("ada") };
    assert_refused(search(&acme.admin, forged).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}

/// All pages of a search, one after the other.
async fn pages(client: &Client, mut request: pb::SearchCustomersRequest) -> Vec<pb::SearchCustomersResponse> {
    let mut pages = Vec::new();
    loop {
        let page = search(client, request.clone()).await.unwrap();
        request.page_token.clone_from(&page.next_page_token);
        pages.push(page);
        if request.page_token.is_empty() {
            return pages;
        }
    }
}

/// Copies of a customer, with names that end in a number.
async fn copies(world: &World, of: &str, count: i32) {
    let columns = "account_id, ancestors, revision, owner_link_revision, type, service_class, reach, status, origin,
                   profile, owner_custom_ids, created_at, updated_at, created_by, updated_by";
    let text = format!(
        "with copy as (
             insert into customers (tenant_id, id, name, name_key, name_sort, {columns})
             select tenant_id, gen_random_uuid(), name || ' ' || lpad(n::text, 5, '0'),
                    name_key || ' ' || lpad(n::text, 5, '0'), name_sort || int4send(n), {columns}
             from customers, generate_series(1, $2) n
             where id = $1
             returning tenant_id, id
         )
         insert into customer_search (tenant_id, customer_id, account_id, name, bucket, doc, country, lexemes, version)
         select copy.tenant_id, copy.id, account_id, name, bucket, doc, country, lexemes, version
         from copy cross join customer_search where customer_id = $1"
    );
    let copied = sqlx::query(sqlx::AssertSqlSafe(text)).bind(of.parse::<Uuid>().unwrap()).bind(count);
    copied.execute(&mut world.sql().await).await.unwrap();
}

#[tokio::test]
async fn totals_are_exact_to_a_thousand_and_then_a_lower_bound() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(customer("Many")).await.unwrap();
    copies(&world, &made.id, 999).await;
    let total = async |words: &str, page_size| {
        let asked = pb::SearchCustomersRequest { include_total_size: true, page_size, ..query(words) };
        let found = search(&acme.admin, asked).await.unwrap();
        (found.results.len(), found.total_size, found.total_size_is_at_least)
    };
    assert_eq!(total("many", 10).await, (10, 1_000, false));
    assert_eq!(total("", 5_000).await, (1_000, 1_000, false));
    assert_eq!(total("absent", 0).await, (0, 0, false));
    let unasked = search(&acme.admin, query("many")).await.unwrap();
    assert_eq!((unasked.results.len(), unasked.total_size), (50, 0));
    acme.admin.create(customer("Many more")).await.unwrap();
    assert_eq!(total("many", 10).await, (10, 1_000, true));
    assert_eq!(total("more", 10).await, (1, 1, false));
}

#[tokio::test]
async fn many_names_of_one_letter_come_page_by_page_in_their_order() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let site = acme.child("site").await;
    let made = acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Many") }).await.unwrap();
    copies(&world, &made.id, 300).await;
    // Below it, one has the same name, and some are of other letters.
    for name in ["Many", "Man", "Beyond many", "Zulu many"] {
        site.admin.create(customer(name)).await.unwrap();
    }
    let copies = (1..=300).map(|count| format!("Many {count:05}"));
    let own: Vec<String> = std::iter::once("Many".to_owned()).chain(copies).collect();
    let many = [&["Many".to_owned()][..], &own].concat();
    let [first, last] = ["Beyond many", "Zulu many"].map(|name| vec![name.to_owned()]);
    let turned = |names: &[String]| names.iter().rev().cloned().collect::<Vec<_>>();
    for (order_by, words, below, expected) in [
        ("", "many", false, own.clone()),
        ("", "man", false, own.clone()),
        ("name", "many", false, own.clone()),
        ("name desc", "many", false, turned(&own)),
        ("", "many", true, [many.clone(), first.clone(), last.clone()].concat()),
        ("name", "many", true, [first.clone(), many.clone(), last.clone()].concat()),
        ("name desc", "many", true, [turned(&last), turned(&many), turned(&first)].concat()),
    ] {
        let request = pb::SearchCustomersRequest {
            order_by: order_by.to_owned(),
            page_size: 70,
            include_descendants: below,
            ..query(words)
        };
        let pages = pages(&acme.admin, request).await.into_iter();
        let results = pages.flat_map(|page| page.results);
        let seen: Vec<String> = results.map(|result| result.customer.unwrap().name).collect();
        assert_eq!(seen, expected, "{words} by {order_by:?}");
    }
}

#[tokio::test]
async fn a_page_ends_before_it_is_larger_than_two_mebibytes() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let labels = (0..50).map(|key| (format!("key-{key}"), "x".repeat(500)));
    let made = acme.admin.create(pb::Customer { labels: labels.collect(), ..customer("Large") }).await.unwrap();
    copies(&world, &made.id, 119).await;
    let request = pb::SearchCustomersRequest { view: 2, page_size: 1_000, ..query("") };
    let (pages, mut found) = (pages(&acme.admin, request).await, BTreeMap::new());
    assert!(pages.len() > 1);
    for page in pages {
        assert!(prost::Message::encoded_len(&page) <= 2 * 1024 * 1024 + 1_000);
        for result in page.results {
            *found.entry(result.customer.unwrap().name).or_insert(0) += 1;
        }
    }
    assert_eq!(found.len(), 120);
    assert!(found.values().all(|times| *times == 1));
}

#[tokio::test]
async fn pages_show_each_untouched_customer_once_while_others_write() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let mut untouched = Vec::new();
    let mut touched = Vec::new();
    for count in 0..60 {
        let made = acme.admin.create(customer(&format!("Stay {count:02}"))).await.unwrap();
        untouched.push(made.id);
        touched.push(acme.admin.create(customer(&format!("Stay {count:02} moves"))).await.unwrap().id);
    }
    untouched.sort();
    for (order_by, words) in
        [("", "stay"), ("name", ""), ("name desc", "sta"), ("create_time", "stay"), ("update_time desc", "")]
    {
        let request = pb::SearchCustomersRequest { order_by: order_by.to_owned(), page_size: 7, ..query(words) };
        let (reading, mut seen) = (tokio::sync::watch::Sender::new(true), HashMap::new());
        let writer = tokio::spawn(write_on(acme.admin.clone(), touched.clone(), reading.subscribe()));
        for result in pages(&acme.admin, request).await.into_iter().flat_map(|page| page.results) {
            *seen.entry(result.customer.unwrap().id).or_insert(0) += 1;
        }
        reading.send_replace(false);
        assert!(writer.await.unwrap() > 0, "nothing was written meanwhile");
        for id in &untouched {
            assert_eq!(seen.get(id), Some(&1), "{order_by:?} {words:?}");
        }
    }
}

/// Inserts, renames, archives and unarchives until the reader stops. Returns the number of writes.
async fn write_on(client: Client, touched: Vec<String>, reading: tokio::sync::watch::Receiver<bool>) -> usize {
    let mut written = 0;
    for (count, id) in touched.iter().cycle().enumerate() {
        if !*reading.borrow() && count >= 4 {
            break;
        }
        match count % 4 {
            0 => drop(client.create(customer(&format!("Stay {:02} new", count % 60))).await.unwrap()),
            1 => {
                let renamed =
                    pb::Customer { id: id.clone(), ..customer(&format!("Stay {:02} moved", (count * 7) % 60)) };
                client.update(renamed, &["name"]).await.unwrap();
            }
            2 => drop(client.archive(&[id]).await.unwrap()),
            _ => drop(client.unarchive(&[id]).await.unwrap()),
        }
        written += 1;
    }
    written
}
