//! MergeCustomers, UnmergeCustomers, EraseCustomer and ExportSubjectData: payment methods and features.

use clientele::grpc::{
    money::Money,
    pb::{self, MergeBlocker, MergeCustomersRequest as Merging, ServiceClass, SetCreditLimitRequest},
};
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    billing::{
        activate, active, assign, create_plan, credit, deactivate, eur, plan, set_limit, telecom, update_plan,
        with_limit,
    },
    export_subject_data::{by_kind, export},
    list_customer_events::changes,
    merge_customers::{call, merging},
    payment_methods::{add, adding, list},
    rows::rows,
    suspend_customer,
    world::{Client, TestAccount, World, assert_refused, at_once, customer, metadata, rounds},
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
async fn more_than_20_payment_methods_block_a_merge() {
    let world = World::start().await;
    let (acme, bob) = suspend_customer::active(&world).await;
    let admin = &acme.admin;
    let ada = admin.create(customer("Ada Two")).await.unwrap().id;
    add(admin, &adding(&ada)).await.unwrap();
    for _ in 0..20 {
        add(admin, &adding(&bob.id)).await.unwrap();
    }
    let before = rows(&world).await;
    let found = blocked(admin, &merging(&ada, &[&bob.id])).await;
    assert_eq!(found, [(ada.clone(), MergeBlocker::TooManyPaymentMethods)]);
    assert_refused(call(admin, &merging(&ada, &[&bob.id])).await, Code::FailedPrecondition, "LIMIT_REACHED");
    assert_eq!(rows(&world).await, before);
}

/// What blocks a merge: customers and blockers. Each says something.
async fn blocked(client: &Client, request: &Merging) -> Vec<(String, MergeBlocker)> {
    let preview = Merging { validate_only: true, ..request.clone() };
    let blockers = call(client, &preview).await.unwrap().blockers;
    assert!(blockers.iter().all(|blocked| !blocked.message.is_empty()));
    blockers.iter().map(|blocked| (blocked.customer_id.clone(), blocked.blocker())).collect()
}

async fn force_limit(client: &Client, id: &str, limit: Option<Money>) {
    let request =
        SetCreditLimitRequest { customer_id: id.to_owned(), credit_limit: limit, force: true, ..Default::default() };
    client.billing().set_credit_limit(request).await.unwrap();
}

/// Ada with a limit of 30 euros and two voicemails, and Bob with 100 and voicemails, a trunk and caller ids: together 20 euros.
async fn sold(world: &World) -> (TestAccount, pb::RatePlan, String, String) {
    let (acme, standard) = telecom(world).await;
    let admin = &acme.admin;
    let ada = with_limit(admin, "Ada", 30).await.id;
    let bob = with_limit(admin, "Bob", 100).await.id;
    activate(admin, &ada, "voicemail", 2).await.unwrap();
    for (code, quantity) in [("voicemail", 3), ("trunk", 1), ("caller-id", 2)] {
        activate(admin, &bob, code, quantity).await.unwrap();
    }
    (acme, standard, ada, bob)
}

#[tokio::test]
async fn features_move_to_the_one_that_stays_within_its_own_limit_and_come_back() {
    let world = World::start().await;
    let (acme, standard, ada, bob) = sold(&world).await;
    let admin = &acme.admin;
    let [ada_before, bob_before] = [admin.get(&ada).await.unwrap(), admin.get(&bob).await.unwrap()];
    let stored = rows(&world).await;
    let preview = Merging { validate_only: true, ..merging(&ada, &[&bob]) };
    let preview = call(admin, &preview).await.unwrap().customer.unwrap();
    assert_eq!(rows(&world).await, stored);
    let merged = call(admin, &merging(&ada, &[&bob])).await.unwrap().customer.unwrap();
    for shown in [&preview, &merged, &admin.get(&ada).await.unwrap()] {
        assert_eq!(active(shown), [("caller-id", 2), ("trunk", 1), ("voicemail", 5)]);
        assert_eq!(credit(shown), (Some(30), Some(20), Some(10)), "limits are not added");
    }
    let gone = admin.get(&bob).await.unwrap();
    assert_eq!((active(&gone), credit(&gone).1), (vec![], Some(0)));
    let event = admin.events(&ada).await.unwrap().remove(0);
    assert_eq!(changes(&event)["active_features.voicemail"], (json!(2.0), json!(5.0)));
    assert_eq!(changes(&event)["active_features.trunk"], (Value::Null, json!(1.0)));
    let event = admin.events(&bob).await.unwrap().remove(0);
    assert_eq!(changes(&event)["active_features.trunk"], (json!(1.0), Value::Null));
    let reported = crate::billing_report::rows(admin, &Default::default()).await.unwrap();
    assert_eq!(reported.iter().map(|row| row.customer_id.clone()).collect::<Vec<_>>(), std::slice::from_ref(&ada));
    // The price is needed by the one that has the feature now, and by nobody else.
    let without = pb::RatePlan { prices: [].into(), ..standard.clone() };
    let refused = update_plan(admin, without.clone(), &["prices.trunk"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");

    admin.unmerge(&bob).await.unwrap();
    for before in [&ada_before, &bob_before] {
        let now = admin.get(&before.id).await.unwrap();
        assert_eq!((&now.active_features, credit(&now)), (&before.active_features, credit(before)));
    }
    let event = admin.events(&ada).await.unwrap().remove(0);
    assert_eq!(changes(&event)["active_features.voicemail"], (json!(5.0), json!(2.0)));
    let event = admin.events(&bob).await.unwrap().remove(0);
    assert_eq!(changes(&event)["active_features.trunk"], (Value::Null, json!(1.0)));
    let refused = update_plan(admin, without.clone(), &["prices.trunk"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");
    deactivate(admin, &bob, "trunk").await.unwrap();
    update_plan(admin, without, &["prices.trunk"]).await.unwrap();
}

#[tokio::test]
async fn one_without_a_limit_gets_that_of_the_first_other_and_gives_it_back() {
    let world = World::start().await;
    let (acme, _, _, bob) = sold(&world).await;
    let admin = &acme.admin;
    let eve = admin.create(customer("Eve")).await.unwrap().id;
    let merged = call(admin, &merging(&eve, &[&bob])).await.unwrap().customer.unwrap();
    assert_eq!(credit(&merged), (Some(100), Some(16), Some(84)));
    admin.unmerge(&bob).await.unwrap();
    let [eve, bob] = [admin.get(&eve).await.unwrap(), admin.get(&bob).await.unwrap()];
    assert_eq!((credit(&eve), credit(&bob)), ((None, Some(0), None), (Some(100), Some(16), Some(84))));
}

#[tokio::test]
async fn what_the_one_that_stays_cannot_have_blocks_the_merge_and_is_named() {
    let world = World::start().await;
    let (acme, _, ada, bob) = sold(&world).await;
    let admin = &acme.admin;
    let refused = async |reason: &str, field: &str, says: &[&str]| {
        let before = rows(&world).await;
        let status = assert_refused(call(admin, &merging(&ada, &[&bob])).await, Code::FailedPrecondition, reason);
        assert_eq!(metadata(&status, "field").as_deref(), Some(field));
        assert!(says.iter().all(|word| status.message().contains(word)), "{}", status.message());
        assert_eq!(rows(&world).await, before);
    };
    let found = async || blocked(admin, &merging(&ada, &[&bob])).await;
    set_limit(admin, &ada, Some(eur(19))).await.unwrap();
    assert_eq!(found().await, [(ada.clone(), MergeBlocker::CreditLimit)]);
    refused("CREDIT_LIMIT_EXCEEDED", "customer_id", &["20 EUR", "19 EUR"]).await;
    for id in [&ada, &bob] {
        force_limit(admin, id, None).await;
    }
    assert_eq!(found().await, [(ada.clone(), MergeBlocker::CreditLimit)]);
    refused("CREDIT_LIMIT_MISSING", "customer_id", &["20 EUR"]).await;
    force_limit(admin, &ada, Some(eur(20))).await;

    let bare = create_plan(admin, plan("Bare", &[("voicemail", 1)])).await.unwrap();
    assign(admin, &ada, &bare.id).await.unwrap();
    assert_eq!(found().await, [(bob.clone(), MergeBlocker::PriceMissing)]);
    refused("PRICE_MISSING", "merged_customer_ids[0]", &["trunk"]).await;
    deactivate(admin, &ada, "voicemail").await.unwrap();
    let dollars = pb::RatePlan { currency: "USD".to_owned(), ..plan("Dollars", &[]) };
    let dollars = create_plan(admin, dollars).await.unwrap();
    assign(admin, &ada, &dollars.id).await.unwrap();
    assert_eq!(found().await, [(bob.clone(), MergeBlocker::Currency)]);
    refused("CURRENCY_MISMATCH", "merged_customer_ids[0]", &["EUR", "USD"]).await;
    admin.archive(&[&ada]).await.unwrap();
    assert_eq!(found().await, [(bob.clone(), MergeBlocker::ActiveFeatures)]);
    refused("MERGE_BLOCKED", "merged_customer_ids[0]", &["archived"]).await;

    let home = pb::Customer { service_class: ServiceClass::Residential.into(), ..customer("Home") };
    let home = admin.create(home).await.unwrap().id;
    let into_home = blocked(admin, &merging(&home, &[&bob])).await;
    assert!(into_home.contains(&(bob.clone(), MergeBlocker::ServiceClass)), "{into_home:?}");
    let choices = [("service_class".to_owned(), home.clone())].into();
    let reclassed = Merging { choices, ..merging(&bob, &[&home]) };
    let found = blocked(admin, &reclassed).await;
    assert_eq!(
        found,
        [(bob.clone(), MergeBlocker::ServiceClass)],
        "its own feature is not for the class that it would get"
    );
}

#[tokio::test]
async fn what_was_changed_after_the_merge_stays_only_if_asked() {
    let world = World::start().await;
    let (acme, _, ada, bob) = sold(&world).await;
    let admin = &acme.admin;
    call(admin, &merging(&ada, &[&bob])).await.unwrap();
    activate(admin, &ada, "voicemail", 7).await.unwrap();
    let undo = |keep_newer, validate_only| pb::UnmergeCustomersRequest {
        customer_id: bob.clone(),
        keep_newer,
        validate_only,
        ..Default::default()
    };
    let preview = admin.customers().unmerge_customers(undo(false, true)).await.unwrap().into_inner();
    assert_eq!(preview.changed_fields, ["active_features.voicemail"]);
    let refused = admin.customers().unmerge_customers(undo(false, false)).await;
    assert_refused(refused, Code::FailedPrecondition, "CHANGED_SINCE_MERGE");
    let back = admin.customers().unmerge_customers(undo(true, false)).await.unwrap().into_inner().customer.unwrap();
    assert_eq!(active(&back), [("caller-id", 2), ("trunk", 1), ("voicemail", 3)]);
    let ada = admin.get(&ada).await.unwrap();
    assert_eq!((active(&ada), credit(&ada)), (vec![("voicemail", 7)], (Some(30), Some(14), Some(16))));
}

#[tokio::test]
async fn a_feature_whose_price_is_gone_keeps_a_merge_from_being_undone() {
    let world = World::start().await;
    let (acme, _, ada, bob) = sold(&world).await;
    let admin = &acme.admin;
    let cheap = create_plan(admin, plan("Cheap", &[("voicemail", 1), ("trunk", 1)])).await.unwrap();
    assign(admin, &bob, &cheap.id).await.unwrap();
    call(admin, &merging(&ada, &[&bob])).await.unwrap();
    let without = pb::RatePlan { prices: [].into(), ..cheap.clone() };
    update_plan(admin, without, &["prices.trunk"]).await.unwrap();
    let request = pb::UnmergeCustomersRequest { customer_id: bob.clone(), validate_only: true, ..Default::default() };
    let preview = admin.customers().unmerge_customers(request).await.unwrap().into_inner();
    assert_eq!(preview.blockers, [pb::UnmergeBlocker::Features as i32]);
    let before = rows(&world).await;
    assert_refused(admin.unmerge(&bob).await, Code::FailedPrecondition, "MERGE_FINAL");
    assert_eq!(rows(&world).await, before);
    update_plan(admin, cheap, &["prices.trunk"]).await.unwrap();
    admin.unmerge(&bob).await.unwrap();
    let bob = admin.get(&bob).await.unwrap();
    assert_eq!((bob.active_features.len(), credit(&bob).1), (3, Some(4)));
}

type Call = std::pin::Pin<Box<dyn Future<Output = Result<(), tonic::Status>> + Send>>;

#[tokio::test]
async fn a_merge_and_the_end_of_a_price_that_it_needs_take_one_order_or_the_other() {
    let world = World::in_production().await;
    let (acme, ..) = sold(&world).await;
    let admin = &acme.admin;
    let (mut merges, mut ends) = (0, 0);
    for round in 0..rounds(12) {
        let other =
            create_plan(admin, plan(&format!("Other {round}"), &[("voicemail", 2), ("trunk", 9)])).await.unwrap();
        let ada = with_limit(admin, "Ada", 100).await.id;
        assign(admin, &ada, &other.id).await.unwrap();
        let bob = with_limit(admin, "Bob", 100).await.id;
        activate(admin, &bob, "trunk", 1).await.unwrap();
        let (merger, pricer) = (admin.clone(), admin.clone());
        let (into, gone, plan) = (ada.clone(), bob.clone(), other.clone());
        let merge = async move { call(&merger, &merging(&into, &[&gone])).await.map(drop) };
        let without = pb::RatePlan { prices: [].into(), ..plan };
        let end = async move { update_plan(&pricer, without, &["prices.trunk"]).await.map(drop) };
        let calls: [Call; 2] = [Box::pin(merge), Box::pin(end)];
        let answers = at_once(calls).await;
        let (merged, ended) = (answers[0].is_ok(), answers[1].is_ok());
        assert!(merged != ended, "round {round}: {answers:?}");
        let ada = admin.get(&ada).await.unwrap();
        let charged = ada.active_features.iter().all(|feature| feature.amount.is_some());
        assert!(charged && ada.active_features.is_empty() == ended, "round {round}: {ada:?}");
        (merges, ends) = (merges + u32::from(merged), ends + u32::from(ended));
    }
    assert_eq!(merges + ends, rounds(12));
}
