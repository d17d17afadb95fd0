//! Look-ups of access: by the account that a call names, and which changes make a cached one stale.

use std::time::Instant;

use clientele::grpc::pb;
use serde_json::Value;
use sqlx::PgConnection;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::{
    telemetry::scrape::scrape,
    world::{
        Client, ISSUER, TestAccount, World, assert_refused, customer, database, manual_approval, metadata, principal,
        unknown_id,
    },
};

/// A server with metrics.
pub async fn measured() -> World {
    World::start_with(database().await, |config| {
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await
}

/// How often the database was asked who may act where.
pub async fn asked(world: &World) -> f64 {
    let metrics = scrape(world).await;
    let statements = ["access.find", "access.find_sole", "access.find_service"];
    let count = |name| metrics.value("db_client_operation_duration_seconds_count", &[("db_query_summary", name)]);
    statements.into_iter().map(count).sum()
}

/// How often one entry may be asked for in this time: once, and again after each two seconds.
pub fn once_per_two_seconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() / 2.0).floor() + 1.0
}

/// The account in which the caller acts, as GetAccount returns it.
pub async fn acts_in(client: &Client) -> Result<String, Status> {
    let answer = client.accounts().get_account(pb::GetAccountRequest::default()).await?;
    Ok(answer.into_inner().account.unwrap().id)
}

/// Makes a principal a VIEWER of so many new accounts below this one, and returns their ids.
async fn members_of_many(world: &World, above: &TestAccount, subject: &str, accounts: i32) -> Vec<String> {
    let statement = "
        with above as (select * from accounts where id = $1::uuid),
        below as (
            insert into accounts (tenant_id, id, parent_id, ancestors, name, policies, created_at)
            select a.tenant_id, n.id, a.id, array_prepend(n.id, a.ancestors), 'below', a.policies, now()
            from above a, (select gen_random_uuid() as id from generate_series(1, $4)) n
            returning tenant_id, id
        ),
        named as (
            insert into principals (tenant_id, issuer, subject) select tenant_id, $2, $3 from above
            on conflict do nothing
        ),
        made as (
            insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at)
            select tenant_id, gen_random_uuid(), id, $2, $3, 'VIEWER', now() from below
        )
        select id::text from below";
    sqlx::query_scalar(statement)
        .bind(&above.account)
        .bind(ISSUER)
        .bind(subject)
        .bind(accounts)
        .fetch_all(&mut world.sql().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_principal_with_thousands_of_memberships_acts_in_each() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let mut accounts = members_of_many(&world, &acme, "max", 1_200).await;
    accounts.extend(members_of_many(&world, &globex, "max", 300).await);
    let max = world.subject("max");
    for account in &accounts {
        assert_eq!(acts_in(&max.acting_in(account)).await.unwrap(), *account);
    }
    // Below one of them too, and with the highest role on the path.
    let below = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "deep".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let mut accounts_of_admin = acme.admin.acting_in(&accounts[1_199]).accounts();
    let deep = accounts_of_admin.create_account(below).await.unwrap().into_inner().account.unwrap().id;
    assert_eq!(acts_in(&max.acting_in(&deep)).await.unwrap(), deep);
    let refused =
        assert_refused(max.acting_in(&deep).create(customer("Ada")).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("MEMBER"));

    // The rules stay as they are for a principal with few.
    assert_refused(acts_in(&max).await, Code::InvalidArgument, "ACCOUNT_REQUIRED");
    let nowhere = [acme.account.as_str(), &globex.account, &unknown_id()].map(str::to_owned);
    for account in nowhere {
        assert_refused(acts_in(&max.acting_in(&account)).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    }
    let crossed = max.in_tenant(&globex.tenant).acting_in(&accounts[0]);
    assert_refused(acts_in(&crossed).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    assert_eq!(acts_in(&max.in_tenant(&acme.tenant).acting_in(&accounts[0])).await.unwrap(), accounts[0]);
}

#[tokio::test]
async fn a_look_up_reads_the_memberships_of_one_path_however_many_there_are() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let accounts = members_of_many(&world, &acme, "max", 5_000).await;
    let mut sql = world.sql().await;
    // As in a session that has prepared the statement: PostgreSQL plans it for any principal.
    for statement in ["analyze", "set plan_cache_mode = force_generic_plan"] {
        sqlx::raw_sql(statement).execute(&mut sql).await.unwrap();
    }
    prepare(&mut sql, "find", FIND).await;
    let pages = pages(&mut sql, &format!("find (null, '{ISSUER}', 'max', '{}')", accounts[777])).await;
    assert!((3..100).contains(&pages), "it reads {pages} pages");
}

/// A part of the text of the look-up of an account that a call names. Its parameters: a tenant, the issuer, the subject, the
/// account.
pub const FIND: &str = "array_agg(m.role) as roles";
/// The same of the look-up of the only account. Its parameters: a tenant, the issuer, the subject, where counting stops.
pub const FIND_SOLE: &str = "with mine as materialized";

/// Prepares the statement of the library that contains this text.
pub async fn prepare(sql: &mut PgConnection, name: &str, part: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let texts = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let statements = texts.map(|text| serde_json::from_slice::<Value>(&text).unwrap()["query"].clone());
    let found: Vec<String> =
        statements.map(|text| text.as_str().unwrap().to_owned()).filter(|text| text.contains(part)).collect();
    let [text] = &found[..] else { panic!("{} statements contain {part}", found.len()) };
    let prepared = format!("prepare {name} as {text}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(prepared)).execute(sql).await.unwrap();
}

/// How many pages a prepared statement reads: a name with its values.
pub async fn pages(sql: &mut PgConnection, execute: &str) -> u64 {
    let explain = format!("explain (analyze, buffers, format json) execute {execute}");
    let plan: Value = sqlx::query_scalar(sqlx::AssertSqlSafe(explain)).fetch_one(sql).await.unwrap();
    ["Shared Hit Blocks", "Shared Read Blocks"].map(|name| plan[0]["Plan"][name].as_u64().unwrap()).iter().sum()
}

#[tokio::test]
async fn a_validate_only_call_and_another_tenants_changes_drop_no_entry() {
    const ROUNDS: usize = 40;
    let world = measured().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let ada = globex.admin.create(customer("Ada")).await.unwrap();
    let (reader, begun, mut reads) = (globex.member(pb::Role::Viewer).await, Instant::now(), 0.0);
    let begun_all = asked(&world).await;
    let add = |subject: String, validate_only| pb::AddMemberRequest {
        principal: Some(principal(&subject)),
        role: pb::Role::Viewer.into(),
        validate_only,
        ..Default::default()
    };
    let branch = |name: String, validate_only| pb::CreateBranchRequest {
        branch: Some(pb::Branch { name, dms_integrated: true, ..Default::default() }),
        validate_only,
        ..Default::default()
    };
    let account = |subject: String, validate_only| pb::CreateAccountRequest {
        account: Some(pb::Account { name: "below".to_owned(), ..Default::default() }),
        first_admin: Some(principal(&subject)),
        validate_only,
        ..Default::default()
    };
    // The tenant's own validate_only calls: even of its own entries they drop none.
    let of_acme = Instant::now();
    for round in 0..ROUNDS {
        let (mut access, mut accounts) = (acme.admin.access(), acme.admin.accounts());
        access.add_member(add(format!("s{round}"), true)).await.unwrap();
        accounts.create_branch(branch(format!("b{round}"), true)).await.unwrap();
        accounts.create_account(account(format!("s{round}"), true)).await.unwrap();
    }
    let own = asked(&world).await - begun_all;
    assert!(own <= once_per_two_seconds(of_acme), "{own} look-ups for {} calls", 3 * ROUNDS);

    for round in 0..ROUNDS {
        let (mut access, mut accounts) = (acme.admin.access(), acme.admin.accounts());
        access.add_member(add(format!("s{round}"), false)).await.unwrap();
        accounts.create_branch(branch(format!("b{round}"), false)).await.unwrap();
        accounts.create_account(account(format!("s{round}"), false)).await.unwrap();
        let before = asked(&world).await;
        reader.get(&ada.id).await.unwrap();
        reads += asked(&world).await - before;
    }
    assert!(reads <= once_per_two_seconds(begun), "{reads} look-ups for {ROUNDS} reads of another tenant");
}

#[tokio::test]
async fn a_role_counts_at_once_while_its_principal_calls_all_the_time() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let north = acme.child("north").await;
    for round in 0..40 {
        let subject = format!("s{round}");
        let client = world.subject(&subject).acting_in(&north.account);
        let mut calls = JoinSet::new();
        // Look-ups that begin before the commit, and end after it.
        for _ in 0..8 {
            let client = client.clone();
            calls.spawn(async move { acts_in(&client).await });
        }
        north.add(&subject, pb::Role::Viewer).await;
        assert_eq!(acts_in(&client).await.unwrap(), north.account, "round {round}");
        for _ in 0..8 {
            let client = client.clone();
            calls.spawn(async move { acts_in(&client).await });
        }
        acme.add(&subject, pb::Role::Member).await;
        client.create(customer(&subject)).await.unwrap();
        calls.join_all().await;
        client.create(customer(&subject)).await.unwrap();
    }
}

#[tokio::test]
async fn a_stranger_is_looked_up_once_whatever_it_names() {
    let world = measured().await;
    world.tenant("acme").await;
    let (eve, before, begun) = (world.subject("eve"), asked(&world).await, Instant::now());
    for _ in 0..200 {
        for client in [eve.acting_in(&unknown_id()), eve.in_tenant(&unknown_id()).acting_in(&unknown_id())] {
            assert_refused(acts_in(&client).await, Code::PermissionDenied, "NOT_A_MEMBER");
        }
    }
    let found = asked(&world).await - before;
    assert!(found <= once_per_two_seconds(begun), "{found} look-ups for 400 calls in {:?}", begun.elapsed());
}
