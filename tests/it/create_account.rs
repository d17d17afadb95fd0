//! CreateAccount.

use clientele::grpc::pb;
use sqlx::Row as _;
use tokio::task::JoinSet;
use tonic::{Code, Response, Status};

use crate::{
    rows::rows,
    world::{Client, World, assert_refused, bad_fields, customer, principal, request_id, requiring, unknown_id},
};

fn request(name: &str) -> pb::CreateAccountRequest {
    pb::CreateAccountRequest {
        account: Some(pb::Account { name: name.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

async fn create(client: &Client, request: pb::CreateAccountRequest) -> Result<pb::CreateAccountResponse, Status> {
    client.accounts().create_account(request).await.map(Response::into_inner)
}

fn with(name: &str, policies: pb::AccountPolicies) -> pb::CreateAccountRequest {
    let account = pb::Account { name: name.to_owned(), policies: Some(policies), ..Default::default() };
    pb::CreateAccountRequest { account: Some(account), ..Default::default() }
}

/// The policies that a request sets, and the expected result.
type Choice = (pb::AccountPolicies, fn(&mut pb::AccountPolicies));

/// Policies that all differ from the defaults.
fn strict() -> pb::AccountPolicies {
    pb::AccountPolicies {
        auto_approve: Some(false),
        create_role: pb::Role::ServiceManager.into(),
        custom_id_role: pb::Role::Admin.into(),
        default_currency: Some("EUR".to_owned()),
        default_region: Some("NL".to_owned()),
        ..requiring(&["email"], &["phone", "custom_ids.erp"])
    }
}

#[tokio::test]
async fn an_account_is_created_below_the_acting_account_with_its_first_admin() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    let output_only = pb::Account {
        id: unknown_id(),
        parent_id: unknown_id(),
        ancestor_ids: vec![unknown_id()],
        name: " North  Sea ".to_owned(),
        policies: Some(strict()),
        name_uniqueness: pb::NameUniqueness::None.into(),
        create_time: Some(prost_types::Timestamp::default()),
        state: pb::AccountState::Suspended.into(),
        suspend_time: Some(prost_types::Timestamp::default()),
        counts: Some(pb::AccountCounts::default()),
        industries: vec![pb::Industry::default()],
    };
    let asked = pb::CreateAccountRequest {
        account: Some(output_only),
        first_admin: Some(principal("nora")),
        ..Default::default()
    };
    let made = create(&acme.admin, asked).await.unwrap();
    let (account, nora) = (made.account.unwrap(), made.first_admin.unwrap());
    let wanted = pb::Account {
        id: account.id.clone(),
        parent_id: acme.account.clone(),
        ancestor_ids: vec![account.id.clone(), acme.account.clone()],
        name: "North Sea".to_owned(),
        policies: Some(strict()),
        name_uniqueness: pb::NameUniqueness::Tenant.into(),
        create_time: nora.create_time,
        state: pb::AccountState::Active.into(),
        suspend_time: None,
        counts: None,
        industries: Vec::new(),
    };
    assert_eq!(account, wanted);
    assert!(account.create_time.unwrap().seconds > 1_700_000_000);
    assert_eq!((nora.account_id.as_str(), nora.role()), (account.id.as_str(), pb::Role::Admin));

    // She acts there and not above; the account's creator acts there too.
    assert!(nora.waiting, "the creator named somebody else");
    let client = world.subject("nora").accepting_all().await;
    let read = client.accounts().get_account(pb::GetAccountRequest::default()).await.unwrap().into_inner();
    assert_eq!(read.account.as_ref(), Some(&account));
    let below = create(&acme.admin.acting_in(&account.id), request("below")).await.unwrap().account.unwrap();
    assert_eq!(below.ancestor_ids, [below.id.clone(), account.id.clone(), acme.account.clone()]);

    let event = sqlx::query(
        "select tenant_id::text, acting_account_id::text, member_id::text, customer_id, changes->'account_id'->>'new' as new
         from events where type = 'ACCOUNT_CREATED' order by seq limit 1",
    )
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap();
    assert_eq!(event.get::<&str, _>(0), acme.tenant);
    assert_eq!(event.get::<&str, _>(1), acme.account);
    assert_eq!(event.get::<&str, _>(2), nora.member_id);
    assert_eq!(event.get::<Option<uuid::Uuid>, _>(3), None);
    assert_eq!(event.get::<&str, _>(4), account.id);
}

#[tokio::test]
async fn omitted_policies_are_copied_from_the_parent_and_then_independent() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, strict()).await;
    let copied = acme.child("copied").await;
    let policies = async |id: &str| {
        let asked = pb::GetAccountRequest { account_id: id.to_owned() };
        acme.admin.accounts().get_account(asked).await.unwrap().into_inner().account.unwrap().policies.unwrap()
    };
    assert_eq!(policies(&copied.account).await, strict());

    // Each policy is independent; an empty value is a value, not an omission.
    let none = pb::AccountPolicies::default;
    let choices: [Choice; 6] = [
        (pb::AccountPolicies { required_to_create: Some(pb::FieldPaths::default()), ..none() }, |wanted| {
            wanted.required_to_create = Some(pb::FieldPaths::default());
        }),
        (
            pb::AccountPolicies { required_to_approve: requiring(&[], &["fax", "fax"]).required_to_approve, ..none() },
            |wanted| {
                wanted.required_to_approve = requiring(&[], &["fax"]).required_to_approve;
            },
        ),
        (pb::AccountPolicies { auto_approve: Some(true), ..none() }, |wanted| {
            wanted.auto_approve = Some(true);
        }),
        (pb::AccountPolicies { create_role: pb::Role::Member.into(), ..none() }, |wanted| {
            wanted.create_role = pb::Role::Member.into();
        }),
        (pb::AccountPolicies { default_currency: Some(String::new()), ..none() }, |wanted| {
            wanted.default_currency = None;
        }),
        (pb::AccountPolicies { default_region: Some("Belgium".to_owned()), ..none() }, |wanted| {
            wanted.default_region = Some("BE".to_owned());
        }),
    ];
    for (chosen, differs) in choices {
        let made = create(&acme.admin, with("chosen", chosen)).await.unwrap().account.unwrap();
        let mut wanted = strict();
        differs(&mut wanted);
        assert_eq!(made.policies, Some(wanted));
    }

    // No RPC changes policies yet. A later change of the parent must not change the child.
    let laxer = "update accounts set policies = jsonb_set(policies, '{auto_approve}', 'true') where id = tenant_id";
    sqlx::query(laxer).execute(&mut world.sql().await).await.unwrap();
    assert_eq!(policies(&acme.account).await.auto_approve, Some(true));
    assert_eq!(policies(&copied.account).await, strict());
}

#[tokio::test]
async fn the_copied_policies_are_enforced() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, requiring(&["email"], &[])).await;
    let north = acme.child("north").await;
    assert_refused(north.admin.create(customer("Ada")).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    let lax = acme.child_with("lax", Some(requiring(&[], &[]))).await;
    lax.admin.create(customer("Ada")).await.unwrap();
}

#[tokio::test]
async fn the_tree_has_at_most_eight_levels() {
    let world = World::start().await;
    let mut test_account = world.tenant("level 1").await;
    for level in 2..=8 {
        test_account = test_account.child(&format!("level {level}")).await;
    }
    let asked = pb::GetAccountRequest::default();
    let deepest = test_account.admin.accounts().get_account(asked).await.unwrap().into_inner().account.unwrap();
    assert_eq!((deepest.name.as_str(), deepest.ancestor_ids.len()), ("level 8", 8));
    let before = rows(&world).await;
    assert_refused(create(&test_account.admin, request("level 9")).await, Code::FailedPrecondition, "TREE_TOO_DEEP");
    let only = pb::CreateAccountRequest { validate_only: true, request_id: request_id(), ..request("level 9") };
    assert_refused(create(&test_account.admin, only).await, Code::FailedPrecondition, "TREE_TOO_DEEP");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn every_error_is_reported_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let refused = create(&acme.admin, pb::CreateAccountRequest::default()).await;
    assert_eq!(bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")), ["account.name"]);
    let policies = pb::AccountPolicies {
        create_role: pb::Role::Viewer.into(),
        custom_id_role: pb::Role::Viewer.into(),
        ..requiring(&["nothing"], &["primary_contact.shoe"])
    };
    let wrong = pb::CreateAccountRequest {
        first_admin: Some(principal("")),
        request_id: "not a uuid".to_owned(),
        ..with("bad\u{202e}name", policies)
    };
    let refused = assert_refused(create(&acme.admin, wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
    let wanted = [
        "request_id",
        "account.name",
        "account.policies.required_to_create.paths[0]",
        "account.policies.required_to_approve.paths[0]",
        "account.policies.create_role",
        "account.policies.custom_id_role",
        "first_admin.subject",
    ];
    assert_eq!(bad_fields(&refused), wanted);
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let asked =
        pb::CreateAccountRequest { request_id: request_id(), first_admin: Some(principal("nora")), ..request("south") };
    let first = create(&acme.admin, asked.clone()).await.unwrap();
    assert!(!first.replayed);
    let before = rows(&world).await;
    let again = create(&acme.admin, asked.clone()).await.unwrap();
    assert_eq!(again, pb::CreateAccountResponse { replayed: true, ..first });

    let body = pb::CreateAccountRequest { first_admin: None, ..asked.clone() };
    assert_refused(create(&acme.admin, body).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_refused(create(&north.admin, asked.clone()).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(rows(&world).await, before);

    // A request_id belongs to its principal.
    let other = acme.member(pb::Role::Admin).await;
    assert!(!create(&other, asked).await.unwrap().replayed);
}

#[tokio::test]
async fn fifty_concurrent_calls_with_one_request_id_make_one_account() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked =
        pb::CreateAccountRequest { request_id: request_id(), first_admin: Some(principal("nora")), ..request("north") };
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (client, asked) = (acme.admin.clone(), asked.clone());
        calls.spawn(async move { create(&client, asked).await.unwrap() });
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.account == answers[0].account));
    let rows = rows(&world).await;
    assert_eq!((rows["accounts"].len(), rows["members"].len(), rows["requests"].len()), (2, 2, 1));
}

#[tokio::test]
async fn validate_only_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let asked = pb::CreateAccountRequest {
        request_id: request_id(),
        first_admin: Some(principal("nora")),
        ..with("north", strict())
    };
    let only = pb::CreateAccountRequest { validate_only: true, ..asked.clone() };
    let would_be = create(&acme.admin, only).await.unwrap();
    assert_eq!(rows(&world).await, before);
    let (account, nora) = (would_be.account.unwrap(), would_be.first_admin.unwrap());
    assert_eq!((account.id.as_str(), account.parent_id.as_str()), ("", acme.account.as_str()));
    assert_eq!((account.policies, nora.member_id.as_str()), (Some(strict()), ""));
    assert!(!create(&acme.admin, asked).await.unwrap().replayed, "the request_id is still free");
}

#[tokio::test]
async fn names_need_not_be_unique_and_an_admin_is_optional() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for _ in 0..2 {
        let made = create(&acme.admin, request("north")).await.unwrap();
        assert_eq!(made.first_admin, None);
    }
    // The first admin may be a member of another account already.
    let asked = pb::CreateAccountRequest { first_admin: Some(principal("nora")), ..request("north") };
    for _ in 0..2 {
        create(&acme.admin, asked.clone()).await.unwrap();
    }
}
