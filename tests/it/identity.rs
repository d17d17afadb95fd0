//! The acting account and the role of a caller: the headers `clientele-account` and `clientele-tenant`, memberships.

use std::time::{Duration, Instant};

use clientele::{grpc::pb, server::DrainOutcome};
use serde_json::json;
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use tonic::{Code, Request, Status};

use crate::{
    tokens,
    world::{
        Client, ISSUER, SERVICE, World, assert_refused, bad_fields, customer, database, manual_approval, metadata,
        unknown_id, until, wire,
    },
};

/// The account in which the caller acts, as GetAccount returns it.
async fn acts_in(client: &Client) -> Result<String, Status> {
    let answer = client.accounts().get_account(pb::GetAccountRequest::default()).await?;
    Ok(answer.into_inner().account.unwrap().id)
}

#[tokio::test]
async fn events_record_the_principal_and_its_actors() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.add("max", pb::Role::Member).await;
    world.subject("max").accepting_all().await;
    let act = json!({"sub": "portal", "act": {"iss": "https://partner.example", "sub": "batch"}});
    let token = world.keys.sign(tokens::claims(&json!({"act": act})));
    let ada = world.bearer(token).create(customer("Ada")).await.unwrap();
    let event = acme.admin.events(&ada.id).await.unwrap().remove(0);
    let principal =
        |issuer: &str, subject: &str| pb::Principal { issuer: issuer.to_owned(), subject: subject.to_owned() };
    assert_eq!(event.principal, Some(principal(ISSUER, "max")));
    assert_eq!(event.actors, [principal(ISSUER, "portal"), principal("https://partner.example", "batch")]);
    assert_eq!(ada.created_by, Some(principal(ISSUER, "max")), "the rights are those of the subject");
    // The actor's own rights do not count.
    let operator = world.keys.sign(tokens::claims(&json!({"sub": "eve", "act": {"sub": "max"}})));
    assert_refused(acts_in(&world.bearer(operator)).await, Code::PermissionDenied, "NOT_A_MEMBER");
}

#[tokio::test]
async fn a_sole_membership_is_the_default_and_with_several_one_must_be_named() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let max = world.subject("max");
    assert_refused(acts_in(&max).await, Code::PermissionDenied, "NOT_A_MEMBER");
    north.add("max", pb::Role::Member).await;
    assert_refused(acts_in(&max).await, Code::InvalidArgument, "ACCOUNT_REQUIRED");
    let max = max.accepting_all().await;
    assert_eq!(acts_in(&max).await.unwrap(), north.account);
    assert_eq!(max.create(customer("Ada")).await.unwrap().account_id, north.account);
    south.add("max", pb::Role::Viewer).await;
    assert_eq!(acts_in(&max).await.unwrap(), north.account, "one that waits does not count");
    let max = max.accepting_all().await;
    assert_refused(acts_in(&max).await, Code::InvalidArgument, "ACCOUNT_REQUIRED");
    for test_account in [&north, &south] {
        assert_eq!(acts_in(&max.acting_in(&test_account.account)).await.unwrap(), test_account.account);
    }
    assert_eq!(acts_in(&max.acting_in(&south.account.to_uppercase())).await.unwrap(), south.account);
}

#[tokio::test]
async fn a_caller_can_act_in_accounts_below_its_own_and_in_no_other() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let deep = north.child("deep").await;
    let max = north.member(pb::Role::Member).await;
    let ada = max.acting_in(&deep.account).create(customer("Ada")).await.unwrap();
    assert_eq!(ada.account_id, deep.account);
    let below = max.acting_in(&deep.account).approve(&ada.id).await;
    assert_eq!(
        metadata(&below.unwrap_err(), "required_role").as_deref(),
        Some("ADMIN"),
        "the role is the inherited one"
    );

    let refused =
        async |id: &str| wire(&assert_refused(acts_in(&max.acting_in(id)).await, Code::NotFound, "ACCOUNT_NOT_FOUND"));
    let unknown = refused(&unknown_id()).await;
    for (what, test_account) in [("above", &acme), ("a sibling", &south), ("of another tenant", &globex)] {
        assert_eq!(refused(&test_account.account).await, unknown, "{what}");
    }
}

#[tokio::test]
async fn the_highest_of_several_roles_counts() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let north = acme.child("north").await;
    let deep = north.child("deep").await;
    for (subject, above, below) in
        [("up", pb::Role::Viewer, pb::Role::Admin), ("down", pb::Role::Admin, pb::Role::Viewer)]
    {
        acme.add(subject, above).await;
        north.add(subject, below).await;
        for test_account in [&north, &deep] {
            let client = world.subject(subject).acting_in(&test_account.account);
            let ada = client.create(customer("Ada")).await.unwrap();
            client.approve(&ada.id).await.unwrap();
        }
    }
    let refused = world.subject("up").acting_in(&acme.account).create(customer("Ada")).await;
    let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(
        metadata(&refused, "required_role").as_deref(),
        Some("MEMBER"),
        "a role does not hold in accounts above"
    );
    world.subject("down").acting_in(&acme.account).create(customer("Ada")).await.unwrap();
}

#[tokio::test]
async fn a_principal_of_two_tenants_names_the_tenant_or_the_account() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let third = world.tenant("initech").await;
    let north = acme.child("north").await;
    for test_account in [&acme, &globex] {
        test_account.add("max", pb::Role::Admin).await;
    }
    let max = world.subject("max").accepting_all().await;
    assert_refused(acts_in(&max).await, Code::InvalidArgument, "ACCOUNT_REQUIRED");
    for test_account in [&acme, &globex, &north] {
        assert_eq!(acts_in(&max.acting_in(&test_account.account)).await.unwrap(), test_account.account);
        assert_eq!(
            acts_in(&max.acting_in(&test_account.account).in_tenant(&test_account.tenant)).await.unwrap(),
            test_account.account
        );
    }
    for test_account in [&acme, &globex] {
        assert_eq!(
            acts_in(&max.in_tenant(&test_account.tenant)).await.unwrap(),
            test_account.account,
            "its only membership in that tenant"
        );
    }
    let crossed = max.in_tenant(&globex.tenant).acting_in(&acme.account);
    assert_refused(acts_in(&crossed).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    let nowhere = assert_refused(acts_in(&max.in_tenant(&third.tenant)).await, Code::PermissionDenied, "NOT_A_MEMBER");
    let unknown = assert_refused(acts_in(&max.in_tenant(&unknown_id())).await, Code::PermissionDenied, "NOT_A_MEMBER");
    assert_eq!(wire(&nowhere), wire(&unknown), "the error does not show whether a tenant exists");
}

#[tokio::test]
async fn malformed_headers_are_refused_all_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for bad in ["", "7", "acme", "%", &format!("{}0", acme.account)] {
        let client = acme.admin.acting_in(bad);
        let refused = assert_refused(acts_in(&client).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["clientele-account"], "{bad:?}");
        let both = assert_refused(acts_in(&client.in_tenant(bad)).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&both), ["clientele-tenant", "clientele-account"], "{bad:?}");
    }
    let unnamed = Client { account: None, ..acme.admin.clone() };
    let mut twice = Request::new(pb::GetAccountRequest::default());
    for _ in 0..2 {
        twice.metadata_mut().append("clientele-account", acme.account.parse().unwrap());
    }
    let refused = unnamed.accounts().get_account(twice).await;
    assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    // Authentication comes before the request.
    let forged = Client { token: Some("a.b.c".to_owned()), ..acme.admin.acting_in("7") };
    assert_refused(acts_in(&forged).await, Code::Unauthenticated, "TOKEN_INVALID");
}

#[tokio::test]
async fn no_other_header_identifies_the_caller() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let max = north.member(pb::Role::Viewer).await;
    let unnamed = Client { account: None, ..max.accepting_all().await };
    let mut request = Request::new(pb::GetAccountRequest::default());
    for (name, value) in [
        ("x-clientele-account", acme.account.as_str()),
        ("clientele_account", &acme.account),
        ("clientele-role", "ADMIN"),
        ("x-forwarded-user", "operator"),
        ("clientele-principal", "operator"),
    ] {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    let account = unnamed.accounts().get_account(request).await.unwrap().into_inner().account.unwrap();
    assert_eq!(account.id, north.account);
    // Roles do not come from the token.
    let claims = tokens::claims(&json!({"sub": "eve", "role": "ADMIN", "roles": ["ADMIN"], "tenant": acme.tenant}));
    let refused = acts_in(&world.bearer(world.keys.sign(claims)).acting_in(&acme.account)).await;
    assert_refused(refused, Code::PermissionDenied, "NOT_A_MEMBER");
}

#[tokio::test]
async fn a_service_principal_has_its_role_in_every_tenant_and_names_the_tenant() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let north = acme.child("north").await;
    let service = world.subject(SERVICE);
    for client in [service.clone(), service.acting_in(&acme.account)] {
        assert_refused(acts_in(&client).await, Code::InvalidArgument, "TENANT_REQUIRED");
    }
    for test_account in [&acme, &globex] {
        let client = service.in_tenant(&test_account.tenant);
        assert_eq!(acts_in(&client).await.unwrap(), test_account.account, "the provider's account by default");
        let ada = client.create(customer("Ada")).await.unwrap();
        assert_eq!(ada.account_id, test_account.account);
        let refused = assert_refused(client.approve(&ada.id).await, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    let below = service.in_tenant(&acme.tenant).acting_in(&north.account);
    assert_eq!(acts_in(&below).await.unwrap(), north.account);
    let refused = async |tenant: &str, account: &str| {
        let refused = acts_in(&service.in_tenant(tenant).acting_in(account)).await;
        wire(&assert_refused(refused, Code::NotFound, "ACCOUNT_NOT_FOUND"))
    };
    let unknown = refused(&acme.tenant, &unknown_id()).await;
    assert_eq!(refused(&globex.tenant, &north.account).await, unknown);
    assert_eq!(refused(&unknown_id(), &north.account).await, unknown);
    let nowhere = service.in_tenant(&unknown_id());
    assert_refused(acts_in(&nowhere).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
}

#[tokio::test]
async fn a_removed_membership_ends_within_seconds() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let max = acme.member(pb::Role::Member).await;
    acts_in(&max).await.unwrap();
    // As another replica would do it: this server is not notified.
    sqlx::raw_sql("delete from members where role = 'MEMBER'").execute(&mut world.sql().await).await.unwrap();
    let taken_away = Instant::now();
    until("the membership has ended", async || acts_in(&max).await.is_err()).await;
    assert_refused(acts_in(&max).await, Code::PermissionDenied, "NOT_A_MEMBER");
    assert!(taken_away.elapsed() < Duration::from_secs(5), "{:?}", taken_away.elapsed());
}

#[tokio::test]
async fn in_the_steady_state_calls_read_no_memberships() {
    const CALLS: u32 = 200;
    let database = database().await;
    let first = World::start_with(database.clone(), |_| ()).await;
    let acme = first.tenant("acme").await;
    acme.add("max", pb::Role::Viewer).await;
    first.subject("max").accepting_all().await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    stopped(first).await;
    let before = look_ups(&database).await;

    let world = World::start_with(database.clone(), |_| ()).await;
    let max = world.subject("max");
    let begin = Instant::now();
    for _ in 0..CALLS {
        max.get(&ada.id).await.unwrap();
    }
    // Once, and again after each two seconds.
    let trusted = i64::try_from(begin.elapsed().as_secs() / 2).unwrap() + 1;
    stopped(world).await;
    let asked = look_ups(&database).await - before;
    assert!((1..=trusted).contains(&asked), "{asked} look-ups for {CALLS} calls in {:?}", begin.elapsed());
}

/// Stops the server and waits until its sessions have ended and reported their statistics.
async fn stopped(world: World) {
    let World { server, database, .. } = world;
    assert_eq!(server.stop().await, DrainOutcome::Complete);
    let sessions = "select count(*) from pg_stat_activity
                    where datname = current_database() and application_name = 'clientele'";
    until("its sessions have ended", async || {
        let mut sql = database.connect().await.unwrap();
        sqlx::query_scalar::<_, i64>(sessions).fetch_one(&mut sql).await.unwrap() == 0
    })
    .await;
}

/// How often the table of principals and tenants was read.
async fn look_ups(database: &PgConnectOptions) -> i64 {
    let scans = "select seq_scan + coalesce(idx_scan, 0) from pg_stat_user_tables where relname = 'principals'";
    sqlx::query_scalar(scans).fetch_one(&mut database.connect().await.unwrap()).await.unwrap()
}
