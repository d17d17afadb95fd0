//! Tenants, which platform operators alone create and list, and the tenant's rule on customer names.

use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::{caller::Scope, member::Member},
        accounts::account::Account,
        history::event::Changes,
        requests::answer::Tenant,
        values::{enums::NameUniqueness, ids::TenantId},
    },
    error::{Error, Result},
    store::{
        rows::{self, Room, Rows},
        sql::mutation,
        write::{NewAnswer, NewEvent, Write},
    },
    telemetry::{RowStream as _, Statement as _},
};

/// Creates a tenant, its provider's account and that one's first admin, whose membership is accepted.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn create(
    conn: &mut PgConnection,
    tenant: &Tenant,
    account: &Account,
    admin: &Member,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = NewEvent { member_id: Some(admin.id), ..write.event("TENANT_CREATED", Changes::default()) };
    let answer = answer.and_then(|answer| write.answer(answer));
    let answer = answer.map(|answer| NewAnswer { tenant_id: Some(TenantId::PLATFORM), ..answer });
    mutation!(
        write.recorded(tenant.id, &[event], answer.as_slice()),
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
        select tenant_id, name, name_uniqueness, created_at from tenants
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
        };
        Ok(Some((cost, tenant)))
    })
    .await
}

/// Locks the tenant's row against creates and returns its rule on names. A plain update would not exclude creates, which
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

/// Sets the tenant's rule on names, and with it every customer's unique key.
///
/// # Errors
/// A broken unique key, unmapped: customers have the same name where the new rule forbids it.
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
