//! Looks up a principal's memberships, and the account that it wants to act in. service/access asks when its cache has
//! no answer.

pub mod invitations;
pub mod members;

use std::sync::Arc;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        accounts::{
            account::{Account, Path},
            policies::Policies,
        },
        requests::principal::Principal,
        values::{
            enums::{NameUniqueness, Role},
            ids::{AccountId, BranchId, MemberId, TenantId},
            text::Text,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    telemetry::Statement as _,
};

/// More memberships of one principal than this are not looked at.
pub const MAX_MEMBERSHIPS: i64 = 1_000;

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
}

/// A membership, and the account in its tenant that the principal wants to act in, if it exists there.
#[derive(Clone, Debug)]
pub struct AccountAccess {
    /// The tenant of both.
    pub tenant: TenantId,
    /// Where the principal is a member.
    pub member_of: AccountId,
    /// With which role.
    pub role: Role,
    /// The wanted account, by default the one it is a member of.
    pub account: Option<Account>,
    /// That account's branches that work with a dealer management system.
    pub dms_branches: Vec<BranchId>,
}

struct AccountRow {
    tenant_id: Uuid,
    member_of: Uuid,
    role: String,
    id: Option<Uuid>,
    ancestors: Option<Vec<Uuid>>,
    name: Option<String>,
    policies: Option<Json<Policies>>,
    revision: Option<i64>,
    created_at: Option<Timestamp>,
    name_uniqueness: String,
    tenant_revision: i64,
    dms_branches: Vec<Uuid>,
}

impl TryFrom<AccountRow> for AccountAccess {
    type Error = Error;

    fn try_from(row: AccountRow) -> Result<Self> {
        let name_uniqueness = NameUniqueness::stored(&row.name_uniqueness);
        let account = match (row.id, row.ancestors, row.name, row.policies, row.revision, row.created_at) {
            (Some(id), Some(ancestors), Some(name), Some(policies), Some(revision), Some(created_at)) => {
                Some(Account {
                    id: AccountId::from_uuid(id),
                    path: Path::stored(ancestors.into_iter().map(AccountId::from_uuid).collect()),
                    name: Text::stored(name),
                    policies: Arc::new(policies.0),
                    name_uniqueness,
                    revision,
                    tenant_revision: row.tenant_revision,
                    created_at,
                })
            }
            _ => None,
        };
        Ok(Self {
            tenant: TenantId::from_uuid(row.tenant_id),
            member_of: AccountId::from_uuid(row.member_of),
            role: Role::stored(&row.role),
            account,
            dms_branches: row.dms_branches.into_iter().map(BranchId::from_uuid).collect(),
        })
    }
}

/// A principal's memberships (in one tenant, if one is named), each with the wanted account as its tenant has it.
pub async fn find(
    conn: &mut PgConnection,
    principal: &Principal,
    tenant: Option<TenantId>,
    wanted: Option<AccountId>,
) -> Result<Vec<AccountAccess>> {
    sqlx::query_as!(
        AccountRow,
        r#"
        select m.tenant_id, m.account_id as member_of, m.role,
               a.id as "id?", a.ancestors as "ancestors?", a.name as "name?",
               a.policies as "policies?: Json<Policies>", a.revision as "revision?", a.created_at as "created_at?",
               t.name_uniqueness, t.revision as tenant_revision,
               array(
                   select b.id from branches b
                   where b.tenant_id = a.tenant_id and b.account_id = a.id and b.dms_integrated limit 1000
               ) as "dms_branches!"
        from principals p
        join members m on m.tenant_id = p.tenant_id and m.issuer = p.issuer and m.subject = p.subject
        join tenants t on t.tenant_id = m.tenant_id
        left join accounts a on a.tenant_id = m.tenant_id and a.id = coalesce($4, m.account_id)
        where p.tenant_id = coalesce($1, p.tenant_id) and p.issuer = $2 and p.subject = $3
        order by m.tenant_id, m.account_id
        limit $5
        "#,
        tenant.map(TenantId::get),
        principal.issuer(),
        principal.subject(),
        wanted.map(AccountId::get),
        MAX_MEMBERSHIPS,
    )
    .fetch_all(conn)
    .named("access.find")
    .await?
    .into_iter()
    .map(AccountAccess::try_from)
    .collect()
}

/// A service principal's standing in a tenant: its configured role, as if it were a member of the provider's account.
pub async fn find_service(
    conn: &mut PgConnection,
    role: Role,
    tenant: TenantId,
    wanted: Option<AccountId>,
) -> Result<Option<AccountAccess>> {
    sqlx::query_as!(
        AccountRow,
        r#"
        select t.tenant_id, t.tenant_id as member_of, $2::text as "role!",
               a.id as "id?", a.ancestors as "ancestors?", a.name as "name?",
               a.policies as "policies?: Json<Policies>", a.revision as "revision?", a.created_at as "created_at?",
               t.name_uniqueness, t.revision as tenant_revision,
               array(
                   select b.id from branches b
                   where b.tenant_id = a.tenant_id and b.account_id = a.id and b.dms_integrated limit 1000
               ) as "dms_branches!"
        from tenants t
        left join accounts a on a.tenant_id = t.tenant_id and a.id = coalesce($3, t.tenant_id)
        where t.tenant_id = $1
        "#,
        tenant.get(),
        role.as_str(),
        wanted.map(AccountId::get),
    )
    .fetch_optional(conn)
    .named("access.find_service")
    .await?
    .map(AccountAccess::try_from)
    .transpose()
}

/// Where a principal is a member, by tenant and account; at most [`MAX_MEMBERSHIPS`].
pub async fn memberships(
    conn: &mut PgConnection,
    principal: &Principal,
    tenant: Option<TenantId>,
) -> Result<Vec<Membership>> {
    sqlx::query!(
        r#"
        select m.tenant_id, m.account_id, m.member_id, m.role, a.name
        from principals p
        join members m on m.tenant_id = p.tenant_id and m.issuer = p.issuer and m.subject = p.subject
        join accounts a on a.tenant_id = m.tenant_id and a.id = m.account_id
        where p.tenant_id = coalesce($1, p.tenant_id) and p.issuer = $2 and p.subject = $3
        order by m.tenant_id, m.account_id
        limit $4
        "#,
        tenant.map(TenantId::get),
        principal.issuer(),
        principal.subject(),
        MAX_MEMBERSHIPS,
    )
    .fetch_all(conn)
    .named("access.memberships")
    .await?
    .into_iter()
    .map(|row| {
        Ok(Membership {
            tenant: TenantId::from_uuid(row.tenant_id),
            account: AccountId::from_uuid(row.account_id),
            account_name: row.name,
            role: Role::stored(&row.role),
            member: MemberId::from_uuid(row.member_id),
        })
    })
    .collect()
}
