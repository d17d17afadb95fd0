//! CreateTenant.

use clientele::grpc::pb;
use sqlx::Row as _;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::{
    rows::rows,
    world::{ISSUER, OPERATOR, World, assert_refused, bad_fields, principal, request_id, requiring, unknown_id},
};

pub fn request(name: &str, admin: &str) -> pb::CreateTenantRequest {
    pb::CreateTenantRequest {
        tenant: Some(pb::Tenant { name: name.to_owned(), ..Default::default() }),
        first_admin: Some(principal(admin)),
        ..Default::default()
    }
}

async fn create(world: &World, request: pb::CreateTenantRequest) -> Result<pb::CreateTenantResponse, Status> {
    Ok(world.operator().accounts().create_tenant(request).await?.into_inner())
}

#[tokio::test]
async fn a_tenant_is_created_with_the_providers_account_and_its_first_admin() {
    let world = World::start().await;
    let policies = pb::AccountPolicies {
        auto_approve: Some(false),
        create_role: pb::Role::Admin.into(),
        custom_id_role: pb::Role::Member.into(),
        default_currency: Some("EUR".to_owned()),
        default_region: Some("NL".to_owned()),
        ..requiring(&["email", "custom_ids.erp"], &["primary_contact.phone", "primary_address.city", "labels.segment"])
    };
    let asked = pb::CreateTenantRequest {
        tenant: Some(pb::Tenant {
            id: unknown_id(),
            name: "  Copaco   Distribution ".to_owned(),
            name_uniqueness: pb::NameUniqueness::Account.into(),
            create_time: None,
            state: pb::TenantState::Suspended.into(),
            suspend_time: Some(prost_types::Timestamp::default()),
        }),
        policies: Some(policies.clone()),
        first_admin: Some(pb::Principal { issuer: "https://partner.example".to_owned(), subject: "ada".to_owned() }),
        ..Default::default()
    };
    let made = create(&world, asked.clone()).await.unwrap();
    let (tenant, account) = (made.tenant.unwrap(), made.account.unwrap());
    let admin = made.first_admin.unwrap();

    assert_ne!(tenant.id, asked.tenant.unwrap().id, "the server makes the id");
    assert_eq!((tenant.name.as_str(), tenant.name_uniqueness()), ("Copaco Distribution", pb::NameUniqueness::Account));
    assert!(!made.replayed);
    let wanted = pb::Account {
        id: tenant.id.clone(),
        parent_id: String::new(),
        ancestor_ids: vec![tenant.id.clone()],
        name: tenant.name.clone(),
        policies: Some(policies),
        name_uniqueness: tenant.name_uniqueness,
        create_time: tenant.create_time,
        state: pb::AccountState::Active.into(),
        suspend_time: None,
        counts: None,
        industries: account.industries.clone(),
    };
    assert!(account.industries.iter().any(|industry| industry.code == "non-profit"), "the default list");
    assert_eq!(account, wanted);
    assert_eq!((tenant.state(), tenant.suspend_time), (pb::TenantState::Active, None));
    let ada = pb::Principal { issuer: "https://partner.example".to_owned(), subject: "ada".to_owned() };
    assert_eq!((admin.account_id, admin.role, admin.principal), (account.id, pb::Role::Admin.into(), Some(ada)));
    assert_eq!(admin.create_time, tenant.create_time);

    let event = sqlx::query(
        "select type, subject, acting_account_id, member_id::text, rpc, tenant_id::text from events order by seq",
    )
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap();
    assert_eq!(event.get::<&str, _>("type"), "TENANT_CREATED");
    assert_eq!(event.get::<&str, _>("subject"), OPERATOR);
    assert_eq!(event.get::<Option<uuid::Uuid>, _>("acting_account_id"), None);
    assert_eq!(event.get::<&str, _>("member_id"), admin.member_id);
    assert_eq!(event.get::<&str, _>("tenant_id"), tenant.id);
    assert_eq!(event.get::<&str, _>("rpc"), "clientele.v1.AccountService/CreateTenant");
}

#[tokio::test]
async fn omitted_fields_get_the_contracts_defaults() {
    let world = World::start().await;
    let made = create(&world, request("acme", "ada")).await.unwrap();
    let wanted = pb::AccountPolicies {
        required_to_create: Some(pb::FieldPaths::default()),
        required_to_approve: Some(pb::FieldPaths::default()),
        auto_approve: Some(true),
        create_role: pb::Role::Member.into(),
        custom_id_role: pb::Role::ServiceManager.into(),
        default_currency: None,
        default_region: None,
    };
    assert_eq!(made.account.unwrap().policies, Some(wanted));
    assert_eq!(made.tenant.unwrap().name_uniqueness(), pb::NameUniqueness::None);
    assert_eq!(made.first_admin.unwrap().principal.unwrap().issuer, ISSUER, "an empty issuer is the caller's");
}

#[tokio::test]
async fn the_first_admin_can_act_at_once_and_the_operator_cannot() {
    let world = World::start().await;
    let ada = world.subject("ada");
    let asked = || pb::GetAccountRequest::default();
    assert_refused(ada.accounts().get_account(asked()).await, Code::PermissionDenied, "NOT_A_MEMBER");
    let made = create(&world, request("acme", "ada")).await.unwrap();
    let account = ada.accounts().get_account(asked()).await.unwrap().into_inner().account;
    assert_eq!(account, made.account, "the account is as in the answer");
    let operator = world.operator().acting_in(&account.unwrap().id);
    assert_refused(operator.accounts().get_account(asked()).await, Code::PermissionDenied, "NOT_A_MEMBER");
}

#[tokio::test]
async fn every_error_is_reported_at_once() {
    let world = World::start().await;
    let before = rows(&world).await;
    let refused = create(&world, pb::CreateTenantRequest::default()).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["tenant.name", "first_admin"]);

    let long = "x".repeat(101);
    let wrong = pb::CreateTenantRequest {
        tenant: Some(pb::Tenant { name: "x".repeat(121), name_uniqueness: 99, ..Default::default() }),
        policies: Some(pb::AccountPolicies {
            create_role: pb::Role::Viewer.into(),
            custom_id_role: 99,
            default_currency: Some(long.clone()),
            default_region: Some(long),
            ..requiring(&["email", "colour", "name", "*"], &["id", "custom_ids.ERP"])
        }),
        first_admin: Some(pb::Principal { issuer: "with a space".to_owned(), subject: "\u{200b}".to_owned() }),
        request_id: "7".to_owned(),
        validate_only: false,
    };
    let refused = assert_refused(create(&world, wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    let mut wanted = [
        "request_id",
        "tenant.name",
        "tenant.name_uniqueness",
        "policies.required_to_create.paths[1]",
        "policies.required_to_create.paths[3]",
        "policies.required_to_approve.paths[0]",
        "policies.required_to_approve.paths[1]",
        "policies.create_role",
        "policies.custom_id_role",
        "policies.default_currency",
        "policies.default_region",
        "first_admin.issuer",
        "first_admin.subject",
    ];
    wanted.sort_unstable();
    assert_eq!(fields, wanted);

    let many = vec!["email"; 51];
    let wrong = pb::CreateTenantRequest { policies: Some(requiring(&many, &many)), ..request("acme", "ada") };
    let refused = assert_refused(create(&world, wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["policies.required_to_create.paths", "policies.required_to_approve.paths"]);
    assert_eq!(rows(&world).await, before, "nothing was stored");
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_with_any_account_header() {
    let world = World::start().await;
    let asked = pb::CreateTenantRequest { request_id: request_id(), ..request("acme", "ada") };
    let first = create(&world, asked.clone()).await.unwrap();
    let before = rows(&world).await;
    let wanted = pb::CreateTenantResponse { replayed: true, ..first.clone() };
    assert_eq!(create(&world, asked.clone()).await.unwrap(), wanted);
    let elsewhere = world.operator().acting_in(&unknown_id()).in_tenant(&unknown_id());
    assert_eq!(elsewhere.accounts().create_tenant(asked.clone()).await.unwrap().into_inner(), wanted);

    let other = pb::CreateTenantRequest { first_admin: Some(principal("eve")), ..asked.clone() };
    assert_refused(create(&world, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn fifty_concurrent_calls_with_one_request_id_make_one_tenant() {
    let world = World::start().await;
    let asked = pb::CreateTenantRequest { request_id: request_id(), ..request("acme", "ada") };
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (client, asked) = (world.operator(), asked.clone());
        calls.spawn(async move { client.accounts().create_tenant(asked).await.map(tonic::Response::into_inner) });
    }
    let answers: Vec<_> = calls.join_all().await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.tenant == answers[0].tenant && answer.account == answers[0].account));
    let rows = rows(&world).await;
    for table in ["tenants", "accounts", "members", "principals", "requests"] {
        assert_eq!(rows[table].len(), 1, "{table}");
    }
    assert_eq!(rows["events"].len(), 2, "of the tenant and of its first admin");
}

#[tokio::test]
async fn two_tenants_may_have_one_name_and_one_admin() {
    let world = World::start().await;
    let first = create(&world, request("acme", "ada")).await.unwrap();
    let second = create(&world, request("acme", "ada")).await.unwrap();
    assert_ne!(first.tenant.unwrap().id, second.tenant.unwrap().id);
}

#[tokio::test]
async fn validate_only_stores_nothing_and_leaves_the_request_id_free() {
    let world = World::start().await;
    let before = rows(&world).await;
    let asked = pb::CreateTenantRequest { request_id: request_id(), ..request("acme", "ada") };
    let only = pb::CreateTenantRequest { validate_only: true, ..asked.clone() };
    let would_be = create(&world, only.clone()).await.unwrap();
    assert_eq!(rows(&world).await, before);
    let (tenant, account, admin) = (would_be.tenant.unwrap(), would_be.account.unwrap(), would_be.first_admin.unwrap());
    assert_eq!((tenant.name.as_str(), tenant.id.as_str()), ("acme", ""));
    assert_eq!((account.id.as_str(), account.ancestor_ids.len()), ("", 0));
    assert_eq!((admin.member_id.as_str(), admin.account_id.as_str(), admin.role()), ("", "", pb::Role::Admin));

    assert!(!create(&world, asked.clone()).await.unwrap().replayed);
    let again = create(&world, only).await.unwrap();
    assert!(!again.replayed && again.tenant.unwrap().id.is_empty(), "validate_only ignores the request_id");
    let wrong = pb::CreateTenantRequest { tenant: None, validate_only: true, ..asked };
    assert_refused(create(&world, wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
}
