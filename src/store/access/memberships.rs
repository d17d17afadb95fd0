//! The memberships of a principal, as WhoAmI lists them. No decision on access depends on this list.

use sqlx::PgConnection;

use crate::{
    domain::{
        requests::principal::Principal,
        values::{
            enums::Role,
            ids::{AccountId, MemberId, TenantId},
        },
    },
    error::Result,
    telemetry::Statement as _,
};

/// Memberships that are listed at most.
const LISTED: i64 = 1_000;

/// One membership of a principal.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The tenant.
    pub tenant: TenantId,
    /// The account.
    pub account: AccountId,
    /// The account's name.
    pub account_name: String,
    /// The role there and in every account below.
    pub role: Role,
    /// The membership's id.
    pub member: MemberId,
    /// Whether the tenant is suspended.
    pub tenant_suspended: bool,
}

/// Where a principal is a member, by tenant and account; at most `LISTED`.
pub async fn list(conn: &mut PgConnection, principal: &Principal, tenant: Option<TenantId>) -> Result<Vec<Membership>> {
    sqlx::query!(
        r#"
        select p.tenant_id, m.account_id, m.member_id, m.role, m.name as "name!",
               (select t.suspended_at is not null from tenants t where t.tenant_id = p.tenant_id) as "tenant_suspended!"
        from principals p
        cross join lateral (
            select m.account_id, m.member_id, m.role,
                   (select a.name from accounts a where a.tenant_id = m.tenant_id and a.id = m.account_id) as name
            from members m
            where m.tenant_id = p.tenant_id and m.issuer = $2 and m.subject = $3
            order by m.account_id
            limit $4
        ) m
        where p.tenant_id = coalesce($1, p.tenant_id) and p.issuer = $2 and p.subject = $3
        order by p.tenant_id, m.account_id
        limit $4
        "#,
        tenant.map(TenantId::get),
        principal.issuer(),
        principal.subject(),
        LISTED,
    )
    .fetch_all(conn)
    .named("memberships.list")
    .await?
    .into_iter()
    .map(|row| {
        Ok(Membership {
            tenant: TenantId::from_uuid(row.tenant_id),
            account: AccountId::from_uuid(row.account_id),
            account_name: row.name,
            role: Role::stored(&row.role),
            member: MemberId::from_uuid(row.member_id),
            tenant_suspended: row.tenant_suspended,
        })
    })
    .collect()
}
