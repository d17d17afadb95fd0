//! Customers that a caller names otherwise than by one id: each reading is one statement.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    CustomerRecord, path,
    row::{self, Row, columns},
};
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        values::{
            custom_id::{CustomId, System},
            ids::CustomerId,
        },
    },
    error::Result,
    telemetry::Statement as _,
};

/// Reads the customers of these ids that the caller's account sees, in no order. Those it does not see are missing.
pub async fn get_all(conn: &mut PgConnection, caller: &Caller, ids: &[CustomerId]) -> Result<Vec<CustomerRecord>> {
    let scope = caller.scope();
    let ids: Vec<Uuid> = ids.iter().filter(|id| scope.admits(**id)).map(|id| id.get()).collect();
    columns!(
        r#"
        , case when c.account_id <> $3 then (
              select a.policies from accounts a where a.tenant_id = c.tenant_id and a.id = c.account_id
          ) end as "policies: row::Policies"
        , null::bytea as "fingerprint?", null::jsonb as "answer?", null::text[] as "foreign?"
        from customers c
        where c.tenant_id = $1 and c.id = any($2)
          and ($3 = any(c.ancestors) or (c.reach = 'FLEET' and c.account_id = any($4)))
        "#,
        scope.tenant().get(),
        &ids,
        scope.root().get(),
        path(scope) as _,
    )
    .fetch_all(conn)
    .named("customers.get_all")
    .await?
    .into_iter()
    .map(|row: Row| row.seen(caller))
    .collect()
}

/// Reads the customers that the acting account calls, or called, so: in each system the one that has the value now, else
/// the one that had it last. Two at most, and none that the caller does not see: where they are two, they may be more.
pub async fn lookup(
    conn: &mut PgConnection,
    caller: &Caller,
    id: &CustomId,
    system: Option<&System>,
) -> Result<Vec<CustomerRecord>> {
    let scope = caller.scope();
    columns!(
        r#"
        , case when c.account_id <> $3 then (
              select a.policies from accounts a where a.tenant_id = c.tenant_id and a.id = c.account_id
          ) end as "policies: row::Policies"
        , null::bytea as "fingerprint?", null::jsonb as "answer?", null::text[] as "foreign?"
        from customers c
        where c.tenant_id = $1
          and c.id in (
              select distinct on (i.system) i.customer_id
              from custom_ids i
              where i.tenant_id = $1 and i.account_id = $3 and i.value_key = $2 and i.system = coalesce($5, i.system)
              order by i.system, i.is_current desc, i.created_at desc
          )
          and ($3 = any(c.ancestors) or (c.reach = 'FLEET' and c.account_id = any($4)))
          and c.id = coalesce($6, c.id)
        limit 2
        "#,
        scope.tenant().get(),
        id.key().as_str(),
        scope.root().get(),
        path(scope) as _,
        system.map(System::as_str),
        scope.narrowed().map(CustomerId::get),
    )
    .fetch_all(conn)
    .named("customers.lookup")
    .await?
    .into_iter()
    .map(|row: Row| row.seen(caller))
    .collect()
}

/// The customer in the caller's sight that the acting account calls so now, in one system. Aliases do not count.
pub async fn find_by_custom_id(
    conn: &mut PgConnection,
    scope: &Scope,
    system: &System,
    id: &CustomId,
) -> Result<Option<CustomerId>> {
    let found = sqlx::query_scalar!(
        r#"
        select c.id
        from custom_ids i
        join customers c on c.tenant_id = i.tenant_id and c.id = i.customer_id
        where i.tenant_id = $1 and i.account_id = $2 and i.system = $3 and i.value_key = $4 and i.is_current
          and ($2 = any(c.ancestors) or (c.reach = 'FLEET' and c.account_id = any($5)))
        "#,
        scope.tenant().get(),
        scope.root().get(),
        system.as_str(),
        id.key().as_str(),
        path(scope) as _,
    )
    .fetch_optional(conn)
    .named("customers.find_by_custom_id")
    .await?;
    Ok(found.map(CustomerId::from_uuid).filter(|id| scope.admits(*id)))
}
