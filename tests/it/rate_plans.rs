//! CreateRatePlan, UpdateRatePlan, ReorderRatePlans, ArchiveRatePlan, ListRatePlans.

use clientele::grpc::{money::Money, pb};
use tonic::Code;

use crate::{
    billing::{
        activate, archive_plan, chargeable, create_feature, create_plan, eur, feature, newest, plan, plans, rate_plan,
        set_limit, telecom, update_feature, update_plan, with_limit,
    },
    rows::rows,
    world::{Client, World, assert_refused, bad_fields, customer, request_id, unknown_id},
};

fn names(listed: &pb::ListRatePlansResponse) -> Vec<&str> {
    listed.rate_plans.iter().map(|plan| plan.name.as_str()).collect()
}

async fn reorder(client: &Client, ids: &[&str]) -> Result<pb::ReorderRatePlansResponse, tonic::Status> {
    let rate_plan_ids = ids.iter().map(ToString::to_string).collect();
    let request = pb::ReorderRatePlansRequest { rate_plan_ids, ..Default::default() };
    Ok(client.billing().reorder_rate_plans(request).await?.into_inner())
}

#[tokio::test]
async fn an_account_inherits_the_list_of_the_nearest_account_above_that_has_one() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let north = acme.child("north").await;
    let shop = north.child("shop").await;
    let viewer = shop.member(pb::Role::Viewer).await;
    let listed = plans(&viewer).await;
    assert_eq!((names(&listed), &listed.account_id, listed.inherited), (vec!["Standard"], &acme.account, true));
    assert_eq!(listed.rate_plans, std::slice::from_ref(&standard));
    assert!(!plans(&acme.admin).await.inherited);

    let own = create_plan(&north.admin, plan("North", &[("voicemail", 3)])).await.unwrap();
    let listed = plans(&viewer).await;
    assert_eq!((names(&listed), &listed.account_id, listed.inherited), (vec!["North"], &north.account, true));
    // Another account's plan cannot be changed, whether it applies or not.
    for client in [&shop.admin, &acme.admin] {
        assert_refused(archive_plan(client, &own.id).await, Code::NotFound, "RATE_PLAN_NOT_FOUND");
    }
    let archived = archive_plan(&north.admin, &own.id).await.unwrap();
    assert!(archived.archived_at.is_some());
    assert_eq!(archive_plan(&north.admin, &own.id).await.unwrap(), archived, "archiving twice changes nothing");
    assert_eq!(names(&plans(&viewer).await), ["Standard"], "without a plan left, the list above applies again");
    let all = pb::ListRatePlansRequest { include_archived: true, ..Default::default() };
    let all = viewer.billing().list_rate_plans(all).await.unwrap().into_inner();
    assert_eq!(names(&all), ["Standard"], "the archived plans of the account whose list it is");
}

#[tokio::test]
async fn a_list_has_an_order_and_its_first_plan_is_the_default() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let second = create_plan(&acme.admin, rate_plan("Second")).await.unwrap();
    let third = create_plan(&acme.admin, rate_plan("Third")).await.unwrap();
    assert_eq!(acme.admin.create(customer("Ada")).await.unwrap().rate_plan_id, standard.id);
    let order = [third.id.as_str(), &standard.id, &second.id];
    assert_eq!(reorder(&acme.admin, &order).await.unwrap().rate_plan_ids, order);
    assert_eq!(names(&plans(&acme.admin).await), ["Third", "Standard", "Second"]);
    assert_eq!(newest(&acme.admin).await.r#type(), pb::AccountEventType::RatePlansReordered);
    assert_eq!(acme.admin.create(customer("Bob")).await.unwrap().rate_plan_id, third.id);
    archive_plan(&acme.admin, &third.id).await.unwrap();
    assert_eq!(newest(&acme.admin).await.r#type(), pb::AccountEventType::RatePlanArchived);
    assert_eq!(acme.admin.create(customer("Cid")).await.unwrap().rate_plan_id, standard.id);
    let unknown = unknown_id();
    for wrong in [&[standard.id.as_str()][..], &[&standard.id, &second.id, &third.id], &[&standard.id, &unknown]] {
        let refused = reorder(&acme.admin, wrong).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["rate_plan_ids"]);
    }
    let mut page = pb::ListRatePlansRequest { page_size: 1, include_archived: true, ..Default::default() };
    let mut seen = Vec::new();
    loop {
        let listed = acme.admin.billing().list_rate_plans(page.clone()).await.unwrap().into_inner();
        seen.extend(listed.rate_plans.into_iter().map(|plan| plan.name));
        page.page_token = listed.next_page_token;
        if page.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["Standard", "Second", "Third"], "archived ones come last");
}

#[tokio::test]
async fn a_plan_has_exact_prices_in_its_own_currency_of_features_that_exist() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let before = rows(&world).await;
    let with =
        |code: &str, price: Money| pb::RatePlan { prices: [(code.to_owned(), price)].into(), ..rate_plan("Other") };
    let refused = create_plan(&acme.admin, with("no-such", eur(1))).await;
    assert_refused(refused, Code::NotFound, "FEATURE_NOT_FOUND");
    let money = |units, nanos, code: &str| Money { currency_code: code.to_owned(), units, nanos };
    for wrong in [money(-1, 0, ""), money(1, -1, ""), money(0, 1_000_000_000, ""), money(10_000_000_000, 1, "")] {
        let refused = create_plan(&acme.admin, with("trunk", wrong)).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["rate_plan.prices.trunk"]);
    }
    let refused = create_plan(&acme.admin, with("trunk", money(1, 0, "USD"))).await;
    assert_eq!(bad_fields(&refused.unwrap_err()), ["rate_plan.prices.trunk.currency_code"]);
    let nameless = pb::RatePlan { currency: "gold".to_owned(), ..Default::default() };
    let refused = create_plan(&acme.admin, nameless).await;
    assert_eq!(bad_fields(&refused.unwrap_err()), ["rate_plan.name", "rate_plan.currency"]);
    let dollars = pb::RatePlan { id: standard.id.clone(), ..with("trunk", money(1, 0, "USD")) };
    let refused = update_plan(&acme.admin, dollars, &["prices.trunk"]).await;
    assert_refused(refused, Code::FailedPrecondition, "CURRENCY_MISMATCH");
    for paths in [&["currency"][..], &["*"], &["prices", "prices.trunk"], &[], &["prices.Trunk"]] {
        let refused = update_plan(&acme.admin, standard.clone(), paths).await;
        assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    }
    assert_eq!(rows(&world).await, before);
    let exact = with("trunk", money(10_000_000_000, 0, "eur"));
    assert_eq!(create_plan(&acme.admin, exact).await.unwrap().prices["trunk"], eur(10_000_000_000));
    let tiny = create_plan(&acme.admin, with("trunk", money(0, 1, ""))).await.unwrap();
    assert_eq!(tiny.prices["trunk"], money(0, 1, "EUR"));
}

#[tokio::test]
async fn a_price_changes_at_once_and_stays_while_an_active_feature_needs_it() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 10).await;
    activate(&acme.admin, &ada.id, "voicemail", 3).await.unwrap();
    let dearer = pb::RatePlan { id: standard.id.clone(), ..plan("Dear", &[("voicemail", 4)]) };
    let changed = update_plan(&acme.admin, dearer.clone(), &["prices.voicemail", "name"]).await.unwrap();
    assert_eq!((changed.name.as_str(), &changed.prices["trunk"]), ("Dear", &eur(10)), "the other price stays");
    let event = newest(&acme.admin).await;
    let fields: Vec<_> = event.changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(event.r#type(), pb::AccountEventType::RatePlanUpdated);
    assert_eq!(fields, ["name", "prices.voicemail", "rate_plan_id"]);
    let over = acme.admin.get(&ada.id).await.unwrap();
    assert_eq!(crate::billing::credit(&over), (Some(10), Some(12), Some(-2)));

    let without = pb::RatePlan { id: standard.id.clone(), ..plan("Dear", &[("trunk", 10)]) };
    for paths in [&["prices"][..], &["prices.voicemail"]] {
        let refused = update_plan(&acme.admin, without.clone(), paths).await;
        assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");
    }
    let no_trunk = pb::RatePlan { id: standard.id.clone(), ..plan("Dear", &[("voicemail", 4)]) };
    update_plan(&acme.admin, no_trunk, &["prices"]).await.unwrap();
    // A feature that costs nothing needs no price.
    activate(&acme.admin, &ada.id, "caller-id", 1).await.unwrap();
    let priced = pb::RatePlan { id: standard.id.clone(), ..plan("Dear", &[("caller-id", 1)]) };
    update_plan(&acme.admin, priced.clone(), &["prices.caller-id"]).await.unwrap();
    update_plan(&acme.admin, pb::RatePlan { prices: [].into(), ..priced }, &["prices.caller-id"]).await.unwrap();
    crate::billing::deactivate(&acme.admin, &ada.id, "voicemail").await.unwrap();
    update_plan(&acme.admin, without, &["prices"]).await.unwrap();
}

#[tokio::test]
async fn customers_from_before_the_first_plan_are_on_it_and_no_later_list_takes_them_away() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let (ada, bob) =
        (acme.admin.create(customer("Ada")).await.unwrap(), north.admin.create(customer("Bob")).await.unwrap());
    assert_eq!((ada.rate_plan_id.as_str(), &ada.credit_used), ("", &None));
    create_feature(&acme.admin, chargeable("voicemail")).await.unwrap();
    let before = world.stored().await;
    let first = create_plan(&acme.admin, plan("First", &[("voicemail", 2)])).await.unwrap();
    assert_eq!(world.stored().await, before, "no customer was written");
    for id in [&ada.id, &bob.id] {
        assert_eq!(acme.admin.get(id).await.unwrap().rate_plan_id, first.id);
        set_limit(&acme.admin, id, Some(eur(5))).await.unwrap();
        let with = activate(&acme.admin, id, "voicemail", 2).await.unwrap();
        assert_eq!((with.rate_plan_id, with.credit_used), (first.id.clone(), Some(eur(4))));
    }
    // A list between, another order and the archive change nothing for them.
    let own = create_plan(&north.admin, rate_plan("North")).await.unwrap();
    create_plan(&acme.admin, rate_plan("Second")).await.unwrap();
    archive_plan(&acme.admin, &first.id).await.unwrap();
    for id in [&ada.id, &bob.id] {
        assert_eq!(acme.admin.get(id).await.unwrap().rate_plan_id, first.id);
    }
    assert_eq!(north.admin.create(customer("Cid")).await.unwrap().rate_plan_id, own.id);
    // The price that they need is known to be in use, though no row of theirs names the plan.
    let without = pb::RatePlan { id: first.id.clone(), ..rate_plan("First") };
    let refused = update_plan(&acme.admin, without, &["prices"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");
    let free = pb::Feature { chargeable: false, ..feature("voicemail") };
    let refused = update_feature(&acme.admin, free, &["chargeable"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");
}

#[tokio::test]
async fn a_plan_is_chosen_of_the_list_that_applies() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let second = create_plan(&acme.admin, rate_plan("Second")).await.unwrap();
    let north = acme.child("north").await;
    let choosing = |plan: &str| pb::Customer { rate_plan_id: plan.to_owned(), ..customer("Ada") };
    let ada = north.admin.create(choosing(&second.id)).await.unwrap();
    assert_eq!((&ada.rate_plan_id, &ada), (&second.id, &north.admin.get(&ada.id).await.unwrap()));
    let event = north.admin.events(&ada.id).await.unwrap().remove(0);
    assert!(event.changes.iter().any(|change| change.field == "rate_plan_id"));
    let own = create_plan(&north.admin, rate_plan("North")).await.unwrap();
    for absent in [&standard.id, &unknown_id()] {
        assert_refused(north.admin.create(choosing(absent)).await, Code::NotFound, "RATE_PLAN_NOT_FOUND");
    }
    assert_eq!(north.admin.create(choosing(&own.id)).await.unwrap().rate_plan_id, own.id);
    archive_plan(&acme.admin, &second.id).await.unwrap();
    let refused = acme.admin.create(choosing(&second.id)).await;
    assert_refused(refused, Code::FailedPrecondition, "RATE_PLAN_ARCHIVED");
    let malformed = acme.admin.create(choosing("7")).await.unwrap_err();
    assert_eq!(bad_fields(&malformed), ["customer.rate_plan_id"]);
}

#[tokio::test]
async fn repeats_get_the_first_answer_and_validate_only_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let request = pb::CreateRatePlanRequest {
        rate_plan: Some(rate_plan("Standard")),
        request_id: request_id(),
        ..Default::default()
    };
    let validated = pb::CreateRatePlanRequest { validate_only: true, ..request.clone() };
    let would_be = acme.admin.billing().create_rate_plan(validated).await.unwrap().into_inner();
    assert_eq!((would_be.rate_plan.unwrap().id, rows(&world).await), (String::new(), before));
    let first = acme.admin.billing().create_rate_plan(request.clone()).await.unwrap().into_inner();
    let again = acme.admin.billing().create_rate_plan(request.clone()).await.unwrap().into_inner();
    assert_eq!((again.replayed, &again.rate_plan), (true, &first.rate_plan));
    assert_eq!(plans(&acme.admin).await.rate_plans.len(), 1);
    let other = pb::CreateRatePlanRequest { rate_plan: Some(rate_plan("Other")), ..request };
    let refused = acme.admin.billing().create_rate_plan(other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let narrowed = acme.admin.narrowed_to(&ada.id);
    assert_refused(create_plan(&narrowed, rate_plan("New")).await, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
    assert_eq!(plans(&narrowed).await.rate_plans.len(), 1);
}
