//! Members of accounts.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::{caller::Scope, member::Member},
        requests::principal::Principal,
        values::{
            enums::Role,
            ids::{AccountId, MemberId},
        },
    },
    error::{Error, Result},
    store::{Write, principal_key},
    telemetry::Statement as _,
};

/// Makes a principal a member of the acting account.
///
/// # Errors
/// A broken unique key, unmapped: it is one already, or the request_id came before.
pub async fn add(
    conn: &mut PgConnection,
    scope: &Scope,
    member: &Member,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    sqlx::query!(
        r#"
        with principal as (
            insert into principals (issuer, subject, tenant_id) values ($3, $4, $1) on conflict do nothing
        ), member as (
            insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at)
            values ($1, $5, $2, $3, $4, $6, $7)
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, issuer, subject, actors, acting_account_id, member_id, rpc,
                request_id, trace_id, workload, changes
            )
            values (
                $1, $8, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $7,
                'MEMBER_ADDED', $9, $10, $11, $2, $5, $12, $13, $14, $18,
                jsonb_build_object('role', jsonb_build_object('old', null, 'new', $6::text))
            )
        )
        insert into requests (tenant_id, principal, rpc, request_id, fingerprint, answer, created_at)
        select $1, $15, $12, $13, $16, $17, $7 where $13::uuid is not null
        "#,
        scope.tenant().get(),
        scope.root().get(),
        member.principal.issuer(),
        member.principal.subject(),
        member.id.get(),
        member.role.as_str(),
        write.at,
        write.event.get(),
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        principal_key(&write.author.principal),
        write.fingerprint(),
        answer,
        write.author.workload(),
    )
    .execute(conn)
    .named("members.add")
    .await?;
    Ok(())
}

/// Where a page of members goes on: the place in the acting account's path, then issuer and subject.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct After {
    /// Steps up from the acting account, from 1.
    pub step: i32,
    /// The last issuer.
    pub issuer: String,
    /// The last subject.
    pub subject: String,
}

/// Lists the members of the acting account, or of every account on its path, nearest first, each by issuer and subject.
/// Every member comes with its account's place in the path.
pub async fn list(
    conn: &mut PgConnection,
    scope: &Scope,
    inherited: bool,
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<(i32, Member)>> {
    let accounts: Vec<Uuid> =
        scope.path().ids().iter().take(if inherited { usize::MAX } else { 1 }).map(|id| id.get()).collect();
    sqlx::query!(
        r#"
        select a.step::int as "step!", m.member_id, m.account_id, m.issuer, m.subject, m.role, m.created_at
        from unnest($2::uuid[]) with ordinality as a (id, step)
        cross join lateral (
            select * from members m
            where m.tenant_id = $1 and m.account_id = a.id
              and (a.step, m.issuer, m.subject) > ($3, $4 collate "C", $5 collate "C")
            order by m.issuer, m.subject
            limit $6
        ) m
        where a.step >= $3
        order by a.step, m.issuer, m.subject
        limit $6
        "#,
        scope.tenant().get(),
        &accounts,
        i64::from(after.map_or(0, |after| after.step)),
        after.map_or("", |after| after.issuer.as_str()),
        after.map_or("", |after| after.subject.as_str()),
        limit,
    )
    .fetch_all(conn)
    .named("members.list")
    .await?
    .into_iter()
    .map(|row| {
        let member = Member {
            id: MemberId::from_uuid(row.member_id),
            account: AccountId::from_uuid(row.account_id),
            principal: Principal::new(row.issuer, row.subject),
            role: Role::stored(&row.role),
            created_at: row.created_at,
        };
        Ok::<_, Error>((row.step, member))
    })
    .collect()
}
