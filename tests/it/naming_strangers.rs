//! What an ADMIN of another tenant can do to a principal by naming it as a member: nothing but a longer waiting list.

use std::time::Instant;

use clientele::grpc::pb;
use sqlx::PgConnection;
use tokio::task::JoinSet;
use tonic::Code;

use crate::{
    access_look_ups::{FIND, FIND_SOLE, acts_in, asked, measured, once_per_two_seconds, pages, prepare},
    change_member_role::{change, changing},
    remove_member::{remove, removing},
    world::{ISSUER, TestAccount, World, assert_refused, principal, unknown_id},
};

/// Accounts that the attacker makes by calls, and in the database itself.
const CALLS: usize = 1_006;
const ROWS: i32 = 100_000;
/// Memberships of others.
const OTHERS: i32 = 10_000;

/// Names the victim as the first admin of so many new accounts.
async fn by_calls(attacker: &TestAccount, victim: &str) {
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        if calls.len() == 6 {
            calls.join_next().await.unwrap().unwrap();
        }
        let (client, first_admin) = (attacker.admin.clone(), Some(principal(victim)));
        let account = Some(pb::Account { name: format!("trap {number}"), ..Default::default() });
        calls.spawn(async move {
            let request = pb::CreateAccountRequest { account, first_admin, ..Default::default() };
            client.accounts().create_account(request).await.unwrap();
        });
    }
    calls.join_all().await;
}

/// New accounts in the database itself, below each of these, with an ADMIN each: the victim, whose memberships wait, or others,
/// who have accepted theirs.
async fn by_rows(world: &World, victim: Option<&str>, accounts: &[&str], rows: i32) {
    let statement = "
        with made as (
            insert into accounts (tenant_id, id, parent_id, ancestors, name, policies, created_at)
            select p.tenant_id, n.id, p.id, array[n.id, p.id], 'trap', p.policies, now()
            from accounts p, (select gen_random_uuid() as id from generate_series(1, $4)) n
            where p.id = any($1::text[]::uuid[])
            returning tenant_id, id
        ), named as (
            insert into principals (issuer, subject, tenant_id, accepted)
            select distinct $2, coalesce($3, id::text), tenant_id, $3 is null from made
            on conflict do nothing
        )
        insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at, accepted_at)
        select tenant_id, gen_random_uuid(), id, $2, coalesce($3, id::text), 'ADMIN', now(),
               case when $3 is null then now() end
        from made";
    let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    let rows = rows / i32::try_from(accounts.len()).unwrap();
    let mut sql = world.sql().await;
    // Without the checks of foreign keys, which PostgreSQL has planned for the few rows that were there before.
    sqlx::raw_sql("set session_replication_role = replica").execute(&mut sql).await.unwrap();
    sqlx::query(statement).bind(&accounts).bind(ISSUER).bind(victim).bind(rows).execute(&mut sql).await.unwrap();
}

/// Pages that the look-ups of the victim read: without a header, and with its account's.
async fn costs(sql: &mut PgConnection, victim: &str, account: &str) -> [u64; 2] {
    let sole = pages(sql, &format!("find_sole (null, '{ISSUER}', '{victim}', 100)")).await;
    [sole, pages(sql, &format!("find (null, '{ISSUER}', '{victim}', '{account}')")).await]
}

/// A session as a server has it: with both statements, planned for any principal.
async fn session(world: &World) -> PgConnection {
    let mut sql = world.sql().await;
    sqlx::raw_sql("set plan_cache_mode = force_generic_plan").execute(&mut sql).await.unwrap();
    prepare(&mut sql, "find", FIND).await;
    prepare(&mut sql, "find_sole", FIND_SOLE).await;
    sql
}

#[tokio::test]
async fn a_flood_of_memberships_from_another_tenant_changes_nothing_for_its_victim() {
    let world = measured().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let others = [world.tenant("trap 1").await, world.tenant("trap 2").await, world.tenant("trap 3").await];
    // The victim is a member of globex, and of an account below by somebody else's choice.
    let north = globex.child("north").await;
    globex.add("ada", pb::Role::Admin).await;
    let ada = world.subject("ada").accepting_all().await;
    north.add("ada", pb::Role::Viewer).await;
    let at_home = ada.acting_in(&globex.account);
    let accepted = || async { ada.memberships(50).await.into_iter().filter(|it| !it.waiting).collect::<Vec<_>>() };
    let mine = accepted().await;
    assert_eq!(mine.len(), 1);
    // A database that is in use: of almost empty tables PostgreSQL reads everything, and plans so until it looks again.
    by_rows(&world, None, &[&acme.account, &globex.account], OTHERS).await;
    sqlx::raw_sql("vacuum analyze").execute(&mut world.sql().await).await.unwrap();
    let mut sql = session(&world).await;
    let before = costs(&mut sql, "ada", &globex.account).await;

    // While it is named, its own calls find their cached access, at most two seconds old.
    let (begun, looked_up) = (Instant::now(), asked(&world).await);
    acme.add("ada", pb::Role::Admin).await;
    let calls = async {
        let mut made = 0;
        loop {
            for client in [&ada, &at_home] {
                assert_eq!(acts_in(client).await.unwrap(), globex.account, "call {made}");
            }
            made += 1;
            tokio::task::yield_now().await;
            if made >= 300 {
                break;
            }
        }
    };
    tokio::join!(by_calls(&acme, "ada"), calls);
    // The attacker's own calls are of one account, whose entries it makes stale by nothing.
    let found = asked(&world).await - looked_up;
    assert!(found <= 3.0 * once_per_two_seconds(begun), "{found} look-ups in {:?}", begun.elapsed());

    let traps = [&*acme.account, &others[0].account, &others[1].account, &others[2].account];
    by_rows(&world, Some("ada"), &traps, ROWS).await;
    // A server that knows nothing yet.
    let fresh = World::start_with(world.database.clone(), |_| ()).await;
    let again = fresh.subject("ada");
    for client in [again.clone(), again.in_tenant(&globex.tenant), again.acting_in(&globex.account)] {
        assert_eq!(acts_in(&client).await.unwrap(), globex.account);
    }
    assert_eq!(acts_in(&again.acting_in(&north.account)).await.unwrap(), north.account);
    let listed = again.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap().into_inner().memberships;
    assert_eq!(listed[..1], mine, "first");
    assert!(listed[1..].iter().all(|membership| membership.waiting));

    // With the plans of before the flood, and with those of after it.
    let stale = costs(&mut sql, "ada", &globex.account).await;
    sqlx::raw_sql("vacuum analyze").execute(&mut world.sql().await).await.unwrap();
    let current = costs(&mut session(&world).await, "ada", &globex.account).await;
    for after in [stale, current] {
        // The index of accounts has become deeper by a level or two.
        for (before, after) in before.into_iter().zip(after) {
            assert!(before > 2 && after <= before + 12, "{before} pages before, {after} after it");
        }
    }

    // What its calls could not do before, they cannot do now; what waits is counted to a hundred.
    assert_refused(acts_in(&again.acting_in(&unknown_id())).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    assert_eq!(acts_in(&again.acting_in(&acme.account)).await.unwrap(), acme.account, "it may look where it was named");
}

#[tokio::test]
async fn what_becomes_of_a_waiting_membership_drops_no_entry_of_its_principal() {
    const ROUNDS: usize = 30;
    let world = measured().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    globex.add("ada", pb::Role::Viewer).await;
    let ada = world.subject("ada").accepting_all().await;
    let (begun, mut reads) = (Instant::now(), 0.0);
    for round in 0..ROUNDS {
        for step in 0..3 {
            match step {
                0 => drop(acme.add("ada", pb::Role::Viewer).await),
                step => {
                    let listed = acme.admin.access().list_members(pb::ListMembersRequest::default()).await;
                    let members = listed.unwrap().into_inner().members;
                    let named = members.iter().find(|member| member.waiting).unwrap();
                    match step {
                        1 => drop(change(&acme.admin, changing(&named.member_id, pb::Role::Admin)).await.unwrap()),
                        _ => drop(remove(&acme.admin, removing(&named.member_id)).await.unwrap()),
                    }
                }
            }
            let before = asked(&world).await;
            for client in [&ada, &ada.acting_in(&globex.account)] {
                assert_eq!(acts_in(client).await.unwrap(), globex.account, "round {round}");
            }
            reads += asked(&world).await - before;
        }
    }
    assert!(reads <= 2.0 * once_per_two_seconds(begun), "{reads} look-ups for {ROUNDS} rounds");
}
