//! Accounts: the nodes of a tenant's tree.

pub mod branches;
pub mod edit;
pub mod list;
pub mod name_rule;
pub mod tenants;

use std::sync::Arc;

use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::{caller::Scope, member::Member},
        accounts::{
            account::{Account, Path},
            policies::Policies,
        },
        reference::industries::Industries,
        values::{
            enums::NameUniqueness,
            ids::{AccountId, EventId},
            text::Text,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::{
        access::members,
        mutation::mutation,
        path,
        rows::Document,
        write::{NewEvent, Write, created},
    },
    telemetry::Statement as _,
};

/// `accounts!("where …", arguments…)`: the accounts `a` of which that is so, each with its tenant `t`.
macro_rules! accounts {
    ($condition:tt, $($argument:tt)*) => {
        $crate::store::sql::sql!(
            query_as Row,
            r#"
            select a.id, a.ancestors, a.name, a.policies as "policies: Document<Policies>", a.revision, a.created_at,
                   a.suspended_at, "# SUSPENDED_ABOVE r#" as "suspended_above!", t.name_uniqueness,
                   t.revision as tenant_revision,
                   case when a.id = a.tenant_id then t.industries end as "industries: crate::store::accounts::OwnIndustries"
            from accounts a
            join tenants t on t.tenant_id = a.tenant_id
            "# $condition,
            $($argument)*
        )
    };
}
use accounts;

/// A tenant's own industries as the statements read them.
type OwnIndustries = Json<Industries>;

struct Row {
    id: Uuid,
    ancestors: Vec<Uuid>,
    name: String,
    policies: Document<Policies>,
    revision: i64,
    created_at: Timestamp,
    suspended_at: Option<Timestamp>,
    suspended_above: bool,
    name_uniqueness: String,
    tenant_revision: i64,
    /// Of the provider's account alone.
    industries: Option<OwnIndustries>,
}

impl Row {
    /// The account of a list, with what it costs in memory at most.
    fn listed(self) -> Result<Option<(usize, Account)>> {
        let cost = 2 * (size_of::<Account>() + size_of::<Policies>() + self.name.len()) + 4 * self.policies.bytes;
        Ok(Some((cost, self.try_into()?)))
    }
}

impl TryFrom<Row> for Account {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: AccountId::from_uuid(row.id),
            path: Path::stored(row.ancestors.into_iter().map(AccountId::from_uuid).collect()),
            name: Text::stored(row.name),
            policies: Arc::new(row.policies.value),
            name_uniqueness: NameUniqueness::stored(&row.name_uniqueness),
            revision: row.revision,
            tenant_revision: row.tenant_revision,
            created_at: row.created_at,
            suspended_at: row.suspended_at,
            suspended_above: row.suspended_above,
            industries: row.industries.map(|own| Arc::new(own.0)),
        })
    }
}

/// Creates an account below the acting one or below one of those, and its first admin if there is one, whose event has an id of its
/// own. Stores the answer if one is given.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn create(
    conn: &mut PgConnection,
    scope: &Scope,
    account: &Account,
    admin: Option<(&Member, EventId)>,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let ancestors: Vec<Uuid> = account.path.ids().iter().map(|id| id.get()).collect();
    let event = NewEvent {
        account_id: Some(account.id),
        member_id: admin.map(|(admin, _)| admin.id),
        ..write.event("ACCOUNT_CREATED", created("account_id", account.id.to_string()))
    };
    let added = admin.map(|(admin, id)| members::added(admin, Write { event: id, ..write }));
    let events: Vec<_> = std::iter::once(event).chain(added).collect();
    let admin = admin.map(|(admin, _)| admin);
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &events, answer.as_slice()),
        "with written as (
            insert into accounts (tenant_id, id, parent_id, ancestors, name, policies, created_at)
            values ($1, $12, ($13::uuid[])[2], $13, $14, $15, $9)
            returning id
        ), principal as (
            insert into principals (issuer, subject, tenant_id, accepted)
            select $16, $17, $1, not $19::boolean where $18::uuid is not null
            on conflict on constraint principals_pkey do update set accepted = true
            where excluded.accepted and not principals.accepted
        ), member as (
            insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at, accepted_at)
            select $1, $18, $12, $16, $17, 'ADMIN', $9, case when not $19::boolean then $9::timestamptz end where $18::uuid is not null
        )" RECORDED,
        account.id.get(),
        &ancestors,
        account.name.as_str(),
        Json(&account.policies) as _,
        admin.map(|admin| admin.principal.issuer()),
        admin.map(|admin| admin.principal.subject()),
        admin.map(|admin| admin.id.get()),
        admin.is_some_and(|admin| admin.waiting),
    )
    .fetch_one(conn)
    .named("accounts.create")
    .await?;
    Ok(())
}

/// Locks the acting account's lists (branches, tags) until the transaction ends: a call that adds to one first counts its
/// entries. Creates of customers, whose foreign keys read the account, do not wait.
pub async fn lock_lists(conn: &mut PgConnection, scope: &Scope) -> Result<()> {
    sqlx::query_scalar!(
        "select id from accounts where tenant_id = $1 and id = $2 for no key update",
        scope.tenant().get(),
        scope.root().get(),
    )
    .fetch_one(conn)
    .named("accounts.lock_lists")
    .await?;
    Ok(())
}

/// Holds what the accounts above the acting one have recorded as their first rate plan, if the acting one has recorded none: it
/// records what they have. A first plan of theirs at the same moment comes before or after, for everybody alike.
pub async fn hold_first_plans_above(conn: &mut PgConnection, scope: &Scope) -> Result<()> {
    sqlx::query_scalar!(
        "select up.id from accounts up
         where up.tenant_id = $1 and up.id = any($3) and up.id <> $2 and exists (
             select from accounts a where a.tenant_id = $1 and a.id = $2 and a.first_rate_plan_id is null
         )
         order by cardinality(up.ancestors)
         for share",
        scope.tenant().get(),
        scope.root().get(),
        path(scope) as _,
    )
    .fetch_all(conn)
    .named("accounts.hold_first_plans_above")
    .await?;
    Ok(())
}

/// Reads the acting account, or one below it.
pub async fn get(conn: &mut PgConnection, scope: &Scope, id: AccountId) -> Result<Account> {
    accounts!(
        "where a.tenant_id = $1 and a.id = $2 and $3 = any(a.ancestors)",
        scope.tenant().get(),
        id.get(),
        scope.root().get(),
    )
    .fetch_optional(conn)
    .named("accounts.get")
    .await?
    .ok_or(Error::AccountNotFound)?
    .try_into()
}

/// The same, and locks it until the transaction ends. Creates of customers, whose foreign keys read the account, do not
/// wait.
pub async fn lock(conn: &mut PgConnection, scope: &Scope, id: AccountId) -> Result<Account> {
    accounts!(
        "where a.tenant_id = $1 and a.id = $2 and $3 = any(a.ancestors) for no key update of a",
        scope.tenant().get(),
        id.get(),
        scope.root().get(),
    )
    .fetch_optional(conn)
    .named("accounts.lock")
    .await?
    .ok_or(Error::AccountNotFound)?
    .try_into()
}
