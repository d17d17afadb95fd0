//! UpsertCustomer: repeats, validate_only, and concurrent calls.

use clientele::grpc::pb::{self, NameUniqueness, UpsertResult};
use tonic::Code;

use crate::{
    custom_ids::{assert_consistent, at_once, upsert, with_custom_ids, written},
    world::{World, assert_refused, request_id},
};

fn wanted(email: &str) -> pb::UpsertCustomerRequest {
    upsert(pb::Customer { email: email.to_owned(), ..with_custom_ids("Ada", &[("erp", "1")]) }, &["email"])
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_whatever_its_result() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for (email, result) in [("a@b.example", UpsertResult::Created), ("c@d.example", UpsertResult::Updated)] {
        let request = pb::UpsertCustomerRequest { request_id: request_id(), ..wanted(email) };
        let first = acme.admin.customers().upsert_customer(request.clone()).await.unwrap().into_inner();
        assert_eq!((first.result(), first.replayed), (result, false));
        // Meanwhile it gets another custom ID, and another customer gets this one.
        let id = first.customer.as_ref().unwrap().id.clone();
        let before = written(&world).await;
        let again = acme.admin.customers().upsert_customer(request.clone()).await.unwrap().into_inner();
        assert_eq!(again, pb::UpsertCustomerResponse { replayed: true, ..first.clone() });
        assert_eq!(written(&world).await, before);
        acme.admin.set_id(&id, "erp", "elsewhere").await.unwrap();
        let again = acme.admin.customers().upsert_customer(request.clone()).await.unwrap().into_inner();
        assert_eq!(again, pb::UpsertCustomerResponse { replayed: true, ..first.clone() });
        let other = acme.admin.create(with_custom_ids("Bob", &[("erp", "1")])).await.unwrap();
        let again = acme.admin.customers().upsert_customer(request.clone()).await.unwrap().into_inner();
        assert_eq!(again, pb::UpsertCustomerResponse { replayed: true, ..first });
        acme.admin.set_id(&other.id, "erp", "").await.unwrap();
        acme.admin.set_id(&id, "erp", "1").await.unwrap();
        let reused = pb::UpsertCustomerRequest { request_id: request.request_id, ..wanted("e@f.example") };
        assert_refused(acme.admin.upsert(reused).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
}

#[tokio::test]
async fn validate_only_checks_everything_and_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let only = |request| pb::UpsertCustomerRequest { validate_only: true, request_id: request_id(), ..request };
    let before = written(&world).await;
    let (would_be, result) = acme.admin.upsert(only(wanted("a@b.example"))).await.unwrap();
    assert_eq!((would_be.id.as_str(), would_be.etag.as_str(), result), ("", "", UpsertResult::Created));
    assert_eq!(written(&world).await, before);

    acme.admin.upsert(wanted("a@b.example")).await.unwrap();
    acme.admin.create(with_custom_ids("Bob", &[("dms", "taken")])).await.unwrap();
    let before = written(&world).await;
    let (same, result) = acme.admin.upsert(only(wanted("a@b.example"))).await.unwrap();
    assert_eq!((same.etag.as_str(), result), ("", UpsertResult::Unchanged));
    let both = |dms: &str| {
        let ids = &[("erp", "1"), ("dms", dms)];
        let customer = pb::Customer { email: "c@d.example".to_owned(), ..with_custom_ids("Ada", ids) };
        pb::UpsertCustomerRequest { system: "erp".to_owned(), ..upsert(customer, &["email"]) }
    };
    let (would_be, result) = acme.admin.upsert(only(both("2"))).await.unwrap();
    assert_eq!((would_be.email.as_str(), would_be.custom_ids["dms"].as_str()), ("c@d.example", "2"));
    assert_eq!((would_be.etag.as_str(), result), ("", UpsertResult::Updated));
    assert_refused(acme.admin.upsert(only(both("taken"))).await, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
    assert_eq!(written(&world).await, before);
}

#[tokio::test]
async fn many_equal_upserts_make_one_customer_under_every_rule_on_names() {
    let world = World::for_many_calls().await;
    for rule in [NameUniqueness::None, NameUniqueness::Account, NameUniqueness::Tenant] {
        let acme = world.tenant_with("acme", rule, pb::AccountPolicies::default()).await;
        let calls = (0..32).map(|_| {
            let admin = acme.admin.clone();
            async move { admin.upsert(wanted("a@b.example")).await }
        });
        let answers: Vec<_> = at_once(calls).await.into_iter().map(Result::unwrap).collect();
        let created = answers.iter().filter(|(_, result)| *result == UpsertResult::Created).count();
        let unchanged = answers.iter().filter(|(_, result)| *result == UpsertResult::Unchanged).count();
        assert_eq!((created, unchanged), (1, 31), "{rule:?}");
        assert!(answers.iter().all(|(customer, _)| *customer == answers[0].0), "{rule:?}");
    }
    assert_consistent(&world).await;
}

#[tokio::test]
async fn concurrent_calls_with_one_request_id_get_one_answer() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let request = pb::UpsertCustomerRequest { request_id: request_id(), ..wanted("a@b.example") };
    let calls = (0..16).map(|_| {
        let (admin, request) = (acme.admin.clone(), request.clone());
        async move { admin.customers().upsert_customer(request).await }
    });
    let answers: Vec<_> = at_once(calls).await.into_iter().map(|answer| answer.unwrap().into_inner()).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.result() == UpsertResult::Created));
    assert!(answers.iter().all(|answer| answer.customer == answers[0].customer));
}

#[tokio::test]
async fn different_concurrent_upserts_all_succeed() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let calls = (0..40).map(|number| {
        let admin = acme.admin.clone();
        async move {
            let system = format!("s{}", number % 10);
            let ids = [("erp", "1"), (system.as_str(), "1")];
            let customer = pb::Customer { email: format!("a{number}@b.example"), ..with_custom_ids("Ada", &ids) };
            let request = upsert(customer, &["email"]);
            admin.upsert(pb::UpsertCustomerRequest { system: "erp".to_owned(), ..request }).await
        }
    });
    let answers: Vec<_> = at_once(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|(_, result)| *result == UpsertResult::Created).count(), 1);
    assert_eq!(acme.admin.get(&answers[0].0.id).await.unwrap().custom_ids.len(), 11);
    assert_consistent(&world).await;
}
