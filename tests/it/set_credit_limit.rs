//! SetCreditLimit, and the credit limit of a new customer.

use clientele::grpc::{
    money::Money,
    pb::{self, SetCreditLimitRequest as Setting},
};
use tonic::{Code, Status};

use crate::{
    billing::{activate, credit, eur, set_limit, telecom, with_limit},
    suspend_customer::suspend,
    world::{
        Client, World, assert_refused, bad_fields, customer, mask, metadata, repeat_at_once, request_id, requiring,
        unknown_id,
    },
};

fn setting(id: &str, limit: Option<Money>) -> Setting {
    Setting { customer_id: id.to_owned(), credit_limit: limit, ..Default::default() }
}

async fn call(client: &Client, request: &Setting) -> Result<pb::SetCreditLimitResponse, Status> {
    Ok(client.billing().set_credit_limit(request.clone()).await?.into_inner())
}

#[tokio::test]
async fn a_limit_is_exact_in_the_currency_of_the_plan_and_its_changes_are_history() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    assert_eq!(credit(&ada), (None, Some(0), None));
    let manager = acme.member(pb::Role::ServiceManager).await;
    let exact = Money { currency_code: String::new(), units: 12, nanos: 345_678_901 };
    let set = set_limit(&manager, &ada.id, Some(exact.clone())).await.unwrap();
    let expected = Money { currency_code: "EUR".to_owned(), ..exact };
    assert_eq!((&set.credit_limit, &set.credit_available), (&Some(expected.clone()), &Some(expected.clone())));
    assert_eq!(set_limit(&manager, &ada.id, Some(expected)).await.unwrap(), set, "the same changes nothing");
    let raised = set_limit(&manager, &ada.id, Some(eur(20))).await.unwrap();
    assert_eq!(raised, manager.get(&ada.id).await.unwrap());
    let gone = set_limit(&manager, &ada.id, None).await.unwrap();
    assert_eq!(credit(&gone), (None, Some(0), None));
    let wanted = pb::ListCustomerEventsRequest {
        customer_id: ada.id.clone(),
        types: vec![pb::CustomerEventType::CreditLimitChanged.into()],
        page_size: 2,
        ..Default::default()
    };
    let first = manager.history().list_customer_events(wanted.clone()).await.unwrap().into_inner();
    let next = pb::ListCustomerEventsRequest { page_token: first.next_page_token, ..wanted.clone() };
    let second = manager.history().list_customer_events(next).await.unwrap().into_inner();
    let all: Vec<_> = first.events.iter().chain(&second.events).collect();
    let old: Vec<_> =
        all.iter().map(|event| crate::list_customer_events::changes(event)["credit_limit"].clone()).collect();
    let limit = |amount: &str| serde_json::json!({"currency_code": "EUR", "amount": amount});
    let nothing = serde_json::Value::Null;
    let (odd, even) = (limit("12.345678901"), limit("20"));
    assert_eq!(old, [(even.clone(), nothing.clone()), (odd.clone(), even), (nothing, odd)]);
    assert!(second.next_page_token.is_empty());
    let unknown = pb::ListCustomerEventsRequest { types: vec![0, 999], ..wanted };
    let refused = manager.history().list_customer_events(unknown).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["types[0]", "types[1]"]);
}

#[tokio::test]
async fn a_limit_below_what_is_used_takes_an_admin_with_force() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 30).await;
    activate(&acme.admin, &ada.id, "trunk", 2).await.unwrap();
    let manager = acme.member(pb::Role::ServiceManager).await;
    let low = setting(&ada.id, Some(eur(19)));
    let none = setting(&ada.id, None);
    for below in [&low, &none] {
        let refused = call(&acme.admin, below).await;
        let refused = assert_refused(refused, Code::FailedPrecondition, "CREDIT_BELOW_USED");
        assert!(refused.message().contains("20 EUR"), "{refused:?}");
        let forced = Setting { force: true, ..below.clone() };
        let refused = assert_refused(call(&manager, &forced).await, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    call(&manager, &setting(&ada.id, Some(eur(20)))).await.unwrap();
    let forced = call(&acme.admin, &Setting { force: true, ..low }).await.unwrap().customer.unwrap();
    assert_eq!(credit(&forced), (Some(19), Some(20), Some(-1)));
    let refused = activate(&acme.admin, &ada.id, "voicemail", 1).await;
    assert_refused(refused, Code::FailedPrecondition, "CREDIT_LIMIT_EXCEEDED");
    // What costs nothing, and less of what there is, is possible.
    activate(&acme.admin, &ada.id, "caller-id", 1).await.unwrap();
    let fewer = activate(&acme.admin, &ada.id, "trunk", 1).await.unwrap();
    assert_eq!(credit(&fewer), (Some(19), Some(10), Some(9)));
}

#[tokio::test]
async fn a_limit_rises_only_for_pending_and_active_customers_and_falls_always() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 30).await;
    suspend(&acme.admin, &ada.id).await.unwrap();
    let raise = setting(&ada.id, Some(eur(31)));
    assert_refused(call(&acme.admin, &raise).await, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    acme.admin.archive(&[&ada.id]).await.unwrap();
    assert_refused(call(&acme.admin, &raise).await, Code::FailedPrecondition, "CUSTOMER_ARCHIVED");
    let lower = call(&acme.admin, &setting(&ada.id, Some(eur(29)))).await.unwrap().customer.unwrap();
    assert!(lower.allowed_actions.contains(&"SetCreditLimit".to_owned()));
    assert!(!lower.allowed_actions.contains(&"AssignRatePlan".to_owned()));
    let dollars = Money { currency_code: "USD".to_owned(), ..eur(1) };
    let refused = call(&acme.admin, &setting(&ada.id, Some(dollars))).await;
    assert_refused(refused, Code::FailedPrecondition, "CURRENCY_MISMATCH");
    for wrong in [eur(-1), Money { nanos: -1, ..eur(1) }, eur(1_000_000_000_000_001)] {
        let refused = call(&acme.admin, &setting(&ada.id, Some(wrong))).await;
        assert_eq!(bad_fields(&refused.unwrap_err()), ["credit_limit"]);
    }
}

#[tokio::test]
async fn a_new_customer_gets_a_limit_from_a_service_manager() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let new = pb::Customer { credit_limit: Some(eur(50)), ..customer("Ada") };
    let member = acme.member(pb::Role::Member).await;
    let refused = assert_refused(member.create(new.clone()).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    let manager = acme.member(pb::Role::ServiceManager).await;
    let made = manager.create(new.clone()).await.unwrap();
    assert_eq!((credit(&made), &made), ((Some(50), Some(0), Some(50)), &manager.get(&made.id).await.unwrap()));
    let dollars =
        pb::Customer { credit_limit: Some(Money { currency_code: "USD".to_owned(), ..eur(1) }), ..new.clone() };
    assert_refused(manager.create(dollars).await, Code::FailedPrecondition, "CURRENCY_MISMATCH");
    let globex = world.tenant("globex").await;
    assert_refused(globex.admin.create(new.clone()).await, Code::FailedPrecondition, "NO_RATE_PLAN");

    // A policy may ask for both.
    let asking = acme.child_with("north", Some(requiring(&["rate_plan_id", "credit_limit"], &[]))).await;
    let refused = asking.admin.create(customer("Bob")).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_eq!(
        metadata(&refused, "missing_fields").as_deref(),
        Some("customer.credit_limit"),
        "the first plan is its default"
    );
    let bob = asking.admin.create(pb::Customer { credit_limit: Some(eur(5)), ..customer("Bob") }).await.unwrap();
    let refused = call(&asking.admin, &setting(&bob.id, None)).await;
    assert_refused(refused, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    let approving = acme.child_with("south", Some(requiring(&[], &["credit_limit"]))).await;
    let cid = approving.admin.create(customer("Cid")).await.unwrap();
    assert_eq!(
        (cid.status(), cid.missing_for_approval),
        (pb::CustomerStatus::Pending, vec!["credit_limit".to_owned()])
    );
    assert_refused(approving.admin.approve(&cid.id).await, Code::FailedPrecondition, "REQUIREMENTS_NOT_MET");
    set_limit(&approving.admin, &cid.id, Some(eur(1))).await.unwrap();
    approving.admin.approve(&cid.id).await.unwrap();
}

#[tokio::test]
async fn upsert_gives_a_new_customer_a_plan_and_a_limit() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let upsert = |units: i64| pb::UpsertCustomerRequest {
        customer: Some(pb::Customer {
            custom_ids: [("default".to_owned(), "K-1".to_owned())].into(),
            rate_plan_id: standard.id.clone(),
            credit_limit: Some(eur(units)),
            ..customer("Ada")
        }),
        update_mask: Some(mask(&["name"])),
        ..Default::default()
    };
    let made = acme.admin.customers().upsert_customer(upsert(7)).await.unwrap().into_inner().customer.unwrap();
    assert_eq!((made.rate_plan_id.as_str(), credit(&made).0), (standard.id.as_str(), Some(7)));
    let same = acme.admin.customers().upsert_customer(upsert(9)).await.unwrap().into_inner();
    assert_eq!(credit(&same.customer.unwrap()).0, Some(7), "an existing customer's credit is SetCreditLimit's");
}

#[tokio::test]
async fn repeats_validate_only_and_tenancy_are_as_everywhere() {
    let world = World::in_production().await;
    let (acme, _) = telecom(&world).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let before = world.stored().await;
    let request = Setting { request_id: request_id(), ..setting(&ada.id, Some(eur(3))) };
    call(&acme.admin, &Setting { validate_only: true, ..request.clone() }).await.unwrap();
    assert_eq!(world.stored().await, before);
    let answers = repeat_at_once(10, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let stale = Setting { etag: ada.etag, ..setting(&ada.id, Some(eur(4))) };
    let refused = assert_refused(call(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("credit_limit"));
    let south = acme.child("south").await;
    let absent = setting(&ada.id, Some(eur(1)));
    assert_refused(call(&south.admin, &absent).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let refused = call(&acme.admin, &setting(&unknown_id(), Some(eur(1)))).await;
    assert_refused(refused, Code::NotFound, "CUSTOMER_NOT_FOUND");
}
