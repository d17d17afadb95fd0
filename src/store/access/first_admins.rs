//! First admins of tenants whose membership waits: an older release, which knows no consent, created the tenant during a rollout.

use sqlx::PgConnection;

use super::members::Row;
use crate::{
    domain::{access::member::Member, values::ids::TenantId},
    error::Result,
    telemetry::Statement as _,
};

/// The first admins, of up to `limit` tenants that have no accepted ADMIN. The first one is as old as its tenant: one statement wrote
/// both. A tenant costs a look at one key of its members.
pub async fn waiting(conn: &mut PgConnection, limit: i64) -> Result<Vec<(TenantId, Member)>> {
    let rows = sqlx::query!(
        r#"
        select t.tenant_id, m.member_id, m.issuer, m.subject, m.role, m.created_at
        from tenants t
        join members m on m.tenant_id = t.tenant_id and m.account_id = t.tenant_id
        where m.accepted_at is null and m.role = 'ADMIN' and m.created_at = t.created_at and not exists (
            select from members l
            where l.tenant_id = t.tenant_id and l.account_id = t.tenant_id and l.role = 'ADMIN' and l.accepted_at is not null
        )
        limit $1
        "#,
        limit,
    )
    .fetch_all(conn)
    .named("first_admins.waiting")
    .await?;
    let members = rows.into_iter().map(|row| {
        let member = Row {
            member_id: row.member_id,
            account_id: row.tenant_id,
            issuer: row.issuer,
            subject: row.subject,
            role: row.role,
            created_at: row.created_at,
            waiting: true,
        };
        (TenantId::from_uuid(row.tenant_id), member.into())
    });
    Ok(members.collect())
}
