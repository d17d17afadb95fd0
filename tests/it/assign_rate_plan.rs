//! AssignRatePlan, and the plans of customers that move to another account.

use clientele::grpc::{
    money::Money,
    pb::{self, AssignRatePlanRequest as Assigning},
};
use tonic::Code;

use crate::{
    billing::{
        activate, active, archive_plan, assign, create_plan, credit, deactivate, eur, plan, rate_plan, set_limit,
        telecom, with_limit,
    },
    suspend_customer::suspend,
    world::{World, assert_refused, customer, metadata, request_id, unknown_id},
};

#[tokio::test]
async fn a_customer_is_put_on_another_plan_and_learns_what_changes() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let dear = create_plan(&acme.admin, plan("Dear", &[("voicemail", 9)])).await.unwrap();
    let ada = with_limit(&acme.admin, "Ada", 10).await;
    activate(&acme.admin, &ada.id, "voicemail", 2).await.unwrap();
    let manager = acme.member(pb::Role::ServiceManager).await;
    let before = world.stored().await;
    let request = Assigning {
        customer_id: ada.id.clone(),
        rate_plan_id: dear.id.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    let validated = Assigning { validate_only: true, ..request.clone() };
    let told = manager.billing().assign_rate_plan(validated).await.unwrap().into_inner();
    assert_eq!((&told.previous_rate_plan_id, told.previous_credit_used), (&standard.id, Some(eur(4))));
    assert_eq!(credit(&told.customer.unwrap()), (Some(10), Some(18), Some(-8)), "as after a change of prices");
    assert_eq!(world.stored().await, before);

    let done = manager.billing().assign_rate_plan(request.clone()).await.unwrap().into_inner();
    let on = done.customer.unwrap();
    assert_eq!((&on.rate_plan_id, &on), (&dear.id, &manager.get(&ada.id).await.unwrap()));
    let again = manager.billing().assign_rate_plan(request).await.unwrap().into_inner();
    assert_eq!((again.replayed, again.previous_rate_plan_id.as_str()), (true, ""));
    let event = manager.events(&ada.id).await.unwrap().remove(0);
    assert_eq!(event.r#type(), pb::CustomerEventType::RatePlanAssigned);
    let changes = crate::list_customer_events::changes(&event);
    let (old, new) = (standard.id.as_str().into(), dear.id.as_str().into());
    assert_eq!(changes.into_iter().collect::<Vec<_>>(), [("rate_plan_id", (old, new))]);
    // Also one that is not its own, as it was created before the first plan.
    let globex = world.tenant("globex").await;
    let bob = globex.admin.create(customer("Bob")).await.unwrap();
    let first = create_plan(&globex.admin, rate_plan("First")).await.unwrap();
    let second = create_plan(&globex.admin, rate_plan("Second")).await.unwrap();
    assign(&globex.admin, &bob.id, &second.id).await.unwrap();
    let event = globex.admin.events(&bob.id).await.unwrap().remove(0);
    let (old, new) = (first.id.as_str().into(), second.id.as_str().into());
    assert_eq!(crate::list_customer_events::changes(&event)["rate_plan_id"], (old, new));
    let same = assign(&manager, &ada.id, &dear.id).await.unwrap();
    assert_eq!(same.customer.unwrap(), on, "to the same plan changes nothing");
    let stale = Assigning {
        customer_id: ada.id.clone(),
        rate_plan_id: standard.id.clone(),
        etag: ada.etag,
        ..Default::default()
    };
    let refused = manager.billing().assign_rate_plan(stale).await;
    assert_refused(refused, Code::Aborted, "ETAG_MISMATCH");
    // The price in the plan that it left is free again, the one in the new plan is not.
    let without = |plan: &pb::RatePlan| pb::RatePlan { prices: [].into(), ..plan.clone() };
    crate::billing::update_plan(&acme.admin, without(&standard), &["prices.voicemail"]).await.unwrap();
    let refused = crate::billing::update_plan(&acme.admin, without(&dear), &["prices"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");
}

#[tokio::test]
async fn a_plan_must_be_listed_priced_and_of_the_same_currency() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let bare = create_plan(&acme.admin, rate_plan("Bare")).await.unwrap();
    let dollars = pb::RatePlan { currency: "USD".to_owned(), ..rate_plan("Dollars") };
    let prices = [("voicemail".to_owned(), Money { currency_code: String::new(), ..eur(3) })].into();
    let dollars = create_plan(&acme.admin, pb::RatePlan { prices, ..dollars }).await.unwrap();
    let old = create_plan(&acme.admin, rate_plan("Old")).await.unwrap();
    archive_plan(&acme.admin, &old.id).await.unwrap();
    let north = acme.child("north").await;
    let ada = with_limit(&north.admin, "Ada", 10).await;
    activate(&north.admin, &ada.id, "voicemail", 1).await.unwrap();
    let before = world.stored().await;
    let failed = Code::FailedPrecondition;
    assert_refused(assign(&north.admin, &ada.id, &bare.id).await, failed, "PRICE_MISSING");
    assert_refused(assign(&north.admin, &ada.id, &dollars.id).await, failed, "CURRENCY_MISMATCH");
    assert_refused(assign(&north.admin, &ada.id, &old.id).await, failed, "RATE_PLAN_ARCHIVED");
    assert_refused(assign(&north.admin, &ada.id, &unknown_id()).await, Code::NotFound, "RATE_PLAN_NOT_FOUND");
    let south = acme.child("south").await;
    let other = create_plan(&south.admin, rate_plan("South")).await.unwrap();
    assert_refused(assign(&north.admin, &ada.id, &other.id).await, Code::NotFound, "RATE_PLAN_NOT_FOUND");
    let member = north.member(pb::Role::Member).await;
    let refused = assert_refused(assign(&member, &ada.id, &bare.id).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    assert_refused(assign(&south.admin, &ada.id, &bare.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(world.stored().await, before);

    deactivate(&north.admin, &ada.id, "voicemail").await.unwrap();
    let on = assign(&north.admin, &ada.id, &dollars.id).await.unwrap().customer.unwrap();
    assert_eq!((on.credit_limit, on.credit_used.unwrap().currency_code.as_str()), (None, "USD"), "the old limit went");
    suspend(&north.admin, &ada.id).await.unwrap();
    assert_refused(assign(&north.admin, &ada.id, &bare.id).await, failed, "ILLEGAL_TRANSITION");
    north.admin.archive(&[&ada.id]).await.unwrap();
    assert_refused(assign(&north.admin, &ada.id, &bare.id).await, failed, "CUSTOMER_ARCHIVED");
}

#[tokio::test]
async fn a_migration_takes_plan_credit_and_features_along() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 10).await;
    activate(&acme.admin, &ada.id, "voicemail", 2).await.unwrap();
    let migrate = |validate_only| pb::MigrateCustomerToResellerRequest {
        customer_id: ada.id.clone(),
        admin_email: "admin@company.nl".to_owned(),
        validate_only,
        ..Default::default()
    };
    for validate_only in [true, false] {
        let done = acme.admin.customers().migrate_customer_to_reseller(migrate(validate_only)).await.unwrap();
        let done = done.into_inner();
        let plan = done.plan.unwrap();
        assert_eq!((plan.rate_plan_id, plan.replaced_rate_plan_id), (standard.id.clone(), String::new()));
        assert_eq!(active(&done.customer.unwrap()), [("voicemail", 2)]);
    }
    let moved = acme.admin.get(&ada.id).await.unwrap();
    assert_eq!((moved.rate_plan_id.as_str(), credit(&moved)), (standard.id.as_str(), (Some(10), Some(4), Some(6))));
    // The new account sells by a list of its own from now on; its customer stays where it is.
    let reseller = acme.admin.acting_in(&moved.account_id);
    create_plan(&reseller, rate_plan("Own")).await.unwrap();
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().rate_plan_id, standard.id);
}

#[tokio::test]
async fn a_transfer_replaces_a_plan_that_the_new_owner_does_not_have() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let (north, south, west) = (acme.child("north").await, acme.child("south").await, acme.child("west").await);
    let cheap = create_plan(&south.admin, plan("Cheap", &[("voicemail", 1)])).await.unwrap();
    create_plan(&west.admin, rate_plan("Nothing")).await.unwrap();
    let ada = with_limit(&north.admin, "Ada", 10).await;
    activate(&north.admin, &ada.id, "voicemail", 2).await.unwrap();

    // The list that applies is the same: the plan stays.
    let east = acme.child("east").await;
    let kept = acme.admin.transfer(&[&ada.id], &east.account).await.unwrap();
    assert_eq!(kept.replaced_rate_plans, []);
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().rate_plan_id, standard.id);

    let request = pb::TransferCustomersRequest {
        customer_ids: vec![ada.id.clone()],
        account_id: west.account.clone(),
        validate_only: true,
        ..Default::default()
    };
    let told = acme.admin.customers().transfer_customers(request).await.unwrap().into_inner();
    let blockers: Vec<_> = told.blockers.iter().map(pb::BlockedMove::blocker).collect();
    assert_eq!(blockers, [pb::MoveBlocker::RatePlan]);
    let refused = acme.admin.transfer(&[&ada.id], &west.account).await;
    let refused = assert_refused(refused, Code::FailedPrecondition, "RATE_PLAN_UNSUITABLE");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[0]"));

    let request = pb::TransferCustomersRequest {
        customer_ids: vec![ada.id.clone()],
        account_id: south.account.clone(),
        validate_only: true,
        ..Default::default()
    };
    let replaced = pb::ReplacedRatePlan {
        customer_id: ada.id.clone(),
        rate_plan_id: cheap.id.clone(),
        replaced_rate_plan_id: standard.id.clone(),
    };
    let told = acme.admin.customers().transfer_customers(request.clone()).await.unwrap().into_inner();
    assert_eq!(told.replaced_rate_plans, std::slice::from_ref(&replaced));
    let request = pb::TransferCustomersRequest { validate_only: false, request_id: request_id(), ..request };
    let done = acme.admin.customers().transfer_customers(request.clone()).await.unwrap().into_inner();
    assert_eq!((done.replayed, done.replaced_rate_plans), (false, vec![replaced]));
    let again = acme.admin.customers().transfer_customers(request).await.unwrap().into_inner();
    assert_eq!((again.replayed, again.outcomes, again.replaced_rate_plans), (true, done.outcomes, vec![]));
    let moved = acme.admin.get(&ada.id).await.unwrap();
    assert_eq!((&moved.rate_plan_id, credit(&moved)), (&cheap.id, (Some(10), Some(2), Some(8))));
    let event = acme.admin.events(&ada.id).await.unwrap().remove(0);
    let changes = crate::list_customer_events::changes(&event);
    assert_eq!(changes["rate_plan_id"], (standard.id.as_str().into(), cheap.id.as_str().into()));
    assert!(!changes.contains_key("credit_limit") && !changes.contains_key("active_features.voicemail"));
    // The prices that are needed moved with it.
    let without = |plan: &pb::RatePlan| pb::RatePlan { prices: [].into(), ..plan.clone() };
    let refused = crate::billing::update_plan(&south.admin, without(&cheap), &["prices"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");
    crate::billing::update_plan(&acme.admin, without(&standard), &["prices.voicemail"]).await.unwrap();
}

#[tokio::test]
async fn a_batch_that_does_not_change_plans_leaves_them_alone() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 10).await;
    activate(&acme.admin, &ada.id, "voicemail", 2).await.unwrap();
    acme.admin.archive(&[&ada.id]).await.unwrap();
    acme.admin.unarchive(&[&ada.id]).await.unwrap();
    acme.admin.tag(&[&ada.id], &["vip"], &[]).await.unwrap();
    let renamed = pb::Customer { id: ada.id.clone(), ..customer("Eve") };
    let renamed = acme.admin.update(renamed, &["name"]).await.unwrap();
    assert_eq!((active(&renamed), credit(&renamed)), (vec![("voicemail", 2)], (Some(10), Some(4), Some(6))));
    set_limit(&acme.admin, &ada.id, Some(eur(4))).await.unwrap();
    let found = pb::SearchCustomersRequest { view: pb::CustomerView::Full.into(), ..Default::default() };
    let found = acme.admin.customers().search_customers(found).await.unwrap().into_inner();
    let found = found.results[0].customer.as_ref().unwrap();
    assert_eq!((active(found), credit(found)), (vec![("voicemail", 2)], (Some(4), Some(4), Some(0))));
}
