//! Tenants: what only platform operators touch, and the tenant's rule on customer names.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::{caller::Scope, member::Member},
        accounts::account::Account,
        requests::answer::Tenant,
        values::{enums::NameUniqueness, ids::TenantId},
    },
    error::{Error, Result},
    store::{Write, json, principal_key},
    telemetry::Statement as _,
};

/// Creates a tenant, its provider's account and that one's first admin.
///
/// # Errors
/// A broken unique key, unmapped: the request_id came before.
pub async fn create(
    conn: &mut PgConnection,
    tenant: &Tenant,
    account: &Account,
    admin: &Member,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    sqlx::query!(
        r#"
        with tenant as (
            insert into tenants (tenant_id, name, name_uniqueness, created_at) values ($1, $2, $3, $4)
        ), account as (
            insert into accounts (tenant_id, id, ancestors, name, policies, created_at)
            values ($1, $1, array[$1], $2, $5, $4)
        ), principal as (
            insert into principals (issuer, subject, tenant_id) values ($6, $7, $1)
        ), member as (
            insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at)
            values ($1, $8, $1, $6, $7, $9, $4)
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, issuer, subject, actors, member_id, rpc, request_id, trace_id, workload,
                changes
            )
            values (
                $1, $10, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $4,
                'TENANT_CREATED', $11, $12, $13, $8, $14, $15, $16, $21, '{}'
            )
        )
        insert into requests (tenant_id, principal, rpc, request_id, fingerprint, answer, created_at)
        select $17, $18, $14, $15, $19, $20, $4 where $15::uuid is not null
        "#,
        tenant.id.get(),
        tenant.name,
        tenant.name_uniqueness.as_str(),
        write.at,
        json(&account.policies)?,
        admin.principal.issuer(),
        admin.principal.subject(),
        admin.id.get(),
        admin.role.as_str(),
        write.event.get(),
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        TenantId::PLATFORM.get(),
        principal_key(&write.author.principal),
        write.fingerprint(),
        answer,
        write.author.workload(),
    )
    .execute(conn)
    .named("tenants.create")
    .await?;
    Ok(())
}

/// Lists tenants by id, those after the given one.
pub async fn list(conn: &mut PgConnection, after: Option<TenantId>, limit: i64) -> Result<Vec<Tenant>> {
    sqlx::query!(
        r#"
        select tenant_id, name, name_uniqueness, created_at from tenants
        where tenant_id > $1 order by tenant_id limit $2
        "#,
        after.map_or(Uuid::nil(), TenantId::get),
        limit,
    )
    .fetch_all(conn)
    .named("tenants.list")
    .await?
    .into_iter()
    .map(|row| {
        Ok(Tenant {
            id: TenantId::from_uuid(row.tenant_id),
            name: row.name,
            name_uniqueness: NameUniqueness::stored(&row.name_uniqueness),
            created_at: row.created_at,
        })
    })
    .collect()
}

/// Locks the tenant's row against creates and returns its rule on names. A plain update would not exclude those that
/// read the row `for key share`.
pub async fn lock_rule(conn: &mut PgConnection, scope: &Scope) -> Result<NameUniqueness> {
    let rule = sqlx::query_scalar!(
        "select name_uniqueness from tenants where tenant_id = $1 for update",
        scope.tenant().get()
    )
    .fetch_optional(conn)
    .named("tenants.lock_rule")
    .await?
    .ok_or(Error::AccountNotFound)?;
    Ok(NameUniqueness::stored(&rule))
}

/// Puts a rule on names in force: on the tenant, and in every customer's unique key.
///
/// # Errors
/// A broken unique key, unmapped: customers that have the same name where the new rule forbids it.
pub async fn set_rule(conn: &mut PgConnection, scope: &Scope, rule: NameUniqueness) -> Result<()> {
    sqlx::query!(
        r#"
        with tenant as (
            update tenants set name_uniqueness = $2, revision = revision + 1 where tenant_id = $1
        )
        update customers set name_scope = case $2 when 'ACCOUNT' then account_id when 'TENANT' then tenant_id end
        where tenant_id = $1
        "#,
        scope.tenant().get(),
        rule.as_str(),
    )
    .execute(conn)
    .named("tenants.set_rule")
    .await?;
    Ok(())
}
