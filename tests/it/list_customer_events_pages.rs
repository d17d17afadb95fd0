//! ListCustomerEvents: pages.

use std::collections::BTreeSet;

use prost::Message as _;
use tonic::{Code, Status};

use crate::{
    list_customer_events::types,
    world::{Client, World, assert_refused, bad_fields, customer},
};
use clientele::grpc::pb::{self, CustomerEventType as Type};

async fn page(client: &Client, id: &str, size: i32, token: &str) -> Result<pb::ListCustomerEventsResponse, Status> {
    let request = pb::ListCustomerEventsRequest {
        customer_id: id.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
        types: Vec::new(),
    };
    Ok(client.history().list_customer_events(request).await?.into_inner())
}

/// Adds so many events to the customer: copies of its last event, the newest last.
pub async fn copy_events(world: &World, id: &str, count: i32) {
    let copy = r"
        insert into events
        select copy.*
        from events e, generate_series(1, $2) as n,
             lateral jsonb_populate_record(
                 e, jsonb_build_object('id', gen_random_uuid(), 'seq', nextval('events_seq'), 'n', n)
             ) as copy
        where e.customer_id = $1 and e.seq = (select max(seq) from events where customer_id = $1)
    ";
    let id = uuid::Uuid::parse_str(id).unwrap();
    sqlx::query(copy).bind(id).bind(count).execute(&mut world.sql().await).await.unwrap();
}

/// The events of all pages, with at most `size` on a page.
async fn walk(client: &Client, id: &str, size: i32) -> Vec<pb::CustomerEvent> {
    let (mut events, mut token) = (Vec::new(), String::new());
    loop {
        let page = page(client, id, size, &token).await.unwrap();
        assert!(page.events.len() <= usize::try_from(size).unwrap());
        events.extend(page.events);
        token = page.next_page_token;
        if token.is_empty() {
            return events;
        }
    }
}

#[tokio::test]
async fn pages_of_any_size_list_the_same() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let only = page(&acme.admin, &ada.id, 1, "").await.unwrap();
    assert_eq!((only.events.len(), only.next_page_token.as_str()), (1, ""), "the last page has no token");
    copy_events(&world, &ada.id, 6).await;
    let all = acme.admin.events(&ada.id).await.unwrap();
    assert_eq!(all.len(), 7);

    for size in [1, 2, 3, 7, 8] {
        assert_eq!(walk(&acme.admin, &ada.id, size).await, all, "{size}");
    }
    // A token is not bound to the page size.
    let first = page(&acme.admin, &ada.id, 2, "").await.unwrap();
    let rest = page(&acme.admin, &ada.id, 100, &first.next_page_token).await.unwrap();
    assert_eq!([first.events, rest.events].concat(), all);
    // The last event of a page may be deleted before the next page is read.
    let first = page(&acme.admin, &ada.id, 2, "").await.unwrap();
    let delete = "delete from events where id = $1";
    let last = uuid::Uuid::parse_str(&first.events[1].event_id).unwrap();
    sqlx::query(delete).bind(last).execute(&mut world.sql().await).await.unwrap();
    let rest = page(&acme.admin, &ada.id, 100, &first.next_page_token).await.unwrap();
    assert_eq!(rest.events, all[2..]);
}

#[tokio::test]
async fn the_default_page_size_is_50_and_the_maximum_1000() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    copy_events(&world, &ada.id, 1_050).await;

    for (size, holds) in [(0, 50), (50, 50), (999, 999), (1_000, 1_000), (1_001, 1_000), (i32::MAX, 1_000)] {
        let page = page(&acme.admin, &ada.id, size, "").await.unwrap();
        assert_eq!(page.events.len(), holds, "{size}");
        assert!(!page.next_page_token.is_empty());
    }
    for size in [-1, i32::MIN] {
        let refused = page(&acme.admin, &ada.id, size, "").await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["page_size"]);
    }
    let refused = assert_refused(page(&acme.admin, "7", -1, "").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["customer_id", "page_size"]);
}

#[tokio::test]
async fn a_page_ends_before_it_is_larger_than_two_mebibytes() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let labels = (0..50).map(|n| (format!("k{n}"), "x".repeat(500))).collect();
    acme.admin.update(pb::Customer { labels, ..ada.clone() }, &["labels"]).await.unwrap();
    copy_events(&world, &ada.id, 120).await;

    let first = page(&acme.admin, &ada.id, 1_000, "").await.unwrap();
    assert!(first.encoded_len() <= 2 * 1_024 * 1_024, "{}", first.encoded_len());
    assert!(first.encoded_len() > 1_900_000, "{}", first.encoded_len());
    let all = walk(&acme.admin, &ada.id, 1_000).await;
    assert_eq!(all.len(), 122);
    assert_eq!(all.iter().map(|event| &event.event_id).collect::<BTreeSet<_>>().len(), 122);
    assert_eq!(all[121].r#type(), Type::Created);
}

#[tokio::test]
async fn each_old_event_is_listed_once_while_new_ones_are_written() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    for number in 0..6 {
        let email = format!("a{number}@x.nl");
        acme.admin.update(pb::Customer { email, ..ada.clone() }, &["email"]).await.unwrap();
    }
    let old = acme.admin.events(&ada.id).await.unwrap();

    let (mut listed, mut token) = (Vec::new(), String::new());
    for number in 0.. {
        let page = page(&acme.admin, &ada.id, 2, &token).await.unwrap();
        listed.extend(page.events);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        let email = format!("b{number}@x.nl");
        acme.admin.update(pb::Customer { email, ..ada.clone() }, &["email"]).await.unwrap();
    }

    assert_eq!(listed, old);
    assert_eq!(acme.admin.events(&ada.id).await.unwrap().len(), old.len() + 3);
}

#[tokio::test]
async fn a_token_is_bound_to_its_customer_account_and_list() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    north.child("east").await;
    north.child("west").await;
    let globex = world.tenant("globex").await;
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let bob = north.admin.create(customer("Bob")).await.unwrap();
    let eve = globex.admin.create(customer("Eve")).await.unwrap();
    for id in [&ada.id, &bob.id, &eve.id] {
        copy_events(&world, id, 2).await;
    }
    let token = page(&north.admin, &ada.id, 1, "").await.unwrap().next_page_token;
    let list = pb::ListAccountsRequest { page_size: 1, ..Default::default() };
    let accounts = north.admin.accounts().list_accounts(list).await.unwrap().into_inner().next_page_token;
    assert!(!accounts.is_empty());
    let mut bent = token.clone().into_bytes();
    bent[9] ^= 1;
    let bent = String::from_utf8(bent).unwrap();

    let cases = [
        ("another customer", &north.admin, &bob.id, &*token),
        ("another account", &acme.admin, &ada.id, &*token),
        ("another tenant", &globex.admin, &eve.id, &*token),
        ("another list", &north.admin, &ada.id, &*accounts),
        ("an etag", &north.admin, &ada.id, &*ada.etag),
        ("garbage", &north.admin, &ada.id, "garbage"),
        ("not ASCII", &north.admin, &ada.id, "é"),
        ("a part", &north.admin, &ada.id, &token[..10]),
        ("bent", &north.admin, &ada.id, &*bent),
    ];
    for (what, client, id, token) in cases {
        let refused = page(client, id, 1, token).await.expect_err(what);
        assert_refused(Err::<(), _>(refused), Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    // Another member of the same account can use it.
    let colleague = north.member(pb::Role::Viewer).await;
    assert_eq!(page(&colleague, &ada.id, 1, &token).await.unwrap().events.len(), 1);
}

#[tokio::test]
async fn pages_of_an_account_below_may_be_empty_but_lose_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Ada") };
    let ada = acme.admin.create(fleet).await.unwrap();
    for number in 0..3 {
        let billing_email = format!("bills{number}@x.nl");
        acme.admin.update(pb::Customer { billing_email, ..ada.clone() }, &["billing_email"]).await.unwrap();
    }
    acme.admin.update(pb::Customer { email: "a@x.nl".to_owned(), ..ada.clone() }, &["email"]).await.unwrap();

    for size in [1, 2, 5] {
        let events = walk(&north.admin, &ada.id, size).await;
        assert_eq!(types(&events), [Type::Updated, Type::Created], "{size}");
        assert_eq!(walk(&acme.admin, &ada.id, size).await.len(), 5);
    }
}
