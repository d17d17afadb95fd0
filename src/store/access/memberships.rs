//! The memberships of a principal, as WhoAmI lists them. No decision on access depends on this list.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::membership::Membership,
        requests::principal::Principal,
        values::{
            enums::Role,
            ids::{AccountId, MemberId, TenantId},
        },
    },
    error::Result,
    store::rows::{self, Room, Rows},
    telemetry::RowStream as _,
};

/// The position of a membership in the list: the next page begins after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Whether it waits for consent: those that do come after those that do not.
    pub waiting: bool,
    /// Its tenant.
    pub tenant: Uuid,
    /// Its account.
    pub account: Uuid,
}

/// Lists where a principal is a member: first what it has accepted, then what waits, each by tenant and account. What waits
/// is read only if the page has room for it.
pub async fn list(
    conn: &mut PgConnection,
    principal: &Principal,
    tenant: Option<TenantId>,
    after: After,
    limit: i64,
    room: Room,
) -> Result<Rows<Membership>> {
    let rows = sqlx::query!(
        r#"
        with accepted as materialized (
            select p.tenant_id, m.account_id, m.member_id, m.role
            from principals p
            cross join lateral (
                select m.account_id, m.member_id, m.role from members m
                where m.tenant_id = p.tenant_id and m.issuer = $2 and m.subject = $3 and m.accepted_at is not null
                  and (p.tenant_id, m.account_id) > ($5, $6)
                order by m.account_id
                limit $7
            ) m
            where p.tenant_id = coalesce($1, p.tenant_id) and p.issuer = $2 and p.subject = $3 and p.accepted
              and p.tenant_id >= $5 and not $4::boolean
            order by p.tenant_id, m.account_id
            limit $7
        ), waiting as materialized (
            select p.tenant_id, m.account_id, m.member_id, m.role
            from principals p
            cross join lateral (
                select m.account_id, m.member_id, m.role from members m
                where m.tenant_id = p.tenant_id and m.issuer = $2 and m.subject = $3 and m.accepted_at is null
                  and (not $4::boolean or (p.tenant_id, m.account_id) > ($5, $6))
                order by m.account_id
                limit $7
            ) m
            where p.tenant_id = coalesce($1, p.tenant_id) and p.issuer = $2 and p.subject = $3
              and (not $4::boolean or p.tenant_id >= $5) and (select count(*) from accepted) < $7
            order by p.tenant_id, m.account_id
            limit $7
        )
        select m.waiting as "waiting!", m.tenant_id as "tenant_id!", m.account_id as "account_id!",
               m.member_id as "member_id!", m.role as "role!", m.name as "name!", m.suspended as "tenant_suspended!"
        from (
            select false as waiting, l.*,
                   (select a.name from accounts a where a.tenant_id = l.tenant_id and a.id = l.account_id) as name,
                   (select t.suspended_at is not null from tenants t where t.tenant_id = l.tenant_id) as suspended
            from accepted l
            union all
            select true, l.*, (select a.name from accounts a where a.tenant_id = l.tenant_id and a.id = l.account_id),
                   (select t.suspended_at is not null from tenants t where t.tenant_id = l.tenant_id)
            from waiting l
        ) m
        order by 1, 2, 3
        limit $7
        "#,
        tenant.map(TenantId::get),
        principal.issuer(),
        principal.subject(),
        after.waiting,
        after.tenant,
        after.account,
        limit,
    )
    .fetch(conn)
    .named("memberships.list");
    rows::page(rows, room, |row| {
        let cost = 2 * (size_of::<Membership>() + row.name.len());
        let membership = Membership {
            tenant: TenantId::from_uuid(row.tenant_id),
            account: AccountId::from_uuid(row.account_id),
            account_name: row.name,
            role: Role::stored(&row.role),
            member: MemberId::from_uuid(row.member_id),
            waiting: row.waiting,
            tenant_suspended: row.tenant_suspended,
        };
        Ok(Some((cost, membership)))
    })
    .await
}
