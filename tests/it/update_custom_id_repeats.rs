//! UpdateCustomId: repeats, stale etags, validate_only, events, and races.

use clientele::grpc::pb::{self, CustomerEventType, Role};
use tonic::Code;

use crate::{
    custom_ids::{assert_consistent, at_once, change, fleet, with_custom_ids, written},
    world::{World, assert_refused, customer, metadata, reason, request_id, until},
};

#[tokio::test]
async fn a_repeat_gets_the_first_answer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let request = pb::UpdateCustomIdRequest { request_id: request_id(), ..change(&ada.id, "erp", "1") };
    let first = acme.admin.set(request.clone()).await.unwrap();
    assert!(!first.replayed);
    acme.admin.set_id(&ada.id, "erp", "2").await.unwrap();
    let before = written(&world).await;
    let again = acme.admin.set(request.clone()).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.customer, first.customer);
    let other = pb::UpdateCustomIdRequest { custom_id: "3".to_owned(), ..request.clone() };
    assert_refused(acme.admin.set(other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(written(&world).await, before);
    // A call that changes nothing leaves its request_id free.
    let idle = pb::UpdateCustomIdRequest { request_id: request_id(), ..change(&ada.id, "erp", "2") };
    for _ in 0..2 {
        assert!(!acme.admin.set(idle.clone()).await.unwrap().replayed);
    }
}

#[tokio::test]
async fn a_member_gets_the_stored_answer_for_the_missing_id_that_it_set() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("dealer").await;
    let ada = acme.admin.create(fleet("Ada")).await.unwrap();
    let member = dealer.member(Role::Member).await;
    let request = pb::UpdateCustomIdRequest { request_id: request_id(), ..change(&ada.id, "dms", "1") };
    let first = member.set(request.clone()).await.unwrap();
    let again = member.set(request).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.customer, first.customer);
}

#[tokio::test]
async fn many_equal_concurrent_calls_change_it_once() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let request = pb::UpdateCustomIdRequest { request_id: request_id(), ..change(&ada.id, "erp", "1") };
    let calls = (0..16).map(|_| {
        let (admin, request) = (acme.admin.clone(), request.clone());
        async move { admin.set(request).await }
    });
    let answers: Vec<_> = at_once(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.customer == answers[0].customer));
    assert_eq!(acme.admin.events(&ada.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_what_changed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "1")])).await.unwrap();
    let with =
        |custom_id: &str| pb::UpdateCustomIdRequest { etag: ada.etag.clone(), ..change(&ada.id, "erp", custom_id) };
    acme.admin.set(with("2")).await.unwrap();
    let refused = assert_refused(acme.admin.set(with("3")).await, Code::Aborted, "ETAG_MISMATCH");
    let now = acme.admin.get(&ada.id).await.unwrap();
    assert_eq!(metadata(&refused, "etag").as_deref(), Some(now.etag.as_str()));
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("custom_ids.erp"));
    acme.admin.set(with("2")).await.expect("already made");
    // A change of the customer also makes the etag stale, and a change of the link does so for a change of the customer.
    let renamed = pb::Customer { name: "Eve".to_owned(), ..ada.clone() };
    acme.admin.update(renamed.clone(), &["name"]).await.unwrap();
    let refused = assert_refused(acme.admin.set(with("4")).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("custom_ids.erp,name"));
    let request = pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { name: "Zoe".to_owned(), ..renamed }),
        update_mask: Some(crate::world::mask(&["name"])),
        etag: now.etag,
        ..Default::default()
    };
    let refused = acme.admin.customers().update_customer(request).await;
    let refused = assert_refused(refused, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("name"));
}

#[tokio::test]
async fn validate_only_checks_everything_and_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "1")])).await.unwrap();
    let bob = acme.admin.create(with_custom_ids("Bob", &[("erp", "2")])).await.unwrap();
    let member = acme.member(Role::Member).await;
    let before = written(&world).await;
    let only = |id: &str| pb::UpdateCustomIdRequest {
        validate_only: true,
        request_id: request_id(),
        ..change(&ada.id, "erp", id)
    };
    let would_be = acme.admin.set(only("3")).await.unwrap().customer.unwrap();
    assert_eq!((would_be.custom_ids["erp"].as_str(), would_be.etag.as_str()), ("3", ""));
    assert_refused(acme.admin.set(only("2")).await, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
    assert_refused(member.set(only("3")).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(written(&world).await, before);
    assert_eq!(acme.admin.lookup("2", "erp").await.unwrap().0, bob.id);
}

#[tokio::test]
async fn only_the_account_that_made_a_change_sees_its_event() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let ada = acme.admin.create(fleet("Ada")).await.unwrap();
    let by_owner = pb::UpdateCustomIdRequest { request_id: request_id(), ..change(&ada.id, "erp", "o-1") };
    acme.admin.set(by_owner.clone()).await.unwrap();
    north.admin.set_id(&ada.id, "erp", "n-1").await.unwrap();
    north.admin.set_id(&ada.id, "erp", "").await.unwrap();

    let changes_seen = async |client: &crate::world::Client| {
        let events = client.events(&ada.id).await.unwrap();
        let ids = events.into_iter().filter(|event| event.r#type() == CustomerEventType::CustomIdsChanged);
        ids.map(|event| {
            let text = |value: &Option<prost_types::Value>| match value.as_ref().and_then(|value| value.kind.as_ref()) {
                Some(prost_types::value::Kind::StringValue(text)) => text.clone(),
                _ => String::new(),
            };
            let change = &event.changes[0];
            assert_eq!((event.changes.len(), change.field.as_str()), (1, "custom_ids.erp"));
            assert_eq!(event.rpc, "clientele.v1.CustomerService/UpdateCustomId");
            (text(&change.old_value), text(&change.new_value), event.acting_account_id, event.request_id)
        })
        .collect::<Vec<_>>()
    };
    let line = |old: &str, new: &str, account: &str, id: &str| (old.into(), new.into(), account.into(), id.into());
    assert_eq!(changes_seen(&acme.admin).await, [line("", "o-1", &acme.account, &by_owner.request_id)]);
    assert_eq!(
        changes_seen(&north.admin).await,
        [line("n-1", "", &north.account, ""), line("", "n-1", &north.account, "")]
    );
    assert_eq!(changes_seen(&south.admin).await, []);
}

#[tokio::test]
async fn one_of_100_callers_with_one_value_wins() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(acme.admin.create(customer(&format!("Customer {number}"))).await.unwrap().id);
    }
    let calls = ids.clone().into_iter().map(|id| {
        let admin = acme.admin.clone();
        async move { (admin.set_id(&id, "erp", "the one").await, id) }
    });
    let mut winners = Vec::new();
    for (answer, id) in at_once(calls).await {
        match answer {
            Ok(_) => winners.push(id),
            Err(refused) => {
                assert_eq!(reason(&refused), "CUSTOM_ID_TAKEN", "{refused:?}");
                assert_eq!(metadata(&refused, "field").as_deref(), Some("custom_id"));
            }
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(acme.admin.lookup("the one", "").await.unwrap(), (winners[0].clone(), false));
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_caller_that_waits_for_a_value_that_is_then_taken_gets_custom_id_taken() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let bob = acme.admin.create(with_custom_ids("Bob", &[("erp", "old")])).await.unwrap();
    // Another session gives Bob the value and has not committed yet.
    let mut other = world.sql().await;
    let statement = "begin; update custom_ids set value = 'new', value_key = 'new' where value = 'old'";
    sqlx::raw_sql(statement).execute(&mut other).await.unwrap();
    let waiting = tokio::spawn({
        let (admin, id) = (acme.admin.clone(), ada.id.clone());
        async move { admin.set_id(&id, "erp", "new").await }
    });
    until("it waits", async || {
        let statement = "select exists (select from pg_stat_activity where datname = current_database()
                         and wait_event_type = 'Lock' and query like '%with element as%')";
        sqlx::query_scalar(statement).fetch_one(&mut world.sql().await).await.unwrap()
    })
    .await;
    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    let refused = assert_refused(waiting.await.unwrap(), Code::AlreadyExists, "CUSTOM_ID_TAKEN");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("custom_id"));
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), ada);
    assert_eq!(acme.admin.lookup("new", "").await.unwrap().0, bob.id);
}

#[tokio::test]
async fn a_taken_value_is_refused_without_waiting_for_its_customer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    acme.admin.create(with_custom_ids("Bob", &[("erp", "2")])).await.unwrap();
    // Another session has locked that customer; if calls waited here, two that want each other's value would deadlock.
    let mut other = world.sql().await;
    sqlx::raw_sql("begin; update custom_ids set created_at = now()").execute(&mut other).await.unwrap();
    let refused = acme.admin.set_id(&ada.id, "erp", "2").await;
    assert_refused(refused, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
}

#[tokio::test]
async fn two_customers_swap_their_values() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "1")])).await.unwrap();
    let bob = acme.admin.create(with_custom_ids("Bob", &[("erp", "2")])).await.unwrap();
    // Without an intermediate step each is refused, and neither waits for the other.
    let calls = [(ada.id.clone(), "2"), (bob.id.clone(), "1")].map(|(id, value)| {
        let admin = acme.admin.clone();
        async move { admin.set_id(&id, "erp", value).await }
    });
    for answer in at_once(calls).await {
        assert_refused(answer, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
    }
    acme.admin.set_id(&ada.id, "erp", "").await.unwrap();
    assert_eq!(acme.admin.lookup("1", "erp").await.unwrap(), (ada.id.clone(), true));
    acme.admin.set_id(&bob.id, "erp", "1").await.unwrap();
    acme.admin.set_id(&ada.id, "erp", "2").await.unwrap();
    assert_eq!(acme.admin.lookup("1", "erp").await.unwrap(), (bob.id.clone(), false));
    assert_eq!(acme.admin.lookup("2", "erp").await.unwrap(), (ada.id.clone(), false));
    assert_consistent(&world).await;
}

#[tokio::test]
async fn writers_without_an_etag_all_succeed() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("dealer").await;
    let ada = acme.admin.create(fleet("Ada")).await.unwrap();
    let calls = (0..48).map(|number| {
        let (owner, dealer, id) = (acme.admin.clone(), dealer.admin.clone(), ada.id.clone());
        async move {
            let system = format!("s{}", number / 3);
            match number % 3 {
                0 => owner.set_id(&id, &system, "1").await,
                1 => dealer.set_id(&id, &system, "1").await,
                _ => {
                    let customer = pb::Customer { id, email: format!("a{number}@b.example"), ..Default::default() };
                    owner.update(customer, &["email"]).await
                }
            }
        }
    });
    for answer in at_once(calls).await {
        answer.unwrap();
    }
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().custom_ids.len(), 16);
    assert_eq!(dealer.admin.get(&ada.id).await.unwrap().custom_ids.len(), 16);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn after_concurrent_changes_each_value_has_one_customer_and_each_customer_one_value() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(acme.admin.create(customer(&format!("Customer {number}"))).await.unwrap().id);
    }
    let calls = (0..240_usize).map(|step| {
        let (admin, id) = (acme.admin.clone(), ids[step % 6].clone());
        // One of the 8 values is empty.
        let value = ["", "a", "A", "b", "c", "d", "e", "f"][step * 7 / 5 % 8];
        // CONTENDED wrote nothing and asks for the call again: 240 of them at 8 values can wait for each other too often.
        async move {
            loop {
                match admin.set_id(&id, "erp", value).await {
                    Err(refused) if reason(&refused) == "CONTENDED" => {}
                    answer => return answer,
                }
            }
        }
    });
    let mut taken = 0;
    for answer in at_once(calls).await {
        if let Err(refused) = answer {
            assert_eq!(reason(&refused), "CUSTOM_ID_TAKEN", "{refused:?}");
            taken += 1;
        }
    }
    assert!((1..240).contains(&taken), "{taken}");
    assert_consistent(&world).await;
    for id in &ids {
        for value in acme.admin.get(id).await.unwrap().custom_ids.values() {
            assert_eq!(acme.admin.lookup(value, "erp").await.unwrap(), (id.clone(), false));
        }
    }
}
