//! Reads: an unknown word is shown as the enum's zero, and the page does not fail.

use std::pin::Pin;

use clientele::grpc::pb::{
    self,
    ArchivedFilter::{Hide, Only, Show},
};
use tonic::Status;

use super::{
    Stage,
    words::{WORDS, set_word},
};
use crate::world::{Client, customer};

/// The customers that a read shows.
type Shown = Pin<Box<dyn Future<Output = Result<Vec<pb::Customer>, Status>> + Send>>;

macro_rules! read {
    ($client:ident, $id:ident => $shown:expr) => {
        |$client: Client, $id: String| -> Shown { Box::pin(async move { Ok($shown) }) }
    };
}

const FULL: i32 = pb::CustomerView::Full as i32;

/// Calls a read for the customer of this id.
type Read = fn(Client, String) -> Shown;

/// Every RPC that reads customers.
pub(super) const READS: &[(&str, Read)] = &[
    (
        "CustomerService/GetCustomer",
        read!(client, id => {
            let basic = pb::GetCustomerRequest { customer_id: id.clone(), view: 0 };
            let basic = client.customers().get_customer(basic).await?.into_inner().customer.unwrap();
            vec![client.get(&id).await?, basic]
        }),
    ),
    (
        "CustomerService/BatchGetCustomers",
        read!(client, id => {
            let request = pb::BatchGetCustomersRequest { customer_ids: vec![id], view: FULL };
            client.customers().batch_get_customers(request).await?.into_inner().customers
        }),
    ),
    (
        "CustomerService/LookupCustomer",
        read!(client, id => {
            let custom_id = client.get(&id).await?.custom_ids["erp"].clone();
            let request = pb::LookupCustomerRequest { custom_id, system: "erp".to_owned(), view: FULL };
            vec![client.customers().lookup_customer(request).await?.into_inner().customer.unwrap()]
        }),
    ),
    (
        "CustomerService/SearchCustomers",
        read!(client, id => {
            let request = pb::SearchCustomersRequest {
                query: client.get(&id).await?.name,
                archived: Show.into(),
                view: FULL,
                ..Default::default()
            };
            let results = client.customers().search_customers(request).await?.into_inner().results;
            results.into_iter().map(|result| result.customer.unwrap()).collect()
        }),
    ),
    (
        "CustomerService/FindDuplicateCustomers",
        read!(client, id => {
            let customer = Some(customer(&client.get(&id).await?.name));
            let request = pb::FindDuplicateCustomersRequest { customer, ..Default::default() };
            let found = client.customers().find_duplicate_customers(request).await?.into_inner().duplicates;
            found.into_iter().map(|found| found.customer.unwrap()).collect()
        }),
    ),
    (
        "HistoryService/ListCustomerEvents",
        read!(client, id => {
            assert!(!client.events(&id).await?.is_empty());
            vec![client.get(&id).await?]
        }),
    ),
    (
        "TagService/ListTags",
        read!(client, id => {
            let tags = client.tags().list_tags(pb::ListTagsRequest::default()).await?.into_inner().tags;
            assert!(tags.iter().all(|tag| tag.customer_count == 1), "{tags:?}");
            vec![client.get(&id).await?]
        }),
    ),
];

/// The customer with the words of its closed sets left out, and with them what depends on them.
fn without_words(customer: pb::Customer) -> pb::Customer {
    pb::Customer {
        r#type: 0,
        service_class: 0,
        reach: 0,
        origin: 0,
        status: 0,
        status_reason: String::new(),
        allowed_actions: Vec::new(),
        missing_for_approval: Vec::new(),
        ..customer
    }
}

#[tokio::test]
async fn an_unknown_word_is_shown_as_unspecified_with_no_action_and_everything_else_as_it_is() {
    let stage = Stage::set().await;
    stage.north.admin.tag(&[&stage.customer.id], &["vip"], &[]).await.unwrap();
    let before = stage.north.admin.get(&stage.customer.id).await.unwrap();
    for (column, word) in WORDS {
        set_word(&stage, column, word).await;
        for (rpc, read) in READS {
            let shown = read(stage.north.admin.clone(), stage.customer.id.clone()).await;
            let shown = shown.unwrap_or_else(|refused| panic!("{rpc}, {column}: {refused:?}"));
            assert!(!shown.is_empty(), "{rpc}, {column}");
            for customer in shown {
                let words = [
                    ("type", customer.r#type, before.r#type),
                    ("service_class", customer.service_class, before.service_class),
                    ("reach", customer.reach, before.reach),
                    ("origin", customer.origin, before.origin),
                    ("status", customer.status, before.status),
                ];
                for (name, now, then) in words {
                    assert_eq!(now, if name == column { 0 } else { then }, "{rpc}, {column}: {name}");
                }
                assert_eq!(customer.allowed_actions, Vec::<String>::new(), "{rpc}, {column}");
                if !customer.labels.is_empty() {
                    assert_eq!(without_words(customer), without_words(before.clone()), "{rpc}, {column}");
                }
            }
        }
        set_word(&stage, column, "").await;
    }
    assert_eq!(stage.north.admin.get(&stage.customer.id).await.unwrap(), before);
}

#[tokio::test]
async fn an_account_below_sees_no_customer_by_a_reach_that_this_server_does_not_know() {
    let stage = Stage::set().await;
    let below = stage.north.child("shop").await;
    let fleet = pb::Customer { id: stage.customer.id.clone(), reach: pb::Reach::Fleet.into(), ..Default::default() };
    stage.north.admin.update(fleet, &["reach"]).await.unwrap();
    assert!(below.admin.get(&stage.customer.id).await.is_ok());
    set_word(&stage, "reach", "REGION").await;
    assert!(below.admin.get(&stage.customer.id).await.is_err());
    assert!(stage.acme.admin.get(&stage.customer.id).await.is_ok());
}

#[tokio::test]
async fn a_search_leaves_out_an_unknown_status_unless_it_asks_for_everything() {
    let stage = Stage::set().await;
    let admin = &stage.north.admin;
    let known = admin.create(customer("Known")).await.unwrap().id;
    stage.sql("update customers set status = 'ON_TRIAL', status_reason = 'new' where id = $1").await;
    let all = [pb::CustomerStatus::Pending, pb::CustomerStatus::Active, pb::CustomerStatus::Rejected];
    let found = async |archived: pb::ArchivedFilter, statuses: &[pb::CustomerStatus]| {
        let request = pb::SearchCustomersRequest {
            archived: archived.into(),
            statuses: statuses.iter().map(|status| i32::from(*status)).collect(),
            include_total_size: true,
            ..Default::default()
        };
        let found = admin.customers().search_customers(request).await.unwrap().into_inner();
        assert_eq!(found.total_size, i32::try_from(found.results.len()).unwrap());
        found.results.into_iter().map(|result| result.customer.unwrap().id).collect::<Vec<_>>()
    };
    let both = [stage.customer.id.clone(), known];
    assert_eq!(found(Hide, &[]).await, both[1..]);
    assert_eq!(found(Show, &all).await, both[1..]);
    assert_eq!(found(Show, &[]).await, both, "by name");
    stage.sql("update customers set archived_at = now() where id = $1").await;
    assert_eq!(found(Only, &[]).await, Vec::<String>::new());
    assert_eq!(found(Show, &[]).await, both);
    // Another word does not hide the customer, but a filter by it does not find it.
    stage.sql("update customers set status = 'PENDING', status_reason = null, archived_at = null where id = $1").await;
    set_word(&stage, "type", "COOPERATIVE").await;
    assert_eq!(found(Hide, &[]).await.len(), 2);
    let business = pb::SearchCustomersRequest { types: vec![pb::CustomerType::Business.into()], ..Default::default() };
    let business = admin.customers().search_customers(business).await.unwrap().into_inner().results;
    assert_eq!(business.len(), 1);
}

#[tokio::test]
async fn an_event_of_an_unknown_type_is_listed_with_the_changes_that_the_account_may_see() {
    let stage = Stage::set().await;
    let below = stage.north.child("shop").await;
    let fleet = pb::Customer { id: stage.customer.id.clone(), reach: pb::Reach::Fleet.into(), ..Default::default() };
    stage.north.admin.update(fleet, &["reach"]).await.unwrap();
    let event = r#"
        update events set type = 'CREDIT_CHANGED', changes = '{
            "credit_limit": {"old": null, "new": "100.00"},
            "name": {"old": "Copaco", "new": "Copaco 2", "of_newer_release": true}
        }' where customer_id = $1 and type = 'UPDATED'
    "#;
    stage.sql(event).await;
    let paths = |event: &pb::CustomerEvent| -> Vec<String> {
        event.changes.iter().map(|change| change.field.clone()).collect()
    };
    let newest = stage.north.admin.events(&stage.customer.id).await.unwrap().remove(0);
    assert_eq!((newest.r#type, paths(&newest)), (0, vec!["credit_limit".to_owned(), "name".to_owned()]));
    let newest = below.admin.events(&stage.customer.id).await.unwrap().remove(0);
    assert_eq!(
        (newest.r#type, paths(&newest)),
        (0, vec!["name".to_owned()]),
        "what it is not known to see it is not shown"
    );
}
