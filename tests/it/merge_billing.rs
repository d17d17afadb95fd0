//! MergeCustomers, UnmergeCustomers, EraseCustomer and ExportSubjectData: payment methods and features.

use clientele::grpc::pb::{MergeBlocker, MergeCustomersRequest as Merging};
use tonic::Code;

use crate::{
    billing::{activate, create_feature, deactivate, feature},
    export_subject_data::{by_kind, export},
    merge_customers::{call, merging},
    payment_methods::{add, adding, list},
    rows::rows,
    suspend_customer::active,
    world::{World, assert_refused, customer},
};

#[tokio::test]
async fn payment_methods_are_united_and_go_back_and_are_exported_and_erased() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let admin = &acme.admin;
    let ada = admin.create(customer("Ada")).await.unwrap().id;
    let bob = admin.create(customer("Bob")).await.unwrap().id;
    let first = add(admin, &adding(&bob)).await.unwrap().payment_method.unwrap();
    let second = add(admin, &adding(&bob)).await.unwrap().payment_method.unwrap();
    let before = admin.get(&bob).await.unwrap();

    let merged = call(admin, &merging(&ada, &[&bob])).await.unwrap().customer.unwrap();

    let ids = async |id: &str| -> Vec<String> {
        list(admin, id).await.unwrap().into_iter().map(|method| method.id).collect()
    };
    assert_eq!(ids(&ada).await, [first.id.clone(), second.id.clone()]);
    assert_eq!(merged.default_payment_method_id, first.id, "it had none");
    assert_eq!((ids(&bob).await, admin.get(&bob).await.unwrap().default_payment_method_id), (vec![], String::new()));
    let merge = &admin.events(&ada).await.unwrap()[0];
    assert!(merge.changes.iter().any(|change| change.field == "default_payment_method_id"), "{merge:?}");
    let exported = export(admin, &ada, 1_000).await;
    let tokens: Vec<_> = by_kind(&exported)["payment_method"].iter().map(|method| method["token"].clone()).collect();
    assert_eq!(tokens, ["tok_8Zq", "tok_8Zq"]);

    let third = add(admin, &adding(&ada)).await.unwrap().payment_method.unwrap();
    admin.unmerge(&bob).await.unwrap();

    assert_eq!(ids(&bob).await, [first.id.clone(), second.id.clone()]);
    assert_eq!(admin.get(&bob).await.unwrap().default_payment_method_id, before.default_payment_method_id);
    assert_eq!(
        (ids(&ada).await, admin.get(&ada).await.unwrap().default_payment_method_id),
        (vec![third.id], String::new())
    );
    // The number of each is right: 19 more fit.
    for _ in 0..18 {
        add(admin, &adding(&bob)).await.unwrap();
    }
    assert_refused(add(admin, &adding(&bob)).await, Code::FailedPrecondition, "LIMIT_REACHED");

    admin.erase(&bob).await.unwrap();
    assert!(rows(&world).await["payment_methods"].iter().all(|row| !row.contains(&bob)));
    assert_eq!(ids(&ada).await.len(), 1, "those of others stay");
}

#[tokio::test]
async fn active_features_and_more_than_20_payment_methods_block_a_merge() {
    let world = World::start().await;
    let (acme, bob) = active(&world).await;
    let admin = &acme.admin;
    let ada = admin.create(customer("Ada Two")).await.unwrap().id;
    create_feature(admin, feature("caller-id")).await.unwrap();
    activate(admin, &bob.id, "caller-id", 1).await.unwrap();
    add(admin, &adding(&ada)).await.unwrap();
    for _ in 0..20 {
        add(admin, &adding(&bob.id)).await.unwrap();
    }
    let preview = Merging { validate_only: true, ..merging(&ada, &[&bob.id]) };
    let blockers = call(admin, &preview).await.unwrap().blockers;
    let found: Vec<_> = blockers.iter().map(|blocked| (blocked.customer_id.clone(), blocked.blocker())).collect();
    assert_eq!(
        found,
        [(bob.id.clone(), MergeBlocker::ActiveFeatures), (ada.clone(), MergeBlocker::TooManyPaymentMethods)]
    );
    assert!(blockers.iter().all(|blocked| !blocked.message.is_empty()));
    let before = rows(&world).await;
    assert_refused(call(admin, &merging(&ada, &[&bob.id])).await, Code::FailedPrecondition, "MERGE_BLOCKED");
    assert_eq!(rows(&world).await, before);
    deactivate(admin, &bob.id, "caller-id").await.unwrap();
    assert_refused(call(admin, &merging(&ada, &[&bob.id])).await, Code::FailedPrecondition, "LIMIT_REACHED");
    // The one that stays may have features.
    activate(admin, &bob.id, "caller-id", 1).await.unwrap();
    let other = admin.create(customer("Eve")).await.unwrap().id;
    let kept = call(admin, &merging(&bob.id, &[&other])).await.unwrap().customer.unwrap();
    assert_eq!(kept.active_features.len(), 1);
}
