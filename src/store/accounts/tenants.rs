//! Tenants, which platform operators alone create, list and suspend.

use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::member::Member,
        accounts::account::Account,
        history::event::Changes,
        requests::answer::Tenant,
        values::{
            enums::NameUniqueness,
            ids::{EventId, TenantId},
        },
    },
    error::{Error, Result},
    store::{
        access::members,
        mutation::mutation,
        rows::{self, Room, Rows},
        write::{NewAnswer, NewEvent, Write},
    },
    telemetry::{RowStream as _, Statement as _},
};

/// Creates a tenant, its provider's account and that one's first admin, whose membership is accepted and whose event has an id of
/// its own.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn create(
    conn: &mut PgConnection,
    tenant: &Tenant,
    account: &Account,
    (admin, added): (&Member, EventId),
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = NewEvent { member_id: Some(admin.id), ..write.event("TENANT_CREATED", Changes::default()) };
    let added = members::added(admin, Write { event: added, ..write });
    let answer = answer.and_then(|answer| write.answer(answer));
    let answer = answer.map(|answer| NewAnswer { tenant_id: Some(TenantId::PLATFORM), ..answer });
    mutation!(
        write.recorded(tenant.id, &[event, added], answer.as_slice()),
        "with written as (
            insert into tenants (tenant_id, name, name_uniqueness, created_at) values ($1, $12, $13, $9)
            returning tenant_id
        ), account as (
            insert into accounts (tenant_id, id, ancestors, name, policies, created_at)
            values ($1, $1, array[$1], $12, $14, $9)
        ), principal as (
            insert into principals (issuer, subject, tenant_id, accepted) values ($15, $16, $1, true)
        ), member as (
            insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at, accepted_at)
            values ($1, $17, $1, $15, $16, $18, $9, $9)
        )" RECORDED,
        tenant.name,
        tenant.name_uniqueness.as_str(),
        Json(&account.policies) as _,
        admin.principal.issuer(),
        admin.principal.subject(),
        admin.id.get(),
        admin.role.as_str(),
    )
    .fetch_one(conn)
    .named("tenants.create")
    .await?;
    Ok(())
}

/// Lists tenants by id, those after the given one.
pub async fn list(conn: &mut PgConnection, after: Option<TenantId>, limit: i64, room: Room) -> Result<Rows<Tenant>> {
    let rows = sqlx::query!(
        r#"
        select tenant_id, name, name_uniqueness, created_at, suspended_at from tenants
        where tenant_id > $1 order by tenant_id limit $2
        "#,
        after.map_or(Uuid::nil(), TenantId::get),
        limit,
    )
    .fetch(conn)
    .named("tenants.list");
    rows::page(rows, room, |row| {
        let cost = size_of::<Tenant>() + 2 * row.name.len();
        let tenant = Tenant {
            id: TenantId::from_uuid(row.tenant_id),
            name: row.name,
            name_uniqueness: NameUniqueness::stored(&row.name_uniqueness),
            created_at: row.created_at,
            suspended_at: row.suspended_at,
        };
        Ok(Some((cost, tenant)))
    })
    .await
}

/// Locks a tenant until the transaction ends, and reads it. Creates in the tenant, which read its row, do not wait.
pub async fn lock(conn: &mut PgConnection, id: TenantId) -> Result<Tenant> {
    let row = sqlx::query!(
        r#"
        select tenant_id, name, name_uniqueness, created_at, suspended_at from tenants
        where tenant_id = $1
        for no key update
        "#,
        id.get(),
    )
    .fetch_optional(conn)
    .named("tenants.lock")
    .await?
    .ok_or(Error::TenantNotFound)?;
    Ok(Tenant {
        id,
        name: row.name,
        name_uniqueness: NameUniqueness::stored(&row.name_uniqueness),
        created_at: row.created_at,
        suspended_at: row.suspended_at,
    })
}

/// Writes a locked tenant that was suspended or resumed.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn suspend(conn: &mut PgConnection, after: &Tenant, answer: Option<Value>, write: Write<'_>) -> Result<()> {
    let happened = if after.suspended_at.is_some() { "TENANT_SUSPENDED" } else { "TENANT_RESUMED" };
    let event = write.event(happened, Changes::default());
    let answer = answer.and_then(|answer| write.answer(answer));
    let answer = answer.map(|answer| NewAnswer { tenant_id: Some(TenantId::PLATFORM), ..answer });
    mutation!(
        write.recorded(after.id, &[event], answer.as_slice()),
        "with written as (
            update tenants set suspended_at = $12 where tenant_id = $1 returning tenant_id
        )" RECORDED,
        after.suspended_at,
    )
    .fetch_one(conn)
    .named("tenants.suspend")
    .await?;
    Ok(())
}
