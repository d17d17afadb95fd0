//! A customer and those that were merged into it, its sources.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{access::caller::Scope, values::ids::CustomerId},
    error::Result,
    telemetry::Statement as _,
};

/// The customers that were merged into one of these, in id order, whoever owns them.
pub async fn sources(conn: &mut PgConnection, scope: &Scope, of: &[CustomerId]) -> Result<Vec<CustomerId>> {
    let ids = sqlx::query_scalar!(
        "select id from customers where tenant_id = $1 and merged_into = any($2) order by id",
        scope.tenant().get(),
        &of.iter().map(|id| id.get()).collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .named("family.sources")
    .await?;
    Ok(ids.into_iter().map(CustomerId::from_uuid).collect())
}

/// One locked customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relative {
    /// Its id.
    pub id: CustomerId,
    /// Its revision.
    pub revision: i64,
    /// The customer that it was merged into, if it was.
    pub merged_into: Option<CustomerId>,
}

/// Locks these customers in id order until the transaction ends, whoever owns them. The caller has checked that it may.
pub async fn lock(conn: &mut PgConnection, scope: &Scope, ids: &[CustomerId]) -> Result<Vec<Relative>> {
    let rows = sqlx::query!(
        "select id, revision, merged_into from customers where tenant_id = $1 and id = any($2) order by id for update",
        scope.tenant().get(),
        &ids.iter().map(|id| id.get()).collect::<Vec<Uuid>>(),
    )
    .fetch_all(conn)
    .named("family.lock")
    .await?;
    let relative = |id, revision, merged_into: Option<Uuid>| Relative {
        id: CustomerId::from_uuid(id),
        revision,
        merged_into: merged_into.map(CustomerId::from_uuid),
    };
    Ok(rows.into_iter().map(|row| relative(row.id, row.revision, row.merged_into)).collect())
}
