//! ModifyCustomerTags: repeats, validate_only, and concurrent calls.

use clientele::grpc::pb::{self, CustomerEventType, ModifyCustomerTagsRequest as Tagging};
use tonic::Code;

use crate::{
    create_tag::create,
    delete_tag::delete,
    modify_customer_tags::{assert_consistent, catalogue, modify, pair, tagging, tags_of},
    rows::rows,
    world::{World, assert_refused, at_once, customer, repeat_at_once, request_id, unknown_id},
};

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    let request = Tagging { request_id: request_id(), ..tagging(&[&ada.id, &bob.id], &["vip"], &[]) };

    let first = modify(&acme.admin, &request).await.unwrap();
    acme.admin.tag(&[&ada.id], &[], &["vip"]).await.unwrap();
    let before = rows(&world).await;
    let repeat = modify(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed && !first.replayed);
    assert_eq!(repeat.outcomes, first.outcomes, "as it was then");

    let other_tags = Tagging { add_tags: vec!["gold".to_owned()], ..request.clone() };
    let fewer = Tagging { customer_ids: vec![ada.id.clone()], ..request.clone() };
    for other in [&other_tags, &fewer] {
        assert_refused(modify(&acme.admin, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
    assert_eq!(rows(&world).await, before, "no tag was created");

    // Existence comes before the stored answer.
    let gone = Tagging { customer_ids: vec![unknown_id()], ..request.clone() };
    assert_refused(modify(&acme.admin, &gone).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let colleague = acme.member(pb::Role::Member).await;
    assert!(!modify(&colleague, &request).await.unwrap().replayed, "a request_id belongs to its caller");
}

#[tokio::test]
async fn a_repeat_after_the_tag_was_deleted_does_not_make_it_again() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    let request = Tagging { request_id: request_id(), ..tagging(&[&ada.id], &["vip"], &[]) };
    let first = modify(&acme.admin, &request).await.unwrap();
    let vip = acme.admin.get(&ada.id).await.unwrap().tags.remove(0);
    delete(&acme.admin, &vip.id).await.unwrap();

    let repeat = modify(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed && repeat.outcomes == first.outcomes);
    assert_eq!(catalogue(&acme.admin).await, []);
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    acme.admin.tag(&[&ada.id], &["vip"], &[]).await.unwrap();
    let before = rows(&world).await;
    let later = Tagging { request_id: request_id(), ..tagging(&[&ada.id, &bob.id], &["VIP"], &["new"]) };
    let only = |request: &Tagging| Tagging { validate_only: true, ..request.clone() };

    let would_be = modify(&acme.admin, &only(&later)).await.unwrap();
    let outcomes: Vec<_> = would_be.outcomes.iter().map(|one| (one.changed, one.etag.as_str())).collect();
    assert_eq!((outcomes, would_be.replayed), (vec![(false, ""), (true, "")], false));
    modify(&acme.admin, &only(&tagging(&[&bob.id], &["on the fly"], &[]))).await.unwrap();
    let absent = modify(&acme.admin, &only(&tagging(&[&unknown_id()], &["vip"], &[]))).await;
    assert_refused(absent, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(rows(&world).await, before);

    assert!(!modify(&acme.admin, &later).await.unwrap().replayed);
}

#[tokio::test]
async fn fifty_concurrent_repeats_tag_once() {
    let world = World::in_production().await;
    let (acme, ada, bob) = pair(&world).await;
    let request = Tagging { request_id: request_id(), ..tagging(&[&bob.id, &ada.id], &["vip"], &[]) };

    let answers = repeat_at_once(50, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { modify(&client, &request).await.unwrap() }
    })
    .await;

    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.outcomes == answers[0].outcomes));
    let events = acme.admin.events(&ada.id).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.r#type() == CustomerEventType::TagsChanged).count(), 1);
    assert_eq!(catalogue(&acme.admin).await, [("vip".to_owned(), 2)]);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn batches_in_opposite_order_all_succeed() {
    let world = World::in_production().await;
    let (acme, ada, _) = pair(&world).await;
    // Existing tags: calls that create a tag wait for each other, and so would not compete for the customers.
    for number in 0..12 {
        create(&acme.admin, &format!("own {number:02}")).await.unwrap();
    }
    let mut ids = world.copies(&ada.id, 60).await;
    ids.push(ada.id);

    let calls = (0..12).map(|number| {
        let client = acme.admin.clone();
        let mut ids = ids.clone();
        if number % 2 == 1 {
            ids.reverse();
        }
        async move {
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            client.tag(&ids, &[&format!("own {number:02}")], &[]).await
        }
    });
    for answer in at_once(calls).await {
        assert!(answer.unwrap().outcomes.iter().all(|outcome| outcome.changed));
    }

    for id in &ids {
        assert_eq!(tags_of(&acme.admin, id).await.len(), 12);
    }
    assert_consistent(&world).await;
}

#[tokio::test]
async fn concurrent_calls_with_one_new_name_create_one_tag() {
    let world = World::in_production().await;
    let (acme, ada, bob) = pair(&world).await;
    let calls = (0..12).map(|number| {
        let (client, ids) = (acme.admin.clone(), [ada.id.clone(), bob.id.clone()]);
        async move {
            let name = ["shared", "SHARED"][number % 2];
            client.tag(&[&ids[number % 2]], &[name, &format!("own {number:02}")], &[]).await
        }
    });
    for answer in at_once(calls).await {
        assert!(answer.unwrap().outcomes[0].changed);
    }
    let listed = catalogue(&acme.admin).await;
    assert_eq!(listed.len(), 13);
    assert_eq!((listed[12].0.to_lowercase().as_str(), listed[12].1), ("shared", 2));
    assert_consistent(&world).await;
}

#[tokio::test]
async fn concurrent_tags_on_one_customer_are_all_kept() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("north").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Ada") };
    let ada = acme.admin.create(fleet).await.unwrap();

    for client in [&acme.admin, &dealer.admin] {
        for number in 0..24 {
            create(client, &format!("tag {number:02}")).await.unwrap();
        }
    }
    // The owner's tags are in the customer's row, the dealer's in its link.
    let calls = (0..24).map(|number| {
        let client = if number % 2 == 0 { acme.admin.clone() } else { dealer.admin.clone() };
        let id = ada.id.clone();
        async move { client.tag(&[&id], &[&format!("tag {number:02}")], &[]).await }
    });
    for answer in at_once(calls).await {
        answer.unwrap();
    }

    let names = |first: usize| (first..24).step_by(2).map(|number| format!("tag {number:02}")).collect::<Vec<_>>();
    assert_eq!(tags_of(&acme.admin, &ada.id).await, names(0));
    assert_eq!(tags_of(&dealer.admin, &ada.id).await, names(1));
    assert_consistent(&world).await;
}

#[tokio::test]
async fn concurrent_tagging_and_deleting_leaves_no_trace_of_a_deleted_tag() {
    let world = World::in_production().await;
    let (acme, ada, bob) = pair(&world).await;
    for _ in 0..crate::world::rounds(5) {
        acme.admin.tag(&[&ada.id], &["vip"], &["other"]).await.unwrap();
        let vip = acme.admin.get(&ada.id).await.unwrap().tags.remove(0);
        let calls = (0..6).map(|number| {
            let (client, ada, bob, vip) = (acme.admin.clone(), ada.id.clone(), bob.id.clone(), vip.id.clone());
            async move {
                if number == 3 {
                    delete(&client, &vip).await.map(|_| ())
                } else {
                    client.tag(&[&bob, &ada], &["vip"], &["other"]).await.map(|_| ())
                }
            }
        });
        for answer in at_once(calls).await {
            answer.unwrap();
        }
        assert_consistent(&world).await;
        assert!(acme.admin.get(&ada.id).await.unwrap().tags.iter().all(|tag| tag.id != vip.id));
    }
}
