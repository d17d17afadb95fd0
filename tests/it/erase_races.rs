//! EraseCustomer against all that may happen to a customer at the same time, and what merges that were undone leave.

use std::{future::Future, pin::Pin};

use clientele::grpc::pb::{self, CustomerStatus};
use tonic::Status;

use crate::{
    billing::{activate, assign, eur, set_limit, telecom},
    custom_ids::with_custom_ids,
    export_subject_data::export,
    merge_customers::merging,
    payment_methods::{add, adding, card},
    place_hold::place,
    rows::rows,
    world::{Client, TestAccount, World, at_once, customer, mask, reason, request_id, rounds, wait_for_locks_in_line},
};

type Call = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

/// What may come of a call on a customer that others change, merge, move or erase at the same time.
const EXPECTED: [&str; 13] = [
    "CHANGED_SINCE_MERGE",
    "CONTENDED",
    "CUSTOMER_ARCHIVED",
    "CUSTOMER_ERASED",
    "CUSTOMER_HELD",
    "CUSTOMER_MERGED",
    "CUSTOM_ID_TAKEN",
    "ILLEGAL_TRANSITION",
    "MERGE_BLOCKED",
    "MERGE_FINAL",
    "MIGRATION_FINAL",
    "NOT_MERGED",
    "NOT_MIGRATED",
];

/// A customer whose texts all have this word.
fn marked(word: &str) -> pb::Customer {
    let contact = pb::Contact {
        first_name: word.to_owned(),
        last_name: format!("van {word}"),
        email: format!("contact@{word}.example"),
        ..Default::default()
    };
    let address = pb::Address { line1: format!("{word} 1"), city: word.to_owned(), ..Default::default() };
    pb::Customer {
        legal_name: format!("{word} B.V."),
        order_reference: format!("order {word}"),
        email: format!("info@{word}.example"),
        billing_email: format!("bills@{word}.example"),
        contacts: vec![contact],
        primary_address: Some(address),
        labels: [("bird".to_owned(), word.to_owned())].into(),
        ..with_custom_ids(word, &[("erp", word)])
    }
}

/// The tables that have a text, with the rows that do.
async fn tables_with(world: &World, word: &str) -> Vec<String> {
    let has = |row: &&String| row.to_lowercase().contains(word);
    let all = rows(world).await;
    all.iter().flat_map(|(table, rows)| rows.iter().filter(has).map(move |row| format!("{table}: {row}"))).collect()
}

/// One call of each kind that writes something of the customer, or moves what it has.
fn calls(acme: &TestAccount, shop: &str, plan: &str, [id, other]: [&str; 2], word: &str) -> Vec<Call> {
    macro_rules! call {
        (|$client:ident, $id:ident, $text:ident| $body:expr) => {{
            let ($client, $id, $text) = (acme.admin.clone(), id.to_owned(), word.to_owned());
            let boxed: Call = Box::pin(async move { $body });
            boxed
        }};
        (|$client:ident, $id:ident, $text:ident, $more:ident| $body:expr) => {{
            let $more = $more.to_owned();
            call!(|$client, $id, $text| $body)
        }};
    }
    vec![
        call!(|client, id, _word| client.erase(&id).await.map(drop)),
        call!(|client, id, word| {
            let customer = pb::Customer { id, legal_name: format!("{word} N.V."), ..Default::default() };
            let request = pb::UpdateCustomerRequest {
                customer: Some(customer),
                update_mask: Some(mask(&["legal_name"])),
                request_id: request_id(),
                ..Default::default()
            };
            client.customers().update_customer(request).await.map(drop)
        }),
        call!(|client, id, word| {
            let customer = pb::Customer { id, email: format!("new@{word}.example"), ..Default::default() };
            let request = pb::UpsertCustomerRequest {
                customer: Some(customer),
                update_mask: Some(mask(&["email"])),
                request_id: request_id(),
                ..Default::default()
            };
            client.customers().upsert_customer(request).await.map(drop)
        }),
        call!(|client, id, _word, other| {
            let request = pb::MergeCustomersRequest { request_id: request_id(), ..merging(&other, &[&id]) };
            client.customers().merge_customers(request).await.map(drop)
        }),
        call!(|client, id, _word, other| client.merge(&id, &[&other]).await.map(drop)),
        call!(|client, id, _word| client.unmerge(&id).await.map(drop)),
        call!(|client, id, _word| client.tag(&[&id], &["vip"], &[]).await.map(drop)),
        call!(|client, id, word| client.set_id(&id, "dms", &word).await.map(drop)),
        call!(|client, id, _word| activate(&client, &id, "caller-id", 1).await.map(drop)),
        call!(|client, id, _word| set_limit(&client, &id, Some(eur(500))).await.map(drop)),
        call!(|client, id, _word, plan| assign(&client, &id, &plan).await.map(drop)),
        call!(|client, id, word| {
            let card = pb::PaymentMethod { token: format!("tok_{word}"), ..card() };
            add(&client, &pb::AddPaymentMethodRequest { payment_method: Some(card), ..adding(&id) }).await.map(drop)
        }),
        call!(|client, id, word| place(&client, &id, &word).await.map(drop)),
        call!(|client, id, word| {
            let request = pb::SuspendCustomerRequest {
                customer_id: id,
                reason: format!("{word} pays nothing"),
                request_id: request_id(),
                ..Default::default()
            };
            client.customers().suspend_customer(request).await.map(drop)
        }),
        call!(|client, id, _word| client.approve(&id).await.map(drop)),
        call!(|client, id, _word| client.archive(&[&id]).await.map(drop)),
        call!(|client, id, _word, shop| client.transfer(&[&id], &shop).await.map(drop)),
        call!(|client, id, _word| {
            // The account keeps its name, so that is no name of the customer.
            let request = pb::MigrateCustomerToResellerRequest {
                customer_id: id,
                account_name: "A business of its own".to_owned(),
                ..Default::default()
            };
            client.customers().migrate_customer_to_reseller(request).await.map(drop)
        }),
        call!(|client, id, _word| {
            drop(export(&client, &id, 100).await);
            Ok(())
        }),
    ]
}

/// Releases the holds of a customer, and erases it.
async fn release_and_erase(client: &Client, id: &str) {
    for hold in client.get(id).await.unwrap().holds {
        let request =
            pb::ReleaseHoldRequest { customer_id: id.to_owned(), hold_id: hold.hold_id, ..Default::default() };
        client.customers().release_hold(request).await.unwrap();
    }
    client.erase(id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_among_all_other_calls_leaves_nothing_of_the_customer() {
    let world = World::in_production_with(wait_for_locks_in_line).await;
    let (acme, plan) = telecom(&world).await;
    let shop = acme.child("shop").await.account;
    for round in 0..rounds(6) {
        let word = format!("wielewaal{round}x");
        let id = acme.admin.create(marked(&word)).await.unwrap().id;
        let other = acme.admin.create(customer("Other")).await.unwrap().id;
        for answer in at_once(calls(&acme, &shop, &plan.id, [&id, &other], &word)).await {
            if let Err(refused) = answer {
                assert!(EXPECTED.contains(&reason(&refused).as_str()), "round {round}: {refused:?}");
            }
        }
        // What a merge in force gave to the other one is that one's, also after the erasure of the one that was merged: undo the
        // merge, or erase that one with all that is merged into it.
        let of_merges = [pb::CustomerEventType::CustomersMerged, pb::CustomerEventType::CustomersUnmerged];
        let events = acme.admin.events(&other).await.unwrap();
        let last = events.iter().map(pb::CustomerEvent::r#type).find(|happened| of_merges.contains(happened));
        let has_taken = last == Some(pb::CustomerEventType::CustomersMerged);
        if has_taken && (round % 2 == 1 || acme.admin.unmerge(&id).await.is_err()) {
            release_and_erase(&acme.admin, &other).await;
        }
        release_and_erase(&acme.admin, &id).await;
        let gone = acme.admin.get(&id).await.unwrap();
        assert_eq!(gone.status(), CustomerStatus::Erased);
        assert_eq!((gone.name.as_str(), gone.merged_into.as_str(), gone.holds.len()), ("", "", 0));
        assert_eq!(tables_with(&world, &word).await, Vec::<String>::new(), "round {round}");
        let other = acme.admin.get(&other).await.unwrap();
        assert!(other.merged_into.is_empty(), "nothing is merged into an erased customer: {other:?}");
    }
}

#[tokio::test]
async fn a_merge_that_was_undone_leaves_nothing_of_a_customer_that_is_erased_later() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("dealer").await;
    let reach = pb::Reach::Fleet.into();
    let ada = acme.admin.create(pb::Customer { reach, ..customer("Ada") }).await.unwrap().id;
    let eve =
        acme.admin.create(pb::Customer { email: "eve@x.example".to_owned(), ..customer("Eve") }).await.unwrap().id;
    let bob = acme.admin.create(pb::Customer { reach, ..marked("ortolaan") }).await.unwrap().id;
    dealer.admin.set_id(&bob, "dms", "ortolaan-7").await.unwrap();
    // Bob is merged into Ada, and with her into Eve; both are undone.
    for (into, of) in [(&ada, &bob), (&eve, &ada)] {
        let merge = pb::MergeCustomersRequest { request_id: request_id(), ..merging(into, &[of]) };
        crate::merge_customers::call(&acme.admin, &merge).await.unwrap();
        let touched = pb::Customer {
            id: into.clone(),
            labels: [("bird".to_owned(), "merel".to_owned())].into(),
            ..Default::default()
        };
        let request = pb::UpdateCustomerRequest {
            customer: Some(touched),
            update_mask: Some(mask(&["labels.bird"])),
            request_id: request_id(),
            ..Default::default()
        };
        acme.admin.customers().update_customer(request).await.unwrap();
        // As it was, so that undoing loses nothing.
        let bird = if *into == ada { "ortolaan" } else { "merel" };
        let back = pb::Customer {
            id: into.clone(),
            labels: [("bird".to_owned(), bird.to_owned())].into(),
            ..Default::default()
        };
        acme.admin.update(back, &["labels.bird"]).await.unwrap();
    }
    for of in [&ada, &bob] {
        let undo = pb::UnmergeCustomersRequest { customer_id: of.clone(), keep_newer: true, ..Default::default() };
        acme.admin.customers().unmerge_customers(undo).await.unwrap();
    }
    assert!(tables_with(&world, "ortolaan").await.iter().any(|row| row.starts_with("events") && row.contains(&eve)));
    let events = acme.admin.events(&ada).await.unwrap();
    let (before_ada, before_eve) = (acme.admin.get(&ada).await.unwrap(), acme.admin.get(&eve).await.unwrap());

    acme.admin.erase(&bob).await.unwrap();

    assert_eq!(tables_with(&world, "ortolaan").await, Vec::<String>::new());
    // The others keep what is theirs, and their histories.
    assert_eq!(acme.admin.get(&ada).await.unwrap(), before_ada);
    assert_eq!(acme.admin.get(&eve).await.unwrap(), before_eve);
    let left = acme.admin.events(&ada).await.unwrap();
    let keys = |events: &[pb::CustomerEvent]| -> Vec<_> {
        events.iter().map(|event| (event.event_id.clone(), event.r#type(), event.event_time)).collect()
    };
    assert_eq!(keys(&left), keys(&events));
    let created = left.last().unwrap();
    assert_eq!(created, events.last().unwrap(), "before the merge nothing was Bob's");
    let merged = left.iter().filter(|event| event.r#type() == pb::CustomerEventType::CustomersMerged);
    assert!(merged.map(|event| format!("{event:?}")).any(|event| event.contains(&bob)), "ids stay");
}
