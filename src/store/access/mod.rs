//! Looks up where a principal may act. service/access asks when its cache has no answer.

pub mod accept;
pub mod consent;
pub mod first_admins;
pub mod invitation_counts;
pub mod invitations;
pub mod member_list;
pub mod members;
pub mod memberships;
pub mod outbox;
pub mod withdraw;

use std::sync::Arc;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::ActingAccount,
        accounts::{
            account::{Account, Path},
            policies::Policies,
        },
        billing::rate_plan::PlanTerms,
        reference::industries::Industries,
        requests::principal::Principal,
        values::{
            enums::{NameUniqueness, Role},
            ids::{AccountId, BranchId, TenantId},
            text::Text,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::sql::sql,
    telemetry::Statement as _,
};

/// The result of a look-up.
#[derive(Clone, Debug)]
pub enum Found {
    /// The principal may act in this account, with this role.
    ActingAccount(Arc<ActingAccount>, Role),
    /// The principal is a member of nothing at all, whatever a call names.
    Stranger,
    /// The principal is a member of nothing in the tenant that the call names.
    NotAMember,
    /// The call names no account, and the principal has accepted none of its memberships, or several.
    AccountRequired {
        /// Whether it has accepted several.
        several: bool,
        /// How many wait for its consent; counting stops at [`Error::MAX_WAITING`].
        waiting: i64,
    },
    /// The account is unknown, or neither one of the principal's nor below one of them.
    OutOfReach,
}

/// The account that a call acts in, as far as there is one.
struct AccountRow {
    tenant_id: Option<Uuid>,
    id: Option<Uuid>,
    ancestors: Option<Vec<Uuid>>,
    name: Option<String>,
    policies: Option<Json<Policies>>,
    revision: Option<i64>,
    created_at: Option<Timestamp>,
    suspended_at: Option<Timestamp>,
    suspended_above: bool,
    industries: Option<Json<Industries>>,
    tenant_suspended: Option<bool>,
    name_uniqueness: Option<String>,
    tenant_revision: Option<i64>,
    /// The roles of the memberships in the account and above it.
    roles: Option<Vec<String>>,
    dms_branches: Vec<Uuid>,
    first_plan: Option<Json<PlanTerms>>,
    unassigned_plan: Option<Json<PlanTerms>>,
    has_features: bool,
    /// Memberships that count for the call, in the tenant that it names, if it names one; counting stops at 2.
    memberships: i64,
    /// Memberships there that wait, of a call that names no account and has no sole one.
    waiting: i64,
    is_member_anywhere: bool,
}

impl AccountRow {
    /// What it says of a call that names an account or does not.
    fn found(self, names_account: bool) -> Found {
        match (self.memberships, self.waiting) {
            (0, 0) if self.is_member_anywhere => Found::NotAMember,
            (0, 0) => Found::Stranger,
            (0 | 2.., waiting) if !names_account => Found::AccountRequired { several: self.memberships > 0, waiting },
            _ => self.acting().unwrap_or(Found::OutOfReach),
        }
    }

    /// The account with the highest of the roles.
    fn acting(self) -> Option<Found> {
        let role = self.roles?.iter().map(|role| Role::stored(role)).max()?;
        let account = Account {
            id: AccountId::from_uuid(self.id?),
            path: Path::stored(self.ancestors?.into_iter().map(AccountId::from_uuid).collect()),
            name: Text::stored(self.name?),
            policies: Arc::new(self.policies?.0),
            name_uniqueness: NameUniqueness::stored(&self.name_uniqueness?),
            revision: self.revision?,
            tenant_revision: self.tenant_revision?,
            created_at: self.created_at?,
            suspended_at: self.suspended_at,
            suspended_above: self.suspended_above,
            industries: self.industries.map(|own| Arc::new(own.0)),
        };
        let dms_branches = self.dms_branches.into_iter().map(BranchId::from_uuid).collect();
        let (tenant, tenant_suspended) = (TenantId::from_uuid(self.tenant_id?), self.tenant_suspended?);
        let acting = ActingAccount {
            tenant,
            account,
            dms_branches,
            tenant_suspended,
            first_plan: self.first_plan.map(|plan| plan.0),
            unassigned_plan: self.unassigned_plan.map(|plan| plan.0),
            has_features: self.has_features,
        };
        Some(Found::ActingAccount(Arc::new(acting), role))
    }
}

/// Looks for the account that a call names: the principal must be a member of it or of one above it, whether it has accepted
/// that or not. However many memberships the principal has, those of the account's path alone are read; and tenants in which it
/// has agreed to be a member are looked at first, so that others that name it cost it nothing.
pub async fn find(
    conn: &mut PgConnection,
    principal: &Principal,
    tenant: Option<TenantId>,
    account: AccountId,
) -> Result<Found> {
    let row = sql!(
        query_as AccountRow,
        r#"
        select "# ACTING_ACCOUNT r#",
               a.name_uniqueness as "name_uniqueness?", a.tenant_revision as "tenant_revision?", a.roles as "roles?",
               coalesce(a.dms_branches, '{}') as "dms_branches!",
               case when a.id is not null then 1 else (
                   select count(*) from (
                       select from "# MEMBER_TENANTS r#" and p.tenant_id = coalesce($1, p.tenant_id)
                       limit 1
                   ) mine
               ) end as "memberships!",
               0::bigint as "waiting!", a.id is not null or exists (select from "# MEMBER_TENANTS r#") as "is_member_anywhere!"
        from (values (true)) as one (one)
        left join lateral (
            select a.*, granted.roles,
                   (select t.name_uniqueness from tenants t where t.tenant_id = a.tenant_id) as name_uniqueness,
                   (select t.revision from tenants t where t.tenant_id = a.tenant_id) as tenant_revision,
                   "# DMS_BRANCHES r#" as dms_branches
            from (
                select p.tenant_id from principals p where p.issuer = $2 and p.subject = $3 and p.accepted
                union all
                select p.tenant_id from principals p where p.issuer = $2 and p.subject = $3 and not p.accepted
            ) p
            join accounts a on a.tenant_id = p.tenant_id and a.id = $4
            cross join lateral (
                select array_agg(m.role) as roles
                from unnest(a.ancestors) as up (account_id)
                cross join lateral (
                    select m.role from members m
                    where m.tenant_id = a.tenant_id and m.issuer = $2 and m.subject = $3
                      and m.account_id = up.account_id
                    limit 1
                ) m
            ) granted
            where p.tenant_id = coalesce($1, p.tenant_id) and granted.roles is not null
            limit 1
        ) a on true
        "#,
        tenant.map(TenantId::get),
        principal.issuer(),
        principal.subject(),
        account.get(),
    )
    .fetch_one(conn)
    .named("access.find")
    .await?;
    Ok(row.found(true))
}

/// Looks for the account of the principal's only accepted membership (in one tenant, if one is named). Those that wait are
/// not read, and counted only if there is no such account.
pub async fn find_sole(conn: &mut PgConnection, principal: &Principal, tenant: Option<TenantId>) -> Result<Found> {
    let row = sql!(
        query_as AccountRow,
        r#"
        with mine as materialized (
            select p.tenant_id, m.account_id, m.role
            from principals p
            cross join lateral (
                select m.account_id, m.role from members m
                where m.tenant_id = p.tenant_id and m.issuer = $2 and m.subject = $3 and m.accepted_at is not null
                order by m.account_id
                limit 2
            ) m
            where p.tenant_id = coalesce($1, p.tenant_id) and p.issuer = $2 and p.subject = $3 and p.accepted
            limit 2
        )
        select "# ACTING_ACCOUNT r#",
               a.name_uniqueness as "name_uniqueness?", a.tenant_revision as "tenant_revision?", a.roles as "roles?",
               coalesce(a.dms_branches, '{}') as "dms_branches!",
               (select count(*) from mine) as "memberships!",
               case when (select count(*) from mine) = 1 then 0 else (
                   select count(*) from (
                       select from principals p
                       cross join lateral (
                           select from members m
                           where m.tenant_id = p.tenant_id and m.issuer = $2 and m.subject = $3 and m.accepted_at is null
                           limit $4
                       ) m
                       where p.tenant_id = coalesce($1, p.tenant_id) and p.issuer = $2 and p.subject = $3
                       limit $4
                   ) waiting
               ) end as "waiting!",
               a.id is not null or exists (select from "# MEMBER_TENANTS r#") as "is_member_anywhere!"
        from (values (true)) as one (one)
        left join lateral (
            select a.*, t.name_uniqueness, t.revision as tenant_revision, array[mine.role] as roles,
                   "# DMS_BRANCHES r#" as dms_branches
            from mine
            join accounts a on a.tenant_id = mine.tenant_id and a.id = mine.account_id
            join tenants t on t.tenant_id = a.tenant_id
            where (select count(*) from mine) = 1
        ) a on true
        "#,
        tenant.map(TenantId::get),
        principal.issuer(),
        principal.subject(),
        Error::MAX_WAITING,
    )
    .fetch_one(conn)
    .named("access.find_sole")
    .await?;
    Ok(row.found(false))
}

/// Looks for the account that a service principal names, by default the provider's: its configured role holds in every
/// account of the tenant, as if it were a member of the provider's account.
pub async fn find_service(
    conn: &mut PgConnection,
    role: Role,
    tenant: TenantId,
    wanted: Option<AccountId>,
) -> Result<Found> {
    let row = sql!(
        query_as AccountRow,
        r#"
        select "# ACTING_ACCOUNT r#",
               t.name_uniqueness as "name_uniqueness?", t.revision as "tenant_revision?", array[$2::text] as "roles?",
               "# DMS_BRANCHES r#" as "dms_branches!",
               1::bigint as "memberships!", 0::bigint as "waiting!", true as "is_member_anywhere!"
        from accounts a
        join tenants t on t.tenant_id = a.tenant_id
        where a.tenant_id = $1 and a.id = coalesce($3, a.tenant_id)
        "#,
        tenant.get(),
        role.as_str(),
        wanted.map(AccountId::get),
    )
    .fetch_optional(conn)
    .named("access.find_service")
    .await?;
    Ok(row.map_or(Found::OutOfReach, |row| row.found(true)))
}
