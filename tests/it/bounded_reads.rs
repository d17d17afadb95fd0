//! What calls at the contract's limits read from the database, with customers and events at the size limit: bytes that
//! PostgreSQL sends, counted by a proxy between it and the service.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use clientele::grpc::pb::{self, CustomerView};
use prost::Message as _;
use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, UnixStream},
    task::JoinHandle,
};
use tonic::Code;

use crate::{
    list_customer_events_pages,
    search_customers::{query, search},
    world::{TestAccount, World, assert_refused, customer, database},
};

/// What one page of documents may be.
const PAGE: u64 = 2 * 1024 * 1024;
/// More than a customer at the size limit is, or an event with its old and new contacts.
const LARGEST: u64 = 256 * 1024;

/// A proxy between the service and PostgreSQL that counts the bytes that PostgreSQL sends.
struct Meter {
    port: u16,
    sent: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Meter {
    async fn start(database: &PgConnectOptions) -> Self {
        let socket = database.get_socket().unwrap().join(format!(".s.PGSQL.{}", database.get_port()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        let accepting = tokio::spawn(async move {
            while let Ok((service, _)) = listener.accept().await {
                let (mut asked, mut told) = service.into_split();
                let (mut rows, mut statements) = UnixStream::connect(&socket).await.unwrap().into_split();
                tokio::spawn(async move { copy(&mut asked, &mut statements).await });
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(read @ 1..) = rows.read(&mut buffer).await {
                        counted.fetch_add(read as u64, Ordering::Relaxed);
                        if told.write_all(&buffer[..read]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { port, sent, accepting }
    }

    /// The bytes since the last time.
    fn take(&self) -> u64 {
        self.sent.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A server behind a meter. The test's own connections do not count.
async fn metered() -> (World, Meter) {
    let database = database().await;
    let meter = Meter::start(&database).await;
    let through = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(meter.port)
        .username(database.get_username())
        .database(database.get_database().unwrap());
    let mut world = World::start_with(through, |_| ()).await;
    world.database = database;
    (world, meter)
}

/// Contacts whose names are as long as they may be, of characters of four bytes.
fn contacts(count: usize) -> Vec<pb::Contact> {
    let long = "𝄞".repeat(100);
    let contact = |number| pb::Contact {
        first_name: long.clone(),
        last_name: long.clone(),
        job_title: long.clone(),
        email: format!("contact{number}@example.com"),
        ..Default::default()
    };
    (0..count).map(contact).collect()
}

/// A customer at the size limit: of its fields, the labels take most.
pub fn largest(name: &str) -> pb::Customer {
    let labels = (0..50).map(|number| (format!("label-{number:02}"), "𝄞".repeat(500))).collect();
    pb::Customer { labels, contacts: contacts(10), ..customer(name) }
}

/// A tenant with so many customers at the size limit, in the provider's account.
async fn large_customers(world: &World, count: i32) -> (TestAccount, Vec<String>) {
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(largest("Large")).await.unwrap();
    let mut ids = world.copies(&made.id, count - 1).await;
    ids.push(made.id);
    (acme, ids)
}

#[tokio::test]
async fn a_search_reads_no_more_than_a_page_and_shows_each_large_customer_once() {
    let (world, meter) = metered().await;
    let (acme, ids) = large_customers(&world, 300).await;
    for order_by in ["name", "create_time desc"] {
        let mut request = pb::SearchCustomersRequest {
            view: CustomerView::Full.into(),
            page_size: 1_000,
            order_by: order_by.to_owned(),
            ..query("")
        };
        let mut seen = BTreeMap::new();
        loop {
            meter.take();
            let page = search(&acme.admin, request.clone()).await.unwrap();
            let read = meter.take();
            assert!(read <= PAGE + LARGEST, "{read} bytes for {} customers", page.results.len());
            assert!(!page.results.is_empty() && page.encoded_len() <= 2 * 1024 * 1024);
            for result in page.results {
                *seen.entry(result.customer.unwrap().id).or_insert(0) += 1;
            }
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen.len(), ids.len());
        assert!(seen.values().all(|times| *times == 1));
    }
    // What a view does not show is not read.
    let request = pb::SearchCustomersRequest { page_size: 1_000, include_total_size: true, ..query("") };
    let page = search(&acme.admin, request).await.unwrap();
    assert_eq!((page.results.len(), page.total_size, page.next_page_token.as_str()), (300, 300, ""));
    let read = meter.take();
    assert!(read < PAGE / 2, "{read} bytes in the view BASIC");
}

#[tokio::test]
async fn a_batch_get_that_is_too_large_is_refused_before_it_is_read() {
    let (world, meter) = metered().await;
    let (acme, ids) = large_customers(&world, 100).await;
    let get = async |ids: &[String], view: CustomerView| {
        let request = pb::BatchGetCustomersRequest { customer_ids: ids.to_vec(), view: view.into() };
        meter.take();
        let answer = acme.admin.customers().batch_get_customers(request).await;
        (answer.map(|answer| answer.into_inner().customers.len()), meter.take())
    };
    let (refused, read) = get(&ids, CustomerView::Full).await;
    assert_refused(refused, Code::ResourceExhausted, "ANSWER_TOO_LARGE");
    assert!(read < LARGEST, "{read} bytes of a refused batch");
    let (found, read) = get(&ids[..20], CustomerView::Full).await;
    assert_eq!(found.unwrap(), 20);
    assert!(read > 20 * 100_000, "{read} bytes");
    let (found, read) = get(&ids, CustomerView::Basic).await;
    assert_eq!(found.unwrap(), 100);
    assert!(read < LARGEST, "{read} bytes in the view BASIC");
    // Ids that the account does not see take no room.
    let mixed: Vec<String> = (0..80).map(|_| crate::world::unknown_id()).chain(ids[..20].iter().cloned()).collect();
    assert_eq!(get(&mixed, CustomerView::Full).await.0.unwrap(), 20);
}

#[tokio::test]
async fn a_page_of_large_events_reads_no_more_than_a_page_and_shows_each_once() {
    let (world, meter) = metered().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let small = |number: usize| pb::Contact { last_name: format!("N{number}"), ..Default::default() };
    // Long names, and then many small objects, which cost many times their text.
    for contacts in [contacts(50), contacts(49), (0..50).map(small).collect(), (0..49).map(small).collect()] {
        acme.admin.update(pb::Customer { contacts, ..ada.clone() }, &["contacts"]).await.unwrap();
        list_customer_events_pages::copy_events(&world, &ada.id, 150).await;
    }
    let (mut seen, mut page_token) = (BTreeMap::new(), String::new());
    loop {
        let request = pb::ListCustomerEventsRequest {
            customer_id: ada.id.clone(),
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        meter.take();
        let page = acme.admin.history().list_customer_events(request).await.unwrap().into_inner();
        let read = meter.take();
        assert!(read <= PAGE + LARGEST, "{read} bytes for {} events", page.events.len());
        assert!(!page.events.is_empty() && page.encoded_len() <= 2 * 1024 * 1024);
        for event in page.events {
            *seen.entry(event.event_id).or_insert(0) += 1;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 1 + 4 * 151);
    assert!(seen.values().all(|times| *times == 1));
}

#[tokio::test]
async fn commands_on_a_thousand_large_customers_read_no_documents() {
    let (world, meter) = metered().await;
    let (acme, ids) = large_customers(&world, 1_000).await;
    let north = acme.child("north").await;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    acme.admin.get(ids[0]).await.unwrap();
    let mut measured = BTreeMap::new();
    meter.take();
    acme.admin.archive(&ids).await.unwrap();
    measured.insert("archive", meter.take());
    acme.admin.unarchive(&ids).await.unwrap();
    measured.insert("unarchive", meter.take());
    acme.admin.tag(&ids, &["vip"], &[]).await.unwrap();
    measured.insert("tag", meter.take());
    acme.admin.transfer(&ids, &north.account).await.unwrap();
    measured.insert("transfer", meter.take());
    assert!(measured.values().all(|read| *read < 2 * 1024 * 1024), "{measured:?}");
    // Nothing of what was not read is lost.
    let now = acme.admin.get(ids[0]).await.unwrap();
    let expected = largest("Large");
    assert_eq!((now.labels, now.contacts.len()), (expected.labels, expected.contacts.len()));
}
