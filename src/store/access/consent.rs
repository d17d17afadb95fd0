//! A principal's own memberships, which it accepts or declines. It names no tenant, so that is looked for first.

use serde_json::Value;
use sqlx::PgConnection;

use super::members::{self, Row};
use crate::{
    domain::{
        access::member::Member,
        history::event::Changes,
        requests::{
            options::Repeatable,
            principal::{Author, Principal},
        },
        values::ids::{MemberId, TenantId},
    },
    error::{Error, Result},
    store::{mutation::mutation, write::Write},
    telemetry::Statement as _,
};

/// The tenant of one of the author's own memberships; or, if there is no such membership any more, the one in which the answer
/// to this request is stored.
pub async fn find_tenant(
    conn: &mut PgConnection,
    author: &Author,
    tenant: Option<TenantId>,
    member: MemberId,
    request: Option<&Repeatable>,
) -> Result<Option<TenantId>> {
    let found = sqlx::query_scalar!(
        r#"
        select p.tenant_id
        from principals p
        cross join lateral (
            select exists (
                select from members m
                where m.tenant_id = p.tenant_id and m.member_id = $4 and m.issuer = $2 and m.subject = $3
            ) as it
        ) as here
        where p.tenant_id = coalesce($1, p.tenant_id) and p.issuer = $2 and p.subject = $3 and (
            here.it or exists (
                select from requests r
                where r.tenant_id = p.tenant_id and r.principal = $2 || ' ' || $3 and r.rpc = $5 and r.request_id = $6
            )
        )
        order by here.it desc
        limit 1
        "#,
        tenant.map(TenantId::get),
        author.principal.issuer(),
        author.principal.subject(),
        member.get(),
        author.rpc.name(),
        request.map(|request| request.key.get()),
    )
    .fetch_optional(conn)
    .named("memberships.find_tenant")
    .await?;
    Ok(found.map(TenantId::from_uuid))
}

/// Locks the tenant's row as `members::lock_tenant` does.
///
/// # Errors
/// `TenantSuspended`: of every call, a repeat included.
pub async fn lock_tenant(conn: &mut PgConnection, tenant: TenantId) -> Result<()> {
    let suspended = sqlx::query_scalar!(
        r#"select suspended_at is not null as "suspended!" from tenants where tenant_id = $1 for no key update"#,
        tenant.get()
    )
    .fetch_one(conn)
    .named("memberships.lock_tenant")
    .await?;
    if suspended { Err(Error::TenantSuspended) } else { Ok(()) }
}

/// Locks one of a principal's own memberships, and reads the name of its account.
///
/// # Errors
/// `MembershipNotFound`.
pub async fn lock(
    conn: &mut PgConnection,
    tenant: TenantId,
    principal: &Principal,
    id: MemberId,
) -> Result<(Member, String)> {
    let row = sqlx::query!(
        r#"
        select m.account_id, m.role, m.created_at, m.accepted_at is null as "waiting!",
               (select a.name from accounts a where a.tenant_id = m.tenant_id and a.id = m.account_id) as "name!"
        from members m
        where m.tenant_id = $1 and m.member_id = $2 and m.issuer = $3 and m.subject = $4
        for update
        "#,
        tenant.get(),
        id.get(),
        principal.issuer(),
        principal.subject(),
    )
    .fetch_optional(conn)
    .named("memberships.lock")
    .await?
    .ok_or(Error::MembershipNotFound)?;
    let member = Row {
        member_id: id.get(),
        account_id: row.account_id,
        issuer: principal.issuer().to_owned(),
        subject: principal.subject().to_owned(),
        role: row.role,
        created_at: row.created_at,
        waiting: row.waiting,
    };
    Ok((member.into(), row.name))
}

/// Accepts the author's own locked membership.
pub async fn accept(
    conn: &mut PgConnection,
    tenant: TenantId,
    before: &Member,
    after: &Member,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = members::event(before.id, "MEMBER_ACCEPTED", Changes::of_member(Some(before), Some(after)), write);
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(tenant, &[event], answer.as_slice()),
        "with principal as (
            update principals p set accepted = true
            where p.tenant_id = $1 and p.issuer = $2 and p.subject = $3 and not p.accepted
        ), written as (
            update members set accepted_at = $9 where tenant_id = $1 and member_id = $12 returning member_id
        )" RECORDED,
        before.id.get(),
    )
    .fetch_one(conn)
    .named("memberships.accept")
    .await?;
    Ok(())
}
