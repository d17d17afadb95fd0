//! CreateFeature, UpdateFeature, ListFeatures.

use clientele::grpc::pb;
use tonic::Code;

use crate::{
    billing::{activate, chargeable, create_feature, deactivate, feature, newest, telecom, update_feature, with_limit},
    rows::rows,
    world::{World, assert_refused, bad_fields, customer, mask, metadata, request_id},
};

#[tokio::test]
async fn a_catalogue_is_the_tenants_and_lists_by_code() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let made = create_feature(&acme.admin, chargeable("voicemail")).await.unwrap();
    assert!(made.create_time.is_some() && made.chargeable && !made.retired);
    assert_eq!(made.service_classes, [1, 2]);
    create_feature(&acme.admin, feature("caller-id")).await.unwrap();
    create_feature(&globex.admin, feature("voicemail")).await.unwrap();
    let viewer = acme.child("north").await.member(pb::Role::Viewer).await;
    let list = |page_size, page_token: &str| pb::ListFeaturesRequest { page_size, page_token: page_token.to_owned() };
    let first = viewer.billing().list_features(list(1, "")).await.unwrap().into_inner();
    assert_eq!(first.features[0].code, "caller-id");
    let second = viewer.billing().list_features(list(1, &first.next_page_token)).await.unwrap().into_inner();
    assert_eq!((second.features, second.next_page_token), (vec![made.clone()], String::new()));
    let token = first.next_page_token;
    let elsewhere = globex.admin.billing().list_features(list(1, &token)).await;
    assert_refused(elsewhere, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let event = newest(&acme.admin).await;
    assert_eq!(event.r#type(), pb::AccountEventType::FeatureCreated);
}

#[tokio::test]
async fn only_an_admin_of_the_provider_changes_the_catalogue() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let below = acme.child("north").await;
    let after_child = rows(&world).await;
    assert_ne!(before, after_child);
    let refused = create_feature(&below.admin, feature("fax")).await;
    let refused = assert_refused(refused, Code::PermissionDenied, "ACCOUNT_ABOVE_REQUIRED");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    assert_eq!(rows(&world).await, after_child);
}

#[tokio::test]
async fn a_code_is_unique_and_repeats_get_the_first_answer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let request =
        pb::CreateFeatureRequest { feature: Some(feature("fax")), request_id: request_id(), ..Default::default() };
    let validated = pb::CreateFeatureRequest { validate_only: true, ..request.clone() };
    let before = rows(&world).await;
    acme.admin.billing().create_feature(validated).await.unwrap();
    assert_eq!(rows(&world).await, before);
    let first = acme.admin.billing().create_feature(request.clone()).await.unwrap().into_inner();
    let again = acme.admin.billing().create_feature(request.clone()).await.unwrap().into_inner();
    assert_eq!((first.replayed, again.replayed, &first.feature), (false, true, &again.feature));
    assert_refused(create_feature(&acme.admin, feature("fax")).await, Code::AlreadyExists, "FEATURE_EXISTS");
    let other = pb::CreateFeatureRequest { feature: Some(feature("telex")), ..request };
    let refused = acme.admin.billing().create_feature(other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn malformed_features_and_masks_are_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let bad = pb::Feature { code: "Voice.Mail".to_owned(), service_classes: vec![7], ..Default::default() };
    let refused = assert_refused(create_feature(&acme.admin, bad).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["feature.code", "feature.name", "feature.service_classes[0]"]);
    for paths in [vec![], vec!["code"], vec!["*"], vec!["name", "create_time"]] {
        let request = pb::UpdateFeatureRequest {
            feature: Some(feature("fax")),
            update_mask: Some(mask(&paths)),
            ..Default::default()
        };
        let refused = acme.admin.billing().update_feature(request).await;
        assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    }
    let refused = update_feature(&acme.admin, feature("fax"), &["name"]).await;
    assert_refused(refused, Code::NotFound, "FEATURE_NOT_FOUND");
}

#[tokio::test]
async fn what_an_active_feature_needs_stays() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 100).await;
    activate(&acme.admin, &ada.id, "voicemail", 1).await.unwrap();
    let free = feature("voicemail");
    let refused = update_feature(&acme.admin, free.clone(), &["chargeable"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");
    let residential = pb::Feature { service_classes: vec![pb::ServiceClass::Residential.into()], ..free.clone() };
    let refused = update_feature(&acme.admin, residential, &["service_classes"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");
    // Nobody RESIDENTIAL has it; names and retirement are always free.
    let normal = pb::Feature { service_classes: vec![pb::ServiceClass::Normal.into()], ..free.clone() };
    update_feature(&acme.admin, normal, &["service_classes"]).await.unwrap();
    let retired = pb::Feature { retired: true, name: "Old voicemail".to_owned(), ..free.clone() };
    let retired = update_feature(&acme.admin, retired, &["retired", "name"]).await.unwrap();
    assert!(retired.retired && retired.chargeable);
    let event = newest(&acme.admin).await;
    let changed: Vec<_> = event.changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!((event.r#type(), changed), (pb::AccountEventType::FeatureUpdated, vec!["code", "name", "retired"]));
    let bob = with_limit(&acme.admin, "Bob", 100).await;
    let refused = activate(&acme.admin, &bob.id, "voicemail", 1).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_RETIRED");
    deactivate(&acme.admin, &ada.id, "voicemail").await.unwrap();
    let free_now = update_feature(&acme.admin, free, &["chargeable"]).await.unwrap();
    assert!(!free_now.chargeable);
}

#[tokio::test]
async fn a_service_class_that_an_active_feature_is_not_for_is_refused() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 100).await;
    activate(&acme.admin, &ada.id, "trunk", 1).await.unwrap();
    let residential =
        pb::Customer { id: ada.id.clone(), service_class: pb::ServiceClass::Residential.into(), ..customer("Ada") };
    let refused = acme.admin.update(residential.clone(), &["service_class"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_NOT_FOR_SERVICE_CLASS");
    deactivate(&acme.admin, &ada.id, "trunk").await.unwrap();
    activate(&acme.admin, &ada.id, "voicemail", 1).await.unwrap();
    acme.admin.update(residential, &["service_class"]).await.unwrap();
    // Now it is the RESIDENTIAL ones that it must stay for.
    let normal = pb::Feature { service_classes: vec![pb::ServiceClass::Normal.into()], ..chargeable("voicemail") };
    let refused = update_feature(&acme.admin, normal, &["service_classes"]).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_IN_USE");
}

/// The text of the statement that asks whether a feature is used, as it was checked.
fn statement() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let texts = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let queries = texts.map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap()["query"].clone());
    let mut asking = queries.filter(|query| query.as_str().unwrap().contains("feature_uses u where"));
    let found = asking.next().expect("the statement").as_str().unwrap().to_owned();
    assert!(asking.next().is_none(), "one statement asks");
    found
}

#[tokio::test]
async fn whether_a_feature_is_used_is_one_look_into_an_index_however_many_customers_have_features() {
    let world = World::start().await;
    let (acme, _) = telecom(&world).await;
    let ada = with_limit(&acme.admin, "Ada", 100).await;
    world.copies(&ada.id, 5_000).await;
    let mut sql = world.sql().await;
    // Many plans, and one feature of a class.
    let uses = "insert into feature_uses (tenant_id, customer_id, key)
                select tenant_id, id, case when n % 50 = 0 then 'NORMAL/voicemail' else 'plan-' || n % 97 || '/trunk' end
                from (select tenant_id, id, row_number() over () as n from customers) c";
    sqlx::query(uses).execute(&mut sql).await.unwrap();
    for statistics in [false, true] {
        if statistics {
            sqlx::query("analyze feature_uses").execute(&mut sql).await.unwrap();
        }
        for key in ["NORMAL/voicemail", "RESIDENTIAL/voicemail"] {
            let text = statement().replace("$1", &format!("'{}'::uuid", acme.tenant));
            let text = text.replace("$2::text[]", &format!("array['{key}']"));
            let explained = format!("explain (analyze, buffers, format json) {text}");
            let plan: serde_json::Value =
                sqlx::query_scalar(sqlx::AssertSqlSafe(explained)).fetch_one(&mut sql).await.unwrap();
            let blocks = plan[0]["Plan"]["Shared Hit Blocks"].as_u64().unwrap()
                + plan[0]["Plan"]["Shared Read Blocks"].as_u64().unwrap();
            assert!(plan.to_string().contains("feature_uses_pkey"), "{plan}");
            assert!(blocks < 10, "{blocks} blocks of {plan}");
        }
    }
}
