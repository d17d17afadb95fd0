//! ActivateFeature, DeactivateFeature, ListActiveFeatures.

use clientele::grpc::pb::{self, ActivateFeatureRequest as Activating, CustomerEventType};
use tonic::{Code, Status};

use crate::{
    billing::{
        activate, active, chargeable, create_feature, credit, deactivate, eur, feature, plan, set_limit, telecom,
        update_plan, with_limit,
    },
    suspend_customer::suspend,
    world::{
        Client, World, assert_refused, at_once, bad_fields, customer, metadata, repeat_at_once, request_id, unknown_id,
    },
};

fn activating(id: &str, code: &str, quantity: i32) -> Activating {
    Activating { customer_id: id.to_owned(), code: code.to_owned(), quantity, ..Default::default() }
}

async fn call(client: &Client, request: &Activating) -> Result<pb::ActivateFeatureResponse, Status> {
    Ok(client.billing().activate_feature(request.clone()).await?.into_inner())
}

#[tokio::test]
async fn features_are_active_with_their_charges_and_every_change_has_an_event() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 100).await;
    assert!(ada.allowed_actions.contains(&"ActivateFeature".to_owned()));
    assert!(!ada.allowed_actions.contains(&"DeactivateFeature".to_owned()));
    let member = acme.member(pb::Role::Member).await;
    activate(&member, &ada.id, "voicemail", 0).await.unwrap();
    activate(&member, &ada.id, "trunk", 5).await.unwrap();
    let with = activate(&member, &ada.id, "caller-id", 1).await.unwrap();
    assert_eq!(active(&with), [("caller-id", 1), ("trunk", 5), ("voicemail", 1)]);
    assert_eq!(with.active_features[1].amount, Some(eur(50)));
    assert_eq!(with.active_features[0].amount, None, "it costs nothing");
    assert_eq!(credit(&with), (Some(100), Some(52), Some(48)));
    assert!(with.allowed_actions.contains(&"DeactivateFeature".to_owned()));
    assert_eq!(with, member.get(&ada.id).await.unwrap());
    let more = activate(&member, &ada.id, "trunk", 7).await.unwrap();
    assert_eq!(more.active_features[1].activated_at, with.active_features[1].activated_at);
    let event = member.events(&ada.id).await.unwrap().remove(0);
    assert_eq!(event.r#type(), CustomerEventType::FeatureActivated);
    let changes = crate::list_customer_events::changes(&event);
    assert_eq!(changes["active_features.trunk"], (serde_json::json!(5.0), serde_json::json!(7.0)));
    let same = activate(&member, &ada.id, "trunk", 7).await.unwrap();
    assert_eq!(same, more, "the same quantity changes nothing");

    let request = pb::ListActiveFeaturesRequest { customer_id: ada.id.clone() };
    let viewer = acme.member(pb::Role::Viewer).await;
    let listed = viewer.billing().list_active_features(request).await.unwrap().into_inner();
    assert_eq!((listed.rate_plan_id, listed.credit_available), (more.rate_plan_id, Some(eur(28))));
    let trunk = &listed.features[1];
    assert_eq!((trunk.name.as_str(), &trunk.price), ("trunk", &Some(eur(10))));
    assert_eq!(trunk.feature, Some(more.active_features[1].clone()));
    assert!(trunk.activated_by.is_some());

    let without = deactivate(&member, &ada.id, "trunk").await.unwrap();
    assert_eq!(active(&without), [("caller-id", 1), ("voicemail", 1)]);
    assert_eq!(deactivate(&member, &ada.id, "trunk").await.unwrap(), without, "twice changes nothing");
    let event = member.events(&ada.id).await.unwrap().remove(0);
    assert_eq!(event.r#type(), CustomerEventType::FeatureDeactivated);
    assert_refused(deactivate(&member, &ada.id, "no-such").await, Code::NotFound, "FEATURE_NOT_FOUND");
    let basic = pb::GetCustomerRequest { customer_id: ada.id, view: pb::CustomerView::Basic.into() };
    let basic = member.customers().get_customer(basic).await.unwrap().into_inner().customer.unwrap();
    assert_eq!((basic.active_features, basic.rate_plan_id.as_str(), basic.credit_limit), (vec![], "", None));
}

#[tokio::test]
async fn each_condition_has_a_reason_of_its_own() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    create_feature(&acme.admin, chargeable("unpriced")).await.unwrap();
    create_feature(&acme.admin, pb::Feature { retired: true, ..feature("fax") }).await.unwrap();
    let residential = pb::Customer { service_class: pb::ServiceClass::Residential.into(), ..customer("Rae") };
    let rae = acme.admin.create(residential).await.unwrap();
    let bare = acme.admin.create(customer("Bea")).await.unwrap();
    let ada = with_limit(&acme.admin, "Ada", 3).await;
    let before = world.stored().await;
    let refused = |id: &str, code: &str, quantity| {
        let (client, id, code) = (acme.admin.clone(), id.to_owned(), code.to_owned());
        async move { activate(&client, &id, &code, quantity).await }
    };
    let failed = Code::FailedPrecondition;
    assert_refused(refused(&ada.id, "no-such", 1).await, Code::NotFound, "FEATURE_NOT_FOUND");
    assert_refused(refused(&ada.id, "fax", 1).await, failed, "FEATURE_RETIRED");
    assert_refused(refused(&rae.id, "trunk", 1).await, failed, "FEATURE_NOT_FOR_SERVICE_CLASS");
    assert_refused(refused(&ada.id, "unpriced", 1).await, failed, "PRICE_MISSING");
    assert_refused(refused(&bare.id, "voicemail", 1).await, failed, "CREDIT_LIMIT_MISSING");
    let exceeded = assert_refused(refused(&ada.id, "voicemail", 2).await, failed, "CREDIT_LIMIT_EXCEEDED");
    assert!(exceeded.message().contains("4 EUR") && exceeded.message().contains("3 EUR"), "{exceeded:?}");
    for quantity in [-1, 1_000_001] {
        let refused =
            assert_refused(refused(&ada.id, "trunk", quantity).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["quantity"]);
    }
    assert_refused(refused("7", "A", 1).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_refused(refused(&unknown_id(), "voicemail", 1).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(world.stored().await, before);

    let globex = world.tenant("globex").await;
    create_feature(&globex.admin, chargeable("voicemail")).await.unwrap();
    let gus = globex.admin.create(customer("Gus")).await.unwrap();
    assert_refused(activate(&globex.admin, &gus.id, "voicemail", 1).await, failed, "NO_RATE_PLAN");
    assert_refused(set_limit(&globex.admin, &gus.id, Some(eur(1))).await, failed, "NO_RATE_PLAN");

    activate(&acme.admin, &ada.id, "voicemail", 1).await.unwrap();
    suspend(&acme.admin, &ada.id).await.unwrap();
    assert_refused(refused(&ada.id, "caller-id", 1).await, failed, "ILLEGAL_TRANSITION");
    acme.admin.archive(&[&ada.id]).await.unwrap();
    assert_refused(refused(&ada.id, "caller-id", 1).await, failed, "CUSTOMER_ARCHIVED");
    deactivate(&acme.admin, &ada.id, "voicemail").await.unwrap();
}

#[tokio::test]
async fn two_hundred_activations_at_once_succeed_exactly_as_often_as_they_fit() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let codes: Vec<String> = (0..200).map(|number| format!("feature-{number}")).collect();
    for code in &codes {
        create_feature(&acme.admin, chargeable(code)).await.unwrap();
    }
    let prices: Vec<(&str, i64)> = codes.iter().map(|code| (code.as_str(), 3)).collect();
    crate::billing::create_plan(&acme.admin, plan("Standard", &prices)).await.unwrap();
    let ada = with_limit(&acme.admin, "Ada", 200).await;
    let calls = codes.iter().map(|code| {
        let (client, id, code) = (acme.admin.clone(), ada.id.clone(), code.clone());
        async move {
            loop {
                match activate(&client, &id, &code, 1).await {
                    // As the contract asks for: nothing was written, and the same call may succeed.
                    Err(busy) if ["CONTENDED", "OVERLOADED"].contains(&crate::world::reason(&busy).as_str()) => {}
                    done => return done,
                }
            }
        }
    });
    let done = at_once(calls).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 66);
    for refused in done.into_iter().filter(Result::is_err) {
        assert_refused(refused, Code::FailedPrecondition, "CREDIT_LIMIT_EXCEEDED");
    }
    let now = acme.admin.get(&ada.id).await.unwrap();
    assert_eq!((now.active_features.len(), credit(&now)), (66, (Some(200), Some(198), Some(2))));
    let events = acme.admin.events(&ada.id).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.r#type() == CustomerEventType::FeatureActivated).count(), 66);
    let uses: i64 =
        sqlx::query_scalar("select count(*) from feature_uses").fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(uses, 132, "one for the price and one for the service class of each");
}

#[tokio::test]
async fn activations_and_the_removal_of_their_price_leave_no_feature_without_a_price() {
    let world = World::in_production().await;
    let (acme, standard) = telecom(&world).await;
    let mut customers = Vec::new();
    for number in 0..8 {
        customers.push(with_limit(&acme.admin, &format!("Customer {number}"), 100).await.id);
    }
    let without = pb::RatePlan { id: standard.id.clone(), ..plan("Standard", &[("trunk", 10)]) };
    let removal = {
        let client = acme.admin.clone();
        async move { update_plan(&client, without, &["prices"]).await.is_ok() }
    };
    let removal = tokio::spawn(removal);
    let calls = customers.iter().map(|id| {
        let (client, id) = (acme.admin.clone(), id.clone());
        async move { activate(&client, &id, "voicemail", 1).await }
    });
    let activated = at_once(calls).await.iter().filter(|done| done.is_ok()).count();
    let removed = removal.await.unwrap();
    assert_eq!(removed, activated == 0, "{activated} were activated");
    for id in &customers {
        let seen = acme.admin.get(id).await.unwrap();
        assert!(seen.active_features.iter().all(|feature| feature.amount.is_some()), "{seen:?}");
    }
}

#[tokio::test]
async fn etags_repeats_and_validate_only_work_as_everywhere() {
    let world = World::in_production().await;
    let (acme, _) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 100).await;
    let before = world.stored().await;
    let request = Activating { request_id: request_id(), ..activating(&ada.id, "voicemail", 2) };
    let validated = call(&acme.admin, &Activating { validate_only: true, ..request.clone() }).await.unwrap();
    let validated = validated.customer.unwrap();
    assert_eq!((active(&validated), validated.etag.as_str()), (vec![("voicemail", 2)], ""));
    assert_eq!(world.stored().await, before);
    let answers = repeat_at_once(10, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let other = Activating { quantity: 3, ..request.clone() };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let stale = Activating { etag: ada.etag.clone(), ..activating(&ada.id, "voicemail", 3) };
    let refused = assert_refused(call(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("active_features.voicemail"));
    let made = Activating { etag: ada.etag, ..activating(&ada.id, "voicemail", 2) };
    call(&acme.admin, &made).await.expect("made already, whatever the etag");
    // What it costs is live, also in the stored answer.
    deactivate(&acme.admin, &ada.id, "voicemail").await.unwrap();
    let again = call(&acme.admin, &request).await.unwrap();
    assert_eq!((again.replayed, active(&again.customer.unwrap())), (true, vec![("voicemail", 2)]));
}

#[tokio::test]
async fn only_members_of_the_owner_or_above_activate_and_accounts_below_see_none_of_it() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let north = acme.child("north").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), credit_limit: Some(eur(9)), ..customer("Ada") };
    let ada = acme.admin.create(fleet).await.unwrap();
    activate(&acme.admin, &ada.id, "voicemail", 1).await.unwrap();
    let viewer = acme.member(pb::Role::Viewer).await;
    let refused =
        assert_refused(activate(&viewer, &ada.id, "voicemail", 2).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("MEMBER"));
    let refused = activate(&north.admin, &ada.id, "voicemail", 2).await;
    assert_refused(refused, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    let request = pb::ListActiveFeaturesRequest { customer_id: ada.id.clone() };
    let refused = north.admin.billing().list_active_features(request).await;
    assert_refused(refused, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    let seen = north.admin.get(&ada.id).await.unwrap();
    assert_eq!((seen.rate_plan_id.as_str(), active(&seen), credit(&seen)), ("", vec![], (None, None, None)));
    assert!(!seen.allowed_actions.iter().any(|action| action.contains("Feature")));
    let events = north.admin.events(&ada.id).await.unwrap();
    let fields = events.iter().flat_map(|event| &event.changes).map(|change| change.field.as_str());
    let hidden = ["rate_plan_id", "credit_limit", "active_features.voicemail"];
    assert!(fields.into_iter().all(|field| !hidden.contains(&field)), "{events:?}");
    let globex = world.tenant("globex").await;
    assert_refused(activate(&globex.admin, &ada.id, "voicemail", 1).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
}
