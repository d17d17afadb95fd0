//! Merges against updates of the customers that they merge: no write is lost, and none comes too late.

use std::{future::Future, pin::Pin};

use clientele::grpc::pb;
use tonic::Status;

use crate::{
    custom_ids::with_custom_ids,
    merge_customers::consistent,
    world::{World, at_once, customer, reason, rounds, wait_for_locks_in_line},
};

type Call = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_comes_before_the_merge_and_into_it_or_is_refused() {
    let world = World::in_production_with(wait_for_locks_in_line).await;
    let acme = world.tenant("acme").await;
    for round in 0..rounds(12) {
        let numbered = with_custom_ids("Ada", &[("billing", &format!("B-{round}"))]);
        let ada = acme.admin.create(numbered).await.unwrap().id;
        let bob = acme.admin.create(customer("Bob")).await.unwrap().id;
        let update = |id: &str, customer: pb::Customer, path: &'static str| -> Call {
            let (client, customer) = (acme.admin.clone(), pb::Customer { id: id.to_owned(), ..customer });
            Box::pin(async move { client.update(customer, &[path]).await.map(drop) })
        };
        let merge: Call = {
            let (client, ada, bob) = (acme.admin.clone(), ada.clone(), bob.clone());
            Box::pin(async move { client.merge(&ada, &[&bob]).await.map(drop) })
        };
        let number: Call = {
            let (client, bob) = (acme.admin.clone(), bob.clone());
            Box::pin(async move { client.set_id(&bob, "erp", &format!("E-{round}")).await.map(drop) })
        };
        let email = pb::Customer { email: "bob@x.example".to_owned(), ..Default::default() };
        let legal_name = pb::Customer { legal_name: "Ada B.V.".to_owned(), ..Default::default() };
        let labels = pb::Customer { labels: [("tier".to_owned(), "gold".to_owned())].into(), ..Default::default() };

        let calls = [
            merge,
            update(&bob, email, "email"),
            update(&ada, legal_name, "legal_name"),
            update(&bob, labels, "labels.tier"),
            number,
        ];
        let answers = at_once(calls).await;

        let [merged, email, legal_name, label, number] = answers.try_into().unwrap();
        merged.unwrap();
        legal_name.unwrap();
        let now = acme.admin.get(&ada).await.unwrap();
        assert_eq!(now.legal_name, "Ada B.V.", "the survivor's own update is never lost");
        let had = [!now.email.is_empty(), now.labels.contains_key("tier"), now.custom_ids.contains_key("erp")];
        for (answer, had) in [email, label, number].into_iter().zip(had) {
            match answer {
                Ok(()) => assert!(had, "what was written before the merge is in it: {now:?}"),
                Err(refused) => {
                    assert_eq!(reason(&refused), "CUSTOMER_MERGED");
                    assert!(!had, "{now:?}");
                }
            }
        }
        let gone = acme.admin.get(&bob).await.unwrap();
        assert_eq!((gone.status(), gone.merged_into), (pb::CustomerStatus::Merged, ada));
        consistent(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_merges_and_their_undoing_at_once_one_order_is_left() {
    let world = World::in_production_with(wait_for_locks_in_line).await;
    let acme = world.tenant("acme").await;
    for round in 0..rounds(8) {
        let mut ids = Vec::new();
        for name in ["Ada", "Bob", "Eve"] {
            let numbered = with_custom_ids(name, &[("erp", &format!("{name}-{round}"))]);
            let made = pb::Customer { email: format!("{name}@x.example"), ..numbered };
            ids.push(acme.admin.create(made).await.unwrap().id);
        }
        acme.admin.merge(&ids[0], &[&ids[1]]).await.unwrap();
        let merge = |into: usize, of: usize| -> Call {
            let (client, into, of) = (acme.admin.clone(), ids[into].clone(), ids[of].clone());
            Box::pin(async move { client.merge(&into, &[&of]).await.map(drop) })
        };
        let unmerge = |of: usize| -> Call {
            let (client, of) = (acme.admin.clone(), ids[of].clone());
            Box::pin(async move { client.unmerge(&of).await.map(drop) })
        };
        let renamed: Call = {
            let renamed = pb::Customer { id: ids[0].clone(), ..customer("Ada II") };
            let client = acme.admin.clone();
            Box::pin(async move { client.update(renamed, &["name"]).await.map(drop) })
        };
        let calls = [unmerge(1), unmerge(1), merge(2, 0), merge(0, 2), unmerge(0), renamed];
        for answer in at_once(calls).await {
            if let Err(refused) = answer {
                let reason = reason(&refused);
                let expected = ["CUSTOMER_MERGED", "NOT_MERGED", "MERGE_FINAL", "CONTENDED"];
                assert!(expected.contains(&reason.as_str()), "{refused:?}");
            }
        }
        // Each names one that is not merged itself.
        for id in &ids {
            let named = acme.admin.get(id).await.unwrap().merged_into;
            if !named.is_empty() {
                assert_ne!(acme.admin.get(&named).await.unwrap().status(), pb::CustomerStatus::Merged);
            }
        }
        consistent(&world).await;
    }
}
