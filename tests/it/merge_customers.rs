//! MergeCustomers: what becomes of the customers, and what the contract checks.

use std::collections::BTreeMap;

use clientele::grpc::pb::{
    self, CustomerEventType, CustomerStatus, MergeBlocker, MergeCustomersRequest as Merging, ResolvedBy,
};
use tonic::{Code, Status};

use crate::{
    custom_ids::{self, by, fleet, with_custom_ids},
    modify_customer_tags::{self, tags_of},
    place_hold::place,
    rows::rows,
    world::{
        Client, World, assert_refused, at_once, customer, full_customer, metadata, repeat_at_once, request_id,
        unknown_id, wire,
    },
};

type Call = std::pin::Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

pub async fn call(client: &Client, request: &Merging) -> Result<pb::MergeCustomersResponse, Status> {
    Ok(client.customers().merge_customers(request.clone()).await?.into_inner())
}

pub fn merging(into: &str, ids: &[&str]) -> Merging {
    Merging {
        customer_id: into.to_owned(),
        merged_customer_ids: ids.iter().map(ToString::to_string).collect(),
        ..Default::default()
    }
}

pub async fn consistent(world: &World) {
    custom_ids::assert_consistent(world).await;
    modify_customer_tags::assert_consistent(world).await;
}

fn contact(name: &str, primary: bool) -> pb::Contact {
    pb::Contact { first_name: name.to_owned(), primary, ..Default::default() }
}

#[tokio::test]
async fn fields_contacts_custom_ids_and_tags_are_united_and_the_others_name_the_one_that_stays() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let admin = &acme.admin;
    let survivor = pb::Customer {
        email: "ada@x.example".to_owned(),
        contacts: vec![contact("Ada", true)],
        labels: [("tier".to_owned(), "gold".to_owned())].into(),
        ..with_custom_ids("Ada", &[("erp", "A-1")])
    };
    let survivor = admin.create(survivor).await.unwrap();
    let first = pb::Customer { contacts: vec![contact("Bob", true), contact("Ada", true)], ..full_customer("Bob") };
    let first = pb::Customer { contacts: vec![contact("Bob", true), contact("Ada", false)], ..first };
    let first = admin.create(first).await.unwrap();
    let second = pb::Customer {
        labels: [("tier".to_owned(), "tin".to_owned()), ("old".to_owned(), "yes".to_owned())].into(),
        legal_name: "Eve B.V.".to_owned(),
        ..with_custom_ids("Eve", &[("dms", "K-1"), ("erp", "E-1")])
    };
    let second = admin.create(second).await.unwrap();
    admin.tag(&[&survivor.id, &first.id], &["vip"], &[]).await.unwrap();
    admin.tag(&[&second.id], &["late"], &[]).await.unwrap();

    let preview = Merging { validate_only: true, ..merging(&survivor.id, &[&first.id, &second.id]) };
    let before = rows(&world).await;
    let preview = call(admin, &preview).await.unwrap();
    assert_eq!(rows(&world).await, before);
    let answer = call(admin, &merging(&survivor.id, &[&first.id, &second.id])).await.unwrap();

    let now = admin.get(&survivor.id).await.unwrap();
    assert_eq!(answer, pb::MergeCustomersResponse { customer: Some(now.clone()), ..Default::default() });
    let expected = pb::Customer { etag: String::new(), update_time: None, ..now.clone() };
    assert_eq!(pb::Customer { update_time: None, ..preview.customer.unwrap() }, expected, "the preview");
    assert_eq!((now.name.as_str(), now.email.as_str(), now.status()), ("Ada", "ada@x.example", survivor.status()));
    assert_eq!((now.legal_name.as_str(), now.order_reference.as_str()), ("Bob Netherlands B.V.", "order-Bob"));
    assert_eq!(now.primary_address, first.primary_address);
    let contacts: Vec<_> = now.contacts.iter().map(|contact| (contact.first_name.as_str(), contact.primary)).collect();
    assert_eq!(contacts, [("Ada", true), ("Bob", false)], "each once, one primary");
    let labels = [("old", "yes"), ("segment", "smb"), ("tier", "gold")].map(|(key, value)| (key.into(), value.into()));
    assert_eq!(now.labels, BTreeMap::from(labels));
    let ids = [("dms", "K-1"), ("erp", "A-1")].map(|(system, id)| (system.into(), id.into()));
    assert_eq!(now.custom_ids, BTreeMap::from(ids));
    assert_eq!(tags_of(admin, &survivor.id).await, ["late", "vip"]);
    for (id, resolved_by) in [
        ("A-1", ResolvedBy::Current),
        ("K-1", ResolvedBy::Current),
        ("E-1", ResolvedBy::Merge),
        ("Bob-00123", ResolvedBy::Merge),
    ] {
        let found = admin.customers().lookup_customer(by(id, "")).await.unwrap().into_inner();
        assert_eq!((found.resolved_by(), found.customer.unwrap().id), (resolved_by, survivor.id.clone()), "{id}");
    }
    for merged in [&first, &second] {
        let gone = admin.get(&merged.id).await.unwrap();
        let expected = pb::Customer {
            status: CustomerStatus::Merged.into(),
            merged_into: survivor.id.clone(),
            allowed_actions: vec!["UnmergeCustomers".to_owned(), "EraseCustomer".to_owned()],
            custom_ids: BTreeMap::new(),
            tags: vec![],
            order_reference: String::new(),
            etag: gone.etag.clone(),
            update_time: gone.update_time,
            updated_by: gone.updated_by.clone(),
            ..merged.clone()
        };
        assert_eq!(gone, expected);
        let event = admin.events(&merged.id).await.unwrap().remove(0);
        assert_eq!(event.r#type(), CustomerEventType::Merged);
    }
    let events = admin.events(&survivor.id).await.unwrap();
    assert_eq!(events[0].r#type(), CustomerEventType::CustomersMerged);
    assert!(events[0].changes.iter().any(|change| change.field == "merged_customer_ids"));
    // Names, numbers and order references are free; a search finds one of them.
    admin.create(full_customer("Bob")).await.unwrap_err();
    let again = pb::Customer { custom_ids: BTreeMap::new(), order_reference: String::new(), ..full_customer("Bob") };
    admin.create(again).await.unwrap();
    let search = pb::SearchCustomersRequest { query: "Bob-00123".to_owned(), ..Default::default() };
    let found = admin.customers().search_customers(search).await.unwrap().into_inner().results;
    assert_eq!(found.into_iter().map(|one| one.customer.unwrap().id).collect::<Vec<_>>(), [survivor.id]);
    consistent(&world).await;
}

#[tokio::test]
async fn a_choice_takes_the_value_of_another_customer_be_it_empty() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    let ada = acme.admin.create(full_customer("Ada")).await.unwrap();
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    let choices = ["name", "phone", "contacts"].map(|field| (field.to_owned(), bob.id.clone()));
    let chosen = Merging { choices: choices.into(), ..merging(&ada.id, &[&bob.id]) };
    let now = call(&acme.admin, &chosen).await.unwrap().customer.unwrap();
    assert_eq!((now.name.as_str(), now.phone, now.contacts), ("Bob", None, vec![]));
    assert_eq!(now.email, ada.email);
    // The name of the survivor is free now, and its new one is not.
    acme.admin.create(customer("Ada")).await.unwrap();
    assert_refused(acme.admin.create(customer("Bob")).await, Code::AlreadyExists, "NAME_TAKEN");

    let unknown = [("nom".to_owned(), ada.id.clone()), ("email".to_owned(), unknown_id())];
    let wrong = Merging { choices: unknown.into(), ..merging(&ada.id, &[&ada.id]) };
    let refused = assert_refused(call(&acme.admin, &wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(crate::world::bad_fields(&refused), ["merged_customer_ids[0]", "choices.email", "choices.nom"]);
}

#[tokio::test]
async fn links_of_every_account_move_and_stay_private() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("dealer").await;
    let ada = acme.admin.create(fleet("Ada")).await.unwrap().id;
    let bob = acme.admin.create(fleet("Bob")).await.unwrap().id;
    dealer.admin.set_id(&ada, "dms", "D-1").await.unwrap();
    dealer.admin.set_id(&bob, "dms", "D-2").await.unwrap();
    dealer.admin.set_id(&bob, "erp", "D-3").await.unwrap();
    dealer.admin.tag(&[&bob], &["cold"], &[]).await.unwrap();
    acme.admin.merge(&ada, &[&bob]).await.unwrap();
    let seen = dealer.admin.get(&ada).await.unwrap();
    let ids = [("dms", "D-1"), ("erp", "D-3")].map(|(system, id)| (system.into(), id.into()));
    assert_eq!(seen.custom_ids, BTreeMap::from(ids));
    assert_eq!(tags_of(&dealer.admin, &ada).await, ["cold"]);
    assert_eq!(dealer.admin.get(&bob).await.unwrap().merged_into, ada);
    assert_eq!(dealer.admin.lookup("D-2", "dms").await.unwrap().0, ada);
    let private = |events: &[pb::CustomerEvent]| format!("{events:?}").contains("D-3");
    assert!(private(&dealer.admin.events(&ada).await.unwrap()));
    assert!(!private(&acme.admin.events(&ada).await.unwrap()), "the dealer's alone");
    assert_refused(dealer.admin.set_id(&bob, "x", "1").await, Code::FailedPrecondition, "CUSTOMER_MERGED");
    assert_refused(dealer.admin.merge(&ada, &[&bob]).await, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    consistent(&world).await;
}

#[tokio::test]
async fn chains_name_the_last_one_and_erasing_it_erases_all() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let mut ids = Vec::new();
    for name in ["Ada", "Bob", "Eve"] {
        let made = acme.admin.create(with_custom_ids(name, &[("erp", &format!("kwik-{name}"))])).await.unwrap();
        ids.push(made.id);
    }
    acme.admin.merge(&ids[1], &[&ids[0]]).await.unwrap();
    acme.admin.merge(&ids[2], &[&ids[1]]).await.unwrap();
    for merged in &ids[..2] {
        assert_eq!(acme.admin.get(merged).await.unwrap().merged_into, ids[2]);
    }
    assert_eq!(acme.admin.lookup("kwik-Ada", "erp").await.unwrap().0, ids[2]);
    let exported = crate::export_subject_data::export(&acme.admin, &ids[2], 1_000).await;
    for id in &ids {
        assert!(exported.iter().any(|document| document.kind == "customer" && document.customer_id == *id));
    }
    assert!(exported.iter().any(|document| document.kind == "merge"));
    acme.admin.erase(&ids[2]).await.unwrap();
    for id in &ids {
        assert_eq!(acme.admin.get(id).await.unwrap().status(), CustomerStatus::Erased);
    }
    let left = rows(&world).await;
    for (table, rows) in &left {
        assert!(rows.iter().all(|row| !row.contains("kwik-")), "{table}: {rows:?}");
    }
    assert_eq!(left["merge_images"], Vec::<String>::new());
}

#[tokio::test]
async fn a_mutation_of_a_merged_customer_is_refused_after_the_stored_answer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (ada, bob) =
        (acme.admin.create(customer("Ada")).await.unwrap(), acme.admin.create(customer("Bob")).await.unwrap());
    let suspend = pb::SuspendCustomerRequest {
        customer_id: bob.id.clone(),
        reason: "unpaid".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    acme.admin.customers().suspend_customer(suspend.clone()).await.unwrap();
    acme.admin.merge(&ada.id, &[&bob.id]).await.unwrap();
    assert!(acme.admin.customers().suspend_customer(suspend.clone()).await.unwrap().into_inner().replayed);
    let stale = pb::SuspendCustomerRequest { request_id: request_id(), etag: bob.etag.clone(), ..suspend };
    let refused = acme.admin.customers().suspend_customer(stale).await;
    assert_refused(refused, Code::FailedPrecondition, "CUSTOMER_MERGED");
    let batch =
        assert_refused(acme.admin.archive(&[&ada.id, &bob.id]).await, Code::FailedPrecondition, "CUSTOMER_MERGED");
    assert_eq!(metadata(&batch, "field").as_deref(), Some("customer_ids[1]"));
    let transfer = acme.admin.transfer(&[&bob.id], &acme.child("shop").await.account).await;
    assert_refused(transfer, Code::FailedPrecondition, "CUSTOMER_MERGED");
    // It reads as before, alone and in a batch.
    let read = pb::BatchGetCustomersRequest { customer_ids: vec![bob.id.clone()], ..Default::default() };
    let read = acme.admin.customers().batch_get_customers(read).await.unwrap().into_inner();
    assert_eq!(read.customers[0].merged_into, ada.id);
}

#[tokio::test]
async fn every_blocker_is_previewed_and_the_first_is_the_error() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap().id;
    let held = acme.admin.create(customer("Held")).await.unwrap().id;
    place(&acme.admin, &held, "orders").await.unwrap();
    let elsewhere = north.admin.create(customer("Elsewhere")).await.unwrap().id;
    let (gone, into) =
        (acme.admin.create(customer("Gone")).await.unwrap().id, acme.admin.create(customer("Into")).await.unwrap().id);
    acme.admin.merge(&into, &[&gone]).await.unwrap();
    let erased = acme.admin.create(customer("Erased")).await.unwrap().id;
    acme.admin.erase(&erased).await.unwrap();
    let all = merging(&ada, &[&held, &elsewhere, &gone, &erased]);
    let before = rows(&world).await;
    let preview = call(&acme.admin, &Merging { validate_only: true, ..all.clone() }).await.unwrap();
    let blockers: Vec<_> = preview.blockers.iter().map(|one| (one.field.as_str(), one.blocker())).collect();
    let expected = [
        ("merged_customer_ids[0]", MergeBlocker::Hold),
        ("merged_customer_ids[1]", MergeBlocker::OtherOwner),
        ("merged_customer_ids[2]", MergeBlocker::Merged),
        ("merged_customer_ids[3]", MergeBlocker::Erased),
    ];
    assert_eq!(blockers, expected);
    for (ids, reason) in [
        (vec![&held, &elsewhere], "CUSTOMER_HELD"),
        (vec![&elsewhere], "MERGE_BLOCKED"),
        (vec![&gone], "CUSTOMER_MERGED"),
        (vec![&erased], "CUSTOMER_ERASED"),
    ] {
        let ids: Vec<&str> = ids.into_iter().map(String::as_str).collect();
        let refused = assert_refused(acme.admin.merge(&ada, &ids).await, Code::FailedPrecondition, reason);
        assert_eq!(metadata(&refused, "field").as_deref(), Some("merged_customer_ids[0]"));
    }
    assert_eq!(rows(&world).await, before);
    let absent =
        assert_refused(acme.admin.merge(&ada, &[&held, &unknown_id()]).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(metadata(&absent, "field").as_deref(), Some("merged_customer_ids[1]"));
    let foreign = assert_refused(north.admin.merge(&ada, &[&held]).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let unknown = north.admin.merge(&unknown_id(), &[&held]).await;
    assert_eq!(wire(&foreign), wire(&assert_refused(unknown, Code::NotFound, "CUSTOMER_NOT_FOUND")));
}

#[tokio::test]
async fn etags_of_all_are_checked_and_a_repeat_changes_nothing() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let (ada, bob) =
        (acme.admin.create(customer("Ada")).await.unwrap(), acme.admin.create(customer("Bob")).await.unwrap());
    let changed = pb::Customer { id: bob.id.clone(), email: "bob@x.example".to_owned(), ..Default::default() };
    let changed = acme.admin.update(changed, &["email"]).await.unwrap();
    let stale = Merging { merged_etags: [(bob.id.clone(), bob.etag.clone())].into(), ..merging(&ada.id, &[&bob.id]) };
    assert_refused(call(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    let request = Merging {
        etag: ada.etag.clone(),
        merged_etags: [(bob.id.clone(), changed.etag)].into(),
        request_id: request_id(),
        ..merging(&ada.id, &[&bob.id])
    };
    let answers = repeat_at_once(8, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.customer == answers[0].customer));
    let before = rows(&world).await;
    // Without the request_id, and with a stale etag: it is made already.
    let again = call(&acme.admin, &Merging { request_id: String::new(), ..request }).await.unwrap();
    assert_eq!(again.customer, answers[0].customer);
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn many_merges_of_overlapping_sets_make_no_cycle_and_no_deadlock() {
    let world = World::start_with(crate::world::database().await, crate::world::wait_for_locks_in_line).await;
    let acme = world.tenant("acme").await;
    let mut ids = Vec::new();
    for number in 0..10 {
        let made = acme.admin.create(with_custom_ids(&format!("C{number}"), &[("erp", &format!("E-{number}"))])).await;
        ids.push(made.unwrap().id);
    }
    let calls = (0..50_usize).map(|number| {
        let (client, into) = (acme.admin.clone(), ids[number % 10].clone());
        let others: Vec<String> = [1, 3, 4].map(|step| ids[(number * step + number / 10 + step) % 10].clone()).into();
        let others: Vec<String> = others.into_iter().filter(|other| *other != into).collect();
        async move { client.merge(&into, &others.iter().map(String::as_str).collect::<Vec<_>>()).await }
    });
    let mut made = 0;
    for answer in at_once(calls).await {
        match answer {
            Ok(_) => made += 1,
            Err(refused) => {
                let reason = crate::world::reason(&refused);
                assert!(["CUSTOMER_MERGED", "CONTENDED", "INVALID_FIELDS"].contains(&reason.as_str()), "{refused:?}");
            }
        }
    }
    assert!(made > 0);
    let cycles = "select count(*) from customers c join customers i on i.id = c.merged_into where i.status = 'MERGED'";
    let cycles: i64 = sqlx::query_scalar(cycles).fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(cycles, 0, "each names one that is not merged itself");
    for (number, id) in ids.iter().enumerate() {
        let (found, _) = acme.admin.lookup(&format!("E-{number}"), "erp").await.unwrap();
        let named = acme.admin.get(id).await.unwrap();
        assert_eq!(found, if named.merged_into.is_empty() { named.id } else { named.merged_into });
    }
    consistent(&world).await;
}

#[tokio::test]
async fn a_merge_against_updates_and_erasures_leaves_one_of_two_orders() {
    let world = World::start_with(crate::world::database().await, crate::world::wait_for_locks).await;
    let acme = world.tenant("acme").await;
    for round in 0..crate::world::rounds(8) {
        let ada = acme.admin.create(customer("Ada")).await.unwrap().id;
        let bob = acme.admin.create(customer("Bob")).await.unwrap().id;
        let client = acme.admin.clone();
        let name = format!("Bob {round}");
        let (c, a, b) = (client.clone(), ada.clone(), bob.clone());
        let merge: Call = Box::pin(async move { c.merge(&a, &[&b]).await.map(drop) });
        let (c, b) = (client.clone(), bob.clone());
        let renamed = pb::Customer { id: b, legal_name: name.clone(), ..Default::default() };
        let update: Call = Box::pin(async move { c.update(renamed, &["legal_name"]).await.map(drop) });
        let (c, b) = (client.clone(), bob.clone());
        let tag: Call = Box::pin(async move { c.tag(&[&b], &["vip"], &[]).await.map(drop) });
        let (c, gone) = (client.clone(), if round % 2 == 0 { ada.clone() } else { bob.clone() });
        let erase: Call = Box::pin(async move { c.erase(&gone).await.map(drop) });
        for answer in at_once([merge, update, tag, erase]).await {
            if let Err(refused) = answer {
                let reason = crate::world::reason(&refused);
                assert!(["CUSTOMER_MERGED", "CUSTOMER_ERASED", "CONTENDED"].contains(&reason.as_str()), "{refused:?}");
            }
        }
        let (ada, bob) = (acme.admin.get(&ada).await.unwrap(), acme.admin.get(&bob).await.unwrap());
        let erased = [&ada, &bob].iter().filter(|one| one.status() == CustomerStatus::Erased).count();
        assert!(erased >= 1, "{ada:?} {bob:?}");
        if ada.status() == CustomerStatus::Erased {
            assert_ne!(bob.status(), CustomerStatus::Merged, "a source of an erased customer is erased");
        }
    }
}
